package commands_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tolem/platform"
	"tolem/signing"
	"tolem/view"
)

// refundOf is the platform's callback that an operation gave back 3000 of the 10000 of
// payment_47, signed.
func refundOf(t testing.TB, operation string) []byte {
	t.Helper()
	body, err := signing.Embed([]byte(`{"project_id":1234,"payment":{"id":"payment_47","status":"partially refunded","method":"kaspi","sum":{"amount":7000,"currency":"KZT"}},`+
		`"operation":{"id":`+operation+`,"type":"refund","status":"success","sum_initial":{"amount":3000,"currency":"KZT"}}}`), demoProject(t).Key)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestPaymentsRefund(t *testing.T) {
	s := newShop(t, bankLine)
	s.env = []string{"TOLEM_ACTOR=aigerim"}
	r := s.serve(t)
	s.must(t, "payments", "credit", "payment_47", "--reason", "r")
	r.post(t, refundOf(t, "29"), nil)

	refused := func(code int, says string, args ...string) {
		t.Helper()
		got := s.tolem(t, append([]string{"payments", "refund", "payment_47"}, args...)...)
		if got.code != code || !strings.Contains(got.err, says) {
			t.Errorf("%q: got %d %s, want %d, %q", args, got.code, got.err, code, says)
		}
	}
	contains(t, "payments list", s.must(t, "payments", "list", "--flag", "refund"), "payment_47", "refund")
	contains(t, "messages list", s.must(t, "messages", "list", "--open"), "refund")
	messageID := fmt.Sprint(decode[[]view.Message](t, s.must(t, "messages", "list", "--open", "--json"))[0].ID)
	contains(t, "messages show", s.must(t, "messages", "show", messageID), "given back", "30.00 KZT", "open", "refund")
	contains(t, "payments show", s.must(t, "payments", "show", "payment_47"), "reported refund", "30.00 KZT: --operation 29 --amount 3000", "30.00 KZT given back")
	refused(1, "operation 29 of 30.00 KZT", "--amount", "3000", "--reason", "r")
	refused(1, "less than 100.01 KZT", "--amount", "10001", "--operation", "none", "--reason", "r")
	refused(1, "amount must be between", "--amount", "0", "--operation", "none", "--reason", "r")
	refused(2, "--operation must not be empty", "--amount", "3000", "--operation", "", "--reason", "r")
	refused(2, "--from must not be empty", "--amount", "3000", "--from", "", "--operation", "none", "--reason", "r")
	refused(2, "--transaction must not be empty", "--amount", "3000", "--transaction", "", "--reason", "r")
	refused(2, "--amount", "--reason", "r")
	refused(1, "names no bank account that is configured: one of [halyk]", "--amount", "3000", "--operation", "29", "--from", "bank:kaspi", "--reason", "r")

	made := decode[transaction](t, s.must(t, "payments", "refund", "payment_47", "--amount", "3000", "--operation", "29", "--reason", "their report", "--json"))
	if made.Kind != "refund" || made.Actor != "aigerim" || made.Postings[0].Account != "customers:123456789:12345" || made.Postings[1].Account != "settlement:jetpay:1234" {
		t.Errorf("got %+v", made)
	}
	refused(1, "has been booked as a refund already", "--amount", "3000", "--operation", "29", "--reason", "r")
	contains(t, "refund from a bank", s.must(t, "payments", "refund", "payment_47", "--amount", "500", "--from", "bank:halyk", "--reason", "r"), "bank:halyk", "5.00 KZT", "kind", "refund")
	show := s.must(t, "payments", "show", "payment_47")
	contains(t, "payments show", show, "refunded", "35.00 KZT", "credited", "65.00 KZT")
	if strings.Contains(show, "reported refund") {
		t.Errorf("a booked refund is still proposed:\n%s", show)
	}
	if list := s.must(t, "payments", "list", "--flag", "refund"); list != "none\n" {
		t.Errorf("got %s", list)
	}
	contains(t, "hledger", s.must(t, "ledger", "export", "--format", "hledger"), ") refund  ;", "bank:halyk", "account bank  ; type:Asset")
	contains(t, "csv", s.must(t, "ledger", "export", "--format", "csv"), "refund,payment_47", "bank:halyk")

	s.must(t, "ledger", "reverse", made.TransactionID, "--reason", "a mistake")
	contains(t, "payments show", s.must(t, "payments", "show", "payment_47"), "reported refund", "95.00 KZT")
	contains(t, "ledger check", s.must(t, "ledger", "check"), "the ledger is sound")
}

func TestSuspenseReturnOfAPart(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_ACTOR=aigerim"}
	r := s.serve(t)
	callback, err := demoProject(t).Callback(platform.NewCallback(platform.OutcomeSuccess, "payment_47", 4711, tenge(12000), time.Now()))
	r.post(t, callback, err)
	item := decode[[]item](t, s.must(t, "suspense", "list", "--json"))[0].Item

	for _, args := range [][]string{{"--amount", "0"}, {"--amount", "-1"}, {"--operation", ""}, {"--from", ""}} {
		if got := s.tolem(t, append([]string{"suspense", "return", item, "--reason", "r"}, args...)...); got.code != 2 {
			t.Errorf("%q: got %+v", args, got)
		}
	}
	if got := s.tolem(t, "suspense", "return", item, "--amount", "12001", "--reason", "r"); got.code != 1 || !strings.Contains(got.err, "120.00 KZT of this suspense item are left") {
		t.Errorf("more than is there: got %+v", got)
	}
	contains(t, "return", s.must(t, "suspense", "return", item, "--amount", "2000", "--operation", "4712", "--reason", "r"), "20.00 KZT", "settlement:jetpay:1234")
	contains(t, "suspense list", s.must(t, "suspense", "list"), item, "open", "120.00 KZT less 20.00 KZT")
	contains(t, "suspense assign", s.must(t, "suspense", "assign", item, "--customer", "123456789", "--entity", "12345", "--reason", "r"), "100.00 KZT")
	contains(t, "ledger check", s.must(t, "ledger", "check"), "the ledger is sound")
}
