package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tolem/store/internal/accounts"
	"tolem/store/internal/engine"
	"tolem/topup"
)

const maxLastError = 200

// Payin is a payment that we opened at a provider, with its payment form.
type Payin struct {
	topup.Payin
	Method      string // its name in the catalogue of methods
	FormURL     string // where the customer pays; empty until it is known
	RedirectURL string
	RequestID   string // the provider's own id
	LastError   string
}

const payinColumns = `y.method, y.form_url, y.redirect_url, y.request_id, y.lifetime_until, y.state, y.next_look_at, y.looks, y.last_error, y.created_at`

// payinSQL reads pay-ins with their payments.
var payinSQL = `SELECT ` + engine.PaymentColumns + `, ` + payinColumns + ` FROM payins y JOIN payments p ON p.payment_id = y.payment_id `

// payinRow is a pay-in as its columns are scanned.
type payinRow struct {
	payment            engine.PaymentRow
	payin              Payin
	lifetime, createAt int64
	nextPoll           sql.NullInt64
}

func (r *payinRow) places() []any {
	y := &r.payin
	return append(r.payment.Places(), &y.Method, &y.FormURL, &y.RedirectURL, &y.RequestID, &r.lifetime,
		(*string)(&y.State), &r.nextPoll, &y.Polls, &y.LastError, &r.createAt)
}

func (r *payinRow) value() *Payin {
	y := &r.payin
	y.Payment = r.payment.Value()
	y.Polled, y.NextPollAt = r.nextPoll.Valid, fromMicros(r.nextPoll.Int64)
	y.LifetimeEnds, y.CreatedAt = fromMicros(r.lifetime), fromMicros(r.createAt)
	return y
}

// NewPayin is a pay-in that was accepted, and is about to be asked for.
type NewPayin struct {
	Project                string
	CustomerID, ContractID string
	ContractNumber         string
	Money                  topup.Money
	WidgetMethod           string // the payment's method, empty when the customer chooses
	Method                 string // its name in the catalogue
	RedirectURL            string
	Lifetime               time.Duration
	// AnsweredWithin bounds how long the request to the provider, and storing
	// what came of it, can take. After that its outcome counts as unknown.
	AnsweredWithin time.Duration
}

// OpenPayin shows accept the account of a customer, and stores the pending payment
// and the pay-in that it returns, and the idempotency key, in one write, before
// the provider is asked: no alert can overtake them and no crash forget them. The
// id is normalised first. What accept has seen holds until the payment is on disk,
// as with [Store.Deposit]. accept may be asked several times; its error refuses
// the pay-in, and the error is of KindNotFound when there is no account.
//
// If the key is known already, nobody looks at the account and nothing is
// written: what came of the earlier request is returned instead of an id. The
// errors are then those of [Store.PriorRequest].
func (s *Store) OpenPayin(ctx context.Context, customerID string, key IdempotencyKey, accept func(*topup.Account) (NewPayin, error)) (paymentID string, prior *Prior, err error) {
	customerID = s.normalize.Apply(customerID)
	key.Hash = bytes.Clone(key.Hash) // the write may outlive ctx, and with it this call
	var opened string
	var earlier *Prior
	err = s.writer.do(ctx, func(tx *wtx) (err error) {
		opened, earlier = "", nil
		now := tx.now()
		if earlier, err = tx.prior(key, s.servedSince); err != nil || earlier != nil {
			return err
		}
		if err := tx.shareCatalogue(); err != nil {
			return err
		}
		account, err := accounts.Customer(tx.Tx, customerID)
		if err != nil {
			return err
		}
		n, err := accept(account)
		if err != nil {
			return err
		}
		opened, err = tx.openPayin(n, key, now)
		return err
	})
	if err != nil {
		return "", nil, fmt.Errorf("open a pay-in: %w", err)
	}
	return opened, earlier, nil
}

