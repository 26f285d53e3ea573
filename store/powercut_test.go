//go:build linux

package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/storetest"
	"tolem/storetest/powercut"
	"tolem/topup"
	"tolem/view"
)

const (
	// powercutMode is FULL or NORMAL, in the process that is recorded.
	powercutMode = "TOLEM_TEST_POWERCUT_MODE"
	// powercutReplay names a record that a failure has left, and powercutSeed what it
	// printed.
	powercutReplay = "TOLEM_TEST_POWERCUT_REPLAY"
	powercutSeed   = "TOLEM_TEST_SEED"
)

// promise is what the process under test says: what it is about to send, and what
// the store has acknowledged.
type promise struct {
	Kind        string
	Payment     string `json:",omitempty"`
	Operation   string `json:",omitempty"`
	Transaction string `json:",omitempty"`
	Account     string `json:",omitempty"`
	Version     int    `json:",omitempty"`
}

// TestPowerCut: whenever the power fails, and whatever of the unsynced writes the
// disk had taken, what was acknowledged is in the books, once, and the books are
// sound. A store whose commits are not synced, and disks that ignore syncs, are seen
// to break that.
func TestPowerCut(t *testing.T) {
	if os.Getenv(powercutMode) != "" {
		serveUntilThePowerFails(t)
		return
	}
	if onPostgres {
		t.Skip("its disk is its own")
	}
	seed := rand.Uint64()
	if given := os.Getenv(powercutSeed); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	cuts := 200
	switch {
	case raceDetector:
		cuts = 20
	case os.Getenv("TOLEM_TEST_LONG") != "":
		cuts = 3000
	case testing.Short():
		cuts = 20
	}
	t.Run("LosesNothingThatWasAcknowledged", func(t *testing.T) {
		name := os.Getenv(powercutReplay)
		if name == "" {
			name = recorded(t, "FULL")
		}
		r := cutPower(t, mustDisk(t, name), cuts, seed)
		for _, wrong := range slices.Concat(r.lost, r.doubled, r.broken) {
			t.Error(wrong)
		}
		if t.Failed() {
			t.Logf("again: %s=%d %s=%s go test -count=1 -run '^TestPowerCut$' ./store", powercutSeed, seed, powercutReplay, kept(t, name))
		}
		if r.acknowledged == 0 {
			t.Error("nothing was acknowledged before any of the cuts")
		}
		t.Logf("seed %d: %s", seed, r)
		t.Logf("proof: runs=%d faults.power-failure=%d operations=%d acknowledged=%d lost=%d doubled=%d",
			1, r.cuts, r.operations, r.acknowledged, len(r.lost), len(r.doubled))
	})
	// What follows must break the promise, or else this test could not see it broken.
	// The seeds are fixed.
	t.Run("SeesCommitsThatAreNotSynced", func(t *testing.T) {
		r := cutPower(t, mustDisk(t, recorded(t, "NORMAL")), 20, 1)
		if len(r.lost) == 0 {
			t.Errorf("with synchronous = NORMAL nothing was lost: %s", r)
		}
		if len(r.broken) > 0 {
			t.Errorf("NORMAL loses commits, and damages nothing:\n%s", strings.Join(r.broken, "\n"))
		}
		t.Log(r)
	})
	t.Run("SeesADiskThatIgnoresSyncs", func(t *testing.T) {
		disk := mustDisk(t, recorded(t, "FULL"))
		for _, name := range []string{"tolem.db-wal", "tolem.db", "."} {
			lying := disk.Again()
			lying.Lie(name)
			r := cutPower(t, lying, 10, 1)
			if len(r.lost)+len(r.broken) == 0 {
				t.Errorf("the disk ignores syncs of %s, and nothing was lost: %s", name, r)
			}
			t.Logf("syncs of %s ignored: %s", name, r)
		}
	})
}

