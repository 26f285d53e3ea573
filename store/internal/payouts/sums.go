package payouts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/migrations"
	"tolem/topup"
)

// What was booked with platforms is added up by quarters of an hour: time zones
// begin their days at one. The sums follow the feed: whoever asks for them first
// brings them up to its end. So no callback pays for them, and nobody reads the
// journal twice.

const (
	// quarterMicros is a quarter of an hour in microseconds.
	quarterMicros = 15 * 60 * 1_000_000
	// summedAtOnce is how many transactions are added up at a time.
	summedAtOnce = 50_000
	// sumsAttempts bounds how often the sums are begun anew because another process
	// was faster.
	sumsAttempts = 100

	receivedKind = migrations.ReceivedKind
)

type sumKey struct {
	account int64
	kind    string
	quarter int64
}

// payoutSumKey is a sum of received money of the payments that a payout names.
type payoutSumKey struct{ payout, account, quarter int64 }

type sum struct{ n, amount int64 }

// Sums are what is to be added.
type Sums struct {
	all   map[sumKey]sum
	named map[payoutSumKey]sum
}

func NewSums() *Sums { return &Sums{map[sumKey]sum{}, map[payoutSumKey]sum{}} }

func (s *Sums) add(k sumKey, n, amount int64) {
	was := s.all[k]
	s.all[k] = sum{was.n + n, was.amount + amount}
}

// CopyNamed takes over what the other sums have of what payouts name.
func (s *Sums) CopyNamed(o *Sums) { maps.Copy(s.named, o.named) }

func (s *Sums) addNamed(k payoutSumKey, n, amount int64) {
	was := s.named[k]
	s.named[k] = sum{was.n + n, was.amount + amount}
}

// Progress is how far the sums have come.
type Progress struct{ Seq, Version int64 }

func ReadProgress(q engine.Query) (p Progress, err error) {
	if err := q(`SELECT seq, version FROM settlement_progress WHERE id = 1`).Row().Scan(&p.Seq, &p.Version); err != nil {
		return p, fmt.Errorf("read how far the sums of settlement have come: %w", err)
	}
	return p, nil
}

// RaiseVersion tells whoever adds up that what payouts name has changed.
func RaiseVersion(tx *engine.Tx) error {
	if err := tx.Gorm().Exec(`UPDATE settlement_progress SET version = version + 1 WHERE id = 1`).Error; err != nil {
		return fmt.Errorf("note that payouts have changed: %w", err)
	}
	return nil
}

// SumSettlement adds up what was booked with platforms since it was last called, and
// links lines of payouts to payments that have become known. Settlement does the
// same: who calls this from time to time makes that quick.
func (b *Register) SumSettlement(ctx context.Context) error {
	last, err := b.ledger.LastFinal(ctx)
	if err != nil {
		return err
	}
	moved := false
	for range sumsAttempts {
		at, err := ReadProgress(b.reader.Query(ctx))
		if err != nil {
			return err
		}
		for overtaken := false; at.Seq < last && !overtaken; {
			moved = true
			next, done, err := b.addToSums(ctx, at, last)
			if err != nil {
				return err
			}
			at, overtaken = next, !done
		}
		if at.Seq < last {
			continue // another process was faster
		}
		if !moved {
			return nil
		}
		if linked, err := b.linkLines(ctx, at); err != nil || linked {
			return err
		}
	}
	return database.Unavailable(errors.New("the sums of settlement are being brought up by other processes"))
}

// Unsummed is how many transactions SumSettlement has to read.
func (b *Register) Unsummed(ctx context.Context) (int64, error) {
	last, err := b.ledger.LastFinal(ctx)
	if err != nil {
		return 0, err
	}
	at, err := ReadProgress(b.reader.Query(ctx))
	return max(0, last-at.Seq), err
}

