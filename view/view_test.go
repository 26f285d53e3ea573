package view_test

import (
	"encoding/json"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

var noon = time.Date(2026, 11, 21, 17, 0, 0, 123000, time.FixedZone("", 5*3600))

func shows(t *testing.T, value any, want string) {
	t.Helper()
	got, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAbsentMembersAreLeftOutAndCreditedIsNull(t *testing.T) {
	p := &topup.Payment{ID: "p_1", Provider: "jetpay", Project: "1234", Money: topup.Money{Amount: 5, Currency: "KZT"}, Status: topup.StatusPending, CreatedAt: noon}
	shows(t, view.PaymentOf(p), `{"payment_id":"p_1","provider":"jetpay","project_id":1234,"amount":5,"currency":"KZT","status":"pending","flags":[],"credited":null,"created_at":"2026-11-21T12:00:00.000123Z"}`)
}

func TestAProjectIsWrittenAsItsProviderWritesIt(t *testing.T) {
	for provider, want := range map[string]string{"jetpay": `1234`, "highhelp": `"1234"`} {
		got := view.PaymentOf(&topup.Payment{Provider: provider, Project: "1234"}).ProjectID
		if string(got) != want {
			t.Errorf("%s: got %s, want %s", provider, got, want)
		}
	}
}

func TestCreditedIsWhatStandsOnThePaymentsContract(t *testing.T) {
	p := &topup.Payment{Project: "1", Provider: "jetpay", Credit: &topup.Credit{TransactionID: "t_1", Money: topup.Money{Amount: 5, Currency: "KZT"}, At: noon, Reversed: true}}
	shows(t, view.PaymentOf(p).Credited, `null`)
	p.Credited = &topup.Credited{TransactionID: "t_2", Money: topup.Money{Amount: 7, Currency: "KZT"}, At: noon}
	shows(t, view.PaymentOf(p).Credited, `{"amount":7,"currency":"KZT","transaction_id":"t_2","at":"2026-11-21T12:00:00.000123Z"}`)
}

func TestAWholePaymentHasItsHistory(t *testing.T) {
	second, first := topup.Transaction{Seq: 2, ID: "t_2", Kind: topup.KindReversal}, topup.Transaction{Seq: 1, ID: "t_1", Kind: topup.KindCredit}
	whole := view.WholePaymentOf(&topup.Payment{Provider: "jetpay", Project: "1"}, []store.TimelineEntry{
		{At: noon, What: store.TimelineMessage, Message: &store.Message{Source: topup.SourceCallback, Disposition: topup.DispositionCredited, Seq: 1}},
		{At: noon, What: store.TimelineTransaction, Transaction: &second},
		{At: noon, What: store.TimelineTransaction, Transaction: &first},
	})
	if len(whole.Timeline) != 3 || whole.Timeline[0].Source != "callback" || whole.Timeline[0].Disposition != "credited" {
		t.Errorf("timeline: got %+v", whole.Timeline)
	}
	if len(whole.Transactions) != 2 || whole.Transactions[0].TransactionID != "t_1" || whole.Transactions[1].TransactionID != "t_2" {
		t.Errorf("transactions: got %+v", whole.Transactions)
	}
}

func TestAnAccountShowsItsBalances(t *testing.T) {
	account := &topup.Account{CustomerID: "c", AdditionalCustomerID: "a", Currency: "KZT", Contracts: []topup.Contract{
		{ID: "e1", Number: "n1", Info: json.RawMessage(`{"z":1.0,"a":2}`)}, {ID: "e2", Number: "n2", Closed: true},
	}}
	shows(t, view.AccountOf(account, map[string]int64{"e1": 7}), `{"customer_id":"c","additional_customer_id":"a","currency":"KZT","closed":false,"entities":[`+
		`{"id":"e1","number":"n1","info":{"z":1.0,"a":2},"closed":false,"balance":7},{"id":"e2","number":"n2","closed":true,"balance":0}]}`)
}

func TestAResolvedItemSaysHow(t *testing.T) {
	item := view.SuspenseItemOf(&store.SuspenseItem{ID: "t_1", Provider: "jetpay", Project: "1", State: "assigned", RecordedAt: noon,
		Resolution: &store.Resolution{TransactionID: "t_2", Kind: topup.KindAssignment, Actor: "aigul", Reason: "called", At: noon}})
	shows(t, item.Resolution, `{"transaction_id":"t_2","kind":"assignment","actor":"aigul","reason":"called","at":"2026-11-21T12:00:00.000123Z"}`)
}
