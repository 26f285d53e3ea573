package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"tolem/jetpay"
	"tolem/signing"
)

// maxPooled is the size in bytes above which a buffer is not kept for the next
// request, so that one large body does not hold memory for ever.
const maxPooled = 64 << 10

// exchange is one request and its answer: Echo's context, and what the log line
// and the metrics will say. It is reused; nothing may hold on to it or to its
// buffers after the request.
type exchange struct {
	echo.Context

	settings *settings // with which the request began

	id      string
	started time.Time
	client  string // name of the admin token
	role    string // of the admin token
	why     string // the reason of an operator's step

	kind      kind
	outcome   outcome
	project   *jetpay.Project // whose key signed the message
	named     string          // id of a configured project that the message claims, signed or not
	paymentID string          // our id
	reason    signing.Reason  // why its sender is not proven
	unread    string          // why a message was refused before it was read: a provider's that is not one, any with an expired token
	failure   error           // for the operator's eyes: why the answer is a 5xx
	large     bool            // it has a place among the large messages

	body   []byte      // of the request
	answer []byte      // under construction
	fields []zap.Field // of the log line
}

func (s *Server) takeExchange(c echo.Context) *exchange {
	x := s.exchanges.Get().(*exchange)
	*x = exchange{Context: c, settings: s.settings.Load(), started: s.now(), body: x.body[:0], answer: x.answer[:0], fields: x.fields[:0]}
	return x
}

func (s *Server) giveBack(x *exchange) {
	if x.large {
		s.largeUnderWay.Add(-1)
	}
	clear(x.fields)
	*x = exchange{body: x.body, answer: x.answer, fields: x.fields}
	if cap(x.body) > maxPooled {
		x.body = nil
	}
	if cap(x.answer) > maxPooled {
		x.answer = nil
	}
	s.exchanges.Put(x)
}

// listener is what the two listeners differ in.
type listener struct {
	name            string
	trustsRequestID bool // a caller may name the request
}

// observe is the frame around every request of a listener: its id, its answer
// when the handler returns an error or panics, its line in the log and its
// place in the metrics.
func (s *Server) observe(l listener) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			x := s.takeExchange(c)
			x.id = s.requestID(c.Request(), l.trustsRequestID)
			c.Response().Header().Set(echo.HeaderXRequestID, x.id)
			if inDoubt(c.Request()) {
				c.Response().Header().Set("Connection", "close")
			}
			if err := guard(next, x); err != nil {
				s.answerError(x, err)
			}
			s.finish(l, x)
			s.giveBack(x)
			return nil
		}
	}
}

// inDoubt reports whether a proxy may have seen another end of the request than
// net/http, which removes a Content-Length beside chunks, and a Transfer-Encoding in
// HTTP/1.0, before anybody can see that both were there. RFC 9112, section 6.1: the
// connection must then be closed, so that what follows is no request of somebody else.
func inDoubt(r *http.Request) bool {
	return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1)
}

// panicked is a panic in a handler, with where it happened.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// guard runs a handler and turns a panic into an error.
func guard(next echo.HandlerFunc, x *exchange) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{value: p, stack: debug.Stack()}
		}
	}()
	return next(x)
}

// requestID is the caller's own id when it may be trusted and is harmless in a
// log, else a fresh one: unique among processes by its random prefix.
func (s *Server) requestID(r *http.Request, trusted bool) string {
	if trusted {
		if id := r.Header.Get(echo.HeaderXRequestID); harmless(id) {
			return id
		}
	}
	var buffer [32]byte
	id := append(buffer[:0], s.idPrefix...)
	return string(strconv.AppendUint(id, s.lastID.Add(1), 36))
}

func harmless(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// readBody reads the request's body into x.body: signing.MaxBody bytes at most,
// however it is transferred, and errTooLarge when there are more. Unless it is
// nil, mayBeLarge is asked before more than largeBody bytes are read; errBusy
// when it says no.
func (x *exchange) readBody(mayBeLarge func() bool) error {
	r := x.Request()
	if r.ContentLength > signing.MaxBody {
		return errTooLarge
	}
	if need := int(r.ContentLength) + 1; need > cap(x.body) {
		// One byte more than announced, so that the end is seen without
		// growing. What is announced is not yet there: start small.
		x.body = make([]byte, 0, min(need, maxPooled))
	}
	most := signing.MaxBody + 1
	if mayBeLarge != nil {
		most = largeBody
	}
	for {
		if len(x.body) == most {
			if !mayBeLarge() {
				return errBusy
			}
			most = signing.MaxBody + 1
		}
		if len(x.body) == cap(x.body) {
			x.body = append(x.body, 0)[:len(x.body)]
		}
		room := x.body[len(x.body):min(cap(x.body), most)]
		n, err := r.Body.Read(room)
		x.body = x.body[:len(x.body)+n]
		if len(x.body) > signing.MaxBody {
			return errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errCutShort, err)
		}
	}
}

// deadline bounds how long the request waits for the store. The context also
// ends when the caller goes away.
func (x *exchange) deadline() (context.Context, context.CancelFunc) {
	p := &lazyDeadline{Context: x.Request().Context()}
	return p, p.cancel
}

// lazyDeadline is context.WithTimeout(storeTimeout), which it only becomes when
// somebody waits on it: a read that finds everything ready never does, and a
// timer and a context cost it as much as the parsing of its message.
type lazyDeadline struct {
	context.Context // of the request
	once            sync.Once
	bound           atomic.Pointer[bound]
}

type bound struct {
	context.Context
	cancel context.CancelFunc
}

// Done begins the wait.
func (p *lazyDeadline) Done() <-chan struct{} {
	p.once.Do(func() {
		ctx, cancel := context.WithTimeout(p.Context, storeTimeout)
		p.bound.Store(&bound{ctx, cancel})
	})
	return p.now().Done()
}

// now is what the context is so far.
func (p *lazyDeadline) now() context.Context {
	if b := p.bound.Load(); b != nil {
		return b
	}
	return p.Context
}

// Err says why the wait has ended.
func (p *lazyDeadline) Err() error { return p.now().Err() }

// Deadline is known once the wait has begun.
func (p *lazyDeadline) Deadline() (time.Time, bool) { return p.now().Deadline() }

// Value finds what belongs to the request.
func (p *lazyDeadline) Value(key any) any { return p.now().Value(key) }

func (p *lazyDeadline) cancel() {
	if b := p.bound.Load(); b != nil {
		b.cancel()
	}
}
