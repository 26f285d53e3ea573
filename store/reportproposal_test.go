package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// manyReported are payments of a contract, and a report that calls them paid.
func manyReported(t *testing.T, s *store.Store, n int) store.ApplyReportStep {
	t.Helper()
	step := store.ApplyReportStep{Provider: "jetpay", Project: "1234"}
	for i := range n {
		step.List = append(step.List, topup.ReportedCredit{
			PaymentID: mustIssue(t, s), Operation: fmt.Sprint(5000 + i), Amount: hundred.Amount, Currency: hundred.Currency, Source: fmt.Sprintf("report.csv line %d", i+2),
		})
	}
	return step
}

// mustProposeReport proposes all of it, and returns the proposal.
func mustProposeReport(t *testing.T, s *store.Store, step store.ApplyReportStep) string {
	t.Helper()
	credited, err := s.ApplyReport(ctx, step, bearer("anna"))
	if credited != 0 {
		t.Errorf("%d were credited without a second person", credited)
	}
	return proposed(t, err)
}

// creditsOf counts the credits of each payment of the report.
func creditsOf(t *testing.T, s *store.Store) map[string]int {
	t.Helper()
	made := map[string]int{}
	for _, tr := range feed(t, s) {
		if tr.Kind == topup.KindManualCredit {
			made[tr.PaymentID]++
			if tr.Actor != "anna" || tr.ApprovedBy != "bolat" {
				t.Errorf("transaction %s: actor %s, approved by %q", tr.ID, tr.Actor, tr.ApprovedBy)
			}
		}
	}
	return made
}

func creditedOnce(t *testing.T, s *store.Store, step store.ApplyReportStep) {
	t.Helper()
	made := creditsOf(t, s)
	for _, line := range step.List {
		if made[line.PaymentID] != 1 {
			t.Errorf("payment %s has %d credits", line.PaymentID, made[line.PaymentID])
		}
	}
	if len(made) != len(step.List) {
		t.Errorf("%d payments are credited, want %d", len(made), len(step.List))
	}
	checked(t, s)
}

