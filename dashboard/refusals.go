package dashboard

import (
	"strings"

	"tolem/locale"
)

// refusals are the rules that people meet most often, by a part of their English
// text, with the keys of what is said in the language of the page. The English text
// stands below it; of other rules it stands alone.
var refusals = []struct{ part, Text string }{
	{"the payment has been credited: if that was to the wrong contract", "refusal.credited"},
	{"money of this payment lies in suspense", "refusal.in_suspense"},
	{"nothing of this payment is credited", "refusal.nothing"},
	{"are left to refund, which is less than", "refusal.less"},
	{"this suspense item is already", "refusal.resolved"},
	{"reason must be given", "refusal.reason"},
	{"has proposed this step: another person must approve it", "refusal.own"},
	{"account does not exist", "refusal.account"},
	{"mark at least one item in the list", "refusal.choose"},
	{"say to which contract each item goes", "refusal.contract"},
	{"enter its id or its number", "refusal.contract_id"},
	{"the account's is", "refusal.currency"},
	{"contract numbers begin so", "refusal.numbers"},
	{"must be a sum in major units", "refusal.major"},
	{"payment does not exist", "refusal.payment"},
}

// refusal is what a rule says, in the language of the page; empty for one that is
// told in English alone.
func refusal(p locale.Printer, english string) string {
	if p.Language == locale.English {
		return ""
	}
	for _, r := range refusals {
		if strings.Contains(english, r.part) {
			return p.Text(r.Text)
		}
	}
	return ""
}
