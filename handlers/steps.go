package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/labstack/echo/v4"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// note is what the body of every operator's step has.
type note struct {
	Reason string `json:"reason"`
	// EffectiveAt is a day, nil for today.
	EffectiveAt *string `json:"effective_at,omitempty"`
}

func (n note) noted() note { return n }

// stepBody is the body of a step.
type stepBody interface{ noted() note }

// step serves an operator's step: do carries it out on what the path names. What
// it has done is answered from inside its write, together with which the answer
// is stored under the request's Idempotency-Key.
func step[B stepBody](s *Server, c echo.Context, do func(ctx context.Context, id string, body B, by store.By) error) error {
	x := c.(*exchange)
	id := ""
	if names := x.ParamNames(); len(names) > 0 {
		var err error
		if id, err = pathParam(x, names[0]); err != nil {
			return err
		}
	}
	if err := x.readBody(nil); err != nil {
		return err
	}
	if len(x.body) == 0 && reflect.TypeFor[B]().NumField() == 0 {
		x.body = append(x.body, "{}"...)
	}
	body, err := bodyOf[B](x.body)
	if err != nil {
		return err
	}
	x.why = body.noted().Reason
	by, err := s.by(x, body.noted())
	if err != nil {
		return err
	}
	key, err := idempotencyKey(x, asked{x.Path(), id, body})
	if err != nil {
		return err
	}
	release, err := s.hold(key)
	if err != nil {
		return err
	}
	defer release()
	// The write may outlive the request: it must not touch x.
	done := &outcomeOfStep{}
	by.Once = &store.Once{Key: key, Answer: done.answer}
	ctx, cancel := x.deadline()
	defer cancel()
	err = do(ctx, id, body, by)
	if answered := (*store.AnsweredError)(nil); errors.As(err, &answered) {
		return repeat(x, answered.Prior.Answer)
	}
	if proposed := (*store.ProposedError)(nil); err != nil && !errors.As(err, &proposed) {
		return inMembers(err)
	}
	x.paymentID = done.paymentID
	return x.Blob(done.Status, echo.MIMEApplicationJSON, done.Body)
}

// inMembers names the member of the body that a step was refused for, where the
// domain has another word for it.
func inMembers(err error) error {
	if refusal := (*topup.Error)(nil); errors.As(err, &refusal) {
		if member := memberOf[refusal.Field]; member != "" {
			named := *refusal
			named.Field = member
			return &named
		}
	}
	return err
}

// memberOf are the members of bodies for which the domain has another word.
var memberOf = map[string]string{"effective": "effective_at", "id": "payout_id"}

// by is who takes a step, why, and as of when.
func (s *Server) by(x *exchange, n note) (store.By, error) {
	by := byToken(x)
	by.Reason = n.Reason
	if n.EffectiveAt == nil {
		return by, nil
	}
	day, err := calendar.ParseDay(*n.EffectiveAt)
	if err != nil {
		return by, topup.Invalid("effective_at", "must be a day such as 2026-11-29")
	}
	by.Effective = store.Day{Start: day.Start(s.zone), End: day.End(s.zone)}
	return by, nil
}

// byToken is whoever sent the request.
func byToken(x *exchange) store.By {
	return store.By{Actor: x.client, Token: true, Role: x.role, RequestID: x.id}
}

// outcomeOfStep is the answer to a step that was carried out.
type outcomeOfStep struct {
	store.Answer
	paymentID string
}

// answer shows what a step has done: see [store.Once].
func (o *outcomeOfStep) answer(done any) (store.Answer, error) {
	var shown any
	switch done := done.(type) {
	case store.PayoutImport:
		o.Status, shown = http.StatusCreated, view.PayoutImportOf(done, false)
		if len(done.Created) == 0 {
			o.Status = http.StatusOK
		}
	case store.EventStep:
		o.Status, shown = http.StatusOK, eventStep{done.EventID, done.State}
		if done.State == store.DeliveryPending {
			o.Status = http.StatusAccepted // it is sent soon
		}
	case *store.Payout:
		o.Status, shown = http.StatusOK, view.PayoutOf(done)
	case []topup.Transaction:
		if len(done) == 0 {
			return o.Answer, errors.New("a step has made no transaction, and has nothing else to show")
		}
		o.Status, o.paymentID, shown = http.StatusCreated, done[0].PaymentID, view.TransactionOf(done[0])
	case *topup.Payment:
		o.Status, o.paymentID, shown = http.StatusOK, done.ID, view.PaymentOf(done)
	case *store.ProposedError:
		o.Status, shown = http.StatusAccepted, view.ProposedOf(done)
	case *store.Approval:
		o.Status, shown = http.StatusOK, view.ApprovalOf(done)
	case *store.StoredMessage:
		o.Status, o.paymentID, shown = http.StatusOK, done.PaymentID, view.MessageOf(done)
	default:
		return o.Answer, fmt.Errorf("a step has done %T, which has no answer", done)
	}
	var err error
	o.Body, err = marshal(shown)
	return o.Answer, err
}

