package watch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tolem/config"
	"tolem/highhelp"
	"tolem/jetpay"
	"tolem/signing"
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
	"tolem/watch"
)

const (
	project = "57aff4db"
	other   = "00000000" // another project
	maxAge  = 72 * time.Hour
)

// rig is a watcher on a fresh database, with both providers on loopback and a
// clock that the test sets.
type rig struct {
	t       testing.TB
	store   *store.Store
	watcher *watch.Watcher
	server  *httptest.Server
	logs    *bytes.Buffer

	mu     sync.Mutex
	clock  *testkit.Clock
	answer http.HandlerFunc
	asked  []string // ids, in the order in which they were asked about
	bodies []string
	seen   []string // looks
}

func newRig(t testing.TB, change ...func(*watch.Options)) *rig {
	t.Helper()
	r := &rig{t: t, clock: testkit.NewClock(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)), logs: &bytes.Buffer{}}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	var err error
	database := storetest.New(t)
	database.Now = r.clock.Now
	r.store, err = store.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.store.Close() })
	account := topup.Account{CustomerID: "c", AdditionalCustomerID: "A", Currency: "KZT", Contracts: []topup.Contract{{ID: "e1", Number: "N"}}}
	if _, err := r.store.PutAccount(t.Context(), &account); err != nil {
		t.Fatal(err)
	}
	gate, err := jetpay.NewGate(config.JetPay{GateURL: r.server.URL + "/", Projects: []config.Project{
		{ID: 1234, Secrets: []config.Secret{config.NewSecret("first"), config.NewSecret("second")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(r), zapcore.DebugLevel)
	o := watch.Options{
		Store: r.store, Polled: watch.Polled{Clients: map[string]*highhelp.Client{project: r.client(project), other: r.client(other)}, Gate: gate, MaxOver: 10, MaxAge: maxAge},
		Interval: time.Minute, Log: zap.New(core), Now: r.clock.Now, Jitter: func() float64 { return 0.5 },
		OnCall: func(provider, op, outcome string, _ time.Duration) {
			if !slices.Contains(watch.Calls, watch.Call{Provider: provider, Op: op}) || !slices.Contains(highhelp.CallOutcomes, outcome) {
				t.Errorf("the metrics do not list %s %s %s", provider, op, outcome)
			}
		},
		OnPoll: func(provider, outcome string) {
			if !slices.Contains(watch.Providers, provider) || !slices.Contains(watch.PollOutcomes, outcome) {
				t.Errorf("the metrics do not list %s %s", provider, outcome)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.seen = append(r.seen, provider+" "+outcome)
		},
	}
	for _, c := range change {
		c(&o)
	}
	r.watcher = watch.New(o)
	return r
}

// client is what asks HighHelp about a project's pay-ins.
func (r *rig) client(project string) *highhelp.Client {
	r.t.Helper()
	signer, err := signing.NewHMACSigner("secret")
	if err != nil {
		r.t.Fatal(err)
	}
	client, err := highhelp.NewClient(highhelp.Options{
		Environment: config.Development, BaseURL: r.server.URL, ProjectID: project, Signer: signer, Dialect: signing.DefaultRequestDialect(),
		Timeout: 2 * time.Second, Attempts: 1, Now: r.clock.Now,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return client
}

func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs.Write(p)
}

func (r *rig) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs.String()
}

func (r *rig) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.asked = append(r.asked, idIn(string(body)))
	r.bodies = append(r.bodies, q.URL.Path+" "+string(body))
	answer := r.answer
	r.mu.Unlock()
	q.Body = io.NopCloser(bytes.NewReader(body))
	answer(w, q)
}

func idIn(body string) string {
	var m struct {
		General struct {
			PaymentID string `json:"payment_id"`
		} `json:"general"`
	}
	_ = json.Unmarshal([]byte(body), &m)
	return m.General.PaymentID
}

// takeAsked returns the ids that were asked about since the last call.
func (r *rig) takeAsked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

func (r *rig) takeSeen() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := strings.Join(r.seen, ", ")
	r.seen = nil
	return seen
}

// replies makes the providers answer so; ID stands for the payment's id.
func (r *rig) replies(status int, body string) {
	r.answers(func(w http.ResponseWriter, q *http.Request) {
		asked, _ := io.ReadAll(q.Body)
		w.WriteHeader(status)
		io.WriteString(w, strings.ReplaceAll(body, "ID", idIn(string(asked))))
	})
}

func (r *rig) answers(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = h
}

const (
	processing = `{"status":"processing","sub_status":"paid","request_id":"req","project_id":"57aff4db","payment_id":"ID","integration":{"form_url":"https://ppage.example.kz/1"},"payment_info":{"amount":1000,"currency":"KZT","expiration_date":1795263000}}`
	success    = `{"status":"success","sub_status":null,"project_id":"57aff4db","payment_id":"ID","payment_info":{"amount":1000,"currency":"KZT","type":"payin"}}`
	decline    = `{"status":"decline","project_id":"57aff4db","payment_id":"ID"}`
)

func (r *rig) open() string { return r.openFor(project) }

func (r *rig) openFor(project string) string {
	r.t.Helper()
	id, _, err := r.store.OpenPayin(r.t.Context(), "c", store.IdempotencyKey{}, func(a *topup.Account) (store.NewPayin, error) {
		return store.NewPayin{
			Project: project, CustomerID: a.CustomerID, ContractID: "e1", ContractNumber: "N", Money: topup.Money{Amount: 1000, Currency: a.Currency},
			Lifetime: 5 * time.Minute, AnsweredWithin: 25 * time.Second,
		}, nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// created opens a pay-in that the provider has.
func (r *rig) created() string {
	r.t.Helper()
	id := r.open()
	y := r.payin(id)
	if err := r.store.PayinCreated(r.t.Context(), id, store.CreatedPayin{NextPollAt: y.LifetimeEnds}, store.Answer{}); err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *rig) payin(id string) *store.Payin {
	r.t.Helper()
	y, err := r.store.Payin(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return y
}

func (r *rig) round() { r.watcher.Round(r.t.Context()) }

func (r *rig) checked() {
	r.t.Helper()
	report, err := r.store.Check(context.Background())
	if err != nil || len(report.Problems) > 0 {
		r.t.Errorf("ledger check: %v %v", report.Problems, err)
	}
}

func TestAPayinIsAskedAboutWhenItsLifetimeIsOver(t *testing.T) {
	r := newRig(t)
	r.replies(200, success)
	id := r.created()
	r.clock.Add(5*time.Minute - time.Second)
	r.round()
	if asked := r.takeAsked(); len(asked) != 0 {
		t.Errorf("before: asked about %v", asked)
	}
	r.clock.Add(time.Second)
	r.round()
	y := r.payin(id)
	if y.Payment.Status != topup.StatusSucceeded || y.State != topup.PayinDone || y.Payment.Credit == nil || y.Payment.Credit.Money.Amount != 1000 {
		t.Errorf("got %s %s", y.Payment.Status, y.State)
	}
	if got := r.takeSeen(); got != "highhelp result" {
		t.Errorf("looks: %s", got)
	}
	r.takeAsked()
	r.clock.Add(24 * time.Hour)
	r.round()
	if asked := r.takeAsked(); len(asked) != 0 {
		t.Errorf("after the result: asked about %v", asked)
	}
	r.checked()
}

func TestLooksBackOffUntilAPersonMustLook(t *testing.T) {
	r := newRig(t)
	r.replies(200, processing)
	id := r.created()
	started := r.clock.Now()
	var at []time.Duration
	for r.payin(id).Payment.Status == topup.StatusPending && r.clock.Now().Sub(started) < 2*maxAge {
		r.clock.Add(time.Minute)
		r.round()
		for range r.takeAsked() {
			at = append(at, r.clock.Now().Sub(started))
		}
	}
	y := r.payin(id)
	if y.Payment.Status != topup.StatusReview || y.Payment.ProviderStatus != "processing:paid" {
		t.Errorf("got %s %q", y.Payment.Status, y.Payment.ProviderStatus)
	}
	if y.FormURL != "https://ppage.example.kz/1" || y.RequestID != "req" || y.Polls != len(at) {
		t.Errorf("got %+v", y)
	}
	if last := at[len(at)-1]; last != maxAge || len(at) > 90 || len(at) < 70 {
		t.Errorf("asked %d times, the last after %s", len(at), last)
	}
	for i := 2; i < 6; i++ {
		if before, now := at[i-1]-at[i-2], at[i]-at[i-1]; now < before || now > time.Hour {
			t.Errorf("look %d came after %s, the one before after %s", i, now, before)
		}
	}
	if got := r.takeSeen(); !strings.HasSuffix(got, "highhelp review") {
		t.Errorf("looks: …%s", got[len(got)-60:])
	}
	// Money that comes later still credits.
	e := highhelp.Report{ProjectID: project, PaymentID: id, Status: "success", Amount: 1000, Currency: "KZT"}.Event(topup.SourceAlert, 10)
	if got, err := r.store.Record(t.Context(), e, []byte(`{}`)); err != nil || got.Status != topup.StatusSucceeded {
		t.Errorf("got %+v %v", got, err)
	}
	r.checked()
}

func TestWhatNobodyAnswersGoesToReviewToo(t *testing.T) {
	r := newRig(t)
	r.replies(503, `down`)
	id := r.created()
	for range 100 {
		r.clock.Add(time.Hour)
		r.round()
	}
	if got := r.payin(id); got.Payment.Status != topup.StatusReview || !strings.Contains(got.LastError, "HTTP status 503") {
		t.Errorf("got %s %q", got.Payment.Status, got.LastError)
	}
}

// TestThatItWasNeverCreatedEndsAReviewForAge: the provider failed until the
// pay-in was too old, and then says that it does not know of it.
func TestThatItWasNeverCreatedEndsAReviewForAge(t *testing.T) {
	r := newRig(t)
	r.replies(503, `down`)
	id := r.open()
	r.unknown(id)
	for range 100 {
		r.clock.Add(time.Hour)
		r.round()
	}
	if p := r.payin(id).Payment; p.Status != topup.StatusReview || p.Flags != topup.FlagOutcomeUnknown {
		t.Fatalf("got %s %v", p.Status, p.Flags.Names())
	}
	r.replies(404, ``)
	if _, err := r.watcher.Poll(t.Context(), r.payin(id)); err != nil {
		t.Error(err)
	}
	if y := r.payin(id); y.Payment.Status != topup.StatusDeclined || y.Payment.Flags != 0 || y.State != topup.PayinRefused {
		t.Errorf("got %s %v %s", y.Payment.Status, y.Payment.Flags.Names(), y.State)
	}
	r.checked()
}

func TestAPayinThatNobodyKnowsWasNeverCreated(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(*rig, string)
		status  int
		after   time.Duration
		want    topup.Status
	}{
		"its server died":                {nil, 404, 2 * time.Minute, topup.StatusDeclined},
		"no answer came":                 {func(r *rig, id string) { r.unknown(id) }, 404, 2 * time.Minute, topup.StatusDeclined},
		"it is too early":                {func(r *rig, id string) { r.unknown(id) }, 404, 59 * time.Second, topup.StatusPending},
		"the provider had it":            {func(r *rig, id string) { r.has(id) }, 404, time.Hour, topup.StatusPending},
		"the provider does not trust us": {func(r *rig, id string) { r.unknown(id) }, 401, time.Hour, topup.StatusPending},
		"the provider fails":             {func(r *rig, id string) { r.unknown(id) }, 500, time.Hour, topup.StatusPending},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.replies(tc.status, `{"status":"error"}`)
			id := r.open()
			if tc.prepare != nil {
				tc.prepare(r, id)
			}
			r.clock.Add(tc.after)
			r.round()
			y := r.payin(id)
			if y.Payment.Status != tc.want || len(r.takeAsked()) != 1 {
				t.Errorf("got %s %s %q", y.Payment.Status, y.State, y.LastError)
			}
			if unknown := y.Payment.Flags.Has(topup.FlagOutcomeUnknown); unknown != (tc.want == topup.StatusPending && name != "the provider had it") {
				t.Errorf("got %v", y.Payment.Flags.Names())
			}
			if tc.want == topup.StatusDeclined && (y.State != topup.PayinRefused || y.Payment.ProviderMessage == "") {
				t.Errorf("got %s %q", y.State, y.Payment.ProviderMessage)
			}
			r.checked()
		})
	}
}

// unknown notes that the request to create brought no answer.
func (r *rig) unknown(id string) {
	if err := r.store.PayinOutcomeUnknown(r.t.Context(), id, r.clock.Now(), "no answer in time"); err != nil {
		r.t.Fatal(err)
	}
}

// has notes that the provider has it.
func (r *rig) has(id string) {
	if err := r.store.PayinCreated(r.t.Context(), id, store.CreatedPayin{NextPollAt: r.clock.Now()}, store.Answer{}); err != nil {
		r.t.Fatal(err)
	}
}

func TestAnAnswerSettlesWhatWasUnknown(t *testing.T) {
	for body, want := range map[string]topup.Status{processing: topup.StatusPending, decline: topup.StatusDeclined, success: topup.StatusSucceeded} {
		r := newRig(t)
		r.replies(200, body)
		id := r.open()
		// An alert has told the same already, so that the answer is a repeat.
		e := highhelp.Report{ProjectID: project, PaymentID: id, Status: "processing", SubStatus: "paid"}.Event(topup.SourceAlert, 10)
		r.unknown(id)
		if _, err := r.store.FlagOutcomeUnknown(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if _, err := r.store.Record(t.Context(), e, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.store.FlagOutcomeUnknown(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		r.clock.Add(time.Minute)
		r.round()
		if p := r.payin(id).Payment; p.Status != want || p.Flags != 0 {
			t.Errorf("%s: got %s %v", body, p.Status, p.Flags.Names())
		}
	}
}

func TestAnAnswerAboutSomethingElseCreditsNobody(t *testing.T) {
	for name, body := range map[string]string{
		"another payment":  strings.ReplaceAll(success, `"ID"`, `"other"`),
		"another project":  strings.ReplaceAll(success, project, "other"),
		"no payment named": strings.ReplaceAll(success, `,"payment_id":"ID"`, ``),
		"garbage":          `<html>`,
		"no sum":           `{"status":"success","project_id":"57aff4db","payment_id":"ID"}`,
		"another currency": strings.ReplaceAll(success, "KZT", "KGS"),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.replies(200, body)
			id := r.created()
			r.clock.Add(6 * time.Minute)
			r.round()
			if y := r.payin(id); y.Payment.Credit != nil || y.Payment.Status == topup.StatusSucceeded {
				t.Errorf("got %s", y.Payment.Status)
			}
			r.checked()
		})
	}
}

func TestARoundEndsEarlyWhereTheProviderIsAway(t *testing.T) {
	r := newRig(t)
	r.replies(500, ``)
	for range 10 {
		r.created()
	}
	r.clock.Add(6 * time.Minute)
	r.round()
	if asked := r.takeAsked(); len(asked) != 3 {
		t.Errorf("asked %d times, want 3", len(asked))
	}
	r.replies(200, processing)
	r.round()
	asked := r.takeAsked()
	if len(asked) != 7 {
		t.Errorf("then asked %d times, want 7: those that wait longest first", len(asked))
	}
	slices.Sort(asked)
	if len(slices.Compact(asked)) != 7 {
		t.Errorf("one was asked about twice: %v", asked)
	}
}

func TestARoundGoesOnUntilNothingIsDue(t *testing.T) {
	r := newRig(t)
	r.replies(200, processing)
	var gone []string
	for range 120 { // more than are read at once
		gone = append(gone, r.openFor("gone"))
	}
	r.clock.Add(time.Second)
	last := r.open()
	r.clock.Add(time.Minute)
	r.round()
	for _, id := range gone {
		if y := r.payin(id); y.Polls != 1 {
			t.Fatalf("looked %d times at one, want once", y.Polls)
		}
	}
	if asked := r.takeAsked(); !slices.Equal(asked, []string{last}) {
		t.Errorf("asked about %v, want %s", asked, last)
	}
	r.round()
	if asked := r.takeAsked(); len(asked) != 0 {
		t.Errorf("asked again about %v", asked)
	}
}

func TestAProjectThatFailsHoldsUpNoOther(t *testing.T) {
	r := newRig(t)
	r.answers(func(w http.ResponseWriter, q *http.Request) {
		asked, _ := io.ReadAll(q.Body)
		if strings.Contains(string(asked), `"`+other+`"`) {
			w.WriteHeader(500)
			return
		}
		io.WriteString(w, strings.ReplaceAll(success, "ID", idIn(string(asked))))
	})
	for range 120 { // more than are read at once
		r.openFor(other)
	}
	r.clock.Add(time.Second)
	first, second := r.open(), r.open()
	r.clock.Add(time.Minute)
	r.round()
	for _, id := range []string{first, second} {
		if p := r.payin(id).Payment; p.Status != topup.StatusSucceeded {
			t.Errorf("got %s", p.Status)
		}
	}
	asked := r.takeAsked()
	if len(asked) != 5 {
		t.Errorf("asked %d times, want 3 of the project that fails, and 2", len(asked))
	}
	r.round()
	for _, id := range r.takeAsked() {
		if slices.Contains(asked, id) {
			t.Errorf("asked again about %s, while others wait", id)
		}
	}
}

func TestAProjectThatIsGoneIsNotAskedAbout(t *testing.T) {
	r := newRig(t, func(o *watch.Options) { o.Clients = nil })
	id := r.created()
	r.clock.Add(6 * time.Minute)
	r.round()
	if y := r.payin(id); !strings.Contains(y.LastError, "not configured") || y.Polls != 1 || y.Payment.Status != topup.StatusPending {
		t.Errorf("got %+v", y)
	}
}

func TestTheWatchRunsUntilItIsStopped(t *testing.T) {
	r := newRig(t, func(o *watch.Options) { o.Interval = time.Millisecond })
	r.replies(200, success)
	id := r.created()
	r.clock.Add(6 * time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.watcher.Run(ctx); close(done) }()
	deadline := time.After(10 * time.Minute)
	for r.payin(id).Payment.Status != topup.StatusSucceeded {
		select {
		case <-deadline:
			t.Fatal("nothing happens")
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	<-done
	if strings.Contains(r.log(), `"level":"error"`) {
		t.Errorf("log: %s", r.log())
	}
}

func TestAStopInTheMiddleOfALookIsNoFailure(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.answers(func(w http.ResponseWriter, q *http.Request) {
		cancel()
		<-q.Context().Done()
	})
	id := r.created()
	r.created()
	r.clock.Add(6 * time.Minute)
	r.watcher.Round(ctx)
	if y := r.payin(id); y.Polls != 0 || y.LastError != "" {
		t.Errorf("got %+v", y)
	}
	if r.log() != "" {
		t.Errorf("log: %s", r.log())
	}
}

func TestADatabaseThatIsAwayIsComplainedAbout(t *testing.T) {
	r := newRig(t, func(o *watch.Options) { o.Sweeps = func(context.Context) (bool, error) { return true, nil } })
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	r.round()
	r.watcher.GateRound(t.Context())
	if log := r.log(); !strings.Contains(log, "pay-ins to ask about") || !strings.Contains(log, "could not be asked") {
		t.Errorf("log: %s", log)
	}
}

func TestOnlyTheProcessWhoseTurnItIsAsksTheProviders(t *testing.T) {
	turn, away := true, error(nil)
	r := newRig(t, func(o *watch.Options) { o.Sweeps = func(context.Context) (bool, error) { return turn, away } })
	r.replies(200, processing)
	r.gateRound() // marks where the watch begins
	ids := []string{r.created(), r.issue()}
	r.clock.Add(10 * time.Minute)

	turn = false
	r.round()
	r.gateRound()
	if log := r.log(); log != "" {
		t.Errorf("log: %s", log)
	}
	away = errors.New("the database is away")
	r.round()
	r.gateRound()
	if log := r.log(); strings.Count(log, "whose turn") != 2 {
		t.Errorf("log: %s\nwant two complaints", log)
	}
	if asked := r.takeAsked(); len(asked) != 0 {
		t.Errorf("asked about %v, want nobody to be asked", asked)
	}

	turn, away = true, nil
	r.round()
	r.gateRound()
	if asked := r.takeAsked(); !slices.Equal(asked, ids) {
		t.Errorf("asked about %v, want %v", asked, ids)
	}
}

// What is left of the round is the other process's.
func TestARoundEndsWhenAnotherProcessTakesOver(t *testing.T) {
	left := -1 // without end
	r := newRig(t, func(o *watch.Options) {
		o.Sweeps = func(context.Context) (bool, error) { left--; return left != -1, nil }
	})
	r.replies(200, processing)
	r.gateRound() // marks where the watch begins
	for range 4 {
		r.created()
		r.issue()
	}
	r.clock.Add(10 * time.Minute)
	left = 3 // before the round, and before each but the first
	r.round()
	if asked := r.takeAsked(); len(asked) != 3 {
		t.Errorf("asked about %d pay-ins, want 3", len(asked))
	}
	r.replies(200, `{"payment":{"id":"ID","status":"awaiting"}}`)
	left = 3 // before the round, and before each
	r.gateRound()
	if asked := r.takeAsked(); len(asked) != 2 {
		t.Errorf("asked about %d payments, want 2", len(asked))
	}
}

// issue opens a JetPay payment.
func (r *rig) issue() string {
	r.t.Helper()
	id, err := r.store.Issue(r.t.Context(), store.NewPayment{
		Provider: "jetpay", Project: "1234", CustomerID: "c", ContractID: "e1", ContractNumber: "N",
		Money: topup.Money{Amount: 1000, Currency: "KZT"}, Method: "terminal/kaspi", ExpiresAfter: 288 * time.Hour,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *rig) gateRound() { r.watcher.GateRound(r.t.Context()) }

func TestTheGateIsAskedAboutPendingPaymentsAndOnlyFlagsThem(t *testing.T) {
	r := newRig(t)
	r.gateRound() // marks where the watch begins
	id, settled := r.issue(), r.issue()
	e := topup.Event{Provider: "jetpay", Project: "1234", Source: topup.SourceCallback, Reference: settled, Operation: "1", Outcome: topup.OutcomePaid,
		Sum: topup.Money{Amount: 1000, Currency: "KZT"}, Initial: topup.Money{Amount: 1000, Currency: "KZT"}, Amounts: topup.AmountExact, Complete: true, TopUp: true, Fingerprint: []byte("x")}
	if _, err := r.store.Record(t.Context(), e, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	r.replies(200, `{"project_id":1234,"payment":{"id":"ID","status":"success","sum":{"amount":1000,"currency":"KZT"}},"operations":[]}`)
	for range 5 {
		r.gateRound()
		r.clock.Add(time.Minute)
	}
	if asked := r.takeAsked(); len(asked) != 0 {
		t.Errorf("too early: asked about %v", asked)
	}
	r.gateRound()
	if asked := r.takeAsked(); len(asked) != 1 || asked[0] != id {
		t.Fatalf("asked about %v", asked)
	}
	want := `/v2/payment/status {"general":{"project_id":1234,"payment_id":"` + id + `","signature":"`
	r.mu.Lock()
	body := r.bodies[0]
	r.mu.Unlock()
	if !strings.HasPrefix(body, want) {
		t.Errorf("asked with %s", body)
	}
	key, err := signing.NewKey("first")
	if err != nil {
		t.Fatal(err)
	}
	b, err := signing.Parse([]byte(strings.TrimPrefix(body, "/v2/payment/status ")))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if _, err := b.Verify(key); err != nil {
		t.Errorf("the request's signature: %v", err)
	}
	p, err := r.store.Payment(t.Context(), id)
	if err != nil || p.Status != topup.StatusPending || p.Flags != topup.FlagOutcomeUnknown || p.Credit != nil {
		t.Errorf("got %+v %v", p, err)
	}
	if got := r.takeSeen(); got != "jetpay result" || !strings.Contains(r.log(), id) {
		t.Errorf("looks: %s", got)
	}
	for range 40 { // it is flagged already
		r.clock.Add(time.Hour)
		r.gateRound()
	}
	if asked := r.takeAsked(); len(asked) != 0 {
		t.Errorf("asked again about %v", asked)
	}
	r.checked()
}

func TestTheGateIsAskedAboutAPaymentEverMoreSeldom(t *testing.T) {
	for _, body := range []string{
		`{"errors":[{"code":"3061","message":"not found"}]}`, `{"status":"error","code":3061}`, `{"error":{"code":"3061"}}`,
		`{"payment":{"id":"ID","status":"processing"}}`, `{"payment":{"status":"decline"}}`,
	} {
		r := newRig(t)
		r.gateRound()
		id := r.issue()
		status := 200
		if strings.Contains(body, "3061") {
			status = 404
		}
		r.replies(status, body)
		for range 400 {
			r.clock.Add(30 * time.Minute)
			r.gateRound()
		}
		asked := r.takeAsked()
		if len(asked) != 6 || slices.ContainsFunc(asked, func(one string) bool { return one != id }) {
			t.Errorf("%s: asked %d times", body, len(asked))
		}
		if p, err := r.store.Payment(t.Context(), id); err != nil || p.Flags != 0 || p.Status != topup.StatusPending {
			t.Errorf("%s: got %+v %v", body, p, err)
		}
	}
}

func TestAGateThatIsAwayIsAskedEverMoreSeldomAndForgetsNothing(t *testing.T) {
	r := newRig(t)
	r.gateRound()
	first, second := r.issue(), r.issue()
	for name, answer := range map[string]http.HandlerFunc{
		"failure":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); io.WriteString(w, `{}`) },
		"busy":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429); io.WriteString(w, `{}`) },
		"elsewhere":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302); io.WriteString(w, `{}`) },
		"garbage":    func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `CANARY`) },
		"a redirect": func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "/", http.StatusFound) },
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{`)
		},
		"connection reset": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		},
	} {
		r.answers(answer)
		r.clock.Add(3 * time.Hour)
		r.gateRound()
		if asked := r.takeAsked(); len(asked) != 1 {
			t.Errorf("%s: asked %d times, want once", name, len(asked))
		}
		r.gateRound()
		if asked := r.takeAsked(); len(asked) != 0 {
			t.Errorf("%s: asked again at once", name)
		}
	}
	if strings.Contains(r.log(), "CANARY") {
		t.Error("the log tells of the answer")
	}
	r.clock.Add(3 * time.Hour)
	r.replies(200, `{"payment":{"status":"processing"}}`)
	r.gateRound()
	for _, id := range []string{first, second} {
		if asked := r.asked; !slices.Contains(asked, id) {
			t.Errorf("%s was forgotten: asked about %v", id, asked)
		}
	}
}

// oddAnswers are those of a Gate that is there, about a payment whose answer cannot be
// used.
var oddAnswers = map[string]struct {
	status int
	body   string
}{
	"another code":    {400, `{"status":"error","code":"2601"}`},
	"not found":       {404, `{"errors":[{"code":1}]}`},
	"no status":       {200, `{"payment":{}}`},
	"another payment": {200, `{"payment":{"id":"CANARY","status":"success"}}`},
}

// answersOddly makes the Gate give an odd answer about some payments, and say of
// the others that they were paid.
func (r *rig) answersOddly(status int, body string, about ...string) {
	r.answers(func(w http.ResponseWriter, q *http.Request) {
		asked, _ := io.ReadAll(q.Body)
		if slices.Contains(about, idIn(string(asked))) {
			w.WriteHeader(status)
			io.WriteString(w, body)
			return
		}
		io.WriteString(w, `{"payment":{"status":"success"}}`)
	})
}

func (r *rig) flagged(id string) bool {
	r.t.Helper()
	p, err := r.store.Payment(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return p.Flags.Has(topup.FlagOutcomeUnknown)
}

func TestOnePaymentWithAnOddAnswerHoldsUpNoOther(t *testing.T) {
	for name, tc := range oddAnswers {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.gateRound()
			before, strange, behind := r.issue(), r.issue(), r.issue()
			last := r.issue()
			r.answersOddly(tc.status, tc.body, strange, last)
			r.clock.Add(6 * time.Minute)
			r.gateRound()
			if asked := r.takeAsked(); len(asked) != 4 || !r.flagged(before) || !r.flagged(behind) || r.flagged(strange) {
				t.Errorf("asked %d times, want 4", len(asked))
			}
			if got := r.takeSeen(); strings.Count(got, "failed") != 2 || !strings.Contains(r.log(), strange) || strings.Contains(r.log(), "CANARY") {
				t.Errorf("looks: %s; log: %s", got, r.log())
			}
			next := r.issue()
			for range 10 {
				r.clock.Add(time.Minute)
				r.gateRound()
			}
			if asked := r.takeAsked(); !slices.Equal(asked, []string{next}) {
				t.Errorf("then asked about %v, want %s", asked, next)
			}
			r.clock.Add(20 * time.Minute)
			r.gateRound()
			if asked := r.takeAsked(); !slices.Contains(asked, strange) || !slices.Contains(asked, last) {
				t.Errorf("at the next age asked about %v, want %s and %s", asked, strange, last)
			}
		})
	}
}

func TestAGateWhoseAnswersAreAllOddForgetsNothing(t *testing.T) {
	for name, tc := range oddAnswers {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.gateRound()
			ids := []string{r.issue(), r.issue(), r.issue(), r.issue(), r.issue()}
			r.answersOddly(tc.status, tc.body, ids...)
			r.clock.Add(6 * time.Minute)
			r.gateRound()
			if asked := r.takeAsked(); !slices.Equal(asked, ids[:3]) {
				t.Errorf("asked about %v, want %v", asked, ids[:3])
			}
			r.gateRound()
			if asked := r.takeAsked(); len(asked) != 0 {
				t.Errorf("asked again at once about %v", asked)
			}
			r.answersOddly(tc.status, tc.body)
			r.clock.Add(time.Minute)
			r.gateRound()
			if asked := r.takeAsked(); !slices.Equal(asked, ids) {
				t.Errorf("then asked about %v, want %v", asked, ids)
			}
		})
	}
}

func TestSeveralPaymentsWithOddAnswersHoldUpOthersNotForEver(t *testing.T) {
	r := newRig(t)
	r.gateRound()
	older := r.issue()
	r.clock.Add(25 * time.Minute)
	strange := []string{r.issue(), r.issue(), r.issue()}
	r.answersOddly(404, `{}`, strange...)
	r.clock.Add(time.Minute)
	behind := r.issue()
	r.clock.Add(5 * time.Minute)
	r.gateRound()
	if !r.flagged(older) || r.flagged(behind) {
		t.Errorf("asked about %v, want %s of another age, and not yet %s", r.takeAsked(), older, behind)
	}
	r.clock.Add(25 * time.Minute)
	r.gateRound()
	if !r.flagged(behind) {
		t.Errorf("asked about %v, want %s, too", r.takeAsked(), behind)
	}
}

func TestThereIsNoGateWithoutItsURL(t *testing.T) {
	if g, err := jetpay.NewGate(config.JetPay{}); g != nil || err != nil {
		t.Errorf("got %v %v", g, err)
	}
	for _, p := range []config.Project{{ID: 1}, {ID: 1, Secrets: []config.Secret{{}}}} {
		if _, err := jetpay.NewGate(config.JetPay{GateURL: "http://127.0.0.1", Projects: []config.Project{p}}); err == nil {
			t.Errorf("%v: got no error", p)
		}
	}
	r := newRig(t, func(o *watch.Options) { o.Gate = nil })
	r.issue()
	r.clock.Add(time.Hour)
	r.gateRound()
	if asked := r.takeAsked(); len(asked) != 0 {
		t.Errorf("asked about %v", asked)
	}
}

func TestAJetPayProjectThatIsGoneIsPassedOver(t *testing.T) {
	r := newRig(t)
	r.gateRound()
	gone, err := r.store.Issue(t.Context(), store.NewPayment{Provider: "jetpay", Project: "77", CustomerID: "c", ContractID: "e1",
		Money: topup.Money{Amount: 1, Currency: "KZT"}})
	if err != nil {
		t.Fatal(err)
	}
	id := r.issue()
	r.replies(200, `{"payment":{"status":"processing"}}`)
	r.clock.Add(6 * time.Minute)
	r.gateRound()
	if asked := r.takeAsked(); len(asked) != 1 || asked[0] != id {
		t.Errorf("asked about %v, %s is gone", asked, gone)
	}
}
