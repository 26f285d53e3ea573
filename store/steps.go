package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tolem/store/internal/ledger"
	"tolem/topup"
)

// onBook reads a payment's book, lets decide judge it, and carries the step out.
func (r stepRun) onBook(paymentID string, decide func(topup.Book) (topup.Step, error)) ([]posted, error) {
	book, err := r.book(paymentID)
	if err != nil {
		return nil, err
	}
	step, err := decide(book)
	if err != nil {
		return nil, err
	}
	return one(r.carryOut(book, step, r.by))
}

// one is the list of one posted transaction.
func one(p posted, err error) ([]posted, error) {
	if err != nil {
		return nil, err
	}
	return []posted{p}, nil
}

// CreditStep credits a payment whose callback never came: the issued amount to
// the contract that it was issued for. It takes the payment's one credit; a
// callback that comes later is bound to it and posts nothing. The rules are
// those of [topup.DecideCredit].
//
// Errors: KindNotFound when there is no such payment; KindConflict when it
// cannot be credited.
type CreditStep struct {
	PaymentID string `json:"payment_id"`
}

func (CreditStep) Action() Action     { return ActionCredit }
func (CreditStep) kind() string       { return "credit" }
func (s CreditStep) Object() string   { return s.PaymentID }
func (s CreditStep) describe() string { return "credit payment " + s.PaymentID }
func (s CreditStep) run(r stepRun) ([]posted, error) {
	return r.onBook(s.PaymentID, topup.DecideCredit)
}

// CreditPayment is [Store.Do] of a [CreditStep].
func (s *Store) CreditPayment(ctx context.Context, paymentID string, by By) (topup.Transaction, error) {
	return s.doOne(ctx, CreditStep{paymentID}, by)
}

// RecallStep takes what stands of a payment's credit back into suspense, from
// where it is assigned or returned; the rules are those of [topup.DecideRecall].
//
// Errors: KindNotFound when there is no such payment; KindConflict when nothing
// of it is credited.
type RecallStep struct {
	PaymentID string `json:"payment_id"`
}

func (RecallStep) Action() Action     { return ActionRecall }
func (RecallStep) kind() string       { return "recall" }
func (s RecallStep) Object() string   { return s.PaymentID }
func (s RecallStep) describe() string { return "recall payment " + s.PaymentID }
func (s RecallStep) run(r stepRun) ([]posted, error) {
	return r.onBook(s.PaymentID, topup.DecideRecall)
}

// RecallPayment is [Store.Do] of a [RecallStep].
func (s *Store) RecallPayment(ctx context.Context, paymentID string, by By) (topup.Transaction, error) {
	return s.doOne(ctx, RecallStep{paymentID}, by)
}

// CloseStep ends a review in which nothing is credited and nothing lies in
// suspense: the payment becomes declined. The rules are those of
// [topup.DecideClose].
//
// Errors: KindNotFound when there is no such payment; KindConflict when there is
// nothing to close.
type CloseStep struct {
	PaymentID string `json:"payment_id"`
}

func (CloseStep) Action() Action     { return ActionClose }
func (CloseStep) kind() string       { return "close" }
func (s CloseStep) Object() string   { return s.PaymentID }
func (s CloseStep) describe() string { return "close payment " + s.PaymentID }
func (s CloseStep) run(r stepRun) ([]posted, error) {
	book, err := r.book(s.PaymentID)
	if err != nil {
		return nil, err
	}
	if err := topup.DecideClose(book); err != nil {
		return nil, err
	}
	if _, err := r.effectiveAt(r.by, time.Time{}); err != nil {
		return nil, err
	}
	book.Close()
	if err := r.savePaymentAs(book.Payment, topup.EventResolved); err != nil {
		return nil, err
	}
	return nil, r.noteStep(stepNote{action: stepClose, payment: s.PaymentID}, r.by)
}

