package commands_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"tolem/platform"
	"tolem/testkit"
)

const (
	restarts = 3 // at least, and until as many messages were under way at one
	// mostRestarts bounds how often that is tried.
	mostRestarts = 30
	// trafficOfALife is how many messages a server acknowledges before it is
	// asked to stop.
	trafficOfALife = 300
	restartPayers  = 16
)

// poster posts a message, as a platform.Client does.
type poster interface {
	Post(ctx context.Context, path string, body []byte) (platform.Answer, error)
}

// traffic is a platform that goes on sending while servers come and go on one
// address. What was not acknowledged it sends again when the next server is
// there.
type traffic struct {
	t       *testing.T
	project platform.Project
	client  poster
	memory  memory

	mu      sync.Mutex
	next    chan struct{} // closed when the next server is there
	retried int
	lost    chan struct{} // told when somebody was not answered
	ending  bool
	late    int // messages that were under way when their server was asked to stop, and were done
}

// send posts a message until it is acknowledged, and returns the payment's id
// of an answer that has one.
func (f *traffic) send(ctx context.Context, m *sent) string {
	f.memory.add(m)
	for {
		f.mu.Lock()
		next := f.next
		f.mu.Unlock()
		answer, err := f.client.Post(ctx, platform.Path, m.body)
		if err == nil && answer.Status == http.StatusOK {
			return f.acknowledged(m, answer)
		}
		if err == nil && (answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "") {
			f.t.Errorf("answered %d, Retry-After %q, %s, want 200, or 503 with Retry-After", answer.Status, answer.Header.Get("Retry-After"), answer.Body)
			return ""
		}
		f.mu.Lock()
		f.retried++
		f.mu.Unlock()
		select {
		case f.lost <- struct{}{}:
		default:
		}
		select {
		case <-next:
		case <-ctx.Done():
			f.t.Errorf("a message was never acknowledged: %v", ctx.Err())
			return ""
		}
	}
}

func (f *traffic) acknowledged(m *sent, answer platform.Answer) string {
	var said struct {
		Code      *int
		PaymentID string `json:"payment_id"`
	}
	if err := json.Unmarshal(answer.Body, &said); err != nil || said.Code == nil || *said.Code != 0 {
		f.t.Errorf("answered %s, want code 0", answer.Body)
		return ""
	}
	f.memory.acknowledged(m, said.PaymentID, 0, nil)
	return said.PaymentID
}

// pay tops up until the traffic ends.
func (f *traffic) pay(ctx context.Context, enough chan<- struct{}) {
	for n := 1; !f.isEnding(); n++ {
		money := tenge(1 + rand.Int64N(1_000_000))
		body, err := f.project.CheckDeposit(platform.Deposit{CustomerID: "123456789", EntityID: "12345", Money: money})
		if err != nil {
			f.t.Error(err)
			return
		}
		id := f.send(ctx, &sent{body: body})
		if id == "" {
			return
		}
		operation := 1 + rand.Int64N(1<<50)
		body, err = f.project.Callback(platform.NewCallback(platform.OutcomeSuccess, id, operation, money, time.Now()))
		if err != nil {
			f.t.Error(err)
			return
		}
		f.send(ctx, &sent{body: body, callback: true, success: true, paymentID: id, operation: operation, money: money})
		select {
		case enough <- struct{}{}:
		default:
		}
	}
}

func (f *traffic) isEnding() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ending
}

// newServer tells those who wait that a server is there.
func (f *traffic) newServer(last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.next)
	f.next = make(chan struct{})
	f.ending = last
}

// serve runs one server until it has acknowledged its part, asks it to stop,
// and wants it to end well. It returns when somebody has noticed that it is gone.
func (f *traffic) serve(ctx context.Context, v *victim, enough <-chan struct{}) error {
	for range trafficOfALife {
		select {
		case <-enough:
		case <-ctx.Done():
			return fmt.Errorf("the server acknowledged too little: %w", ctx.Err())
		}
	}
	for len(f.lost) > 0 {
		<-f.lost
	}
	if err := v.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case late := <-v.late:
		f.late += late
	case <-ctx.Done():
		return fmt.Errorf("the server does not stop: %w", ctx.Err())
	}
	if err := v.process.Wait(); err != nil {
		return fmt.Errorf("the server ended with %w, want exit code 0", err)
	}
	select {
	case <-f.lost:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nobody noticed that the server is gone: %w", ctx.Err())
	}
}

// TestAServerThatIsRestartedUnderTrafficLosesNothing stops a loaded server with
// SIGTERM and starts another on the same database and address, again and again.
// Whatever was not acknowledged is acknowledged when it is sent again, and in
// the end everything is booked once.
func TestAServerThatIsRestartedUnderTrafficLosesNothing(t *testing.T) {
	eachBuild(t, func(t *testing.T, programs ...string) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		s := newShop(t)
		address := testkit.FreeAddress(t)
		s.env = append(s.env, "TOLEM_LISTEN="+address)
		client, err := platform.NewClient("http://"+address, platform.ClientOptions{Connections: restartPayers})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		f := &traffic{t: t, project: demoProject(t), client: client, next: make(chan struct{}), lost: make(chan struct{}, 1)}
		enough := make(chan struct{})
		stops := 0
		defer func() { t.Log(f.memory.proof(map[string]int{"restart": stops})) }()
		v := s.start(t, programs[0])
		var payers sync.WaitGroup
		for range restartPayers {
			payers.Go(func() { f.pay(ctx, enough) })
		}
		for life, last := 1, false; !last; life++ {
			if err := f.serve(ctx, v, enough); err != nil {
				cancel()
				payers.Wait()
				t.Fatal(err)
			}
			stops++
			v = s.start(t, programs[life%len(programs)])
			last = life >= restarts && f.late >= restarts || life == mostRestarts
			f.newServer(last)
		}
		payers.Wait()
		f.memory.compare(t, s)
		v.stop(t)
		s.checkLedger(t, programs[0])
		for _, m := range f.memory.sent {
			if !m.acked {
				t.Errorf("a message about payment %q was never acknowledged", m.paymentID)
			}
		}
		if f.retried < restarts {
			t.Errorf("%d messages were sent again, want one at least for each of %d restarts", f.retried, restarts)
		}
		if f.late < restarts {
			t.Errorf("%d messages were under way at the %d stops together: the servers were not loaded", f.late, mostRestarts)
		}
		t.Logf("%d messages, %d under way at a stop and done, %d sent again", len(f.memory.sent), f.late, f.retried)
	})
}
