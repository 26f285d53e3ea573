package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"tolem/pgtest"
	"tolem/store"
	"tolem/topup"
)

// old is a database as a program of before operators' steps had left it.
type old struct {
	t   *testing.T
	db  rawDB
	seq int
	// messages are numbered from 1.
	messages int
}

// databaseAt is a database that has the migrations up to a level, and what opens it.
func databaseAt(t *testing.T, level int64) (rawDB, store.Options) {
	t.Helper()
	dialect, folder, o := goose.DialectSQLite3, "migrations/sqlite", store.Options{}
	var db rawDB
	if onPostgres {
		dialect, folder, o.Postgres = goose.DialectPostgres, "migrations/postgres", pgtest.Database(t)
		db = rawOpenAt(t, "pgx", o.Postgres)
	} else {
		o.Path = filepath.Join(t.TempDir(), "tolem.db")
		db = rawOpenAt(t, store.DriverName, "file:"+o.Path)
	}
	provider, err := goose.NewProvider(dialect, db.DB, os.DirFS(folder))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(ctx, level); err != nil {
		t.Fatal(err)
	}
	return db, o
}

// openOld makes the schema of migration 4 in a new database.
func openOld(t *testing.T) (*old, func(*store.Options)) {
	t.Helper()
	db, o := databaseAt(t, 4)
	b := &old{t: t, db: db}
	b.exec(`INSERT INTO meta (key, value) VALUES ('accounts.normalize', 'none')`)
	for _, name := range []string{settlement, suspense, own} {
		b.exec(`INSERT INTO ledger_accounts (name, currency) VALUES (?, 'KZT')`, name)
		if onPostgres {
			b.exec(`INSERT INTO ledger_totals (account_id, shard, debits, credits) SELECT id, 0, 0, 0 FROM ledger_accounts WHERE name = ?`, name)
		}
	}
	return b, func(into *store.Options) { into.Path, into.Postgres = o.Path, o.Postgres }
}

func (b *old) exec(query string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(query, args...); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
}

func (b *old) payment(id string, status topup.Status, flags topup.Flags) {
	b.t.Helper()
	b.exec(`INSERT INTO payments (payment_id, provider, project, customer_id, entity_id, contract_number, amount, currency, method, status, flags, created_at)
		VALUES (?, 'jetpay', '1234', '7123456789', '12345', 'A-1', 10000, 'KZT', 'kaspi', ?, ?, 1)`, id, string(status), int64(flags))
}

