package commands_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tolem/commands"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
	"tolem/view"
)

const eventSecret = "whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM="

// notifying are the lines of a configuration with one endpoint.
func notifying(address string) string {
	return fmt.Sprintf("notify: [{name: billing, url: %q, secrets: [%s]}]", "http://"+address+"/", eventSecret)
}

// lines are the lines that a process or command writes.
type lines struct {
	mu   sync.Mutex
	grew chan struct{}
	all  []string
}

func newLines() *lines { return &lines{grew: make(chan struct{}, 1)} }

func (l *lines) read(r io.Reader) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		l.mu.Lock()
		l.all = append(l.all, scanner.Text())
		l.mu.Unlock()
		select {
		case l.grew <- struct{}{}:
		default:
		}
	}
}

// wait returns a line that has all of the texts.
func (l *lines) wait(t testing.TB, texts ...string) string {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		l.mu.Lock()
		for _, line := range l.all {
			found := true
			for _, text := range texts {
				found = found && strings.Contains(line, text)
			}
			if found {
				l.mu.Unlock()
				return line
			}
		}
		l.mu.Unlock()
		select {
		case <-l.grew:
		case <-deadline:
			t.Fatalf("no line with %q among %q", texts, l.all)
		}
	}
}

// answering waits until somebody listens at an address.
func answering(t testing.TB, address string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody listens at %s: %v", address, err)
		}
		time.Sleep(20 * time.Millisecond) // there is nothing to wait on but the port itself
	}
}

func TestTheReceiversOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		language, file string
		program        string
		args           func(file, address string) []string
	}{
		{"go", "main.go", "go", func(file, _ string) []string { return []string{"run", file} }},
		{"python", "receiver.py", "python3", func(file, _ string) []string { return []string{file} }},
		{"js", "receiver.js", "node", func(file, _ string) []string { return []string{file} }},
		{"php", "receiver.php", "php", func(file, address string) []string { return []string{"-S", address, file} }},
	} {
		t.Run(r.language, func(t *testing.T) {
			if _, err := exec.LookPath(r.program); err != nil {
				t.Skipf("missing: %s", r.program)
			}
			block := regexp.MustCompile("(?s)```" + r.language + "\n(.*?)```").FindSubmatch(text)
			if block == nil {
				t.Fatal("docs/events.md has no such receiver")
			}
			address := testkit.FreeAddress(t)
			file := testkit.WriteFile(t, t.TempDir(), r.file, string(block[1]))
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			receiver := exec.CommandContext(ctx, r.program, r.args(file, address)...)
			receiver.Env = append(os.Environ(), "WEBHOOK_SECRET="+eventSecret, "LISTEN="+address)
			receiver.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run has a child
			out, err := receiver.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := receiver.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = syscall.Kill(-receiver.Process.Pid, syscall.SIGKILL); _ = receiver.Wait() }()
			got := newLines()
			go got.read(out)
			answering(t, address)

			forged, err := http.Post("http://"+address+"/", "application/json", strings.NewReader(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			_ = forged.Body.Close()
			if forged.StatusCode != http.StatusBadRequest {
				t.Errorf("an unsigned notification is answered %d, want 400", forged.StatusCode)
			}
			s := newShop(t, notifying(address))
			server := s.serve(t)
			s.must(t, "simulate", "kaspi", "--customer", "7123456789", "--entity", "12345", "--amount", "100000", "--url", server.public, "--admin-url", server.admin)
			got.wait(t, "evt_", `"type":"topup.succeeded"`, `"amount":100000`)
		})
	}
}

func TestEventsCommands(t *testing.T) {
	address := testkit.FreeAddress(t)
	s := newShop(t, notifying(address))
	server := s.serve(t)
	for range 2 {
		s.must(t, "simulate", "kaspi", "--customer", "7123456789", "--entity", "12345", "--amount", "100000", "--url", server.public, "--admin-url", server.admin)
	}
	events := decode[[]view.Event](t, s.must(t, "events", "list", "--json", "--status", "pending"))
	if len(events) != 2 || events[0].Type != "topup.succeeded" {
		t.Fatalf("listed: %+v", events)
	}
	first := events[1].EventID
	contains(t, "events show", s.must(t, "events", "show", first), "topup.succeeded", "endpoint billing", `"status":"succeeded"`)
	if got := s.tolem(t, "events", "skip", first); got.code != 2 {
		t.Errorf("skipped without a reason: exit code %d", got.code)
	}
	s.must(t, "events", "skip", first, "--reason", "booked by hand")
	contains(t, "events list", s.must(t, "events", "list"), "billing skipped")
	contains(t, "audit", s.must(t, "audit"), "skip_event", first, "booked by hand")
	if got := s.tolem(t, "events", "skip", first, "--reason", "again"); got.code != 1 {
		t.Errorf("skipped twice: exit code %d", got.code)
	}
	if got := s.tolem(t, "events", "resend"); got.code != 2 {
		t.Errorf("resend of nothing: exit code %d", got.code)
	}
	contains(t, "events resend", s.must(t, "events", "resend", first), "due again")

	// Somebody listens now: both arrive, the one that was sent again too.
	ctx, stop := context.WithCancel(context.Background())
	in, out := io.Pipe()
	got := newLines()
	go got.read(in)
	ended := make(chan error, 1)
	go func() {
		ended <- commands.Run(ctx, []string{"events", "listen", "--listen", address, "--secret", eventSecret}, nil, commands.Stdio{In: strings.NewReader(""), Out: out, Err: io.Discard})
		_ = out.Close()
	}()
	for _, e := range events {
		got.wait(t, e.EventID, "topup.succeeded")
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("events listen: %v", err)
	}
	if got := tolem(t, nil, "", "events", "listen", "--secret", "hunter2"); got.code != 2 || strings.Contains(got.err, "hunter2") {
		t.Errorf("a bad secret: exit code %d, %s", got.code, got.err)
	}
}

