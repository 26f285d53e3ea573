package commands_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tolem/platform"
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
)

// watched is a server in a process of its own, whose log the test reads.
type watched struct {
	process *exec.Cmd
	client  *platform.Client
	admin   string
	lines   *logLines
	ended   chan error
}

// watch starts a server on the shop's database and waits until it serves.
func (s *shop) watch(t *testing.T, program string) *watched {
	t.Helper()
	w := &watched{process: exec.Command(program, "serve", "--config", s.config), lines: newLogLines(), ended: make(chan error, 1)}
	w.process.Env, w.process.Stderr = environment(s.env...), w.lines
	if err := w.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		w.ended <- w.process.Wait()
		w.lines.close()
	}()
	t.Cleanup(func() { _ = w.process.Process.Kill() })
	ready, ok := w.lines.wait("serving")
	if !ok {
		t.Fatalf("the server ended instead of serving:\n%s", w.lines)
	}
	client, err := platform.NewClient("http://"+ready["listen"].(string), platform.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.client, w.admin = client, "http://"+ready["admin_listen"].(string)
	return w
}

// kill is kill -9. It returns when the process is gone.
func (w *watched) kill(t *testing.T) {
	t.Helper()
	if err := w.process.Process.Kill(); err != nil {
		t.Error(err)
	}
	<-w.ended
}

// interrupt lets the server drain, and returns how it ended.
func (w *watched) interrupt(t *testing.T) error {
	t.Helper()
	if err := w.process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	return <-w.ended
}

