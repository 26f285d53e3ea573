package commands_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tolem/platform"
	"tolem/storetest"
)

const (
	// mostResident is how much memory the server may ever have had in use, in bytes:
	// 60 MB for the proper messages, 20 KiB for each connection, and up to 60 MB for
	// each of the four great bodies that it reads at the same time, twice that before
	// garbage is collected.
	mostResident = 512 << 20

	idleConnections   = 4000 // that were answered once, and say nothing more
	silentConnections = 500  // that never say anything
	slowConnections   = 200  // of each kind: headers, bodies

	// atMost is when a server that does not end a connection has failed. It ends the
	// slowest ones after its own ten seconds.
	atMost = 2 * time.Minute
)

// TestHostileInput holds a real server against whatever a network can send that is no
// proper message, while a payer goes on topping up: what each shape is answered, that
// the connection ends where it is in doubt where the next request begins, that memory
// stays bounded, and that the books have the payer's money and nothing else.
func TestHostileInput(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a real server")
	}
	s := newShop(t)
	program := buildProgram(t, "0")
	v := s.start(t, program)
	h := &hostile{address: strings.TrimPrefix(v.url, "http://")}
	before := s.books(t)
	p := startPayer(t, v)

	slow := h.slow(t) // ends by itself, while the rest goes on
	t.Run("Framing", func(t *testing.T) { h.framing(t) })
	p.goesOn(t)
	t.Run("HeaderFlood", func(t *testing.T) { h.headers(t) })
	p.goesOn(t)
	h.idle(t) // to the end
	p.goesOn(t)
	h.works(t)
	t.Run("Bodies", func(t *testing.T) { h.bodies(t) })
	p.goesOn(t)
	t.Run("CollidingNames", func(t *testing.T) { h.collisions(t) })
	p.goesOn(t)
	t.Run("SlowSenders", func(t *testing.T) { slow.ended(t) })
	p.goesOn(t)
	p.end(t)

	if peak := peakMemory(t, v.process.Process.Pid); peak > mostResident {
		t.Errorf("the server had %d MiB in use, more than %d", peak>>20, mostResident>>20)
	} else {
		t.Logf("the server had at most %d MiB in use", peak>>20)
	}
	s.checkLedger(t, program)
	v.stop(t)
	p.memory.compare(t, s)
	p.memory.creditedAll(t, s)
	if got, want := s.books(t), before.and(p.memory); got != want {
		t.Errorf("the books have %+v, want %+v: those of before, and the payer's", got, want)
	}
	s.checkLedger(t, program)
	t.Log(p.memory.proof(map[string]int{"hostile": int(h.sent.Load())}))
}

// books are what a database has of messages and money.
type books struct{ messages, payments, transactions, operations int }

func (s *shop) books(t *testing.T) (b books) {
	t.Helper()
	db := storetest.Open(t, s.database)
	defer db.Close()
	err := db.QueryRow(`SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM payments), (SELECT count(*) FROM transactions),
		(SELECT count(*) FROM operations)`).Scan(&b.messages, &b.payments, &b.transactions, &b.operations)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// and adds what was sent properly.
func (b books) and(m *memory) books {
	for _, one := range m.sent {
		if !one.callback {
			b.payments++
			continue
		}
		b.messages++
		if one.success {
			b.transactions++
			b.operations++
		}
	}
	return b
}

// payer tops up, one payment after the other. Each of its messages must be answered
// with success.
type payer struct {
	memory *memory
	stop   context.CancelFunc
	ended  chan struct{}
	err    error // once ended
}

func startPayer(t *testing.T, v *victim) *payer {
	ctx, stop := context.WithCancel(t.Context())
	p := &payer{memory: &memory{}, stop: stop, ended: make(chan struct{})}
	st := &storm{memory: p.memory, project: demoProject(t), client: v.client}
	t.Cleanup(stop)
	go func() {
		defer close(p.ended)
		random := rand.New(rand.NewPCG(rand.Uint64(), 0))
		for ctx.Err() == nil && p.err == nil {
			// What has begun is brought to its end.
			p.err = st.topUp(context.WithoutCancel(ctx), random)
		}
	}()
	return p
}

// goesOn waits until three more of the payer's messages are acknowledged.
func (p *payer) goesOn(t *testing.T) {
	t.Helper()
	acks := func() int {
		p.memory.mu.Lock()
		defer p.memory.mu.Unlock()
		return p.memory.acks
	}
	deadline := time.Now().Add(atMost)
	for want := acks() + 3; acks() < want; {
		select {
		case <-p.ended:
			t.Fatalf("a proper message was not acknowledged: %v", p.err)
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("proper messages are not acknowledged")
		}
	}
}

func (p *payer) end(t *testing.T) {
	t.Helper()
	p.stop()
	<-p.ended
	if p.err != nil {
		t.Fatalf("a proper message was not acknowledged: %v", p.err)
	}
}

// peakMemory is the most that a process has had in memory, in bytes.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("the kernel does not say how much memory the process had")
	return 0
}

