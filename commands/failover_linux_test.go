package commands_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/pgtest"
	"tolem/platform"
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
)

const (
	failoverPayers = 8
	// failoverPace is how often a message is sent: this machine is also that of three
	// databases, which replace a leader that is too slow to say that it lives.
	failoverPace = 12 * time.Millisecond
	// failoverAgain is when a platform sends what was not acknowledged again.
	failoverAgain = 100 * time.Millisecond
	// afterFailover is how many messages each server acknowledges before the next fault.
	afterFailover = 50
	// deadConnection is how long a connection to a machine that does not answer may
	// stay open. The timers are the kernel's: no slow machine makes them later.
	deadConnection = 12 * time.Second
)

// failoverTimes make Patroni replace a leader within seconds.
var failoverTimes = map[string]any{"ttl": 8, "loop_wait": 1, "retry_timeout": 3}

// balancer sends messages to several servers in turns, at a pace, and notes when each
// acknowledged one.
type balancer struct {
	servers []*victim
	pace    *time.Ticker

	mu        sync.Mutex
	next      int
	successes []success
	grown     chan struct{} // one token when there is another success
}

type success struct {
	server int
	at     time.Time
}

// Post posts to the next server.
func (b *balancer) Post(ctx context.Context, path string, body []byte) (platform.Answer, error) {
	select {
	case <-b.pace.C:
	case <-ctx.Done():
		return platform.Answer{}, ctx.Err()
	}
	b.mu.Lock()
	server := b.next
	b.next = (b.next + 1) % len(b.servers)
	b.mu.Unlock()
	answer, err := b.servers[server].client.Post(ctx, path, body)
	if err == nil && answer.Status == http.StatusOK {
		b.mu.Lock()
		b.successes = append(b.successes, success{server, time.Now()})
		b.mu.Unlock()
		select {
		case b.grown <- struct{}{}:
		default:
		}
	}
	return answer, err
}

// await waits until each server has acknowledged so many messages more.
func (b *balancer) await(t *testing.T, each int) {
	t.Helper()
	b.mu.Lock()
	from := len(b.successes)
	b.mu.Unlock()
	late := time.After(10 * time.Minute)
	for {
		b.mu.Lock()
		counts, least := make([]int, len(b.servers)), each
		for _, s := range b.successes[from:] {
			counts[s.server]++
		}
		b.mu.Unlock()
		for _, n := range counts {
			least = min(least, n)
		}
		if least == each {
			return
		}
		select {
		case <-b.grown:
		case <-late:
			t.Fatalf("the servers acknowledged %v messages, want %d of each", counts, each)
		}
	}
}

// outage is the longest time since a moment in which a server acknowledged nothing; of any
// server: -1.
func (b *balancer) outage(since time.Time, server int) (longest time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := since
	for _, s := range b.successes {
		if s.at.Before(since) || server >= 0 && s.server != server {
			continue
		}
		longest = max(longest, s.at.Sub(last))
		last = s.at
	}
	return longest
}

// failover is a shop with two servers on a cluster under Patroni.
type failover struct {
	cluster *pgtest.Patroni
	shop    *shop
	program string
	servers []*victim
}

// pay tops up through both servers, while run makes faults, and until everything that was
// sent is acknowledged. It returns what was sent.
func (f *failover) pay(t *testing.T, run func(b *balancer)) *memory {
	t.Helper()
	b := &balancer{servers: f.servers, pace: time.NewTicker(failoverPace), grown: make(chan struct{}, 1)}
	defer b.pace.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	platform := &traffic{t: t, project: demoProject(t), client: b, next: make(chan struct{}), lost: make(chan struct{}, 1)}
	again, stopped := time.NewTicker(failoverAgain), make(chan struct{})
	defer again.Stop()
	go func() {
		for {
			select {
			case <-again.C:
				platform.newServer(platform.isEnding())
			case <-stopped:
				return
			}
		}
	}()
	var payers sync.WaitGroup
	for range failoverPayers {
		payers.Go(func() { platform.pay(ctx, nil) })
	}
	defer func() { // also when run ends the test
		platform.newServer(true)
		payers.Wait()
		close(stopped)
	}()
	b.await(t, afterFailover)
	run(b)
	return &platform.memory
}

