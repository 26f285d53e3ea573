package dashboard_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tolem/config"
	"tolem/dashboard"
	"tolem/platform"
	"tolem/store"
	"tolem/topup"
)

func TestSearch(t *testing.T) {
	r := newRig(t)
	r.account("87015556677", "KZT", "x1", "X-1") // stored as it came
	first := r.paid(phone, "e1", 250050)
	operation := r.last
	r.clock.Add(time.Minute)
	second := r.paid("7123456789", "12345", 10000)
	r.clock.Add(time.Minute)
	third := r.issue("87015556677", "x1", 7000)
	_, item := r.stray("their-id", 5000)
	v := r.signIn(annaToken)
	for name, tt := range map[string]struct {
		query string
		want  []string
	}{
		"an id":                          {"q=" + first, []string{first}},
		"a receipt":                      {"q=kaspi-" + itoa(operation), []string{first}},
		"an operation":                   {"q=" + itoa(operation), []string{first}},
		"an item of suspense":            {"q=" + item, nil},
		"a contract's number":            {"q=" + url.QueryEscape("1234_ABC/01-01-2025/Abcdef12"), []string{second}},
		"its beginning, with blanks":     {"q=" + url.QueryEscape("1234_ABC / 01"), []string{second}},
		"a customer's id":                {"q=" + phone, []string{first}},
		"a telephone typed with blanks":  {"q=" + url.QueryEscape("+7 701 111 22 33"), []string{first}},
		"a telephone with 8 and hyphens": {"q=" + url.QueryEscape("8 (701) 111-22-33"), []string{first}},
		"one that is stored with its 8":  {"q=" + url.QueryEscape("+7 701 555 66 77"), []string{third}},
		"an amount":                      {"amount=100", []string{second}},
		"an amount as people write it":   {"amount=" + url.QueryEscape("2 500,50 ₸"), []string{first}},
		"an amount on another day":       {"amount=100&from=2026-01-01&to=2026-01-31", nil},
		"a status":                       {"status=pending", []string{third}},
		"a day":                          {"from=2026-11-30&to=2026-11-30&status=succeeded", []string{second, first}},
		"a customer":                     {"customer=" + phone, []string{first}},
		"nothing of the kind":            {"q=nothing", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := v.get("/payments?" + tt.query)
			if got.status != http.StatusOK {
				t.Fatalf("got %d\n%s", got.status, words(got.body))
			}
			for _, id := range []string{first, second, third} {
				found := strings.Contains(got.body, `href="/payments/`+id+`"`)
				want := false
				for _, w := range tt.want {
					want = want || w == id
				}
				if found != want {
					t.Errorf("%s: found %t, want %t\n%s", id, found, want, words(got.body))
				}
			}
		})
	}
	v.wants(v.get("/payments?amount=100"), 200, "Amounts are looked for in 40 days")
	v.wants(v.get("/payments?q="+url.QueryEscape("+7 701 111 22 33")), 200, "Account of customer "+phone)
	for _, query := range []string{"amount=x", "from=yesterday", "status=done", "flag=odd", "cursor=%3F", "q=" + strings.Repeat("x", 300)} {
		v.wants(v.get("/payments?"+query), http.StatusUnprocessableEntity, "This cannot be searched for")
	}
}

func itoa(n int64) string { return topup.FormatMinor(n, 0) }

