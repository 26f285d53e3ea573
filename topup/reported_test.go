package topup_test

import (
	"testing"

	"tolem/topup"
)

func TestDecideReported(t *testing.T) {
	t.Parallel()
	issued := func(status topup.Status, change ...func(*topup.Payment)) topup.Payment {
		p := topup.Payment{ID: "p1", Provider: "jetpay", Project: "1", CustomerID: "c", ContractID: "e", Status: status, Money: topup.Money{Amount: 100, Currency: "KZT"}}
		for _, c := range change {
			c(&p)
		}
		return p
	}
	credited := func(p *topup.Payment) {
		p.Credit = &topup.Credit{Money: p.Money, ByOperator: true, Reversed: true}
	}
	for name, test := range map[string]struct {
		payment   topup.Payment
		operation string
		amount    int64
		currency  string
		project   string
		posted    bool
		credits   bool
	}{
		"pending":             {issued(topup.StatusPending), "5", 100, "KZT", "1", false, true},
		"expired":             {issued(topup.StatusExpired), "5", 100, "KZT", "1", false, true},
		"declined":            {issued(topup.StatusDeclined), "5", 100, "KZT", "1", false, false},
		"review":              {issued(topup.StatusReview), "5", 100, "KZT", "1", false, false},
		"succeeded":           {issued(topup.StatusSucceeded), "5", 100, "KZT", "1", false, false},
		"another sum":         {issued(topup.StatusPending), "5", 101, "KZT", "1", false, false},
		"another currency":    {issued(topup.StatusPending), "5", 100, "KGS", "1", false, false},
		"another project":     {issued(topup.StatusPending), "5", 100, "KZT", "2", false, false},
		"posted":              {issued(topup.StatusPending), "5", 100, "KZT", "1", true, false},
		"no operation":        {issued(topup.StatusPending), "", 100, "KZT", "1", false, false},
		"no number":           {issued(topup.StatusPending), "x", 100, "KZT", "1", false, false},
		"in suspense":         {issued(topup.StatusPending, func(p *topup.Payment) { p.InSuspense = 1 }), "5", 100, "KZT", "1", false, false},
		"its credit reversed": {issued(topup.StatusPending, credited), "5", 100, "KZT", "1", false, false},
		"not issued":          {issued(topup.StatusPending, func(p *topup.Payment) { p.CustomerID = "" }), "5", 100, "KZT", "1", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := topup.ReportedCredit{PaymentID: "p1", Operation: test.operation, Amount: test.amount, Currency: test.currency}
			step, err := topup.DecideReported(topup.Book{Payment: &test.payment}, "jetpay", test.project, r, test.posted)
			if (err == nil) != test.credits {
				t.Fatalf("got %v, want credits %v", err, test.credits)
			}
			if test.credits && (step.Kind != topup.KindManualCredit || !step.TakesCredit || step.Operation != "5") {
				t.Errorf("got %+v", step)
			}
		})
	}
}
