package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tolem/store/internal/engine"
	"tolem/store/internal/events"
	"tolem/store/internal/ledger"
	"tolem/topup"
)

const (
	// endpointsKey is where meta keeps who is notified, for processes whose own
	// configuration is not asked.
	endpointsKey = "notify_endpoints"
	endpointsSQL = `SELECT value FROM meta WHERE key = '` + endpointsKey + `'`
)

// Endpoint is a receiver of notifications.
type Endpoint struct {
	Name  string            `json:"name"`
	Types []topup.EventType `json:"types,omitempty"` // empty: all
}

func (e Endpoint) wants(t topup.EventType) bool {
	return len(e.Types) == 0 || slices.Contains(e.Types, t)
}

// Notification reports a change to the merchant's own systems.
type Notification struct {
	ID          string // evt_…
	Type        topup.EventType
	At          time.Time
	Payment     *topup.Payment     // as it is now; nil for a payout
	Payout      *Payout            // as it is now; nil for a payment
	Transaction *topup.Transaction // nil if there is none
}

// SetEndpoints says who is notified from now on, by this process and by those that
// open the database later. Notifications for an endpoint that is left out stay,
// and wait until it is configured again.
func (s *Store) SetEndpoints(ctx context.Context, endpoints []Endpoint) error {
	value, err := json.Marshal(endpoints)
	if err != nil {
		return err
	}
	err = s.writer.do(ctx, func(tx *wtx) error {
		before, err := tx.endpointsValue()
		if err != nil || before == string(value) || before == "" && len(endpoints) == 0 {
			return err
		}
		if before == "" {
			return tx.gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?)`, endpointsKey, string(value)).Error
		}
		return tx.gorm().Exec(`UPDATE meta SET value = ? WHERE key = ?`, string(value), endpointsKey).Error
	})
	if err != nil {
		return fmt.Errorf("write who is notified: %w", err)
	}
	s.endpoints.Store(&endpoints)
	return nil
}

func (tx *wtx) endpointsValue() (string, error) {
	var values []string
	if err := tx.raw(endpointsSQL).Scan(&values).Error; err != nil {
		return "", fmt.Errorf("read who is notified: %w", err)
	}
	if len(values) == 0 {
		return "", nil
	}
	return values[0], nil
}

// loadEndpoints reads who is notified when the database is opened.
func (s *Store) loadEndpoints(ctx context.Context) error {
	var values []string
	if err := s.raw(ctx, endpointsSQL).Scan(&values).Error; err != nil {
		return fmt.Errorf("read who is notified: %w", err)
	}
	endpoints := []Endpoint{}
	if len(values) > 0 {
		if err := json.Unmarshal([]byte(values[0]), &endpoints); err != nil {
			return fmt.Errorf("who is notified cannot be read: %w", err)
		}
	}
	s.endpoints.Store(&endpoints)
	return nil
}

// Endpoints returns who is notified.
func (s *Store) Endpoints() []Endpoint {
	if list := s.endpoints.Load(); list != nil {
		return *list
	}
	return nil
}

// outbox writes notifications in the transactions that they report.
type outbox struct {
	endpoints func() []Endpoint
	body      func(Notification) ([]byte, error)
}

// live reports whether anybody is notified.
func (o *outbox) live() bool { return o.body != nil && len(o.endpoints()) > 0 }

// remember keeps a ledger transaction of this write until its payment is saved.
func (tx *wtx) remember(e *entry, p posted) {
	if tx.outbox.live() {
		tx.made = append(tx.made, madeEntry{*e, p})
	}
}

// madeEntry is a ledger transaction that this write has posted.
type madeEntry struct {
	entry
	posted
}

// notifySaved reports what this write has done to a payment, which is saved. as is
// the type of an operator's step that has a type of its own, empty for none.
func (tx *wtx) notifySaved(p *topup.Payment, as topup.EventType) error {
	before := p.Stored
	p.Stored = p.Status
	if !tx.outbox.live() {
		return nil
	}
	var mine []madeEntry
	tx.made = slices.DeleteFunc(tx.made, func(m madeEntry) bool {
		if m.paymentID == p.ID {
			mine = append(mine, m)
			return true
		}
		return false
	})
	if as == "" && len(mine) == 0 {
		as = topup.EventOfStatus(before, p.Status)
	}
	if as != "" {
		return tx.notify(as, p, nil)
	}
	for i := range mine {
		t := topup.EventOfTransaction(mine[i].kind, mine[i].postings, p.Status)
		if t == "" {
			continue
		}
		transaction, err := tx.madeTransaction(&mine[i])
		if err != nil {
			return err
		}
		if err := tx.notify(t, p, transaction); err != nil {
			return err
		}
	}
	return nil
}

// madeTransaction is a transaction as the feed shows it. What an operator made is
// read, for the ids of what it undoes; what a message made is all here, because
// reading would send a batch of messages to PostgreSQL too early.
func (tx *wtx) madeTransaction(m *madeEntry) (*topup.Transaction, error) {
	if m.actor != "" {
		t, err := tx.transaction(`t.seq = ?`, m.seq)
		if t.Operation == "" && slices.Contains(topup.KindsEntered, t.Kind) {
			t.Operation = m.operation // what was entered with it is written down later
		}
		return &t, err
	}
	return &topup.Transaction{
		Seq: m.seq, ID: m.id, Kind: m.kind, PaymentID: m.paymentID, Operation: m.operation,
		EffectiveAt: m.effectiveAt, RecordedAt: m.at, Postings: m.postings,
	}, nil
}

// notify writes a notification.
func (tx *wtx) notify(t topup.EventType, p *topup.Payment, transaction *topup.Transaction) error {
	n := Notification{Type: t, At: tx.now(), Payment: p, Transaction: transaction}
	contract, seq := "payment:"+p.ID, int64(0)
	if p.Issued() {
		contract = topup.CustomerAccount(p.CustomerID, p.ContractID)
	}
	if transaction != nil {
		seq = transaction.Seq
		if touched := topup.ContractTouched(transaction.Postings); touched != "" {
			contract = touched
		}
	}
	// No payout names a payment so soon, and reading it for every message would take too long.
	if n.At.Sub(p.CreatedAt) > time.Hour || p.NeedsBook() || transaction != nil && transaction.Actor != "" {
		shown := *p
		n.Payment = &shown
		var err error
		if shown.PayoutID, err = ledger.PayoutOf(tx.RawEarlier, p.ID); err != nil {
			return err
		}
	}
	if p.NeedsBook() {
		list, err := tx.transactions(`t.payment_id = ?`, p.ID, maxBook)
		if err != nil {
			return err
		}
		book := topup.Book{Payment: n.Payment, Transactions: list}
		n.Payment.Credited, n.Payment.Refunded = book.Credited(), book.Refunded()
	}
	return tx.writeEvent(n, contract, p.ID, "", seq)
}

func (tx *wtx) writeEvent(n Notification, contract, paymentID, payoutID string, seq int64) error {
	var receivers []string
	for _, e := range tx.outbox.endpoints() {
		if e.wants(n.Type) {
			receivers = append(receivers, e.Name)
		}
	}
	if len(receivers) == 0 {
		return nil
	}
	id, err := tx.TakeEvent()
	if err != nil {
		return err
	}
	if n.ID, err = newID(events.Prefix, n.At, tx.entropy); err != nil {
		return err
	}
	body, err := tx.outbox.body(n)
	if err != nil {
		return fmt.Errorf("write the body of a notification: %w", err)
	}
	err = tx.Put(tx.Statements.InsertEvent, id, n.ID, string(n.Type), micros(n.At), paymentID, payoutID, nullID(seq), contract,
		strings.Join(receivers, " "), string(body))
	if err != nil {
		return fmt.Errorf("insert a notification: %w", err)
	}
	return nil
}

// notifyPayout reports that a payout was posted.
func (tx *wtx) notifyPayout(p *Payout, made posted) error {
	if !tx.outbox.live() {
		return nil
	}
	transaction, err := tx.transaction(`t.seq = ?`, made.seq)
	if err != nil {
		return err
	}
	n := Notification{Type: topup.EventPayoutPosted, At: tx.now(), Payout: p, Transaction: &transaction}
	return tx.writeEvent(n, "payouts:"+p.Provider+":"+p.Project, "", p.ID, made.seq)
}

// notifyExpired reports payments that have just expired.
func (tx *wtx) notifyExpired(ids []int64) error {
	if len(ids) == 0 || !tx.outbox.live() {
		return nil
	}
	rows, err := tx.raw(`SELECT `+engine.PaymentColumns+` FROM payments p WHERE p.id IN ? ORDER BY p.id`, ids).Rows()
	if err != nil {
		return err
	}
	var expired []*topup.Payment
	for rows.Next() {
		var row engine.PaymentRow
		if err := rows.Scan(row.Places()...); err != nil {
			return errors.Join(err, rows.Close())
		}
		expired = append(expired, row.Value())
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, p := range expired {
		p.Stored = topup.StatusPending
		if err := tx.notifySaved(p, ""); err != nil {
			return err
		}
	}
	return nil
}
