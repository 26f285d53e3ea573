package store_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"tolem/topup"
)

// TestPaymentColumns/AreReadAsTheyWereWritten: no two members of the payment are
// equal, so that none can stand in another's column.
func TestPaymentColumns(t *testing.T) {
	t.Run("AreReadAsTheyWereWritten", func(t *testing.T) {
		s := mustOpen(t)
		at := func(n int) time.Time { return time.Date(2026, 11, 20, 8, 0, n, 0, time.UTC) }
		want := topup.Payment{
			ID: "p_1", Provider: "jetpay", Project: "2", CustomerID: "3", ContractID: "4", ContractNumber: "5",
			Money: topup.Money{Amount: 6, Currency: "KZT"}, Method: "7", Status: topup.StatusSucceeded, Stored: topup.StatusSucceeded, Flags: topup.FlagLate,
			CreatedAt: at(1), ExpiresAt: at(2), ProviderStatus: "8", ProviderCode: "9", ProviderMessage: "10",
			ProviderReference: "11", ProviderPaymentID: "12", OperationID: "13", ProviderTime: at(3), InSuspense: 14, Recorded: true,
		}
		credit := topup.Credit{
			Seq: 15, TransactionID: "t_16", Money: topup.Money{Amount: 17, Currency: "KGS"}, At: at(4), ByOperator: true, Operation: "18",
		}
		for name, change := range map[string]func(p *topup.Payment, c *topup.Credit){
			"p_plain":    func(p *topup.Payment, _ *topup.Credit) { p.Credit = nil },
			"p_credit":   func(_ *topup.Payment, _ *topup.Credit) {},
			"p_reversed": func(p *topup.Payment, c *topup.Credit) { c.Reversed, c.ByOperator, p.Recorded = true, false, false },
			"p_moved":    func(p *topup.Payment, c *topup.Credit) { p.Moved, c.ByOperator = true, false },
		} {
			p, c := want, credit
			p.ID, p.Credit = name, &c
			change(&p, &c)
			if err := s.WritePayment(context.Background(), p); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := mustPayment(t, s, name)
			got.Credited = nil // it follows from the others
			if !reflect.DeepEqual(*got, p) {
				t.Errorf("%s:\n got %+v %+v\nwant %+v %+v", name, got, got.Credit, p, p.Credit)
			}
		}
	})
}