// addToSums adds the next transactions of the feed up to last. It reads outside of
// a write, and writes only if nobody has changed anything meanwhile.
func (b *Register) addToSums(ctx context.Context, at Progress, last int64) (Progress, bool, error) {
	var to sql.NullInt64
	err := b.reader.Raw(ctx, `SELECT max(x.seq) FROM (SELECT t.seq FROM transactions t WHERE t.seq > ? AND t.seq <= ? ORDER BY t.seq LIMIT ?) x`,
		at.Seq, last, summedAtOnce).Row().Scan(&to)
	if err != nil {
		return at, false, fmt.Errorf("read the feed: %w", err)
	}
	if !to.Valid {
		to.Int64 = last
	}
	add, err := b.sumsBetween(ctx, at.Seq, to.Int64)
	if err != nil {
		return at, false, err
	}
	// The write may outlive ctx, and with it this call: what it reads does not change.
	next, done := Progress{to.Int64, at.Version + 1}, false
	err = b.writer.Do(ctx, func(tx *engine.Tx) error {
		done = false
		if err := Lock(tx); err != nil {
			return err
		}
		now, err := ReadProgress(tx.Raw)
		if err != nil || now != at {
			return err
		}
		if err := tx.Gorm().Exec(`UPDATE settlement_progress SET seq = ?, version = ? WHERE id = 1`, next.Seq, next.Version).Error; err != nil {
			return fmt.Errorf("note how far the sums of settlement have come: %w", err)
		}
		done = true
		return WriteSums(tx, add)
	})
	if err != nil {
		return at, false, fmt.Errorf("add to the sums of settlement: %w", err)
	}
	return next, done, nil
}