func (tx *wtx) openPayin(n NewPayin, key IdempotencyKey, now time.Time) (string, error) {
	p := topup.Payment{
		Provider: topup.PayinProvider, Project: n.Project, CustomerID: n.CustomerID, ContractID: n.ContractID,
		ContractNumber: n.ContractNumber, Money: n.Money, Method: n.WidgetMethod,
		Status: topup.StatusPending, CreatedAt: now,
	}
	id, err := tx.openPayment(&p)
	if err != nil {
		return "", err
	}
	answered := now.Add(n.AnsweredWithin)
	err = tx.gorm().Exec(`INSERT INTO payins (payment_id, project, method, redirect_url, lifetime_until, state, next_look_at, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, id, n.Project, n.Method, n.RedirectURL, micros(now.Add(n.Lifetime)),
		string(topup.PayinCreating), micros(answered), micros(now)).Error
	if err != nil {
		return "", fmt.Errorf("insert pay-in: %w", err)
	}
	return id, tx.keep(key, id, answered, Answer{})
}

// Known is what a provider's answer tells of a pay-in beside its status. Empty
// members tell nothing.
type Known struct {
	FormURL      string
	RequestID    string
	LifetimeEnds time.Time
}

// CreatedPayin is the provider's answer to the request to create a pay-in.
type CreatedPayin struct {
	Known
	Status     string // the provider's own words
	NextPollAt time.Time
}

// PayinCreated notes that the provider has the pay-in, and what the caller is
// answered. The rules are those of [topup.DecidePayinCreated].
func (s *Store) PayinCreated(ctx context.Context, paymentID string, c CreatedPayin, a Answer) error {
	return s.settlePayin(ctx, "note the created", paymentID, a, payinNote{known: c.Known, decide: func(y topup.Payin) topup.PayinDecision {
		return topup.DecidePayinCreated(y, c.Status, c.NextPollAt)
	}})
}

// RefusedPayin is why a provider does not have a pay-in.
type RefusedPayin struct {
	topup.ProviderText // the provider's own words
	// FreesKey is set when the same request may succeed later: its idempotency
	// key is forgotten, so that it can be sent again.
	FreesKey bool
}

// PayinRefused notes that the provider does not have the pay-in. The rules are
// those of [topup.DecidePayinRefused]. An answer without a status is not stored.
func (s *Store) PayinRefused(ctx context.Context, paymentID string, r RefusedPayin, a Answer) error {
	return s.settlePayin(ctx, "note the refused", paymentID, a, payinNote{keepError: true, freesKey: r.FreesKey, decide: func(y topup.Payin) topup.PayinDecision {
		return topup.DecidePayinRefused(y, r.ProviderText)
	}})
}

// PayinOutcomeUnknown notes that nobody knows whether the provider has the
// pay-in. The rules are those of [topup.DecidePayinUnknown]. cause is for people
// to read, without personal data.
func (s *Store) PayinOutcomeUnknown(ctx context.Context, paymentID string, nextPollAt time.Time, cause string) error {
	const gatewayTimeout = 504
	return s.settlePayin(ctx, "note the unknown", paymentID, Answer{Status: gatewayTimeout}, payinNote{failure: cause, decide: func(y topup.Payin) topup.PayinDecision {
		return topup.DecidePayinUnknown(y, nextPollAt)
	}})
}

// payinNote is what is noted of a pay-in.
type payinNote struct {
	decide    func(topup.Payin) topup.PayinDecision
	known     Known
	failure   string // why there was no answer
	keepError bool   // the failure of before stays
	freesKey  bool
	counts    bool // the provider was polled
}

// settlePayin notes what came of a pay-in, and keeps the answer under the
// request's idempotency key.
func (s *Store) settlePayin(ctx context.Context, what, paymentID string, a Answer, note payinNote) error {
	a.Body = bytes.Clone(a.Body) // the write may outlive ctx, and with it this call
	err := s.writer.do(ctx, func(tx *wtx) error {
		y, err := tx.payin(paymentID)
		if err != nil {
			return err
		}
		if err := tx.notePayin(y, note); err != nil {
			return err
		}
		if a.Status == 0 {
			return nil
		}
		return tx.gorm().Exec(`UPDATE idempotency SET http_status = ?, answer = ? WHERE payment_id = ?`, a.Status, a.Body, paymentID).Error
	})
	if err != nil {
		return fmt.Errorf("%s pay-in %s: %w", what, paymentID, err)
	}
	return nil
}

// notePayin asks what is to be done, and carries it out.
func (tx *wtx) notePayin(y *Payin, note payinNote) error {
	if note.freesKey {
		if err := tx.gorm().Exec(`DELETE FROM idempotency WHERE payment_id = ?`, y.Payment.ID).Error; err != nil {
			return err
		}
	}
	decision := note.decide(y.Payin)
	before := *y.Payment
	decision.Apply(y.Payment)
	if *y.Payment != before {
		if err := tx.savePayment(y.Payment); err != nil {
			return err
		}
	}
	if decision.State == "" {
		return nil
	}
	if note.keepError {
		note.failure = y.LastError
	}
	if err := tx.updatePayin(y.Payment, decision, note); err != nil {
		return err
	}
	if !note.counts {
		return nil
	}
	return tx.gorm().Exec(`UPDATE payins SET looks = looks + 1 WHERE payment_id = ?`, y.Payment.ID).Error
}

// updatePayin writes where a pay-in is. It comes after the payment, whose
// triggers may have said something else.
func (tx *wtx) updatePayin(p *topup.Payment, d topup.PayinDecision, note payinNote) error {
	k := note.known
	done := tx.gorm().Exec(`UPDATE payins SET state = ?, next_look_at = ?, last_error = ?,
		form_url = CASE WHEN form_url = '' THEN ? ELSE form_url END,
		request_id = CASE WHEN request_id = '' THEN ? ELSE request_id END,
		lifetime_until = CASE WHEN CAST(? AS BIGINT) = 0 THEN lifetime_until ELSE ? END
		WHERE payment_id = ?`, string(d.State), nullMicros(d.NextPollAt), cut(note.failure, maxLastError), k.FormURL, k.RequestID,
		micros(k.LifetimeEnds), micros(k.LifetimeEnds), p.ID)
	if done.Error != nil {
		return fmt.Errorf("update pay-in: %w", done.Error)
	}
	if done.RowsAffected != 1 {
		return fmt.Errorf("update pay-in: it is gone")
	}
	if k.RequestID == "" {
		return nil
	}
	return tx.gorm().Exec(`UPDATE payments SET provider_reference = ? WHERE payment_id = ? AND provider_reference = ''`, k.RequestID, p.ID).Error
}

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most]
}

// payin reads a pay-in inside a write that may change it.
func (tx *wtx) payin(paymentID string) (*Payin, error) {
	if err := tx.lockPayment(paymentID); err != nil {
		return nil, err
	}
	return scanPayin(tx.raw(payinSQL+`WHERE y.payment_id = ?`, paymentID).Row())
}

// Payin returns a pay-in; the error is of KindNotFound when there is none.
func (s *Store) Payin(ctx context.Context, paymentID string) (*Payin, error) {
	y, err := scanPayin(s.raw(ctx, payinSQL+`WHERE y.payment_id = ?`, paymentID).Row())
	if err != nil {
		return nil, fmt.Errorf("read a pay-in: %w", err)
	}
	return y, nil
}

func scanPayin(row *sql.Row) (*Payin, error) {
	var r payinRow
	err := row.Scan(r.places()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, topup.NotFound("pay-in does not exist")
	}
	if err != nil {
		return nil, err
	}
	return r.value(), nil
}

// DuePayins returns the pay-ins that the provider should be asked about now,
// those that wait longest first, from behind a place on: that of a pay-in as it
// was when this returned it, nil for the start.
func (s *Store) DuePayins(ctx context.Context, after *Payin, now time.Time, limit int) (due []*Payin, err error) {
	at, created, paymentID := int64(-1), int64(0), ""
	if after != nil {
		at, created, paymentID = micros(after.NextPollAt), micros(after.CreatedAt), after.Payment.ID
	}
	rows, err := s.raw(ctx, payinSQL+`WHERE y.next_look_at IS NOT NULL AND y.next_look_at <= ?
			AND (y.next_look_at, y.created_at, y.payment_id) > (?, ?, ?)
		ORDER BY y.next_look_at, y.created_at, y.payment_id LIMIT ?`, micros(now), at, created, paymentID, limit).Rows()
	if err != nil {
		return nil, fmt.Errorf("look for due pay-ins: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r payinRow
		if err := rows.Scan(r.places()...); err != nil {
			return nil, fmt.Errorf("look for due pay-ins: %w", err)
		}
		due = append(due, r.value())
	}
	return due, rows.Err()
}

// Look is what asking the provider about a pay-in brought.
type Look struct {
	Next time.Time // when to ask again, if the payment has no result by then; zero: never
	// Known is set when the provider knows the pay-in. Then its outcome is not
	// unknown any more, whatever its status.
	Known *Known
	// Failure says why there was no answer, without personal data.
	Failure string
}

// NotePayinLook notes that the provider was asked about a pay-in. The rules are
// those of [topup.DecidePayinPolled].
func (s *Store) NotePayinLook(ctx context.Context, paymentID string, l Look) error {
	note := payinNote{failure: l.Failure, counts: true, decide: func(y topup.Payin) topup.PayinDecision {
		return topup.DecidePayinPolled(y, l.Known != nil, l.Next)
	}}
	if l.Known != nil {
		note.known = *l.Known
	}
	return s.settlePayin(ctx, "note a look at", paymentID, Answer{}, note)
}

// ReviewPayin hands a pay-in that stays open to a person. The rules are those of
// [topup.DecidePayinOverdue].
func (s *Store) ReviewPayin(ctx context.Context, paymentID string) error {
	return s.settlePayin(ctx, "hand over", paymentID, Answer{}, payinNote{decide: topup.DecidePayinOverdue})
}

// PayinStats returns how many pay-ins wait for their result, and since when the
// oldest of them does; the zero time if none does. One that ended with an error
// is still asked about, and nobody waits for it.
func (s *Store) PayinStats(ctx context.Context) (open int64, oldest time.Time, err error) {
	var since int64
	err = s.raw(ctx, `SELECT count(*), coalesce(min(y.created_at), 0) FROM payins y JOIN payments p ON p.payment_id = y.payment_id
		WHERE y.next_look_at IS NOT NULL AND p.status = ?`, string(topup.StatusPending)).Row().Scan(&open, &since)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count open pay-ins: %w", err)
	}
	return open, fromMicros(since), nil
}
