package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// numbers are the messages of a page.
func numbers(page []store.StoredMessage) (list []int64) {
	for _, m := range page {
		list = append(list, m.ID)
	}
	return list
}

func TestMessagesAreListedAndFound(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	first := c.Now()
	id := mustIssue(t, s)
	credited := stored(t, s, paid(id, "1"))
	c.Add(time.Hour)
	again := stored(t, s, paid(id, "1"))
	c.Add(time.Hour)
	lost := unreadable(t, s, "their-id", "2")
	foreign := stored(t, s, paid("card-1", "3", func(e *topup.Event) { e.TopUp = false }))
	suspended := stored(t, s, paid("their-id", "4"))
	opened := mustPayment(t, s, paymentOf(t, s, "4"))
	for name, tt := range map[string]struct {
		filter store.MessageFilter
		want   []int64
	}{
		"the newest first":          {store.MessageFilter{}, []int64{suspended, foreign, lost, again, credited}},
		"what cannot be read":       {store.MessageFilter{Disposition: topup.DispositionUnreadable}, []int64{lost}},
		"what is not ours":          {store.MessageFilter{Disposition: topup.DispositionForeign}, []int64{foreign}},
		"repeats":                   {store.MessageFilter{Disposition: topup.DispositionRepeat}, []int64{again}},
		"what is open":              {store.MessageFilter{Open: true}, []int64{lost}},
		"from a time on":            {store.MessageFilter{From: first.Add(time.Hour)}, []int64{suspended, foreign, lost, again}},
		"up to a time":              {store.MessageFilter{To: first.Add(time.Hour)}, []int64{credited}},
		"between two":               {store.MessageFilter{From: first.Add(time.Hour), To: first.Add(2 * time.Hour)}, []int64{again}},
		"in the future":             {store.MessageFilter{From: first.Add(9 * time.Hour)}, nil},
		"by our id":                 {store.MessageFilter{Q: id}, []int64{again, credited}},
		"by the platform's id":      {store.MessageFilter{Q: " their-id "}, []int64{suspended, lost}},
		"by the id that we opened":  {store.MessageFilter{Q: opened.ID}, []int64{suspended}},
		"by an operation, credited": {store.MessageFilter{Q: "1"}, []int64{again, credited}},
		"by an operation, unread":   {store.MessageFilter{Q: "2"}, []int64{lost}},
		"by a receipt, credited":    {store.MessageFilter{Q: "receipt-1"}, []int64{again, credited}},
		"by a receipt, foreign":     {store.MessageFilter{Q: "receipt-3"}, []int64{foreign}},
		"by nothing that there is":  {store.MessageFilter{Q: "nothing"}, nil},
		"open ones of a time":       {store.MessageFilter{Open: true, To: first.Add(time.Hour)}, nil},
	} {
		page, next, err := s.Messages(ctx, tt.filter)
		if got := numbers(page); err != nil || next != "" || fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: got %v, %q, %v; want %v", name, got, next, err, tt.want)
		}
	}
	var all []int64
	for f := (store.MessageFilter{Limit: 2}); ; {
		page, next, err := s.Messages(ctx, f)
		if err != nil || len(page) > 2 {
			t.Fatalf("got %d, %v", len(page), err)
		}
		all = append(all, numbers(page)...)
		if f.Cursor = next; next == "" {
			break
		}
	}
	if want := []int64{suspended, foreign, lost, again, credited}; fmt.Sprint(all) != fmt.Sprint(want) {
		t.Errorf("by pages: got %v, want %v", all, want)
	}
	for _, bad := range []store.MessageFilter{{Limit: 501}, {Limit: -1}, {Cursor: "!"}, {Cursor: "eA"}, {Disposition: "lost"}, {Q: strings.Repeat("x", 5000)}} {
		if _, _, err := s.Messages(ctx, bad); kindOf(err) != topup.KindInvalid {
			t.Errorf("%+v: got %v, want a refusal", bad, err)
		}
	}
}

func paymentOf(t testing.TB, s *store.Store, operation string) string {
	t.Helper()
	for _, made := range feed(t, s) {
		if made.Operation == operation {
			return made.PaymentID
		}
	}
	t.Fatalf("operation %s posted nothing", operation)
	return ""
}

