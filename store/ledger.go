package store

import (
	"database/sql"
	"fmt"
	"time"

	"tolem/store/internal/database"
	"tolem/topup"
)

const (
	lastSeqSQL           = `SELECT coalesce(max(seq), 0) FROM transactions`
	insertTransactionSQL = `INSERT INTO transactions (seq, transaction_id, kind, payment_id, slot, reverses, resolves, takes, actor, reason, effective_at, recorded_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertEntrySQL     = `INSERT INTO entries (seq, n, account_id, amount) VALUES (?, ?, ?, ?)`
	insertOperationSQL = `INSERT INTO operations (operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertItemSQL        = `INSERT INTO suspense_items (seq, payment_id, state) VALUES (?, ?, 'open')`
	ledgerAccountSQL     = `SELECT id FROM ledger_accounts WHERE name = ? AND currency = ?`
	openLedgerAccountSQL = `INSERT INTO ledger_accounts (name, currency) VALUES (?, ?) RETURNING id`
	addTotalsSQL         = `UPDATE ledger_accounts SET debits = debits + ?, credits = credits + ? WHERE id = ?`
)

// accountKey names a ledger account: one name has one account a currency.
type accountKey struct{ name, currency string }

// totals are what a batch adds to one ledger account.
type totals struct{ debits, credits int64 }

func (t *totals) add(amount int64) (err error) {
	if amount > 0 {
		t.debits, err = topup.Add(t.debits, amount)
		return err
	}
	t.credits, err = topup.Add(t.credits, -amount)
	return err
}

// entry asks for a ledger transaction.
type entry struct {
	kind      topup.TransactionKind
	paymentID string
	// takesCredit claims the payment's one credit: the unique key
	// transactions_payment lets only one transaction have it, ever.
	takesCredit bool
	reverses    int64 // seq, 0 for none
	resolves    int64 // seq, 0 for none
	takes       int64 // seq, 0 for none
	actor       string
	reason      string
	effectiveAt time.Time
	postings    []topup.Posting
}

// posted is a ledger transaction that post has written.
type posted struct {
	seq int64
	id  string
	at  time.Time // when it was recorded
}

// post writes a ledger transaction with its entries, and adds to the running
// totals, which are flushed once a batch.
func (tx *wtx) post(e entry) (posted, error) {
	if err := topup.CheckPostings(e.postings); err != nil {
		return posted{}, err
	}
	seq, err := tx.takeSeq()
	if err != nil {
		return posted{}, err
	}
	now := tx.now()
	id, err := newID(transactionPrefix, now, tx.entropy)
	if err != nil {
		return posted{}, err
	}
	slot := seq
	if e.takesCredit {
		slot = 0
	}
	err = tx.put(tx.stmts.insertTransaction, seq, id, string(e.kind), e.paymentID, slot,
		nullID(e.reverses), nullID(e.resolves), nullID(e.takes), e.actor, e.reason, micros(e.effectiveAt), micros(now))
	if err != nil {
		return posted{}, fmt.Errorf("insert ledger transaction: %w", err)
	}
	for n, p := range e.postings {
		if err := tx.addEntry(tx, seq, n, accountKey{p.Account, p.Currency}, p.Amount); err != nil {
			return posted{}, err
		}
	}
	return posted{seq, id, now}, nil
}

func nullID(id int64) sql.NullInt64 { return database.NullID(id) }
