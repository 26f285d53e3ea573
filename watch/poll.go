package watch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"tolem/highhelp"
	"tolem/store"
	"tolem/topup"
)

var errNoProject = errors.New("its project is not configured any more")

// Poll requests the status of a pay-in from HighHelp, records the answer, and
// stores the time of the next poll. It returns what was recorded; the error
// says why there is no answer.
//
// A pay-in whose request to create is still in progress is not polled: the
// provider may not have it yet.
func (w *Watcher) Poll(ctx context.Context, y *store.Payin) (store.Recorded, error) {
	now := w.o.Now()
	if y.State == store.PayinCreating {
		if now.Before(y.NextLook) {
			return store.Recorded{PaymentID: y.Payment.ID, Status: y.Payment.Status}, nil
		}
		// Its server died before it could note what came of the request.
		if err := w.o.Store.PayinOutcomeUnknown(ctx, y.Payment.ID, now, "the request was cut off by a stop of the server"); err != nil {
			return store.Recorded{}, err
		}
	}
	client := w.o.Clients[y.Payment.Project]
	if client == nil {
		return store.Recorded{}, w.unanswered(ctx, y, errNoProject)
	}
	started := time.Now()
	info, raw, err := client.Info(ctx, y.Payment.ID)
	w.o.OnCall(highhelp.Provider, "info", highhelp.CallOutcome(err), time.Since(started))
	if ctx.Err() != nil {
		return store.Recorded{}, ctx.Err()
	}
	if err != nil {
		return store.Recorded{}, w.unanswered(ctx, y, err)
	}
	return w.answered(ctx, y, info, raw)
}

// answered records the provider's answer.
func (w *Watcher) answered(ctx context.Context, y *store.Payin, info highhelp.Info, raw []byte) (store.Recorded, error) {
	now := w.o.Now()
	event := highhelp.ReportOf(y.Payment.Project, info, now).Event(topup.SourceInfo, w.o.MaxOver)
	recorded := store.Recorded{Disposition: topup.DispositionRepeat, PaymentID: y.Payment.ID, Status: y.Payment.Status}
	if !saysTheSame(y.Payment, event) {
		var err error
		if recorded, err = w.o.Store.Record(ctx, event, raw); err != nil {
			return store.Recorded{}, err
		}
		w.o.OnRecorded(y.Payment.Project, recorded)
	}
	known := &store.Known{FormURL: info.FormURL, RequestID: info.RequestID}
	if at := info.Payment.ExpirationDate; at > 0 && at < 1<<32 { // as documented
		known.LifetimeEnds = time.Unix(at, 0).UTC()
	}
	if err := w.note(ctx, y, store.Look{Known: known}); err != nil {
		return recorded, err
	}
	if recorded.PaymentID != y.Payment.ID {
		w.o.OnPoll(highhelp.Provider, PollFailed)
		return recorded, fmt.Errorf("HighHelp info: the answer about payment %s names none", y.Payment.ID)
	}
	if recorded.Status != y.Payment.Status && recorded.Status != topup.StatusPending {
		w.o.OnPoll(highhelp.Provider, PollResult)
		w.o.Log.Info("a result was learned by asking", zap.String("payment_id", y.Payment.ID),
			zap.String("disposition", string(recorded.Disposition)), zap.String("status", string(recorded.Status)))
		return recorded, nil
	}
	w.o.OnPoll(highhelp.Provider, PollAnswered)
	return recorded, w.review(ctx, y)
}

// saysTheSame reports whether a declined payment is declined still, in the same
// words. After an error, which is not final, that is heard again and again.
func saysTheSame(p *topup.Payment, e topup.Event) bool {
	return p.Status == topup.StatusDeclined && e.Outcome == topup.OutcomeDeclined && e.Status == p.ProviderStatus && e.Reference == p.ID
}

// unanswered notes why there is no answer, and returns that.
func (w *Watcher) unanswered(ctx context.Context, y *store.Payin, cause error) error {
	if w.neverCreated(y, cause) {
		w.o.OnPoll(highhelp.Provider, PollAbsent)
		w.o.Log.Warn("a pay-in was never created: the provider does not know of it", zap.String("payment_id", y.Payment.ID))
		return w.o.Store.PayinRefused(ctx, y.Payment.ID, store.RefusedPayin{
			Message: "the provider does not know of this pay-in: the request to create it never arrived",
		}, store.Answer{})
	}
	w.o.OnPoll(highhelp.Provider, PollFailed)
	if err := w.note(ctx, y, store.Look{Failure: cause.Error()}); err != nil {
		return errors.Join(cause, err)
	}
	if err := w.review(ctx, y); err != nil {
		return errors.Join(cause, err)
	}
	return cause
}

// neverCreated reports whether the answer means that the request to create the
// pay-in never arrived: it brought no answer then, the provider does not know
// of it now, and has had time enough. That it is in review for its age by now
// changes nothing.
func (w *Watcher) neverCreated(y *store.Payin, cause error) bool {
	var failed *highhelp.Error
	if !errors.As(cause, &failed) || failed.HTTPStatus != http.StatusNotFound {
		return false
	}
	unproven := y.State == store.PayinCreating || y.Payment.Flags.Has(topup.FlagOutcomeUnknown)
	return unproven && y.Payment.ProviderStatus == "" && w.o.Now().Sub(y.CreatedAt) >= grace
}

func (w *Watcher) note(ctx context.Context, y *store.Payin, l store.Look) error {
	now := w.o.Now()
	l.Next = now.Add(w.backoff(y.Looks))
	// Before the customer's time is over, nothing need be asked.
	if ends := y.LifetimeEnds; l.Known != nil && ends.After(l.Next) {
		l.Next = ends
	}
	switch old := y.CreatedAt.Add(w.o.MaxAge); {
	case old.After(now) && old.Before(l.Next):
		l.Next = old
	case !old.After(now) && y.Payment.Status == topup.StatusDeclined:
		l.Next = time.Time{} // the error stays what it is, and nobody need look
	}
	return w.o.Store.NotePayinLook(ctx, y.Payment.ID, l)
}

// review gives a pay-in that is open for too long the status review.
func (w *Watcher) review(ctx context.Context, y *store.Payin) error {
	if y.Payment.Status != topup.StatusPending || w.o.Now().Sub(y.CreatedAt) < w.o.MaxAge {
		return nil
	}
	w.o.OnPoll(highhelp.Provider, PollReview)
	w.o.Log.Warn("a pay-in stays open: somebody must look", zap.String("payment_id", y.Payment.ID))
	return w.o.Store.ReviewPayin(ctx, y.Payment.ID)
}