func TestAMessageIsShownWithItsBodyAndWhatWasDone(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	first := stored(t, s, paid(id, "1"))
	again := stored(t, s, paid(id, "1")) // the same to the byte: it has no body of its own
	m := unreadable(t, s, id, "2")
	made := must(t)(s.SuspendMessage(ctx, m, topup.SuspendRequest{Amount: 5, Currency: "KZT"}, anna))
	for _, n := range []int64{first, again} {
		got, body, err := s.Message(ctx, n)
		if err != nil || string(body) != string(asStored(paid(id, "1"))) || got.PaymentID != id || got.Operation != "1" || got.Receipt != "receipt-1" {
			t.Errorf("message %d: got %+v, %q, %v", n, got, body, err)
		}
	}
	got, _, err := s.Message(ctx, m)
	if err != nil || got.Open != "" || len(got.Steps) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if step := got.Steps[0]; step.Action != "suspend" || step.TransactionID != made.ID || step.Operation != "2" || step.Actor != "anna" || step.Reason != "ticket 7" {
		t.Errorf("got %+v", step)
	}
	if _, _, err := s.Message(ctx, 99); kindOf(err) != topup.KindNotFound {
		t.Errorf("no such message: got %v", err)
	}
}

func TestMoneyOfAStoredMessageIsSuspendedOnce(t *testing.T) {
	s := bookOf(t)
	byEye := topup.SuspendRequest{Amount: 9000, Currency: "KZT"}
	suspend := func(m int64, r topup.SuspendRequest) (topup.Transaction, error) {
		return s.SuspendMessage(ctx, m, r, anna)
	}
	t.Run("a sum that cannot be read, under the payment that it names", func(t *testing.T) {
		id := mustIssue(t, s)
		m := unreadable(t, s, id, "1")
		_, err := suspend(m, topup.SuspendRequest{})
		refused(t, err, topup.KindInvalid, "amount must be given")
		_, err = suspend(m, topup.SuspendRequest{Amount: 1, Currency: "XXX1"})
		refused(t, err, topup.KindInvalid, "currency must be given")
		_, err = suspend(m, topup.SuspendRequest{Operation: "9", Amount: 1, Currency: "KZT"})
		refused(t, err, topup.KindInvalid, "operation is another in this message")
		made := must(t)(suspend(m, byEye))
		if made.Operation != "1" || made.PaymentID != id || made.Actor != "anna" {
			t.Errorf("got %+v", made)
		}
		shows(t, s, id, "review, 1 in suspense, unreadable")
		_, err = suspend(m, byEye)
		refused(t, err, topup.KindConflict, "already")
		if got := mustRecord(t, s, paid(id, "1", sum(9000), func(e *topup.Event) { e.Initial.Amount = 9000 })); got.Disposition != topup.DispositionPosted || got.Flags != 0 {
			t.Errorf("its callback: got %+v, want no posting", got)
		}
		_, err = s.RecordPayment(ctx, recordOf("1"), anna)
		refused(t, err, topup.KindConflict, "has posted already")
		must(t)(s.Reverse(ctx, made.ID, anna)) // entered wrongly: it can be entered again
		shows(t, s, id, "review, unreadable")
		must(t)(suspend(m, topup.SuspendRequest{Amount: 10000, Currency: "KZT"}))
		_, err = s.Reverse(ctx, feed(t, s)[1].ID, anna)
		refused(t, err, topup.KindConflict, "")
		shows(t, s, id, "review, 1 in suspense, unreadable")
	})
	t.Run("an operation that cannot be read", func(t *testing.T) {
		m := unreadable(t, s, "", "", func(e *topup.Event) { e.Sum, e.Initial = hundred, hundred })
		_, err := suspend(m, topup.SuspendRequest{})
		refused(t, err, topup.KindInvalid, "operation must be given")
		_, err = suspend(m, topup.SuspendRequest{Operation: "2", Amount: 10001})
		refused(t, err, topup.KindInvalid, "must be at most 10000 KZT")
		_, err = suspend(m, topup.SuspendRequest{Operation: "2", Reference: "x"})
		refused(t, err, topup.KindInvalid, "reference must not be given")
		made := must(t)(suspend(m, topup.SuspendRequest{Operation: "2", Amount: 4000}))
		shows(t, s, made.PaymentID, "review, 1 in suspense, unknown_payment")
		must(t)(s.AssignSuspense(ctx, made.ID, "7123456789", "12345", anna))
		shows(t, s, made.PaymentID, "succeeded, credited 4000, unknown_payment")
	})
	t.Run("what is foreign, whole or a part", func(t *testing.T) {
		m := stored(t, s, paid("card", "3", func(e *topup.Event) { e.TopUp = false }))
		made := must(t)(suspend(m, topup.SuspendRequest{}))
		if made.Postings[0].Amount != 10000 {
			t.Errorf("got %v", made.Postings)
		}
		checked(t, s)
	})
	t.Run("never what may be cut from other signed text", func(t *testing.T) {
		m := unreadable(t, s, mustIssue(t, s), "4", func(e *topup.Event) { e.MaybeCut, e.Sum, e.Initial = true, hundred, hundred })
		for _, r := range []topup.SuspendRequest{{}, byEye, {Operation: "4", Amount: 1, Currency: "KZT"}} {
			_, err := suspend(m, r)
			refused(t, err, topup.KindConflict, "may be cut from other signed text")
		}
	})
	t.Run("not what has posted, nor what tells of no money", func(t *testing.T) {
		id := mustIssue(t, s)
		_, err := suspend(stored(t, s, paid(id, "5")), topup.SuspendRequest{})
		refused(t, err, topup.KindConflict, "has posted")
		_, err = suspend(stored(t, s, paid(id, "5")), topup.SuspendRequest{})
		refused(t, err, topup.KindConflict, "repeats an earlier one")
		_, err = suspend(stored(t, s, paid(id, "5", sum(1))), topup.SuspendRequest{})
		refused(t, err, topup.KindConflict, "operation 5 has posted already")
		_, err = suspend(stored(t, s, paid(id, "6", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeDeclined, "decline" })), topup.SuspendRequest{})
		refused(t, err, topup.KindConflict, "no money that was paid")
		_, err = suspend(99, topup.SuspendRequest{})
		refused(t, err, topup.KindNotFound, "does not exist")
	})
	t.Run("what was bound, once the operator's credit is reversed", func(t *testing.T) {
		id := mustIssue(t, s)
		credit := must(t)(s.CreditPayment(ctx, id, anna))
		m := stored(t, s, paid(id, "7"))
		_, err := suspend(m, topup.SuspendRequest{})
		refused(t, err, topup.KindConflict, "operation 7 has posted already")
		mirror := must(t)(s.Reverse(ctx, credit.ID, anna))
		checked(t, s)
		made := must(t)(suspend(m, topup.SuspendRequest{}))
		_, err = s.Reverse(ctx, mirror.ID, anna)
		refused(t, err, topup.KindConflict, "suspense assign")
		must(t)(s.AssignSuspense(ctx, made.ID, "7123456789", "12345", anna))
		p := mustPayment(t, s, id)
		if p.Credited == nil || p.Credited.Money != hundred || p.Status != topup.StatusSucceeded {
			t.Errorf("got %+v", p)
		}
		checked(t, s)
	})
}