func TestPlainAmount(t *testing.T) {
	for typed, want := range map[string]string{
		"5000": "5000", "5 000": "5000", "5 000,50": "5000.50", "5000.50": "5000.50", "5,000.50": "5000.50", "5 000,00 ₸": "5000.00",
		"1,000": "1000", "0,500": "0.500", "5,5": "5.5", "$1,234,567.89": "1234567.89",
	} {
		if got := dashboard.PlainAmount(typed); got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
}

func TestPagesOfPayments(t *testing.T) {
	r := newRig(t)
	for range 53 {
		r.issue(phone, "e1", 1000)
		r.clock.Add(time.Second)
	}
	v := r.signIn(annaToken)
	seen := 0
	for path := "/payments?status=pending"; path != ""; {
		got := v.get(path)
		seen += strings.Count(got.body, `href="/payments/p_`)
		_, after, more := strings.Cut(got.body, `rel="next" href="`)
		if path = ""; more {
			path, _, _ = strings.Cut(after, `"`)
			path = strings.ReplaceAll(path, "&amp;", "&")
		}
	}
	if seen != 53 {
		t.Errorf("the pages have %d payments, want 53", seen)
	}
}

func TestDownload(t *testing.T) {
	r := newRig(t)
	id := r.paid(phone, "e1", 250050)
	r.account("=2+3", "KZT", "f", "=cmd|' /C calc'!A0")
	r.paid("=2+3", "f", 100)
	v := r.signIn(eyeToken) // whoever reads may download
	got := v.get("/payments?status=succeeded&format=csv")
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil || len(rows) != 3 || rows[2][1] != id || rows[2][3] != "250050" || rows[2][6] != phone {
		t.Errorf("CSV: got %v, %v", rows, err)
	}
	if rows[1][6] != "'=2+3" || !strings.HasPrefix(rows[1][7], "'=") {
		t.Errorf("a formula came out: %q", rows[1])
	}
	if d := got.header.Get("Content-Disposition"); d != `attachment; filename="payments-2026-11-30.csv"` {
		t.Errorf("got %s", d)
	}
	book := v.get("/payments?q=" + phone + "&format=xlsx")
	archive, err := zip.NewReader(bytes.NewReader([]byte(book.body)), int64(len(book.body)))
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		part, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		text += string(part)
	}
	if !strings.Contains(text, id) || !strings.Contains(text, "2500.5") {
		t.Error("the XLSX does not have the payment")
	}
	v.wants(v.get("/payments?format=doc"), http.StatusUnprocessableEntity)
}

func TestAPaymentsStory(t *testing.T) {
	r := newRig(t)
	id := r.issue(phone, "e1", 250050)
	r.clock.Add(time.Minute)
	r.pay(id, 250050, platform.OutcomeSuccess, func(c *platform.Callback) { c.Customer, c.Account = phone, "8701 payer" })
	operation := itoa(r.last)
	v := r.signIn(annaToken)
	got := v.get("/payments/" + id)
	v.wants(got, 200, "₸2,500.50", "Succeeded", "The money is credited to the contract", "The payment id was issued",
		"The platform confirmed the payment: the money was credited to the contract", "Operation "+operation, "Owed by JetPay, project 1234", "30 Nov 2026, 11:01:00")
	if strings.Contains(got.body, "8701 payer") {
		t.Error("the raw message shows what the payer entered")
	}
	v.wants(got, 200, `"amount": 250050`, `"number": "•••"`)
	v.wants(v.get("/payments/p_none"), 404, "Not found")
}

