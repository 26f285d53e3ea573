package commands_test

import (
	"bufio"
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/platform"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
)

const (
	kills  = 6  // how often a server is killed under load
	payers = 16 // how many top up at the same time
)

// builds are the real program's, each made once for all tests: linking it takes
// seconds.
var builds struct {
	mu     sync.Mutex
	folder string
	made   map[string]string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := os.RemoveAll(builds.folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// buildProgram builds the real program. With CGO_ENABLED=1 it has the C
// SQLite, with 0 the pure Go one.
func buildProgram(t *testing.T, cgo string) string {
	t.Helper()
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if program, made := builds.made[cgo]; made {
		return program
	}
	if builds.folder == "" {
		folder, err := os.MkdirTemp("", "tolem-builds-")
		if err != nil {
			t.Fatal(err)
		}
		builds.folder, builds.made = folder, make(map[string]string)
	}
	program := filepath.Join(builds.folder, "tolem-cgo-"+cgo)
	command := exec.Command("go", "build", "-o", program, "tolem")
	command.Env = environment("CGO_ENABLED=" + cgo)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build with CGO_ENABLED=%s: %v\n%s", cgo, err, out)
	}
	builds.made[cgo] = program
	return program
}

// eachBuild runs a test with either build, and with both in turns on one file.
// On PostgreSQL the builds do not differ.
func eachBuild(t *testing.T, test func(t *testing.T, programs ...string)) {
	if testing.Short() {
		t.Skip("builds and kills real servers")
	}
	pure := buildProgram(t, "0")
	if storetest.OnPostgres() {
		test(t, pure)
		return
	}
	t.Run("pure Go SQLite", func(t *testing.T) { test(t, pure) })
	need(t, "gcc")
	c := buildProgram(t, "1")
	t.Run("C SQLite", func(t *testing.T) { test(t, c) })
	t.Run("in turns", func(t *testing.T) { test(t, pure, c) })
}

// victim is a server in a process of its own, to be killed.
type victim struct {
	process *exec.Cmd
	client  *platform.Client
	url     string   // of the public listener
	admin   string   // URL
	late    chan int // gets what answeredLate says when the server is gone
}

// start starts a server on the shop's database and waits until it serves.
func (s *shop) start(t *testing.T, program string, env ...string) *victim {
	t.Helper()
	process := exec.Command(program, "serve", "--config", s.config)
	process.Env = environment(append(env, s.env...)...)
	said, err := process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill() }) // in case the test ends early
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		var line struct {
			Msg, Listen string
			Admin       string `json:"admin_listen"`
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Msg != "serving" {
			continue
		}
		late := make(chan int, 1)
		go func() {
			late <- answeredLate(lines)
			_, _ = io.Copy(io.Discard, said) // behind a line that is too long
		}()
		client, err := platform.NewClient("http://"+line.Listen, platform.ClientOptions{Connections: 256})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return &victim{process, client, "http://" + line.Listen, "http://" + line.Admin, late}
	}
	t.Fatalf("the server ended instead of serving: %v", process.Wait())
	return nil
}

// answeredLate reads a server's log to its end and counts the messages that were
// done after it had begun to drain: they were under way when it was asked to
// stop.
func answeredLate(log *bufio.Scanner) (n int) {
	draining := false
	for log.Scan() {
		line := log.Bytes()
		draining = draining || bytes.Contains(line, []byte(`"msg":"draining"`))
		if draining && bytes.Contains(line, []byte(`"msg":"request"`)) && bytes.Contains(line, []byte(`"status":200`)) {
			n++
		}
	}
	return n
}

// kill is kill -9. It returns when the process is gone.
func (v *victim) kill(t *testing.T) {
	t.Helper()
	if err := v.process.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := v.process.Wait(); err == nil {
		t.Error("the killed server ended by itself")
	}
}

// stop lets the server drain.
func (v *victim) stop(t *testing.T) {
	t.Helper()
	if err := v.process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := v.process.Wait(); err != nil {
		t.Errorf("the server ended with %v, want exit code 0", err)
	}
}

