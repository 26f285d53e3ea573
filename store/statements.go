package store

import "tolem/store/internal/sqlite"

// statement is a hot statement: one that runs for every payment. It is no
// interface, so that the compiler sees where arguments go, and leaves them on
// the stack: that is two of three allocations of a write.
type statement struct {
	hot  *sqlite.Statement // on SQLite
	bulk *bulk             // on PostgreSQL
}

// put executes a statement whose rows affected do not matter.
func (s statement) put(args ...any) error {
	if s.hot != nil {
		return s.hot.Run(args...)
	}
	return s.bulk.put(args...)
}

// writeStatements are the hot statements of a lane: GORM would prepare each
// anew inside every transaction.
type writeStatements struct {
	account, insertAccount, insertHistory       statement
	insertPayment, updatePayment                statement
	seen, posted, issued, unknown, recorded     statement
	closedPeriod                                statement
	lastMessage, insertMessage, insertBody      statement
	insertOpen                                  statement
	lastSeq, insertTransaction, insertEntry     statement
	insertOperation, insertItem                 statement
	ledgerAccount, openLedgerAccount, addTotals statement
}

// queries are the statements' texts for SQLite.
func (s *writeStatements) queries() map[*statement]string {
	return map[*statement]string{
		&s.account:       accountSQL,
		&s.insertAccount: insertAccountSQL,
		&s.insertHistory: insertHistorySQL,

		&s.insertPayment: insertPaymentSQL,
		&s.updatePayment: updatePaymentSQL,
		&s.seen:          seenSQL,
		&s.posted:        postedSQL,
		&s.issued:        issuedSQL,
		&s.unknown:       unknownSQL,
		&s.recorded:      recordedSQL,
		&s.closedPeriod:  closedPeriodSQL,

		&s.lastMessage:   lastMessageSQL,
		&s.insertMessage: insertMessageSQL,
		&s.insertBody:    insertBodySQL,
		&s.insertOpen:    insertOpenSQL,

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