func TestSteps(t *testing.T) {
	t.Run("CreditShowsWhatItWillPost", func(t *testing.T) {
		r := newRig(t)
		id := r.issue(phone, "e1", 5000)
		v := r.signIn(bekToken)
		v.wants(v.get("/payments/"+id), 200, "Credit the payment")
		v.wants(v.get("/payments/"+id+"/credit"), 200, "What will be booked", "Contract e1", "₸50.00")
		if got := r.balance(phone, "e1"); got != 0 {
			t.Fatalf("a preview posted %d", got)
		}
		v.wants(v.take("/payments/"+id+"/credit"), 303)
		v.wants(v.get("/payments/"+id), 200, "The payment was credited", "By bek: ticket 4711")
	})
	t.Run("WithoutAReasonNothingIsDone", func(t *testing.T) {
		r := newRig(t)
		id := r.issue(phone, "e1", 5000)
		v := r.signIn(annaToken)
		got := v.do(http.MethodPost, "/payments/"+id+"/credit", url.Values{"csrf": {v.csrf("/payments")}, "confirm": {"1"}, "previewed": {""}})
		v.wants(got, 422, "Not done: nothing was changed", "reason must be given")
	})
	t.Run("WhatIsImpossibleIsSaid", func(t *testing.T) {
		r := newRig(t)
		id := r.paid(phone, "e1", 5000)
		v := r.signIn(annaToken)
		v.wants(v.get("/payments/"+id+"/credit"), 200, "This cannot be done", "has been credited")
		v.wants(v.take("/payments/"+id+"/credit"), 409, "Not done", "has been credited")
		v.wants(v.get("/payments/"+id+"/nonsense"), 404)
		v.wants(v.get("/payments/p_none/credit"), 404)
		v.wants(v.get("/messages/x/dismiss"), 404)
	})
	t.Run("RefundOfAPart", func(t *testing.T) {
		r := newRig(t)
		id := r.paid(phone, "e1", 250050)
		v := r.signIn(bekToken)
		page := v.get("/payments/" + id + "/refund")
		v.wants(page, 200, "Paid by", "What will be booked", "₸2,500.50") // all that is left is proposed
		if !strings.Contains(page.body, `value="2500.50"`) {
			t.Error("the amount is not proposed")
		}
		form := []string{"amount", "1 000,50", "from", "settlement"}
		previewed := url.Values{"amount": {"1 000,50"}, "from": {"settlement"}, "operation": {""}, "transaction": {""}}.Encode()
		v.wants(v.take("/payments/"+id+"/refund", append(form, "previewed", "other")...), 200, "₸1,000.50") // not what was shown
		if got := r.balance(phone, "e1"); got != 250050 {
			t.Fatalf("what was not shown was booked: %d", got)
		}
		first := url.Values{"csrf": {v.csrf("/payments")}, "confirm": {"1"}, "reason": {"ticket 4711"}, "previewed": {previewed}, "amount": {"1 000,50"}, "from": {"settlement"}, "key": {"k"}}
		for range 2 {
			v.wants(v.do(http.MethodPost, "/payments/"+id+"/refund", first), 303)
		}
		if got := r.balance(phone, "e1"); got != 150000 {
			t.Errorf("balance: got %d, want 150000", got)
		}
		v.wants(v.get("/payments/"+id), 200, "Refunded ₸1,000.50", "Credited ₸1,500.00")
		page = v.get("/payments/" + id + "/refund")
		if !strings.Contains(page.body, `value="1500.00"`) {
			t.Error("what is left is not proposed")
		}
		first.Set("key", "l")
		first.Set("amount", "2000")
		first.Set("previewed", url.Values{"amount": {"2000"}, "from": {"settlement"}, "operation": {""}, "transaction": {""}}.Encode())
		v.wants(v.do(http.MethodPost, "/payments/"+id+"/refund", first), 409, "left to refund")
		v.wants(v.get("/payments/"+r.issue(phone, "e1", 100)+"/refund"), 200)
	})
	t.Run("RecallThenReverse", func(t *testing.T) {
		r := newRig(t)
		id := r.paid(phone, "e1", 5000)
		v := r.signIn(annaToken)
		v.wants(v.take("/payments/"+id+"/recall"), 303)
		if got := r.balance(phone, "e1"); got != 0 {
			t.Errorf("after the recall: %d", got)
		}
		page := v.get("/payments/" + id)
		v.wants(page, 200, "Recall", "lies in suspense")
		_, link, found := strings.Cut(page.body, `href="/transactions/`)
		if !found {
			t.Fatal("nothing can be reversed")
		}
		link, _, _ = strings.Cut(link, `"`)
		v.wants(v.get("/transactions/"+link), 200, "Books the mirror of the transaction")
		got := v.take("/transactions/" + link)
		if got.status != 303 || got.header.Get("Location") != "/payments/"+id {
			t.Errorf("got %d to %s", got.status, got.header.Get("Location"))
		}
		if got := r.balance(phone, "e1"); got != 5000 {
			t.Errorf("after the reversal: %d", got)
		}
	})
	t.Run("Close", func(t *testing.T) {
		r := newRig(t)
		r.pay("their-id", 0, platform.OutcomeDecline)
		id := r.issue(phone, "e1", 5000)
		r.pay(id, 5000, platform.OutcomeSuccess, func(c *platform.Callback) { c.Operation.Type = "auth" })
		v := r.signIn(annaToken)
		v.wants(v.get("/payments/"+id), 200, "Close the review")
		v.wants(v.take("/payments/"+id+"/close"), 303)
		v.wants(v.get("/payments/"+id), 200, "The review was closed", "Declined")
	})
}

