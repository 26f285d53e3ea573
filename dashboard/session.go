package dashboard

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

const (
	sessionCookie  = "tolem_session"
	loginCookie    = "tolem_login"
	languageCookie = "tolem_lang"

	// sessionAge ends a session however busy it is, sessionIdle one that nobody uses.
	sessionAge  = 12 * time.Hour
	sessionIdle = 2 * time.Hour
)

// Names of a session's values.
const (
	valueToken   = "token"
	valueHash    = "hash"
	valueStarted = "started"
	valueUsed    = "used"
	valueFlash   = "flash"
)

// sessions are kept in the memory of this process: they end with it, and behind a
// balancer a person must reach the same process.
type sessions struct {
	manager *scs.SessionManager
	now     func() time.Time
}

func newSessions(now func() time.Time) *sessions {
	m := scs.New()
	m.Store = memstore.NewWithCleanupInterval(10 * time.Minute)
	m.Lifetime = sessionAge
	m.HashTokenInStore = true
	return &sessions{m, now}
}

// session is somebody who has signed in.
type session struct {
	*Token
	id   string // of the session; secret
	data context.Context
}

// open signs in: a new session, whose id is returned.
func (s *sessions) open(ctx context.Context, t *Token) (string, error) {
	data, err := s.manager.Load(ctx, "")
	if err != nil {
		return "", err
	}
	s.manager.Put(data, valueToken, t.Name)
	s.manager.Put(data, valueHash, t.Hash[:])
	s.manager.Put(data, valueStarted, s.now().Unix())
	s.manager.Put(data, valueUsed, s.now().Unix())
	id, _, err := s.manager.Commit(data)
	return id, err
}

// session returns who sends a request, nil for nobody: no session, one that is too
// old, or one whose token is not configured any more.
func (d *Dashboard) session(r *http.Request) *session {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return nil
	}
	m := d.sessions.manager
	data, err := m.Load(r.Context(), cookie.Value)
	if err != nil || !m.Exists(data, valueToken) {
		return nil
	}
	now := d.now()
	used := time.Unix(m.GetInt64(data, valueUsed), 0)
	t := d.tokenOf(m.GetString(data, valueToken), m.GetBytes(data, valueHash))
	if t == nil || now.Sub(time.Unix(m.GetInt64(data, valueStarted), 0)) >= sessionAge || now.Sub(used) >= sessionIdle {
		_ = m.Destroy(data)
		return nil
	}
	if now.Sub(used) > time.Minute { // not with every request
		m.Put(data, valueUsed, now.Unix())
		_, _, _ = m.Commit(data)
	}
	return &session{Token: t, id: cookie.Value, data: data}
}

// Session returns the token with which the sender of a request has signed in to
// the pages, nil for nobody.
func (d *Dashboard) Session(r *http.Request) *Token {
	if s := d.session(r); s != nil {
		return s.Token
	}
	return nil
}

// say keeps a text for the next page of the session.
func (d *Dashboard) say(s *session, text string) {
	d.sessions.manager.Put(s.data, valueFlash, text)
	_, _, _ = d.sessions.manager.Commit(s.data)
}

// said takes that text.
func (d *Dashboard) said(s *session) string {
	text := d.sessions.manager.PopString(s.data, valueFlash)
	if text != "" {
		_, _, _ = d.sessions.manager.Commit(s.data)
	}
	return text
}

// setCookie sets a cookie that scripts do not see and that no other site's page
// makes a browser send.
func setCookie(w http.ResponseWriter, r *http.Request, name, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(age / time.Second), HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: behindTLS(r),
	})
}

// behindTLS reports whether the browser reached us by HTTPS, ourselves or through a
// proxy. Whoever invents the header only keeps his own browser from sending the
// cookie back.
func behindTLS(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// csrfOf is the token that a form of a session, or of the page for signing in,
// must carry.
func (d *Dashboard) csrfOf(purpose, id string) string {
	mac := hmac.New(sha256.New, d.secret)
	mac.Write([]byte(purpose + "\n" + id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (d *Dashboard) csrfFits(purpose, id, presented string) bool {
	return subtle.ConstantTimeCompare([]byte(d.csrfOf(purpose, id)), []byte(presented)) == 1
}

// newKey is a key that a form is sent under, so that it has its effect once.
func newKey() string { return rand.Text() }
