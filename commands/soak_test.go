package commands_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"tolem/platform"
	"tolem/testkit"
)

// metric asks a running server for a metric without labels.
func metric(t *testing.T, admin, name string) int {
	t.Helper()
	response, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
	}
	t.Fatalf("the server has no metric %s", name)
	return 0
}

// TestTrafficLeavesNothingOpen is the soak (make soak) in little: after each
// burst of top-ups over many connections the server comes back to the goroutines
// and open files that it had before the first.
func TestTrafficLeavesNothingOpen(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a real server")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the metric process_open_fds is Linux's")
	}
	const (
		bursts, topUps, payers = 4, 400, 32
		slack                  = 16 // half of a burst's connections; a pool may open a few
	)
	s := newShop(t)
	admin := testkit.FreeAddress(t)
	s.env = append(s.env, "TOLEM_ADMIN__LISTEN="+admin)
	v := s.start(t, buildProgram(t, "0"))
	files, goroutines := metric(t, admin, "process_open_fds"), metric(t, admin, "go_goroutines")
	player := platform.Player{Client: v.client, Project: demoProject(t), Now: time.Now, Random: rand.Reader}
	for burst := range bursts {
		summary, err := player.Load(t.Context(), platform.LoadOptions{
			Count: topUps, Concurrency: payers,
			TopUp: platform.TopUp{CustomerID: "123456789", EntityID: "12345", Amount: 10000, Currency: "KZT", Outcome: platform.OutcomeSuccess},
		})
		if err != nil || summary.Done != topUps {
			t.Fatalf("burst %d: %d of %d top-ups are done, %v, %v", burst, summary.Done, topUps, summary.Errors, err)
		}
		v.client.Close()
		waitForAtMost(t, admin, "process_open_fds", files+slack)
		waitForAtMost(t, admin, "go_goroutines", goroutines+slack)
	}
	v.stop(t)
	if _, credits := s.booked(t); len(credits) != bursts*topUps {
		t.Errorf("%d payments are credited, want %d", len(credits), bursts*topUps)
	}
}

func waitForAtMost(t *testing.T, admin, name string, most int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Minute)
	for n := metric(t, admin, name); n > most; n = metric(t, admin, name) {
		if time.Now().After(deadline) {
			t.Fatalf("%s stays at %d, want at most %d", name, n, most)
		}
	}
}