// sent is a message of the platform's, and what it knows about it.
type sent struct {
	body      []byte
	callback  bool
	success   bool   // a callback that says that money has moved
	paymentID string // of a callback, as what follows
	operation int64
	money     topup.Money
	acked     bool
}

// memory is what the platform remembers across the server's deaths.
type memory struct {
	mu     sync.Mutex
	sent   []*sent
	issued []string // every id that a check_deposit was answered with
	acks   int      // in this life of the server

	lost, doubled int // of what was acknowledged: not booked, and booked more than once
}

// proof is the line that make proof reads.
func (m *memory) proof(faults map[string]int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	acknowledged := 0
	for _, s := range m.sent {
		if s.acked {
			acknowledged++
		}
	}
	line := "proof: runs=1"
	for _, fault := range slices.Sorted(maps.Keys(faults)) {
		line += fmt.Sprintf(" faults.%s=%d", fault, faults[fault])
	}
	return line + fmt.Sprintf(" operations=%d acknowledged=%d lost=%d doubled=%d", len(m.sent), acknowledged, m.lost, m.doubled)
}

func (m *memory) add(s *sent) *sent {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, s)
	return s
}

// acknowledged notes that an answer was read, and calls enough when it was the
// last one before the kill, or came after that.
func (m *memory) acknowledged(s *sent, issued string, last int, enough func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.acked = true
	if issued != "" {
		m.issued = append(m.issued, issued)
	}
	if m.acks++; last > 0 && m.acks >= last {
		enough()
	}
}

