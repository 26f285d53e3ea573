package dashboard

import (
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// From one address ten sign-ins may fail at once, and then one every six seconds.
const (
	failuresAtOnce  = 10
	failureInterval = 6 * time.Second
	// maxAddresses bounds the addresses that are remembered; when there are more,
	// all are forgotten but for what they share.
	maxAddresses = 4096
)

// signIns limits failed sign-ins, an address at a time. Who signs in with a token
// that is right is never counted.
type signIns struct {
	mu        sync.Mutex
	addresses map[string]*rate.Limiter
	shared    *rate.Limiter // for addresses that are not remembered
}

func newSignIns() *signIns {
	return &signIns{addresses: map[string]*rate.Limiter{}, shared: newFailures()}
}

func newFailures() *rate.Limiter { return rate.NewLimiter(rate.Every(failureInterval), failuresAtOnce) }

// try runs a sign-in from an address unless too many have failed. It returns when
// to come again, 0 if it ran.
func (s *signIns) try(address string, now time.Time, run func() bool) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	limiter := s.addresses[address]
	if limiter == nil {
		s.forget(now)
		if limiter = s.shared; len(s.addresses) < maxAddresses {
			limiter = newFailures()
		}
	}
	if limiter.TokensAt(now) < 1 {
		return failureInterval
	}
	if run() {
		return 0
	}
	limiter.AllowN(now, 1)
	if limiter != s.shared {
		s.addresses[address] = limiter
	}
	return 0
}

// forget drops the addresses that may fail as often as new ones, when there are
// many.
func (s *signIns) forget(now time.Time) {
	if len(s.addresses) < maxAddresses {
		return
	}
	for address, limiter := range s.addresses {
		if limiter.TokensAt(now) >= failuresAtOnce {
			delete(s.addresses, address)
		}
	}
}

// addressOf is where a request comes from. Forwarded headers are anybody's word.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

type loginPage struct {
	Next    string // where to go afterwards
	Problem string
}

// getLogin shows the form for signing in.
func (d *Dashboard) getLogin(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if d.session(r) != nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	d.showLogin(w, r, http.StatusOK, loginPage{Next: next})
}

func (d *Dashboard) showLogin(w http.ResponseWriter, r *http.Request, status int, body loginPage) {
	cookie, err := r.Cookie(loginCookie)
	if err != nil || len(cookie.Value) < 20 || len(cookie.Value) > 100 {
		cookie = &http.Cookie{Value: rand.Text()}
		setCookie(w, r, loginCookie, cookie.Value, time.Hour)
	}
	p := d.page(w, r, nil, "login.title")
	p.CSRF = d.csrfOf("login", cookie.Value)
	d.show(w, r, status, "login", p, body)
}

// postLogin signs in.
func (d *Dashboard) postLogin(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		d.fail(w, r, nil, err)
		return
	}
	cookie, err := r.Cookie(loginCookie)
	if err != nil || !d.csrfFits("login", cookie.Value, r.PostForm.Get("csrf")) {
		d.fail(w, r, nil, errNoCSRF)
		return
	}
	body := loginPage{Next: localPath(r.PostForm.Get("next"))}
	p := d.printer(d.language(w, r))
	var t *Token
	wait := d.signIns.try(addressOf(r), d.now(), func() bool {
		t = d.token(r.PostForm.Get("token"))
		return t != nil
	})
	switch {
	case wait > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		body.Problem = p.Text("login.too_many")
		d.showLogin(w, r, http.StatusTooManyRequests, body)
	case t == nil:
		body.Problem = p.Text("login.wrong")
		d.showLogin(w, r, http.StatusUnauthorized, body)
	case !mayOpen(t.Role):
		if err := d.auditRefusal(w, r, t, errRole); !errors.Is(err, errRole) {
			d.fail(w, r, nil, err)
			return
		}
		body.Problem = p.Text("login.role")
		d.showLogin(w, r, http.StatusForbidden, body)
	default:
		id, err := d.sessions.open(r.Context(), t)
		if err != nil {
			d.fail(w, r, nil, err)
			return
		}
		noteOf(r).Client = t.Name
		setCookie(w, r, sessionCookie, id, sessionAge)
		setCookie(w, r, loginCookie, "", -time.Second)
		http.Redirect(w, r, body.Next, http.StatusSeeOther)
	}
}

// postLogout ends the session.
func (d *Dashboard) postLogout(w http.ResponseWriter, r *http.Request, s *session) {
	if err := d.sessions.manager.Destroy(s.data); err != nil {
		d.fail(w, r, s, err)
		return
	}
	setCookie(w, r, sessionCookie, "", -time.Second)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// localPath is a path of ours with its query, "/" for anything else: what a link
// brought must not lead to another site.
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\\r\n\t") {
		return "/"
	}
	return text
}
