package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

var ctx = context.Background()

// newPayin is a pay-in of an account that accepts it, whatever the account is.
func newPayin() store.NewPayin {
	return store.NewPayin{
		Project: "57aff4db", CustomerID: "7123456789", ContractID: "12345", ContractNumber: "A-1",
		Money: hundred, WidgetMethod: "payin-p2p-card", Method: "kz-bank-transfer", RedirectURL: "https://shop.example.kz/1",
		Lifetime: 5 * time.Minute, AnsweredWithin: 25 * time.Second,
	}
}

func keyed(key, hash string) store.IdempotencyKey {
	return store.IdempotencyKey{Token: "shop", Key: key, Hash: []byte(hash)}
}

// openPayin opens a pay-in under a key, none if it is left out.
func openPayin(s *store.Store, key ...store.IdempotencyKey) (string, *store.Prior, error) {
	n := newPayin()
	return s.OpenPayin(ctx, n.CustomerID, append(key, store.IdempotencyKey{})[0], func(*topup.Account) (store.NewPayin, error) { return n, nil })
}

// mustOpenPayin is openPayin for a customer that has an account from then on.
func mustOpenPayin(t testing.TB, s *store.Store, key ...store.IdempotencyKey) string {
	t.Helper()
	if _, err := s.Account(ctx, newPayin().CustomerID); err != nil {
		mustPutIn(t, s, newPayin().CustomerID, hundred.Currency)
	}
	id, prior, err := openPayin(s, key...)
	if err != nil || prior != nil {
		t.Fatalf("open a pay-in: %v %v", prior, err)
	}
	return id
}

func mustPayin(t testing.TB, s *store.Store, id string) *store.Payin {
	t.Helper()
	y, err := s.Payin(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// told is what HighHelp says of a pay-in.
func told(id string, outcome topup.Outcome, status string, change ...func(*topup.Event)) topup.Event {
	e := topup.Event{
		Provider: "highhelp", Project: "57aff4db", Source: topup.SourceAlert, ReportsState: true, Reference: id, Operation: id, Outcome: outcome,
		Sum: hundred, Initial: hundred, Amounts: topup.AmountReceived, MaxOver: 10, Complete: true, TopUp: true, Status: status,
	}
	for _, c := range change {
		c(&e)
	}
	e.Fingerprint = fmt.Appendf(nil, "%s|%s|%v", e.Reference, e.Status, e.Sum)
	return e
}

func refusalOf(err error) topup.Kind {
	var refusal *topup.Error
	if errors.As(err, &refusal) {
		return refusal.Kind
	}
	return ""
}

func due(t testing.TB, s *store.Store, at time.Time) []string {
	t.Helper()
	list, err := s.DuePayins(ctx, nil, at, 100)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, y := range list {
		ids = append(ids, y.Payment.ID)
	}
	return ids
}

func TestAPayinIsPendingBeforeTheProviderIsAsked(t *testing.T) {
	now := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = now.Now })
	id := mustOpenPayin(t, s, keyed("k", "h"))
	y := mustPayin(t, s, id)
	p := y.Payment
	if p.Provider != "highhelp" || p.Project != "57aff4db" || p.Status != topup.StatusPending || p.Money != hundred ||
		p.CustomerID != "7123456789" || p.ContractID != "12345" || p.ContractNumber != "A-1" || p.Method != "payin-p2p-card" || !p.ExpiresAt.IsZero() {
		t.Errorf("payment: got %+v", p)
	}
	if y.State != topup.PayinCreating || y.Method != "kz-bank-transfer" || y.RedirectURL != "https://shop.example.kz/1" || y.FormURL != "" ||
		!y.LifetimeEnds.Equal(now.Now().Add(5*time.Minute)) || !y.CreatedAt.Equal(now.Now()) {
		t.Errorf("pay-in: got %+v", y)
	}
	if got := due(t, s, now.Now().Add(24*time.Second)); got != nil {
		t.Errorf("due while the request may run: got %v", got)
	}
	if got := due(t, s, now.Now().Add(25*time.Second)); len(got) != 1 || got[0] != id {
		t.Errorf("due afterwards: got %v", got)
	}
}