func TestAHighHelpSuccessIsSuspendedLessWhatItsPaymentHasPosted(t *testing.T) {
	s := bookOf(t)
	issue := func() string {
		return mustIssue(t, s, func(n *store.NewPayment) { n.Provider, n.Project = "highhelp", "57aff4db" })
	}
	success := func(id string, amount int64) int64 {
		return stored(t, s, told(id, topup.OutcomePaid, "success", func(e *topup.Event) { e.Sum.Amount, e.Initial.Amount = amount, amount }))
	}
	suspend := func(m int64) (topup.Transaction, error) {
		return s.SuspendMessage(ctx, m, topup.SuspendRequest{}, anna)
	}
	adds := func(made topup.Transaction, want int64) {
		t.Helper()
		if got := made.Postings[0].Amount; got != want {
			t.Errorf("suspended %d, want %d", got, want)
		}
		checked(t, s)
	}
	id := issue()
	success(id, 10000)
	more, less, most := success(id, 12000), success(id, 9000), success(id, 15000)
	page, _, err := s.Messages(ctx, store.MessageFilter{Open: true})
	if got := numbers(page); err != nil || fmt.Sprint(got) != fmt.Sprint([]int64{most, less, more}) || page[0].Open != topup.ToldConflict {
		t.Errorf("open: got %v, %v", got, err)
	}
	second := must(t)(suspend(more))
	adds(second, 2000)
	_, err = suspend(less)
	refused(t, err, topup.KindConflict, "have posted 120.00 KZT already")
	third := must(t)(suspend(most))
	adds(third, 3000)
	mirror := must(t)(s.Reverse(ctx, second.ID, anna))
	_, err = suspend(more)
	refused(t, err, topup.KindConflict, "have posted 130.00 KZT already")
	must(t)(s.Reverse(ctx, third.ID, anna))
	adds(must(t)(suspend(most)), 5000)
	_, err = s.Reverse(ctx, mirror.ID, anna) // its 2000 are among these 5000
	refused(t, err, topup.KindConflict, "messages suspend")
	if err := s.DismissMessage(ctx, less, anna); err != nil {
		t.Error(err)
	}

	// A credit of an operator counts once a success is bound to it.
	id = issue()
	credit := must(t)(s.CreditPayment(ctx, id, anna))
	bound := success(id, 10000)
	adds(must(t)(suspend(success(id, 12000))), 2000)
	_, err = suspend(bound)
	refused(t, err, topup.KindConflict, "have posted 120.00 KZT already")
	must(t)(s.Reverse(ctx, credit.ID, anna))
	adds(must(t)(suspend(bound)), 8000) // 2000 of these are posted

	// A message whose payment cannot be read, and then reads otherwise.
	id = issue()
	m := stored(t, s, told(id, topup.OutcomePaid, "success", func(e *topup.Event) { e.Complete, e.Reference, e.Operation = false, "", "" }))
	_, err = suspend(m)
	refused(t, err, topup.KindInvalid, "reference must be given")
	_, err = s.SuspendMessage(ctx, m, topup.SuspendRequest{Operation: "1"}, anna)
	refused(t, err, topup.KindInvalid, "operation must not be given")
	made := must(t)(s.SuspendMessage(ctx, m, topup.SuspendRequest{Reference: id}, anna))
	must(t)(s.AssignSuspense(ctx, made.ID, "7123456789", "12345", anna))
	shows(t, s, id, "succeeded, credited 10000")
	success(id, 10000) // counts as posted
	shows(t, s, id, "succeeded, credited 10000")
}

