package handlers_test

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tolem/handlers"
	"tolem/storetest"
)

// TestMoreThanTheServerCanCarryIsRefusedAtOnceAndNothingIsLost fills the server
// while its database is held: nothing more is let in, not even to wait. What was
// let in is credited, what was refused is credited when it comes again.
func TestMoreThanTheServerCanCarryIsRefusedAtOnceAndNothingIsLost(t *testing.T) {
	const more = 40
	r := newRig(t)
	bodies := make(map[string]string)
	for i := range handlers.MaxUnderWay + more {
		id := r.issue()
		bodies[id] = signed(t, callbackFor(t, id, strconv.Itoa(900+i)), demoSecret)
	}
	release := storetest.Hold(r.t, r.database)
	type ended struct {
		id  string
		got answer
	}
	answers := make(chan ended, len(bodies))
	var wait sync.WaitGroup
	for id, body := range bodies {
		wait.Go(func() { answers <- ended{id, r.post(body)} })
	}
	// Nobody who was let in can be answered while the database is held.
	refused := make(map[string]bool)
	for range more {
		one := <-answers
		checkUnavailable(t, "one too many", one.got)
		refused[one.id] = true
	}
	checkUnavailable(t, "a verify meanwhile", r.send(verifyBody))
	release()
	wait.Wait()
	close(answers)
	for one := range answers {
		if one.got.status != http.StatusOK {
			t.Errorf("one that was let in: got %d", one.got.status)
		}
	}
	for id, body := range bodies {
		if credited := r.payment(id).Credit != nil; credited == refused[id] {
			t.Errorf("refused is %v, credited is %v", refused[id], credited)
		}
		if got := r.post(body); got.status != http.StatusOK {
			t.Errorf("sent again: got %d", got.status)
		}
		if r.payment(id).Credit == nil {
			t.Error("sent again, and not credited")
		}
	}
}

// TestLargeMessagesDoNotCrowdTheServer holds the database, so that large
// callbacks which are let in stay there: the others are refused and come again,
// and ordinary messages are answered meanwhile.
func TestLargeMessagesDoNotCrowdTheServer(t *testing.T) {
	const more = 3
	r := newRig(t)
	large := `{"x":"` + strings.Repeat("a", handlers.LargeBody) + `",`
	bodies := make(map[string]string)
	for i := range handlers.MaxLarge + more {
		id := r.issue()
		body := strings.Replace(callbackFor(t, id, strconv.Itoa(900+i)), "{", large, 1)
		bodies[id] = signed(t, body, demoSecret)
	}
	release := storetest.Hold(r.t, r.database)
	answers := make(chan answer, len(bodies))
	var wait sync.WaitGroup
	for _, body := range bodies {
		wait.Go(func() { answers <- r.post(body) })
	}
	for range more {
		checkUnavailable(t, "one large message too many", <-answers)
	}
	if got := r.send(verifyBody); got.status != http.StatusOK || got.code(t) != 0 {
		t.Errorf("a verify meanwhile: got %d %s", got.status, got.body)
	}
	release()
	wait.Wait()
	close(answers)
	for got := range answers {
		if got.status != http.StatusOK {
			t.Errorf("one that was let in: got %d %s", got.status, got.body)
		}
	}
	for id, body := range bodies {
		if got := r.post(body); got.status != http.StatusOK {
			t.Errorf("sent again: got %d %s", got.status, got.body)
		}
		if r.payment(id).Credit == nil {
			t.Error("sent again, and not credited")
		}
	}
}

// TestWhoSendsSlowlyKeepsNobodyOut opens as many requests as are let in, and
// sends their bodies only half.
func TestWhoSendsSlowlyKeepsNobodyOut(t *testing.T) {
	r := newRig(t)
	address := strings.TrimPrefix(r.public.URL, "http://")
	for range handlers.MaxUnderWay + 10 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /jetpay HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.send(verifyBody); got.status != http.StatusOK || got.code(t) != 0 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}
