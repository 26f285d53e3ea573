package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/reconcile"
	"tolem/store"
	"tolem/topup"
)

// reported is a line that calls the payment paid.
func reported(id, operation string, amount int64) topup.ReportedCredit {
	return topup.ReportedCredit{
		PaymentID: id, Operation: operation, Amount: amount, Currency: "KZT",
		At: time.Now().Add(-time.Hour).UTC().Truncate(time.Second), Source: "report.csv, SHA-256 00, line 2",
	}
}

func TestApplyReport(t *testing.T) {
	step := func(list ...topup.ReportedCredit) store.ApplyReportStep {
		return store.ApplyReportStep{Provider: "jetpay", Project: "1234", List: list}
	}
	by := store.By{Actor: "ayan", Reason: "report"}
	t.Run("BindsTheOperation", func(t *testing.T) {
		s := mustOpen(t)
		id := mustIssue(t, s)
		p := mustPayment(t, s, id)
		made, err := s.Do(t.Context(), step(reported(id, "5001", p.Money.Amount)), by)
		if err != nil {
			t.Fatal(err)
		}
		if len(made) != 1 || made[0].Kind != topup.KindManualCredit || made[0].Operation != "5001" || made[0].Reason != "report; report.csv, SHA-256 00, line 2" {
			t.Errorf("got %+v", made)
		}
		if got := mustRecord(t, s, paid(id, "5001")); got.Disposition != topup.DispositionPosted {
			t.Errorf("the late callback is %s, want %s", got.Disposition, topup.DispositionPosted)
		}
		if _, err := s.Do(t.Context(), step(reported(id, "5001", p.Money.Amount)), by); err == nil {
			t.Error("it was credited twice")
		}
	})
	t.Run("AllOrNothing", func(t *testing.T) {
		s := mustOpen(t)
		first, second := mustIssue(t, s), mustIssue(t, s)
		amount := mustPayment(t, s, first).Money.Amount
		_, err := s.Do(t.Context(), step(reported(first, "5001", amount), reported(second, "5002", amount+1)), by)
		if refusal := (*topup.Error)(nil); !errors.As(err, &refusal) || refusal.Kind != topup.KindConflict || !strings.Contains(err.Error(), second) {
			t.Errorf("got %v, want a conflict of %s", err, second)
		}
		if p := mustPayment(t, s, first); p.Credit != nil {
			t.Error("the first was credited")
		}
	})
	t.Run("AReversalFreesTheOperation", func(t *testing.T) {
		s := mustOpen(t)
		id := mustIssue(t, s)
		made, err := s.Do(t.Context(), step(reported(id, "5001", mustPayment(t, s, id).Money.Amount)), by)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Reverse(t.Context(), made[0].ID, by); err != nil {
			t.Fatal(err)
		}
		found, _, err := s.ReportBooks("jetpay", "1234").Find(t.Context(), []string{"5001"}, nil)
		if err != nil || len(found) != 0 {
			t.Errorf("got %v, %v, want a free operation", found, err)
		}
	})
	t.Run("WhatTheReportShouldHave", func(t *testing.T) {
		s := mustOpen(t)
		credited, byHand, open := mustIssue(t, s), mustIssue(t, s), mustIssue(t, s)
		mustRecord(t, s, paid(credited, "6001"))
		mustRecord(t, s, paid("unknown-1", "6002"))
		if _, err := s.CreditPayment(t.Context(), byHand, by); err != nil {
			t.Fatal(err)
		}
		var got []string
		whole := reconcile.Span{From: time.Unix(0, 0), To: time.Now().Add(240 * time.Hour)}
		err := s.ReportBooks("jetpay", "").Entries(t.Context(), whole, func(e reconcile.Entry) error {
			got = append(got, e.Payment+" "+e.Operation)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		want := []string{credited + " 6001", byHand + " ", "unknown-1 6002"}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		_, known, err := s.ReportBooks("jetpay", "1234").Find(t.Context(), nil, []string{credited, open, "unknown-1", "nobody"})
		if err != nil {
			t.Fatal(err)
		}
		if len(known) != 3 || known[credited].CreditOperation != "6001" || known[open].Status != "pending" || !known["unknown-1"].InSuspense {
			t.Errorf("got %+v", known)
		}
	})
	t.Run("RefundsThatTheReportShouldHave", func(t *testing.T) {
		s := mustOpen(t, func(o *store.Options) { o.Banks = []string{"halyk"} })
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "7001"))
		var undone topup.Transaction
		for _, r := range []topup.RefundRequest{
			back(1000, byOperation("7002")),
			back(2000),
			back(500, func(r *topup.RefundRequest) { r.From = "bank:halyk" }),
			back(300),
		} {
			var err error
			if undone, err = s.RefundPayment(t.Context(), id, r, by); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Reverse(t.Context(), undone.ID, by); err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		whole := reconcile.Span{From: time.Unix(0, 0), To: time.Now().Add(240 * time.Hour)}
		err := s.ReportBooks("jetpay", "1234").Entries(t.Context(), whole, func(e reconcile.Entry) error {
			if e.Payment != id || e.Currency != "KZT" {
				t.Errorf("got %+v", e)
			}
			got[fmt.Sprintf("%s refund %v bypass %v", e.Operation, e.Refund, e.Bypass)] = e.Amount
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int64{"7001 refund false bypass false": 10000, "7002 refund true bypass false": 1000, " refund true bypass false": 2000, " refund true bypass true": 500}
		if !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