// kept moves a record to where it outlives the test.
func kept(t *testing.T, name string) string {
	t.Helper()
	file, err := os.CreateTemp("", "powercut-*.record")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(name)
	if err == nil {
		_, err = file.Write(content)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

func mustDisk(t *testing.T, name string) *powercut.Disk {
	t.Helper()
	disk, err := powercut.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return disk
}

// recorded lets a store work on a new database in a process of its own, and returns
// the record of its disk.
func recorded(t *testing.T, mode string) string {
	t.Helper()
	folder, log := filepath.Join(t.TempDir(), "database"), filepath.Join(t.TempDir(), "record")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	variables := []string{powercutMode + "=" + mode, powercut.FolderVariable + "=" + folder, powercut.LogVariable + "=" + log}
	if powercut.NeedsLibrary {
		library, err := powercut.Library(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		variables = append(variables, "LD_PRELOAD="+library)
	}
	top, _, _ := strings.Cut(t.Name(), "/")
	childOfTest(t, top, variables...)
	return log
}

// serveUntilThePowerFails does what a server's store does, and says what it has been
// acknowledged.
func serveUntilThePowerFails(t *testing.T) {
	log, err := powercut.Append()
	if err != nil {
		t.Fatal(err)
	}
	if err := powercut.Record(); err != nil && !powercut.NeedsLibrary {
		t.Fatal(err)
	}
	store.CheckpointOften(t)
	say := func(p promise) {
		text, err := json.Marshal(p)
		if err == nil {
			err = log.Say(text)
		}
		if err != nil {
			t.Error(err)
		}
	}
	s, err := store.Open(context.Background(), powercutStore(filepath.Join(os.Getenv(powercut.FolderVariable), "tolem.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.SetEndpoints(context.Background(), []store.Endpoint{{Name: "billing"}}); err != nil {
		t.Fatal(err)
	}
	if os.Getenv(powercutMode) == "NORMAL" {
		if err := s.SetPragma(context.Background(), "synchronous = NORMAL"); err != nil {
			t.Fatal(err)
		}
	}
	mustAccounts(t, s)
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			for i := range 25 {
				payOnce(t, s, say, fmt.Sprint(1000*(n+1)+i), i)
			}
		})
	}
	if os.Getenv(powercutMode) == "NORMAL" {
		all.Wait() // with C, what puts off writes to the WAL until the sync is not made for readers then
		return
	}
	all.Go(func() {
		for version := 1; version <= 40; version++ {
			account := &topup.Account{CustomerID: "7222222222", AdditionalCustomerID: "D", Currency: "KZT", Contracts: []topup.Contract{{ID: "1", Number: fmt.Sprint(version)}}}
			if _, err := s.PutAccount(context.Background(), account); err != nil {
				t.Error(err)
				return
			}
			say(promise{Kind: "put", Account: account.CustomerID, Version: version})
		}
	})
	all.Go(func() {
		for version := 1; version <= 5; version++ {
			mustImport(t, s, store.ImportOptions{Actor: "op"}, jsonl(manyLines(200, fmt.Sprint("v", version))...))
			say(promise{Kind: "imported", Version: version})
		}
	})
	all.Wait()
}

func powercutStore(path string) store.Options {
	return store.Options{Path: path, Exclusive: true, NotificationBody: view.NotificationBody}
}

// payOnce is a payment with what may follow it.
func payOnce(t *testing.T, s *store.Store, say func(promise), operation string, i int) {
	ctx := context.Background()
	id, err := s.Issue(ctx, store.NewPayment{
		Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "12345", ContractNumber: "A-1",
		Money: hundred, Method: "terminal/kaspi", ExpiresAfter: 288 * time.Hour,
	})
	if err != nil {
		t.Error(err)
		return
	}
	say(promise{Kind: "issued", Payment: id})
	steps := os.Getenv(powercutMode) == "FULL"
	if steps && i%7 == 3 { // the platform's message is on its way still
		made, err := s.CreditPayment(ctx, id, store.By{Actor: "op", Reason: "seen on the statement"})
		if err != nil {
			t.Error(err)
			return
		}
		say(promise{Kind: "step", Payment: id, Transaction: made.ID})
	}
	for range 1 + i%2 { // every other message arrives twice
		say(promise{Kind: "sent", Payment: id, Operation: operation})
		if _, err := s.Record(ctx, paid(id, operation), []byte(`{"raw":1}`)); err != nil {
			t.Error(err)
			return
		}
		say(promise{Kind: "credited", Payment: id, Operation: operation})
	}
	if steps && i%5 == 4 {
		made, err := s.RefundPayment(ctx, id, topup.RefundRequest{PayBack: topup.PayBack{Amount: 3000, Operation: topup.NoOperation, From: topup.FromSettlement}}, store.By{Actor: "op", Reason: "asked for"})
		if err != nil {
			t.Error(err)
			return
		}
		say(promise{Kind: "step", Payment: id, Transaction: made.ID})
	}
}

// cutReport is what came of the cuts.
type cutReport struct {
	mu                   sync.Mutex
	steps, writes, syncs int
	// Summed over all cuts. An operation is known when it was sent or, of a kind that is
	// not sent, when it was acknowledged.
	operations, acknowledged int
	cuts                     int
	fates                    map[powercut.Fate]int
	lost, doubled, broken    []string
}

func (r *cutReport) String() string {
	return fmt.Sprintf("%d cuts in %d steps (%d writes, %d syncs); files with unsynced writes %v; %d acknowledgements compared, %d lost, %d doubled, %d books broken",
		r.cuts, r.steps, r.writes, r.syncs, r.fates, r.acknowledged, len(r.lost), len(r.doubled), len(r.broken))
}

// cutPower cuts the power at random moments, and looks at what is left.
func cutPower(t *testing.T, disk *powercut.Disk, cuts int, seed uint64) *cutReport {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	r := &cutReport{cuts: cuts, steps: disk.Steps(), fates: map[powercut.Fate]int{}}
	r.writes, r.syncs = disk.Counts()
	moments := make([]int, cuts)
	for i := range moments {
		moments[i] = 1 + random.IntN(disk.Steps())
	}
	slices.Sort(moments)
	var checks sync.WaitGroup
	room := make(chan struct{}, 2)
	for _, moment := range moments {
		disk.Advance(moment)
		folder := t.TempDir()
		met, err := disk.Cut(folder, random)
		if err != nil {
			t.Fatal(err)
		}
		for _, fate := range met {
			r.fates[fate]++
		}
		said := slices.Clone(disk.Said())
		room <- struct{}{}
		checks.Go(func() {
			defer func() { <-room }()
			if err := r.compare(t, folder, said); err != nil {
				r.add(&r.broken, fmt.Sprintf("power cut before step %d of %d: %v", moment, disk.Steps(), err))
			}
			if err := os.RemoveAll(folder); err != nil {
				t.Error(err)
			}
		})
	}
	checks.Wait()
	return r
}

func (r *cutReport) add(list *[]string, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*list = append(*list, text)
}

// compare opens the store on what is left and holds it against what was said. Then
// the platform sends again what it had sent last.
func (r *cutReport) compare(t *testing.T, folder string, said [][]byte) (err error) {
	var promises []promise
	operations, acknowledged := 0, 0
	for _, text := range said {
		var p promise
		if err := json.Unmarshal(text, &p); err != nil {
			return err
		}
		promises = append(promises, p)
		if p.Kind != "sent" {
			acknowledged++
		}
		if p.Kind != "credited" {
			operations++
		}
	}
	r.mu.Lock()
	r.operations, r.acknowledged = r.operations+operations, r.acknowledged+acknowledged
	r.mu.Unlock()
	ctx := context.Background()
	s, err := store.Open(ctx, powercutStore(filepath.Join(folder, "tolem.db")))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	left, err := readBooks(t, s)
	if err != nil {
		return err
	}
	for _, p := range promises {
		if p.Kind != "sent" && !left.has(p) {
			r.add(&r.lost, fmt.Sprintf("lost: %+v", p))
		}
	}
	r.once(left)
	sent := slices.DeleteFunc(promises, func(p promise) bool { return p.Kind != "sent" })
	again := sent[max(0, len(sent)-8):]
	for _, p := range again {
		if _, err := s.Record(ctx, paid(p.Payment, p.Operation), []byte(`{"raw":1}`)); err != nil {
			return fmt.Errorf("operation %s again: %w", p.Operation, err)
		}
	}
	if left, err = readBooks(t, s); err != nil {
		return err
	}
	for _, p := range again {
		if left.credits[p.Payment] == 0 {
			r.add(&r.lost, fmt.Sprintf("not credited when it is sent again: %+v", p))
		}
	}
	r.once(left)
	return soundBooks(ctx, s)
}

func (r *cutReport) once(left *books) {
	for payment, n := range left.credits {
		if n > 1 {
			r.add(&r.doubled, fmt.Sprintf("payment %s is credited %d times", payment, n))
		}
	}
}

func soundBooks(ctx context.Context, s *store.Store) error {
	report, err := s.Check(ctx)
	if err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return fmt.Errorf("ledger check: %v", report.Problems)
	}
	return nil
}

// books is what a connection of its own reads.
type books struct {
	payments, transactions map[string]bool
	credits, versions      map[string]int
}

func readBooks(t *testing.T, s *store.Store) (*books, error) {
	db := storetest.Open(t, store.Options{Path: s.Path()})
	defer db.Close()
	b := &books{map[string]bool{}, map[string]bool{}, map[string]int{}, map[string]int{}}
	read := func(query string, each func(key string, n int)) error {
		rows, err := db.Query(query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var key string
			var n int
			if err := rows.Scan(&key, &n); err != nil {
				return err
			}
			each(key, n)
		}
		return rows.Err()
	}
	imported := map[int]int{}
	err := errors.Join(
		read(`SELECT payment_id, 0 FROM payments`, func(id string, _ int) { b.payments[id] = true }),
		read(`SELECT transaction_id, 0 FROM transactions`, func(id string, _ int) { b.transactions[id] = true }),
		read(`SELECT t.payment_id, count(*) FROM transactions t JOIN entries e ON e.seq = t.seq JOIN ledger_accounts a ON a.id = e.account_id
			WHERE a.name LIKE 'customers:%' AND e.amount < 0 GROUP BY 1`, func(id string, n int) { b.credits[id] = n }),
		read(`SELECT t.transaction_id, count(v.id) FROM transactions t LEFT JOIN events v ON v.seq = t.seq GROUP BY 1`, func(id string, n int) { b.versions["event "+id] = n }),
	)
	if err != nil {
		return nil, err
	}
	accounts, err := s.AccountsPage(context.Background(), "", 1000)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		newest := 0
		for _, c := range a.Contracts {
			number, _ := strings.CutPrefix(c.ID, "v")
			version, err := strconv.Atoi(number)
			if err == nil && number != c.ID {
				newest = max(newest, version)
			}
		}
		if newest > 0 {
			imported[newest]++
			b.versions["imported"] = newest
		} else if a.CustomerID == "7222222222" {
			if b.versions[a.CustomerID], err = strconv.Atoi(a.Contracts[0].Number); err != nil {
				return nil, err
			}
		}
	}
	if len(imported) > 1 {
		return nil, fmt.Errorf("accounts of several imports: %v", imported)
	}
	return b, nil
}

func (b *books) has(p promise) bool {
	switch p.Kind {
	case "issued":
		return b.payments[p.Payment]
	case "credited":
		return b.credits[p.Payment] > 0
	case "step":
		return b.transactions[p.Transaction] && b.versions["event "+p.Transaction] == 1
	case "put":
		return b.versions[p.Account] >= p.Version
	case "imported":
		return b.versions["imported"] >= p.Version
	}
	return false
}
