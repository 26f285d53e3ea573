package turnover

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tolem/calendar"
	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/topup"
)

// The turnover of each day is kept in the table turnover, so that a report does
// not read the whole journal. The journal is insert-only: what its transactions up
// to a place came to never changes, so the table says up to which place it counts,
// and only what is behind is read. It is derived data, filled by whoever reports
// and by the leader; nothing that a provider waits for writes it.

const (
	// turnoverChunk is how many transactions are summed by one query.
	turnoverChunk = 16_384
	// turnoverChunks is how many chunks are written together.
	turnoverChunks = 64
	// turnoverTries is how often the sums are taken anew after another process has
	// written its own meanwhile.
	turnoverTries = 5
)

// quarter is the unit in which a day is found: time zones differ from UTC by
// multiples of it.
const quarter = 15 * time.Minute

// turnoverKey is what sums are kept by.
type turnoverKey struct {
	day                         calendar.Day
	provider, project, currency string
}

// turnoverSums are what moved. All but count are minor units.
type turnoverSums struct{ count, credited, refunded, fees int64 }

func (s *turnoverSums) add(o turnoverSums) (err error) {
	var failed [4]error
	s.count, failed[0] = topup.Add(s.count, o.count)
	s.credited, failed[1] = topup.Add(s.credited, o.credited)
	s.refunded, failed[2] = topup.Add(s.refunded, o.refunded)
	s.fees, failed[3] = topup.Add(s.fees, o.fees)
	return errors.Join(failed[:]...)
}

// creditingSQL is the condition that a transaction's kind gives money to a
// contract.
var creditingSQL = `t.kind IN (` + quotedKinds(topup.KindsThatCredit) + `)`

func quotedKinds(kinds []topup.TransactionKind) string {
	quoted := make([]string, len(kinds))
	for i, kind := range kinds {
		quoted[i] = "'" + string(kind) + "'"
	}
	return strings.Join(quoted, ", ")
}

// rootKindSQL is the kind of transaction t, of a reversal that of what it undoes.
const rootKindSQL = `CASE WHEN t.reverses IS NULL THEN t.kind ELSE (
	WITH RECURSIVE chain (seq) AS (SELECT t.reverses UNION ALL SELECT x.reverses FROM chain c JOIN transactions x ON x.seq = c.seq WHERE x.reverses IS NOT NULL)
	SELECT k.kind FROM chain c JOIN transactions k ON k.seq = c.seq WHERE k.reverses IS NULL) END`

const (
	turnoverEndSQL = `SELECT max(x.seq) FROM (SELECT t.seq FROM transactions t WHERE t.seq > ? AND t.seq <= ? ORDER BY t.seq LIMIT ?) x`
	// A credit's other side is the platform's settlement or suspense account, of which
	// there are few.
	turnoverCreditsSQL = `SELECT t.effective_at / 900000000, t.kind, e.account_id, count(*), CAST(sum(e.amount) AS BIGINT)
	FROM transactions t JOIN entries e ON e.seq = t.seq WHERE t.seq > ? AND t.seq <= ? AND e.amount > 0 GROUP BY 1, 2, 3`
	turnoverOthersSQL = `SELECT t.effective_at / 900000000, ` + rootKindSQL + `, e.amount, a.name, a.currency, coalesce(p.provider, ''), coalesce(p.project, '')
	FROM transactions t JOIN entries e ON e.seq = t.seq JOIN ledger_accounts a ON a.id = e.account_id LEFT JOIN payments p ON p.payment_id = t.payment_id
	WHERE t.seq > ? AND t.seq <= ? AND NOT (%s) AND (a.name >= 'customers:' AND a.name < 'customers;' OR a.name >= 'fees:' AND a.name < 'fees;')`
	turnoverThroughSQL = `SELECT seq FROM turnover_through WHERE zone = ?`
	turnoverSumsSQL    = `SELECT day, provider, project, currency, credits, credited, refunded, fees FROM turnover
	WHERE zone = ? AND day >= ? AND day <= ? ORDER BY day, provider, project, currency`
)