// paidBy is the success callback of a payment that was issued a moment ago.
func (w *watched) pay(t *testing.T, operation int64) (paymentID string, callback []byte) {
	t.Helper()
	deposit, err := demoProject(t).CheckDeposit(platform.Deposit{CustomerID: "123456789", EntityID: "12345", Money: tenge(10000)})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := w.client.Post(context.Background(), platform.Path, deposit)
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("check_deposit: %d %s, %v", answer.Status, answer.Body, err)
	}
	paymentID = decode[struct {
		PaymentID string `json:"payment_id"`
	}](t, string(answer.Body)).PaymentID
	callback, err = demoProject(t).Callback(platform.NewCallback(platform.OutcomeSuccess, paymentID, operation, tenge(10000), time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	return paymentID, callback
}

func (w *watched) post(t *testing.T, body []byte) int {
	t.Helper()
	answer, err := w.client.Post(context.Background(), platform.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// overwrite writes into the file as cp does: the file stays the same one.
func overwrite(t *testing.T, file, with string) {
	t.Helper()
	content, err := os.ReadFile(with)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// filesLost are the ways in which a database gets lost under a server. The first
// payment is acknowledged before the copies are made, the second after that.
var filesLost = []struct {
	name    string
	lose    func(t *testing.T, db, aside, backup, raw string)
	restore func(t *testing.T, db, aside string) // what the log line says to do
	want    string                               // in the log
	both    bool                                 // whether the second payment can be kept at all
}{
	{
		"moved away with its WAL",
		func(t *testing.T, db, aside, _, _ string) {
			for _, end := range []string{"-shm", "-wal", ""} {
				move(t, db+end, aside+end)
			}
		},
		func(t *testing.T, db, aside string) { move(t, aside, db) }, // the WAL was copied into it
		"was moved or removed", true,
	},
	{
		"moved away without its WAL, and a backup in its place",
		func(t *testing.T, db, aside, backup, _ string) {
			move(t, db, aside)
			move(t, backup, db)
		},
		func(t *testing.T, db, aside string) { move(t, aside, db) },
		"is another one than the server has open", true,
	},
	{
		"replaced by a backup, so that it has no name any more",
		func(t *testing.T, db, _, backup, _ string) { move(t, backup, db) },
		func(t *testing.T, db, _ string) {
			saved, err := filepath.Glob(db + ".saved-*")
			if err != nil || len(saved) != 1 {
				t.Fatalf("saved: %v, %v", saved, err)
			}
			move(t, saved[0], db)
		},
		"is another one than the server has open", true,
	},
	{
		"its WAL removed",
		func(t *testing.T, db, _, _, _ string) {
			if err := os.Remove(db + "-wal"); err != nil {
				t.Fatal(err)
			}
		},
		nil, "-wal, which the server has open, was moved or removed", true,
	},
	{
		"the index of its WAL removed",
		func(t *testing.T, db, _, _, _ string) {
			if err := os.Remove(db + "-shm"); err != nil {
				t.Fatal(err)
			}
		},
		nil, "-shm, which the server has open, was moved or removed", true,
	},
	{
		"a backup copied over it",
		func(t *testing.T, db, _, backup, _ string) { overwrite(t, db, backup) },
		nil, "was overwritten", false,
	},
	{
		"an older copy of itself copied over it",
		func(t *testing.T, db, _, _, raw string) { overwrite(t, db, raw) },
		nil, "was overwritten", false,
	},
}

// TestNothingIsAcknowledgedOnceTheDatabaseFileIsNotTheOneThatIsOpen loses the
// database under a server in each way, once before a callback and once while
// nothing comes.
func TestNothingIsAcknowledgedOnceTheDatabaseFileIsNotTheOneThatIsOpen(t *testing.T) {
	storetest.OnlySQLite(t, "its files are the server's")
	if testing.Short() {
		t.Skip("builds and kills real servers")
	}
	t.Parallel()
	for _, build := range []string{"0", "1"} {
		if build == "1" {
			need(t, "gcc")
		}
		program := buildProgram(t, build)
		for _, tc := range filesLost {
			t.Run(fmt.Sprintf("cgo %s/%s", build, tc.name), func(t *testing.T) {
				s := newShop(t)
				db, folder := s.database.Path, t.TempDir()
				aside, backup, raw := filepath.Join(folder, "aside.db"), filepath.Join(filepath.Dir(db), "backup"), filepath.Join(folder, "raw")
				w := s.watch(t, program)
				first, callback := w.pay(t, 1)
				if status := w.post(t, callback); status != http.StatusOK {
					t.Fatalf("the first callback: %d", status)
				}
				copied := exec.Command(program, "backup", backup, "--config", s.config)
				copied.Env = environment(s.env...)
				if out, err := copied.CombinedOutput(); err != nil {
					t.Fatalf("backup: %v\n%s", err, out)
				}
				// A copy without the WAL beside it holds what a checkpoint has brought into the file.
				testkit.Eventually(t, "the first payment's credit is in the file itself", func() bool {
					overwrite(t, raw, db)
					return creditedIn(t, raw, first)
				})
				second, callback := w.pay(t, 2)
				if status := w.post(t, callback); status != http.StatusOK {
					t.Fatalf("the second callback: %d", status)
				}
				if !tc.both {
					testkit.Eventually(t, "the second payment is in the file itself", func() bool { return inFile(t, db, second) })
				}
				_, callback = w.pay(t, 3)

				tc.lose(t, db, aside, backup, raw)
				if status := w.post(t, callback); status != http.StatusServiceUnavailable {
					t.Errorf("a callback: %d, want 503", status)
				}
				if status, body := testkit.Get(t, w.admin+"/readyz"); status != http.StatusServiceUnavailable {
					t.Errorf("readyz: %d %s, want 503", status, body)
				}
				line, ok := w.lines.wait("the database file")
				if !ok || line["level"] != "error" {
					t.Fatalf("the log has no line about it:\n%s", w.lines)
				}
				contains(t, "the log", line["error"].(string), tc.want, "start it")
				if verify, err := demoProject(t).Verify("123456789"); err != nil || w.post(t, verify) != http.StatusServiceUnavailable {
					t.Errorf("a verify was answered, %v", err)
				}
				if ended := (*exec.ExitError)(nil); !errors.As(w.interrupt(t), &ended) || ended.ExitCode() != 1 {
					t.Errorf("the server ended with %v, want exit code 1", ended)
				}

				if tc.restore != nil {
					tc.restore(t, db, aside)
				}
				again := s.watch(t, program)
				_, credits := s.booked(t)
				if credits[first] != 1 || (tc.both && credits[second] != 1) {
					t.Errorf("acknowledged were %s and %s, credited are %v", first, second, credits)
				}
				if status := again.post(t, callback); status != http.StatusOK {
					t.Errorf("the callback after the restart: %d", status)
				}
				s.checkLedger(t, program)
				if err := again.interrupt(t); err != nil {
					t.Error(err)
				}
				s.checkLedger(t, program)
			})
		}
	}
}

// TestARemovedWALIsSavedBeforeTheServerIsKilled: what was acknowledged is in the
// removed file alone, and nobody sends anything that would let it be noticed.
func TestARemovedWALIsSavedBeforeTheServerIsKilled(t *testing.T) {
	storetest.OnlySQLite(t, "its files are the server's")
	if testing.Short() {
		t.Skip("builds and kills real servers")
	}
	t.Parallel()
	for _, build := range []string{"0", "1"} {
		if build == "1" {
			need(t, "gcc")
		}
		program := buildProgram(t, build)
		t.Run("cgo "+build, func(t *testing.T) {
			s := newShop(t)
			w := s.watch(t, program)
			id, callback := w.pay(t, 1)
			if status := w.post(t, callback); status != http.StatusOK {
				t.Fatalf("got %d", status)
			}
			if err := os.Remove(s.database.Path + "-wal"); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "the log says what was saved", func() bool { return strings.Contains(w.lines.String(), "nothing is lost") })
			w.kill(t)
			s.watch(t, program)
			if _, credits := s.booked(t); credits[id] != 1 {
				t.Errorf("the acknowledged payment %s is lost: %v", id, credits)
			}
			s.checkLedger(t, program)
		})
	}
}

// inFile reports whether the database's main file has a payment, without its WAL.
// creditedIn reports whether a copy of a database has the payment's credit.
func creditedIn(t *testing.T, copied, paymentID string) bool {
	t.Helper()
	db := storetest.Open(t, store.Options{Path: copied})
	defer db.Close()
	var credited, entries int
	err := db.QueryRow(`SELECT count(p.credit_seq), (SELECT count(*) FROM entries) FROM payments p WHERE p.payment_id = ?`, paymentID).Scan(&credited, &entries)
	if err == nil {
		err = db.Close()
	}
	for _, end := range []string{"-wal", "-shm"} { // of this look alone
		_ = os.Remove(copied + end)
	}
	return err == nil && credited == 1 && entries > 0
}

func inFile(t *testing.T, db, paymentID string) bool {
	t.Helper()
	content, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(content), paymentID)
}
