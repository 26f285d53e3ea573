// Package dashboard is the pages for people: what happened to a payment, what
// lies in suspense, what the platform owes, and the steps that mend it. Pages are
// made on the server and need no JavaScript; nothing comes from another host.
//
// The package has no rule of its own. It reads and writes through the methods of
// the store that the commands and the admin API use, and shows what a step would
// post by the same decisions of topup. It is a http.Handler that is mounted on the
// admin listener; [Routes] names what it serves.
package dashboard

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tolem/store"
)

// Roles of tokens.
const (
	RoleAdmin    = "admin"
	RoleOperator = "operator"
	RoleRead     = "read"
)

// Token lets a person sign in. Only the token's hash is kept here.
type Token struct {
	Name    string
	Role    string
	Hash    [sha256.Size]byte
	Expires time.Time // zero: never
}

// Options are what the pages need from outside.
type Options struct {
	Store *store.Store
	// Tokens lists who may sign in. It is called for every request: a session
	// ends when its token is not listed any more.
	Tokens  func() []Token
	Banks   []string         // the names of the merchant's bank accounts
	Zone    *time.Location   // in which days are cut and times shown
	Now     func() time.Time // time.Now if nil
	Version string           // of the program
	// Examine is how many payments a page looks at, at most, for those with an
	// amount; 100 000 if zero.
	Examine int
	// AtOnce is how many transactions are added up, or lines of a payout compared,
	// while a page waits; more are in the background. 20 000 and 1000 if zero.
	AtOnce int64
}

// Dashboard serves the pages. It is safe for concurrent use.
type Dashboard struct {
	store    *store.Store
	tokens   func() []Token
	banks    []string
	zone     *time.Location
	now      func() time.Time
	version  string
	examine  int
	unsummed int64
	compared int64

	sessions    *sessions
	background  *background
	comparisons *comparisons
	signIns     *signIns
	figures     *figures
	pages       *pages
	secret      []byte // signs the csrf tokens of this process
	mux         http.Handler
}

// New makes the pages.
func New(o Options) (*Dashboard, error) {
	d := &Dashboard{
		store: o.Store, tokens: o.Tokens, banks: o.Banks,
		zone: o.Zone, now: o.Now, version: o.Version, secret: make([]byte, 32),
	}
	d.examine, d.unsummed, d.compared = cmp.Or(o.Examine, 100_000), cmp.Or(o.AtOnce, 20_000), cmp.Or(o.AtOnce, 1000)
	if d.now == nil {
		d.now = time.Now
	}
	if d.zone == nil {
		d.zone = time.UTC
	}
	if _, err := rand.Read(d.secret); err != nil {
		return nil, fmt.Errorf("make a secret: %w", err)
	}
	var err error
	if d.pages, err = newPages(d); err != nil {
		return nil, err
	}
	d.sessions = newSessions(d.now)
	d.comparisons = &comparisons{}
	d.background = newBackground(d.now)
	d.signIns = newSignIns()
	d.figures = newFigures(d.store, d.zone, d.now)
	d.mux = d.route()
	return d, nil
}

// Close ends what runs in the background.
func (d *Dashboard) Close() {
	d.figures.close()
	d.background.close()
	d.comparisons.close()
}

// Note is what a request came to, for the log: nothing in it is personal.
type Note struct {
	Client    string // the name of the token that signed in
	PaymentID string // our id of the payment that the page is about
	Failure   error  // why the answer is a 5xx, for the operator
}

type noteKey struct{}

// WithNote returns a context in which a request fills in n.
func WithNote(ctx context.Context, n *Note) context.Context {
	return context.WithValue(ctx, noteKey{}, n)
}

func noteOf(r *http.Request) *Note {
	if n, ok := r.Context().Value(noteKey{}).(*Note); ok {
		return n
	}
	return &Note{}
}

// ServeHTTP serves a page.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.mux.ServeHTTP(w, r) }

// token returns the token whose text was presented, or nil. Every token is
// compared, as a hash, so that the time tells nothing about any of them.
func (d *Dashboard) token(presented string) *Token {
	hash := sha256.Sum256([]byte(strings.TrimSpace(presented)))
	var found *Token
	for _, t := range d.tokens() {
		if subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1 {
			found = &t
		}
	}
	if found != nil && d.expired(found) {
		return nil
	}
	return found
}

// tokenOf returns the token that a session was opened with, nil when it is not
// configured any more or has expired.
func (d *Dashboard) tokenOf(name string, hash []byte) *Token {
	for _, t := range d.tokens() {
		if t.Name == name && bytes.Equal(t.Hash[:], hash) && !d.expired(&t) {
			return &t
		}
	}
	return nil
}

func (d *Dashboard) expired(t *Token) bool { return !t.Expires.IsZero() && !d.now().Before(t.Expires) }

// mayOpen reports whether a role opens pages at all.
func mayOpen(role string) bool { return role == RoleAdmin || role == RoleOperator || role == RoleRead }

// maySteps reports whether a role takes operators' steps.
func maySteps(role string) bool { return role == RoleAdmin || role == RoleOperator }

// TokenOf is a token by its text.
func TokenOf(name, role, text string) Token {
	return Token{Name: name, Role: role, Hash: sha256.Sum256([]byte(text))}
}