// sumsBetween adds up the transactions after from, up to to.
func (b *Register) sumsBetween(ctx context.Context, from, to int64) (*Sums, error) {
	accounts, err := b.platformAccounts(ctx)
	if err != nil {
		return nil, err
	}
	add := NewSums()
	if len(accounts) == 0 {
		return add, nil
	}
	// The transactions that stand on their own, which are nearly all.
	rows, err := b.reader.Raw(ctx, `SELECT e.account_id, t.kind, t.effective_at / ?, count(*), sum(e.amount)
		FROM transactions t CROSS JOIN entries e WHERE e.seq = t.seq AND t.seq > ? AND t.seq <= ? AND t.kind NOT IN ? AND e.account_id IN ?
		GROUP BY 1, 2, 3`, quarterMicros, from, to, kindTexts(topup.KindsThatReverse), accounts).Rows()
	if err != nil {
		return nil, fmt.Errorf("add up the journal: %w", err)
	}
	err = EachRow(rows, func() error {
		var k sumKey
		var n, amount int64
		if err := rows.Scan(&k.account, &k.kind, &k.quarter, &n, &amount); err != nil {
			return err
		}
		add.add(k, n, amount)
		if isReceived(k.kind) && amount > 0 {
			k.kind = receivedKind
			add.add(k, n, amount)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("add up the journal: %w", err)
	}
	if err := b.namedBetween(ctx, add, from, to); err != nil {
		return nil, err
	}
	return add, b.reversalsBetween(ctx, add, from, to, accounts)
}

// kindTexts are kinds as arguments of a query.
func kindTexts(kinds []topup.TransactionKind) []string {
	texts := make([]string, len(kinds))
	for i, kind := range kinds {
		texts[i] = string(kind)
	}
	return texts
}

func isReceived(kind string) bool {
	return slices.Contains(topup.KindsFromSettlement, topup.TransactionKind(kind))
}

// EachRow calls scan for every row, and closes them.
func EachRow(rows *sql.Rows, scan func() error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (b *Register) platformAccounts(ctx context.Context) (ids []int64, err error) {
	if err := b.reader.Raw(ctx, `SELECT a.id FROM ledger_accounts a WHERE `+migrations.PlatformAccountsSQL).Scan(&ids).Error; err != nil {
		return nil, fmt.Errorf("read the accounts of platforms: %w", err)
	}
	return ids, nil
}

// firstNamingSQL is true of the first line l of a payout that brings money of its
// payment.
const firstNamingSQL = `l.type = 'payment' AND NOT EXISTS (SELECT 1 FROM payout_lines b
	WHERE b.payment_id = l.payment_id AND b.payout = l.payout AND b.type = 'payment' AND b.n < l.n)`

// namedBetween adds money that was received for payments which payouts had named
// before. What staged ones name is added when they are published.
func (b *Register) namedBetween(ctx context.Context, add *Sums, from, to int64) error {
	var any bool
	if err := b.reader.Raw(ctx, `SELECT EXISTS (SELECT 1 FROM payouts)`).Row().Scan(&any); err != nil || !any {
		return err
	}
	rows, err := b.reader.Raw(ctx, `SELECT l.payout, e.account_id, t.effective_at / ?, count(*), sum(e.amount)
		FROM transactions t CROSS JOIN payout_lines l CROSS JOIN payouts o CROSS JOIN entries e
		WHERE t.seq > ? AND t.seq <= ? AND t.kind IN ? AND l.payment_id = t.payment_id AND o.id = l.payout AND o.state <> 'staged' AND `+firstNamingSQL+`
			AND e.seq = t.seq AND e.amount > 0 GROUP BY 1, 2, 3`, quarterMicros, from, to, kindTexts(topup.KindsFromSettlement)).Rows()
	if err != nil {
		return fmt.Errorf("add up what payouts name: %w", err)
	}
	return scanNamed(rows, add)
}

func scanNamed(rows *sql.Rows, add *Sums) error {
	err := EachRow(rows, func() error {
		var k payoutSumKey
		var n, amount int64
		if err := rows.Scan(&k.payout, &k.account, &k.quarter, &n, &amount); err != nil {
			return err
		}
		add.addNamed(k, n, amount)
		return nil
	})
	if err != nil {
		return fmt.Errorf("add up what payouts name: %w", err)
	}
	return nil
}

// upSQL follows the reversals that a condition on transactions t selects up to what
// they undo or do again: up(start, seq, depth).
const upSQL = `WITH RECURSIVE up (start, seq, depth) AS (
		SELECT t.seq, t.reverses, 1 FROM transactions t WHERE t.reverses IS NOT NULL AND %s
		UNION ALL SELECT u.start, t.reverses, u.depth + 1 FROM up u JOIN transactions t ON t.seq = u.seq WHERE t.reverses IS NOT NULL)
	SELECT r.kind, r.effective_at / ?, r.payment_id, t.effective_at / ?, u.depth, e.account_id, e.amount
	FROM up u JOIN transactions r ON r.seq = u.seq AND r.reverses IS NULL JOIN transactions t ON t.seq = u.start JOIN entries e ON e.seq = u.start`

// reversalsBetween adds reversals to the sums of what they undo.
func (b *Register) reversalsBetween(ctx context.Context, add *Sums, from, to int64, accounts []int64) error {
	rows, err := b.reader.Raw(ctx, fmt.Sprintf(upSQL, `t.seq > ? AND t.seq <= ?`)+` WHERE e.account_id IN ?`,
		from, to, quarterMicros, quarterMicros, accounts).Rows()
	if err != nil {
		return fmt.Errorf("add up reversals: %w", err)
	}
	type undone struct {
		payment string
		key     sumKey
		sum     sum
	}
	var list []undone
	err = EachRow(rows, func() error {
		var kind, payment string
		var rootQuarter, quarter, depth, account, amount int64
		if err := rows.Scan(&kind, &rootQuarter, &payment, &quarter, &depth, &account, &amount); err != nil {
			return err
		}
		n := int64(1) - 2*(depth%2) // an odd number of reversals undoes
		add.add(sumKey{account, kind, quarter}, n, amount)
		// Of money that came, the debit of settlement; its mirror is a credit.
		if isReceived(kind) && n*amount > 0 {
			list = append(list, undone{payment, sumKey{account, receivedKind, rootQuarter}, sum{n, amount}})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add up reversals: %w", err)
	}
	for _, u := range list {
		add.add(u.key, u.sum.n, u.sum.amount)
		var payouts []int64
		if err := b.reader.Raw(ctx, `SELECT DISTINCT l.payout FROM payout_lines l JOIN payouts o ON o.id = l.payout
			WHERE l.payment_id = ? AND l.type = 'payment' AND o.state <> 'staged'`, u.payment).Scan(&payouts).Error; err != nil {
			return fmt.Errorf("add up reversals: %w", err)
		}
		for _, p := range payouts {
			add.addNamed(payoutSumKey{p, u.key.account, u.key.quarter}, u.sum.n, u.sum.amount)
		}
	}
	return nil
}

// NamedBy adds up what was received, up to a place in the feed, for the payments
// that a payout names: all, or those that are listed.
func NamedBy(q engine.Query, payout, to int64, payments []string) (*Sums, error) {
	only, args := ``, []any(nil)
	if payments != nil {
		only, args = ` AND l.payment_id IN ?`, []any{payments}
	}
	add := NewSums()
	rows, err := q(`SELECT l.payout, e.account_id, t.effective_at / ?, count(*), sum(e.amount)
		FROM payout_lines l CROSS JOIN transactions t CROSS JOIN entries e
		WHERE l.payout = ? AND `+firstNamingSQL+` AND t.payment_id = l.payment_id AND t.seq <= ? AND t.kind IN ?
			AND e.seq = t.seq AND e.amount > 0`+only+` GROUP BY 1, 2, 3`,
		append([]any{quarterMicros, payout, to, kindTexts(topup.KindsFromSettlement)}, args...)...).Rows()
	if err != nil {
		return nil, fmt.Errorf("add up what payouts name: %w", err)
	}
	if err := scanNamed(rows, add); err != nil {
		return nil, err
	}
	// What operators took back again of it.
	args = append(append([]any{to, payout}, args...), quarterMicros, quarterMicros)
	rows, err = q(fmt.Sprintf(upSQL, `t.seq <= ? AND t.payment_id IN (SELECT l.payment_id FROM payout_lines l WHERE l.payout = ? AND l.type = 'payment'`+only+`)`)+
		` JOIN ledger_accounts a ON a.id = e.account_id WHERE a.name >= 'settlement:' AND a.name < 'settlement;'`, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("add up what payouts name: %w", err)
	}
	err = EachRow(rows, func() error {
		var kind, payment string
		var rootQuarter, quarter, depth, account, amount int64
		if err := rows.Scan(&kind, &rootQuarter, &payment, &quarter, &depth, &account, &amount); err != nil {
			return err
		}
		if n := int64(1) - 2*(depth%2); isReceived(kind) && n*amount > 0 {
			add.addNamed(payoutSumKey{payout, account, rootQuarter}, n, amount)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("add up what payouts name: %w", err)
	}
	return add, nil
}

// sumsPerStatement is how many sums are written by one statement.
const sumsPerStatement = 200

// WriteSums adds sums to those that are stored.
func WriteSums(tx *engine.Tx, add *Sums) error {
	keys := slices.SortedFunc(maps.Keys(add.all), func(a, b sumKey) int {
		return compareInOrder(a.account-b.account, int64(strings.Compare(a.kind, b.kind)), a.quarter-b.quarter)
	})
	for part := range slices.Chunk(keys, sumsPerStatement) {
		args := make([]any, 0, 5*len(part))
		for _, k := range part {
			args = append(args, k.account, k.kind, k.quarter, add.all[k].n, add.all[k].amount)
		}
		if err := upsertSums(tx.Gorm(), "settlement_sums", []string{"account_id", "kind", "quarter"}, len(part), args); err != nil {
			return err
		}
	}
	named := slices.SortedFunc(maps.Keys(add.named), func(a, b payoutSumKey) int {
		return compareInOrder(a.payout-b.payout, a.account-b.account, a.quarter-b.quarter)
	})
	for part := range slices.Chunk(named, sumsPerStatement) {
		args := make([]any, 0, 5*len(part))
		for _, k := range part {
			args = append(args, k.payout, k.account, k.quarter, add.named[k].n, add.named[k].amount)
		}
		if err := upsertSums(tx.Gorm(), "payout_sums", []string{"payout", "account_id", "quarter"}, len(part), args); err != nil {
			return err
		}
	}
	return nil
}

// compareInOrder is the first difference that is not zero, as slices want it.
func compareInOrder(differences ...int64) int {
	for _, d := range differences {
		switch {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
	}
	return 0
}

func upsertSums(db *gorm.DB, table string, key []string, rows int, args []any) error {
	columns := strings.Join(key, ", ")
	err := db.Exec(`INSERT INTO `+table+` AS s (`+columns+`, n, amount) VALUES (?, ?, ?, ?, ?)`+strings.Repeat(`, (?, ?, ?, ?, ?)`, rows-1)+
		` ON CONFLICT (`+columns+`) DO UPDATE SET n = s.n + excluded.n, amount = s.amount + excluded.amount`, args...).Error
	if err != nil {
		return fmt.Errorf("write sums: %w", err)
	}
	return nil
}