// toResend are the messages that the platform sends again: every callback,
// acknowledged or not, and the deposits of which it has heard nothing.
func (m *memory) toResend() []*sent {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acks = 0
	var list []*sent
	for _, s := range m.sent {
		if s.callback || !s.acked {
			list = append(list, s)
		}
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// storm is one life of a server: the platform resends all it has ever sent and
// goes on topping up, until the server is killed.
type storm struct {
	memory  *memory
	project platform.Project
	client  *platform.Client
	last    int    // the acknowledgement after which to kill; 0: never
	kill    func() // called at that acknowledgement and later ones
	resend  chan *sent
	more    bool // go on with new top-ups
}

// post sends a message and takes note of the answer. An error means that the
// server is dead.
func (s *storm) post(ctx context.Context, m *sent) (paymentID string, err error) {
	answer, err := s.client.Post(ctx, platform.Path, m.body)
	if err != nil {
		return "", err
	}
	var said struct {
		Code      *int
		PaymentID string `json:"payment_id"`
	}
	if err := json.Unmarshal(answer.Body, &said); err != nil || answer.Status != http.StatusOK || said.Code == nil || *said.Code != 0 {
		return "", fmt.Errorf("%w: HTTP %d %s", errRefused, answer.Status, answer.Body)
	}
	s.memory.acknowledged(m, said.PaymentID, s.last, s.kill)
	return said.PaymentID, nil
}

var errRefused = errors.New("refused")

func (s *storm) topUp(ctx context.Context, random *rand.Rand) error {
	verify, err := s.project.Verify("123456789")
	if err != nil {
		return err
	}
	if _, err := s.client.Post(ctx, platform.Path, verify); err != nil {
		return err
	}
	money := tenge(1 + random.Int64N(1_000_000))
	body, err := s.project.CheckDeposit(platform.Deposit{CustomerID: "123456789", EntityID: "12345", Money: money})
	if err != nil {
		return err
	}
	id, err := s.post(ctx, s.memory.add(&sent{body: body}))
	if err != nil {
		return err
	}
	operation, err := platform.OperationID(crand.Reader)
	if err != nil {
		return err
	}
	outcome := platform.OutcomeSuccess
	if random.IntN(5) == 0 {
		outcome = platform.OutcomeDecline
	}
	body, err = s.project.Callback(platform.NewCallback(outcome, id, operation, money, time.Now()))
	if err != nil {
		return err
	}
	_, err = s.post(ctx, s.memory.add(&sent{body: body, callback: true, success: outcome == platform.OutcomeSuccess, paymentID: id, operation: operation, money: money}))
	return err
}

// rage runs the storm until the server is dead or everything is sent. The
// error is not nil when the server said no while it lived.
func (s *storm) rage(ctx context.Context) error {
	list := s.memory.toResend()
	s.resend = make(chan *sent, len(list))
	for _, m := range list {
		s.resend <- m
	}
	close(s.resend)
	refused := make(chan error, payers)
	var all sync.WaitGroup
	for range payers {
		all.Go(func() {
			if err := s.pay(ctx); errors.Is(err, errRefused) || (err != nil && s.last == 0) {
				refused <- err
			}
		})
	}
	all.Wait()
	close(refused)
	return <-refused
}

func (s *storm) pay(ctx context.Context) error {
	for m := range s.resend {
		if _, err := s.post(ctx, m); err != nil {
			return err
		}
	}
	random := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for s.more {
		if err := s.topUp(ctx, random); err != nil {
			return err
		}
	}
	return nil
}

// creditedAll fails the test unless every payment of which a success was sent is
// credited, and no other; it returns how many they are.
func (m *memory) creditedAll(t *testing.T, s *shop) int {
	t.Helper()
	succeeded := 0
	for _, message := range m.sent {
		if message.success {
			succeeded++
		}
	}
	if _, credits := s.booked(t); len(credits) != succeeded || succeeded == 0 {
		t.Errorf("%d payments are credited, want the %d of which a callback was sent", len(credits), succeeded)
	}
	return succeeded
}

// compare holds what was acknowledged against what another connection reads
// from the database file.
func (m *memory) compare(t *testing.T, s *shop) {
	t.Helper()
	payments, credits := s.booked(t)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range m.issued {
		if !payments[id] {
			m.lost++
			t.Errorf("payment %s was issued to the platform and does not exist", id)
		}
	}
	for _, message := range m.sent {
		if message.success && message.acked && credits[message.paymentID] == 0 {
			m.lost++
			t.Errorf("payment %s: its callback was acknowledged and it is not credited", message.paymentID)
		}
	}
	for id, n := range credits {
		if n != 1 {
			m.doubled++
			t.Errorf("payment %s is credited %d times", id, n)
		}
	}
}

// booked reads the payments, and how often each is credited, on a connection
// that has nothing to do with the store.
func (s *shop) booked(t *testing.T) (payments map[string]bool, credits map[string]int) {
	t.Helper()
	db := storetest.Open(t, s.database)
	defer db.Close()
	payments, credits = map[string]bool{}, map[string]int{}
	rows, err := db.Query(`SELECT p.payment_id, (SELECT count(*) FROM transactions t JOIN entries e ON e.seq = t.seq
		JOIN ledger_accounts a ON a.id = e.account_id AND a.name LIKE 'customers:%' WHERE t.payment_id = p.payment_id) FROM payments p`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		payments[id] = true
		if n > 0 {
			credits[id] = n
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return payments, credits
}

// checkNotified verifies that each transaction that moves money of a contract has
// exactly one notification: both were written, or neither.
func (s *shop) checkNotified(t *testing.T) {
	t.Helper()
	db := storetest.Open(t, s.database)
	defer db.Close()
	var moved, wrong int
	err := db.QueryRow(`SELECT count(*), coalesce(sum(CASE WHEN n = 1 THEN 0 ELSE 1 END), 0) FROM (
		SELECT t.seq, (SELECT count(*) FROM events v WHERE v.seq = t.seq) AS n FROM transactions t
		WHERE EXISTS (SELECT 1 FROM entries e JOIN ledger_accounts a ON a.id = e.account_id WHERE e.seq = t.seq AND a.name LIKE 'customers:%')) x`).Scan(&moved, &wrong)
	if err != nil {
		t.Fatal(err)
	}
	if moved == 0 || wrong != 0 {
		t.Errorf("of %d transactions, %d have no notification, or several", moved, wrong)
	}
}

// checkLedger asks the program itself, in a process of its own.
func (s *shop) checkLedger(t *testing.T, program string) {
	t.Helper()
	command := exec.Command(program, "ledger", "check", "--config", s.config)
	command.Env = environment(s.env...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("ledger check: %v\n%s", err, out)
	}
}

// TestAcknowledgedIsBookedAcrossCrashes kills the server under load again and
// again. What was acknowledged must be there before anything is sent again;
// when everything has been sent again, it must be there once.
func TestAcknowledgedIsBookedAcrossCrashes(t *testing.T) {
	t.Parallel()
	eachBuild(t, func(t *testing.T, programs ...string) {
		s := newShop(t, notifying(testkit.FreeAddress(t)))
		m := &memory{}
		defer func() { t.Log(m.proof(map[string]int{"kill": kills})) }()
		for life := range kills {
			program := programs[life%len(programs)]
			v := s.start(t, program)
			m.compare(t, s)
			st := &storm{memory: m, project: demoProject(t), client: v.client, more: true, kill: sync.OnceFunc(func() { v.kill(t) })}
			st.last = 1 + rand.IntN(len(m.sent)+800) // among what is sent again, or later
			if err := st.rage(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		program := programs[kills%len(programs)]
		v := s.start(t, program)
		m.compare(t, s)
		st := &storm{memory: m, project: demoProject(t), client: v.client}
		if err := st.rage(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.checkLedger(t, program)
		v.stop(t)
		m.compare(t, s)
		s.checkLedger(t, program)
		succeeded := m.creditedAll(t, s)
		s.checkNotified(t)
		t.Logf("%d messages in %d lives, %d payments credited", len(m.sent), kills+1, succeeded)
	})
}

// TestTwoHundredCopiesOfOneCallbackAcrossRestartsCreditOnce posts all copies at
// once, kills the server among their answers, and does so again.
func TestTwoHundredCopiesOfOneCallbackAcrossRestartsCreditOnce(t *testing.T) {
	t.Parallel()
	const copies = 200
	eachBuild(t, func(t *testing.T, programs ...string) {
		s := newShop(t)
		callback, err := demoProject(t).Callback(platform.NewCallback(platform.OutcomeSuccess, "payment_47", 27, tenge(10000), time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		sum, lost, doubled := 0, 0, 0
		defer func() {
			t.Logf("proof: runs=1 faults.kill=%d faults.duplicate=%d operations=%d acknowledged=%d lost=%d doubled=%d", kills, (kills+1)*copies-1, (kills+1)*copies, sum, lost, doubled)
		}()
		for life := range kills + 1 {
			v := s.start(t, programs[life%len(programs)])
			last := rand.IntN(copies)
			if life == kills {
				last = -1 // the last one lives
			}
			acks := make(chan bool, copies)
			for range copies {
				go func() {
					answer, err := v.client.Post(t.Context(), platform.CallbackPath, callback)
					acks <- err == nil && answer.Status == http.StatusOK
				}()
			}
			acknowledged := 0
			for n := range copies {
				if n == last {
					v.kill(t)
				}
				if <-acks {
					acknowledged++
				}
			}
			_, credits := s.booked(t)
			sum += acknowledged
			doubled += max(0, credits["payment_47"]-1)
			if acknowledged > 0 && credits["payment_47"] == 0 {
				lost++
			}
			if credits["payment_47"] > 1 || (acknowledged > 0 && credits["payment_47"] != 1) {
				t.Fatalf("life %d: %d copies acknowledged, credited %d times", life, acknowledged, credits["payment_47"])
			}
			if life == kills {
				if acknowledged != copies {
					t.Errorf("the last server acknowledged %d of %d copies", acknowledged, copies)
				}
				v.stop(t)
			}
		}
		_, credits := s.booked(t)
		if credits["payment_47"] != 1 || len(credits) != 1 {
			t.Errorf("got credits %v, want one of payment_47", credits)
		}
		shown := exec.Command(programs[0], "accounts", "show", "123456789", "--config", s.config)
		out, err := shown.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "100.00 KZT") {
			t.Errorf("accounts show: %v\n%s\nwant 100.00 KZT credited", err, out)
		}
		s.checkLedger(t, programs[0])
	})
}
