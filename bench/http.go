package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tolem/config"
	"tolem/handlers"
	"tolem/signing"
	"tolem/store"
)

const demoAccounts = `{"customer_id":"7123456789","additional_customer_id":"ABCDE12345","currency":"KZT","entities":[` +
	`{"id":"12345","number":"1234_ABC/01-01-2025/Abcdef12","min_payment":10000,"payment":100000,"info":{"total_debt":500000,"monthly_payment":100000,"customer_name":"John Doe"}},` +
	`{"id":"67890","number":"5678_ABC/01-01-2025/Abcdef34","min_payment":10000,"payment":150000,"info":{"total_debt":1000000,"monthly_payment":150000,"customer_name":"John Doe"}}]}`

const benchConfig = `
jetpay:
  projects:
    - id: 1234
      secrets: [demo-secret]
log: {level: info, format: json}
`

// server is a tolem in this process, on loopback, with everything that a real
// one has: its log lines are encoded and written, to a file.
type server struct {
	address string
	store   *store.Store
	http    *http.Server
}

func startServer(ctx context.Context, folder string) (*server, error) {
	file := filepath.Join(folder, "config.yaml")
	if err := os.WriteFile(file, []byte(benchConfig), 0o600); err != nil {
		return nil, err
	}
	cfg, _, err := config.Load(file, nil)
	if err != nil {
		return nil, err
	}
	sink, err := os.Create(filepath.Join(folder, "log.jsonl"))
	if err != nil {
		return nil, err
	}
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(sink), zap.InfoLevel))
	metrics := handlers.NewMetrics()
	s, err := store.Open(ctx, store.Options{Path: filepath.Join(folder, "http.db"), Exclusive: true, OnCommit: metrics.ObserveCommit})
	if err != nil {
		return nil, err
	}
	if _, err := s.SeedDemo(ctx, strings.NewReader(demoAccounts), strings.NewReader(""), 288*time.Hour); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	h, err := handlers.New(handlers.Options{Config: cfg, Store: s, Log: log, Metrics: metrics})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	srv := handlers.NewHTTPServer(h.Public(), log)
	address, err := listen(srv)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &server{address: address, store: s, http: srv}, nil
}

func (s *server) close() error { return errors.Join(s.http.Close(), s.store.Close()) }

func listen(srv *http.Server) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = srv.Serve(listener) }()
	return listener.Addr().String(), nil
}

// benchHTTP drives each of the three messages over loopback, beside an Echo
// handler that only answers {}: with a generator that does as little as it can,
// so that the server is nearly all that is measured, and with one that works as
// the programs do that merchants' platforms are written in.
func benchHTTP(ctx context.Context, folder string, duration time.Duration, connections int) error {
	for _, g := range []generator{{connections, true}, {connections, false}} {
		inner, err := os.MkdirTemp(folder, "http-")
		if err != nil {
			return err
		}
		if err := g.benchHTTP(ctx, inner, duration); err != nil {
			return err
		}
	}
	return nil
}

func (g generator) benchHTTP(ctx context.Context, folder string, duration time.Duration) error {
	s, err := startServer(ctx, folder)
	if err != nil {
		return err
	}
	defer s.close()
	key, err := signing.NewKey(secret)
	if err != nil {
		return err
	}
	empty, err := g.benchEmpty(ctx, duration)
	if err != nil {
		return err
	}
	fmt.Printf("over loopback, %d connections, on the same cores a generator %s\n", g.connections, map[bool]string{true: "with net/http's client", false: "of bare sockets"}[g.ordinary])
	row("empty Echo handler", empty.rate(), empty.rate(), "itself", latency(empty))

	verify, err := sign(key, `{"type":"verify","project_id":1234,"customer_id":"7123456789"}`)
	if err != nil {
		return err
	}
	verified, err := g.load(ctx, s.address, duration, []request{post(s.address, "/jetpay", verify)}, true, false)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	row("verify", verified.rate(), empty.rate(), "empty", latency(verified))

	deposit, err := sign(key, `{"type":"check_deposit","project_id":1234,"customer_id":"7123456789","entity_id":"12345","amount":10000,"currency":"KZT","payment_method":"terminal/kaspi"}`)
	if err != nil {
		return err
	}
	requests := make([]request, int(empty.rate()*duration.Seconds()))
	for i := range requests {
		requests[i] = post(s.address, "/jetpay", deposit)
	}
	issued, err := g.load(ctx, s.address, duration, requests, false, true)
	if err != nil {
		return fmt.Errorf("check_deposit: %w", err)
	}
	row("check_deposit, durable", issued.rate(), empty.rate(), "empty", latency(issued))

	callbacks, err := signCallbacks(key, s.address, issued.answers)
	if err != nil {
		return err
	}
	booked, err := g.load(ctx, s.address, 10*duration, callbacks, false, false)
	if err != nil {
		return fmt.Errorf("callback: %w", err)
	}
	row("callback, durable credit", booked.rate(), empty.rate(), "empty", latency(booked))
	return compare(s.store.Path(), len(callbacks), booked.done)
}

func (g generator) benchEmpty(ctx context.Context, duration time.Duration) (result, error) {
	e := echo.New()
	e.POST("/jetpay", func(c echo.Context) error { return c.JSONBlob(http.StatusOK, []byte(`{}`)) })
	srv := &http.Server{Handler: e, ReadHeaderTimeout: time.Second}
	address, err := listen(srv)
	if err != nil {
		return result{}, err
	}
	defer srv.Close()
	body := []byte(`{"type":"verify","project_id":1234,"customer_id":"7123456789"}`)
	return g.load(ctx, address, duration, []request{post(address, "/jetpay", body)}, true, false)
}

func sign(key *signing.Key, body string) ([]byte, error) { return signing.Embed([]byte(body), key) }

// signCallbacks makes one success callback for every payment id in the answers.
func signCallbacks(key *signing.Key, host string, answers [][]byte) ([]request, error) {
	var requests []request
	for i, answer := range answers {
		if answer == nil {
			continue
		}
		var issued struct {
			PaymentID string `json:"payment_id"`
		}
		if err := json.Unmarshal(answer, &issued); err != nil || issued.PaymentID == "" {
			return nil, fmt.Errorf("a check_deposit was answered %s", answer)
		}
		operation := strconv.Itoa(1_000_000_000 + i)
		body, err := sign(key, fmt.Sprintf(callbackBody, issued.PaymentID, operation, operation))
		if err != nil {
			return nil, err
		}
		requests = append(requests, post(host, "/jetpay", body))
	}
	return requests, nil
}

// compare reads, through a connection of its own, what is booked.
func compare(path string, issued, acknowledged int) error {
	s, err := store.Open(context.Background(), store.Options{Path: path})
	if err != nil {
		return err
	}
	defer s.Close()
	report, err := s.Check(context.Background())
	if err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return fmt.Errorf("the books are broken: %s", strings.Join(report.Problems, "; "))
	}
	if report.Payments < int64(issued) || report.Transactions != int64(acknowledged) {
		return fmt.Errorf("acknowledged %d payment ids and %d credits, booked %d and %d", issued, acknowledged, report.Payments, report.Transactions)
	}
	fmt.Printf("  acknowledged %d payment ids and %d credits; booked the same; ledger check passed\n\n", issued, acknowledged)
	return nil
}

func latency(r result) string {
	return fmt.Sprintf("p50 %v, p99 %v, %.1f µs of processor each", r.p50.Round(10*time.Microsecond), r.p99.Round(10*time.Microsecond),
		float64(r.cpu.Nanoseconds())/1000/float64(max(r.done, 1)))
}
