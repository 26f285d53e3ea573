package store

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"tolem/topup"
)

const (
	lastSeqSQL           = `SELECT coalesce(max(seq), 0) FROM transactions`
	insertTransactionSQL = `INSERT INTO transactions (seq, transaction_id, kind, payment_id, slot, reverses, resolves, actor, reason, effective_at, recorded_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertEntrySQL     = `INSERT INTO entries (seq, n, account_id, amount) VALUES (?, ?, ?, ?)`
	insertOperationSQL = `INSERT INTO operations (operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertItemSQL        = `INSERT INTO suspense_items (seq, payment_id, state) VALUES (?, ?, 'open')`
	ledgerAccountSQL     = `SELECT id FROM ledger_accounts WHERE name = ? AND currency = ?`
	openLedgerAccountSQL = `INSERT INTO ledger_accounts (name, currency) VALUES (?, ?) RETURNING id`
	addTotalsSQL         = `UPDATE ledger_accounts SET debits = debits + ?, credits = credits + ? WHERE id = ?`
)

// accountKey names a ledger account: one name has one account a currency.
type accountKey struct{ name, currency string }

// totals are what a batch adds to one ledger account.
type totals struct{ debits, credits int64 }

// entry asks for a ledger transaction.
type entry struct {
	kind      topup.TransactionKind
	paymentID string
	// takesCredit claims the payment's one credit: the unique key
	// transactions_payment lets only one transaction have it, ever.
	takesCredit bool
	reverses    int64 // seq, 0 for none
	resolves    int64 // seq, 0 for none
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
	err = tx.put(&tx.stmts.insertTransaction, seq, id, string(e.kind), e.paymentID, slot,
		nullID(e.reverses), nullID(e.resolves), e.actor, e.reason, micros(e.effectiveAt), micros(now))
	if err != nil {
		return posted{}, fmt.Errorf("insert ledger transaction: %w", err)
	}
	if err := tx.insertEntries(seq, e.postings); err != nil {
		return posted{}, err
	}
	return posted{seq, id, now}, nil
}

// insertEntries writes the postings, and adds them to what the batch will add
// to the running totals.
func (tx *wtx) insertEntries(seq int64, postings []topup.Posting) error {
	for n, p := range postings {
		account, err := tx.ledgerAccount(accountKey{p.Account, p.Currency})
		if err != nil {
			return err
		}
		if err := tx.put(&tx.stmts.insertEntry, seq, n, account, p.Amount); err != nil {
			return fmt.Errorf("insert ledger entry: %w", err)
		}
		if err := tx.addToTotals(account, p.Amount); err != nil {
			return err
		}
	}
	return nil
}

// takeSeq gives out the next place in the feed. The transaction holds the
// write lock, so nobody else can take it.
func (tx *wtx) takeSeq() (int64, error) {
	if tx.nextSeq == 0 {
		if _, err := tx.stmts.lastSeq.one([]any{&tx.nextSeq}); err != nil {
			return 0, fmt.Errorf("read the last place in the feed: %w", err)
		}
		tx.nextSeq++
	}
	seq := tx.nextSeq
	tx.nextSeq++
	return seq, nil
}

// ledgerAccount returns the id of a ledger account and opens it when it is new.
func (tx *wtx) ledgerAccount(key accountKey) (int64, error) {
	if id, known := tx.accounts[key]; known {
		return id, nil
	}
	var id int64
	found, err := tx.stmts.ledgerAccount.one([]any{&id}, key.name, key.currency)
	if err == nil && !found {
		tx.dirty = true
		found, err = tx.stmts.openLedgerAccount.one([]any{&id}, key.name, key.currency)
	}
	if err == nil && !found {
		err = errors.New("it was neither found nor opened")
	}
	if err != nil {
		return 0, fmt.Errorf("ledger account: %w", err)
	}
	if tx.accounts == nil {
		tx.accounts = make(map[accountKey]int64)
	}
	tx.accounts[key] = id
	return id, nil
}

func (tx *wtx) addToTotals(account, amount int64) (err error) {
	t := tx.balances[account]
	if t == nil {
		if tx.balances == nil {
			tx.balances = make(map[int64]*totals)
		}
		t = &totals{}
		tx.balances[account] = t
	}
	if amount > 0 {
		t.debits, err = topup.Add(t.debits, amount)
		return err
	}
	t.credits, err = topup.Add(t.credits, -amount)
	return err
}

// flushBalances writes the batch's totals, in one fixed order. The tables are
// strict, so a sum that overflows is an error of the database.
func (tx *wtx) flushBalances() error {
	accounts := make([]int64, 0, len(tx.balances))
	for account := range tx.balances {
		accounts = append(accounts, account)
	}
	slices.SortFunc(accounts, cmp.Compare)
	for _, account := range accounts {
		t := tx.balances[account]
		changed, err := tx.exec(&tx.stmts.addTotals, t.debits, t.credits, account)
		if err != nil {
			return fmt.Errorf("add to the running totals: %w", err)
		}
		if changed != 1 {
			return fmt.Errorf("add to the running totals: ledger account %d is missing", account)
		}
	}
	return nil
}

func nullID(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }
