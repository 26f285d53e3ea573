package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

// refused fails the test unless the error is such a refusal.
func refused(t testing.TB, err error, kind topup.Kind, says string) {
	t.Helper()
	if kindOf(err) != kind || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want a %s that says %q", err, kind, says)
	}
}

// shows compares what a payment shows, and runs ledger check.
func shows(t testing.TB, s *store.Store, id, want string) {
	t.Helper()
	p := mustPayment(t, s, id)
	got := string(p.Status)
	if p.Credited != nil {
		got += fmt.Sprintf(", credited %d", p.Credited.Money.Amount)
	}
	if p.InSuspense > 0 {
		got += fmt.Sprintf(", %d in suspense", p.InSuspense)
	}
	if names := p.Flags.Names(); len(names) > 0 {
		got += ", " + strings.Join(names, " ")
	}
	if got != want {
		t.Errorf("payment %s: got %q, want %q", id, got, want)
	}
	checked(t, s)
}

// TestACreditToTheWrongContractReachesTheRightOne: recall, then assign.
func TestACreditToTheWrongContractReachesTheRightOne(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "28"))
	_, err := s.Reverse(ctx, mustPayment(t, s, id).Credit.TransactionID, anna)
	refused(t, err, topup.KindConflict, "payments recall")
	recall := must(t)(s.RecallPayment(ctx, id, anna))
	shows(t, s, id, "review, 1 in suspense, reversed")
	wantBalances(t, s, map[string]int64{own: 0, suspense: 10000, settlement: -10000})
	_, err = s.CreditPayment(ctx, id, anna)
	refused(t, err, topup.KindConflict, "suspense assign")
	must(t)(s.AssignSuspense(ctx, recall.ID, "7123456789", "2", anna))
	shows(t, s, id, "succeeded, reversed")
	wantBalances(t, s, map[string]int64{own: 0, "customers:7123456789:2": 10000, suspense: 0, settlement: -10000})
	_, err = s.CreditPayment(ctx, id, anna)
	refused(t, err, topup.KindConflict, "reverse what became of the recalled money")
	if got := mustRecord(t, s, paid(id, "29")); got.Disposition != topup.DispositionSuspended {
		t.Errorf("further money: got %s", got.Disposition)
	}
	checked(t, s)
}

func TestCreditedShowsWhatItsContractHas(t *testing.T) {
	s := bookOf(t)
	t.Run("1001 of 1000, assigned, reversed, assigned again", func(t *testing.T) {
		id := mustIssue(t, s)
		_, item := suspendedItem(t, s, paid(id, "1", sum(10001)))
		must(t)(s.Reverse(ctx, must(t)(s.AssignSuspense(ctx, item, "7123456789", "12345", anna)).ID, anna))
		shows(t, s, id, "review, 1 in suspense, amount_differs reversed")
		again := must(t)(s.AssignSuspense(ctx, item, "7123456789", "12345", anna))
		shows(t, s, id, "succeeded, credited 10001, amount_differs")
		if got := mustPayment(t, s, id).Credited.TransactionID; got != again.ID {
			t.Errorf("by %s, want the second assignment %s", got, again.ID)
		}
	})
	t.Run("a manual credit, reversed, whose late callback was assigned", func(t *testing.T) {
		id := mustIssue(t, s)
		must(t)(s.Reverse(ctx, must(t)(s.CreditPayment(ctx, id, anna)).ID, anna))
		_, item := suspendedItem(t, s, paid(id, "2"))
		must(t)(s.AssignSuspense(ctx, item, "7123456789", "12345", anna))
		shows(t, s, id, "succeeded, credited 10000, second_operation")
	})
	t.Run("a recall that was assigned back", func(t *testing.T) {
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "3"))
		recall := must(t)(s.RecallPayment(ctx, id, anna))
		back := must(t)(s.AssignSuspense(ctx, recall.ID, "7123456789", "12345", anna))
		shows(t, s, id, "succeeded, credited 10000")
		if got := mustPayment(t, s, id).Credited.TransactionID; got != back.ID {
			t.Errorf("by %s, want the assignment %s", got, back.ID)
		}
		page, _, err := s.Payments(ctx, store.PaymentFilter{Q: id})
		if err != nil || len(page) != 1 || page[0].Credited == nil || page[0].Credited.TransactionID != back.ID {
			t.Errorf("in the list: got %+v, %v", page, err)
		}
		must(t)(s.Reverse(ctx, must(t)(s.RecallPayment(ctx, id, anna)).ID, anna))
		shows(t, s, id, "succeeded, credited 10000")
	})
	t.Run("recall takes the newest of two, and the payment has succeeded still", func(t *testing.T) {
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "4"))
		_, item := suspendedItem(t, s, paid(id, "5", sum(9000)))
		assignment := must(t)(s.AssignSuspense(ctx, item, "7123456789", "12345", anna))
		shows(t, s, id, "succeeded, credited 19000, second_operation")
		if recall := must(t)(s.RecallPayment(ctx, id, anna)); recall.Takes != assignment.ID {
			t.Errorf("took from %s, want %s", recall.Takes, assignment.ID)
		}
		shows(t, s, id, "succeeded, credited 10000, 1 in suspense, second_operation")
	})
}

func TestACreditIsNotMadeBesideAnAssignmentElsewhere(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(id, "28", sum(10001)))
	made := must(t)(s.AssignSuspense(ctx, item, "7000000000", "1", anna))
	_, err := s.CreditPayment(ctx, id, anna)
	refused(t, err, topup.KindConflict, "reverse that assignment")
	must(t)(s.Reverse(ctx, made.ID, anna))
	must(t)(s.AssignSuspense(ctx, item, "7123456789", "12345", anna))
	shows(t, s, id, "succeeded, credited 10001, amount_differs")
}

func TestAReviewWithNothingInItIsClosed(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "28", func(e *topup.Event) { e.Outcome = topup.OutcomePaidStatus }))
	shows(t, s, id, "review, outcome_unknown")
	if err := s.ClosePayment(ctx, id, anna); err != nil {
		t.Fatal(err)
	}
	shows(t, s, id, "declined")
	refused(t, s.ClosePayment(ctx, id, anna), topup.KindConflict, "only a review can be closed")
	if got := mustRecord(t, s, paid(id, "29")); got.Disposition != topup.DispositionCredited || got.Flags != topup.FlagLate {
		t.Errorf("money that comes later: got %+v", got)
	}
	suspendedItem(t, s, paid(id, "30"))
	refused(t, s.ClosePayment(ctx, id, anna), topup.KindConflict, "succeeded")
	other := mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(other, "31", sum(1)))
	refused(t, s.ClosePayment(ctx, other, anna), topup.KindConflict, "suspense assign or suspense return")
	refused(t, s.ClosePayment(ctx, "p_none", anna), topup.KindNotFound, "does not exist")
	refused(t, s.ClosePayment(ctx, other, store.By{Actor: "anna"}), topup.KindInvalid, "reason must be given")
	must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{}, anna))
	checked(t, s)
}

// onlyOne runs steps at once, of which one may succeed; the others must be refused.
func onlyOne(t *testing.T, says string, steps ...func() error) {
	t.Helper()
	errs := make([]error, len(steps))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, step := range steps {
		wg.Go(func() {
			<-start
			errs[i] = step()
		})
	}
	close(start)
	wg.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
			continue
		}
		refused(t, err, topup.KindConflict, says)
	}
	if done != 1 {
		t.Errorf("%d of %d were done, want one", done, len(steps))
	}
}

// many repeats a step.
func many(step func() error) []func() error { return slices.Repeat([]func() error{step}, 8) }

func TestOfSeveralOperatorsAtOnceOneWins(t *testing.T) {
	s := bookOf(t)
	to := store.Assignment{CustomerID: "7123456789", ContractID: "2"}
	t.Run("recall", func(t *testing.T) {
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "1"))
		onlyOne(t, "lies in suspense", many(func() error { _, err := s.RecallPayment(ctx, id, anna); return err })...)
		shows(t, s, id, "review, 1 in suspense, reversed")
	})
	t.Run("assign, assign all and return", func(t *testing.T) {
		id := mustIssue(t, s)
		_, item := suspendedItem(t, s, paid(id, "2", sum(1)))
		var steps []func() error
		for range 4 {
			steps = append(steps,
				func() error { _, err := s.AssignSuspense(ctx, item, to.CustomerID, to.ContractID, anna); return err },
				func() error {
					_, err := s.AssignAll(ctx, []store.Assignment{{Item: item, CustomerID: "7000000000", ContractID: "1"}}, anna)
					return err
				},
				func() error { _, err := s.ReturnSuspense(ctx, item, topup.PayBack{}, anna); return err })
		}
		onlyOne(t, "already", steps...)
		checked(t, s)
	})
	t.Run("assign the same several in another order", func(t *testing.T) {
		var one, other []store.Assignment
		for n := range 6 {
			_, item := suspendedItem(t, s, paid("theirs", fmt.Sprint("several-", n), sum(int64(n+1))))
			one = append(one, store.Assignment{Item: item, CustomerID: to.CustomerID, ContractID: to.ContractID})
			_, item = suspendedItem(t, s, paid(mustIssue(t, s), fmt.Sprint("single-", n), sum(int64(n+1))))
			one = append(one, store.Assignment{Item: item, CustomerID: to.CustomerID, ContractID: to.ContractID})
		}
		other = slices.Clone(one)
		slices.Reverse(other)
		var steps []func() error
		for range 3 {
			steps = append(steps,
				func() error { _, err := s.AssignAll(ctx, one, anna); return err },
				func() error { _, err := s.AssignAll(ctx, other, anna); return err })
		}
		onlyOne(t, "already assigned", steps...)
		checked(t, s)
	})
	t.Run("reverse", func(t *testing.T) {
		id := mustIssue(t, s)
		made := must(t)(s.CreditPayment(ctx, id, anna))
		onlyOne(t, "has been reversed", many(func() error { _, err := s.Reverse(ctx, made.ID, anna); return err })...)
		shows(t, s, id, "review, reversed")
	})
	t.Run("close", func(t *testing.T) {
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "3", func(e *topup.Event) { e.Outcome = topup.OutcomePaidStatus }))
		onlyOne(t, "only a review", many(func() error { return s.ClosePayment(ctx, id, anna) })...)
	})
	t.Run("record an operation", func(t *testing.T) {
		r := recordOf("77")
		onlyOne(t, "has posted already", many(func() error { _, err := s.RecordPayment(ctx, r, anna); return err })...)
		checked(t, s)
	})
	t.Run("record a reference", func(t *testing.T) {
		r := recordOf("")
		r.Provider, r.Project, r.Reference = "highhelp", "57aff4db", "theirs-77"
		onlyOne(t, "under this reference has posted already", many(func() error { _, err := s.RecordPayment(ctx, r, anna); return err })...)
		checked(t, s)
	})
	t.Run("suspend a message", func(t *testing.T) {
		m := unreadable(t, s, mustIssue(t, s), "78")
		onlyOne(t, "already", many(func() error {
			_, err := s.SuspendMessage(ctx, m, topup.SuspendRequest{Amount: 5, Currency: "KZT"}, anna)
			return err
		})...)
		checked(t, s)
	})
	t.Run("suspend a message, and record its operation", func(t *testing.T) {
		m := unreadable(t, s, mustIssue(t, s), "79")
		r := recordOf("79")
		steps := many(func() error { _, err := s.RecordPayment(ctx, r, anna); return err })
		steps = append(steps, many(func() error {
			_, err := s.SuspendMessage(ctx, m, topup.SuspendRequest{Amount: 5, Currency: "KZT"}, anna)
			return err
		})...)
		onlyOne(t, "", steps...)
		checked(t, s)
	})
	t.Run("dismiss a message", func(t *testing.T) {
		m := unreadable(t, s, mustIssue(t, s), "80")
		onlyOne(t, "nothing about this message is open", many(func() error { return s.DismissMessage(ctx, m, anna) })...)
	})
	t.Run("dismiss a message that names no payment", func(t *testing.T) {
		m := unreadable(t, s, "nobodys", "81")
		onlyOne(t, "nothing about this message is open", many(func() error { return s.DismissMessage(ctx, m, anna) })...)
	})
	t.Run("recall, while its callback comes again and again", func(t *testing.T) {
		id := mustIssue(t, s)
		must(t)(s.CreditPayment(ctx, id, anna))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { mustRecord(t, s, paid(id, "82")) })
		}
		must(t)(s.RecallPayment(ctx, id, anna))
		wg.Wait()
		if got := mustPayment(t, s, id).Credit.Operation; got != "82" {
			t.Errorf("bound to operation %q, want 82", got)
		}
		shows(t, s, id, "review, 1 in suspense, reversed")
	})
}

func recordOf(operation string) topup.RecordRequest {
	return topup.RecordRequest{
		Provider: "jetpay", Project: "1234", CustomerID: "7000000000", ContractID: "1", Money: topup.Money{Amount: 777, Currency: "KZT"}, Operation: operation,
	}
}

// unreadable stores a movement whose sum cannot be read, and returns its number.
func unreadable(t testing.TB, s *store.Store, reference, operation string, change ...func(*topup.Event)) int64 {
	t.Helper()
	e := paid(reference, operation, func(e *topup.Event) { e.Complete, e.Sum, e.Initial = false, topup.Money{}, topup.Money{} })
	for _, c := range change {
		c(&e)
	}
	e.Fingerprint = nil
	return stored(t, s, e)
}

// stored stores a message so that it can be read again, and returns its number.
func stored(t testing.TB, s *store.Store, e topup.Event) int64 {
	t.Helper()
	if _, err := s.Record(ctx, e, asStored(e)); err != nil {
		t.Fatal(err)
	}
	page, _, err := s.Messages(ctx, store.MessageFilter{Limit: 1})
	if err != nil || len(page) != 1 {
		t.Fatalf("got %d messages, %v", len(page), err)
	}
	return page[0].ID
}

func TestAListIsAssignedWholeOrNotAtAll(t *testing.T) {
	s := bookOf(t)
	var list []store.Assignment
	for n := range 3 {
		_, item := suspendedItem(t, s, paid(mustIssue(t, s), fmt.Sprint(n), sum(int64(n+1))))
		list = append(list, store.Assignment{Item: item, CustomerID: "7123456789", ContractID: "12345"})
	}
	bad := append(slices.Clone(list),
		store.Assignment{Item: "t_none", CustomerID: "7123456789", ContractID: "12345"},
		store.Assignment{Item: list[0].Item, CustomerID: "7123456789", ContractID: "2"}, // twice
		store.Assignment{Item: list[1].Item, CustomerID: "7999999999", ContractID: "1"},
	)
	before := len(feed(t, s))
	_, err := s.AssignAll(ctx, bad, anna)
	got := map[int]string{}
	for _, line := range unjoin(errors.Unwrap(err)) {
		refusal := store.AssignError{}
		if !errors.As(line, &refusal) {
			t.Fatalf("got %v, want the place in the list", line)
		}
		got[refusal.Index] = refusal.Error()
	}
	for index, says := range map[int]string{3: "does not exist", 4: "already assigned", 5: "already assigned"} {
		if !strings.Contains(got[index], says) {
			t.Errorf("line %d: got %q, want %q", index, got[index], says)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %v, want the three bad lines", got)
	}
	if after := len(feed(t, s)); after != before {
		t.Errorf("a refused list posted: %d transactions, before %d", after, before)
	}
	checked(t, s)
	made, err := s.AssignAll(ctx, list, anna)
	if err != nil || len(made) != 3 || made[2].Resolves != list[2].Item || made[2].Reason != anna.Reason {
		t.Fatalf("got %+v, %v", made, err)
	}
	wantBalances(t, s, map[string]int64{own: 6, suspense: 0})
	checked(t, s)
	if _, err := s.AssignAll(ctx, slices.Repeat(list, 100), anna); kindOf(err) != topup.KindInvalid || !strings.Contains(err.Error(), "at most 250") {
		t.Errorf("too many: got %v", err)
	}
}

// unjoin are the errors that were joined, at whatever depth.
func unjoin(err error) (all []error) {
	list, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, e := range list.Unwrap() {
		all = append(all, unjoin(e)...)
	}
	return all
}

func TestTheLargestListIsAssigned(t *testing.T) {
	s := bookOf(t)
	var list []store.Assignment
	for n := range store.MaxAssignments {
		_, item := suspendedItem(t, s, paid(fmt.Sprintf("theirs-%d", n), fmt.Sprint(n)))
		list = append(list, store.Assignment{Item: item, CustomerID: "7123456789", ContractID: "12345"})
	}
	if made, err := s.AssignAll(ctx, list, anna); err != nil || len(made) != len(list) {
		t.Fatalf("got %d, %v", len(made), err)
	}
	wantBalances(t, s, map[string]int64{own: int64(len(list)) * 10000, suspense: 0})
	checked(t, s)
}

// dayBefore is the day n days before the clock's, in UTC.
func dayBefore(c *testkit.Clock, n int) store.Day {
	start := c.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -n)
	return store.Day{Start: start, End: start.AddDate(0, 0, 1)}
}

func on(day store.Day) store.By { return store.By{Actor: "anna", Reason: "ticket 7", Effective: day} }

func TestAStepIsDatedAsTheOperatorSays(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	dated := func(what string, made topup.Transaction, want time.Time) {
		t.Helper()
		if !made.EffectiveAt.Equal(want) || !made.RecordedAt.Equal(c.Now()) {
			t.Errorf("%s: got %s, recorded %s; want %s, recorded now", what, made.EffectiveAt, made.RecordedAt, want)
		}
	}
	id := mustIssue(t, s)
	_, err := s.CreditPayment(ctx, id, on(dayBefore(c, -1)))
	refused(t, err, topup.KindInvalid, "must not be in the future")
	dated("today is now", must(t)(s.CreditPayment(ctx, mustIssue(t, s), on(dayBefore(c, 0)))), c.Now())
	dated("no day is now", must(t)(s.CreditPayment(ctx, mustIssue(t, s), anna)), c.Now())
	credit := must(t)(s.CreditPayment(ctx, id, on(dayBefore(c, 3))))
	dated("a day of the past is its first instant", credit, dayBefore(c, 3).Start)
	_, err = s.RecallPayment(ctx, id, on(dayBefore(c, 4)))
	refused(t, err, topup.KindInvalid, "must not be before 2026-11-18T00:00:00Z")
	recall := must(t)(s.RecallPayment(ctx, id, on(dayBefore(c, 2))))
	dated("a recall", recall, dayBefore(c, 2).Start)
	_, err = s.AssignSuspense(ctx, recall.ID, "7123456789", "2", on(dayBefore(c, 3)))
	refused(t, err, topup.KindInvalid, "must not be before")
	dated("an assignment", must(t)(s.AssignSuspense(ctx, recall.ID, "7123456789", "2", on(dayBefore(c, 2)))), dayBefore(c, 2).Start)

	// Money of 2026-11-20T08:00Z, of the day before.
	id = mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(id, "1", sum(5)))
	made := must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{}, on(dayBefore(c, 1))))
	dated("on the same day, not before what it undoes", made, time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC))
	dated("a reversal too", must(t)(s.Reverse(ctx, made.ID, on(dayBefore(c, 1)))), time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC))
	other := mustIssue(t, s)
	mustRecord(t, s, paid(other, "2", func(e *topup.Event) { e.Outcome = topup.OutcomePaidStatus }))
	refused(t, s.ClosePayment(ctx, other, on(dayBefore(c, -1))), topup.KindInvalid, "future")
	checked(t, s)
}