func TestSuspense(t *testing.T) {
	t.Run("ProposesContracts", func(t *testing.T) {
		r := newRig(t)
		r.issue(phone, "e2", 5000) // open, and of the same sum
		r.clock.Add(time.Minute)
		r.stray("their-id", 5000, func(c *platform.Callback) { c.Account = "8 712 345 67 89" })
		less := r.issue(phone, "e1", 9000)
		r.pay(less, 8000, platform.OutcomeSuccess)
		v := r.signIn(annaToken)
		v.wants(v.get("/suspense"), 200, "E-0002/2025 · 7011112233 — an open payment of the same sum, 30 Nov 2026, 11:00",
			"1234_ABC/01-01-2025/Abcdef12 · 7123456789 — named by the payer", "E-0001/2025 · 7011112233 — this payment's own contract")
	})
	t.Run("AssignsAndReturnsSeveralAtOnce", func(t *testing.T) {
		r := newRig(t)
		var items []string
		for _, amount := range []int64{1000, 2000, 3000, 4000} {
			_, item := r.stray("their-"+itoa(amount), amount)
			items = append(items, item)
		}
		v := r.signIn(annaToken)
		to := url.Values{"customer": {"7123456789"}, "contract": {"12345"}}.Encode()
		form := []string{"item", items[0], "item", items[1], "to_" + items[1], to, "customer_id", "+7 701 111 22 33", "entity_id", "E-0002/2025"}
		preview := url.Values{"csrf": {v.csrf("/suspense")}, "reason": {"ticket 4711"}}
		for i := 0; i < len(form); i += 2 {
			preview.Add(form[i], form[i+1])
		}
		got := v.do(http.MethodPost, "/suspense/assign", preview)
		v.wants(got, 200, "What will be booked", "Contract e2", "Contract 12345", "₸10.00", "₸20.00")
		if !strings.Contains(got.body, `value="ticket 4711"`) {
			t.Error("the reason is lost")
		}
		v.wants(v.take("/suspense/assign", form...), 303)
		if a, b := r.balance(phone, "e2"), r.balance("7123456789", "12345"); a != 1000 || b != 2000 {
			t.Errorf("balances: got %d and %d", a, b)
		}
		v.wants(v.take("/suspense/return", "item", items[2], "item", items[3]), 303)
		v.wants(v.get("/suspense"), 200, "The return was booked", "There is no money in suspense")
		v.wants(v.get("/suspense?all=1"), 200, "Assigned", "Returned", "anna: ticket 4711")
	})
	t.Run("AllOrNone", func(t *testing.T) {
		r := newRig(t)
		_, good := r.stray("their-1", 1000)
		v := r.signIn(annaToken)
		v.wants(v.take("/suspense/assign", "item", good, "item", "t_none", "customer_id", phone, "entity_id", "e1"), 404, "Not done")
		v.wants(v.take("/suspense/assign", "item", good, "customer_id", phone), 422, "enter its id or its number")
		v.wants(v.take("/suspense/assign", "item", good, "customer_id", "nobody"), 404, "account does not exist")
		v.wants(v.take("/suspense/assign", "item", good, "customer_id", "996555000111"), 422, "currency")
		v.wants(v.take("/suspense/assign", "item", good), 422, "say to which contract")
		v.wants(v.take("/suspense/assign"), 422, "mark at least one item")
		if got := r.balance(phone, "e1"); got != 0 {
			t.Errorf("balance: got %d", got)
		}
	})
	t.Run("PagesAreWhole", func(t *testing.T) {
		r := newRig(t)
		for i := range 23 {
			r.stray("their-"+itoa(int64(i)), 1000)
		}
		v := r.signIn(annaToken)
		first := v.get("/suspense")
		_, next, _ := strings.Cut(first.body, `rel="next" href="`)
		next, _, _ = strings.Cut(next, `"`)
		if a, b := strings.Count(first.body, `name="item"`), strings.Count(v.get(strings.ReplaceAll(next, "&amp;", "&")).body, `name="item"`); a != 20 || b != 3 {
			t.Errorf("got %d and %d items", a, b)
		}
	})
}

