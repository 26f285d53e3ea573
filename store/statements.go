package store

import (
	"context"
	"database/sql"
)

// writeStatements are the hot statements of the writer, prepared once on its
// own connection: GORM would prepare each anew inside every transaction.
type writeStatements struct {
	begin, commit, rollback hot

	insertAccount                               hot
	insertPayment, updatePayment                hot
	seen, posted, issued, unknown               hot
	lastMessage, insertMessage, insertBody      hot
	lastSeq, insertTransaction, insertEntry     hot
	insertOperation, insertItem                 hot
	ledgerAccount, openLedgerAccount, addTotals hot
}

func (s *writeStatements) queries() map[*hot]string {
	return map[*hot]string{
		&s.begin:    `BEGIN IMMEDIATE`,
		&s.commit:   `COMMIT`,
		&s.rollback: `ROLLBACK`,

		&s.insertAccount: insertAccountSQL,

		&s.insertPayment: insertPaymentSQL,
		&s.updatePayment: updatePaymentSQL,
		&s.seen:          seenSQL,
		&s.posted:        postedSQL,
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

func (s *writeStatements) prepare(ctx context.Context, conn *sql.Conn) error {
	return prepareHot(ctx, conn, s.queries())
}

func (s *writeStatements) close() {
	for place := range s.queries() {
		place.close()
	}
}
