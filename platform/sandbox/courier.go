package sandbox

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	postTimeout = 20 * time.Second // of one attempt
	maxPosts    = 32               // at once
	maxPause    = time.Minute      // between two attempts
)

// delivery is one alert on its way.
type delivery struct {
	project *Project
	url     string
	about   string // the status that it is about
	alert   alert

	signing sync.Once
	body    []byte
	header  http.Header
	err     error

	mu    sync.Mutex
	state string // what became of it, for people
}

// sign makes the body and its headers, once: every attempt is the same.
func (d *delivery) sign(now time.Time) error {
	d.signing.Do(func() {
		if d.body, d.err = encode(d.alert); d.err != nil {
			return
		}
		timestamp := fmt.Sprintf("%010d", now.Unix())
		signature, err := d.project.Alerts.Sign(d.body, timestamp, d.project.AlertDialect)
		if err != nil {
			d.err = err
			return
		}
		d.header = http.Header{"Content-Type": {"application/json"}}
		d.header.Set(d.project.SignatureHeader, signature)
		d.header.Set(d.project.TimestampHeader, timestamp)
	})
	return d.err
}

func (d *delivery) became(state string) {
	d.mu.Lock()
	d.state = state
	d.mu.Unlock()
}

// State is the alert's delivery state, in a few words.
func (d *delivery) State() string {
	if d == nil {
		return "no alert"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == "" {
		return "on its way"
	}
	return d.state
}

// courier posts alerts until they are answered 200.
type courier struct {
	client *http.Client
	hosts  []string // other than this computer's
	retry  Retry
	chaos  bool
	now    func() time.Time
	log    *zap.Logger

	ctx    context.Context // ends when the courier stops
	cancel context.CancelFunc
	slots  chan struct{} // bounds how many posts run at once
	random *rand.Rand    // for chaos; the sandbox's lock guards it

	mu    sync.Mutex
	open  int           // deliveries under way
	idle  chan struct{} // closed when open is 0
	lines map[*Project]*line
}

// line keeps first attempts of one project in their order.
type line struct {
	waiting []*delivery
	running bool
}

func newCourier(o Options, hosts []string) *courier {
	ctx, cancel := context.WithCancel(context.Background())
	idle := make(chan struct{})
	close(idle)
	return &courier{
		client: &http.Client{
			Timeout:       postTimeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: maxPosts, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		hosts: hosts, retry: o.Retry, chaos: o.Chaos, now: o.Now, log: o.Log,
		ctx: ctx, cancel: cancel, slots: make(chan struct{}, maxPosts), random: rand.New(seed(o.Random)),
		idle: idle, lines: map[*Project]*line{},
	}
}

// seed makes the order of chaos follow from the source of randomness, so that a
// test can repeat it.
func seed(random io.Reader) rand.Source {
	var drawn [16]byte
	if _, err := io.ReadFull(random, drawn[:]); err != nil {
		_, _ = crand.Read(drawn[:]) // never fails
	}
	return rand.NewPCG(binary.BigEndian.Uint64(drawn[:8]), binary.BigEndian.Uint64(drawn[8:]))
}

// send posts alerts one after the other; one that is not answered 200 does not
// hold up those behind it. With chaos it posts each up to three times, all at
// once and in any order. It does not wait.
func (c *courier) send(alerts []*delivery) {
	if len(alerts) == 0 {
		return
	}
	if c.chaos {
		c.scatter(alerts)
		return
	}
	c.enter(len(alerts))
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lines[alerts[0].project]
	if l == nil {
		l = &line{}
		c.lines[alerts[0].project] = l
	}
	l.waiting = append(l.waiting, alerts...)
	if !l.running {
		l.running = true
		go c.serve(l)
	}
}

// serve makes the first attempts of a line.
func (c *courier) serve(l *line) {
	for {
		c.mu.Lock()
		if len(l.waiting) == 0 {
			l.running = false
			c.mu.Unlock()
			return
		}
		d := l.waiting[0]
		l.waiting = l.waiting[1:]
		c.mu.Unlock()
		if c.attempt(d, 1) {
			c.leave()
			continue
		}
		go c.again(d)
	}
}

// scatter posts copies of all alerts at once.
func (c *courier) scatter(alerts []*delivery) {
	var copies []*delivery
	for _, d := range alerts {
		for range 1 + c.random.IntN(3) {
			copies = append(copies, d)
		}
	}
	c.random.Shuffle(len(copies), func(i, j int) { copies[i], copies[j] = copies[j], copies[i] })
	c.enter(len(copies))
	for _, d := range copies {
		go func() {
			if c.attempt(d, 1) {
				c.leave()
				return
			}
			c.again(d)
		}()
	}
}

// again makes the further attempts.
func (c *courier) again(d *delivery) {
	defer c.leave()
	pause := c.retry.Pause
	for n := 2; n <= c.retry.Attempts; n++ {
		timer := time.NewTimer(pause)
		select {
		case <-c.ctx.Done():
			timer.Stop()
			d.became("dropped: the sandbox was closed")
			return
		case <-timer.C:
		}
		if c.attempt(d, n) {
			return
		}
		pause = min(2*pause, maxPause)
	}
	d.became(d.State() + "; given up")
	c.log.Warn("alert given up", zap.String("payment_id", d.alert.General.PaymentID), zap.String("status", d.about))
}

// attempt posts an alert once, and reports whether that was the end of it.
func (c *courier) attempt(d *delivery, n int) bool {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-c.ctx.Done():
		return true
	}
	if err := c.allowed(d.url); err != nil {
		d.became(err.Error())
		return true
	}
	if err := d.sign(c.now()); err != nil {
		d.became("cannot be signed")
		c.log.Error("alert cannot be signed", zap.Error(err))
		return true
	}
	status, err := c.post(d)
	what := "HTTP " + strconv.Itoa(status)
	if err != nil {
		what = "no answer"
	}
	if n > 1 {
		what += fmt.Sprintf(", attempt %d", n)
	}
	d.became(what)
	c.log.Info("alert", zap.String("payment_id", d.alert.General.PaymentID), zap.String("status", d.about),
		zap.Int("attempt", n), zap.Int("answer", status), zap.Error(err))
	return status == http.StatusOK
}

// allowed keeps signed alerts from going out into the world: an example's URL
// may be anybody's.
func (c *courier) allowed(address string) error {
	u, err := url.Parse(address)
	if err == nil && (isLoopback(u.Hostname()) || slices.Contains(c.hosts, u.Host)) {
		return nil
	}
	return errors.New("not posted: the URL is not the merchant’s")
}

func (c *courier) post(d *delivery) (int, error) {
	request, err := http.NewRequestWithContext(c.ctx, http.MethodPost, d.url, bytes.NewReader(d.body))
	if err != nil {
		return 0, err
	}
	request.Header = d.header.Clone()
	response, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody)) // so that the connection can be used again
	return response.StatusCode, nil
}

func (c *courier) enter(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == 0 {
		c.idle = make(chan struct{})
	}
	c.open += n
}

func (c *courier) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open--; c.open == 0 {
		close(c.idle)
	}
}

// wait returns when no alert is under way.
func (c *courier) wait(ctx context.Context) error {
	c.mu.Lock()
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		return fmt.Errorf("%d alerts are still under way: %w", c.open, ctx.Err())
	}
}

// stop drops what is under way.
func (c *courier) stop() {
	c.cancel()
	c.client.CloseIdleConnections()
}