// onlyNote is the body of a step that needs nothing else.
type onlyNote struct{ note }

func (s *Server) creditPayment(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, _ onlyNote, by store.By) error {
		_, err := s.store.CreditPayment(ctx, id, by)
		return err
	})
}

func (s *Server) recallPayment(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, _ onlyNote, by store.By) error {
		_, err := s.store.RecallPayment(ctx, id, by)
		return err
	})
}

func (s *Server) closePayment(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, _ onlyNote, by store.By) error {
		return s.store.ClosePayment(ctx, id, by)
	})
}

// recordBody asks for a payment for money that no message has reported.
type recordBody struct {
	Provider   string    `json:"provider"`
	ProjectID  projectID `json:"project_id"`
	CustomerID string    `json:"customer_id"`
	EntityID   string    `json:"entity_id"`
	Amount     int64     `json:"amount"` // minor units
	Currency   string    `json:"currency"`
	Operation  string    `json:"operation,omitempty"`
	Reference  string    `json:"reference,omitempty"`
	Anyway     bool      `json:"anyway,omitempty"`
	note
}

func (s *Server) recordPayment(c echo.Context) error {
	return step(s, c, func(ctx context.Context, _ string, b recordBody, by store.By) error {
		if !s.isConfigured(b.Provider, string(b.ProjectID)) {
			return topup.Invalid("project_id", "is not that of a configured project of this provider")
		}
		_, err := s.store.RecordPayment(ctx, topup.RecordRequest{
			Provider: b.Provider, Project: string(b.ProjectID), CustomerID: b.CustomerID, ContractID: b.EntityID,
			Money: topup.Money{Amount: b.Amount, Currency: b.Currency}, Operation: b.Operation, Reference: b.Reference, Anyway: b.Anyway,
		}, by)
		return err
	})
}

// assignBody names the contract that the money of an item goes to.
type assignBody struct {
	CustomerID string `json:"customer_id"`
	EntityID   string `json:"entity_id"`
	note
}

func (s *Server) assignItem(c echo.Context) error {
	return step(s, c, func(ctx context.Context, item string, b assignBody, by store.By) error {
		_, err := s.store.AssignSuspense(ctx, item, b.CustomerID, b.EntityID, by)
		return err
	})
}

// suspendBody gives what cannot be read in a message.
type suspendBody struct {
	Amount    *int64 `json:"amount,omitempty"` // minor units; of a part, or where it cannot be read
	Currency  string `json:"currency,omitempty"`
	Operation string `json:"operation,omitempty"`
	Reference string `json:"reference,omitempty"`
	note
}

func (s *Server) suspendMessage(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, b suspendBody, by store.By) error {
		message, err := messageID(id)
		if err != nil {
			return err
		}
		request := topup.SuspendRequest{Currency: b.Currency, Operation: b.Operation, Reference: b.Reference}
		if b.Amount != nil {
			// A part of nothing is a mistake, not the whole.
			if request.Amount = *b.Amount; request.Amount < 1 {
				return topup.Invalid("amount", "must be at least 1 minor unit")
			}
		}
		_, err = s.store.SuspendMessage(ctx, message, request, by)
		return err
	})
}

func (s *Server) dismissMessage(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, _ onlyNote, by store.By) error {
		message, err := messageID(id)
		if err != nil {
			return err
		}
		return s.store.DismissMessage(ctx, message, by)
	})
}

// messageID reads a message's number. Another text names no message.
func messageID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, topup.NotFound("message does not exist")
	}
	return id, nil
}

func (s *Server) reverseTransaction(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, _ onlyNote, by store.By) error {
		_, err := s.store.Reverse(ctx, id, by)
		return err
	})
}

// nothing is the body of a request that needs none: absent, or an empty object.
type nothing struct{}

func (nothing) noted() note { return note{} }

// approve answers with the first of the transactions that were posted; the
// proposal has the ids of all.
func (s *Server) approve(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, _ nothing, by store.By) error {
		_, err := s.store.Approve(ctx, id, by)
		return err
	})
}

// rejectBody is why a proposal is rejected.
type rejectBody struct {
	Reason string `json:"reason"`
}

func (b rejectBody) noted() note { return note{Reason: b.Reason} }

func (s *Server) reject(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, _ rejectBody, by store.By) error {
		return s.store.Reject(ctx, id, by)
	})
}
