package dashboard_test

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tolem/dashboard"
	"tolem/locale"
	"tolem/reconcile"
	"tolem/store"
	"tolem/topup"
)

// groups are the texts whose keys are put together from a word of the domain.
func groups() map[string][]string {
	words := func(list ...string) []string { return list }
	var statuses, dispositions, kinds []string
	for _, s := range topup.Statuses {
		statuses = append(statuses, string(s))
	}
	for _, d := range topup.Dispositions {
		dispositions = append(dispositions, string(d))
	}
	for _, k := range topup.Kinds() {
		kinds = append(kinds, string(k))
	}
	var payoutStates []string
	for _, s := range topup.PayoutStates {
		payoutStates = append(payoutStates, string(s))
	}
	var differences []string // the first is none
	for _, k := range reconcile.Kinds {
		differences = append(differences, string(k))
	}
	return map[string][]string{
		"status":            statuses,
		"advice":            append(words("suspense", "more", "elsewhere"), statuses...),
		"flag":              topup.Flags(math.MaxUint32).Names(),
		"disposition":       dispositions,
		"disposition.short": dispositions,
		"kind":              kinds,
		"item":              words(store.SuspenseOpen, store.SuspenseAssigned, store.SuspenseReturned, store.SuspenseReversed),
		"told":              words("unreadable", "refund", "reversal", "conflict"),
		"source":            words(string(topup.SourceCallback), string(topup.SourceAlert), string(topup.SourceInfo)),
		"action":            words("record", "close", "suspend", "dismiss"),
		"timeline":          words(string(store.TimelineIssued), string(store.TimelineOpened), string(store.TimelineExpired), string(store.TimelineRecorded), "answer"),
		"timeline.differs":  nil,
		"approval":          words("proposed", "approved", "rejected", "expired"),
		"role":              words("admin", "operator", "read", store.RoleCommand),
		"result":            words(store.ResultDone, store.ResultProposed, store.ResultRefused),
		"audited":           dashboard.Audited,
		"candidate":         words("own", "payer", "open"),
		"ledger":            words("settlement", "suspense", "fees", "reserve", "adjustments"),
		"payout_state":      payoutStates,
		"line_type":         words("payment", "refund", "refund_reversal", "chargeback", "fee", "reserve", "adjustment"),
		"line_difference":   words("payment_unknown", "not_received", "amount_differs", "currency_differs", "refund_not_booked", "listed_twice"),
		"age":               store.UnpaidAges[:],
		"payout":            words("gross", "refunds", "fees", "reserve", "adjustments", "net"),
		"difference":        differences,
		"difference.next":   differences[1:],
		"delivery":          words("pending", "delivered", "failed", "skipped"),
		"event":             words("topup.succeeded", "topup.resolved", "topup.refunded", "topup.reversed", "topup.declined", "topup.expired", "topup.review", "payout.posted"),
		"nav":               dashboard.Sections,
		"error":             dashboard.Errors,
	}
}

// wanted are the keys of all texts that the pages ask for.
func wanted(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	for group, words := range groups() {
		for _, word := range words {
			keys[group+"."+word] = true
		}
	}
	for _, word := range dashboard.Errors {
		keys["error."+word+".advice"] = true
	}
	for _, unit := range []string{"days", "hours", "minutes"} {
		keys["unit."+unit] = true
	}
	for _, differs := range []string{"amount", "currency"} {
		keys["timeline.differs_"+differs] = true
	}
	for name, texts := range dashboard.StepTexts() {
		for _, text := range texts {
			keys["step."+name+"."+text] = true
		}
	}
	for _, key := range dashboard.RefusalTexts() {
		keys[key] = true
	}
	asked := regexp.MustCompile(`(?:\bT|\bN|\bform|\.Text\(|\.Count\(|(?:Label|Text):|\bpage\(w, r, (?:s|nil),|\badd\(|said (?::?=)|\btext\() ?"([a-z_]+(?:\.[a-z_]+)+)"`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	templates, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, templates...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.FindAllStringSubmatch(string(text), -1) {
			keys[m[1]] = true
		}
	}
	return keys
}

func TestEveryTextIsThere(t *testing.T) {
	known := locale.Keys()
	for key := range wanted(t) {
		if !slices.Contains(known, key) {
			t.Errorf("%s is not in the catalogue", key)
		}
	}
}

func TestNoTextIsLeftOver(t *testing.T) {
	want := wanted(t)
	for _, key := range locale.Keys() {
		if !want[key] {
			t.Errorf("%s is asked for by no page", key)
		}
	}
}
