package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"tolem/store/internal/accounts"
	"tolem/store/internal/engine"
	"tolem/store/internal/ledger"
	"tolem/topup"
)

const (
	maxActorBytes  = topup.MaxActorBytes
	maxReasonBytes = 500
)

// States of a suspense item.
const (
	SuspenseOpen     = string(topup.ItemOpen)
	SuspenseAssigned = string(topup.ItemAssigned)
	SuspenseReturned = string(topup.ItemReturned)
	SuspenseReversed = string(topup.ItemReversed)
)

// By says who does something to the ledger, why, and as of which day. Actor and
// reason are written down with what was done and can never be changed.
type By struct {
	Actor  string // 1 to 255 bytes
	Reason string // 1 to 500 bytes
	// Effective is the day on which the step counts; the zero Day is today.
	Effective Day
	// Once makes the step happen once, however often it is asked for; nil: it is
	// asked for once. A step that was done before returns an [*AnsweredError].
	Once *Once

	// Token is set when Actor is the name of a token that was presented. Only its
	// bearer counts as a second person; Actor is otherwise what somebody says of
	// themselves.
	Token bool
	// Role is that of the token, or RoleCommand.
	Role string
	// OSUser is, of a command, the system's user; the audit has it as the actor, and
	// Actor beside it.
	OSUser string
	// RequestID is the request's id in the log, empty for a command.
	RequestID string
}

// Day is a day on the calendar: from its first instant to that of the next day.
type Day = ledger.Day

func (b By) check() error {
	if err := checkNote("actor", b.Actor, maxActorBytes); err != nil {
		return err
	}
	return checkNote("reason", b.Reason, maxReasonBytes)
}

func checkNote(field, text string, most int) error { return topup.CheckNote(field, text, most) }

// effectiveAt is when a step counts: see [topup.StepDate].
func (tx *wtx) effectiveAt(by By, earliest time.Time) (time.Time, error) {
	closed, err := tx.closedPeriod()
	if err != nil {
		return time.Time{}, err
	}
	return topup.StepDate{
		Now: tx.now(), DayStart: by.Effective.Start, DayEnd: by.Effective.End, Earliest: earliest,
		ClosedDay: closed.Day, ClosedUntil: closed.Until,
	}.At()
}

// Assignment asks for a suspense item to be given to a contract.
type Assignment struct {
	Item       string `json:"item"`
	CustomerID string `json:"customer_id"`
	ContractID string `json:"entity_id"`
}

// MaxAssignments bounds the items that are assigned in one step: on PostgreSQL a
// transaction has no more places in the feed.
const MaxAssignments = 250

// AssignError is a refusal of one assignment of several.
type AssignError struct {
	Index int // in the list
	Err   error
}

func (e AssignError) Error() string { return e.Err.Error() }
func (e AssignError) Unwrap() error { return e.Err }

// lockItems locks the payments of a list of items in the order of their ids,
// as everybody does who locks several.
func (tx *wtx) lockItems(list []Assignment) error {
	items := make([]string, len(list))
	for i, a := range list {
		items[i] = a.Item
	}
	rows, err := tx.raw(`SELECT DISTINCT payment_id FROM transactions WHERE transaction_id IN (?) ORDER BY payment_id`, items).Rows()
	if err != nil {
		return fmt.Errorf("read the payments of the items: %w", err)
	}
	payments, err := scanTexts(rows)
	if err != nil {
		return fmt.Errorf("read the payments of the items: %w", err)
	}
	for _, p := range payments {
		if err := tx.lockPayment(p); err != nil {
			return err
		}
	}
	return nil
}

func scanTexts(rows *sql.Rows) (list []string, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, rows.Err()
}

func (tx *wtx) assign(a Assignment, normalize topup.Normalizer, by By) (posted, error) {
	book, err := tx.bookOfItem(a.Item)
	if err != nil {
		return posted{}, err
	}
	account, err := accounts.Customer(tx.Tx, normalize.Apply(a.CustomerID))
	if err != nil && kindOfRefusal(err) != topup.KindNotFound {
		return posted{}, err
	}
	if err != nil {
		account = nil
	}
	step, err := topup.DecideAssign(book, a.Item, account, a.ContractID)
	if err != nil {
		return posted{}, err
	}
	if step.TakesCredit && step.Operation == "" {
		// A credit without its operation would be bound to the next callback.
		return posted{}, fmt.Errorf("the operation that brought this money is not on record")
	}
	return tx.carryOut(book, step, by)
}