func TestFourEyes(t *testing.T) {
	r := newRig(t)
	if _, err := r.store.SetFourEyes(t.Context(), fourEyes, byServe); err != nil {
		t.Fatal(err)
	}
	id := r.issue(phone, "e1", 5000)
	anna, bek := r.signIn(annaToken), r.signIn(bekToken)
	anna.wants(anna.take("/payments/"+id+"/credit"), 303)
	anna.wants(anna.get("/payments/"+id), 200, "Proposed. This step needs a second person")
	if got := r.balance(phone, "e1"); got != 0 {
		t.Fatalf("a proposal posted %d", got)
	}
	page := anna.get("/approvals")
	anna.wants(page, 200, "credit", "You proposed this: another person must approve it", "₸50.00")
	approval, _, _ := strings.Cut(strings.SplitN(bek.get("/approvals").body, `href="/approvals/ap_`, 2)[1], "/")
	approve := "/approvals/ap_" + approval + "/approve"
	anna.wants(anna.take(approve), 403, "another person must approve it")
	eye := r.signIn(eyeToken)
	eye.wants(eye.take(approve), 403)
	bek.wants(bek.get(approve), 200, "What will be booked", "₸50.00")
	bek.wants(bek.take(approve), 303)
	if got := r.balance(phone, "e1"); got != 5000 {
		t.Errorf("balance: got %d", got)
	}
	bek.wants(bek.get("/approvals"), 200, "Approved and booked", "Nothing waits for approval")
	bek.wants(bek.get("/approvals?all=1"), 200, "Approved", "Decided by bek")
	bek.wants(bek.get("/audit"), 200, "anna", "bek", "proposed", "refused", "done")
	bek.wants(bek.get("/audit?actor=nobody"), 200, "There are no entries")
	bek.wants(bek.get("/audit?from=x"), 422)
	other := r.issue(phone, "e1", 7000)
	anna.take("/payments/" + other + "/credit")
	approval, _, _ = strings.Cut(strings.SplitN(bek.get("/approvals").body, `href="/approvals/ap_`, 2)[1], "/")
	bek.wants(bek.take("/approvals/ap_"+approval+"/reject"), 303)
	bek.wants(bek.get("/approvals?all=1"), 200, "Rejected")
}

func TestMessages(t *testing.T) {
	r := newRig(t)
	id := r.issue(phone, "e1", 5000)
	r.pay(id, 5000, platform.OutcomeSuccess, func(c *platform.Callback) { c.Operation.SumInitial.Currency = "odd" })
	v := r.signIn(annaToken)
	list := v.get("/messages?open=1")
	v.wants(list, 200, "Unreadable", "open")
	_, link, _ := strings.Cut(list.body, `href="/messages/`)
	link, _, _ = strings.Cut(link, `"`)
	if link == "" {
		t.Fatal(list.body)
	}
	v.wants(v.get("/messages/"+link), 200, "A message about money could not be read", "Dismiss")
	v.wants(v.take("/messages/"+link+"/dismiss"), 303)
	v.wants(v.get("/messages?open=1"), 200, "There are no open messages")
	v.wants(v.get("/messages/999"), 404)
	v.wants(v.get("/messages?disposition=odd"), 422)
}

func TestAccount(t *testing.T) {
	r := newRig(t)
	r.paid(phone, "e1", 5000)
	r.clock.Add(48 * time.Hour)
	id := r.paid(phone, "e1", 2000)
	_, item := r.stray("their-id", 300)
	v := r.signIn(annaToken)
	v.wants(v.take("/suspense/assign", "item", item, "customer_id", phone, "entity_id", "e1"), 303)
	v.wants(v.take("/payments/"+id+"/recall"), 303)
	v.wants(v.get("/accounts/"+phone+"?from=2026-12-01&to=2026-12-31"), 200,
		"E-0001/2025", "₸53.00", "1 December 2026 — 31 December 2026", "₸50.00 ₸23.00 ₸20.00 ₸53.00", "Assignment", "−₸20.00")
	v.wants(v.get("/accounts/"+phone+"?from=2026-01-01&to=2026-01-31"), 200, "Nothing was booked in these days")
	v.wants(v.get("/accounts/"+phone+"?from=2026-02-01&to=2026-01-31"), 422, "Check the days")
	v.wants(v.get("/accounts/nobody"), 404)
}

// TestTheListSaysWhyAPaymentWasDeclined: the payer is on the telephone.
func TestTheListSaysWhyAPaymentWasDeclined(t *testing.T) {
	r := newRig(t)
	id := r.issue(phone, "e1", 100)
	r.pay(id, 100, platform.OutcomeDecline)
	p, err := r.store.Payment(t.Context(), id)
	if err != nil || p.ProviderMessage == "" {
		t.Fatalf("got %+v, %v", p, err)
	}
	v := r.signIn(annaToken)
	v.wants(v.get("/payments"), 200, "Declined "+p.ProviderMessage)
}