func TestAFlagIsClearedWhenEveryOperationThatWasToldWasDismissed(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "1"))
	refund := func(operation string, outcome topup.Outcome, status string) int64 {
		return stored(t, s, paid(id, operation, func(e *topup.Event) { e.Outcome, e.Status = outcome, status }))
	}
	first, same := refund("2", topup.OutcomeRefunded, "partially refunded"), refund("2", topup.OutcomeRefunded, "refunded")
	second, reversal := refund("3", topup.OutcomeRefunded, "refunded"), refund("4", topup.OutcomeReversed, "reversed")
	shows(t, s, id, "succeeded, credited 10000, refund reversal")
	dismiss := func(m int64, want string) {
		t.Helper()
		if err := s.DismissMessage(ctx, m, anna); err != nil {
			t.Error(err)
		}
		shows(t, s, id, want)
	}
	dismiss(first, "succeeded, credited 10000, refund reversal")
	refused(t, s.DismissMessage(ctx, same, anna), topup.KindConflict, "nothing about this message is open") // its operation was
	dismiss(second, "succeeded, credited 10000, reversal")
	dismiss(reversal, "succeeded, credited 10000")
	refused(t, s.DismissMessage(ctx, reversal, anna), topup.KindConflict, "nothing about this message is open")
	refund("5", topup.OutcomeRefunded, "refunded")
	shows(t, s, id, "succeeded, credited 10000, refund") // told again, of another
	refused(t, s.DismissMessage(ctx, 99, anna), topup.KindNotFound, "does not exist")
	refused(t, s.DismissMessage(ctx, first, store.By{Actor: "anna"}), topup.KindInvalid, "reason must be given")
	m, _, err := s.Message(ctx, first)
	if err != nil || len(m.Steps) != 1 || m.Steps[0].Action != "dismiss" || m.Steps[0].Reason != "ticket 7" {
		t.Errorf("got %+v, %v", m.Steps, err)
	}
}

