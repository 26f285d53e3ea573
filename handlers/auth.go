package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tolem/calendar"
	"tolem/config"
)

// token is who may use the admin API. Only the hash is kept here.
type token struct {
	name string
	role string
	hash [sha256.Size]byte

	expires string    // the last day on which it can be used, empty for none
	until   time.Time // the end of that day
}

func (t *token) expired(now time.Time) bool { return t.expires != "" && !now.Before(t.until) }

func newTokens(list []config.Token, zone *time.Location) []token {
	tokens := make([]token, 0, len(list))
	for _, t := range list {
		if t.Token.IsZero() {
			continue
		}
		made := token{name: t.Name, role: t.Role, hash: sha256.Sum256([]byte(t.Token.Reveal())), expires: t.Expires}
		if day, err := calendar.ParseDay(t.Expires); err == nil {
			made.until = day.End(zone)
		}
		tokens = append(tokens, made)
	}
	return tokens
}

// authenticate lets a request through to the open routes, and to all others
// only with a token whose role allows it. It stands before the answer that
// there is no such route: without a token, the API tells nothing of itself.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if isOpen(c.Path()) || s.pageRoutes[c.Path()] {
			return next(c)
		}
		x := c.(*exchange)
		t := x.settings.bearer(c.Request().Header.Get(echo.HeaderAuthorization))
		if t == nil {
			t = s.signedIn(c)
		}
		if t == nil {
			return errNoToken
		}
		x.client, x.role = t.name, t.role
		if t.expired(x.started) {
			x.unread = "the token has expired on " + t.expires
			return errNoToken
		}
		if !mayUse(t.role, c.Request().Method, c.Path()) {
			return errForbidden
		}
		return next(c)
	}
}

// signedIn returns the token that somebody has signed in to the pages with, for
// whom the API can be read in the same browser. It changes nothing that way: no
// other site's page can make a browser do something.
func (s *Server) signedIn(c echo.Context) *token {
	r := c.Request()
	if !isRead(r.Method) || r.Header.Get(echo.HeaderAuthorization) != "" || !strings.HasPrefix(c.Path(), "/api/v1/") {
		return nil
	}
	signed := s.pages.Session(r)
	if signed == nil {
		return nil
	}
	return &token{name: signed.Name, role: signed.Role, hash: signed.Hash}
}

// bearer returns the token that the header carries, or nil. Every token is
// compared, as a hash, so that the time tells nothing about any of them.
func (now *settings) bearer(header string) *token {
	scheme, presented, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(presented)))
	var found *token
	for i := range now.tokens {
		if subtle.ConstantTimeCompare(hash[:], now.tokens[i].hash[:]) == 1 {
			found = &now.tokens[i]
		}
	}
	return found
}
