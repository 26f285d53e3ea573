package store_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := calendar.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// turnoverModel adds the journal up in the obvious way. It knows a payment's
// project and method, and shows rows as turnoverRows does.
func turnoverModel(t testing.TB, s *store.Store, q store.TurnoverQuery) map[string][4]int64 {
	t.Helper()
	kinds := map[string]topup.TransactionKind{} // of a reversal that of what it undoes
	rows := map[string][4]int64{}
	err := s.Journal(context.Background(), store.Period{}, func(tx topup.Transaction) error {
		kind := tx.Kind
		if tx.Reverses != "" {
			kind = kinds[tx.Reverses]
		}
		kinds[tx.ID] = kind
		day := calendar.DayOf(tx.EffectiveAt, q.Zone)
		if !q.From.IsZero() && day.Before(q.From) || !q.To.IsZero() && day.After(q.To) {
			return nil
		}
		for _, p := range tx.Postings {
			name := strings.Split(p.Account, ":")
			if name[0] != "customers" && name[0] != "fees" {
				continue
			}
			payment := &topup.Payment{}
			if tx.PaymentID != "" {
				payment = mustPayment(t, s, tx.PaymentID)
			}
			var key []string
			for _, d := range q.By {
				key = append(key, map[store.Dimension]string{
					store.ByDay: day.String(), store.ByMonth: day.String()[:7], store.ByContract: name[1] + "/" + name[2],
					store.ByProject: payment.Provider + "/" + payment.Project, store.ByMethod: payment.Method,
				}[d])
			}
			row := rows[strings.Join(append(key, p.Currency), " ")]
			switch {
			case name[0] == "fees":
				row[3] += p.Amount
			case kind == "refund":
				row[2] += p.Amount
			default:
				row[1] -= p.Amount
			}
			if slices.Contains(topup.KindsThatCredit, tx.Kind) && name[0] == "customers" {
				row[0]++
			}
			rows[strings.Join(append(key, p.Currency), " ")] = row
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(rows, func(_ string, row [4]int64) bool { return row == [4]int64{} })
	return rows
}

// turnoverRows are the rows of the store, which must be in order.
func turnoverRows(t testing.TB, s *store.Store, q store.TurnoverQuery) map[string][4]int64 {
	t.Helper()
	rows := map[string][4]int64{}
	err := s.Turnover(context.Background(), q, func(r store.Turnover) error {
		var key []string
		for _, d := range q.By {
			key = append(key, map[store.Dimension]string{
				store.ByDay: r.Day.String(), store.ByMonth: r.Month, store.ByContract: r.CustomerID + "/" + r.ContractID,
				store.ByProject: r.Provider + "/" + r.Project, store.ByMethod: r.Method,
			}[d])
		}
		row := [4]int64{r.Count, r.Credited, r.Refunded}
		if r.Fees != nil {
			row[3] = *r.Fees
		}
		if row != [4]int64{} {
			name := strings.Join(append(key, r.Currency), " ")
			if _, twice := rows[name]; twice {
				t.Errorf("%s is there twice", name)
			}
			rows[name] = row
		}
		if got, want := r.Net(), row[1]-row[2]-row[3]; got != want {
			t.Errorf("net: got %d, want %d", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Reports say what the journal does, by whatever they tell it, when asked for the
// first time and when asked again while the journal grows.
func TestTurnover(t *testing.T) {
	s := bookOf(t)
	random := rand.New(rand.NewPCG(19, 22))
	start := time.Date(2026, 10, 29, 0, 0, 0, 0, time.UTC)
	var done []string // transactions that may be reversed or recalled
	step := func(i int) {
		at := func(e *topup.Event) {
			e.EffectiveAt = start.Add(time.Duration(random.IntN(72*60)) * time.Minute)
			e.Sum.Amount += int64(random.IntN(5))
			e.Initial = e.Sum
		}
		operation := fmt.Sprint("op", i)
		switch random.IntN(6) {
		case 0, 1:
			id := mustIssue(t, s, func(n *store.NewPayment) { n.Method = []string{"terminal/kaspi", "card"}[random.IntN(2)] })
			e := paid(id, operation)
			e.EffectiveAt = start.Add(time.Duration(random.IntN(72*60)) * time.Minute)
			mustRecord(t, s, e)
			if random.IntN(3) == 0 {
				done = append(done, must(t)(s.RecallPayment(ctx, id, anna)).ID)
			}
		case 2:
			id := mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID, n.ContractID, n.Money.Currency = "7999999999", "1", "KGS" })
			done = append(done, must(t)(s.CreditPayment(ctx, id, anna)).ID)
		case 3:
			_, item := suspendedItem(t, s, paid("theirs"+operation, operation, at, func(e *topup.Event) { e.Project = "77" }))
			done = append(done, must(t)(s.AssignSuspense(ctx, item, "7000000000", "1", anna)).ID)
		case 4, 5:
			if len(done) > 0 {
				// The newest first: what something else rests on is refused.
				if made, err := s.Reverse(ctx, done[len(done)-1], anna); err == nil {
					done[len(done)-1] = made.ID
				}
			}
		}
	}
	almaty, havana := zoneOf(t, "Asia/Almaty"), zoneOf(t, "America/Havana")
	days := func(from, to string) store.TurnoverQuery {
		q := store.TurnoverQuery{Zone: almaty}
		var err error
		if q.From, err = calendar.ParseDay(from); err != nil && from != "" {
			t.Fatal(err)
		}
		if q.To, err = calendar.ParseDay(to); err != nil && to != "" {
			t.Fatal(err)
		}
		return q
	}
	queries := []store.TurnoverQuery{days("", ""), days("2026-10-30", "2026-10-31"), days("2026-10-31", ""), days("", "2026-10-30"), days("2030-01-01", "2030-01-02")}
	havanas := days("", "")
	havanas.Zone = havana
	queries = append(queries, havanas)
	compare := func() {
		t.Helper()
		for _, by := range []string{"day", "month", "project", "contract", "method", "day,project", "project,day", "contract,day", "day,contract", "method,month", "project,method", "contract,project"} {
			for _, q := range queries {
				var err error
				if q.By, err = store.ParseDimensions(by); err != nil {
					t.Fatal(err)
				}
				got, want := turnoverRows(t, s, q), turnoverModel(t, s, q)
				if !maps.Equal(got, want) {
					t.Errorf("by %s, %s to %s in %s:\ngot  %v\nwant %v", by, q.From, q.To, q.Zone, got, want)
				}
			}
		}
	}
	compare() // an empty book
	for i := range 60 {
		step(i)
		if i%20 == 19 {
			compare()
		}
	}
	checked(t, s)
	t.Run("OrderIsThatOfTheDimensions", func(t *testing.T) {
		var last []string
		q := days("", "")
		q.By = []store.Dimension{store.ByContract, store.ByDay}
		err := s.Turnover(ctx, q, func(r store.Turnover) error {
			key := []string{r.CustomerID, r.ContractID, r.Day.String(), r.Currency}
			if slices.Compare(last, key) > 0 {
				t.Errorf("%v stands behind %v", key, last)
			}
			last = key
			return nil
		})
		if err != nil || last == nil {
			t.Errorf("got %v, %v", last, err)
		}
	})
	t.Run("TwoAtOnce", func(t *testing.T) {
		for i := range 20 {
			step(1000 + i)
		}
		ended := make(chan error, 4)
		for range cap(ended) {
			go func() {
				_, err := s.SumTurnover(ctx, almaty)
				ended <- err
			}()
		}
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		compare()
	})
	t.Run("AgainReadsNothing", func(t *testing.T) {
		if n, err := s.SumTurnover(ctx, almaty); err != nil || n != 0 {
			t.Errorf("got %d transactions, %v", n, err)
		}
	})
}

func TestParseDimensions(t *testing.T) {
	for _, text := range []string{"", "week", "day,day", "day,month", "day,contract,project", "day,"} {
		if _, err := store.ParseDimensions(text); kindOf(err) != topup.KindInvalid {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if by, err := store.ParseDimensions("contract, day"); err != nil || !slices.Equal(by, []store.Dimension{store.ByContract, store.ByDay}) {
		t.Errorf("got %v, %v", by, err)
	}
}
