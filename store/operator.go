package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"tolem/topup"
)

const (
	maxActorBytes  = 255
	maxReasonBytes = 500
)

// States of a suspense item.
const (
	SuspenseOpen     = "open"     // nobody has resolved it
	SuspenseAssigned = "assigned" // given to a contract
	SuspenseReturned = "returned" // sent back to the platform
	SuspenseReversed = "reversed" // the suspense transaction itself was mirrored
)

// By says who does something to the ledger, and why. Both are written into the
// transaction and can never be changed.
type By struct {
	Actor  string // 1 to 255 bytes
	Reason string // 1 to 500 bytes
}

func (b By) check() error {
	if err := checkNote("actor", b.Actor, maxActorBytes); err != nil {
		return err
	}
	return checkNote("reason", b.Reason, maxReasonBytes)
}

func checkNote(field, text string, most int) error {
	if strings.TrimSpace(text) == "" {
		return topup.Invalid(field, "must be given")
	}
	if len(text) > most {
		return topup.Invalid(field, "must be at most %d bytes long", most)
	}
	if !utf8.ValidString(text) {
		return topup.Invalid(field, "must be valid UTF-8")
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return topup.Invalid(field, "must not contain control characters")
	}
	return nil
}

// operate runs an operator's step as one write, and returns the ledger
// transaction that it made. step returns refusals before it writes anything.
func (s *Store) operate(ctx context.Context, by By, step func(*wtx) (posted, error)) (topup.Transaction, error) {
	var made topup.Transaction
	if err := by.check(); err != nil {
		return made, err
	}
	err := s.writer.do(ctx, func(tx *wtx) error {
		p, err := step(tx)
		if err != nil {
			return err
		}
		t, err := tx.transaction(`t.seq = ?`, p.seq)
		if err != nil {
			return err
		}
		made = t.Transaction
		return nil
	})
	if err != nil {
		return topup.Transaction{}, err
	}
	return made, nil
}

// CreditPayment credits a payment whose callback never came: the issued amount
// to the contract that it was issued for. It takes the payment's one credit; a
// callback that comes later is bound to it and posts nothing (JetPay Gate,
// "Rules for money").
//
// It can be credited although money of it was assigned to another contract: the
// credit is free then, and what was sent astray is the operator's to judge.
//
// Refusals: KindNotFound when there is no such payment; KindConflict when it
// has had its credit (a credit that was reversed stays taken), while money of
// it lies in suspense, and when it names no contract.
func (s *Store) CreditPayment(ctx context.Context, paymentID string, by By) (topup.Transaction, error) {
	made, err := s.operate(ctx, by, func(tx *wtx) (posted, error) {
		p, err := tx.payment(paymentID)
		if err != nil {
			return posted{}, err
		}
		if err := creditable(p); err != nil {
			return posted{}, err
		}
		made, err := tx.post(entry{
			kind: topup.KindManualCredit, paymentID: p.ID, takesCredit: true,
			actor: by.Actor, reason: by.Reason, effectiveAt: tx.now(),
			postings: topup.Transfer(topup.SettlementAccount(p.Provider, p.Project), topup.CustomerAccount(p.CustomerID, p.ContractID), p.Money),
		})
		if err != nil {
			return posted{}, err
		}
		p.Credit = &topup.Credit{Seq: made.seq, TransactionID: made.id, Money: p.Money, At: made.at, ByOperator: true}
		p.Status = topup.StatusSucceeded
		return made, tx.savePayment(p)
	})
	if err != nil {
		return made, fmt.Errorf("credit payment %s: %w", paymentID, err)
	}
	return made, nil
}

// errInSuspense refuses a credit ahead of its money when that has come: the
// customer would have both.
func errInSuspense() error {
	return topup.Conflict("money of this payment lies in suspense: use suspense assign")
}

func creditable(p *topup.Payment) error {
	switch {
	case p.Credit != nil && p.Credit.Reversed && p.InSuspense > 0:
		return topup.Conflict("the payment had its one credit, which was reversed by an operator, and money of it lies in suspense: use suspense assign")
	case p.Credit != nil && p.Credit.Reversed:
		return topup.Conflict("the payment had its one credit, which was reversed by an operator: reverse that reversal instead")
	case p.Credit != nil:
		return topup.Conflict("the payment has been credited")
	case p.InSuspense > 0:
		return errInSuspense()
	case !p.Issued():
		return topup.Conflict("the payment names no contract: its money can only be assigned from suspense")
	}
	return nil
}