func openProposals(t *testing.T, s *store.Store) []store.Approval {
	t.Helper()
	list, _, err := s.Approvals(ctx, store.ApprovalFilter{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestReportProposal(t *testing.T) {
	t.Run("OneProposalOf1000LinesAndOneApproval", func(t *testing.T) {
		s := bookOf(t)
		underFourEyes(t, s, store.ActionCredit)
		step := manyReported(t, s, 1000)
		ap := mustProposeReport(t, s, step)
		if list := openProposals(t, s); len(list) != 1 || list[0].ID != ap || list[0].Parts != 4 || list[0].Payments != 1000 ||
			!strings.Contains(list[0].Object, "1000 payments of a report, ") || len(list[0].Preview) != 250 {
			t.Errorf("got %+v", list)
		}
		_, err := s.Approve(ctx, ap, bearer("anna"))
		refused(t, err, topup.KindForbidden, "anna has proposed this step")
		_, err = s.Approve(ctx, ap+".000001", bearer("bolat"))
		refused(t, err, topup.KindConflict, "a part of "+ap)
		refused(t, s.Reject(ctx, ap+".000001", bearer("bolat")), topup.KindConflict, "a part of "+ap)
		made, err := s.Approve(ctx, ap, bearer("bolat"))
		if err != nil || len(made) != 250 {
			t.Fatalf("got %d transactions, %v", len(made), err)
		}
		creditedOnce(t, s, step)
		if a := mustApproval(t, s, ap); a.Status != store.ApprovalApproved || a.Decision.PartsLeft != 0 || len(a.Decision.Transactions) != 250 {
			t.Errorf("got %+v", a)
		}
		_, err = s.Approve(ctx, ap, bearer("bolat"))
		refused(t, err, topup.KindConflict, "this proposal was approved by bolat")
		if list := openProposals(t, s); len(list) != 0 {
			t.Errorf("still open: %+v", list)
		}
	})
	t.Run("OneOf20ApprovalsAtOncePostsEachLine", func(t *testing.T) {
		o := newDatabase(t)
		s := bookOf(t, func(n *store.Options) { *n = o })
		stores := []*store.Store{s, s} // on SQLite, of which another process's writes find the file busy
		if onPostgres {
			stores[1] = mustOpen(t, func(n *store.Options) { *n = o })
		}
		underFourEyes(t, s, store.ActionCredit)
		step := manyReported(t, s, 500)
		ap := mustProposeReport(t, s, step)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_, err := stores[i%2].Approve(ctx, ap, bearer("bolat"))
				for kindOf(err) == topup.KindUnavailable { // a slow machine: it waited for others for too long, and asks again
					_, err = stores[i%2].Approve(ctx, ap, bearer("bolat"))
				}
				if err != nil && kindOf(err) != topup.KindConflict {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		creditedOnce(t, s, step)
	})
	t.Run("WhatWasInterruptedIsFinishedByAnotherApproval", func(t *testing.T) {
		clock := newClock()
		s := bookOf(t, func(o *store.Options) { o.Now = clock.Now })
		underFourEyes(t, s, store.ActionCredit)
		step := manyReported(t, s, 600)
		ap := mustProposeReport(t, s, step)
		// The second part fails, as when the process ends there.
		execEither(t, s, `CREATE TRIGGER interrupted BEFORE INSERT ON approval_decisions WHEN NEW.approval_id LIKE '%.000002' BEGIN SELECT RAISE(ABORT, 'interrupted'); END`,
			`CREATE FUNCTION interrupt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.approval_id LIKE '%.000002' THEN RAISE EXCEPTION 'interrupted'; END IF; RETURN NEW; END $$`,
			`CREATE TRIGGER interrupted BEFORE INSERT ON approval_decisions FOR EACH ROW EXECUTE FUNCTION interrupt()`)
		if _, err := s.Approve(ctx, ap, bearer("bolat")); err == nil {
			t.Fatal("the interrupted approval has no error")
		}
		if n := len(creditsOf(t, s)); n != 250 {
			t.Errorf("%d payments are credited, want 250", n)
		}
		if list := openProposals(t, s); len(list) != 1 || list[0].Status != store.ApprovalApproved || list[0].Decision.PartsLeft != 2 {
			t.Errorf("got %+v", list)
		}
		refused(t, s.Reject(ctx, ap, bearer("bolat")), topup.KindConflict, "was approved by bolat")
		checked(t, s)
		execEither(t, s, `DROP TRIGGER interrupted`, `DROP TRIGGER interrupted ON approval_decisions`)
		clock.Add(8 * 24 * time.Hour) // it would have expired
		if list := openProposals(t, s); len(list) != 1 {
			t.Errorf("what is left is listed no more: %+v", list)
		}
		_, err := s.Approve(ctx, ap, bearer("anna"))
		refused(t, err, topup.KindForbidden, "anna has proposed this step")
		if _, err := s.Approve(ctx, ap, bearer("dana")); err != nil {
			t.Fatal(err)
		}
		creditedOnce(t, s, step) // in the name of bolat, who has approved it
	})
	t.Run("ItEndsWithItsCallerAndGoesOn", func(t *testing.T) {
		s := bookOf(t)
		underFourEyes(t, s, store.ActionCredit)
		step := manyReported(t, s, 300)
		ap := mustProposeReport(t, s, step)
		gone, leave := context.WithCancel(ctx)
		leave()
		if _, err := s.Approve(gone, ap, bearer("bolat")); err == nil {
			t.Error("it was approved for nobody")
		}
		if _, err := s.Approve(ctx, ap, bearer("bolat")); err != nil {
			t.Fatal(err)
		}
		creditedOnce(t, s, step)
	})
	t.Run("WhatACallbackHasCreditedIsLeftOut", func(t *testing.T) {
		for _, n := range []int{3, 300} {
			s := bookOf(t)
			underFourEyes(t, s, store.ActionCredit)
			step := manyReported(t, s, n)
			ap := mustProposeReport(t, s, step)
			late := step.List[n/2]
			if got := mustRecord(t, s, paid(late.PaymentID, late.Operation)); got.Disposition != topup.DispositionCredited {
				t.Fatalf("got %+v", got)
			}
			if _, err := s.Approve(ctx, ap, bearer("bolat")); err != nil {
				t.Fatal(err)
			}
			if made := creditsOf(t, s); len(made) != n-1 || made[late.PaymentID] != 0 {
				t.Errorf("of %d: %d are credited", n, len(made))
			}
			checked(t, s)
			found := false
			entries, _, err := s.AuditEntries(ctx, store.AuditFilter{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				found = found || strings.HasPrefix(e.Detail, "left out: ") && strings.Contains(e.Detail, late.Operation)
			}
			if !found {
				t.Errorf("of %d: the audit does not name what was left out", n)
			}
		}
	})
	t.Run("WithNothingLeftItStays", func(t *testing.T) {
		for _, n := range []int{2, 251} {
			s := bookOf(t)
			underFourEyes(t, s, store.ActionCredit)
			step := manyReported(t, s, n)
			ap := mustProposeReport(t, s, step)
			for _, line := range step.List {
				mustRecord(t, s, paid(line.PaymentID, line.Operation))
			}
			if _, err := s.Approve(ctx, ap, bearer("bolat")); kindOf(err) != topup.KindConflict {
				t.Errorf("of %d: got %v, want a conflict", n, err)
			}
			if list := openProposals(t, s); len(list) != 1 || list[0].Status != store.ApprovalProposed {
				t.Errorf("of %d: got %+v", n, list)
			}
			if err := s.Reject(ctx, ap, bearer("bolat")); err != nil {
				t.Error(err)
			}
			checked(t, s)
		}
	})
	t.Run("WithoutFourEyesItIsCreditedAtOnce", func(t *testing.T) {
		s := bookOf(t)
		step := manyReported(t, s, 300)
		if n, err := s.ApplyReport(ctx, step, anna); err != nil || n != 300 {
			t.Fatalf("got %d, %v", n, err)
		}
		checked(t, s)
	})
}

// execEither runs the first statement on SQLite, or the others on PostgreSQL.
func execEither(t *testing.T, s *store.Store, sqlite string, postgres ...string) {
	t.Helper()
	statements := postgres
	if !onPostgres {
		statements = []string{sqlite}
	}
	db := rawOpen(t, s)
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}
