package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"tolem/bankfile"
	"tolem/calendar"
	"tolem/topup"
)

// bankBatch is how many lines of a statement are written at a time.
const bankBatch = 200

// ActionBankImport is an import of a bank statement, in the audit.
const ActionBankImport Action = "bank_import"

// BankImport is a statement of one of the merchant's bank accounts.
type BankImport struct {
	Bank       string // the account's name in the configuration
	Account    bankfile.Account
	Statements []bankfile.Statement
	File       string // its name
	SHA256     string
}

// BankGap is a jump of the balance between two statements: movements between them
// are in neither.
type BankGap struct {
	Before, After    calendar.Day // the last day of the one, the first of the other
	Closing, Opening int64        // minor units
}

// BankImported is what became of a statement.
type BankImported struct {
	Stored   int // lines that are new
	Known    int // lines that were there already
	Changed  []bankfile.Change
	Vanished []bankfile.Stored
	Gaps     []BankGap
}

const (
	insertBankLineSQL = `INSERT INTO bank_lines (bank, account, currency, day, value_day, direction, amount, number, reference, counterparty_account,
	counterparty_name, counterparty_id, purpose_code, purpose, occurrence, key, sha256, imported_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	insertBankStatementSQL = `INSERT INTO bank_statements (bank, account, currency, from_day, to_day, opening, closing, lines, file, sha256, actor, imported_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	storedBankLinesSQL = `SELECT id, key, day, direction, amount, number, reference, counterparty_account, counterparty_name, purpose FROM bank_lines
	WHERE bank = ? AND account = ? AND day >= ? AND day <= ? ORDER BY id`
	// The statement before one, and the one behind it, by its days.
	bankBeforeSQL = `SELECT to_day, closing FROM bank_statements WHERE bank = ? AND account = ? AND from_day < ? ORDER BY to_day DESC, id DESC LIMIT 1`
	bankBehindSQL = `SELECT from_day, opening FROM bank_statements WHERE bank = ? AND account = ? AND to_day > ? ORDER BY from_day, id LIMIT 1`
	// Statements that begin on one day with what others have ended with on another.
	bankFollowSQL = `SELECT count(*) FROM bank_statements a JOIN bank_statements b ON b.bank = a.bank AND b.account = a.account AND b.opening = a.closing
	WHERE a.bank = ? AND a.account = ? AND a.to_day = ? AND b.from_day = ?`
)

// ImportBankStatement keeps the lines of a statement, each once, whatever files it
// comes in. A line whose day, direction and amount are those of a kept line that
// the file does not have any more is one that the bank has changed: it is told and
// not kept. Kept lines of a day that the file covers, but not in it, are told.
//
// Lines are written some at a time, so that nobody who waits to write waits long;
// what a crash leaves undone the same import does again.
func (s *Store) ImportBankStatement(ctx context.Context, im BankImport, by By) (BankImported, error) {
	done, err := s.importBankStatement(ctx, im, by)
	if err != nil {
		return done, fmt.Errorf("import a statement of bank account %s: %w", im.Bank, s.auditRefusal(ctx, by, ActionBankImport, im.Bank, err))
	}
	return done, nil
}

func (s *Store) importBankStatement(ctx context.Context, im BankImport, by By) (done BankImported, err error) {
	if len(im.Statements) == 0 {
		return done, topup.Invalid("statements", "must be there")
	}
	file := bankfile.Identify(im.Account, im.Statements)
	stored, err := s.storedBankLines(ctx, im, file)
	if err != nil {
		return done, err
	}
	compared := bankfile.Compare(stored, file, im.Statements)
	done = BankImported{Stored: len(compared.New), Known: compared.Known, Changed: compared.Changed, Vanished: compared.Vanished}
	for batch := range slices.Chunk(compared.New, bankBatch) {
		if err := s.writer.do(ctx, func(tx *wtx) error { return tx.addBankLines(im, batch) }); err != nil {
			return done, err
		}
	}
	err = s.writer.do(ctx, func(tx *wtx) error {
		for _, statement := range im.Statements {
			err := tx.gorm().Exec(insertBankStatementSQL, im.Bank, im.Account.Number, im.Account.Currency, statement.From.String(), statement.To.String(),
				statement.Opening, statement.Closing, len(statement.Lines), auditText(im.File, maxAuditObject), im.SHA256, by.Actor, micros(tx.now())).Error
			if err != nil {
				return err
			}
		}
		return tx.audit(by, Audited{ActionBankImport, im.Bank, ResultDone, strconv.Itoa(done.Stored) + " new lines of " + im.SHA256})
	})
	if err != nil {
		return done, err
	}
	done.Gaps, err = s.bankGaps(ctx, im)
	return done, err
}

func (tx *wtx) addBankLines(im BankImport, lines []bankfile.Keyed) error {
	for _, l := range lines {
		err := tx.gorm().Exec(insertBankLineSQL, im.Bank, im.Account.Number, im.Account.Currency, l.Day.String(), l.ValueDay.String(), string(l.Direction), l.Amount,
			l.Number, l.BankReference, l.CounterpartyAccount, l.CounterpartyName, l.CounterpartyID, l.PurposeCode, l.Purpose, l.Occurrence, l.Key[:], im.SHA256, micros(tx.now())).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// storedBankLines are the kept lines of the days that a file covers, or has lines
// of.
func (s *Store) storedBankLines(ctx context.Context, im BankImport, file []bankfile.Keyed) (list []bankfile.Stored, err error) {
	from, to := im.Statements[0].From, im.Statements[0].To
	widen := func(first, last calendar.Day) {
		if first.Before(from) {
			from = first
		}
		if last.After(to) {
			to = last
		}
	}
	for _, statement := range im.Statements {
		widen(statement.From, statement.To)
	}
	for _, l := range file {
		widen(l.Day, l.Day)
	}
	rows, err := s.raw(ctx, storedBankLinesSQL, im.Bank, im.Account.Number, from.String(), to.String()).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var l bankfile.Stored
		var key []byte
		var day string
		err := rows.Scan(&l.ID, &key, &day, (*string)(&l.Direction), &l.Amount, &l.Number, &l.BankReference, &l.CounterpartyAccount, &l.CounterpartyName, &l.Purpose)
		if err != nil {
			return nil, err
		}
		if l.Day, err = calendar.ParseDay(day); err != nil {
			return nil, err
		}
		copy(l.Key[:], key)
		list = append(list, l)
	}
	return list, rows.Err()
}

// bankGaps are the jumps of the balance before and behind each statement. A day may
// have several, such as the pages of one: what one of them ends with is enough.
func (s *Store) bankGaps(ctx context.Context, im BankImport) (gaps []BankGap, err error) {
	add := func(gap BankGap) error {
		var follow int
		err := s.raw(ctx, bankFollowSQL, im.Bank, im.Account.Number, gap.Before.String(), gap.After.String()).Row().Scan(&follow)
		if err == nil && follow == 0 {
			gaps = append(gaps, gap)
		}
		return err
	}
	for _, statement := range im.Statements {
		before, balance, err := s.bankNeighbour(ctx, bankBeforeSQL, im, statement.From)
		if err == nil && !before.IsZero() && before.Before(statement.From) && balance != statement.Opening {
			err = add(BankGap{before, statement.From, balance, statement.Opening})
		}
		if err != nil {
			return nil, err
		}
		behind, balance, err := s.bankNeighbour(ctx, bankBehindSQL, im, statement.To)
		if err == nil && behind.After(statement.To) && balance != statement.Closing {
			err = add(BankGap{statement.To, behind, statement.Closing, balance})
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(gaps, func(a, b BankGap) int { return a.Before.Compare(b.Before) })
	return slices.Compact(gaps), nil
}

func (s *Store) bankNeighbour(ctx context.Context, query string, im BankImport, of calendar.Day) (day calendar.Day, balance int64, err error) {
	var text string
	err = s.raw(ctx, query, im.Bank, im.Account.Number, of.String()).Row().Scan(&text, &balance)
	if errors.Is(err, sql.ErrNoRows) {
		return calendar.Day{}, 0, nil
	}
	if err != nil {
		return day, 0, err
	}
	day, err = calendar.ParseDay(text)
	return day, balance, err
}
