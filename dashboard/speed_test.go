package dashboard_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"tolem/dashboard"
)

// narrow replaces the admin listener by pages that look at few payments, and add up
// few transactions, at a time.
func (r *rig) narrow(examine int, atOnce int64) {
	r.t.Helper()
	tokens := []dashboard.Token{dashboard.TokenOf("anna", dashboard.RoleAdmin, annaToken)}
	pages, err := dashboard.New(dashboard.Options{
		Store: r.store, Tokens: func() []dashboard.Token { return tokens }, Zone: time.UTC, Now: r.clock.Now,
		Examine: examine, AtOnce: atOnce,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	whole := r.admin
	r.admin = httptest.NewServer(pages)
	r.t.Cleanup(func() {
		r.admin.Close()
		pages.Close()
	})
	r.t.Cleanup(whole.Close)
}

var further = regexp.MustCompile(`href="([^"]+)">Search further back`)

// A page looks at so many payments for an amount, says how far back that was, and
// leads further.
func TestASearchByAmountSaysHowFarItHasLooked(t *testing.T) {
	r := newRig(t)
	r.narrow(10, 0)
	old := r.issue(phone, "e1", 77700)
	for range 24 {
		r.clock.Add(time.Minute)
		r.issue(phone, "e1", 10000)
	}
	v := r.signIn(annaToken)
	v.wants(v.get("/payments"), 200, "₸777.00") // a list without a condition is no search
	path, pages := "/payments?amount=777", 0
	for {
		got := v.get(path)
		pages++
		next := further.FindStringSubmatch(got.body)
		if next == nil {
			v.wants(got, 200, old)
			break
		}
		if strings.Contains(got.body, old) {
			t.Error("what was found has something further back")
		}
		v.wants(got, 200, "Nothing was found back to 30 Nov 2026", "There are very many payments")
		path = strings.ReplaceAll(next[1], "&amp;", "&")
	}
	if pages != 3 {
		t.Errorf("25 payments, 10 at a time: got %d pages, want 3", pages)
	}
}

// What a platform owes is not added up while somebody waits for the page, when
// there is much.
func TestSettlementIsAddedUpInTheBackground(t *testing.T) {
	r := newRig(t)
	r.narrow(0, 2)
	for range 5 {
		r.paid(phone, "e1", 10000)
	}
	v := r.signIn(annaToken)
	got := v.get("/settlement")
	v.wants(got, 200, "5 transactions are still being added up")
	if !strings.Contains(got.body, `http-equiv="refresh"`) {
		t.Error("the page does not come again")
	}
	for end := time.Now().Add(5 * time.Minute); strings.Contains(v.get("/settlement").body, "added up"); {
		if time.Now().After(end) {
			t.Fatal("the sums do not come to an end")
		}
	}
	v.wants(v.get("/settlement"), 200, "₸500.00")
	r.paid(phone, "e1", 10000) // a little more is added up at once
	v.wants(v.get("/settlement"), 200, "₸600.00")
}

// The lines of a large payout are compared in the background; its figures are shown
// meanwhile.
func TestALargePayoutIsComparedInTheBackground(t *testing.T) {
	r := newRig(t)
	r.narrow(0, 1)
	for range 8 {
		r.paid(phone, "e1", 500000)
	}
	r.addPayout("KASPI-1", 501000, r.last) // of two lines
	v := r.signIn(annaToken)
	got := v.get("/payouts/KASPI-1")
	v.wants(got, 200, "2 lines are being compared with the payments", "Fees −₸100.20")
	if !strings.Contains(got.body, `http-equiv="refresh"`) {
		t.Error("the page does not come again")
	}
	for end := time.Now().Add(5 * time.Minute); strings.Contains(v.get("/payouts/KASPI-1").body, "being compared"); {
		if time.Now().After(end) {
			t.Fatal("the comparison does not come to an end")
		}
	}
	v.wants(v.get("/payouts/KASPI-1"), 200, "1 line differs from the payments", "payment unknown", "As of ")
	r.clock.Add(10 * time.Second) // what it said is kept for longer
	v.wants(v.get("/payouts/KASPI-1"), 200, "1 line differs from the payments")
	v.wants(v.take("/payments/"+r.issue(phone, "e1", 500)+"/credit"), 303)
	v.wants(v.get("/payouts/KASPI-1"), 200, "2 lines are being compared") // a step may have mended it
}

// What takes long is shown for longer before it is read anew.
func TestReadingAgainCostsLittle(t *testing.T) {
	for _, c := range []struct{ took, kept time.Duration }{
		{0, 15 * time.Second},
		{100 * time.Millisecond, 15 * time.Second},
		{time.Second, 100 * time.Second},
		{time.Minute, 5 * time.Minute},
	} {
		if got := dashboard.KeptFor(c.took, 15*time.Second); got != c.kept {
			t.Errorf("what took %s is kept for %s, want %s", c.took, got, c.kept)
		}
	}
}