// SumTurnover brings the kept sums of the days in a time zone up to date, and
// returns how many transactions it has read.
func (r *Reports) SumTurnover(ctx context.Context, zone *time.Location) (int, error) {
	read := 0
	for range turnoverTries {
		n, err := r.sumTurnover(ctx, zone)
		read += n
		if !errors.Is(err, errOvertaken) {
			if err != nil {
				return read, fmt.Errorf("sum the turnover: %w", err)
			}
			return read, nil
		}
	}
	// Others are at it: the sums are as good as theirs.
	return read, nil
}

// errOvertaken says that another process has written the same sums.
var errOvertaken = errors.New("another process has summed the turnover meanwhile")

func (r *Reports) sumTurnover(ctx context.Context, zone *time.Location) (read int, err error) {
	last, err := r.ledger.LastFinal(ctx)
	if err != nil {
		return 0, err
	}
	through, err := r.turnoverThrough(ctx, zone)
	if err != nil {
		return 0, err
	}
	for through < last {
		sum := newTurnoverSum(r, zone)
		from := through
		for range turnoverChunks {
			if through, err = sum.chunk(ctx, through, last); err != nil {
				return read, err
			}
			if through >= last {
				break
			}
		}
		if err := r.keepTurnover(ctx, zone, from, through, sum.sums); err != nil {
			return read, err
		}
		read += sum.read
	}
	return read, nil
}

// turnoverThrough is the last place of the journal that the kept sums count.
func (r *Reports) turnoverThrough(ctx context.Context, zone *time.Location) (seq int64, err error) {
	err = r.reader.Raw(ctx, turnoverThroughSQL, zone.String()).Row().Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return seq, err
}

// turnoverSum sums chunks of the journal.
type turnoverSum struct {
	reports  *Reports
	zone     *time.Location
	sums     map[turnoverKey]turnoverSums
	days     map[int64]calendar.Day // by quarter hours
	accounts map[int64]ledgerName
	read     int
}

// ledgerName is a ledger account of a platform.
type ledgerName struct{ provider, project, currency string }

func newTurnoverSum(r *Reports, zone *time.Location) *turnoverSum {
	return &turnoverSum{r, zone, map[turnoverKey]turnoverSums{}, map[int64]calendar.Day{}, map[int64]ledgerName{}, 0}
}

func (t *turnoverSum) day(quarters int64) calendar.Day {
	day, known := t.days[quarters]
	if !known {
		day = calendar.DayOf(database.FromMicros(quarters*quarter.Microseconds()), t.zone)
		t.days[quarters] = day
	}
	return day
}

func (t *turnoverSum) add(quarters int64, of ledgerName, sums turnoverSums) error {
	key := turnoverKey{t.day(quarters), of.provider, of.project, of.currency}
	kept := t.sums[key]
	err := kept.add(sums)
	t.sums[key] = kept
	return err
}

// chunk sums what comes next behind a place, and returns the last place that it
// has counted.
func (t *turnoverSum) chunk(ctx context.Context, after, last int64) (int64, error) {
	var end sql.NullInt64
	if err := t.reports.reader.Raw(ctx, turnoverEndSQL, after, last, turnoverChunk).Row().Scan(&end); err != nil {
		return after, err
	}
	if !end.Valid {
		return last, nil
	}
	others, err := t.credits(ctx, after, end.Int64)
	if err == nil && others {
		err = t.others(ctx, after, end.Int64)
	}
	return end.Int64, err
}

// creditGroup are the credits of a quarter of an hour.
type creditGroup struct {
	quarters, account, count, amount int64
	kind                             topup.TransactionKind
}

