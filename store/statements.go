package store

import (
	"context"
	"database/sql"
	"fmt"
)

// preparer is a connection or a pool of them.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// prepareAll prepares each query into its place, and closes what it has
// prepared when one of them fails.
func prepareAll(ctx context.Context, on preparer, queries map[**sql.Stmt]string) error {
	for place, query := range queries {
		stmt, err := on.PrepareContext(ctx, query)
		if err != nil {
			for other := range queries {
				closeStatement(*other)
			}
			return fmt.Errorf("prepare %q: %w", query, err)
		}
		*place = stmt
	}
	return nil
}

func closeStatement(stmt *sql.Stmt) {
	if stmt != nil {
		_ = stmt.Close()
	}
}

// writeStatements are the hot statements of the writer, prepared once on its
// own connection: GORM would prepare each anew inside every transaction.
type writeStatements struct {
	begin, commit, rollback *sql.Stmt

	insertPayment, updatePayment                *sql.Stmt
	history, issued, unknown                    *sql.Stmt
	lastMessage, insertMessage, insertBody      *sql.Stmt
	lastSeq, insertTransaction, insertEntry     *sql.Stmt
	insertOperation, insertItem                 *sql.Stmt
	ledgerAccount, openLedgerAccount, addTotals *sql.Stmt
}

func (s *writeStatements) queries() map[**sql.Stmt]string {
	return map[**sql.Stmt]string{
		&s.begin:    `BEGIN IMMEDIATE`,
		&s.commit:   `COMMIT`,
		&s.rollback: `ROLLBACK`,

		&s.insertPayment: insertPaymentSQL,
		&s.updatePayment: updatePaymentSQL,
		&s.history:       historySQL,
		&s.issued:        issuedSQL,
		&s.unknown:       unknownSQL,

		&s.lastMessage:   lastMessageSQL,
		&s.insertMessage: insertMessageSQL,
		&s.insertBody:    insertBodySQL,

		&s.lastSeq:           lastSeqSQL,
		&s.insertTransaction: insertTransactionSQL,
		&s.insertEntry:       insertEntrySQL,
		&s.insertOperation:   insertOperationSQL,
		&s.insertItem:        insertItemSQL,
		&s.ledgerAccount:     ledgerAccountSQL,
		&s.openLedgerAccount: openLedgerAccountSQL,
		&s.addTotals:         addTotalsSQL,
	}
}

func (s *writeStatements) prepare(ctx context.Context, on preparer) error {
	return prepareAll(ctx, on, s.queries())
}

func (s *writeStatements) close() {
	for place := range s.queries() {
		closeStatement(*place)
	}
}

// readStatements are the hot statements of the readers.
type readStatements struct {
	account, offer, payment *sql.Stmt
}

func (s *readStatements) queries() map[**sql.Stmt]string {
	return map[**sql.Stmt]string{
		&s.account: accountSQL,
		&s.offer:   offerSQL,
		&s.payment: `SELECT ` + paymentColumns + ` FROM payments p WHERE p.payment_id = ?`,
	}
}

func (s *readStatements) prepare(ctx context.Context, on preparer) error {
	return prepareAll(ctx, on, s.queries())
}

func (s *readStatements) close() {
	for place := range s.queries() {
		closeStatement(*place)
	}
}