// post writes a ledger transaction, t1, t2, …; slot 0 is the payment's one credit.
func (b *old) post(payment, kind, debit, credit string, amount int64, actor string, takesCredit bool, reverses, resolves any) int {
	b.t.Helper()
	b.seq++
	slot := b.seq
	if takesCredit {
		slot = 0
	}
	b.exec(`INSERT INTO transactions (seq, transaction_id, kind, payment_id, slot, reverses, resolves, actor, reason, effective_at, recorded_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, b.seq, fmt.Sprintf("t%d", b.seq), kind, payment, slot, reverses, resolves, actor, actor, 1000*b.seq, 1000*b.seq)
	for n, account := range []string{debit, credit} {
		signed := amount * int64(1-2*n)
		b.exec(`INSERT INTO entries (seq, n, account_id, amount) SELECT ?, ?, id, CAST(? AS BIGINT) FROM ledger_accounts WHERE name = ?`, b.seq, n, signed, account)
		if err := addToTotals(b.db, account, max(signed, 0), max(-signed, 0)); err != nil {
			b.t.Fatal(err)
		}
	}
	if takesCredit {
		b.exec(`UPDATE payments SET credit_seq = ?, credit_transaction = ?, credit_amount = ?, credit_currency = 'KZT', credit_at = ?, credit_by_operator = ? WHERE payment_id = ?`,
			b.seq, fmt.Sprintf("t%d", b.seq), amount, 1000*b.seq, int64(min(len(actor), 1)), payment)
	}
	if kind == "suspense" {
		b.exec(`INSERT INTO suspense_items (seq, payment_id, state) VALUES (?, ?, 'open')`, b.seq, payment)
		b.exec(`UPDATE payments SET open_items = open_items + 1 WHERE payment_id = ?`, payment)
	}
	return b.seq
}

// message stores a message, and its operation when it posted seq.
func (b *old) message(payment, disposition string, seq int, e topup.Event) int64 {
	b.t.Helper()
	b.messages++
	var made, concerns any
	if seq > 0 {
		made = seq
		b.exec(`INSERT INTO operations (operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency)
			VALUES (?, 'jetpay', '1234', ?, ?, ?, 'KZT', ?, 'KZT')`, e.Operation, seq, e.Reference, e.Sum.Amount, e.Initial.Amount)
		if disposition != "suspended" {
			b.exec(`UPDATE payments SET credit_operation = ? WHERE payment_id = ?`, e.Operation, payment)
		}
	}
	if payment != "" {
		concerns = payment
	}
	b.exec(`INSERT INTO messages (id, received_at, provider, project, source, reference, fingerprint, payment_id, disposition, seq, status, operation, code, receipt)
		VALUES (?, ?, 'jetpay', '1234', 'callback', ?, ?, ?, ?, ?, ?, ?, '0', '')`, b.messages, b.messages, e.Reference, e.Fingerprint, concerns, disposition, made, e.Status, e.Operation)
	body := any(asStored(e))
	if onPostgres {
		body = string(asStored(e))
	}
	b.exec(`INSERT INTO message_bodies (message_id, received_at, body) VALUES (?, ?, ?)`, b.messages, b.messages, body)
	return int64(b.messages)
}

func (b *old) item(seq int, state string, by any) {
	b.t.Helper()
	b.exec(`UPDATE suspense_items SET state = ?, resolved_by = ? WHERE seq = ?`, state, by, seq)
}

// TestABookOfBeforeOperatorsStepsGoesOn: a database that programs of before had
// filled is migrated, and everything in it can be worked on.
func TestABookOfBeforeOperatorsStepsGoesOn(t *testing.T) {
	b, at := openOld(t)
	const succeeded, review, reversed = topup.StatusSucceeded, topup.StatusReview, topup.FlagReversed

	b.payment("p_credited", succeeded, 0)
	b.message("p_credited", "credited", b.post("p_credited", "credit", settlement, own, 10000, "", true, nil, nil), paid("p_credited", "1"))

	// A callback bound to an operator's credit, which was reversed; other money came.
	b.payment("p_bound", succeeded, reversed|topup.FlagSecondOperation)
	manual := b.post("p_bound", "manual_credit", settlement, own, 10000, "anna", true, nil, nil)
	bound := b.message("p_bound", "bound", manual, paid("p_bound", "2"))
	b.post("p_bound", "reversal", settlement, own, -10000, "anna", false, manual, nil)
	b.exec(`UPDATE payments SET credit_reversed = 1 WHERE payment_id = 'p_bound'`)
	b.message("p_bound", "suspended", b.post("p_bound", "suspense", settlement, suspense, 10000, "", false, nil, nil), paid("p_bound", "3"))

	// A provider's credit that an operator reversed.
	b.payment("p_reversed", succeeded, reversed)
	credit := b.post("p_reversed", "credit", settlement, own, 10000, "", true, nil, nil)
	b.message("p_reversed", "credited", credit, paid("p_reversed", "5"))
	mirror := b.post("p_reversed", "reversal", settlement, own, -10000, "anna", false, credit, nil)
	b.exec(`UPDATE payments SET credit_reversed = 1 WHERE payment_id = 'p_reversed'`)

	// Assigned, reversed, assigned again.
	b.payment("p_again", succeeded, reversed|topup.FlagAmountDiffers)
	item := b.post("p_again", "suspense", settlement, suspense, 10001, "", false, nil, nil)
	b.message("p_again", "suspended", item, paid("p_again", "7", sum(10001)))
	assigned := b.post("p_again", "assignment", suspense, own, 10001, "anna", true, nil, item)
	b.exec(`UPDATE payments SET credit_operation = '7', credit_reversed = 1, open_items = 0 WHERE payment_id = 'p_again'`)
	b.post("p_again", "reversal", suspense, own, -10001, "anna", false, assigned, nil)
	again := b.post("p_again", "assignment", suspense, own, 10001, "anna", false, nil, item)
	b.item(item, "assigned", again)

	// A provider's suspense that an operator reversed.
	b.payment("p_denied", topup.StatusDeclined, topup.FlagAmountDiffers)
	denied := b.post("p_denied", "suspense", settlement, suspense, 9000, "", false, nil, nil)
	b.message("p_denied", "suspended", denied, paid("p_denied", "12", sum(9000)))
	undone := b.post("p_denied", "reversal", settlement, suspense, -9000, "anna", false, denied, nil)
	b.item(denied, "reversed", undone)
	b.exec(`UPDATE payments SET open_items = 0 WHERE payment_id = 'p_denied'`)

	// Messages that nobody could deal with.
	unread := func(reference, operation string) topup.Event {
		e := paid(reference, operation, func(e *topup.Event) { e.Complete, e.Sum, e.Initial = false, topup.Money{}, topup.Money{} })
		e.Fingerprint = nil
		return e
	}
	b.payment("p_unread", review, topup.FlagUnreadable)
	unreadable := b.message("p_unread", "unreadable", 0, unread("p_unread", "20"))
	nobodys := b.message("", "unreadable", 0, unread("theirs", "21"))
	foreign := b.message("", "foreign", 0, paid("card-1", "22"))
	b.payment("p_refunded", succeeded, topup.FlagRefund)
	b.message("p_refunded", "credited", b.post("p_refunded", "credit", settlement, own, 10000, "", true, nil, nil), paid("p_refunded", "30"))
	refund := b.message("p_refunded", "noted", 0, paid("p_refunded", "31", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeRefunded, "refunded" }))
	// Called paid, in a message that is no movement.
	b.payment("p_called_paid", topup.StatusExpired, 0)
	b.message("p_called_paid", "noted", 0, paid("p_called_paid", "40", func(e *topup.Event) { e.Outcome = topup.OutcomePaidStatus }))
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}

	c := newClock()
	s := mustOpen(t, at, func(o *store.Options) { o.Now = c.Now })
	mustAccounts(t, s)
	shows(t, s, "p_credited", "succeeded, credited 10000")
	shows(t, s, "p_called_paid", "review, outcome_unknown")
	shows(t, s, "p_bound", "review, 1 in suspense, second_operation reversed")
	shows(t, s, "p_reversed", "review, reversed")
	shows(t, s, "p_again", "succeeded, credited 10001, amount_differs")
	shows(t, s, "p_denied", "declined, amount_differs")
	shows(t, s, "p_unread", "review, unreadable")
	shows(t, s, "p_refunded", "succeeded, credited 10000, refund")
	if got := mustPayment(t, s, "p_again").Credited.TransactionID; got != fmt.Sprintf("t%d", again) {
		t.Errorf("credited by %s, want the second assignment", got)
	}
	page, _, err := s.Messages(ctx, store.MessageFilter{Open: true})
	var open []string
	for _, m := range page {
		open = append(open, fmt.Sprintf("%d %s", m.ID, m.Open))
	}
	if want := fmt.Sprintf("[%d refund %d unreadable %d unreadable]", refund, nobodys, unreadable); err != nil || fmt.Sprint(open) != want {
		t.Errorf("open messages: got %v, %v; want %s", open, err, want)
	}

	byEye := topup.SuspendRequest{Amount: 500, Currency: "KZT"}
	must(t)(s.SuspendMessage(ctx, unreadable, byEye, anna))
	shows(t, s, "p_unread", "review, 1 in suspense, unreadable")
	opened := must(t)(s.SuspendMessage(ctx, nobodys, byEye, anna))
	shows(t, s, opened.PaymentID, "review, 1 in suspense, unknown_payment")
	opened = must(t)(s.SuspendMessage(ctx, foreign, topup.SuspendRequest{}, anna))
	shows(t, s, opened.PaymentID, "review, 1 in suspense, unknown_payment")
	if err := s.DismissMessage(ctx, refund, anna); err != nil {
		t.Fatal(err)
	}
	shows(t, s, "p_refunded", "succeeded, credited 10000")
	must(t)(s.SuspendMessage(ctx, bound, topup.SuspendRequest{}, anna))
	shows(t, s, "p_bound", "review, 2 in suspense, second_operation reversed")
	must(t)(s.Reverse(ctx, fmt.Sprintf("t%d", mirror), anna))
	shows(t, s, "p_reversed", "succeeded, credited 10000")
	must(t)(s.RecallPayment(ctx, "p_again", anna))
	shows(t, s, "p_again", "review, 1 in suspense, amount_differs reversed")
	must(t)(s.Reverse(ctx, fmt.Sprintf("t%d", undone), anna))
	shows(t, s, "p_denied", "review, 1 in suspense, amount_differs")
	mustRecord(t, s, paid(mustIssue(t, s), "99"))
	checked(t, s)
}
