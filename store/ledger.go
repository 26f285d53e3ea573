package store

import (
	"database/sql"
	"fmt"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/topup"
)

// transactionPrefix begins the ids of ledger transactions.
const transactionPrefix = "t_"

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
	// operation is the provider's that a message posts, or an operator enters.
	operation string
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
	seq, err := tx.TakeSeq()
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
	if e.actor == "" {
		err = tx.Put(tx.Statements.InsertTransaction, seq, id, string(e.kind), e.paymentID, slot,
			nullID(e.reverses), nullID(e.resolves), nullID(e.takes), e.actor, e.reason, micros(e.effectiveAt), micros(now))
	} else {
		err = tx.Put(tx.Statements.InsertStep, seq, id, string(e.kind), e.paymentID, slot,
			nullID(e.reverses), nullID(e.resolves), nullID(e.takes), e.actor, e.reason, micros(e.effectiveAt), micros(now), ProgramLevel)
	}
	if err != nil {
		return posted{}, fmt.Errorf("insert ledger transaction: %w", err)
	}
	for n, p := range e.postings {
		if err := tx.AddEntry(seq, n, engine.LedgerAccount{Name: p.Account, Currency: p.Currency}, p.Amount); err != nil {
			return posted{}, err
		}
	}
	made := posted{seq, id, now}
	tx.remember(&e, made)
	return made, nil
}

func nullID(id int64) sql.NullInt64 { return database.NullID(id) }