func (s CloseStep) changed(r stepRun) (any, error) {
	p, err := r.payment(s.PaymentID)
	if err == nil {
		p.PayoutID, err = ledger.PayoutOf(r.raw, p.ID)
	}
	return p, err
}

// ClosePayment is [Store.Do] of a [CloseStep].
func (s *Store) ClosePayment(ctx context.Context, paymentID string, by By) error {
	_, err := s.Do(ctx, CloseStep{paymentID}, by)
	return err
}

// AssignStep gives the money of a suspense item to a contract; the rules are
// those of [topup.DecideAssign]. The item is named by the transaction that put
// the money into suspense.
//
// Errors: KindNotFound when the item, the account or the contract does not
// exist; KindInvalid when the account has another currency; KindConflict when
// the item is not open.
type AssignStep struct{ Assignment }

func (AssignStep) Action() Action     { return ActionAssign }
func (AssignStep) kind() string       { return "assign" }
func (s AssignStep) Object() string   { return s.Item }
func (s AssignStep) describe() string { return "assign suspense item " + s.Item }
func (s AssignStep) run(r stepRun) ([]posted, error) {
	// The account that the money goes to keeps its currency meanwhile.
	if err := r.lockCatalogue(); err != nil {
		return nil, err
	}
	return one(r.assign(s.Assignment, r.store.normalize, r.by))
}

// AssignSuspense is [Store.Do] of an [AssignStep].
func (s *Store) AssignSuspense(ctx context.Context, item, customerID, contractID string, by By) (topup.Transaction, error) {
	return s.doOne(ctx, AssignStep{Assignment{item, customerID, contractID}}, by)
}

// AssignListStep is an [AssignStep] for a list of at most [MaxAssignments], all
// or nothing. When any is refused nothing is written, and the error joins an
// [AssignError] for each.
type AssignListStep struct {
	List []Assignment `json:"list"`
}

func (AssignListStep) Action() Action     { return ActionAssign }
func (AssignListStep) kind() string       { return "assign_list" }
func (s AssignListStep) Object() string   { return fmt.Sprintf("%d suspense items", len(s.List)) }
func (s AssignListStep) describe() string { return "assign " + s.Object() }
func (s AssignListStep) run(r stepRun) ([]posted, error) {
	if len(s.List) > MaxAssignments {
		return nil, topup.Invalid("items", "must be at most %d: split the file", MaxAssignments)
	}
	if err := r.lockCatalogue(); err != nil {
		return nil, err
	}
	if err := r.lockItems(s.List); err != nil {
		return nil, err
	}
	var made []posted
	var refusals []error
	for i, a := range s.List {
		p, err := r.assign(a, r.store.normalize, r.by)
		switch {
		case err == nil:
			made = append(made, p)
		case isRefusal(err):
			refusals = append(refusals, AssignError{i, err})
		default:
			return nil, err
		}
	}
	return made, errors.Join(refusals...)
}

// AssignAll is [Store.Do] of an [AssignListStep].
func (s *Store) AssignAll(ctx context.Context, list []Assignment, by By) ([]topup.Transaction, error) {
	return s.Do(ctx, AssignListStep{list}, by)
}

// ReverseStep posts the mirror of an operator's ledger transaction, once, and
// undoes what it did to its payment; reversing a reversal does all of that
// again. The rules are those of [topup.DecideReverse] and
// [topup.DecideReversePayout].
//
// Errors: KindNotFound when there is no such transaction; KindConflict when a
// provider's message made it, when it has been reversed, and when something
// rests on it that must be undone first.
type ReverseStep struct {
	TransactionID string `json:"transaction_id"`
}

func (ReverseStep) Action() Action     { return ActionReverse }
func (ReverseStep) kind() string       { return "reverse" }
func (s ReverseStep) Object() string   { return s.TransactionID }
func (s ReverseStep) describe() string { return "reverse transaction " + s.TransactionID }
func (s ReverseStep) run(r stepRun) ([]posted, error) {
	target, err := r.transaction(`t.transaction_id = ?`, s.TransactionID)
	if err != nil {
		return nil, err
	}
	if target.PayoutID != "" {
		return one(r.reversePayout(target, r.by))
	}
	book, err := r.book(target.PaymentID)
	if err != nil {
		return nil, err
	}
	step, err := topup.DecideReverse(book, s.TransactionID)
	if err != nil {
		return nil, err
	}
	return one(r.carryOut(book, step, r.by))
}

// Reverse is [Store.Do] of a [ReverseStep].
func (s *Store) Reverse(ctx context.Context, transactionID string, by By) (topup.Transaction, error) {
	return s.doOne(ctx, ReverseStep{transactionID}, by)
}

// RecordStep credits money that the platform took and that no message told of,
// as a payment of our own. The rules are those of [topup.DecideRecord]. An
// operation counts as posted, so that a late callback posts nothing; a success
// that comes under a reference is judged as of a payment that an operator has
// credited.
//
// Errors: KindInvalid and KindNotFound for what is wrong with the request;
// KindConflict when the money has posted, or may be a waiting payment's.
type RecordStep struct {
	Provider   string `json:"provider"`
	Project    string `json:"project_id"`
	CustomerID string `json:"customer_id"`
	ContractID string `json:"entity_id"`
	Amount     int64  `json:"amount"` // minor units
	Currency   string `json:"currency"`
	Operation  string `json:"operation,omitempty"`
	Reference  string `json:"reference,omitempty"`
	Anyway     bool   `json:"anyway,omitempty"`
}

// RecordStepOf is the step of a request.
func RecordStepOf(r topup.RecordRequest) RecordStep {
	return RecordStep{r.Provider, r.Project, r.CustomerID, r.ContractID, r.Money.Amount, r.Money.Currency, r.Operation, r.Reference, r.Anyway}
}

func (RecordStep) Action() Action   { return ActionRecord }
func (RecordStep) kind() string     { return "record" }
func (RecordStep) describe() string { return "record a payment" }
func (s RecordStep) Object() string { return cmp.Or(s.Operation, s.Reference) }

// prepare names what the platform's id concerns, as a message of that name would.
func (s RecordStep) prepare(context.Context, *Store) (*topup.Event, error) {
	money := topup.Money{Amount: s.Amount, Currency: s.Currency}
	// A provider that names payments has one operation a payment, of the same name.
	operation := cmp.Or(s.Operation, s.Reference)
	return &topup.Event{Provider: s.Provider, Project: s.Project, Reference: s.Reference, Operation: operation, Sum: money, Initial: money}, nil
}

func (s RecordStep) run(r stepRun) ([]posted, error) {
	return one(r.recordPayment(topup.RecordRequest{
		Provider: s.Provider, Project: s.Project, CustomerID: r.store.normalize.Apply(s.CustomerID), ContractID: s.ContractID,
		Money: topup.Money{Amount: s.Amount, Currency: s.Currency}, Operation: s.Operation, Reference: s.Reference, Anyway: s.Anyway,
	}, r.about, r.by))
}

// RecordPayment is [Store.Do] of a [RecordStep].
func (s *Store) RecordPayment(ctx context.Context, r topup.RecordRequest, by By) (topup.Transaction, error) {
	return s.doOne(ctx, RecordStepOf(r), by)
}

// SuspendStep puts money into suspense that a stored message tells of and that
// never posted, once a message and once an operation; the rules are those of
// [topup.DecideSuspend]. Its operation counts as posted.
//
// Errors: KindNotFound when there is no such message; KindInvalid when the
// request contradicts it, or lacks what cannot be read in it; KindConflict when
// nothing of it is left to suspend, or it is not to be believed.
type SuspendStep struct {
	MessageID int64  `json:"message_id"`
	Amount    int64  `json:"amount,omitempty"` // minor units
	Currency  string `json:"currency,omitempty"`
	Operation string `json:"operation,omitempty"`
	Reference string `json:"reference,omitempty"`
}