// fault is something that happens to the leader. undo brings the node back.
type fault struct {
	name     string
	do, undo func(t testing.TB, leader int)
	stays    bool // the leader does
	silent   bool // connections to the node are not closed, they are just not answered
}

// TestFailover is two servers on three nodes of PostgreSQL under Patroni, whose leader is
// killed, cut off and demoted under load.
func TestFailover(t *testing.T) {
	if os.Getenv("TOLEM_TEST_FAILOVER") == "" {
		t.Skip("takes minutes: make test-all sets TOLEM_TEST_FAILOVER")
	}
	storetest.OnlyPostgres(t)
	config, err := os.ReadFile("../deploy/patroni.yml")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c := pgtest.NewPatroni(t, pgtest.PatroniOptions{Config: config, DCS: failoverTimes})
	t.Logf("the cluster is there after %s", time.Since(began).Round(time.Second))
	f := &failover{cluster: c, program: buildProgram(t, "0")}
	f.shop = newShopOn(t, store.Options{Postgres: c.URL("&connect_timeout=2")}, "timezone: UTC")
	f.servers = []*victim{f.shop.start(t, f.program), f.shop.start(t, f.program)}
	var sent []*sent
	t.Run("SynchronousLosesNothing", func(t *testing.T) { sent = f.synchronous(t) })
	if t.Failed() {
		return
	}
	t.Run("WhatAsynchronousLosesIsFound", func(t *testing.T) { f.asynchronous(t, sent) })
	for _, server := range f.servers {
		server.stop(t)
	}
	f.shop.checkLedger(t, f.program)
}

func (f *failover) synchronous(t *testing.T) []*sent {
	c := f.cluster
	faults := []fault{
		{name: "demoted", do: c.Switchover, undo: func(testing.TB, int) {}},
		{name: "killed", do: c.Kill, undo: c.Start},
		{name: "cut_off", do: c.Cut, undo: c.Join, silent: true},
		{name: "isolated", do: c.Isolate, undo: c.Reunite},
		{name: "standby_cut_off", stays: true},
	}
	standby := -1
	faults[4].do = func(t testing.TB, _ int) { standby = c.Synchronous(t); c.Cut(t, standby) }
	faults[4].undo = func(t testing.TB, _ int) { c.Join(t, standby) }
	done := map[string]int{}
	m := f.pay(t, func(b *balancer) {
		for _, fault := range faults {
			f.survive(t, b, fault)
			done[fault.name]++
		}
	})
	m.compare(t, f.shop)
	f.shop.checkLedger(t, f.program)
	succeeded := m.creditedAll(t, f.shop)
	for _, message := range m.sent {
		if !message.acked {
			t.Errorf("a message about payment %q was never acknowledged", message.paymentID)
		}
	}
	t.Log(m.proof(done))
	t.Logf("%d messages, %d payments credited", len(m.sent), succeeded)
	return m.sent
}

// survive makes a fault, and waits until both servers work and the cluster is whole again.
func (f *failover) survive(t *testing.T, b *balancer, fault fault) {
	t.Helper()
	c := f.cluster
	leader := c.Leader(t)
	since := time.Now()
	fault.do(t, leader)
	took := time.Since(since)
	if fault.silent {
		f.closed(t, c.Addresses()[leader], since)
	}
	elected := leader
	if !fault.stays {
		elected = c.AwaitAnotherLeader(t, leader)
	}
	b.await(t, afterFailover)
	t.Logf("%s (%s, leader %d, then %d): %s without a success; of the one server %s, of the other %s", fault.name, took.Round(10*time.Millisecond), leader, elected,
		b.outage(since, -1).Round(10*time.Millisecond), b.outage(since, 0).Round(10*time.Millisecond), b.outage(since, 1).Round(10*time.Millisecond))
	fault.undo(t, leader)
	c.AwaitHealthy(t)
	t.Logf("%s: the cluster is whole again after %s", fault.name, time.Since(since).Round(time.Second))
}

// closed waits until nobody has a connection to a database that does not answer.
func (f *failover) closed(t *testing.T, address netip.Addr, since time.Time) {
	t.Helper()
	poll := time.NewTicker(failoverAgain)
	defer poll.Stop()
	for established(t, address) > 0 {
		<-poll.C
		if time.Since(since) > time.Minute {
			break
		}
	}
	if open := time.Since(since); open > deadConnection {
		t.Errorf("connections to the machine that was cut off were open for %s, want %s at most", open.Round(time.Second), deadConnection)
	}
}