// closeBooks closes the books up to a day.
func closeBooks(t testing.TB, s *store.Store, day store.Day) {
	t.Helper()
	if _, err := s.SetClosedPeriod(ctx, day.Start.Format("2006-01-02"), day.End); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsDatedInAClosedPeriod(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	id := mustIssue(t, s)
	open := must(t)(s.CreditPayment(ctx, mustIssue(t, s), on(dayBefore(c, 2))))
	closeBooks(t, s, dayBefore(c, 1))
	before := len(feed(t, s))
	_, err := s.CreditPayment(ctx, id, on(dayBefore(c, 1)))
	refused(t, err, topup.KindConflict, "the books are closed to 2026-11-20: give a later effective day, or none for today")
	_, err = s.RecordPayment(ctx, recordOf("9"), on(dayBefore(c, 5)))
	refused(t, err, topup.KindConflict, "the books are closed")
	_, err = s.Reverse(ctx, open.ID, on(dayBefore(c, 1)))
	refused(t, err, topup.KindConflict, "the books are closed")
	if after := len(feed(t, s)); after != before {
		t.Errorf("refusals posted: %d transactions, before %d", after, before)
	}
	must(t)(s.Reverse(ctx, open.ID, anna)) // today, of what was then

	firstOpen, provider := dayBefore(c, 1).End, time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	mustRecord(t, s, paid(id, "28"))
	_, item := suspendedItem(t, s, paid(id, "29"))
	for _, made := range feed(t, s)[2:] {
		if !made.EffectiveAt.Equal(firstOpen) || !made.RecordedAt.Equal(c.Now()) {
			t.Errorf("%s: effective %s, recorded %s; want the first instant that is open", made.Kind, made.EffectiveAt, made.RecordedAt)
		}
	}
	if got := mustPayment(t, s, id).ProviderTime; !got.Equal(provider) {
		t.Errorf("the provider's date: got %s, want %s", got, provider)
	}
	// The day of the provider is closed: what undoes it is of a later one.
	must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{}, on(dayBefore(c, 0))))
	m := unreadable(t, s, id, "30")
	made := must(t)(s.SuspendMessage(ctx, m, topup.SuspendRequest{Amount: 5, Currency: "KZT"}, anna))
	if !made.EffectiveAt.Equal(c.Now()) {
		t.Errorf("a suspended message: effective %s, want now", made.EffectiveAt)
	}
	checked(t, s)
}

// TestTheClosedPeriodCountsForWhatFollowsInItsBatch: steps that wait share a
// transaction on SQLite.
func TestTheClosedPeriodCountsForWhatFollowsInItsBatch(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	first, second := mustIssue(t, s), mustIssue(t, s)
	release := s.HoldWriter()
	defer release()
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i, step := range []func() error{
		func() error {
			_, err := s.Issue(ctx, store.NewPayment{Provider: "jetpay", Project: "1", Money: hundred})
			return err
		}, // the writer has it in hand already
		func() error { _, err := s.CreditPayment(ctx, first, on(dayBefore(c, 1))); return err },
		func() error { _, err := s.SetClosedPeriod(ctx, "2026-11-20", dayBefore(c, 1).End); return err },
		func() error { _, err := s.CreditPayment(ctx, second, on(dayBefore(c, 1))); return err },
	} {
		wg.Go(func() { errs[i] = step() })
		if !onPostgres {
			testkit.Eventually(t, "it is queued", func() bool { return s.QueueDepth() > i })
		}
	}
	release()
	wg.Wait()
	if onPostgres { // each has a transaction of its own, in any order
		return
	}
	if errs[0] != nil || errs[1] != nil || errs[2] != nil {
		t.Errorf("got %v", errs[:3])
	}
	refused(t, errs[3], topup.KindConflict, "the books are closed")
	checked(t, s)
}

func TestTheClosedPeriodCountsForEveryProcessAtOnce(t *testing.T) {
	c := newClock()
	now := func(o *store.Options) { o.Now = c.Now }
	s := bookOf(t, now)
	other := mustOpen(t, now, same(s), func(o *store.Options) { o.Existing = true })
	id := mustIssue(t, s)
	must(t)(s.CreditPayment(ctx, mustIssue(t, s), on(dayBefore(c, 1)))) // it has been asked before
	closeBooks(t, other, dayBefore(c, 1))
	_, err := s.CreditPayment(ctx, id, on(dayBefore(c, 1)))
	refused(t, err, topup.KindConflict, "the books are closed")
	mustRecord(t, s, paid(id, "28"))
	all := feed(t, s)
	if got := all[len(all)-1].EffectiveAt; !got.Equal(dayBefore(c, 1).End) {
		t.Errorf("a callback: effective %s", got)
	}
	before, err := other.SetClosedPeriod(ctx, "", time.Time{})
	if err != nil || before != dayBefore(c, 1).Start.Format("2006-01-02") {
		t.Errorf("opened: got %q, %v", before, err)
	}
	must(t)(s.CreditPayment(ctx, mustIssue(t, s), on(dayBefore(c, 1))))
	if before, err := s.SetClosedPeriod(ctx, "2026-11-01", dayBefore(c, 9).End); err != nil || before != "" {
		t.Errorf("closed again: got %q, %v", before, err)
	}
	checked(t, s)
}