func TestMoneyThatNoMessageToldOfIsRecorded(t *testing.T) {
	s := bookOf(t)
	waiting := mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID, n.ContractID, n.Money.Amount = "7000000000", "1", 777 })
	_, err := s.RecordPayment(ctx, recordOf("40"), anna)
	refused(t, err, topup.KindConflict, waiting+" of the same contract and sum waits")
	r := recordOf("40")
	r.Anyway = true
	made := must(t)(s.RecordPayment(ctx, r, anna))
	shows(t, s, made.PaymentID, "succeeded, credited 777")
	if p := mustPayment(t, s, made.PaymentID); !p.Recorded || p.CustomerID != "7000000000" || p.ContractNumber != "B-1" || p.Credit.Operation != "40" {
		t.Errorf("got %+v, %+v", p, p.Credit)
	}
	_, err = s.RecordPayment(ctx, r, anna)
	refused(t, err, topup.KindConflict, "operation 40 has posted already")

	// Its callback names the payment that waits: nothing is posted, somebody must look.
	same := func(e *topup.Event) { e.Sum.Amount, e.Initial.Amount = 777, 777 }
	m := stored(t, s, paid(waiting, "40", same))
	shows(t, s, waiting, "review, conflict")
	_, err = s.SuspendMessage(ctx, m, topup.SuspendRequest{}, anna)
	refused(t, err, topup.KindConflict, "was entered by an operator: reverse that step first")
	mirror := must(t)(s.Reverse(ctx, made.ID, anna))
	shows(t, s, made.PaymentID, "review, reversed")
	item := must(t)(s.SuspendMessage(ctx, m, topup.SuspendRequest{}, anna))
	_, err = s.Reverse(ctx, mirror.ID, anna)
	refused(t, err, topup.KindConflict, "operation 40 has been entered again")
	must(t)(s.AssignSuspense(ctx, item.ID, "7000000000", "1", anna))
	shows(t, s, waiting, "succeeded, credited 777, conflict")
	if err := s.ClosePayment(ctx, made.PaymentID, anna); err != nil {
		t.Error(err)
	}
	wantBalances(t, s, map[string]int64{"customers:7000000000:1": 777, suspense: 0, settlement: -777})

	// Reversed, it can be recorded again.
	made = must(t)(s.RecordPayment(ctx, recordOf("41"), anna))
	must(t)(s.Reverse(ctx, made.ID, anna))
	must(t)(s.RecordPayment(ctx, recordOf("41"), anna))
	checked(t, s)

	for name, tt := range map[string]struct {
		change func(*topup.RecordRequest)
		kind   topup.Kind
		says   string
	}{
		"neither operation nor reference": {func(r *topup.RecordRequest) { r.Operation = "" }, topup.KindInvalid, "operation or a reference"},
		"both":                            {func(r *topup.RecordRequest) { r.Reference = "x" }, topup.KindInvalid, "and not both"},
		"no money":                        {func(r *topup.RecordRequest) { r.Money.Amount = 0 }, topup.KindInvalid, "amount must be between"},
		"other money":                     {func(r *topup.RecordRequest) { r.Money.Currency = "KGS" }, topup.KindInvalid, "currency is KGS"},
		"no account":                      {func(r *topup.RecordRequest) { r.CustomerID = "1" }, topup.KindNotFound, "account does not exist"},
		"no contract":                     {func(r *topup.RecordRequest) { r.ContractID = "9" }, topup.KindNotFound, "contract does not exist"},
	} {
		r := recordOf("50")
		tt.change(&r)
		_, err := s.RecordPayment(ctx, r, anna)
		if kindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want a %s that says %q", name, err, tt.kind, tt.says)
		}
	}
}