// AssignSuspense gives the money of a suspense item to a contract. The item is
// named by the transaction that put the money into suspense. A closed account
// or contract is accepted: the money is owed to the customer all the same.
//
// When the payment's one credit is free, and the contract is the payment's own
// or the payment has none, the assignment takes that credit, bound to the
// operation that brought the money. Otherwise it posts without it.
//
// Refusals: KindNotFound when the item, the account or the contract does not
// exist; KindInvalid when the account has another currency; KindConflict when
// the item is not open.
func (s *Store) AssignSuspense(ctx context.Context, item, customerID, contractID string, by By) (topup.Transaction, error) {
	customerID = s.normalize.Apply(customerID)
	made, err := s.operate(ctx, by, func(tx *wtx) (posted, error) {
		// The account that the money goes to keeps its currency meanwhile.
		if err := tx.lockCatalogue(); err != nil {
			return posted{}, err
		}
		i, err := tx.openItem(item)
		if err != nil {
			return posted{}, err
		}
		if err := tx.owns(customerID, contractID, i.money); err != nil {
			return posted{}, err
		}
		return tx.assign(i, customerID, contractID, by)
	})
	if err != nil {
		return made, fmt.Errorf("assign suspense item %s: %w", item, err)
	}
	return made, nil
}

func (tx *wtx) assign(i suspended, customerID, contractID string, by By) (posted, error) {
	p := i.payment
	own := !p.Issued() || (customerID == p.CustomerID && contractID == p.ContractID)
	takesCredit := own && p.Credit == nil
	if takesCredit && i.Operation == "" {
		// A credit without its operation would swallow the next callback.
		return posted{}, fmt.Errorf("the operation that brought this money is not on record")
	}
	made, err := tx.post(entry{
		kind: topup.KindAssignment, paymentID: p.ID, takesCredit: takesCredit, resolves: i.Seq,
		actor: by.Actor, reason: by.Reason, effectiveAt: tx.now(),
		postings: topup.Transfer(i.account, topup.CustomerAccount(customerID, contractID), i.money),
	})
	if err != nil {
		return posted{}, err
	}
	if takesCredit {
		p.Credit = &topup.Credit{
			Seq: made.seq, TransactionID: made.id, Money: i.money, At: made.at, ByOperator: true, Operation: i.Operation,
		}
	}
	return made, tx.moveItem(p, itemMove{seq: i.Seq, from: SuspenseOpen, to: SuspenseAssigned, by: made.seq})
}

// owns refuses a contract that does not exist, or that is kept in another
// currency than the money.
func (tx *wtx) owns(customerID, contractID string, money topup.Money) error {
	account, err := tx.customer(customerID)
	if err != nil {
		return err
	}
	if account.Contract(contractID) == nil {
		return topup.NotFound("contract does not exist in this account")
	}
	if account.Currency != money.Currency {
		return topup.Invalid("currency", "of the money is %s, the account's is %s", money.Currency, account.Currency)
	}
	return nil
}

// ReturnSuspense books that the money of a suspense item goes back to the
// platform: it owes us that much less. When nothing of the payment is left in
// suspense and nothing else about it is open, the payment becomes declined.
//
// Refusals: KindNotFound when there is no such item, KindConflict when it is
// not open.
func (s *Store) ReturnSuspense(ctx context.Context, item string, by By) (topup.Transaction, error) {
	made, err := s.operate(ctx, by, func(tx *wtx) (posted, error) {
		i, err := tx.openItem(item)
		if err != nil {
			return posted{}, err
		}
		made, err := tx.post(entry{
			kind: topup.KindReturn, paymentID: i.payment.ID, resolves: i.Seq,
			actor: by.Actor, reason: by.Reason, effectiveAt: tx.now(), postings: topup.Mirror(i.Postings),
		})
		if err != nil {
			return posted{}, err
		}
		return made, tx.moveItem(i.payment, itemMove{seq: i.Seq, from: SuspenseOpen, to: SuspenseReturned, by: made.seq})
	})
	if err != nil {
		return made, fmt.Errorf("return suspense item %s: %w", item, err)
	}
	return made, nil
}

// Reverse posts the mirror of a ledger transaction, once. It undoes what the
// transaction did to its payment: a credit no longer counts (but stays taken),
// a resolved suspense item is open again, money put into suspense is no longer
// there. Reversing a reversal does all of that again.
//
// Refusals: KindNotFound when there is no such transaction; KindConflict when
// it has been reversed; when a suspense item is not in the state that the
// reversal would undo: then its resolution is to be reversed first; and when a
// credit would count again while money of its payment lies in suspense: see
// CreditPayment.
func (s *Store) Reverse(ctx context.Context, transactionID string, by By) (topup.Transaction, error) {
	made, err := s.operate(ctx, by, func(tx *wtx) (posted, error) {
		target, err := tx.transaction(`t.transaction_id = ?`, transactionID)
		if err != nil {
			return posted{}, err
		}
		r, err := tx.planReversal(target)
		if err != nil {
			return posted{}, err
		}
		return tx.reverse(target, r, by)
	})
	if err != nil {
		return made, fmt.Errorf("reverse transaction %s: %w", transactionID, err)
	}
	return made, nil
}

