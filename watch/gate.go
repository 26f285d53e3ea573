package watch

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"tolem/highhelp"
	"tolem/jetpay"
	"tolem/store"
	"tolem/topup"
)

// gateBatch bounds how many payments of one age a round polls.
const gateBatch = 200

// gateAges are the ages at which a payment that is still pending is polled, at
// growing intervals, because nearly all of these were never paid.
var gateAges = []time.Duration{5 * time.Minute, 30 * time.Minute, 3 * time.Hour, 12 * time.Hour, 48 * time.Hour, 168 * time.Hour}

// gateWatch is the backoff of the Gate. One goroutine uses it.
type gateWatch struct {
	failures int
	resume   time.Time
}

// GateRound polls the Gate for payments that have reached an age and are still
// pending. A payment that it reports as paid is flagged: its callback has not
// arrived. While the Gate does not answer, the interval grows.
func (w *Watcher) GateRound(ctx context.Context) {
	gate := w.providers.Load().Gate
	if gate == nil || w.o.Now().Before(w.gate.resume) {
		return
	}
	var failure error
	for i := range gateAges {
		if !w.isLeader(ctx) {
			return
		}
		err := w.gateAge(ctx, gate, i)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue
		}
		failure = err
		if !jetpay.IsUnusable(err) {
			break // it would not answer for another age either
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

// gateAge polls the payments that have reached one of gateAges since the last
// round. Its mark is stored, so that a restart skips none.
func (w *Watcher) gateAge(ctx context.Context, gate *jetpay.Gate, i int) (err error) {
	name := jetpay.Provider + ":" + gateAges[i].String()
	now := w.o.Now()
	mark, err := w.gateMark(ctx, name, now, i)
	if err != nil {
		return err
	}
	pending, err := w.o.Store.PendingPayments(ctx, jetpay.Provider, mark, now.Add(-gateAges[i]), gateBatch)
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
		if !p.Payment.AwaitsResult() || !gate.Knows(p.Payment.Project) {
			continue
		}
		if !pause(ctx) {
			return ctx.Err()
		}
		if !w.isLeader(ctx) {
			return nil // another process continues from the mark
		}
		err := w.pollGate(ctx, gate, p.Payment)
		if jetpay.IsUnusable(err) {
			w.o.Log.Warn("JetPay's Gate gave no status of a payment", zap.String("payment_id", p.Payment.ID), zap.Error(err))
			// A single such payment is skipped. After several in a row the Gate
			// itself may be faulty, and the mark stays before the first of
			// them.
			if unusable++; unusable < maxFailures {
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

// gateMark is the position of the watch at one of gateAges.
func (w *Watcher) gateMark(ctx context.Context, name string, now time.Time, i int) (store.Mark, error) {
	mark, err := w.o.Store.WatchMark(ctx, name)
	if err != nil {
		return store.Mark{}, err
	}
	if mark.At.IsZero() {
		// The very first round: the watch begins here. Older payments are
		// polled when they reach the next age.
		mark.At = now.Add(-gateAges[i] - w.o.Interval)
		if err := w.o.Store.SetWatchMark(ctx, name, mark); err != nil {
			return store.Mark{}, err
		}
	}
	if i+1 < len(gateAges) {
		// Payments that have reached the next age are polled there, so that
		// payments without a usable answer do not block later ones.
		if next := now.Add(-gateAges[i+1]); mark.At.Before(next) {
			mark = store.Mark{At: next}
		}
	}
	return mark, nil
}

// pollGate requests the status of one payment from the Gate.
func (w *Watcher) pollGate(ctx context.Context, gate *jetpay.Gate, p *topup.Payment) error {
	started := time.Now()
	answer, err := gate.Status(ctx, p.Project, p.ID)
	outcome := highhelp.CallOK
	if err != nil {
		outcome = highhelp.CallUnknown
	}
	w.o.OnCall(jetpay.Provider, "status", outcome, time.Since(started))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said := store.StatusAnswer{
		At: w.o.Now(), HTTPStatus: answer.HTTPStatus, Status: answer.StatusValue, Operation: answer.Operation,
		Code: answer.Code, Message: answer.Message, Sum: answer.Sum, PaidBack: answer.PaidBack,
	}
	flagged := false
	if answer.HasText() {
		var failed error
		if flagged, failed = w.o.Store.NoteStatusAnswer(ctx, p.ID, said, answer.Status == jetpay.GateSucceeded); failed != nil {
			return errors.Join(err, failed)
		}
	}
	switch {
	case err != nil:
		w.o.OnPoll(jetpay.Provider, PollFailed)
	case answer.Status == jetpay.GateUnknown:
		w.o.OnPoll(jetpay.Provider, PollAbsent)
	case answer.Status == jetpay.GateOther:
		w.o.OnPoll(jetpay.Provider, PollAnswered)
	default:
		w.o.OnPoll(jetpay.Provider, PollResult)
	}
	if flagged {
		w.warnPaid(p, &said)
	}
	return err
}

// warnPaid logs that a payment was paid, with the sum beside the requested one:
// an operator compares them before crediting.
func (w *Watcher) warnPaid(p *topup.Payment, said *store.StatusAnswer) {
	fields := []zap.Field{
		zap.String("payment_id", p.ID), zap.String("project", p.Project), zap.String("gate_status", said.Status),
		zap.Int64("asked_amount", p.Money.Amount), zap.String("asked_currency", p.Money.Currency),
	}
	if !said.Sum.IsZero() {
		fields = append(fields, zap.Int64("gate_amount", said.Sum.Amount), zap.String("gate_currency", said.Sum.Currency))
	}
	const never = "the platform says that a payment was paid, but its callback never came; "
	text := never + "its sum is the one that was asked: credit it by hand when the platform's report has it, too"
	switch {
	case said.Sum.IsZero():
		text = never + "the sum in its answer cannot be read: ask the platform for it before anybody credits by hand"
	case said.Differs(p.Money) != "":
		text = never + "its " + said.Differs(p.Money) + " differs from what was asked: do not credit it by hand, ask the platform for the callback"
	}
	w.o.Log.Warn(text, fields...)
}