func TestAnIdempotencyKeyHasItsEffectOnce(t *testing.T) {
	now := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = now.Now })
	id := mustOpenPayin(t, s, keyed("k", "h"))

	attempt := func(key, hash string) (*store.Prior, error) {
		t.Helper()
		read, readErr := s.PriorRequest(ctx, keyed(key, hash))
		opened, prior, err := openPayin(s, keyed(key, hash))
		if opened != "" {
			t.Fatalf("a second payment was opened: %s", opened)
		}
		if (err == nil) != (readErr == nil) || refusalOf(err) != refusalOf(readErr) {
			t.Fatalf("reading says %v, opening %v", readErr, err)
		}
		if err == nil && (read.PaymentID != prior.PaymentID || read.Answer.Status != prior.Answer.Status) {
			t.Fatalf("reading says %+v, opening %+v", read, prior)
		}
		return prior, err
	}
	if prior, err := attempt("k", "h"); err != nil || !prior.Running || prior.PaymentID == "" {
		t.Errorf("while it runs: got %+v, %v", prior, err)
	}
	var refusal *topup.Error
	if _, err := attempt("k", "other"); !errors.As(err, &refusal) || refusal.Kind != topup.KindInvalid || refusal.Field != "Idempotency-Key" {
		t.Errorf("for another request: got %v, want it invalid", err)
	}
	now.Add(25 * time.Second)
	if prior, err := attempt("k", "h"); err != nil || prior.PaymentID != id || prior.Answer.Body != nil {
		t.Errorf("of a request that died: got %+v %v", prior, err)
	}
	want := store.Answer{Status: 201, Body: []byte(`{"payment_id":"x"}`)}
	if err := s.PayinCreated(ctx, id, store.CreatedPayin{}, want); err != nil {
		t.Fatal(err)
	}
	if prior, err := attempt("k", "h"); err != nil || prior.PaymentID != id || prior.Answer.Status != 201 || string(prior.Answer.Body) != string(want.Body) {
		t.Errorf("of an answered request: got %+v %v", prior, err)
	}
	if other := mustOpenPayin(t, s, keyed("K", "h")); other == id {
		t.Error("another key: got the same payment")
	}
	if other := mustOpenPayin(t, s, store.IdempotencyKey{Token: "other shop", Key: "k", Hash: []byte("h")}); other == id {
		t.Error("another token's key: got the same payment")
	}
	if first, second := mustOpenPayin(t, s), mustOpenPayin(t, s); first == second {
		t.Error("without a key: got the same payment")
	}
	if prior, err := s.PriorRequest(ctx, store.IdempotencyKey{}); prior != nil || err != nil {
		t.Errorf("no key: got %v %v", prior, err)
	}
	now.Add(7*24*time.Hour - 30*time.Second)
	if _, err := attempt("k", "h"); err != nil {
		t.Errorf("just before seven days: got %v", err)
	}
	now.Add(time.Minute)
	if again := mustOpenPayin(t, s, keyed("k", "other")); again == id {
		t.Error("after seven days the key must be free")
	}
}

