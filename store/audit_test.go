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

// audited is the audit in short, the oldest entry first, without the ids of
// transactions.
func audited(t testing.TB, s *store.Store, f store.AuditFilter) []string {
	t.Helper()
	var list []string
	for {
		page, next, err := s.AuditEntries(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			who := e.Actor
			if e.ActingAs != "" {
				who += " as " + e.ActingAs
			}
			line := fmt.Sprintf("%s (%s) %s %s: %s", who, e.Role, e.Action, e.Object, e.Result)
			if e.Result == store.ResultRefused {
				line += ": " + e.Detail
			}
			list = append(list, line)
		}
		if next == "" {
			slices.Reverse(list)
			return list
		}
		f.Cursor = next
	}
}

func TestAudit(t *testing.T) {
	t.Run("HasEveryStepAndItsResult", func(t *testing.T) {
		s := bookOf(t)
		id, other := mustIssue(t, s), mustIssue(t, s)
		by := bearer("anna")
		made := must(t)(s.CreditPayment(ctx, id, by))
		recall := must(t)(s.RecallPayment(ctx, id, by))
		must(t)(s.AssignSuspense(ctx, recall.ID, "7123456789", "2", by))
		again := must(t)(s.RecordPayment(ctx, recordOf("40"), by))
		must(t)(s.Reverse(ctx, again.ID, by))
		returned := suspended(t, s).Item
		must(t)(s.ReturnSuspense(ctx, returned, topup.PayBack{}, by))
		if _, err := s.AssignAll(ctx, []store.Assignment{suspended(t, s)}, by); err != nil {
			t.Fatal(err)
		}
		message := unreadable(t, s, other, "80")
		must(t)(s.SuspendMessage(ctx, message, topup.SuspendRequest{Amount: 500, Currency: "KZT"}, by))
		reviewed := mustIssue(t, s)
		mustRecord(t, s, paid(reviewed, "3", func(e *topup.Event) { e.Outcome = topup.OutcomePaidStatus }))
		if err := s.ClosePayment(ctx, reviewed, by); err != nil {
			t.Fatal(err)
		}
		dealt := unreadable(t, s, other, "81")
		if err := s.DismissMessage(ctx, dealt, by); err != nil {
			t.Fatal(err)
		}
		_, err := s.CreditPayment(ctx, id, by)
		refused(t, err, topup.KindConflict, "which was recalled")
		want := []string{
			"credit " + id + ": done", "recall " + id + ": done", "assign " + recall.ID + ": done", "record 40: done", "reverse " + again.ID + ": done",
			"return " + returned + ": done", "assign 1 suspense items: done", fmt.Sprintf("suspend message %d: done", message),
			"close " + reviewed + ": done", fmt.Sprintf("dismiss message %d: done", dealt), "credit " + id + ": refused: ",
		}
		got := audited(t, s, store.AuditFilter{})
		if len(got) != len(want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		for i := range want {
			if !strings.HasPrefix(got[i], "anna (operator) "+want[i]) {
				t.Errorf("entry %d: got %q, want %q", i, got[i], want[i])
			}
		}
		page, _, err := s.AuditEntries(ctx, store.AuditFilter{Limit: 500})
		if err != nil {
			t.Fatal(err)
		}
		first := page[len(page)-1]
		if first.Detail != made.ID || first.Reason != "ticket 7" || first.RequestID != "r-anna" || first.At.IsZero() {
			t.Errorf("got %+v", first)
		}
		for _, e := range page {
			if text := fmt.Sprintf("%+v", e); strings.Contains(text, "7123456789") {
				t.Errorf("a customer's id is in the audit: %s", text)
			}
		}
	})
	t.Run("ARefusalThatIsNoConflictIsNotWritten", func(t *testing.T) {
		s := bookOf(t)
		_, err := s.CreditPayment(ctx, "p_none", bearer("anna"))
		refused(t, err, topup.KindNotFound, "does not exist")
		_, err = s.CreditPayment(ctx, "p_none", store.By{Actor: "anna"})
		refused(t, err, topup.KindInvalid, "reason must be given")
		if got := audited(t, s, store.AuditFilter{}); len(got) != 0 {
			t.Errorf("got %q", got)
		}
	})
	t.Run("ACommandsActorIsTheSystemsUser", func(t *testing.T) {
		s := bookOf(t)
		id := mustIssue(t, s)
		made := must(t)(s.CreditPayment(ctx, id, store.By{Actor: "aigerim", OSUser: "root", Role: store.RoleCommand, Reason: "r"}))
		if made.Actor != "aigerim" {
			t.Errorf("in the journal: got %s", made.Actor)
		}
		must(t)(s.Reverse(ctx, made.ID, store.By{Actor: "root", OSUser: "root", Role: store.RoleCommand, Reason: "r"}))
		want := []string{"root as aigerim (command) credit " + id + ": done", "root (command) reverse " + made.ID + ": done"}
		if got := audited(t, s, store.AuditFilter{}); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := audited(t, s, store.AuditFilter{Actor: "aigerim"}); !slices.Equal(got, want[:1]) {
			t.Errorf("of aigerim: got %q", got)
		}
		if got := audited(t, s, store.AuditFilter{Actor: "root"}); !slices.Equal(got, want) {
			t.Errorf("of root: got %q", got)
		}
	})
	t.Run("HasProposalsApprovalsAndTheirRefusals", func(t *testing.T) {
		s := bookOf(t)
		underFourEyes(t, s, store.ActionCredit)
		id, other := mustIssue(t, s), mustIssue(t, s)
		_, err := s.CreditPayment(ctx, id, bearer("anna"))
		ap := proposed(t, err)
		_, err = s.Approve(ctx, ap, bearer("anna"))
		refused(t, err, topup.KindForbidden, "")
		if _, err := s.Approve(ctx, ap, bearer("bolat")); err != nil {
			t.Fatal(err)
		}
		refused(t, s.Reject(ctx, ap, bearer("bolat")), topup.KindConflict, "was approved")
		_, err = s.CreditPayment(ctx, other, bearer("anna"))
		second := proposed(t, err)
		if err := s.Reject(ctx, second, bearer("anna")); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"serve () configure four_eyes: done", "anna (operator) credit " + id + ": proposed",
			"anna (operator) approve " + ap + ": refused: anna has proposed this step: another person must approve it",
			"anna (operator) credit " + id + ": done", "bolat (operator) approve " + ap + ": done",
			"bolat (operator) reject " + ap + ": refused: this proposal was approved by bolat",
			"anna (operator) credit " + other + ": proposed", "anna (operator) reject " + second + ": done",
		}
		if got := audited(t, s, store.AuditFilter{}); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("HasImports", func(t *testing.T) {
		s := mustOpen(t)
		file := jsonl(line("c1", "e1"), line("c2", "e1"))
		mustImport(t, s, store.ImportOptions{Actor: "aigerim", OSUser: "root"}, file)
		mustImport(t, s, store.ImportOptions{Actor: "aigerim", OSUser: "root", DryRun: true}, file)
		page, _, err := s.AuditEntries(ctx, store.AuditFilter{})
		if err != nil || len(page) != 1 {
			t.Fatalf("got %+v, %v; want the import, and not the dry run", page, err)
		}
		if e := page[0]; e.Action != "import" || e.Actor != "root" || e.ActingAs != "aigerim" || e.Role != "command" || !strings.Contains(e.Detail, "2 accounts: 2 created") {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("WhatIsWrittenByTheEdge", func(t *testing.T) {
		s := mustOpen(t)
		long := strings.Repeat("я", 20000)
		if err := s.Audit(ctx, bearer("anna"), store.Audited{Action: "reload", Object: long, Result: store.ResultDone, Detail: "a\x00b" + long}); err != nil {
			t.Fatal(err)
		}
		page, _, err := s.AuditEntries(ctx, store.AuditFilter{})
		if err != nil || len(page) != 1 || len(page[0].Object) != 254 || !strings.HasPrefix(page[0].Detail, "abя") || len(page[0].Detail) > 16<<10 {
			t.Errorf("got %d entries, %v", len(page), err)
		}
		if err := s.Audit(ctx, bearer("anna"), store.Audited{Action: "reload", Result: "perhaps"}); err == nil {
			t.Error("another result was accepted")
		}
	})
	t.Run("PagesGoThroughAllOfIt", func(t *testing.T) {
		clock := newClock()
		s := mustOpen(t, func(o *store.Options) { o.Now = clock.Now })
		var want []string
		for i := range 25 {
			by := store.By{Actor: fmt.Sprint("a", i%2), OSUser: fmt.Sprint("a", i%3), Role: store.RoleCommand}
			if err := s.Audit(ctx, by, store.Audited{Action: "reload", Object: fmt.Sprint(i), Result: store.ResultDone}); err != nil {
				t.Fatal(err)
			}
			if i%2 == 1 || i%3 == 1 {
				want = append(want, fmt.Sprint(i))
			}
			if i%4 == 0 { // several of one instant
				clock.Add(time.Hour)
			}
		}
		for _, limit := range []int{1, 2, 7, 500} {
			if got := audited(t, s, store.AuditFilter{Limit: limit}); len(got) != 25 {
				t.Errorf("limit %d: got %d entries", limit, len(got))
			}
			var got []string
			for _, line := range audited(t, s, store.AuditFilter{Limit: limit, Actor: "a1"}) {
				got = append(got, strings.TrimSuffix(line[strings.Index(line, "reload ")+7:], ": done"))
			}
			if !slices.Equal(got, want) {
				t.Errorf("limit %d of a1: got %v, want %v", limit, got, want)
			}
		}
		start := newClock().Now()
		if got := audited(t, s, store.AuditFilter{From: start.Add(time.Hour), To: start.Add(2 * time.Hour)}); len(got) != 4 || !strings.Contains(got[0], "reload 1:") {
			t.Errorf("of an hour: got %q", got)
		}
		for _, f := range []store.AuditFilter{{Cursor: "x"}, {Cursor: "MQ"}, {Limit: -1}, {Limit: 501}, {Actor: strings.Repeat("a", 256)}} {
			if _, _, err := s.AuditEntries(ctx, f); kindOf(err) != topup.KindInvalid {
				t.Errorf("%+v: got %v", f, err)
			}
		}
	})
	t.Run("ARefusalThatCannotBeWrittenIsNoRefusal", func(t *testing.T) {
		s := bookOf(t)
		id := mustIssue(t, s)
		must(t)(s.CreditPayment(ctx, id, bearer("anna")))
		raw := rawOpen(t, s)
		for _, query := range failing("INSERT", "audit", "", "broken") {
			if _, err := raw.Exec(query); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.CreditPayment(ctx, id, bearer("anna")); kindOf(err) != topup.KindUnavailable {
			t.Errorf("a refusal: got %v", err)
		}
		other := mustIssue(t, s)
		if _, err := s.CreditPayment(ctx, other, bearer("anna")); kindOf(err) != topup.KindUnavailable {
			t.Errorf("a step: got %v", err)
		}
		if p := mustPayment(t, s, other); p.Credited != nil {
			t.Error("a step was taken that the audit does not have")
		}
	})
}
