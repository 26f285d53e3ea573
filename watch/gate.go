package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"tolem/config"
	"tolem/highhelp"
	"tolem/signing"
	"tolem/topup"
)

const (
	gateProvider = "jetpay"

	gatePath    = "/v2/payment/status"
	gateTimeout = 10 * time.Second
	// gateUnknown is the platform's code for a payment that it does not know
	// (JetPay Gate, payment status).
	gateUnknown = "3061"
	// gateBatch bounds how many payments of one age a round asks about.
	gateBatch = 200
)

// gateAges are the ages at which a payment that is still pending is asked
// about: ever more seldom, since nearly all of these were never paid.
var gateAges = []time.Duration{5 * time.Minute, 30 * time.Minute, 3 * time.Hour, 12 * time.Hour, 48 * time.Hour, 168 * time.Hour}

// GateStatus is what the platform knows of a payment.
type GateStatus string

const (
	GateSucceeded GateStatus = "succeeded" // it was paid
	GateOther     GateStatus = "other"     // it is known, and was not paid, or not yet
	GateUnknown   GateStatus = "unknown"   // it is not known to the platform
)

// Gate asks JetPay's Gate for the status of payments. It is safe for concurrent
// use.
type Gate struct {
	url  string
	keys map[string]*signing.Key
	http *http.Client
}

