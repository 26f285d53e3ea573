package proof_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tolem/proof/model"
	"tolem/storetest"
	"tolem/testkit"
)

const (
	// checksSetting is how many sequences a run tries; the flag -rapid.checks wins.
	checksSetting = "TOLEM_PROOF_CHECKS"
	// scenarioSetting is the folder that gets the shortest sequence that failed.
	scenarioSetting = "TOLEM_PROOF_SCENARIOS"

	defaultChecks = 8
)

// TestTheServerDoesWhatTheModelDoes drives the real program and the model with the
// same sequences. A sequence that fails is made shorter, and then written down as a
// scenario.
func TestTheServerDoesWhatTheModelDoes(t *testing.T) {
	setChecks(t)
	p := newProvider(t)
	alerts := testkit.DemoSigner(t, "..", "alerts.private.pem")
	stranger := testkit.DemoSigner(t, "..", "request.pem") // its messages are no alerts
	all := &tally{faults: map[string]int{}}
	rapid.Check(t, func(r *rapid.T) {
		s, err := newServer(t, storetest.New(t), p)
		if err != nil {
			r.Fatal(err)
		}
		defer s.kill()
		w := newWalk(r, s, alerts, stranger)
		defer all.add(w.tally)
		w.short = w.oneIn(3, "payment ids that expire at once")
		w.must(s.start(w.expiry()))
		w.deposit()
		w.movement()
		r.Repeat(map[string]func(*rapid.T){
			"deposit":    func(*rapid.T) { w.deposit() },
			"noise":      func(*rapid.T) { w.noise() },
			"movement":   func(*rapid.T) { w.movement() },
			"movement 2": func(*rapid.T) { w.movement() },
			"status":     func(*rapid.T) { w.status() },
			"money back": func(*rapid.T) { w.moneyBack() },
			"again":      func(*rapid.T) { w.again() },
			"forged":     func(*rapid.T) { w.forged() },
			"pay-in":     func(*rapid.T) { w.payin() },
			"alert":      func(*rapid.T) { w.alert() },
			"alert 2":    func(*rapid.T) { w.alert() },
			"operator":   func(*rapid.T) { w.operator() },
			"operator 2": func(*rapid.T) { w.operator() },
			"operator 3": func(*rapid.T) { w.operator() },
			"operator 4": func(*rapid.T) { w.operator() },
			"suspense":   func(*rapid.T) { w.suspense() },
			"suspense 2": func(*rapid.T) { w.suspense() },
			"reverse":    func(*rapid.T) { w.reverse() },
			"reverse 2":  func(*rapid.T) { w.reverse() },
			"payout":     func(*rapid.T) { w.payout() },
			"restart":    func(*rapid.T) { w.restart() },
			"":           func(*rapid.T) { w.compare() },
		})
		w.end()
	})
	t.Logf("proof: %s", all)
}

// TestASequenceIsWrittenDownAsAScenario replays what the platforms sent in a
// sequence, with what the model says of the books, as people would.
func TestASequenceIsWrittenDownAsAScenario(t *testing.T) {
	setChecks(t)
	p := newProvider(t)
	alerts := testkit.DemoSigner(t, "..", "alerts.private.pem")
	written := 0
	rapid.Check(t, func(r *rapid.T) {
		if written++; written > 2 {
			return
		}
		s, err := newServer(t, storetest.New(t), p)
		if err != nil {
			r.Fatal(err)
		}
		defer s.kill()
		w := newWalk(r, s, alerts, alerts)
		w.must(s.start(longExpiry))
		w.deposit()
		for range 4 {
			w.movement()
			w.verify()
			w.status()
			w.moneyBack()
			w.badDeposit()
			w.malformed()
			w.again()
			w.deposit()
		}
		w.compare()
		folder := filepath.Join(t.TempDir(), "scenario")
		w.must(w.scenario.writeTo(folder, w))
		code, out, err := s.command("replay", folder)
		w.must(err)
		if code != 0 || !strings.Contains(out, " passed, 0 failed") {
			w.fatalf("replay: exit code %d\n%s", code, out)
		}
	})
}

// setChecks sets how many sequences are tried, unless the command line says it.
func setChecks(t *testing.T) {
	t.Helper()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	set := func(name, value string) {
		t.Helper()
		if given[name] {
			return
		}
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	set("rapid.steps", "50") // to start a server takes longer than 50 steps
	checks := defaultChecks
	if storetest.OnPostgres() {
		checks = defaultChecks / 2
	}
	if os.Getenv("TOLEM_TEST_LONG") != "" {
		checks = 100
	}
	if text := os.Getenv(checksSetting); text != "" {
		var err error
		if checks, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", checksSetting, err)
		}
	}
	if testing.Short() {
		checks *= 5 // of which rapid makes a fifth
	}
	set("rapid.checks", strconv.Itoa(checks))
	if testing.Short() {
		// Whoever plants a fault wants to know whether it is seen, not how shortly.
		set("rapid.shrinktime", "1s")
	}
}

// tally counts what was done.
type tally struct {
	mu                             sync.Mutex
	runs, operations, acknowledged int
	lost, doubled                  int
	faults                         map[string]int
}

func (a *tally) add(b *tally) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs++
	a.operations += b.operations
	a.acknowledged += b.acknowledged
	a.lost += b.lost
	a.doubled += b.doubled
	for kind, n := range b.faults {
		a.faults[kind] += n
	}
}

// String is the line that make proof reads.
func (a *tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "runs=%d", a.runs)
	kinds := []string{}
	for kind := range a.faults {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		fmt.Fprintf(&b, " faults.%s=%d", kind, a.faults[kind])
	}
	fmt.Fprintf(&b, " operations=%d acknowledged=%d lost=%d doubled=%d", a.operations, a.acknowledged, a.lost, a.doubled)
	return b.String()
}

// The accounts of the fixtures, as the model has them.
func accounts() []*model.Account {
	open := func(ids ...string) (list []model.Contract) {
		for _, id := range ids {
			list = append(list, model.Contract{ID: id})
		}
		return list
	}
	return []*model.Account{
		{Customer: "7000000010", Additional: "CUST-0010", Currency: "KZT", Contracts: open("c1", "c2")},
		{Customer: "7011112233", Additional: "CUST-7011112233", Currency: "KZT", Contracts: open("e1")},
		{Customer: "7000000001", Additional: "CUST-0001", Currency: "KZT", Closed: true, Contracts: open("c1")},
		{Customer: "7000000002", Additional: "CUST-0002", Currency: "KZT", Contracts: []model.Contract{{ID: "c1", Closed: true}, {ID: "c2", Closed: true}}},
		{Customer: "7000000003", Additional: "CUST-0003", Currency: "KZT", Contracts: []model.Contract{{ID: "c1", Closed: true}, {ID: "c2"}}},
		{Customer: "7000000004", Additional: "CUST-0004", Currency: "KZT", Contracts: []model.Contract{{ID: "c1", Min: 50000}}},
		{Customer: "kg-1001", Additional: "CUST-KG-1001", Currency: "KGS", Contracts: open("kg1")},
	}
}

const (
	longExpiry  = 288 * time.Hour
	shortExpiry = time.Millisecond
)