func TestAPayinIsShownTheAccountOrRefused(t *testing.T) {
	s := mustOpen(t, func(o *store.Options) { o.Normalize = topup.NormalizeKZPhone })
	mustPutIn(t, s, "7071234567", "KZT")
	open := func(customer, key string, refusal error) (string, *store.Prior, error) {
		return s.OpenPayin(ctx, customer, keyed(key, "h"), func(account *topup.Account) (store.NewPayin, error) {
			n := newPayin()
			n.CustomerID, n.Money.Currency = account.CustomerID, account.Currency
			return n, refusal
		})
	}
	id, _, err := open("+7 707 123-45-67", "k", nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := mustPayment(t, s, id); p.CustomerID != "7071234567" || p.Status != topup.StatusPending {
		t.Errorf("got %+v", p)
	}
	if _, _, err := open("7079999999", "k2", nil); kindOf(err) != topup.KindNotFound {
		t.Errorf("nobody's account: got %v", err)
	}
	no := topup.Invalid("amount", "is too much")
	if _, _, err := open("7071234567", "k2", no); !errors.Is(err, no) {
		t.Errorf("got %v, want the refusal", err)
	}
	if prior, err := s.PriorRequest(ctx, keyed("k2", "h")); prior != nil || err != nil {
		t.Errorf("what was refused has taken its key: %+v %v", prior, err)
	}
	// What was asked before is answered, whatever the account would say now.
	for _, customer := range []string{"7071234567", "7079999999"} {
		if _, prior, err := open(customer, "k", no); err != nil || prior == nil || prior.PaymentID != id {
			t.Errorf("again, of %s: got %+v %v", customer, prior, err)
		}
	}
	if n := queryInt(t, rawOpen(t, s), `SELECT count(*) FROM payments`); n != 1 {
		t.Errorf("%d payments, want 1", n)
	}
}

// TestNothingComesBetweenAPayinAndItsAccount: the currency of an account is
// changed at the same moment. Whichever is first, the payment is in the currency
// that the account has afterwards.
func TestNothingComesBetweenAPayinAndItsAccount(t *testing.T) {
	s := mustOpen(t)
	for n := range 60 {
		customer := fmt.Sprintf("c%d", n)
		mustPutIn(t, s, customer, "KZT")
		var both sync.WaitGroup
		var id string
		both.Go(func() {
			var err error
			id, _, err = s.OpenPayin(ctx, customer, keyed(customer, "h"), func(account *topup.Account) (store.NewPayin, error) {
				n := newPayin()
				n.CustomerID, n.Money.Currency = account.CustomerID, account.Currency
				return n, nil
			})
			if err != nil {
				t.Errorf("open: %v", err)
			}
		})
		both.Go(func() {
			if _, err := s.PutAccount(ctx, account(customer, "KGS")); err != nil && kindOf(err) != topup.KindInvalid {
				t.Errorf("put: %v", err)
			}
		})
		both.Wait()
		now, err := s.Account(ctx, customer)
		if err != nil {
			t.Fatal(err)
		}
		if p := mustPayment(t, s, id); p.Money.Currency != now.Currency {
			t.Fatalf("%s: a payment in %s for an account in %s", customer, p.Money.Currency, now.Currency)
		}
	}
}

func TestOfManyEqualRequestsAtOnceOneOpensAPayment(t *testing.T) {
	s := mustOpen(t)
	mustPutIn(t, s, newPayin().CustomerID, hundred.Currency)
	var (
		mu     sync.Mutex
		opened []string
		wg     sync.WaitGroup
	)
	for range 64 {
		wg.Go(func() {
			id, prior, err := openPayin(s, keyed("k", "h"))
			mu.Lock()
			defer mu.Unlock()
			if err == nil && prior == nil {
				opened = append(opened, id)
			} else if err != nil || !prior.Running {
				t.Errorf("got %+v %v, want one that runs", prior, err)
			}
		})
	}
	wg.Wait()
	if len(opened) != 1 {
		t.Errorf("got %d payments, want 1", len(opened))
	}
}

func TestIdempotencyKeysAreSweptAfterSevenDays(t *testing.T) {
	now := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = now.Now })
	for i := range 305 {
		mustOpenPayin(t, s, keyed(fmt.Sprint("k", i), "h"))
	}
	now.Add(time.Hour)
	mustOpenPayin(t, s, keyed("young", "h"))
	now.Add(7*24*time.Hour - time.Hour)
	if n, err := s.SweepIdempotency(ctx); n != 305 || err != nil {
		t.Errorf("got %d %v, want 305", n, err)
	}
	if left := queryInt(t, rawOpen(t, s), `SELECT count(*) FROM idempotency`); left != 1 {
		t.Errorf("got %d left, want 1", left)
	}
}