// hostile sends what is no proper message.
type hostile struct {
	address string
	sent    atomic.Int64
}

func (h *hostile) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	h.sent.Add(1)
	return conn
}

// works wants that somebody who comes now is served.
func (h *hostile) works(t *testing.T) {
	t.Helper()
	conn := h.dial(t)
	if got := exchange(t, conn, bufio.NewReader(conn), probe); got != http.StatusOK {
		t.Errorf("a new connection: got %d, want 200", got)
	}
}

const probe = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

// exchange sends a request and reads one answer: 0 if there is none.
func exchange(t testing.TB, conn net.Conn, from *bufio.Reader, request string) int {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(atMost)); err != nil {
		t.Fatal(err)
	}
	// What has been answered may be closed before it has been read whole.
	_, _ = io.WriteString(conn, request)
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// isClosed reports whether the server ends the connection without another answer.
func isClosed(t testing.TB, from *bufio.Reader) bool {
	t.Helper()
	more, err := io.ReadAll(from)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return false
	}
	if len(more) > 0 {
		t.Errorf("the server sent more than one answer: %.200q", more)
	}
	return true
}

// post is a request to the callback's route: its header lines and its body.
func post(header, body string) string {
	return "POST /jetpay HTTP/1.1\r\nHost: x\r\n" + header + "\r\n" + body
}