// carryOut posts a step and brings everything in line with it that hangs on the
// payment. What it writes first can still be refused: by a closed period, or an
// operation that was entered again.
func (tx *wtx) carryOut(book topup.Book, step topup.Step, by By) (posted, error) {
	p := book.Payment
	effective, err := tx.effectiveAt(by, step.Earliest)
	if err != nil {
		return posted{}, err
	}
	seq := func(id string) int64 {
		for i := range book.Transactions {
			if book.Transactions[i].ID == id {
				return book.Transactions[i].Seq
			}
		}
		return 0
	}
	if step.Retakes != "" {
		if err := tx.refuseTaken(seq(step.Retakes)); err != nil {
			return posted{}, err
		}
		if err := tx.refuseTakenReference(p); err != nil {
			return posted{}, err
		}
		if i := slices.IndexFunc(book.Transactions, func(t topup.Transaction) bool { return t.ID == step.Retakes }); book.Transactions[i].Kind.PaysBack() {
			if err := tx.settleTold(p, book.Transactions[i].Operation); err != nil {
				return posted{}, err
			}
		}
	}
	made, err := tx.post(entry{
		kind: step.Kind, paymentID: p.ID, takesCredit: step.TakesCredit,
		reverses: seq(step.Reverses), resolves: seq(step.Resolves), takes: seq(step.Takes),
		actor: by.Actor, reason: by.Reason, effectiveAt: effective, postings: step.Postings,
		operation: step.Operation,
	})
	if err != nil {
		return posted{}, err
	}
	book.Post(step, topup.Transaction{
		Seq: made.seq, ID: made.id, Kind: step.Kind, PaymentID: p.ID, Actor: by.Actor, Reason: by.Reason,
		Reverses: step.Reverses, Resolves: step.Resolves, Takes: step.Takes, Postings: step.Postings,
		EffectiveAt: effective, RecordedAt: made.at,
	})
	if step.Kind.OpensItem() {
		if err := tx.Put(tx.Statements.InsertItem, made.seq, p.ID); err != nil {
			return posted{}, fmt.Errorf("list money of payment %s in suspense: %w", p.ID, err)
		}
	}
	if step.Item != nil {
		if err := tx.moveItem(*step.Item, seq, made.seq); err != nil {
			return posted{}, err
		}
	}
	if step.ItemReturned != "" {
		err := tx.gorm().Exec(`UPDATE suspense_items SET part_returned = ? WHERE seq = ?`, book.PartReturned(step.ItemReturned), seq(step.ItemReturned)).Error
		if err != nil {
			return posted{}, fmt.Errorf("note what went back of a suspense item: %w", err)
		}
	}
	if i := slices.IndexFunc(book.Transactions, func(t topup.Transaction) bool { return step.Frees != "" && t.ID == step.Frees }); i >= 0 {
		if err := tx.freeOperations(p, &book.Transactions[i], made.seq); err != nil {
			return posted{}, err
		}
		if err := tx.reopenMessage(seq(step.Frees)); err != nil {
			return posted{}, err
		}
		if root := &book.Transactions[i]; root.Kind.PaysBack() {
			if err := tx.reopenTold(p, root.Operation); err != nil {
				return posted{}, err
			}
		}
	}
	if step.Retakes != "" {
		if err := tx.retakeOperations(seq(step.Retakes)); err != nil {
			return posted{}, err
		}
		if err := tx.gorm().Exec(`DELETE FROM open_messages WHERE message_id = (`+suspendedMessageSQL+`)`, seq(step.Retakes)).Error; err != nil {
			return posted{}, fmt.Errorf("settle the message: %w", err)
		}
	}
	return made, tx.savePayment(p)
}

// suspendedMessageSQL is the message whose money an operator's transaction put
// into suspense.
const suspendedMessageSQL = `SELECT s.message_id FROM operator_steps s WHERE s.seq = ? AND s.action = '` + stepSuspend + `'`

// reopenMessage lists the message again whose money has left suspense, since the
// transaction that put it there was reversed: somebody must deal with it, unless
// an operator has said that it was dealt with.
func (tx *wtx) reopenMessage(seq int64) error {
	err := tx.gorm().Exec(`INSERT INTO open_messages (message_id, told, payment_id, operation)
		SELECT m.id, CASE m.disposition WHEN 'unreadable' THEN 'unreadable' ELSE 'conflict' END, m.payment_id, m.operation
		FROM messages m WHERE m.id = (`+suspendedMessageSQL+`) AND m.disposition IN ('unreadable', 'posted')
			AND NOT EXISTS (SELECT 1 FROM operator_steps d WHERE d.message_id = m.id AND d.action = '`+stepDismiss+`')
			AND NOT EXISTS (SELECT 1 FROM open_messages o WHERE o.message_id = m.id)`, seq).Error
	if err != nil {
		return fmt.Errorf("list the message as open: %w", err)
	}
	return nil
}

// moveItem moves a suspense item from one state to another. by is the seq of the
// transaction that the step has made.
func (tx *wtx) moveItem(m topup.ItemMove, seq func(string) int64, by int64) error {
	switch {
	case m.To == topup.ItemOpen:
		by = 0
	case m.ByEarlier != "":
		by = seq(m.ByEarlier)
	}
	done := tx.gorm().Exec(`UPDATE suspense_items SET state = ?, resolved_by = ? WHERE seq = ? AND state = ?`,
		string(m.To), nullID(by), seq(m.Item), string(m.From))
	if done.Error != nil {
		return fmt.Errorf("move suspense item: %w", done.Error)
	}
	if done.RowsAffected != 1 {
		return fmt.Errorf("move suspense item: it is not %s", m.From)
	}
	return nil
}

// operationColumns are those of operations and freed_operations alike.
const operationColumns = `operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered`

// freeOperations lets the operations of a transaction be entered again, since a
// reversal has undone it. They are found by their key: no index leads from a
// transaction to its operation.
func (tx *wtx) freeOperations(p *topup.Payment, root *topup.Transaction, reversal int64) error {
	operations := []string{root.Operation}
	if p.Credit != nil && p.Credit.Seq == root.Seq && p.Credit.Operation != root.Operation {
		operations = append(operations, p.Credit.Operation)
	}
	const which = ` FROM operations WHERE operation IN (?) AND provider = ? AND project = ? AND seq = ?`
	err := tx.gorm().Exec(`INSERT INTO freed_operations (`+operationColumns+`, freed_by)
		SELECT `+operationColumns+`, CAST(? AS BIGINT)`+which, reversal, operations, p.Provider, p.Project, root.Seq).Error
	if err == nil {
		err = tx.gorm().Exec(`DELETE`+which, operations, p.Provider, p.Project, root.Seq).Error
	}
	if err != nil {
		return fmt.Errorf("free the operation: %w", err)
	}
	return nil
}

// newestFreedSQL are the operations that the newest reversal of a transaction
// has freed.
const newestFreedSQL = ` FROM freed_operations f WHERE f.seq = ? AND f.freed_by = (SELECT max(n.freed_by) FROM freed_operations n WHERE n.seq = f.seq)`

// refuseTaken refuses to let a transaction count again whose operation was
// entered again, or has posted, meanwhile.
func (tx *wtx) refuseTaken(seq int64) error {
	var taken sql.NullString
	err := tx.raw(`SELECT min((SELECT o.operation FROM operations o WHERE o.operation = f.operation AND o.provider = f.provider AND o.project = f.project))`+
		newestFreedSQL, seq).Row().Scan(&taken)
	if err != nil {
		return fmt.Errorf("look for the operation: %w", err)
	}
	if taken.Valid {
		return topup.Conflict("its operation %s has been entered again, or has posted, since it was reversed", taken.String)
	}
	return nil
}

// refuseTakenReference is refuseTaken for a record under a provider's reference,
// which has no operation until a success is bound to it.
func (tx *wtx) refuseTakenReference(p *topup.Payment) error {
	if !p.Recorded || p.ProviderReference == "" {
		return nil
	}
	// Two records of one reference are two payments, that are locked apart.
	if err := tx.lockKey("reference", p.Provider+" "+p.Project+" "+p.ProviderReference); err != nil {
		return err
	}
	var taken bool
	err := tx.raw(`SELECT EXISTS (SELECT 1 FROM operations o WHERE o.operation = ? AND o.provider = ? AND o.project = ?)
		OR EXISTS (SELECT 1 FROM payments p WHERE p.provider_reference = ? AND p.provider_reference <> '' AND p.customer_id <> ''
			AND p.provider = ? AND p.project = ? AND p.recorded <> 0 AND p.payment_id <> ? AND p.credit_seq IS NOT NULL AND p.credit_reversed = 0)`,
		p.ProviderReference, p.Provider, p.Project, p.ProviderReference, p.Provider, p.Project, p.ID).Row().Scan(&taken)
	if err != nil {
		return fmt.Errorf("look for the reference: %w", err)
	}
	if taken {
		return topup.Conflict("its reference %s has been recorded again, or has posted, since it was reversed: find it with payments list --q", p.ProviderReference)
	}
	return nil
}