func TestAHighHelpSuccessUnderARecordedReferenceIsJudgedAsOfAnOperatorsCredit(t *testing.T) {
	s := bookOf(t)
	record := func(reference string) topup.Transaction {
		r := recordOf("")
		r.Provider, r.Project, r.Reference, r.Money = "highhelp", "57aff4db", reference, hundred
		return must(t)(s.RecordPayment(ctx, r, anna))
	}
	success := func(reference string, amount int64) topup.Disposition {
		return mustRecord(t, s, told(reference, topup.OutcomePaid, "success", func(e *topup.Event) { e.Sum.Amount, e.Initial.Amount = amount, amount })).Disposition
	}
	made := record("theirs-1")
	if got := success("theirs-1", 10000); got != topup.DispositionBound {
		t.Errorf("the same sum: got %s, want it bound", got)
	}
	shows(t, s, made.PaymentID, "succeeded, credited 10000")

	made = record("theirs-2")
	if got := success("theirs-2", 12000); got != topup.DispositionSuspended {
		t.Errorf("another sum: got %s, want it in suspense", got)
	}
	shows(t, s, made.PaymentID, "succeeded, credited 10000, 1 in suspense, amount_differs conflict")

	made = record("theirs-3")
	must(t)(s.Reverse(ctx, made.ID, anna))
	again := record("theirs-3")
	if got := success("theirs-3", 10000); got != topup.DispositionBound {
		t.Errorf("under what was recorded again: got %s, want it bound", got)
	}
	shows(t, s, again.PaymentID, "succeeded, credited 10000")
	shows(t, s, made.PaymentID, "review, reversed")
	wantBalances(t, s, map[string]int64{"customers:7000000000:1": 30000, "suspense:highhelp:57aff4db": 12000})
}

// What a success told of under a recorded reference, after the record was reversed,
// stays posted whatever became of it: recording it again would credit it twice.
func TestMoneyThatCameUnderAReferenceIsNotRecordedOnceItWasAssignedOrReturned(t *testing.T) {
	for name, resolve := range map[string]func(*store.Store, string) error{
		"assigned": func(s *store.Store, item string) error {
			_, err := s.AssignSuspense(ctx, item, "7000000000", "1", anna)
			return err
		},
		"returned": func(s *store.Store, item string) error {
			_, err := s.ReturnSuspense(ctx, item, topup.PayBack{}, anna)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := bookOf(t)
			r := recordOf("")
			r.Provider, r.Project, r.Reference, r.Money = "highhelp", "57aff4db", "theirs-1", hundred
			made := must(t)(s.RecordPayment(ctx, r, anna))
			must(t)(s.Reverse(ctx, made.ID, anna))
			mustRecord(t, s, told("theirs-1", topup.OutcomePaid, "success"))
			for _, item := range feed(t, s) {
				if item.Kind == topup.KindSuspense {
					if err := resolve(s, item.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
			_, err := s.RecordPayment(ctx, r, anna)
			refused(t, err, topup.KindConflict, "has posted already: see payments show "+made.PaymentID)
			checked(t, s)
		})
	}
}

// The operation of a pay-in is free once the credit that it was bound to is
// reversed, but not what an operator has suspended of a larger success.
func TestALaterHighHelpSuccessDoesNotPostAgainWhatWasSuspendedOfAnEarlierOne(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s, func(n *store.NewPayment) { n.Provider, n.Project = "highhelp", "57aff4db" })
	success := func(amount int64) int64 {
		return stored(t, s, told(id, topup.OutcomePaid, "success", func(e *topup.Event) { e.Sum.Amount, e.Initial.Amount = amount, amount }))
	}
	suspend := func(m int64) topup.Transaction {
		return must(t)(s.SuspendMessage(ctx, m, topup.SuspendRequest{}, anna))
	}
	credit := must(t)(s.CreditPayment(ctx, id, anna))
	success(10000) // is bound to it
	part := suspend(success(12000))
	must(t)(s.Reverse(ctx, credit.ID, anna))
	last := success(15000)
	m, _, err := s.Message(ctx, last)
	if err != nil || m.Disposition != topup.DispositionPosted || m.Open != topup.ToldConflict {
		t.Errorf("got %+v, %v; want it to post nothing and to stay in sight", m, err)
	}
	wantBalances(t, s, map[string]int64{"suspense:highhelp:57aff4db": 2000})
	if rest := suspend(last); rest.Postings[0].Amount != 13000 {
		t.Errorf("suspended %d, want what is left", rest.Postings[0].Amount)
	}
	checked(t, s)

	// Once nothing of it stands, a success is judged as ever.
	must(t)(s.Reverse(ctx, part.ID, anna))
}

// Money that cannot be read is in sight until somebody has dealt with it: also
// when what was done about it is undone.
func TestAMessageIsOpenAgainWhenItsSuspenseIsReversed(t *testing.T) {
	s := bookOf(t)
	open := func(want ...int64) {
		t.Helper()
		page, _, err := s.Messages(ctx, store.MessageFilter{Open: true})
		if got := numbers(page); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("open: got %v, %v; want %v", got, err, want)
		}
		checked(t, s)
	}
	foreign := stored(t, s, paid("card-1", "3", func(e *topup.Event) { e.TopUp = false }))
	nobodys, ours := unreadable(t, s, "their-id", "1"), unreadable(t, s, mustIssue(t, s), "2")
	for _, m := range []int64{foreign, nobodys, ours} {
		open(slices.DeleteFunc([]int64{ours, nobodys}, func(n int64) bool { return n < m })...)
		request := topup.SuspendRequest{Amount: 5, Currency: "KZT"}
		if m == foreign {
			request = topup.SuspendRequest{}
		}
		made := must(t)(s.SuspendMessage(ctx, m, request, anna))
		mirror := must(t)(s.Reverse(ctx, made.ID, anna))
		open(slices.DeleteFunc([]int64{ours, nobodys}, func(n int64) bool { return n < m })...)
		must(t)(s.Reverse(ctx, mirror.ID, anna))
		open(slices.DeleteFunc([]int64{ours, nobodys}, func(n int64) bool { return n <= m })...)
	}

	// One that an operator called dealt with stays so.
	dealt := unreadable(t, s, "their-id", "4")
	if err := s.DismissMessage(ctx, dealt, anna); err != nil {
		t.Fatal(err)
	}
	made := must(t)(s.SuspendMessage(ctx, dealt, topup.SuspendRequest{Amount: 5, Currency: "KZT"}, anna))
	must(t)(s.Reverse(ctx, made.ID, anna))
	open()
}

