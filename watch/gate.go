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
	"tolem/store"
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

// errUnusable says that the Gate has answered, and that the answer tells nothing
// of the payment that it was asked about.
var errUnusable = errors.New("the answer cannot be used")

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

// knows reports whether a project is configured.
func (g *Gate) knows(project string) bool { return g.keys[project] != nil }

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

// Status asks for a payment's status. The error is errUnusable where that may be
// the payment's fault, another one where the Gate is not there to answer. Neither
// holds anything of the answer.
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
	case !isGateAnswer(status):
		return "", fmt.Errorf("gate status: HTTP status %d", status)
	case status != http.StatusOK:
		return "", fmt.Errorf("gate status: HTTP status %d: %w", status, errUnusable)
	case word("payment:status") == "":
		return "", fmt.Errorf("gate status: %w: it has no payment.status", errUnusable)
	case b.Has("payment:id") && word("payment:id") != paymentID:
		return "", fmt.Errorf("gate status: %w: it is about another payment", errUnusable)
	case word("payment:status") == "success":
		return GateSucceeded, nil
	}
	return GateOther, nil
}

// isGateAnswer reports whether a status can be about the payment: not one of a
// Gate that fails, or is busy, or elsewhere.
func isGateAnswer(status int) bool {
	return status == http.StatusOK || status >= 400 && status <= 499 && status != http.StatusTooManyRequests
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
	var failure error
	for i := range gateAges {
		if !w.ours(ctx) {
			return
		}
		err := w.gateAge(ctx, i)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue
		}
		failure = err
		if !errors.Is(err, errUnusable) {
			break // it would answer about no other age either
		}
	}
	if failure == nil {
		w.gate.failures = 0
		return
	}
	w.gate.resume = w.o.Now().Add(w.backoff(w.gate.failures))
	w.gate.failures++
	w.o.Log.Warn("JetPay's Gate could not be asked about payments", zap.Error(failure))
}

// gateAge asks about the payments that have reached one of gateAges since the
// last round. How far it came is kept, so that a restart forgets none.
func (w *Watcher) gateAge(ctx context.Context, i int) (err error) {
	name := gateProvider + ":" + gateAges[i].String()
	now := w.o.Now()
	mark, err := w.gateMark(ctx, name, now, i)
	if err != nil {
		return err
	}
	pending, err := w.o.Store.PendingPayments(ctx, gateProvider, mark, now.Add(-gateAges[i]), gateBatch)
	if err != nil || len(pending) == 0 {
		return err
	}
	reached := mark
	defer func() {
		if reached != mark {
			err = errors.Join(err, w.o.Store.SetWatchMark(context.WithoutCancel(ctx), name, reached))
		}
	}()
	unusable := 0 // answers in a row
	for _, p := range pending {
		if p.Payment.Flags.Has(topup.FlagOutcomeUnknown) || !w.o.Gate.knows(p.Payment.Project) {
			continue
		}
		if !pause(ctx) {
			return ctx.Err()
		}
		if !w.ours(ctx) {
			return nil // another process goes on from the mark
		}
		err := w.gateLook(ctx, p.Payment)
		if errors.Is(err, errUnusable) {
			w.o.Log.Warn("JetPay's Gate tells nothing of a payment", zap.String("payment_id", p.Payment.ID), zap.Error(err))
			// One such payment is passed over. After several in a row the Gate
			// itself is in doubt, and the mark stays before the first of them.
			if unusable++; unusable < patience {
				continue
			}
		}
		if err != nil {
			return err
		}
		unusable, reached = 0, p.Mark
	}
	reached = pending[len(pending)-1].Mark
	return nil
}

// gateMark is how far the watch has come at one of gateAges.
func (w *Watcher) gateMark(ctx context.Context, name string, now time.Time, i int) (store.Mark, error) {
	mark, err := w.o.Store.WatchMark(ctx, name)
	if err != nil {
		return store.Mark{}, err
	}
	if mark.At.IsZero() {
		// The first round of all: the watch begins here. What came before
		// reaches the next age in its time.
		mark.At = now.Add(-gateAges[i] - w.o.Interval)
		if err := w.o.Store.SetWatchMark(ctx, name, mark); err != nil {
			return store.Mark{}, err
		}
	}
	if i+1 < len(gateAges) {
		// What has reached the next age is asked about there, so that payments of
		// which nothing can be learned do not keep those behind them waiting.
		if next := now.Add(-gateAges[i+1]); mark.At.Before(next) {
			mark = store.Mark{At: next}
		}
	}
	return mark, nil
}

// gateLook asks about one payment.
func (w *Watcher) gateLook(ctx context.Context, p *topup.Payment) error {
	started := time.Now()
	status, err := w.o.Gate.Status(ctx, p.Project, p.ID)
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