// NewGate makes a client of the configured Gate, nil if none is configured.
// Requests are signed with the first secret of their project.
func NewGate(c config.JetPay) (*Gate, error) {
	if c.GateURL == "" {
		return nil, nil
	}
	g := &Gate{
		url:  strings.TrimSuffix(c.GateURL, "/") + gatePath,
		keys: make(map[string]*signing.Key, len(c.Projects)),
		http: &http.Client{
			Timeout: gateTimeout,
			// A request is signed for one address.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for _, p := range c.Projects {
		if len(p.Secrets) == 0 {
			return nil, fmt.Errorf("project %d has no secret", p.ID)
		}
		key, err := signing.NewKey(p.Secrets[0].Reveal())
		if err != nil {
			return nil, fmt.Errorf("project %d: %w", p.ID, err)
		}
		g.keys[strconv.FormatInt(p.ID, 10)] = key
	}
	return g, nil
}

// Close closes the connections that are kept open.
func (g *Gate) Close() { g.http.CloseIdleConnections() }

// gateRequest is the body of the request, in general and nothing else.
type gateRequest struct {
	General gateGeneral `json:"general"`
}

type gateGeneral struct {
	ProjectID json.Number `json:"project_id"`
	PaymentID string      `json:"payment_id"`
	Signature string      `json:"signature,omitempty"`
}

// Status asks for a payment's status. Its errors hold nothing of the answer.
func (g *Gate) Status(ctx context.Context, project, paymentID string) (GateStatus, error) {
	key := g.keys[project]
	if key == nil {
		return "", errNoProject
	}
	message := gateRequest{gateGeneral{ProjectID: json.Number(project), PaymentID: paymentID}}
	unsigned, err := json.Marshal(message)
	if err != nil {
		return "", fmt.Errorf("gate status: %w", err)
	}
	if message.General.Signature, err = signing.Sign(unsigned, key); err != nil {
		return "", fmt.Errorf("gate status: %w", err)
	}
	body, err := json.Marshal(message)
	if err != nil {
		return "", fmt.Errorf("gate status: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return "", errors.New("gate status: the URL cannot be used")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := g.http.Do(request)
	if err != nil {
		return "", errors.New("gate status: no answer came")
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, signing.MaxBody+1))
	if err != nil {
		return "", errors.New("gate status: the answer was cut short")
	}
	return readGate(response.StatusCode, answer, paymentID)
}

// readGate reads an answer. Anything but a clear word is an error.
func readGate(status int, answer []byte, paymentID string) (GateStatus, error) {
	b, err := signing.Parse(answer)
	if err != nil {
		return "", fmt.Errorf("gate status: HTTP status %d: the answer cannot be read", status)
	}
	defer b.Release()
	word := func(path string) string {
		v, ok := b.Lookup(path)
		if !ok || v.Kind() != signing.KindString && v.Kind() != signing.KindNumber {
			return ""
		}
		return v.Text()
	}
	for _, path := range [...]string{"code", "error:code", "errors:0:code"} {
		if word(path) == gateUnknown {
			return GateUnknown, nil
		}
	}
	switch {
	case status != http.StatusOK:
		return "", fmt.Errorf("gate status: HTTP status %d", status)
	case word("payment:status") == "":
		return "", errors.New("gate status: the answer has no payment.status")
	case b.Has("payment:id") && word("payment:id") != paymentID:
		return "", errors.New("gate status: the answer is about another payment")
	case word("payment:status") == "success":
		return GateSucceeded, nil
	}
	return GateOther, nil
}

// gateWatch is how the Gate behaved. One goroutine uses it.
type gateWatch struct {
	failures int
	resume   time.Time
}

// GateRound asks the Gate about payments that have reached an age and are still
// pending. One that it knows to be paid is flagged: its callback never came.
// While the Gate does not answer it is asked ever more seldom.
func (w *Watcher) GateRound(ctx context.Context) {
	if w.o.Gate == nil || w.o.Now().Before(w.gate.resume) {
		return
	}
	for _, age := range gateAges {
		if !w.ours(ctx) {
			return
		}
		if err := w.gateAge(ctx, age); err != nil {
			if ctx.Err() != nil {
				return
			}
			w.gate.resume = w.o.Now().Add(w.backoff(w.gate.failures))
			w.gate.failures++
			w.o.Log.Warn("JetPay's Gate could not be asked about payments", zap.Error(err))
			return
		}
	}
	w.gate.failures = 0
}

// gateAge asks about the payments that have reached one age since the last
// round. How far it came is kept, so that a restart forgets none.
func (w *Watcher) gateAge(ctx context.Context, age time.Duration) (err error) {
	name := gateProvider + ":" + age.String()
	mark, err := w.o.Store.WatchMark(ctx, name)
	if err != nil {
		return err
	}
	until := w.o.Now().Add(-age)
	if mark.At.IsZero() {
		// The first round of all: the watch begins here. What came before
		// reaches the next age in its time.
		mark.At = until.Add(-w.o.Interval)
		if err := w.o.Store.SetWatchMark(ctx, name, mark); err != nil {
			return err
		}
	}
	pending, err := w.o.Store.PendingPayments(ctx, gateProvider, mark, until, gateBatch)
	if err != nil || len(pending) == 0 {
		return err
	}
	reached := mark
	defer func() {
		if reached != mark {
			err = errors.Join(err, w.o.Store.SetWatchMark(context.WithoutCancel(ctx), name, reached))
		}
	}()
	for _, p := range pending {
		if !p.Payment.Flags.Has(topup.FlagOutcomeUnknown) {
			if !pause(ctx) {
				return ctx.Err()
			}
			if !w.ours(ctx) {
				return nil // another process goes on from the mark
			}
			if err := w.gateLook(ctx, p.Payment); err != nil {
				return err
			}
		}
		reached = p.Mark
	}
	return nil
}

// gateLook asks about one payment.
func (w *Watcher) gateLook(ctx context.Context, p *topup.Payment) error {
	started := time.Now()
	status, err := w.o.Gate.Status(ctx, p.Project, p.ID)
	if errors.Is(err, errNoProject) {
		return nil
	}
	outcome := highhelp.CallOK
	if err != nil {
		outcome = highhelp.CallUnknown
	}
	w.o.OnCall(gateProvider, "status", outcome, time.Since(started))
	switch {
	case err != nil:
		w.o.OnLook(gateProvider, LookFailed)
		return err
	case status == GateUnknown:
		w.o.OnLook(gateProvider, LookAbsent)
		return nil
	case status == GateOther:
		w.o.OnLook(gateProvider, LookAnswered)
		return nil
	}
	flagged, err := w.o.Store.FlagOutcomeUnknown(ctx, p.ID)
	if err != nil {
		return err
	}
	w.o.OnLook(gateProvider, LookResult)
	if flagged {
		w.o.Log.Warn("the platform says that a payment was paid, but its callback never came; credit it by hand when that is sure",
			zap.String("payment_id", p.ID), zap.String("project", p.Project))
	}
	return nil
}