// retakeOperations makes the operations of a transaction count as posted again.
func (tx *wtx) retakeOperations(seq int64) error {
	err := tx.gorm().Exec(`INSERT INTO operations (`+operationColumns+`) SELECT `+operationColumns+newestFreedSQL, seq).Error
	if err != nil {
		return fmt.Errorf("take the operation again: %w", err)
	}
	return nil
}

// Actions of operators that are written down beside, or instead of, a ledger
// transaction.
const (
	stepRecord  = "record"
	stepClose   = "close"
	stepSuspend = "suspend"
	stepDismiss = "dismiss"
	stepRefund  = "refund"
	stepReturn  = "return"
)

// stepNote is what is written down about an operator's step.
type stepNote struct {
	action    string
	payment   string // empty for none
	message   int64  // 0 for none
	seq       int64  // 0 for none
	operation string
}

func (tx *wtx) noteStep(n stepNote, by By) error {
	err := tx.gorm().Exec(`INSERT INTO operator_steps (at, action, payment_id, message_id, seq, operation, actor, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		micros(tx.now()), n.action, nullText(n.payment), nullID(n.message), nullID(n.seq), n.operation, by.Actor, by.Reason).Error
	if err != nil {
		return fmt.Errorf("write down the operator's step: %w", err)
	}
	return nil
}

// transaction reads one ledger transaction inside a write.
func (tx *wtx) transaction(where string, arg any) (topup.Transaction, error) {
	list, err := tx.transactions(where, arg, 1)
	if err != nil {
		return topup.Transaction{}, err
	}
	if len(list) == 0 {
		return topup.Transaction{}, topup.NotFound("ledger transaction does not exist")
	}
	return list[0], nil
}

func (tx *wtx) transactions(where string, arg any, most int) ([]topup.Transaction, error) {
	rows, err := tx.raw(fmt.Sprintf(transactionsSQL, where), arg, most).Rows()
	if err != nil {
		return nil, fmt.Errorf("read ledger transactions: %w", err)
	}
	list, err := ledger.ScanTransactions(rows)
	if err != nil {
		return nil, fmt.Errorf("read ledger transactions: %w", err)
	}
	return list, nil
}

// book reads all that an operator's step on a payment is decided on. From here
// on nobody else changes it: it hangs on the payment, whose lock this takes.
func (tx *wtx) book(paymentID string) (topup.Book, error) {
	p, err := tx.payment(paymentID)
	if err != nil {
		return topup.Book{}, err
	}
	p.ExpireInTime(tx.now())
	list, err := tx.transactions(`t.payment_id = ?`, paymentID, maxBook)
	if err != nil {
		return topup.Book{}, err
	}
	if len(list) == maxBook {
		return topup.Book{}, topup.Conflict("the payment has %d ledger transactions or more, which is too many to work on", maxBook)
	}
	return topup.Book{Payment: p, Transactions: list}, nil
}

// bookOfItem is book for the payment of a suspense item.
func (tx *wtx) bookOfItem(item string) (topup.Book, error) {
	t, err := tx.transaction(`t.transaction_id = ?`, item)
	if isRefusal(err) || (err == nil && !t.Kind.OpensItem()) {
		return topup.Book{}, topup.NotFound("suspense item does not exist")
	}
	if err != nil {
		return topup.Book{}, err
	}
	return tx.book(t.PaymentID)
}

// payment reads a payment inside a write that may change it, or what hangs on
// it: its transactions and suspense items.
func (tx *wtx) payment(paymentID string) (*topup.Payment, error) {
	if err := tx.lockPayment(paymentID); err != nil {
		return nil, err
	}
	var row engine.PaymentRow
	err := tx.raw(engine.ReadSQL[engine.ReadPayment], paymentID).Row().Scan(row.Places()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, topup.NotFound("payment does not exist")
	}
	if err != nil {
		return nil, fmt.Errorf("read payment: %w", err)
	}
	return row.Value(), nil
}

func kindOfRefusal(err error) topup.Kind {
	if refusal := (*topup.Error)(nil); errors.As(err, &refusal) {
		return refusal.Kind
	}
	return ""
}
