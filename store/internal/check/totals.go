package check

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"gorm.io/gorm"

	"tolem/store/internal/sqlite"
	"tolem/topup"
)

const (
	// totalsAtOnce is how many ledger accounts are summed in one walk over the entries:
	// so memory is bounded, and nothing is sorted.
	totalsAtOnce = 1 << 20
	// totalsWalks bounds the walks. A book with more accounts is sorted by them.
	totalsWalks = 8
)

// totalsAreRight reports whether the running totals are the sums of the entries. If
// not, or if that would take too many walks over the entries, the rule tells.
func totalsAreRight(db *gorm.DB) (right bool, err error) {
	conn, single := db.Statement.ConnPool.(*sql.Conn)
	if !single {
		return false, nil
	}
	t := totals{ctx: db.Statement.Context, through: math.MinInt64}
	queries := map[*sqlite.Statement]string{
		&t.entries:  `SELECT account_id, amount FROM entries`,
		&t.accounts: `SELECT id, debits, credits FROM ledger_accounts WHERE id >= ? AND id <= ?`,
	}
	if err := sqlite.Prepare(t.ctx, conn, queries); err != nil {
		return false, err
	}
	defer t.entries.Close()
	defer t.accounts.Close()
	var first, last sql.NullInt64
	for range totalsWalks {
		if err := db.Raw(`SELECT min(id), max(id) FROM ledger_accounts WHERE id > ?`, t.through).Row().Scan(&first, &last); err != nil {
			return false, err
		}
		if !first.Valid {
			return true, nil
		}
		t.first, t.through = first.Int64, min(last.Int64, first.Int64+totalsAtOnce-1)
		if err := t.compare(); errors.Is(err, errTotals) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("add the entries up: %w", err)
		}
	}
	return false, nil
}

// errTotals says that a running total is not the sum of its entries.
var errTotals = errors.New("a running total is not the sum of its entries")

// totals are the sums of the entries on some accounts.
type totals struct {
	ctx               context.Context
	entries, accounts sqlite.Statement
	first, through    int64  // accounts
	sums              []side // of each
}

// side are the sums of an account.
type side struct{ debits, credits int64 }

// compare sums the accounts from the first on, and compares them.
func (t *totals) compare() error {
	t.sums = slices.Grow(t.sums[:0], int(t.through-t.first+1))[:t.through-t.first+1]
	clear(t.sums)
	err := t.entries.Integers(t.ctx, 2, func(row []int64) (err error) {
		if row[0] < t.first || row[0] > t.through {
			return nil
		}
		sum := &t.sums[row[0]-t.first]
		switch amount := row[1]; {
		case amount > 0:
			sum.debits, err = topup.Add(sum.debits, amount)
		case amount == math.MinInt64:
			err = errTotals
		default:
			sum.credits, err = topup.Add(sum.credits, -amount)
		}
		if err != nil {
			return errTotals
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.accounts.Integers(t.ctx, 3, func(row []int64) error {
		if t.sums[row[0]-t.first] != (side{row[1], row[2]}) {
			return errTotals
		}
		return nil
	}, t.first, t.through)
}