// reversal is what reversing a transaction means for its payment.
type reversal struct {
	// root is the transaction at the end of a chain of reversals, undo tells
	// whether it stops counting or counts again.
	root    journalRow
	undo    bool
	payment *topup.Payment
	item    *itemMove // nil when no suspense item is concerned
}

// planReversal reads and refuses; it writes nothing.
func (tx *wtx) planReversal(target journalRow) (reversal, error) {
	var none reversal
	r := reversal{root: target, undo: true}
	// From here on nobody else changes what is read: reversals and suspense
	// items belong to the payment, whose lock this takes.
	payment, err := tx.payment(target.PaymentID)
	if err != nil {
		return none, err
	}
	r.payment = payment
	var reversed bool
	err = tx.raw(`SELECT EXISTS (SELECT 1 FROM transactions WHERE reverses = ?)`, target.Seq).Row().Scan(&reversed)
	if err != nil {
		return none, err
	}
	if reversed {
		return none, topup.Conflict("this transaction has been reversed")
	}
	for r.root.reverses != 0 {
		if r.root, err = tx.transaction(`t.seq = ?`, r.root.reverses); err != nil {
			return none, err
		}
		r.undo = !r.undo
	}
	if !r.undo && r.root.credits() {
		if err := tx.refuseSecondCredit(r.payment); err != nil {
			return none, err
		}
	}
	if r.item = itemReversed(r.root, r.undo); r.item == nil {
		return r, nil
	}
	state, err := tx.itemState(r.item.seq)
	if err != nil {
		return none, err
	}
	if state != r.item.from {
		return none, topup.Conflict("the suspense item is %s: reverse what was done to it first", state)
	}
	return r, nil
}

// refuseSecondCredit refuses to let a reversed credit count again when money of
// its payment lies in suspense, or was given to a contract out of it: the
// customer would have both.
func (tx *wtx) refuseSecondCredit(p *topup.Payment) error {
	if p.InSuspense > 0 {
		return errInSuspense()
	}
	var assigned bool
	err := tx.raw(`SELECT EXISTS (SELECT 1 FROM suspense_items WHERE payment_id = ? AND state = ?)`,
		p.ID, SuspenseAssigned).Row().Scan(&assigned)
	if err != nil {
		return err
	}
	if assigned {
		return topup.Conflict("money of this payment was assigned to a contract out of suspense: reverse that assignment first, if it was wrong")
	}
	return nil
}

// itemReversed is how a suspense item moves when root is undone or done again,
// nil when root concerns none.
func itemReversed(root journalRow, undo bool) *itemMove {
	var m itemMove
	switch root.Kind {
	case topup.KindSuspense:
		m = itemMove{seq: root.Seq, from: SuspenseReversed, to: SuspenseOpen}
	case topup.KindAssignment:
		m = itemMove{seq: root.resolves, from: SuspenseOpen, to: SuspenseAssigned, by: root.Seq}
	case topup.KindReturn:
		m = itemMove{seq: root.resolves, from: SuspenseOpen, to: SuspenseReturned, by: root.Seq}
	default:
		return nil
	}
	if undo {
		m.from, m.to, m.by = m.to, m.from, 0
	}
	return &m
}

func (tx *wtx) reverse(target journalRow, r reversal, by By) (posted, error) {
	made, err := tx.post(entry{
		kind: topup.KindReversal, paymentID: target.PaymentID, reverses: target.Seq,
		actor: by.Actor, reason: by.Reason, effectiveAt: tx.now(), postings: topup.Mirror(target.Postings),
	})
	if err != nil {
		return posted{}, err
	}
	if c := r.payment.Credit; c != nil && c.Seq == r.root.Seq {
		c.Reversed = r.undo
		r.payment.Flags &^= topup.FlagReversed
		if r.undo {
			r.payment.Flags |= topup.FlagReversed
		}
	}
	if r.item == nil {
		return made, tx.savePayment(r.payment)
	}
	if r.item.to == SuspenseReversed {
		r.item.by = made.seq
	}
	return made, tx.moveItem(r.payment, *r.item)
}

// itemMove is a step of a suspense item from one state to another.
type itemMove struct {
	seq      int64
	from, to string
	by       int64 // the transaction that resolved it, 0 when it is open again
}