// credits sums what was credited, and reports whether there were transactions of
// other kinds that matter.
func (t *turnoverSum) credits(ctx context.Context, after, through int64) (others bool, err error) {
	rows, err := t.reports.reader.Raw(ctx, turnoverCreditsSQL, after, through).Rows()
	if err != nil {
		return false, err
	}
	var groups []creditGroup
	for rows.Next() {
		var g creditGroup
		if err := rows.Scan(&g.quarters, (*string)(&g.kind), &g.account, &g.count, &g.amount); err != nil {
			return false, errors.Join(err, rows.Close())
		}
		groups = append(groups, g)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return false, err
	}
	for _, g := range groups {
		t.read += int(g.count)
		if !slices.Contains(topup.KindsThatCredit, g.kind) {
			others = others || g.kind != topup.KindSuspense
			continue
		}
		of, err := t.account(ctx, g.account)
		if err != nil {
			return false, err
		}
		if err := t.add(g.quarters, of, turnoverSums{count: g.count, credited: g.amount}); err != nil {
			return false, err
		}
	}
	return others, nil
}

// account is a ledger account of a platform.
func (t *turnoverSum) account(ctx context.Context, id int64) (ledgerName, error) {
	if of, known := t.accounts[id]; known {
		return of, nil
	}
	var name, currency string
	if err := t.reports.reader.Raw(ctx, `SELECT name, currency FROM ledger_accounts WHERE id = ?`, id).Row().Scan(&name, &currency); err != nil {
		return ledgerName{}, err
	}
	of := platformOf(name, currency)
	t.accounts[id] = of
	return of, nil
}

// platformOf takes the name of a platform's ledger account apart.
func platformOf(name, currency string) ledgerName {
	_, rest, _ := strings.Cut(name, ":")
	provider, project, _ := strings.Cut(rest, ":")
	return ledgerName{provider, project, currency}
}

// others sums refunds, recalls, reversals and payouts, which are few.
func (t *turnoverSum) others(ctx context.Context, after, through int64) (err error) {
	rows, err := t.reports.reader.Raw(ctx, fmt.Sprintf(turnoverOthersSQL, creditingSQL), after, through).Rows()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			quarters, amount     int64
			kind, name, currency string
			of                   ledgerName
		)
		if err := rows.Scan(&quarters, &kind, &amount, &name, &currency, &of.provider, &of.project); err != nil {
			return err
		}
		of.currency = currency
		sums := turnoverSums{}
		switch {
		case strings.HasPrefix(name, "fees:"):
			of, sums.fees = platformOf(name, currency), amount
		case kind == string(topup.KindRefund):
			sums.refunded = amount
		default:
			sums.credited = -amount
		}
		if err := t.add(quarters, of, sums); err != nil {
			return err
		}
	}
	return rows.Err()
}

// keepTurnover adds sums to those that are kept, if nobody else has meanwhile.
func (r *Reports) keepTurnover(ctx context.Context, zone *time.Location, from, through int64, sums map[turnoverKey]turnoverSums) error {
	return r.writer.Do(ctx, func(tx *engine.Tx) error {
		db := tx.Gorm()
		moved := db.Exec(`UPDATE turnover_through SET seq = ? WHERE zone = ? AND seq = ?`, through, zone.String(), from)
		if moved.Error == nil && moved.RowsAffected == 0 && from == 0 {
			moved = db.Exec(`INSERT INTO turnover_through (zone, seq) VALUES (?, ?) ON CONFLICT DO NOTHING`, zone.String(), through)
		}
		if moved.Error != nil {
			return moved.Error
		}
		if moved.RowsAffected == 0 {
			return errOvertaken
		}
		for key, sum := range sums {
			err := db.Exec(`INSERT INTO turnover (zone, day, provider, project, currency, credits, credited, refunded, fees) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (zone, day, provider, project, currency) DO UPDATE SET credits = turnover.credits + excluded.credits,
					credited = turnover.credited + excluded.credited, refunded = turnover.refunded + excluded.refunded, fees = turnover.fees + excluded.fees`,
				zone.String(), key.day.String(), key.provider, key.project, key.currency, sum.count, sum.credited, sum.refunded, sum.fees).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
}
