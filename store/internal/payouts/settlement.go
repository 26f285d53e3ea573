package payouts

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tolem/calendar"
	"tolem/store/internal/database"
	"tolem/store/migrations"
	"tolem/topup"
)

// UnpaidAges are the ages, in days, by which money that no payout has named is
// listed: each up to and including that; the last has no end.
var UnpaidAges = [5]string{"0-1", "2-3", "4-7", "8-40", "over-40"}

// unpaidDays are how many days before the day of the settlement each age begins.
var unpaidDays = [4]int{1, 3, 7, 40}

// Settlement is what was booked with a project of a platform in one currency, in
// minor units.
type Settlement struct {
	Provider, Project, Currency string
	// Credited is money that came, credited to contracts or in suspense. Refunded is
	// what went back through the platform, returns included.
	Credited, Refunded int64
	// PaidOut is what arrived at the bank by payouts, beside what they say was kept
	// and held back.
	PaidOut, Fees, Reserve, Adjustments int64
	// Owed is Credited − Refunded − PaidOut − Fees − Reserve − Adjustments: the
	// balance of the settlement account. Reserve will be paid beside it.
	Owed int64
	// Suspense is what of Credited is in suspense.
	Suspense int64
	// Unpaid is money that came for payments which no payout has named, by the age
	// of its movements: see UnpaidAges.
	Unpaid [len(UnpaidAges)]Unpaid
}

// Unpaid is a number of movements and their sum in minor units.
type Unpaid struct{ Count, Sum int64 }

// Settlement returns what was booked with each project of a platform, in each
// currency, up to the end of a day in a time zone, by effective time. Ages are
// counted from that day; payouts of later days have not named anything yet.
//
// With the zero Day it is all that is booked, and today's ages. The first call
// after a while reads what the journal has since the one before.
func (b *Register) Settlement(ctx context.Context, day calendar.Day, zone *time.Location) ([]Settlement, error) {
	if err := b.SumSettlement(ctx); err != nil {
		return nil, err
	}
	until, payoutsTo := int64(math.MaxInt64), "9999-12-31"
	if day != (calendar.Day{}) {
		until, payoutsTo = quarterOf(day.End(zone)), day.String()
	} else {
		day = calendar.DayOf(b.now(), zone)
	}
	var edges [len(unpaidDays)]any
	for i, days := range unpaidDays {
		edges[i] = quarterOf(day.Add(-days).Start(zone))
	}
	return b.settlement(ctx, until, payoutsTo, edges[:])
}

func quarterOf(at time.Time) int64 { return database.Micros(at) / quarterMicros }

// ageSQL is the place in UnpaidAges of a sum's quarter.
const ageSQL = `CASE WHEN u.quarter >= ? THEN 0 WHEN u.quarter >= ? THEN 1 WHEN u.quarter >= ? THEN 2 WHEN u.quarter >= ? THEN 3 ELSE 4 END`

// settlementSQL reads the sums of all accounts, once a kind, and those of received
// money less what payouts name once an age.
const settlementSQL = `SELECT a.name, a.currency, x.kind, x.age, x.n, x.amount FROM (
		SELECT u.account_id, u.kind, 0 AS age, CAST(sum(u.n) AS BIGINT) AS n, CAST(sum(u.amount) AS BIGINT) AS amount
			FROM settlement_sums u WHERE u.kind <> '` + receivedKind + `' AND u.quarter < ? GROUP BY u.account_id, u.kind
		UNION ALL
		SELECT u.account_id, '` + receivedKind + `', ` + ageSQL + `, CAST(sum(u.n) AS BIGINT), CAST(sum(u.amount) AS BIGINT)
			FROM settlement_sums u WHERE u.kind = '` + receivedKind + `' AND u.quarter < ? GROUP BY 1, 3
		UNION ALL
		SELECT u.account_id, '` + receivedKind + `', ` + ageSQL + `, CAST(-sum(u.n) AS BIGINT), CAST(-sum(u.amount) AS BIGINT)
			FROM payouts o JOIN payout_sums u ON u.payout = o.id WHERE ` + migrations.HeldPayoutSQL + ` AND o.date <= ? AND u.quarter < ? GROUP BY 1, 3) x
	JOIN ledger_accounts a ON a.id = x.account_id`

func (b *Register) settlement(ctx context.Context, until int64, payoutsTo string, edges []any) ([]Settlement, error) {
	args := slices.Concat([]any{until}, edges, []any{until}, edges, []any{payoutsTo, until})
	rows, err := b.reader.Raw(ctx, settlementSQL, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("read the sums of settlement: %w", err)
	}
	type key struct{ project, currency string }
	found := map[key]*Settlement{}
	err = EachRow(rows, func() error {
		var name, currency, kind string
		var age, n, amount int64
		if err := rows.Scan(&name, &currency, &kind, &age, &n, &amount); err != nil {
			return err
		}
		class, project, _ := strings.Cut(name, ":")
		k := key{project, currency}
		if found[k] == nil {
			provider, id, _ := strings.Cut(project, ":")
			found[k] = &Settlement{Provider: provider, Project: id, Currency: currency}
		}
		line := found[k]
		switch {
		case kind == receivedKind:
			line.Unpaid[age].Count += n
			line.Unpaid[age].Sum += amount
		case class == "suspense":
			line.Suspense -= amount
		case class == "fees":
			line.Fees += amount
		case class == "reserve":
			line.Reserve += amount
		case class == "adjustments":
			line.Adjustments += amount
		case isReceived(kind):
			line.Credited += amount
			line.Owed += amount
		case slices.Contains(topup.KindsToSettlement, topup.TransactionKind(kind)):
			line.Refunded -= amount
			line.Owed += amount
		case kind == string(topup.KindPayout):
			line.PaidOut -= amount
			line.Owed += amount
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the sums of settlement: %w", err)
	}
	var list []Settlement
	for _, line := range found {
		// Until here it is all that payouts took from settlement.
		line.PaidOut -= line.Fees + line.Reserve + line.Adjustments
		list = append(list, *line)
	}
	slices.SortFunc(list, func(a, b Settlement) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Project, b.Project), strings.Compare(a.Currency, b.Currency))
	})
	return list, nil
}