// framing sends requests of which two programs in a row could think that they end at
// different places. Behind each is a whole one, signed, that would move money if the
// server took it for the next.
func (h *hostile) framing(t *testing.T) {
	hidden, err := demoProject(t).Callback(platform.NewCallback(platform.OutcomeSuccess, "hidden", 4242, tenge(4242), time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	behind := post(fmt.Sprintf("Content-Length: %d\r\n", len(hidden)), string(hidden))
	const chunked = "Transfer-Encoding: chunked\r\n"
	for _, tt := range []struct {
		name    string
		request string
		status  int
		open    bool // the connection stays: nothing is in doubt
	}{
		{"two lengths that differ", post("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"), 400, false},
		{"two lengths in one line", post("Content-Length: 2, 3\r\n", "{}"), 400, false},
		{"one length twice in one line", post("Content-Length: 2, 2\r\n", "{}"), 400, false},
		{"a negative length", post("Content-Length: -1\r\n", ""), 400, false},
		{"a length with a sign", post("Content-Length: +2\r\n", "{}"), 400, false},
		{"a length in hexadecimal", post("Content-Length: 0x2\r\n", "{}"), 400, false},
		{"a length without digits", post("Content-Length: \r\n", "{}"), 400, false},
		{"a length beyond all numbers", post("Content-Length: 99999999999999999999\r\n", "{}"), 400, false},
		{"a length and chunks", post("Content-Length: 2\r\n"+chunked, "0\r\n\r\n"), 400, false},
		{"chunks and a length", post(chunked+"Content-Length: 2\r\n", "0\r\n\r\n"), 400, false},
		{"chunked twice", post(chunked+chunked, "0\r\n\r\n"), 501, false},
		{"chunked and identity", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 501, false},
		{"an unknown coding", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501, false},
		{"a coding with a vertical tab", post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"), 400, false},
		{"a blank before the colon", post("Transfer-Encoding : chunked\r\nContent-Length: 2\r\n", "{}"), 400, false},
		{"chunks in HTTP/1.0", "POST /jetpay HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 2\r\n" + chunked + "\r\n{}", 400, false},
		{"a chunk without a size", post(chunked, "\r\n{}\r\n0\r\n\r\n"), 400, false},
		{"a chunk with a negative size", post(chunked, "-2\r\n{}\r\n0\r\n\r\n"), 400, false},
		{"a chunk of more than can be", post(chunked, "ffffffffffffffff0\r\n{}\r\n0\r\n\r\n"), 400, false},
		{"a chunk that is longer than it says", post(chunked, "1\r\n{}\r\n0\r\n\r\n"), 400, false},
		{"a chunk's size that ends in a bare line feed", post(chunked, "2\n{}\r\n0\r\n\r\n"), 400, false},
		{"a chunk's extension with a bare line feed", post(chunked, "2;a\nb\r\n{}\r\n0\r\n\r\n"), 400, false},
		{"a chunk's extension without end", post(chunked, "2;"+strings.Repeat("a", 1<<20)+"\r\n{}\r\n0\r\n\r\n"), 400, false},
		{"a chunk's extension", post(chunked, "2;name=value\r\n{}\r\n0\r\n\r\n"), 400, false},
		{"trailers without end", post(chunked, "2\r\n{}\r\n0\r\n"+strings.Repeat("X: y\r\n", 100_000)+"\r\n"), 400, false},
		{"a header that goes on in the first line", "POST /jetpay HTTP/1.1\r\n Host: x\r\n\r\n", 400, false},
		{"a folded length", post("Content-Length:\r\n 2\r\n", "{}"), 400, true},
		{"a folded header", post("X-A: b\r\n c\r\nContent-Length: 2\r\n", "{}"), 400, true},
		{"a bare carriage return in a header", post("X-A: b\rContent-Length: 2\r\n", "{}"), 400, false},
		{"a zero byte in a header", post("X-A: b\x00\r\nContent-Length: 2\r\n", "{}"), 400, false},
		{"a header without a name", post(": b\r\nContent-Length: 2\r\n", "{}"), 400, false},
		{"a header without a colon", post("Content-Length\r\n", ""), 400, false},
		{"bare line feeds", "POST /jetpay HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}", 400, true},
		{"no host", "POST /jetpay HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400, false},
		{"two hosts", post("Host: y\r\nContent-Length: 2\r\n", "{}"), 400, false},
		{"a host that is none", "POST /jetpay HTTP/1.1\r\nHost: a b\r\nContent-Length: 2\r\n\r\n{}", 400, false},
		{"a whole URL as target", "POST http://x/jetpay HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400, true},
		{"a whole URL of another host", "GET http://y/api/v1/payments HTTP/1.1\r\nHost: x\r\n\r\n", 404, true},
		{"a target without a slash", "POST jetpay HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400, false},
		{"blanks in the target", "POST /jet pay HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400, false},
		{"a method that is none", "PO(ST /jetpay HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400, false},
		{"another version", "POST /jetpay HTTP/3.0\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 505, false},
		{"HTTP/2 without being asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, false},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, false},
		{"a length of a method without a body", "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 200, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := h.dial(t)
			from := bufio.NewReader(conn)
			request := tt.request
			if !tt.open {
				request += behind
			}
			if got := exchange(t, conn, from, request); got != tt.status {
				t.Errorf("got %d, want %d", got, tt.status)
			}
			if tt.open {
				if got := exchange(t, conn, from, probe); got != http.StatusOK {
					t.Errorf("the next request on it: got %d, want 200", got)
				}
				return
			}
			if !isClosed(t, from) {
				t.Error("the connection was not closed")
			}
		})
	}
}

// headers sends more of a header than there may be, in one piece, in many, and without
// an end.
func (h *hostile) headers(t *testing.T) {
	const begun = "GET /healthz HTTP/1.1\r\nHost: x\r\n"
	for name, request := range map[string]string{
		"one of a mebibyte":           begun + "X-A: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
		"a name of a mebibyte":        begun + strings.Repeat("a", 1<<20) + ": b\r\n\r\n",
		"a hundred thousand":          begun + strings.Repeat("X-A: b\r\n", 100_000) + "\r\n",
		"a hundred thousand names":    begun + many("X-%d: b\r\n", 100_000) + "\r\n",
		"a folded one of a mebibyte":  begun + "X-A: b\r\n" + strings.Repeat(" c\r\n", 1<<18) + "\r\n",
		"a request line of mebibytes": "GET /" + strings.Repeat("a", 2<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := h.dial(t)
			from := bufio.NewReader(conn)
			if got := exchange(t, conn, from, request); got != http.StatusRequestHeaderFieldsTooLarge && got != 0 {
				t.Errorf("got %d, want 431, or nothing", got)
			}
			if !isClosed(t, from) {
				t.Error("the connection was not closed")
			}
		})
	}
	t.Run("without an end", func(t *testing.T) {
		conn := h.dial(t)
		if _, err := io.WriteString(conn, begun); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(atMost)); err != nil {
			t.Fatal(err)
		}
		line := []byte("X-A: " + strings.Repeat("a", 1000) + "\r\n")
		const most = 64 << 20
		for sent := 0; ; sent += len(line) {
			if _, err := conn.Write(line); err != nil {
				return
			}
			if sent > most {
				t.Fatalf("the server goes on reading after %d MiB of headers", sent>>20)
			}
		}
	})
}

// many are n lines with a number each.
func many(format string, n int) string {
	var out bytes.Buffer
	for i := range n {
		fmt.Fprintf(&out, format, i)
	}
	return out.String()
}

// idle leaves thousands of connections open to the end of the test.
func (h *hostile) idle(t *testing.T) {
	for range idleConnections {
		conn := h.dial(t)
		if got := exchange(t, conn, bufio.NewReader(conn), probe); got != http.StatusOK {
			t.Fatalf("got %d, want 200", got)
		}
	}
}

// slowly are connections that send a byte now and then.
type slowly struct {
	connections sync.WaitGroup
	stayed      atomic.Int64 // open for too long
}

// slow begins requests that never end.
func (h *hostile) slow(t *testing.T) *slowly {
	s := &slowly{}
	for _, begun := range []string{
		"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ",
		post("Content-Length: 100000\r\n", `{"x":"`),
		post("Transfer-Encoding: chunked\r\n", "ffff\r\n{\"x\":\""),
	} {
		for range slowConnections {
			s.drip(h.dial(t), begun)
		}
	}
	for range silentConnections {
		s.drip(h.dial(t), "")
	}
	return s
}

// drip sends the beginning of a request, then a byte at a time, or nothing at all if
// nothing has begun, until the server ends the connection.
func (s *slowly) drip(conn net.Conn, begun string) {
	s.connections.Add(2)
	gone := make(chan struct{})
	go func() {
		defer s.connections.Done()
		defer close(gone)
		_ = conn.SetReadDeadline(time.Now().Add(atMost))
		_, err := io.Copy(io.Discard, conn)
		if timeout := (net.Error)(nil); errors.As(err, &timeout) && timeout.Timeout() {
			s.stayed.Add(1)
		}
	}()
	go func() {
		defer s.connections.Done()
		_, err := io.WriteString(conn, begun)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for err == nil {
			select {
			case <-gone:
				return
			case <-tick.C:
				if begun != "" {
					_, err = io.WriteString(conn, "a")
				}
			}
		}
	}()
}

func (s *slowly) ended(t *testing.T) {
	s.connections.Wait()
	if n := s.stayed.Load(); n > 0 {
		t.Errorf("%d slow senders were not cut off", n)
	}
}

// bodies posts what is too large, too deep, or another thing than it says, many times
// at once.
func (h *hostile) bodies(t *testing.T) {
	const mebibyte = 1 << 20
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	whole := func(body string) string { return post(length(len(body)), body) }
	for _, tt := range []struct {
		name    string
		request string
		want    []int
	}{
		{"a byte more than a mebibyte", whole(`"` + strings.Repeat("a", mebibyte-1) + `"`), []int{413}},
		{"ten gigabytes announced", post(length(10<<30), "{"), []int{413}},
		{"a mebibyte and more in chunks", post("Transfer-Encoding: chunked\r\n", strings.Repeat("10000\r\n"+strings.Repeat("a", 0x10000)+"\r\n", 20)+"0\r\n\r\n"), []int{413, 503}},
		{"chunks of one byte", post("Transfer-Encoding: chunked\r\n", strings.Repeat("1\r\n[\r\n", 100_000)+"0\r\n\r\n"), []int{400, 503}},
		{"half a million brackets", whole(strings.Repeat("[", 500_000)), []int{400, 503}},
		{"half a million objects", whole(strings.Repeat(`{"":`, 200_000)), []int{400, 503}},
		{"seventy thousand members", whole(`{"payment":{` + many(`"%d":1,`, 70_000) + `"":1}}`), []int{413, 503}},
		{"lines that unfold to gigabytes", whole(`{"` + strings.Repeat("k", 500_000) + `":[` + strings.Repeat("1,", 200_000) + `1]}`), []int{413, 503}},
		{"a number of a million digits", whole(`{"payment":` + strings.Repeat("9", 1_000_000) + `}`), []int{400, 503}},
		{"compressed", post(length(4)+"Content-Encoding: gzip\r\n", "\x1f\x8b\x08\x00"), []int{415}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all sync.WaitGroup
			for range 16 {
				conn := h.dial(t)
				all.Go(func() {
					got := exchange(t, conn, bufio.NewReader(conn), tt.request)
					for _, want := range tt.want {
						if got == want {
							return
						}
					}
					t.Errorf("got %d, want one of %d", got, tt.want)
				})
			}
			all.Wait()
		})
	}
}

// collisions posts names that all have the same value of the hash functions that
// multiply by 31 or 33 (Java's, Bernstein's with xor and equal lengths), beside as many
// that do not. A table that anybody can fill with such names takes the square of their
// number.
func (h *hostile) collisions(t *testing.T) {
	const names = 20_000
	named := func(a, b string) string {
		var out bytes.Buffer
		out.WriteString(`{"payment":{`)
		for i := range names {
			out.WriteByte('"')
			for bit := range 15 {
				if i>>bit&1 == 0 {
					out.WriteString(a)
				} else {
					out.WriteString(b)
				}
			}
			out.WriteString(`":1,`)
		}
		out.WriteString(`"":1}}`)
		return post(fmt.Sprintf("Content-Length: %d\r\n", out.Len()), out.String())
	}
	timed := func(request string) time.Duration {
		conn := h.dial(t)
		began := time.Now()
		if got := exchange(t, conn, bufio.NewReader(conn), request); got != http.StatusBadRequest {
			t.Fatalf("got %d, want 400", got)
		}
		return time.Since(began)
	}
	// The fastest of each, in turns: others work on this machine, too. The square of
	// their number would be thousands of times as much.
	one, other := named("Ab", "Cd"), named("Aa", "BB")
	ordinary, colliding := atMost, atMost
	for round := range 50 {
		ordinary, colliding = min(ordinary, timed(one)), min(colliding, timed(other))
		if round >= 4 && colliding <= 10*ordinary {
			break
		}
	}
	if colliding > 10*ordinary {
		t.Errorf("colliding names take %s, others %s", colliding, ordinary)
	}
	t.Logf("colliding names take %s, others %s", colliding, ordinary)
}
