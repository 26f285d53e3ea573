package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// ids runs a filter to its last page.
func ids(t *testing.T, s *store.Store, f store.PaymentFilter) (list []string) {
	t.Helper()
	for {
		page, next, err := s.Payments(context.Background(), f)
		if err != nil {
			t.Fatalf("payments %+v: %v", f, err)
		}
		for _, p := range page {
			list = append(list, p.ID)
		}
		if next == "" {
			return list
		}
		f.Cursor = next
	}
}

func TestPaymentsAreFoundByEveryFilter(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now; o.Normalize = topup.NormalizeKZPhone })
	start := c.Now()
	pending := mustIssue(t, s)
	c.Add(time.Hour)
	credited := mustIssue(t, s, func(n *store.NewPayment) { n.Money.Amount = 777; n.ContractNumber = "99_Z/01-01-2025/Z" })
	mustRecord(t, s, paid(credited, "op-1", func(e *topup.Event) { e.Sum.Amount, e.Initial.Amount = 777, 777 }))
	c.Add(time.Hour)
	declined := mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID = "7000000000" })
	mustRecord(t, s, paid(declined, "op-2", func(e *topup.Event) { e.Outcome = topup.OutcomeDeclined; e.Status = "decline" }))
	c.Add(time.Hour)
	differs := mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(differs, "op-3", sum(5)))
	c.Add(time.Hour)
	unknown, _ := suspendedItem(t, s, paid("their-id", "op-4"))
	mustRecord(t, s, paid("their-id", "op-5"))
	transaction := mustPayment(t, s, credited).Credit.TransactionID

	all := []string{unknown, differs, declined, credited, pending}
	for name, tt := range map[string]struct {
		filter store.PaymentFilter
		want   []string
	}{
		"nothing":                       {store.PaymentFilter{}, all},
		"status":                        {store.PaymentFilter{Status: topup.StatusReview}, []string{unknown, differs}},
		"status succeeded":              {store.PaymentFilter{Status: topup.StatusSucceeded}, []string{credited}},
		"status pending":                {store.PaymentFilter{Status: topup.StatusPending}, []string{pending}},
		"flag":                          {store.PaymentFilter{Flag: topup.FlagUnknownPayment}, []string{unknown}},
		"two flags that nothing has":    {store.PaymentFilter{Flag: topup.FlagUnknownPayment | topup.FlagAmountDiffers}, nil},
		"customer, as a payer types it": {store.PaymentFilter{CustomerID: "+7 700 000-00-00"}, []string{declined}},
		"amount":                        {store.PaymentFilter{Amount: 777}, []string{credited}},
		"from is inclusive":             {store.PaymentFilter{From: start.Add(3 * time.Hour)}, []string{unknown, differs}},
		"to is exclusive":               {store.PaymentFilter{To: start.Add(time.Hour)}, []string{pending}},
		"pending over an hour":          {store.PaymentFilter{PendingOver: time.Hour}, []string{pending}},
		"pending over a day":            {store.PaymentFilter{PendingOver: 24 * time.Hour}, nil},
		"pending and declined":          {store.PaymentFilter{PendingOver: time.Hour, Status: topup.StatusDeclined}, nil},
		"q: a payment's id":             {store.PaymentFilter{Q: declined}, []string{declined}},
		"q: with blanks around":         {store.PaymentFilter{Q: " " + declined + "\n"}, []string{declined}},
		"q: the provider's id":          {store.PaymentFilter{Q: "their-id"}, []string{unknown}},
		"q: a receipt":                  {store.PaymentFilter{Q: "receipt-op-1"}, []string{credited}},
		"q: an operation that credited": {store.PaymentFilter{Q: "op-1"}, []string{credited}},
		"q: an operation that declined": {store.PaymentFilter{Q: "op-2"}, []string{declined}},
		"q: an operation in suspense":   {store.PaymentFilter{Q: "op-4"}, []string{unknown}},
		"q: a ledger transaction":       {store.PaymentFilter{Q: transaction}, []string{credited}},
		"q: a suspense item":            {store.PaymentFilter{Q: item}, []string{differs}},
		"q: a contract number":          {store.PaymentFilter{Q: "99_Z/01-01-2025/Z"}, []string{credited}},
		"q: a number's beginning":       {store.PaymentFilter{Q: "99_Z/01"}, []string{credited}},
		"q: blanks in it":               {store.PaymentFilter{Q: "99_Z / 01\u00a0-\t01"}, []string{credited}},
		"q: a number's middle":          {store.PaymentFilter{Q: "Z/01-01"}, nil},
		"amount in major units":         {store.PaymentFilter{Major: major(t, "7.77")}, []string{credited}},
		"amount that no currency has":   {store.PaymentFilter{Major: major(t, "7.77777")}, nil},
		"q: a part of an id":            {store.PaymentFilter{Q: declined[:10]}, nil},
		"q: like wildcards":             {store.PaymentFilter{Q: "%"}, nil},
		"q with another filter":         {store.PaymentFilter{Q: "A-1", Status: topup.StatusDeclined}, []string{declined}},
		"everything at once": {store.PaymentFilter{Status: topup.StatusReview, Flag: topup.FlagAmountDiffers, CustomerID: "7123456789", Q: "A-1",
			Amount: 10000, From: start, To: start.Add(4 * time.Hour), Limit: 1}, []string{differs}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ids(t, s, tt.filter); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func major(t *testing.T, text string) topup.Major {
	t.Helper()
	sum, err := topup.ParseMajor(text)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestContractNumbersAreFoundByTheirBeginningWhateverTheirBlanks(t *testing.T) {
	s := mustOpen(t)
	number := func(text string) string {
		return mustIssue(t, s, func(n *store.NewPayment) { n.ContractNumber = text })
	}
	plain := number("1234_ABC/01-01-2025/Abcdef12")
	blank := number("1234_ABC / 01-02-2025\u3000/ B")
	other := number("1234\u00a0_ABD")
	greek := number("Ωμέγα 1\u2009000")
	last := number("\U0010ffff")
	for text, want := range map[string][]string{
		"1234_ABC/01":                    {blank, plain},
		"1234_ABC / 01-01":               {plain},
		"1234_ABC/01-02":                 {blank},
		"1 2 3 4":                        {other, blank, plain},
		"1234_AB":                        {other, blank, plain},
		"1234\u2003_ABD":                 {other},
		"1234_ABC/01-01-2025/Abcdef12":   {plain},
		"1234_ABC / 01-02-2025\u3000/ B": {blank},
		"Ωμέγα1000":                      {greek},
		"Ωμ":                             {greek},
		"Ω\u2028μ":                       {greek},
		"\U0010ffff":                     {last},
		"_ABC":                           nil,
		"1234_ABC/01-01-2025/Abcdef12 3": nil,
	} {
		if got := ids(t, s, store.PaymentFilter{Q: text}); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestABeginningOfTooManyContractNumbersIsRefusedUnlessItIsAnID(t *testing.T) {
	s := mustOpen(t)
	var issued []string
	for i := range store.MaxNumbers + 1 {
		number := fmt.Sprintf("77/%04d", i)
		if i%2 == 1 {
			number = fmt.Sprintf("77 /%04d", i)
		}
		issued = append(issued, mustIssue(t, s, func(n *store.NewPayment) { n.ContractNumber = number }))
	}
	for _, text := range []string{"7", "77 /"} {
		_, _, err := s.Payments(context.Background(), store.PaymentFilter{Q: text})
		if kindOf(err) != topup.KindInvalid || !strings.Contains(err.Error(), "more than 1000 contract numbers begin so") {
			t.Errorf("%s: got %v, want a refusal", text, err)
		}
	}
	if got := ids(t, s, store.PaymentFilter{Q: "77/100"}); len(got) != 1 || got[0] != issued[1000] {
		t.Errorf("the beginning of one: got %v", got)
	}
	if got := ids(t, s, store.PaymentFilter{Q: "77/099", Limit: 3}); len(got) != 10 {
		t.Errorf("the beginning of ten: got %v", got)
	}
	suspendedItem(t, s, paid(issued[3], "77", sum(5)))
	if got := ids(t, s, store.PaymentFilter{Q: "77"}); !slices.Equal(got, issued[3:4]) {
		t.Errorf("an operation that many numbers begin with: got %v, want its payment", got)
	}
}

func TestAmountsInMajorUnitsAreThoseOfThePaymentsCurrency(t *testing.T) {
	s := mustOpen(t)
	in := func(amount int64, currency string) string {
		id, _ := suspendedItem(t, s, paid("their-"+currency, "op-"+currency, func(e *topup.Event) {
			e.Sum = topup.Money{Amount: amount, Currency: currency}
			e.Initial = e.Sum
		}))
		return id
	}
	tenge, yen, dinar := in(500000, "KZT"), in(5000, "JPY"), in(5000000, "KWD")
	in(5000, "KGS")
	for text, want := range map[string][]string{"5000": {dinar, yen, tenge}, "5000.00": {dinar, yen, tenge}, "5000.001": nil, "500000": nil} {
		if got := ids(t, s, store.PaymentFilter{Major: major(t, text)}); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
		items, err := s.SuspenseItems(context.Background(), store.SuspenseFilter{Major: major(t, text)})
		if err != nil || len(items) != len(want) {
			t.Errorf("%s in suspense: got %d items, %v, want %d", text, len(items), err, len(want))
		}
	}
}

func TestPagesOfPaymentsAreWholeAndNewestFirst(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	var want []string
	for i := range 23 {
		if i%3 == 0 {
			c.Add(time.Second) // several payments share one time
		}
		want = append(want, mustIssue(t, s))
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 2, 7, 22, 23, 24, 0} {
		if got := ids(t, s, store.PaymentFilter{Limit: limit}); !slices.Equal(got, want) {
			t.Errorf("limit %d: got %d payments, want %d in order", limit, len(got), len(want))
		}
	}
	page, next, err := s.Payments(context.Background(), store.PaymentFilter{Limit: 10})
	if err != nil || len(page) != 10 || next == "" {
		t.Fatalf("got %d payments, next %q, %v", len(page), next, err)
	}
	mustIssue(t, s) // a new one does not shift the pages
	got := ids(t, s, store.PaymentFilter{Limit: 10, Cursor: next})
	if !slices.Equal(got, want[10:]) {
		t.Errorf("after a new payment: got %v, want %v", got, want[10:])
	}
}

// What is searched for by an amount or a flag is found however few payments a page
// looks at, and a page that has found nothing yet tells how far it has looked.
func TestABoundedSearchFindsTheSameInMorePages(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	start := c.Now()
	for i := range 23 {
		if i%3 == 0 {
			c.Add(time.Second) // several payments share one time
		}
		mustIssue(t, s, func(n *store.NewPayment) {
			if n.Money.Amount = 10000; i%7 == 2 {
				n.Money.Amount = 777
			}
		})
	}
	_, _ = suspendedItem(t, s, paid("their-id", "op-1"))
	for name, f := range map[string]store.PaymentFilter{
		"amount":            {Amount: 777},
		"major":             {Major: major(t, "7.77")},
		"pending":           {Amount: 777, Status: topup.StatusPending},
		"succeeded":         {Amount: 777, Status: topup.StatusSucceeded},
		"flag":              {Flag: topup.FlagUnknownPayment},
		"in some days":      {Amount: 777, From: start.Add(2 * time.Second), To: start.Add(7 * time.Second)},
		"named by a number": {Amount: 777, Q: "1234"},
	} {
		want := ids(t, s, f)
		for _, f.Examine = range []int{1, 2, 5, 22, 23, 24, 25} {
			for _, f.Limit = range []int{1, 2, 0} {
				if got := ids(t, s, f); !slices.Equal(got, want) {
					t.Errorf("%s, %d looked at, pages of %d: got %v, want %v", name, f.Examine, f.Limit, got, want)
				}
			}
		}
	}
	page, next, err := s.Payments(context.Background(), store.PaymentFilter{Amount: 1, Examine: 4})
	if err != nil || len(page) != 0 || next == "" {
		t.Fatalf("got %d payments, next %q, %v", len(page), next, err)
	}
	all, _, err := s.Payments(context.Background(), store.PaymentFilter{Limit: 4})
	if err != nil {
		t.Fatal(err)
	}
	if end, err := store.PageEnd(next); err != nil || !end.Equal(all[3].CreatedAt) {
		t.Errorf("looked back to %v, %v, want %v", end, err, all[3].CreatedAt)
	}
}

func TestAFilterThatBreaksARuleIsRefusedByItsName(t *testing.T) {
	s := mustOpen(t)
	for _, tt := range []struct {
		field  string
		filter store.PaymentFilter
	}{
		{"limit", store.PaymentFilter{Limit: 501}},
		{"limit", store.PaymentFilter{Limit: -1}},
		{"status", store.PaymentFilter{Status: "done"}},
		{"amount", store.PaymentFilter{Amount: -5}},
		{"pending_over", store.PaymentFilter{PendingOver: -time.Hour}},
		{"q", store.PaymentFilter{Q: strings.Repeat("x", 256)}},
		{"q", store.PaymentFilter{Q: " \u3000"}},
		{"q", store.PaymentFilter{Q: "\xff"}},
		{"cursor", store.PaymentFilter{Cursor: "?"}},
		{"cursor", store.PaymentFilter{Cursor: "bm90aGluZw"}},
		{"cursor", store.PaymentFilter{Cursor: "eAp5"}}, // x, y
	} {
		_, _, err := s.Payments(context.Background(), tt.filter)
		if kindOf(err) != topup.KindInvalid || !strings.HasPrefix(err.Error(), tt.field+" ") {
			t.Errorf("%+v: got %v, want a refusal of %s", tt.filter, err, tt.field)
		}
	}
}

func TestNoFilterReadsAWholeTable(t *testing.T) {
	s := mustOpen(t, newFile(t))
	now := time.Now()
	for name, f := range map[string]store.PaymentFilter{
		"status pending":  {Status: topup.StatusPending},
		"status review":   {Status: topup.StatusReview},
		"status declined": {Status: topup.StatusDeclined, From: now},
		"flag":            {Flag: topup.FlagLate},
		"customer":        {CustomerID: "c"},
		"q":               {Q: "x"},
		"q, next page":    {Q: "x", Cursor: "MQox"},
		"q, no beginning": {Q: "\U0010ffff"},
		"major and from":  {Major: major(t, "5"), From: now},
		"amount and from": {Amount: 5, From: now},
		"from":            {From: now},
		"to":              {To: now},
		"pending over":    {PendingOver: time.Hour},
	} {
		plan, err := s.ExplainPayments(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range plan {
			// Walking the index of the flagged payments is no whole table.
			if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "payments_flagged") && !ofItsOwn(step) {
				t.Errorf("%s: %s\n%s", name, step, strings.Join(plan, "\n"))
			}
		}
	}
	// Without a selective filter the newest page comes from the index of times,
	// in order, and nothing is sorted. The amount stands in that index too.
	for _, f := range []store.PaymentFilter{{}, {Status: topup.StatusSucceeded}, {Amount: 5}, {Cursor: "MQox"}} {
		plan, err := s.ExplainPayments(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(plan) != 1 || !strings.Contains(plan[0], "payments_created") {
			t.Errorf("%+v: got %v", f, plan)
		}
	}
	// A later page begins where the one before ended.
	plan, err := s.ExplainPayments(context.Background(), store.PaymentFilter{Amount: 5, From: now, To: now, Cursor: "MQox"})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan) != 1 || !strings.Contains(plan[0], "(created_at>? AND created_at<?)") {
		t.Errorf("amount, days and a cursor: got %v", plan)
	}
	plans, err := s.ExplainReads(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if first := "SEARCH i USING INDEX suspense_items_open"; !strings.HasPrefix(plans["open items"][0], first) {
		t.Errorf("open items begin with %s, want %s", plans["open items"][0], first)
	}
	for name, plan := range plans {
		for _, step := range plan {
			if strings.HasPrefix(step, "SCAN") && !ofItsOwn(step) {
				t.Errorf("%s: %s\n%s", name, step, strings.Join(plan, "\n"))
			}
		}
	}
}

// ofItsOwn tells that a step reads what the query itself has made.
func ofItsOwn(step string) bool {
	return step == "SCAN x" || step == "SCAN found" || step == "SCAN first" || step == "SCAN CONSTANT ROW"
}
