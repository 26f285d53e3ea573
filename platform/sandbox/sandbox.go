// Package sandbox simulates HighHelp, and the kiosk of Kaspi Bank, for trying
// out a merchant's server.
//
// It checks the signatures of requests, keeps pay-ins in memory, shows the
// payment page on which a person (or [Sandbox.Act]) decides how a payment ends,
// and posts signed alerts to the URLs that the request named, repeatedly until
// they are answered 200. The kiosk page sends JetPay's three messages.
//
// It implements what the provider's four pages describe. What they do not
// specify (how a request is refused, the answer to a repeated payment_id, when
// alerts are resent) is listed on its start page, and may differ at the
// provider. It is not for production: it moves no money, stores nothing, and
// everybody who can reach it decides what was paid.
//
// Nothing personal is kept: of the payer only what the request says about the
// method; a phone number and a code are read and not stored.
package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"tolem/platform"
	"tolem/signing"
)

// limits is what the sandbox does where the provider's pages are silent, and
// what it leaves out. The start page shows it.
var limits = []string{
	"It plays what the provider’s pages describe. What they leave open, the real provider may do otherwise.",
	"A request that is refused gets HTTP 400 (a field), 401 (the signature), 404 (no such payment) or 409 (not in this state) and the flat block with status “error”.",
	"A payment_id is used once: a second request with it is refused, and the first pay-in stays as it is.",
	"The merchant’s confirm settles a mobile payment whose code was right and which waits for it; cancel declines an open one.",
	"Informative alerts are sent for every step, although the page about mobile commerce says both that they are and that they are not.",
	"The codes of the methods by phone and by QR code, and that of “Another bank”, are made up.",
	"An alert is sent again, at growing intervals, until it is answered 200 or the attempts are used up.",
	"Alerts go to this computer and to the merchant’s server only.",
	"Everything is forgotten when it stops, and the oldest pay-ins when there are too many.",
}

const (
	// maxPayins bounds what is kept; beyond it the oldest is forgotten.
	maxPayins = 1000
	// maxBody bounds requests and forms, in bytes.
	maxBody = 1 << 20
)

// Project is one cash register, as the provider sees it.
type Project struct {
	ID         string
	MerchantID string // x-access-merchant-id; empty: ID
	// Requests checks what the merchant signs, in RequestDialect.
	Requests       signing.AlertKey
	RequestDialect signing.Dialect // the zero value: signing.DefaultRequestDialect
	AccessToken    string          // the required x-access-token; empty: not checked
	// Alerts signs alerts, in AlertDialect, which must be pinned.
	Alerts       signing.Signer
	AlertDialect signing.Dialect // the zero value: signing.DefaultRequestDialect
	// Names of the headers of an alert; empty: x-access-signature and
	// x-access-timestamp.
	SignatureHeader string
	TimestampHeader string
}

// Retry says how often an alert that is not answered 200 is posted again, and
// how long it waits before the first time; the time doubles with each further
// one. The zero value is 10 attempts, from 250 ms on.
type Retry struct {
	Attempts int // all of them, the first included
	Pause    time.Duration
}

// Options are what a sandbox needs. One of Projects, Kiosk, Billing and DataAPI must
// be set.
type Options struct {
	Projects []Project // of HighHelp; none: it is not played
	// MerchantURL is the merchant's public listener: where the kiosk posts to.
	MerchantURL string
	// PublicURL is where a payer's browser reaches the sandbox; form URLs are
	// built from it. Empty: the host that the request was sent to.
	PublicURL string
	// Kiosk is the JetPay project that the Kaspi page plays; a nil key: no such
	// page.
	Kiosk platform.Project
	// Billing answers under /billing/accounts/ if the merchant's server asks for
	// accounts; nil: it does not.
	Billing *platform.Billing
	// DataAPI answers POST /data/operations/get with the kiosk's operations, nil to
	// leave it out.
	DataAPI *platform.DataAPI
	// Chaos posts every alert several times, all at once and in any order.
	Chaos  bool
	Retry  Retry
	Log    *zap.Logger      // nil: nothing is logged
	Now    func() time.Time // nil: time.Now
	Random io.Reader        // nil: crypto/rand; need not be safe for concurrent use
}

// Sandbox is the provider. It is safe for concurrent use.
type Sandbox struct {
	o        Options
	projects map[string]*Project
	player   *platform.Player // nil: no kiosk
	courier  *courier
	pages    *template.Template

	mu      sync.Mutex
	payins  map[key]*payin
	byToken map[string]*payin
	order   []*payin // oldest first
	faults  Faults
	closed  bool
}

// key names a pay-in: a payment_id is unique within its project.
type key struct{ project, payment string }