func TestOverview(t *testing.T) {
	r := newRig(t)
	r.paid(phone, "e1", 500000)
	r.paid("996555000111", "k1", 45000)
	r.stray("their-id", 777)
	declined := r.issue(phone, "e1", 100)
	r.pay(declined, 100, platform.OutcomeDecline)
	r.issue(phone, "e1", 100)
	v := r.signIn(annaToken)
	var got reply
	for range 100 { // the first figures come in the background
		if got = v.get("/"); !strings.Contains(got.body, `http-equiv="refresh"`) {
			break
		}
		r.clock.Add(10 * time.Second)
	}
	v.wants(got, 200, "1 amount in suspense: assign or return it ₸7.77", "₸5,000.00", "KGS 450.00", "50%", "Owed by JetPay, project 1234 ₸5,007.77", "Suspense, JetPay, project 1234 ₸7.77")
	r.clock.Add(25 * time.Hour)
	v = r.signIn(annaToken)
	for range 100 {
		if got = v.get("/"); strings.Contains(got.body, "pending for over a day") {
			break
		}
		r.clock.Add(10 * time.Second)
	}
	v.wants(got, 200, "1 payment has been pending for over a day")
}

func TestLanguages(t *testing.T) {
	r := newRig(t)
	id := r.paid(phone, "e1", 100000)
	v := r.signIn(annaToken)
	for lang, want := range map[string][]string{
		"ru": {"1\u00a0000,00\u00a0₸", "30.11.2026,\u00a011:00", "Зачислен", "Платёж"},
		"kk": {"1\u00a0000,00\u00a0₸", "Есептелді", "Клиент"},
		"en": {"₸1,000.00", "30\u00a0Nov\u00a02026", "Succeeded"},
	} {
		got := v.get("/payments/" + id + "?lang=" + lang)
		for _, text := range want {
			if !strings.Contains(got.body, text) {
				t.Errorf("%s: %q is not there", lang, text)
			}
		}
		if again := v.get("/payments/" + id); again.header.Get("Content-Language") != lang {
			t.Errorf("%s is not kept: got %s", lang, again.header.Get("Content-Language"))
		}
	}
	for accept, want := range map[string]string{"kk-KZ, ru;q=0.5": "kk", "en-GB": "en", "de": "ru", "": "ru"} {
		if got := r.visitor().do(http.MethodGet, "/login", nil, "Accept-Language", accept); got.header.Get("Content-Language") != want {
			t.Errorf("%q: got %s, want %s", accept, got.header.Get("Content-Language"), want)
		}
	}
}

