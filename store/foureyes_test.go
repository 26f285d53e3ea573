package store_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tolem/store"
	"tolem/storetest"
	"tolem/topup"
)

// bearer is an operator who has presented a token.
func bearer(name string) store.By {
	return store.By{Actor: name, Reason: "ticket 7", Token: true, Role: "operator", RequestID: "r-" + name}
}

// underFourEyes is a store in which these steps need a second person.
func underFourEyes(t testing.TB, s *store.Store, actions ...store.Action) {
	t.Helper()
	if _, err := s.SetFourEyes(ctx, actions, store.By{Actor: "serve"}); err != nil {
		t.Fatal(err)
	}
}

// proposed is the id of the proposal that a step became.
func proposed(t testing.TB, err error) string {
	t.Helper()
	var p *store.ProposedError
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a proposal", err)
	}
	return p.ApprovalID
}

func mustApproval(t testing.TB, s *store.Store, id string) store.Approval {
	t.Helper()
	a, err := s.Approval(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFourEyes(t *testing.T) {
	t.Run("AStepIsProposedAndAnotherTokenApprovesIt", func(t *testing.T) {
		s := bookOf(t)
		underFourEyes(t, s, store.ActionCredit)
		id := mustIssue(t, s)
		_, err := s.CreditPayment(ctx, id, bearer("anna"))
		ap := proposed(t, err)
		shows(t, s, id, "pending")
		a := mustApproval(t, s, ap)
		if a.Status != store.ApprovalProposed || a.Action != store.ActionCredit || a.Object != id || a.By.Actor != "anna" || a.By.Reason != "ticket 7" {
			t.Errorf("got %+v", a)
		}
		if len(a.Preview) != 1 || a.Preview[0].Kind != topup.KindManualCredit || a.Preview[0].PaymentID != id || len(a.Preview[0].Postings) != 2 {
			t.Errorf("preview: got %+v", a.Preview)
		}
		_, err = s.Approve(ctx, ap, bearer("anna"))
		refused(t, err, topup.KindForbidden, "anna has proposed this step")
		made, err := s.Approve(ctx, ap, bearer("bolat"))
		if err != nil || len(made) != 1 {
			t.Fatalf("got %+v, %v", made, err)
		}
		if m := made[0]; m.Actor != "anna" || m.Reason != "ticket 7" || m.ApprovedBy != "bolat" || m.PaymentID != id {
			t.Errorf("got %+v", m)
		}
		shows(t, s, id, "succeeded, credited 10000")
		list, err := s.PaymentTransactions(ctx, id)
		if err != nil || len(list) != 1 || list[0].ApprovedBy != "bolat" {
			t.Errorf("got %+v, %v", list, err)
		}
		a = mustApproval(t, s, ap)
		if a.Status != store.ApprovalApproved || a.Decision.By.Actor != "bolat" || len(a.Decision.Transactions) != 1 || a.Decision.Transactions[0] != made[0].ID {
			t.Errorf("got %+v", a.Decision)
		}
		_, err = s.Approve(ctx, ap, bearer("bolat"))
		refused(t, err, topup.KindConflict, "this proposal was approved by bolat")
	})
	t.Run("OneOf200ApprovalsPosts", func(t *testing.T) {
		o := newDatabase(t)
		s := bookOf(t, func(n *store.Options) { *n = o })
		stores := []*store.Store{s, mustOpen(t, func(n *store.Options) { *n = o })}
		underFourEyes(t, s, store.ActionCredit)
		id := mustIssue(t, s)
		_, err := s.CreditPayment(ctx, id, bearer("anna"))
		ap := proposed(t, err)
		var all sync.WaitGroup
		var mu sync.Mutex
		posted := 0
		for i := range 200 {
			all.Go(func() {
				_, err := stores[i%2].Approve(ctx, ap, bearer("bolat"))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					posted++
				} else if kindOf(err) != topup.KindConflict {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if posted != 1 {
			t.Errorf("%d approvals posted, want 1", posted)
		}
		shows(t, s, id, "succeeded, credited 10000")
	})
	t.Run("ItExpiresByItself", func(t *testing.T) {
		clock := newClock()
		s := bookOf(t, func(o *store.Options) { o.Now = clock.Now })
		underFourEyes(t, s, store.ActionCredit)
		_, err := s.CreditPayment(ctx, mustIssue(t, s), bearer("anna"))
		ap := proposed(t, err)
		clock.Add(7*24*time.Hour - time.Second)
		if a := mustApproval(t, s, ap); a.Status != store.ApprovalProposed {
			t.Errorf("a second before: got %s", a.Status)
		}
		clock.Add(time.Second)
		if a := mustApproval(t, s, ap); a.Status != store.ApprovalExpired {
			t.Errorf("after 7 days: got %s", a.Status)
		}
		_, err = s.Approve(ctx, ap, bearer("bolat"))
		refused(t, err, topup.KindConflict, "has expired")
		refused(t, s.Reject(ctx, ap, bearer("bolat")), topup.KindConflict, "has expired")
		if open, _, err := s.Approvals(ctx, store.ApprovalFilter{Open: true}); err != nil || len(open) != 0 {
			t.Errorf("open ones: got %+v, %v", open, err)
		}
		if all, _, err := s.Approvals(ctx, store.ApprovalFilter{}); err != nil || len(all) != 1 {
			t.Errorf("all: got %+v, %v", all, err)
		}
	})
	t.Run("NobodyIsASecondPersonWithoutAToken", func(t *testing.T) {
		s := bookOf(t)
		underFourEyes(t, s, store.ActionCredit)
		_, err := s.CreditPayment(ctx, mustIssue(t, s), store.By{Actor: "anna", OSUser: "root", Role: store.RoleCommand, Reason: "r"})
		ap := proposed(t, err)
		for name, by := range map[string]store.By{
			"the system's user":              {Actor: "bolat", OSUser: "bolat", Role: store.RoleCommand},
			"a role that takes no steps":     {Actor: "bolat", Token: true, Role: "read"},
			"the name that --actor gave":     {Actor: "anna", Token: true, Role: "admin"},
			"the name of the system's user":  {Actor: "root", Token: true, Role: "admin"},
			"somebody who says to be admin":  {Actor: "bolat", Role: "admin"},
			"a merchant's token, in the API": {Actor: "shop", Token: true, Role: "merchant"},
		} {
			if _, err := s.Approve(ctx, ap, by); kindOf(err) != topup.KindForbidden {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if _, err := s.Approve(ctx, ap, bearer("bolat")); err != nil {
			t.Error(err)
		}
	})
	t.Run("WhatHasBecomeImpossibleIsRefusedAndStays", func(t *testing.T) {
		s := bookOf(t)
		underFourEyes(t, s, store.ActionCredit)
		id := mustIssue(t, s)
		_, err := s.CreditPayment(ctx, id, bearer("anna"))
		ap := proposed(t, err)
		mustRecord(t, s, paid(id, "28"))
		_, err = s.Approve(ctx, ap, bearer("bolat"))
		refused(t, err, topup.KindConflict, "has been credited")
		_, err = s.PreviewApproval(ctx, ap)
		refused(t, err, topup.KindConflict, "has been credited")
		if open, _, err := s.Approvals(ctx, store.ApprovalFilter{Open: true}); err != nil || len(open) != 1 || open[0].ID != ap {
			t.Errorf("got %+v, %v", open, err)
		}
		if err := s.Reject(ctx, ap, bearer("anna")); err != nil {
			t.Error(err)
		}
		if a := mustApproval(t, s, ap); a.Status != store.ApprovalRejected || a.Decision.By.Reason != "ticket 7" || a.Decision.Transactions != nil {
			t.Errorf("got %+v", a)
		}
		shows(t, s, id, "succeeded, credited 10000")
	})
	t.Run("NothingElseIsPostedThanWasShown", func(t *testing.T) {
		s := bookOf(t)
		underFourEyes(t, s, store.ActionPayout)
		mustAdd(t, s, newPayout("po-1"))
		_, err := s.PostPayout(ctx, ref("po-1"), bearer("anna"))
		ap := proposed(t, err)
		if err := s.DiscardPayout(ctx, ref("po-1"), bearer("anna")); err != nil {
			t.Fatal(err)
		}
		mustAdd(t, s, newPayout("po-1", func(p *store.NewPayout) { p.Gross, p.Net = 2*p.Gross, p.Net+p.Gross }))
		_, err = s.Approve(ctx, ap, bearer("bolat"))
		refused(t, err, topup.KindConflict, "something else than was proposed")
		if got := mustPayout(t, s, "po-1"); got.State != topup.PayoutDraft {
			t.Errorf("got %s", got.State)
		}
		if a := mustApproval(t, s, ap); a.Status != store.ApprovalProposed {
			t.Errorf("got %s", a.Status)
		}
	})
	t.Run("WhatIsImpossibleIsNotProposed", func(t *testing.T) {
		s := bookOf(t)
		underFourEyes(t, s, store.ActionRecall)
		_, err := s.RecallPayment(ctx, mustIssue(t, s), bearer("anna"))
		refused(t, err, topup.KindConflict, "nothing of this payment is credited")
		if all, _, err := s.Approvals(ctx, store.ApprovalFilter{}); err != nil || len(all) != 0 {
			t.Errorf("got %+v, %v", all, err)
		}
	})
	t.Run("TheDayOfAProposalIsThatOfItsApproval", func(t *testing.T) {
		clock := newClock()
		s := bookOf(t, func(o *store.Options) { o.Now = clock.Now })
		underFourEyes(t, s, store.ActionCredit)
		today, given := mustIssue(t, s), mustIssue(t, s)
		_, err := s.CreditPayment(ctx, today, bearer("anna"))
		first := proposed(t, err)
		by := bearer("anna")
		by.Effective = store.Day{Start: clock.Now().Truncate(24 * time.Hour), End: clock.Now().Truncate(24 * time.Hour).Add(24 * time.Hour)}
		_, err = s.CreditPayment(ctx, given, by)
		second := proposed(t, err)
		clock.Add(48 * time.Hour)
		made, err := s.Approve(ctx, first, bearer("bolat"))
		if err != nil || !made[0].EffectiveAt.Equal(clock.Now()) {
			t.Errorf("without a day: got %+v, %v", made, err)
		}
		made, err = s.Approve(ctx, second, bearer("bolat"))
		if err != nil || !made[0].EffectiveAt.Equal(by.Effective.Start) {
			t.Errorf("with a day: got %+v, %v", made, err)
		}
	})
	t.Run("UnderAnIdempotencyKeyItIsProposedOnce", func(t *testing.T) {
		s := bookOf(t)
		underFourEyes(t, s, store.ActionCredit)
		id := mustIssue(t, s)
		by := bearer("anna")
		by.Once = &store.Once{Key: keyed("k", "h"), Answer: func(done any) (store.Answer, error) {
			return store.Answer{Status: 202, Body: []byte(done.(*store.ProposedError).ApprovalID)}, nil
		}}
		_, err := s.CreditPayment(ctx, id, by)
		ap := proposed(t, err)
		_, err = s.CreditPayment(ctx, id, by)
		if prior := answeredBefore(t, err); prior.Answer.Status != 202 || string(prior.Answer.Body) != ap {
			t.Errorf("got %+v", prior)
		}
		approver := bearer("bolat")
		approver.Once = once("approve", "h")
		made, err := s.Approve(ctx, ap, approver)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Approve(ctx, ap, approver)
		if prior := answeredBefore(t, err); string(prior.Answer.Body) != made[0].ID {
			t.Errorf("got %+v", prior)
		}
	})
	t.Run("NoProcessOfItsOwnWeakensIt", func(t *testing.T) {
		o := newDatabase(t)
		s := bookOf(t, func(n *store.Options) { *n = o })
		raw := rawOpen(t, s)
		oldest := func() int64 { return queryInt(t, raw, `SELECT max(oldest_program) FROM schema_levels`) }
		without := oldest()
		underFourEyes(t, s, store.ActionCredit)
		if got := oldest(); got <= without || got > store.ProgramLevel {
			t.Errorf("programs that do not know of it are not refused: the level is %d, and was %d", got, without)
		}
		command := mustOpen(t, func(n *store.Options) { *n = o })
		_, err := command.CreditPayment(ctx, mustIssue(t, s), anna)
		proposed(t, err)
		before, err := s.SetFourEyes(ctx, nil, store.By{Actor: "serve"})
		if err != nil || len(before) != 1 || before[0] != store.ActionCredit {
			t.Errorf("got %v, %v", before, err)
		}
		if _, err := command.CreditPayment(ctx, mustIssue(t, s), anna); err != nil {
			t.Error(err)
		}
		if oldest() != without {
			t.Errorf("off again: got level %d, want %d", oldest(), without)
		}
		_, err = s.SetFourEyes(ctx, []store.Action{store.ActionClose}, store.By{Actor: "serve"})
		refused(t, err, topup.KindInvalid, "must be of")
	})
}

func TestBearer(t *testing.T) {
	clock := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = clock.Now })
	_, err := s.Bearer(ctx, "a-token")
	refused(t, err, topup.KindForbidden, "serve writes them")
	list := []store.Approver{{Name: "bolat", Role: "operator", Token: "a-token"}, {Name: "dana", Role: "admin", Token: "b-token", Until: clock.Now().Add(time.Hour)}}
	if err := s.SetApprovers(ctx, list); err != nil {
		t.Fatal(err)
	}
	by, err := s.Bearer(ctx, "a-token")
	if err != nil || by.Actor != "bolat" || by.Role != "operator" || !by.Token {
		t.Errorf("got %+v, %v", by, err)
	}
	if by, err := s.Bearer(ctx, "b-token"); err != nil || by.Actor != "dana" {
		t.Errorf("got %+v, %v", by, err)
	}
	clock.Add(time.Hour)
	_, err = s.Bearer(ctx, "b-token")
	refused(t, err, topup.KindForbidden, "the token of dana has expired")
	for _, other := range []string{"", "c-token", "a-token ", strings.Repeat("a", 1<<20)} {
		_, err := s.Bearer(ctx, other)
		refused(t, err, topup.KindForbidden, "none of admin.tokens")
	}
	if err := s.SetApprovers(ctx, list[1:]); err != nil {
		t.Fatal(err)
	}
	_, err = s.Bearer(ctx, "a-token")
	refused(t, err, topup.KindForbidden, "none of admin.tokens")
	var value string
	if err := rawOpen(t, s).QueryRow(`SELECT value FROM meta WHERE key = 'approvers'`).Scan(&value); err != nil || strings.Contains(value, "b-token") {
		t.Errorf("got %s, %v", value, err)
	}
}

// TestPreviewsBesideOtherWrites: they leave nothing behind, and no write beside
// them runs again for one.
func TestPreviewsBesideOtherWrites(t *testing.T) {
	o := newDatabase(t)
	s := bookOf(t, func(n *store.Options) { *n = o })
	const n = 40
	var ids []string
	for range 2 * n {
		ids = append(ids, mustIssue(t, s))
	}
	release := func() {}
	if !onPostgres { // so that they wait, and share a transaction
		release = storetest.Hold(t, o)
	}
	var all sync.WaitGroup
	var runs atomic.Int64
	for i := range n {
		id, shown := ids[i], ids[n+i]
		all.Go(func() {
			if _, err := s.Preview(ctx, store.CreditStep{PaymentID: shown}, anna); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			by := bearer("anna")
			by.Once = &store.Once{Answer: func(any) (store.Answer, error) {
				runs.Add(1)
				return store.Answer{}, nil
			}}
			if _, err := s.CreditPayment(ctx, id, by); err != nil {
				t.Error(err)
			}
		})
	}
	// The first batch, which waits to begin, has as many as were there when it was made.
	for held := time.Now(); !onPostgres && s.QueueDepth() < n && time.Since(held) < 2*time.Second; {
		runtime.Gosched()
	}
	release()
	all.Wait()
	if got := runs.Load(); got != n {
		t.Errorf("the steps ran %d times, want %d", got, n)
	}
	if got := len(feed(t, s)); got != n {
		t.Errorf("got %d transactions, want %d", got, n)
	}
	checked(t, s)
}

// TestFourEyesOfEveryStep: each step can be proposed, shows what it would post,
// and posts the same when it is approved.
func TestFourEyesOfEveryStep(t *testing.T) {
	kinds := store.StepKinds()
	for _, tt := range []struct {
		name string
		make func(t *testing.T, s *store.Store) store.Step
	}{
		{"credit", func(t *testing.T, s *store.Store) store.Step { return store.CreditStep{PaymentID: mustIssue(t, s)} }},
		{"recall", func(t *testing.T, s *store.Store) store.Step {
			id := mustIssue(t, s)
			mustRecord(t, s, paid(id, "28"))
			return store.RecallStep{PaymentID: id}
		}},
		{"assign", func(t *testing.T, s *store.Store) store.Step { return store.AssignStep{Assignment: suspended(t, s)} }},
		{"assign_list", func(t *testing.T, s *store.Store) store.Step {
			return store.AssignListStep{List: []store.Assignment{suspended(t, s), suspended(t, s)}}
		}},
		{"return", func(t *testing.T, s *store.Store) store.Step { return store.ReturnStep{Item: suspended(t, s).Item} }},
		{"reverse", func(t *testing.T, s *store.Store) store.Step {
			return store.ReverseStep{TransactionID: must(t)(s.CreditPayment(ctx, mustIssue(t, s), anna)).ID}
		}},
		{"record", func(t *testing.T, s *store.Store) store.Step {
			return store.RecordStep{Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "12345", Amount: 700, Currency: "KZT", Operation: "991"}
		}},
		{"suspend", func(t *testing.T, s *store.Store) store.Step {
			return store.SuspendStep{MessageID: unreadable(t, s, mustIssue(t, s), "80"), Amount: 500, Currency: "KZT"}
		}},
		{"refund", func(t *testing.T, s *store.Store) store.Step {
			id := mustIssue(t, s)
			mustRecord(t, s, paid(id, "28"))
			return store.RefundStep{PaymentID: id, RefundRequest: topup.RefundRequest{PayBack: topup.PayBack{Amount: 400, Operation: "2900"}}}
		}},
		{"apply_report", func(t *testing.T, s *store.Store) store.Step {
			step := store.ApplyReportStep{Provider: "jetpay", Project: "1234"}
			for i := range 3 {
				step.List = append(step.List, topup.ReportedCredit{PaymentID: mustIssue(t, s), Operation: fmt.Sprint(800 + i), Amount: hundred.Amount, Currency: hundred.Currency, Source: fmt.Sprintf("report.csv line %d", i+2)})
			}
			return step
		}},
		{"payout", func(t *testing.T, s *store.Store) store.Step {
			mustAdd(t, s, newPayout("po-1"))
			return store.PostPayoutStep{PayoutRef: ref("po-1")}
		}},
	} {
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return kind == tt.name })
		t.Run(tt.name, func(t *testing.T) {
			s := bookOf(t)
			step := tt.make(t, s)
			underFourEyes(t, s, store.FourEyesActions...)
			would, err := s.Preview(ctx, step, store.By{Actor: "anna"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Do(ctx, step, bearer("anna"))
			ap := proposed(t, err)
			made, err := s.Approve(ctx, ap, bearer("bolat"))
			if err != nil {
				t.Fatal(err)
			}
			if len(made) != len(would) || len(made) == 0 {
				t.Fatalf("got %d transactions, the preview had %d", len(made), len(would))
			}
			for i := range made {
				if postingsText(made[i]) != postingsText(would[i]) || made[i].Kind != would[i].Kind || would[i].ID != "" {
					t.Errorf("got %+v, the preview was %+v", made[i], would[i])
				}
				if would[i].PaymentID != "" && would[i].PaymentID != made[i].PaymentID {
					t.Errorf("got payment %s, the preview had %s", made[i].PaymentID, would[i].PaymentID)
				}
				if made[i].ApprovedBy != "bolat" || made[i].Actor != "anna" {
					t.Errorf("got %+v", made[i])
				}
			}
			checked(t, s)
		})
	}
	if len(kinds) > 0 {
		t.Errorf("these steps can be proposed, and are not tested: %v", kinds)
	}
}

func postingsText(t topup.Transaction) string {
	var text strings.Builder
	for _, p := range t.Postings {
		text.WriteString(p.Account + " " + topup.Money{Amount: p.Amount, Currency: p.Currency}.String() + "\n")
	}
	return text.String()
}

// suspended is money in suspense, with the contract that it shall go to.
func suspended(t *testing.T, s *store.Store) store.Assignment {
	t.Helper()
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "op-"+id, func(e *topup.Event) { e.Sum.Amount = 9900 }))
	items, err := s.SuspenseItems(ctx, store.SuspenseFilter{PaymentID: id})
	if err != nil || len(items) != 1 {
		t.Fatalf("got %+v, %v", items, err)
	}
	return store.Assignment{Item: items[0].ID, CustomerID: "7123456789", ContractID: "12345"}
}