func (SuspendStep) Action() Action     { return ActionSuspend }
func (SuspendStep) kind() string       { return "suspend" }
func (s SuspendStep) Object() string   { return messageObject(s.MessageID) }
func (s SuspendStep) describe() string { return "suspend " + s.Object() }

func messageObject(id int64) string { return "message " + strconv.FormatInt(id, 10) }

func (s SuspendStep) request() topup.SuspendRequest {
	return topup.SuspendRequest{Amount: s.Amount, Currency: s.Currency, Operation: s.Operation, Reference: s.Reference}
}

func (s SuspendStep) prepare(ctx context.Context, store *Store) (*topup.Event, error) {
	m, body, err := store.Message(ctx, s.MessageID)
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, topup.Conflict("the raw body of this message is gone (raw_retention): use payments record")
	}
	e, err := store.ReadStored(m, body)
	if err != nil {
		return nil, err
	}
	e = s.request().Requested(e)
	return &e, nil
}

func (s SuspendStep) run(r stepRun) ([]posted, error) {
	if err := r.lockKey("message", strconv.FormatInt(s.MessageID, 10)); err != nil {
		return nil, err
	}
	return one(r.suspend(s.MessageID, s.request(), r.about, r.by))
}

// SuspendMessage is [Store.Do] of a [SuspendStep].
func (s *Store) SuspendMessage(ctx context.Context, id int64, r topup.SuspendRequest, by By) (topup.Transaction, error) {
	return s.doOne(ctx, SuspendStep{id, r.Amount, r.Currency, r.Operation, r.Reference}, by)
}

// DismissStep says that what a message told of was dealt with: it is no longer
// listed as open, and a flag refund or reversal that it set is cleared when
// nothing else says so. Other messages about the same operation are settled with
// it.
//
// Errors: KindNotFound when there is no such message; KindConflict when nothing
// about it is open.
type DismissStep struct {
	MessageID int64 `json:"message_id"`
}

func (DismissStep) Action() Action     { return ActionDismiss }
func (DismissStep) kind() string       { return "dismiss" }
func (s DismissStep) Object() string   { return messageObject(s.MessageID) }
func (s DismissStep) describe() string { return "dismiss " + s.Object() }
func (s DismissStep) run(r stepRun) ([]posted, error) {
	if err := r.lockKey("message", strconv.FormatInt(s.MessageID, 10)); err != nil {
		return nil, err
	}
	m, _, err := readMessage(r.raw, s.MessageID)
	if err != nil {
		return nil, err
	}
	if m.PaymentID != "" { // its lock, before anything is decided
		if _, err := r.payment(m.PaymentID); err != nil {
			return nil, err
		}
		if m, _, err = readMessage(r.raw, s.MessageID); err != nil {
			return nil, err
		}
	}
	if err := topup.DecideDismiss(m.Open); err != nil {
		return nil, err
	}
	if err := r.noteStep(stepNote{action: stepDismiss, payment: m.PaymentID, message: s.MessageID, operation: m.Operation}, r.by); err != nil {
		return nil, err
	}
	if m.PaymentID == "" || m.Operation == "" {
		return nil, r.settleMessages(`message_id = ?`, s.MessageID)
	}
	return nil, r.settleMessages(`message_id = ? OR (payment_id = ? AND operation = ? AND told = ?)`, s.MessageID, m.PaymentID, m.Operation, string(m.Open))
}

func (s DismissStep) changed(r stepRun) (any, error) {
	m, _, err := readMessage(r.raw, s.MessageID)
	return &m, err
}

// DismissMessage is [Store.Do] of a [DismissStep].
func (s *Store) DismissMessage(ctx context.Context, id int64, by By) error {
	_, err := s.Do(ctx, DismissStep{id}, by)
	return err
}