func TestACrashBetweenOpeningAndTheAnswerIsRemembered(t *testing.T) {
	now := newClock()
	options := func(o *store.Options) { o.Now = now.Now }
	s := mustOpen(t, options)
	id := mustOpenPayin(t, s, keyed("k", "h"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, options, same(s))
	if got := mustPayin(t, s, id); got.State != topup.PayinCreating || got.Payment.Status != topup.StatusPending {
		t.Errorf("got %+v", got)
	}
	key := keyed("k", "h")
	if prior, err := s.PriorRequest(ctx, key); err != nil || !prior.Running {
		t.Errorf("at once: got %+v, %v", prior, err)
	}
	// The only server of a file knows, when it starts, that nothing of another
	// still runs. One of several does not.
	now.Add(time.Second)
	served := mustOpen(t, options, same(s), func(o *store.Options) { o.Exclusive = true })
	if prior, err := served.PriorRequest(ctx, key); err != nil || prior.Running != onPostgres {
		t.Errorf("to a server started since: got %+v, %v", prior, err)
	}
	now.Add(time.Minute)
	if prior, err := s.PriorRequest(ctx, key); err != nil || prior.PaymentID != id || prior.Answer.Body != nil {
		t.Errorf("later: got %+v %v", prior, err)
	}
	if got := due(t, s, now.Now()); len(got) != 1 {
		t.Errorf("due: got %v", got)
	}
}

func TestWhatCameOfTheRequestIsNoted(t *testing.T) {
	now := newClock()
	next := now.Now().Add(5 * time.Minute)
	form := store.Known{FormURL: "https://ppage.example/1", RequestID: "req-1", LifetimeEnds: now.Now().Add(4 * time.Minute)}
	open := func(t *testing.T, before func(*store.Store, string)) (*store.Store, string) {
		s := mustOpen(t, func(o *store.Options) { o.Now = now.Now })
		id := mustOpenPayin(t, s, keyed("k", "h"))
		if before != nil {
			before(s, id)
		}
		return s, id
	}
	created := func(s *store.Store, id string) error {
		return s.PayinCreated(ctx, id, store.CreatedPayin{Known: form, Status: "processing:new", NextPollAt: next}, store.Answer{Status: 201, Body: []byte(`{}`)})
	}
	refused := func(s *store.Store, id string) error {
		return s.PayinRefused(ctx, id, store.RefusedPayin{ProviderText: topup.ProviderText{Status: "error", Code: "400", Message: "No such bank"}}, store.Answer{Status: 502, Body: []byte(`{}`)})
	}
	unknown := func(s *store.Store, id string) error {
		return s.PayinOutcomeUnknown(ctx, id, now.Now(), "time-out")
	}
	alert := func(outcome topup.Outcome, status string) func(*store.Store, string) {
		return func(s *store.Store, id string) { mustRecord(t, s, told(id, outcome, status)) }
	}
	after := func(step func(*store.Store, string) error) func(*store.Store, string) {
		return func(s *store.Store, id string) {
			if err := step(s, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		before func(*store.Store, string)
		step   func(*store.Store, string) error
		state  topup.PayinState
		status topup.Status
		flags  topup.Flags
		said   string
		form   string
		due    bool // at once, or at next
	}{
		"created":                      {nil, created, topup.PayinOpen, topup.StatusPending, 0, "processing:new", form.FormURL, true},
		"created, an alert came first": {alert(topup.OutcomeOpen, "processing:paid"), created, topup.PayinOpen, topup.StatusPending, 0, "processing:paid", form.FormURL, true},
		"created, paid already":        {alert(topup.OutcomePaid, "success"), created, topup.PayinDone, topup.StatusSucceeded, 0, "success", form.FormURL, false},
		"created, given up too early":  {after(refused), created, topup.PayinOpen, topup.StatusPending, 0, "error", form.FormURL, true},
		"created, was unknown":         {after(unknown), created, topup.PayinOpen, topup.StatusPending, 0, "processing:new", form.FormURL, true},
		"refused":                      {nil, refused, topup.PayinRefused, topup.StatusDeclined, 0, "error", "", false},
		"refused, paid all the same":   {alert(topup.OutcomePaid, "success"), refused, topup.PayinDone, topup.StatusSucceeded, 0, "success", "", false},
		"refused, was unknown":         {after(unknown), refused, topup.PayinRefused, topup.StatusDeclined, 0, "error", "", false},
		"unknown":                      {nil, unknown, topup.PayinUnknown, topup.StatusPending, topup.FlagOutcomeUnknown, "", "", true},
		"unknown, an alert has told":   {alert(topup.OutcomeOpen, "processing:new"), unknown, topup.PayinOpen, topup.StatusPending, 0, "processing:new", "", true},
		"unknown, paid already":        {alert(topup.OutcomePaid, "success"), unknown, topup.PayinDone, topup.StatusSucceeded, 0, "success", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, id := open(t, tc.before)
			if err := tc.step(s, id); err != nil {
				t.Fatal(err)
			}
			y := mustPayin(t, s, id)
			if y.State != tc.state || y.Payment.Status != tc.status || y.Payment.Flags != tc.flags || y.Payment.ProviderStatus != tc.said || y.FormURL != tc.form {
				t.Errorf("got %s %s %v %q %q", y.State, y.Payment.Status, y.Payment.Flags.Names(), y.Payment.ProviderStatus, y.FormURL)
			}
			if tc.form != "" && (y.RequestID != "req-1" || y.Payment.ProviderReference != "req-1" || !y.LifetimeEnds.Equal(form.LifetimeEnds)) {
				t.Errorf("got %+v", y)
			}
			if got := len(due(t, s, next)) == 1; got != tc.due {
				t.Errorf("due: got %v", got)
			}
			checked(t, s)
		})
	}
}

func TestMoneyThatComesAfterARefusalStillCredits(t *testing.T) {
	s := mustOpen(t)
	id := mustOpenPayin(t, s)
	if err := s.PayinRefused(ctx, id, store.RefusedPayin{}, store.Answer{}); err != nil {
		t.Fatal(err)
	}
	if got := mustRecord(t, s, told(id, topup.OutcomePaid, "success")); got.Disposition != topup.DispositionCredited || got.Flags != topup.FlagLate {
		t.Errorf("got %+v", got)
	}
	checked(t, s)
}

func TestARequestThatMaySucceedLaterFreesItsKey(t *testing.T) {
	s := mustOpen(t)
	id := mustOpenPayin(t, s, keyed("k", "h"))
	if err := s.PayinRefused(ctx, id, store.RefusedPayin{FreesKey: true}, store.Answer{Status: 502, Body: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if again := mustOpenPayin(t, s, keyed("k", "other")); again == id {
		t.Error("got the same payment")
	}
}

func TestAPayinIsAskedAboutExactlyWhileItsPaymentIsPending(t *testing.T) {
	now := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = now.Now })
	id := mustOpenPayin(t, s)
	later := now.Now().Add(time.Hour)
	step := func(what string, state topup.PayinState, asked bool) {
		t.Helper()
		if got := mustPayin(t, s, id).State; got != state {
			t.Errorf("%s: got %s, want %s", what, got, state)
		}
		if got := len(due(t, s, later)) == 1; got != asked {
			t.Errorf("%s: due %v, want %v", what, got, asked)
		}
		if open, _, err := s.PayinStats(ctx); err != nil || (open == 1) != asked {
			t.Errorf("%s: %d open, %v", what, open, err)
		}
	}
	step("opened", topup.PayinCreating, true)
	mustRecord(t, s, told(id, topup.OutcomeDeclined, "decline"))
	step("declined", topup.PayinDone, false)
	mustRecord(t, s, told(id, topup.OutcomeDisputed, "dispute:no_payment"))
	step("in dispute", topup.PayinOpen, true)
	mustRecord(t, s, told(id, topup.OutcomePaid, "success"))
	step("paid", topup.PayinDone, false)
	if err := s.NotePayinLook(ctx, id, store.Look{Next: now.Now()}); err != nil {
		t.Fatal(err)
	}
	step("looked at all the same", topup.PayinDone, false)

	id = mustOpenPayin(t, s)
	if err := s.ReviewPayin(ctx, id); err != nil {
		t.Fatal(err)
	}
	step("handed over", topup.PayinDone, false)
	if got := mustPayment(t, s, id).Status; got != topup.StatusReview {
		t.Errorf("got %s, want review", got)
	}
	mustRecord(t, s, told(id, topup.OutcomePaid, "success"))
	if err := s.ReviewPayin(ctx, id); err != nil {
		t.Fatal(err)
	}
	if got := mustPayment(t, s, id).Status; got != topup.StatusSucceeded {
		t.Errorf("got %s, want succeeded", got)
	}
	checked(t, s)
}

// TestANoOfTheProviderEndsAReviewForAge: nobody else would ever end it. A review
// in which money, or an outcome, is open goes on.
func TestANoOfTheProviderEndsAReviewForAge(t *testing.T) {
	type step func(*store.Store, string) error
	says := func(outcome topup.Outcome, status string, change ...func(*topup.Event)) step {
		return func(s *store.Store, id string) error {
			_, err := s.Record(ctx, told(id, outcome, status, change...), []byte(`{}`))
			return err
		}
	}
	absurd := says(topup.OutcomePaid, "success", func(e *topup.Event) { e.Sum.Amount = 10*hundred.Amount + 1 })
	unreadable := says(topup.OutcomePaid, "success", func(e *topup.Event) { e.Complete = false })
	dispute, decline := says(topup.OutcomeDisputed, "dispute:no_payment"), says(topup.OutcomeDeclined, "decline")
	refused := func(s *store.Store, id string) error {
		return s.PayinRefused(ctx, id, store.RefusedPayin{}, store.Answer{})
	}
	tooOld := func(s *store.Store, id string) error { return s.ReviewPayin(ctx, id) }
	for name, tc := range map[string]struct {
		steps []step
		want  topup.Status
	}{
		"a decline":                 {[]step{tooOld, decline}, topup.StatusDeclined},
		"a decline after a dispute": {[]step{dispute, tooOld, decline}, topup.StatusDeclined},
		"a decline after money that lies in suspense":     {[]step{absurd, tooOld, decline}, topup.StatusReview},
		"a decline after a success that cannot be read":   {[]step{tooOld, unreadable, decline}, topup.StatusReview},
		"it does not have the pay-in":                     {[]step{tooOld, refused}, topup.StatusDeclined},
		"it does not have the pay-in, and has sent money": {[]step{tooOld, absurd, refused}, topup.StatusReview},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t)
			id := mustOpenPayin(t, s)
			for _, step := range tc.steps {
				if err := step(s, id); err != nil {
					t.Fatal(err)
				}
			}
			if got := mustPayment(t, s, id).Status; got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			checked(t, s)
		})
	}
}

