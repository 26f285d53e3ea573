package seal

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"tolem/store/internal/database"
)

// The rows of the journal behind a place and up to another one, in the order of the
// chain. What is sorted goes through the database's temporary files. No index leads
// from a place to its operations, so their table is read as a whole.
const (
	transactionsSQL = `SELECT t.seq, t.transaction_id, t.kind, t.payment_id, t.slot, t.reverses, t.resolves, t.takes, t.actor, t.reason,
	t.effective_at, t.recorded_at, t.program_level FROM transactions t WHERE t.seq > %[1]d AND t.seq <= %[2]d ORDER BY t.seq`
	entriesSQL = `SELECT e.seq, e.n, a.name, a.currency, e.amount FROM entries e LEFT JOIN ledger_accounts a ON a.id = e.account_id
	WHERE e.seq > %[1]d AND e.seq <= %[2]d ORDER BY e.seq, e.n`
	// What an operator entered is in one of both tables, and stays the same when a
	// reversal moves it; the same row can be in both.
	operationsSQL = `SELECT * FROM (
	SELECT o.seq, o.operation, o.provider, o.project, o.reference, o.sum_amount, o.sum_currency, o.initial_amount, o.initial_currency, o.entered
		FROM operations o WHERE o.seq > %[1]d AND o.seq <= %[2]d
	UNION ALL
	SELECT f.seq, f.operation, f.provider, f.project, f.reference, f.sum_amount, f.sum_currency, f.initial_amount, f.initial_currency, f.entered
		FROM freed_operations f WHERE f.entered <> 0 AND f.seq > %[1]d AND f.seq <= %[2]d) x
	ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10`
)

// stream reads the rows of a table one after another.
type stream struct {
	read func(*sql.Rows, *record) error

	rows *sql.Rows // of SQLite

	// of PostgreSQL, where one connection cannot read several queries at once:
	fetch func() (*sql.Rows, error)
	page  []record // the rows that were fetched
	next  int      // the index in page of the row that follows

	current record // its seq is end behind the last row
}

// pageOf is how many rows are fetched at a time from PostgreSQL.
const pageOf = 2000

// open begins to read the rows behind after and up to through.
func open(d *database.Dialect, db *gorm.DB, name, query string, after, through int64, read func(*sql.Rows, *record) error) (*stream, error) {
	query = fmt.Sprintf(query, after, through)
	s := &stream{read: read}
	var err error
	if d.Name == database.SQLite.Name {
		s.rows, err = db.Raw(query).Rows()
	} else {
		s.fetch = func() (*sql.Rows, error) { return db.Raw(fmt.Sprintf("FETCH %d FROM %s", pageOf, name)).Rows() }
		err = db.Exec("DECLARE " + name + " NO SCROLL CURSOR FOR " + query).Error
	}
	if err == nil {
		err = s.advance()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", name, err), s.close())
	}
	return s, nil
}

// advance reads the next row into current.
func (s *stream) advance() error {
	if s.fetch != nil {
		return s.advanceInPage()
	}
	if s.rows.Next() {
		return s.read(s.rows, &s.current)
	}
	s.current.seq = end
	return s.rows.Err()
}

func (s *stream) advanceInPage() error {
	if s.next == len(s.page) {
		if err := s.fetchPage(); err != nil {
			return err
		}
		if s.next = 0; len(s.page) == 0 {
			s.current.seq = end
			return nil
		}
	}
	// The buffers change places, so that each is filled again.
	s.current, s.page[s.next] = s.page[s.next], s.current
	s.next++
	return nil
}