// A record under a reference is one credit of that reference, also when it is let
// count again after it was reversed.
func TestARecordThatWasReversedDoesNotCountAgainBesideAnother(t *testing.T) {
	s := bookOf(t)
	record := func(reference string) topup.Transaction {
		r := recordOf("")
		r.Provider, r.Project, r.Reference, r.Money = "highhelp", "57aff4db", reference, hundred
		return must(t)(s.RecordPayment(ctx, r, anna))
	}
	reverse := func(id string) topup.Transaction { return must(t)(s.Reverse(ctx, id, anna)) }
	again := func(mirror topup.Transaction) error {
		_, err := s.Reverse(ctx, mirror.ID, anna)
		return err
	}

	mirror := reverse(record("theirs-1").ID)
	second := record("theirs-1")
	refused(t, again(mirror), topup.KindConflict, "theirs-1 has been recorded again")
	secondMirror := reverse(second.ID)
	if err := again(mirror); err != nil { // nothing has the reference now
		t.Error(err)
	}
	refused(t, again(secondMirror), topup.KindConflict, "theirs-1 has been recorded again")

	mirror = reverse(record("theirs-2").ID)
	reverse(record("theirs-2").ID)
	mustRecord(t, s, told("theirs-2", topup.OutcomePaid, "success")) // into suspense, of the second
	refused(t, again(mirror), topup.KindConflict, "or has posted")
	wantBalances(t, s, map[string]int64{"customers:7000000000:1": 10000, "suspense:highhelp:57aff4db": 10000})

	mirror = reverse(record("theirs-3").ID)
	secondMirror = reverse(record("theirs-3").ID)
	onlyOne(t, "has been recorded again", func() error { return again(mirror) }, func() error { return again(secondMirror) })
	checked(t, s)
}

// What was assigned out of a suspended message and then undone, step by step, leaves
// a sound book, whatever posts the operation in the end.
func TestASuspendedMessageThatWasAssignedIsUndoneStepByStep(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	m := unreadable(t, s, id, "1")
	suspend := func() topup.Transaction {
		return must(t)(s.SuspendMessage(ctx, m, topup.SuspendRequest{Amount: 10000, Currency: "KZT"}, anna))
	}
	assign := func(item string) topup.Transaction {
		return must(t)(s.AssignSuspense(ctx, item, "7123456789", "12345", anna))
	}
	made := suspend()
	must(t)(s.Reverse(ctx, assign(made.ID).ID, anna))
	mirror := must(t)(s.Reverse(ctx, made.ID, anna))
	shows(t, s, id, "review, unreadable reversed")
	checked(t, s)
	second := must(t)(s.Reverse(ctx, mirror.ID, anna))
	checked(t, s)
	must(t)(s.Reverse(ctx, second.ID, anna))
	assign(suspend().ID)
	shows(t, s, id, "succeeded, credited 10000, unreadable")
	checked(t, s)
}
