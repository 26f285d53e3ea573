package topup_test

import (
	"testing"
	"time"

	"tolem/topup"
)

// The rules for money as a paid callback meets them.

func BenchmarkDecide(b *testing.B) {
	sum := topup.Money{Amount: 10000, Currency: "KZT"}
	event := topup.Event{
		Provider: "jetpay", Project: "1234", Reference: "p_1", Operation: "1", Outcome: topup.OutcomePaid,
		Sum: sum, Initial: sum, Complete: true, TopUp: true, EffectiveAt: time.Unix(1_800_000_000, 0),
	}
	state := topup.State{Payment: &topup.Payment{ID: "p_1", CustomerID: "7123456789", ContractID: "12345", Money: sum, Status: topup.StatusPending}}
	b.ReportAllocs()
	for b.Loop() {
		if d := topup.Decide(state, event); d.Disposition != topup.DispositionCredited {
			b.Fatalf("got %s", d.Disposition)
		}
	}
}

func BenchmarkTransferAndCheck(b *testing.B) {
	sum := topup.Money{Amount: 10000, Currency: "KZT"}
	b.ReportAllocs()
	for b.Loop() {
		postings := topup.Transfer(topup.SettlementAccount("jetpay", "1234"), topup.CustomerAccount("7123456789", "12345"), sum)
		if err := topup.CheckPostings(postings); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckDeposit(b *testing.B) {
	least := int64(100)
	account := &topup.Account{CustomerID: "7123456789", Currency: "KZT", Contracts: []topup.Contract{{ID: "12345", Number: "A-1", MinPayment: &least}, {ID: "67890", Number: "A-2"}}}
	deposit := topup.Deposit{ContractID: "67890", Money: topup.Money{Amount: 10000, Currency: "KZT"}, Method: "terminal/kaspi"}
	rules := topup.DepositRules{Methods: []string{"terminal/kaspi"}, MaxAmount: 1_000_000}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := topup.CheckDeposit(account, deposit, rules); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFingerprint(b *testing.B) {
	parts := [...]string{"jetpay", "1234", "p_01K9ZJ5W3V8Q4R7T2X6Y0ABCDE", "success", "1234567890123", "success", "sale", "10000", "KZT", "10000", "KZT"}
	b.ReportAllocs()
	for b.Loop() {
		var f topup.Fingerprint
		for _, part := range parts {
			f.AddText(part)
		}
		if len(f.Sum()) == 0 {
			b.Fatal("no fingerprint")
		}
	}
}