// established counts this machine's connections to the database on a node.
func established(t *testing.T, address netip.Addr) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	ip := address.As4()
	remote := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), 5432)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[2] == remote && fields[3] == "01" {
			n++
		}
	}
	return n
}

// asynchronous isolates a leader whose commits wait for nobody: what it acknowledges until
// it notices is lost. The report of the platform names every such payment, and a seal that
// was made meanwhile does not fit the books that are left.
func (f *failover) asynchronous(t *testing.T, before []*sent) {
	c, s := f.cluster, f.shop
	c.Configure(t, map[string]any{"synchronous_mode": false, "synchronous_mode_strict": false})
	c.AwaitAsynchronous(t)
	var seal string
	m := f.pay(t, func(b *balancer) {
		leader := c.Leader(t)
		since := time.Now()
		c.Isolate(t, leader)
		b.await(t, afterFailover/5)
		seal = s.must(t, "ledger", "seal")
		elected := c.AwaitAnotherLeader(t, leader)
		b.await(t, afterFailover)
		t.Logf("isolated (leader %d, then %d): %s without a success", leader, elected, b.outage(since, -1).Round(10*time.Millisecond))
		c.Reunite(t, leader)
		c.AwaitHealthy(t)
	})
	s.checkLedger(t, f.program)

	_, credits := s.booked(t)
	suspense := s.inSuspense(t)
	wanted := map[string]bool{} // the payments that are lost
	var lines []string
	for _, message := range append(before, m.sent...) {
		if !message.success {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s,%d,sale,success,%s,KZT,,%s", message.paymentID, message.operation, major(message.money.Amount), time.Now().UTC().Format(time.DateTime)))
		n := credits[message.paymentID]
		if n > 1 {
			t.Errorf("payment %s is credited %d times", message.paymentID, n)
		}
		if n == 0 && !suspense[strconv.FormatInt(message.operation, 10)] {
			wanted[message.paymentID] = true
		}
	}
	if len(wanted) == 0 {
		t.Error("nothing was lost: the leader was not alone when it acknowledged")
	}

	report, how := s.report(t, lines...)
	yesterday, tomorrow := time.Now().UTC().AddDate(0, 0, -1), time.Now().UTC().AddDate(0, 0, 1)
	got := s.tolem(t, "reconcile", report, "--map", how, "--project", "1234", "--json", "--from", yesterday.Format(time.DateOnly), "--to", tomorrow.Format(time.DateOnly))
	found := decode[struct {
		Differences []struct {
			Kind  string
			There struct{ Payment string }
		}
	}](t, got.out)
	kinds := map[string]int{}
	for _, d := range found.Differences {
		kinds[d.Kind]++
		if !wanted[d.There.Payment] {
			t.Errorf("reconcile reports %s of payment %q, which is not lost", d.Kind, d.There.Payment)
		}
		delete(wanted, d.There.Payment)
	}
	for id := range wanted {
		t.Errorf("payment %s was acknowledged and is lost, and reconcile does not report it", id)
	}
	checked := s.tolem(t, "ledger", "check", "--seal", testkit.WriteFile(t, s.dir, "seal.json", seal))
	if checked.code != 1 || !strings.Contains(checked.err, "the journal is not what was sealed") {
		t.Errorf("ledger check --seal with a seal of what was lost: exit code %d\n%s%s", checked.code, checked.out, checked.err)
	}
	t.Logf("proof: runs=1 faults.asynchronous=1 faults.lost_and_found=%d", len(found.Differences))
	t.Logf("%d payments acknowledged, %d lost and found: %v; %d in suspense\n%s", len(lines), len(found.Differences), kinds, len(suspense), checked.err)
}

func major(minor int64) string { return fmt.Sprintf("%d.%02d", minor/100, minor%100) }

// inSuspense reads the operations whose money is in suspense.
func (s *shop) inSuspense(t *testing.T) map[string]bool {
	t.Helper()
	rows, err := storetest.Open(t, s.database).Query(`SELECT o.operation FROM operations o JOIN transactions t ON t.seq = o.seq WHERE t.kind = 'suspense'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	operations := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		operations[id] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return operations
}