// New makes a sandbox. Close it when it is done with.
func New(o Options) (*Sandbox, error) {
	o.fill()
	s := &Sandbox{o: o, projects: map[string]*Project{}, payins: map[key]*payin{}, byToken: map[string]*payin{}}
	for _, p := range o.Projects {
		if err := p.fill(); err != nil {
			return nil, fmt.Errorf("sandbox: project %q: %w", p.ID, err)
		}
		if s.projects[p.ID] != nil {
			return nil, fmt.Errorf("sandbox: project %q: given twice", p.ID)
		}
		s.projects[p.ID] = &p
	}
	if len(s.projects) == 0 && o.Kiosk.Key == nil && o.Billing == nil && o.DataAPI == nil {
		return nil, errors.New("sandbox: nothing to play")
	}
	hosts, err := s.dial()
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if s.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.courier = newCourier(o, hosts)
	return s, nil
}

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	o.Random = &lockedReader{from: o.Random}
	if o.Retry.Attempts <= 0 {
		o.Retry.Attempts = 10
	}
	if o.Retry.Pause <= 0 {
		o.Retry.Pause = 250 * time.Millisecond
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
}

func (p *Project) fill() error {
	if p.ID == "" {
		return errors.New("its id is empty")
	}
	if p.MerchantID == "" {
		p.MerchantID = p.ID
	}
	for _, d := range []*signing.Dialect{&p.RequestDialect, &p.AlertDialect} {
		if *d == (signing.Dialect{}) {
			*d = signing.DefaultRequestDialect()
		}
		if !d.Pinned() {
			return fmt.Errorf("the dialect must be pinned, got %s", *d)
		}
	}
	if p.Requests.Algorithm() == "" || p.Alerts.Algorithm() == "" {
		return errors.New("needs a key that checks requests and one that signs alerts")
	}
	if p.SignatureHeader == "" {
		p.SignatureHeader = headerSignature
	}
	if p.TimestampHeader == "" {
		p.TimestampHeader = headerTimestamp
	}
	return nil
}

// dial prepares the kiosk, and returns the hosts that alerts may go to besides
// those of this computer.
func (s *Sandbox) dial() (hosts []string, err error) {
	if s.o.MerchantURL == "" {
		return nil, nil
	}
	merchant, err := url.Parse(s.o.MerchantURL)
	if err != nil {
		return nil, fmt.Errorf("merchant URL: %w", err)
	}
	client, err := platform.NewClient(s.o.MerchantURL, platform.ClientOptions{Timeout: 20 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("merchant URL: %w", err)
	}
	if s.o.Kiosk.Key != nil {
		s.player = &platform.Player{Client: client, Project: s.o.Kiosk, Now: s.o.Now, Random: s.o.Random}
	}
	return []string{merchant.Host}, nil
}

// Wait returns when no alert is under way any more, or when ctx ends.
func (s *Sandbox) Wait(ctx context.Context) error { return s.courier.wait(ctx) }

// Close takes no further action on any pay-in, waits until the alerts that are
// under way are answered or given up, and ends. If ctx ends first, those left
// are dropped, and the error says so.
func (s *Sandbox) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for _, p := range s.order {
		p.timer.Stop()
	}
	s.mu.Unlock()
	err := s.courier.wait(ctx)
	s.courier.stop()
	if s.player != nil {
		s.player.Client.Close()
	}
	return err
}

// Handler is the API, the pages and the controls. It refuses cross-origin posts
// of browsers.
func (s *Sandbox) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, call := range []struct {
		name string
		do   call
	}{{callPayin, s.create}, {callInfo, s.info}, {callConfirm, s.confirm}, {callCancel, s.cancel}} {
		path := "/api/v1/widget/payin"
		if call.name != callPayin {
			path += "/" + call.name
		}
		mux.Handle("POST "+path, s.api(call.name, call.do))
	}
	s.routePages(mux)
	if s.o.DataAPI != nil {
		mux.Handle("POST /data/operations/get", s.o.DataAPI)
	}
	if s.o.Billing != nil {
		mux.Handle("GET /billing/accounts/{customer_id}", s.o.Billing)
		mux.HandleFunc("PUT /control/billing/{mode}", func(w http.ResponseWriter, r *http.Request) {
			if err := s.o.Billing.SetMode(platform.BillingMode(r.PathValue("mode"))); err != nil {
				http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			}
		})
	}
	return http.NewCrossOriginProtection().Handler(mux)
}

// lockedReader makes any source of randomness safe for concurrent use.
type lockedReader struct {
	mu   sync.Mutex
	from io.Reader
}

func (r *lockedReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return io.ReadFull(r.from, p)
}