// flapping is a receiver that refuses one of sixty notifications, which then waits
// five seconds.
type flapping struct {
	t        *testing.T
	verifier *standardwebhooks.Webhook
	onDisk   func(transaction string) bool

	mu   sync.Mutex
	n    int
	seen map[string]bool
	got  []view.Transaction // in the order in which they arrived first
}

func (f *flapping) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = f.verifier.Verify(body, r.Header)
	}
	var n struct {
		Data struct{ Transaction view.Transaction }
	}
	if err == nil {
		err = json.Unmarshal(body, &n)
	}
	if err != nil {
		f.t.Errorf("a notification that cannot be verified or read: %v", err)
	}
	if !f.onDisk(n.Data.Transaction.TransactionID) {
		f.t.Errorf("transaction %s is told before it is on disk", n.Data.Transaction.TransactionID)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; f.n%60 == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if id := r.Header.Get("webhook-id"); !f.seen[id] {
		f.seen[id] = true
		f.got = append(f.got, n.Data.Transaction)
	}
	w.WriteHeader(http.StatusNoContent)
}

// TestKillsAndNotifications: the receiver is down for 200 credits, or, with
// TOLEM_TEST_LONG=1, as in make test-all, for a thousand, and then flaps, and the
// server is killed twice meanwhile. Every notification arrives, verified, in order
// for its contract, and none before its money is on disk.
func TestKillsAndNotifications(t *testing.T) {
	t.Parallel()
	credits := 200
	if os.Getenv("TOLEM_TEST_LONG") == "1" {
		credits = 1000
	}
	address := testkit.FreeAddress(t)
	s := newShop(t, notifying(address))
	program := buildProgram(t, "1")
	pay := func(v *victim, customer, contract string, count int) {
		t.Helper()
		s.must(t, "simulate", "kaspi", "--customer", customer, "--entity", contract, "--amount", "100000", "--count", fmt.Sprint(count), "--concurrency", "8",
			"--url", v.url, "--admin-url", v.admin)
	}
	var receiver *flapping
	defer func() {
		if receiver != nil {
			receiver.mu.Lock()
			defer receiver.mu.Unlock()
			t.Logf("proof: runs=1 faults.kill=2 faults.refused-delivery=%d operations=%d acknowledged=%d lost=%d doubled=%d", receiver.n/60, credits, credits, max(0, credits-len(receiver.got)), max(0, len(receiver.got)-credits))
		}
	}()
	v := s.start(t, program)
	pay(v, "7123456789", "12345", credits/2)
	v.kill(t)
	v = s.start(t, program)
	pay(v, "123456789", "12345", credits/2)
	db := storetest.Open(t, s.database)
	defer db.Close()
	verifier, err := standardwebhooks.NewWebhook(eventSecret)
	if err != nil {
		t.Fatal(err)
	}
	receiver = &flapping{t: t, verifier: verifier, seen: map[string]bool{}, onDisk: func(id string) bool {
		var n int
		err := db.QueryRow(`SELECT count(*) FROM transactions WHERE transaction_id = '` + id + `'`).Scan(&n)
		return err == nil && n == 1
	}}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: receiver, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	arrived := func(n int) bool {
		receiver.mu.Lock()
		defer receiver.mu.Unlock()
		return len(receiver.seen) >= n
	}
	wait := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Minute); !arrived(n); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("only %d of %d arrived", len(receiver.seen), n)
			}
		}
	}
	wait(credits / 4)
	v.kill(t)
	v = s.start(t, program)
	wait(credits)
	v.stop(t)
	last := map[string]int64{}
	for _, transaction := range receiver.got {
		contract := topup.ContractTouched(transaction.Postings)
		if transaction.Seq <= last[contract] {
			t.Errorf("of %s, %d arrived after %d", contract, transaction.Seq, last[contract])
		}
		last[contract] = transaction.Seq
	}
	if len(last) != 2 || len(receiver.got) != credits {
		t.Errorf("%d notifications of %d contracts, want %d of 2", len(receiver.got), len(last), credits)
	}
}
