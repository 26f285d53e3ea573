package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"tolem/store/migrations"
	"tolem/topup"
)

// Balance is a ledger account with its totals in minor units, none of them
// negative. What it holds is their difference.
type Balance struct {
	Account  string
	Currency string
	Debits   int64
	Credits  int64
}

// BalanceFilter selects ledger accounts.
type BalanceFilter struct {
	Prefix string // of the account's name, byte for byte
	Limit  int    // 1 to 1000, 100 if zero
	Cursor string // what the page before returned as Next
}

// BalancePage is a page of ledger accounts, in the order of their names.
type BalancePage struct {
	Accounts []Balance
	Next     string // cursor of the next page, empty when this is the last
	// Total is all debits less all credits of the whole book, a currency: 0.
	Total map[string]int64
}

// Balances returns a page of running totals.
func (l *Ledger) Balances(ctx context.Context, f BalanceFilter) (BalancePage, error) {
	var page BalancePage
	limit, err := PageSize(f.Limit, DefaultFeed, MaxFeed)
	if err != nil {
		return page, err
	}
	if !utf8.ValidString(f.Prefix) {
		return page, topup.Invalid("prefix", "must be valid UTF-8")
	}
	q := l.reader.ORM.WithContext(ctx).Table(migrations.BalancesTable+" AS a").Select("a.name, a.currency, a.debits, a.credits").
		Where("a.name >= ?", f.Prefix).Order("a.name, a.currency").Limit(limit + 1)
	if end := PrefixEnd(f.Prefix); end != "" {
		q = q.Where("a.name < ?", end)
	}
	if f.Cursor != "" {
		after, err := DecodeCursor(f.Cursor, 2)
		if err != nil {
			return page, err
		}
		q = q.Where("(a.name, a.currency) > (?, ?)", after[0], after[1])
	}
	rows, err := q.Rows()
	if err != nil {
		return page, fmt.Errorf("read balances: %w", err)
	}
	if page.Accounts, err = scanBalances(rows); err != nil {
		return page, fmt.Errorf("read balances: %w", err)
	}
	if len(page.Accounts) > limit {
		page.Accounts = page.Accounts[:limit]
		last := page.Accounts[limit-1]
		page.Next = EncodeCursor(last.Account, last.Currency)
	}
	page.Total, err = l.bookTotal(ctx)
	return page, err
}

// PrefixEnd is the smallest text that sorts after every text with the prefix,
// byte for byte, which in UTF-8 is by code points; empty when there is none.
func PrefixEnd(prefix string) string {
	end := []rune(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		next := end[i] + 1
		if utf16.IsSurrogate(next) {
			next = 0xe000
		}
		if next <= utf8.MaxRune {
			return string(append(end[:i], next))
		}
	}
	return ""
}

// bookTotal is all debits less all credits, a currency. A sum that does not fit
// into 64 bits is an error.
func (l *Ledger) bookTotal(ctx context.Context) (total map[string]int64, err error) {
	rows, err := l.reader.Raw(ctx, `SELECT currency, sum(debits - credits) FROM `+migrations.BalancesTable+` GROUP BY currency`).Rows()
	if err != nil {
		return nil, fmt.Errorf("total of the book: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	total = make(map[string]int64)
	for rows.Next() {
		var currency string
		var sum int64
		if err := rows.Scan(&currency, &sum); err != nil {
			return nil, fmt.Errorf("total of the book: %w", err)
		}
		total[currency] = sum
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("total of the book: %w", err)
	}
	return total, nil
}

func scanBalances(rows *sql.Rows) (list []Balance, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b Balance
		if err := rows.Scan(&b.Account, &b.Currency, &b.Debits, &b.Credits); err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, rows.Err()
}

const balancesBetweenSQL = `SELECT a.name, a.currency, s.debits, s.credits FROM (
	SELECT e.account_id, ` + migrations.DebitsAndCreditsSQL + `
	FROM transactions t JOIN entries e ON e.seq = t.seq WHERE %s GROUP BY e.account_id) s
	JOIN ledger_accounts a ON a.id = s.account_id`

// BalancesBetween returns what was booked on each ledger account in a period,
// from the entries themselves, in the order of the accounts' names. It reads
// the whole journal. A sum that does not fit into 64 bits is an error.
func (l *Ledger) BalancesBetween(ctx context.Context, period Period) ([]Balance, error) {
	condition, args, err := period.Where()
	if err != nil {
		return nil, err
	}
	rows, err := l.reader.Raw(ctx, fmt.Sprintf(balancesBetweenSQL, condition), args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("balances of a period: %w", err)
	}
	list, err := scanBalances(rows)
	if err != nil {
		return nil, fmt.Errorf("balances of a period: %w", err)
	}
	slices.SortFunc(list, func(a, b Balance) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Currency, b.Currency))
	})
	return list, nil
}