const script = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`

func TestAScriptIsShownAsText(t *testing.T) {
	r := newRig(t)
	r.account("script", "KZT", "s1", script)
	id := r.issue("script", "s1", 5000)
	r.pay(id, 4000, platform.OutcomeSuccess, func(c *platform.Callback) {
		c.Payment.Description, c.Operation.Message, c.Operation.Provider.PaymentID, c.Operation.Code = script, script, script, script
	})
	r.stray(script, 5000, func(c *platform.Callback) { c.Account = script })
	v := r.signIn(annaToken)
	odd := r.issue("script", "s1", 70)
	v.wants(v.take("/payments/"+odd+"/credit", "reason", script), 303)
	form := url.Values{"csrf": {v.csrf("/payments")}, "confirm": {"1"}, "previewed": {""}, "reason": {script}}
	other := r.issue("script", "s1", 80)
	v.do(http.MethodPost, "/payments/"+other+"/credit", form)
	for _, path := range []string{
		"/", "/payments", "/payments/" + id, "/payments/" + other, "/accounts/script", "/suspense", "/messages", "/messages/1", "/audit",
		"/payments?q=" + url.QueryEscape(script), "/audit?actor=" + url.QueryEscape(script), "/messages?q=" + url.QueryEscape(script),
		"/payments?from=" + url.QueryEscape(script), "/payments/" + url.PathEscape(script), "/login?next=" + url.QueryEscape("/"+script),
	} {
		got := v.get(path)
		if strings.Contains(got.body, "<script") || strings.Contains(got.body, "<img src=x") {
			t.Errorf("%s: the script came through", path)
		}
	}
	if page := v.get("/payments/" + other); !strings.Contains(page.body, "&lt;script&gt;alert(1)") {
		t.Error("the reason is not shown as text")
	}
}

func TestKZPhoneNormaliser(t *testing.T) {
	r := newRig(t, func(c *config.Config) { c.Accounts.Normalize = config.NormalizeKZPhone })
	id := r.paid(phone, "e1", 5000)
	v := r.signIn(annaToken)
	if got := v.get("/payments?q=" + url.QueryEscape("8 701 111-22-33")); !strings.Contains(got.body, id) {
		t.Errorf("not found:\n%s", words(got.body))
	}
}

func TestPayouts(t *testing.T) {
	r := newRig(t)
	for range 8 {
		r.paid(phone, "e1", 500000)
	}
	r.addPayout("KASPI-1", 501000, r.last)
	r.addPayout("KASPI-2/odd", 502000, r.last-1)
	v := r.signIn(annaToken)
	v.wants(v.get("/payouts"), 200, "KASPI-1", "Draft", "₸4,909.80", "2 lines")
	v.wants(v.get("/payouts?status=posted"), 200, "There are no payouts")
	v.wants(v.get("/payouts/KASPI-1"), 200, "1 line differs from the payments", "payment unknown", "Fees −₸100.20", "Post the payout")
	odd := "/payouts/KASPI-2%2Fodd"
	v.wants(v.get(odd+"?provider=jetpay&project=1234"), 200, "KASPI-2/odd", "amount differs", "we have ₸5,000.00")
	v.wants(v.get(odd+"/discard?provider=jetpay&project=1234"), 200, "The draft is given up")
	got := v.take(odd+"/discard", "provider", "jetpay", "project", "1234")
	if got.status != 303 || got.header.Get("Location") != odd+"?project=1234&provider=jetpay" {
		t.Errorf("got %d to %s\n%s", got.status, got.header.Get("Location"), words(got.body))
	}
	v.wants(v.get(odd), 200, "The draft was discarded", "Discarded")
	v.wants(v.get("/payouts/KASPI-1/post?provider=jetpay&project=1234"), 200, "What will be booked", "Bank halyk", "Fees of JetPay, project 1234", "₸4,909.80")
	v.wants(v.take("/payouts/KASPI-1/post", "provider", "jetpay", "project", "1234"), 303)
	v.wants(v.get("/payouts/KASPI-1"), 200, "The payout was posted", "Posted", "anna: ticket 4711", "Reverse")
	v.wants(v.get("/settlement"), 200, "JetPay 1234 · KZT", "₸34,990.00", "Paid out −₸4,909.80", "up to 1 day 7")
	v.wants(v.get("/settlement?at=2026-11-01"), 200)
	v.wants(v.get("/settlement?at=x"), 422)
	v.wants(v.get("/payouts/none"), 404)
	v.wants(v.get("/payouts?status=odd"), 422)
	eye := r.signIn(eyeToken)
	if page := eye.get("/payouts/KASPI-1").body; strings.Contains(page, "/reverse") {
		t.Error("a reader sees a step")
	}
}

func TestEvents(t *testing.T) {
	r := newRig(t)
	if err := r.store.SetEndpoints(t.Context(), []store.Endpoint{{Name: "billing"}}); err != nil {
		t.Fatal(err)
	}
	id := r.paid(phone, "e1", 5000)
	v := r.signIn(annaToken)
	page := v.get("/events")
	v.wants(page, 200, "Money was credited", id, "billing Pending", `"customer_id": "•••"`)
	_, event, _ := strings.Cut(page.body, `href="/events/`)
	event, _, _ = strings.Cut(event, "/")
	v.wants(v.get("/events/"+event+"/skip"), 200, "The notification is given up")
	v.wants(v.take("/events/"+event+"/skip"), 303)
	v.wants(v.get("/events?status=skipped"), 200, "The notification was skipped", id)
	v.wants(v.take("/events/"+event+"/skip"), 409, "not waiting at any endpoint")
	v.wants(v.take("/events/"+event+"/resend"), 303)
	v.wants(v.get("/events?status=pending"), 200, id)
	v.wants(v.get("/events/ev_none/resend"), 404)
	v.wants(v.get("/events?status=odd"), 422)
}