// moveItem moves a suspense item and tells its payment, which it saves.
func (tx *wtx) moveItem(p *topup.Payment, m itemMove) error {
	done := tx.gorm().Exec(`UPDATE suspense_items SET state = ?, resolved_by = ? WHERE seq = ? AND state = ?`, m.to, nullID(m.by), m.seq, m.from)
	if done.Error != nil {
		return fmt.Errorf("move suspense item: %w", done.Error)
	}
	if done.RowsAffected != 1 {
		return fmt.Errorf("move suspense item: it is not %s", m.from)
	}
	if m.from == SuspenseOpen {
		p.InSuspense--
	}
	if m.to == SuspenseOpen {
		p.InSuspense++
	}
	p.Status = statusAfter(p, m.to)
	return tx.savePayment(p)
}

// statusAfter is the status of a payment one of whose suspense items has just
// reached a state. A payment that succeeded stays so.
func statusAfter(p *topup.Payment, item string) topup.Status {
	switch {
	case p.Status == topup.StatusSucceeded || item == SuspenseAssigned:
		return topup.StatusSucceeded
	case item == SuspenseOpen:
		return topup.StatusReview
	case p.Status == topup.StatusReview && p.NothingOpen():
		return topup.StatusDeclined
	default:
		return p.Status
	}
}

// journalRow is a ledger transaction with the places that it points to.
type journalRow struct {
	topup.Transaction
	reverses, resolves int64 // seq, 0 for none
}

// credits reports whether the transaction credited its payment, other than from
// suspense.
func (t journalRow) credits() bool {
	return t.Kind == topup.KindCredit || t.Kind == topup.KindManualCredit
}

// transaction reads one ledger transaction inside a write.
func (tx *wtx) transaction(where string, arg any) (journalRow, error) {
	rows, err := tx.raw(fmt.Sprintf(transactionsSQL, where), arg, 1).Rows()
	if err != nil {
		return journalRow{}, fmt.Errorf("read ledger transaction: %w", err)
	}
	list, err := scanTransactions(rows)
	if err != nil {
		return journalRow{}, fmt.Errorf("read ledger transaction: %w", err)
	}
	if len(list) == 0 {
		return journalRow{}, topup.NotFound("ledger transaction does not exist")
	}
	row := journalRow{Transaction: list[0]}
	err = tx.raw(`SELECT coalesce(reverses, 0), coalesce(resolves, 0) FROM transactions WHERE seq = ?`, row.Seq).
		Row().Scan(&row.reverses, &row.resolves)
	if err != nil {
		return journalRow{}, fmt.Errorf("read ledger transaction: %w", err)
	}
	return row, nil
}

// payment reads a payment inside a write that may change it, or what hangs on
// it: its transactions and suspense items.
func (tx *wtx) payment(paymentID string) (*topup.Payment, error) {
	if err := tx.lockPayment(paymentID); err != nil {
		return nil, err
	}
	var row paymentRow
	err := tx.raw(paymentSQL, paymentID).Row().Scan(row.places()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, topup.NotFound("payment does not exist")
	}
	if err != nil {
		return nil, fmt.Errorf("read payment: %w", err)
	}
	return row.value(), nil
}

// suspended is an open suspense item: its transaction, its payment, and the
// money that lies on the suspense account.
type suspended struct {
	journalRow
	payment *topup.Payment
	account string
	money   topup.Money
}

// openItem reads a suspense item by its transaction's id, and refuses one that
// is not open.
func (tx *wtx) openItem(item string) (suspended, error) {
	var i suspended
	row, err := tx.transaction(`t.transaction_id = ?`, item)
	if refusal := (*topup.Error)(nil); errors.As(err, &refusal) || (err == nil && row.Kind != topup.KindSuspense) {
		return i, topup.NotFound("suspense item does not exist")
	}
	if err != nil {
		return i, err
	}
	// The payment first: its lock keeps the item as it is read.
	if i.payment, err = tx.payment(row.PaymentID); err != nil {
		return i, err
	}
	state, err := tx.itemState(row.Seq)
	if err != nil {
		return i, err
	}
	if state != SuspenseOpen {
		return i, topup.Conflict("this suspense item is already %s", state)
	}
	i.journalRow = row
	for _, p := range row.Postings {
		if p.Amount < 0 {
			i.account, i.money = p.Account, topup.Money{Amount: -p.Amount, Currency: p.Currency}
		}
	}
	return i, nil
}

func (tx *wtx) itemState(seq int64) (string, error) {
	var state string
	err := tx.raw(`SELECT state FROM suspense_items WHERE seq = ?`, seq).Row().Scan(&state)
	if err != nil {
		return "", fmt.Errorf("read suspense item: %w", err)
	}
	return state, nil
}