// fetchPage reads the next rows into memory.
func (s *stream) fetchPage() (err error) {
	rows, err := s.fetch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	s.page = s.page[:0]
	for rows.Next() {
		if n := len(s.page); n < cap(s.page) {
			s.page = s.page[:n+1] // with the buffer of a row that was read before
		} else {
			s.page = append(s.page, record{})
		}
		if err := s.read(rows, &s.page[len(s.page)-1]); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *stream) close() error {
	if s.rows == nil {
		return nil
	}
	return s.rows.Close()
}

// reader reads the journal place by place.
type reader struct {
	db                                *gorm.DB
	transactions, entries, operations *stream
	last                              []byte // the operation before
	Transactions                      int64  // how many were read
}

// openJournal begins to read the journal behind a place and up to another one. On
// PostgreSQL db must be in a transaction.
func openJournal(d *database.Dialect, db *gorm.DB, after, through int64) (r *reader, err error) {
	r = &reader{db: db}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.transactions, err = open(d, db, "sealed_transactions", transactionsSQL, after, through, readTransaction); err != nil {
		return r, err
	}
	if r.entries, err = open(d, db, "sealed_entries", entriesSQL, after, through, readEntry); err != nil {
		return r, err
	}
	r.operations, err = open(d, db, "sealed_operations", operationsSQL, after, through, readOperation)
	return r, err
}

// close ends reading. The cursors of PostgreSQL are closed with them, since others
// may be opened in the same transaction.
func (r *reader) close() error {
	var err error
	for name, s := range map[string]*stream{"sealed_transactions": r.transactions, "sealed_entries": r.entries, "sealed_operations": r.operations} {
		if s == nil {
			continue
		}
		err = errors.Join(err, s.close())
		if s.fetch != nil {
			err = errors.Join(err, r.db.Exec("CLOSE "+name).Error)
		}
	}
	return err
}

// place is the next place that has rows, end if there is none.
func (r *reader) place() int64 {
	return min(r.transactions.current.seq, r.entries.current.seq, r.operations.current.seq)
}

// link adds the rows of the next place to chains.
func (r *reader) link(chains ...*chain) error {
	seq := r.place()
	for _, c := range chains {
		c.begin(seq)
	}
	write := func(row []byte) {
		for _, c := range chains {
			c.hash.Write(row)
		}
	}
	byOperator := false
	for r.transactions.current.seq == seq {
		r.Transactions++
		byOperator = r.transactions.current.actor != ""
		write(r.transactions.current.bytes)
		if err := r.transactions.advance(); err != nil {
			return err
		}
	}
	for r.entries.current.seq == seq {
		write(r.entries.current.bytes)
		if err := r.entries.advance(); err != nil {
			return err
		}
	}
	r.last = r.last[:0]
	for r.operations.current.seq == seq {
		o := &r.operations.current
		// A provider's message may be bound to an operator's transaction long after it.
		bound := byOperator && !o.entered
		if !bound && !bytes.Equal(o.bytes, r.last) {
			write(o.bytes)
			r.last = append(r.last[:0], o.bytes...)
		}
		if err := r.operations.advance(); err != nil {
			return err
		}
	}
	for _, c := range chains {
		c.end()
	}
	return nil
}

func readTransaction(rows *sql.Rows, r *record) error {
	var (
		seq, slot, effective, recorded   int64
		id, kind, payment, actor, reason string
		reverses, resolves, takes, level sql.NullInt64
	)
	err := rows.Scan(&seq, &id, &kind, &payment, &slot, &reverses, &resolves, &takes, &actor, &reason, &effective, &recorded, &level)
	if err != nil {
		return err
	}
	r.begin('T', seq)
	r.actor = actor
	r.text(id)
	r.text(kind)
	r.text(payment)
	r.number(slot)
	r.nullNumber(reverses)
	r.nullNumber(resolves)
	r.nullNumber(takes)
	r.text(actor)
	r.text(reason)
	r.number(effective)
	r.number(recorded)
	r.nullNumber(level)
	return nil
}

func readEntry(rows *sql.Rows, r *record) error {
	var (
		seq, n, amount int64
		name, currency sql.NullString
	)
	if err := rows.Scan(&seq, &n, &name, &currency, &amount); err != nil {
		return err
	}
	r.begin('E', seq)
	r.number(n)
	r.nullText(name)
	r.nullText(currency)
	r.number(amount)
	return nil
}

func readOperation(rows *sql.Rows, r *record) error {
	var (
		seq, sum, initial, entered              int64
		operation, provider, project            string
		reference, sumCurrency, initialCurrency string
	)
	err := rows.Scan(&seq, &operation, &provider, &project, &reference, &sum, &sumCurrency, &initial, &initialCurrency, &entered)
	if err != nil {
		return err
	}
	r.begin('O', seq)
	r.entered = entered != 0
	r.text(operation)
	r.text(provider)
	r.text(project)
	r.text(reference)
	r.number(sum)
	r.text(sumCurrency)
	r.number(initial)
	r.text(initialCurrency)
	r.number(entered)
	return nil
}
