package dashboard

import (
	"context"
	"net/http"
	"slices"

	"tolem/store"
	"tolem/topup"
)

// maxBodies bounds how many raw messages a payment's page unfolds; the others have
// pages of their own.
const maxBodies = 30

type paymentPage struct {
	Payment  *topup.Payment
	Account  *topup.Account // nil: unknown
	Timeline []happened
	Items    []store.SuspenseItem // that lie in suspense
	Steps    []offered            // that can be taken now
	Proposed []store.Approval     // steps that wait for a second person
	Advice   string               // the key of a text that says what the state means
	Look     bool                 // somebody should look
	Book     topup.Book
}

// happened is an entry of the timeline.
type happened struct {
	store.TimelineEntry
	Body     string // of a message, masked
	BodyGone bool   // its retention is over
	BodyOdd  bool   // it is no JSON
	BodyElse bool   // it is on the message's own page
	Differs  string // what an answer differs in: amount or currency
	Undone   bool   // the transaction does not count any more
	Reverse  bool   // it can be reversed
}

// offered is a step that can be taken now, by the rules of the domain.
type offered struct {
	Name string
	URL  string
}

// payment shows what happened to a payment, and what can be done.
func (d *Dashboard) payment(w http.ResponseWriter, r *http.Request, s *session) error {
	ctx := r.Context()
	book, err := d.book(ctx, r.PathValue("payment_id"))
	if err != nil {
		return err
	}
	noteOf(r).PaymentID = book.Payment.ID
	body := paymentPage{Payment: book.Payment, Book: book, Advice: advice(book), Look: book.Payment.InSuspense > 0 || book.Payment.Status == topup.StatusReview}
	if body.Timeline, err = d.timeline(ctx, book, maySteps(s.Role)); err != nil {
		return err
	}
	if book.Payment.CustomerID != "" {
		body.Account, err = d.store.Account(ctx, book.Payment.CustomerID)
		if err != nil && !isRefusal(err) {
			return err
		}
	}
	if book.Payment.InSuspense > 0 {
		if body.Items, err = d.store.SuspenseItems(ctx, store.SuspenseFilter{PaymentID: book.Payment.ID}); err != nil {
			return err
		}
	}
	p := d.page(w, r, s, "payment.title", book.Payment.ID)
	p.Section = "payments"
	if p.Figures.Approvals > 0 {
		if body.Proposed, err = d.proposedFor(ctx, book.Payment.ID); err != nil {
			return err
		}
	}
	if maySteps(s.Role) {
		body.Steps = offeredFor(book)
	}
	d.show(w, r, http.StatusOK, "payment", p, body)
	return nil
}

// proposedFor lists the open proposals about a payment.
func (d *Dashboard) proposedFor(ctx context.Context, paymentID string) ([]store.Approval, error) {
	all, _, err := d.store.Approvals(ctx, store.ApprovalFilter{Open: true, Limit: maxApprovals})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(a store.Approval) bool { return a.Object != paymentID }), nil
}

// book is what the journal has of a payment now: the same that a step would be
// decided on.
func (d *Dashboard) book(ctx context.Context, paymentID string) (topup.Book, error) {
	payment, err := d.store.Payment(ctx, paymentID)
	if err != nil {
		return topup.Book{}, err
	}
	transactions, err := d.store.PaymentTransactions(ctx, payment.ID)
	if err != nil {
		return topup.Book{}, err
	}
	payment.ExpireInTime(d.now())
	return topup.Book{Payment: payment, Transactions: transactions}, nil
}

// offeredFor lists the steps that the rules allow now. Each is decided anew when it
// is taken.
func offeredFor(b topup.Book) []offered {
	var list []offered
	for _, name := range paymentSteps {
		if stepRules[name].possible(b) == nil {
			list = append(list, offered{name, paymentURL(b.Payment.ID) + "/" + name})
		}
	}
	return list
}

// advice names the text that says what a payment's state means for its payer.
func advice(b topup.Book) string {
	p := b.Payment
	switch {
	case p.InSuspense > 0 && p.Credited != nil:
		return "advice.more"
	case p.InSuspense > 0:
		return "advice.suspense"
	case p.Status == topup.StatusSucceeded && p.Credited == nil:
		return "advice.elsewhere"
	}
	return "advice." + string(p.Status)
}

// timeline is what happened to a payment, with the raw messages.
func (d *Dashboard) timeline(ctx context.Context, b topup.Book, takesSteps bool) ([]happened, error) {
	entries, err := d.store.Timeline(ctx, b.Payment)
	if err != nil {
		return nil, err
	}
	var list []happened
	bodies := 0
	for _, entry := range entries {
		h := happened{TimelineEntry: entry}
		switch {
		case entry.Message != nil && bodies == maxBodies:
			h.BodyElse = true
		case entry.Message != nil:
			bodies++
			_, body, err := d.store.Message(ctx, entry.Message.ID)
			if err != nil {
				return nil, err
			}
			var readable bool
			h.Body, readable = masked(body)
			h.BodyGone, h.BodyOdd = body == nil, body != nil && !readable
		case entry.Answer != nil:
			h.Differs = entry.Answer.Differs(b.Payment.Money)
		case entry.Transaction != nil:
			h.Undone = b.Undone(entry.Transaction.ID)
			if takesSteps && !entry.Transaction.ByProvider() {
				_, err := topup.DecideReverse(b, entry.Transaction.ID)
				h.Reverse = err == nil
			}
		}
		list = append(list, h)
	}
	slices.Reverse(list) // the newest first: what a person asks about is how it stands
	return list, nil
}
