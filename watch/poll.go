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
	if y.RequestUnderWay(now) {
		return store.Recorded{PaymentID: y.Payment.ID, Status: y.Payment.Status}, nil
	}
	if y.State == topup.PayinCreating {
		// Its server died before it could note what came of the request.
		if err := w.o.Store.PayinOutcomeUnknown(ctx, y.Payment.ID, now, "the request was cut off by a stop of the server"); err != nil {
			return store.Recorded{}, err
		}
	}
	client := w.providers.Load().Clients[y.Payment.Project]
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
	event := highhelp.ReportOf(y.Payment.Project, info, now).Event(topup.SourceInfo, w.providers.Load().MaxOver)
	recorded := store.Recorded{Disposition: topup.DispositionRepeat, PaymentID: y.Payment.ID, Status: y.Payment.Status}
	if !y.Payment.RepeatsDecline(event) {
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

// unanswered notes why there is no answer, and returns that.
func (w *Watcher) unanswered(ctx context.Context, y *store.Payin, cause error) error {
	if w.neverCreated(y, cause) {
		w.o.OnPoll(highhelp.Provider, PollAbsent)
		w.o.Log.Warn("a pay-in was never created: the provider does not know of it", zap.String("payment_id", y.Payment.ID))
		return w.o.Store.PayinRefused(ctx, y.Payment.ID, store.RefusedPayin{ProviderText: topup.ProviderText{
			Message: "the provider does not know of this pay-in: the request to create it never arrived",
		}}, store.Answer{})
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
// pay-in never arrived.
func (w *Watcher) neverCreated(y *store.Payin, cause error) bool {
	var failed *highhelp.Error
	return errors.As(cause, &failed) && failed.HTTPStatus == http.StatusNotFound && y.NeverCreated(w.o.Now())
}

func (w *Watcher) note(ctx context.Context, y *store.Payin, l store.Look) error {
	l.Next = y.PollAgainAt(w.o.Now(), w.backoff(y.Polls), w.providers.Load().MaxAge, l.Known != nil)
	return w.o.Store.NotePayinLook(ctx, y.Payment.ID, l)
}

// review gives a pay-in that is open for too long the status review.
func (w *Watcher) review(ctx context.Context, y *store.Payin) error {
	if !y.Overdue(w.o.Now(), w.providers.Load().MaxAge) {
		return nil
	}
	w.o.OnPoll(highhelp.Provider, PollReview)
	w.o.Log.Warn("a pay-in stays open: somebody must look", zap.String("payment_id", y.Payment.ID))
	return w.o.Store.ReviewPayin(ctx, y.Payment.ID)
}