func TestALookIsNoted(t *testing.T) {
	now := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = now.Now })
	id := mustOpenPayin(t, s)
	if err := s.PayinOutcomeUnknown(ctx, id, now.Now(), "time-out"); err != nil {
		t.Fatal(err)
	}
	next := now.Now().Add(time.Minute)
	if err := s.NotePayinLook(ctx, id, store.Look{Next: next, Failure: "HTTP 500"}); err != nil {
		t.Fatal(err)
	}
	y := mustPayin(t, s, id)
	if y.State != topup.PayinUnknown || y.Polls != 1 || y.LastError != "HTTP 500" || !y.NextPollAt.Equal(next) || y.Payment.Flags != topup.FlagOutcomeUnknown {
		t.Errorf("without an answer: got %+v", y)
	}
	if err := s.NotePayinLook(ctx, id, store.Look{Next: next, Known: &store.Known{FormURL: "https://a", RequestID: "r"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.NotePayinLook(ctx, id, store.Look{Next: next, Known: &store.Known{FormURL: "https://b", RequestID: "q"}}); err != nil {
		t.Fatal(err)
	}
	y = mustPayin(t, s, id)
	if y.State != topup.PayinOpen || y.Polls != 3 || y.LastError != "" || y.FormURL != "https://a" || y.RequestID != "r" || y.Payment.Flags != 0 {
		t.Errorf("with an answer: got %+v", y)
	}
	if open, oldest, err := s.PayinStats(ctx); open != 1 || !oldest.Equal(y.CreatedAt) || err != nil {
		t.Errorf("got %d %v %v", open, oldest, err)
	}
}

func TestAPayinThatDoesNotExistIsNotFound(t *testing.T) {
	s := mustOpen(t)
	jetpay := mustIssue(t, s)
	for _, id := range []string{"nothing", jetpay} {
		_, err := s.Payin(ctx, id)
		for what, err := range map[string]error{
			"read":    err,
			"look":    s.NotePayinLook(ctx, id, store.Look{}),
			"review":  s.ReviewPayin(ctx, id),
			"created": s.PayinCreated(ctx, id, store.CreatedPayin{}, store.Answer{}),
			"refused": s.PayinRefused(ctx, id, store.RefusedPayin{}, store.Answer{}),
			"unknown": s.PayinOutcomeUnknown(ctx, id, time.Time{}, ""),
		} {
			if refusalOf(err) != topup.KindNotFound {
				t.Errorf("%s: got %v, want not found", what, err)
			}
		}
	}
}

func TestAClosedStoreNotesNothing(t *testing.T) {
	s := mustOpen(t)
	id := mustOpenPayin(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, opening := openPayin(s)
	_, sweeping := s.SweepIdempotency(ctx)
	_, flagging := s.FlagOutcomeUnknown(ctx, id)
	_, reading := s.Payin(ctx, id)
	_, prior := s.PriorRequest(ctx, keyed("k", "h"))
	_, listing := s.DuePayins(ctx, nil, time.Now(), 1)
	_, pending := s.PendingPayments(ctx, "jetpay", store.Mark{}, time.Now(), 1)
	_, mark := s.WatchMark(ctx, "x")
	_, _, stats := s.PayinStats(ctx)
	for what, err := range map[string]error{
		"open": opening, "sweep": sweeping, "flag": flagging, "read": reading, "prior": prior, "due": listing, "pending": pending,
		"mark": mark, "stats": stats, "set mark": s.SetWatchMark(ctx, "x", store.Mark{}), "review": s.ReviewPayin(ctx, id),
	} {
		if err == nil {
			t.Errorf("%s: got no error", what)
		}
	}
}

func TestPendingPaymentsArePagedThroughByTheirMarks(t *testing.T) {
	now := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = now.Now })
	var want []string
	for range 3 {
		want = append(want, mustIssue(t, s), mustIssue(t, s)) // two at the same microsecond
		now.Add(time.Minute)
	}
	mustRecord(t, s, paid(want[3], "1"))
	want = append(want[:3], want[4:]...)
	mustOpenPayin(t, s)
	until := now.Now()
	now.Add(time.Minute)
	mustIssue(t, s) // too young

	var got []string
	for {
		mark, err := s.WatchMark(ctx, "5m")
		if err != nil {
			t.Fatal(err)
		}
		page, err := s.PendingPayments(ctx, "jetpay", mark, until, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			got = append(got, p.Payment.ID)
			if err := s.SetWatchMark(ctx, "5m", p.Mark); err != nil {
				t.Fatal(err)
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if mark, err := s.WatchMark(ctx, "15m"); err != nil || mark != (store.Mark{}) {
		t.Errorf("a mark that was never set: got %v %v", mark, err)
	}
}

func TestDuePayinsArePagedThroughEachOnce(t *testing.T) {
	now := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = now.Now })
	var want []string
	for range 3 {
		same := []string{mustOpenPayin(t, s), mustOpenPayin(t, s), mustOpenPayin(t, s)} // at the same microsecond
		slices.Sort(same)
		want = append(want, same...)
		now.Add(time.Second)
	}
	// One that a dispute has opened again waits longest.
	again := want[4]
	mustRecord(t, s, told(again, topup.OutcomeDeclined, "decline"))
	mustRecord(t, s, told(again, topup.OutcomeDisputed, "dispute:no_payment"))
	want = append([]string{again}, slices.Delete(want, 4, 5)...)
	until := now.Now().Add(time.Minute)
	now.Add(time.Hour)
	mustOpenPayin(t, s) // not due yet

	var got []string
	var last *store.Payin
	for {
		page, err := s.DuePayins(ctx, last, until, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, y := range page {
			got, last = append(got, y.Payment.ID), y
			// What follows it is the same, wherever it goes.
			if err := s.NotePayinLook(ctx, y.Payment.ID, store.Look{Next: until.Add(time.Second)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAResultThatNeverReachedUsOnlyFlags(t *testing.T) {
	s := mustOpen(t)
	id := mustIssue(t, s)
	for _, want := range []bool{true, false} {
		if flagged, err := s.FlagOutcomeUnknown(ctx, id); flagged != want || err != nil {
			t.Errorf("got %v %v, want %v", flagged, err, want)
		}
	}
	if p := mustPayment(t, s, id); p.Status != topup.StatusPending || p.Flags != topup.FlagOutcomeUnknown || p.Credit != nil {
		t.Errorf("got %+v", p)
	}
	mustRecord(t, s, paid(id, "28"))
	if flagged, err := s.FlagOutcomeUnknown(ctx, id); flagged || err != nil {
		t.Errorf("of a payment that succeeded: got %v %v", flagged, err)
	}
	if p := mustPayment(t, s, id); p.Flags != 0 || p.Credit == nil {
		t.Errorf("after the callback: got %+v", p)
	}
	if _, err := s.FlagOutcomeUnknown(ctx, "nothing"); refusalOf(err) != topup.KindNotFound {
		t.Errorf("got %v", err)
	}
	checked(t, s)
}
