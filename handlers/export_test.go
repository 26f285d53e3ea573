package handlers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/labstack/echo/v4"
)

// Problem returns the status and the broken fields of an admin answer.
func Problem(err error) (status int, detail string, fields []string) {
	p := problemOf(err)
	for _, e := range p.Errors {
		fields = append(fields, e.Field)
	}
	return p.Status, p.Detail, fields
}

// PanickingRequest sends a request to a handler that panics, behind the frame
// of the public listener, and returns the status of the answer.
func PanickingRequest(s *Server, route string) int {
	e := newEcho()
	e.Use(s.observe(listener{name: "public"}))
	e.POST(route, func(echo.Context) error { panic("on purpose") })
	recorder := httptest.NewRecorder()
	e.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, route, nil))
	return recorder.Code
}

// AnswerToCallback returns the HTTP status with which an error of a callback
// is answered.
func AnswerToCallback(err error) (status int, retry bool) {
	a := forProvider(kindCallback, err)
	return a.status, a.retry
}

// PayinHash is the hash under which the idempotency key of a request is kept.
func PayinHash(body []byte) []byte {
	asked, err := bodyOf[payinRequest](body)
	if err != nil {
		panic(err)
	}
	return hashOf(asked)
}

// MaxUnderWay is how many messages of providers are let in at once, MaxLarge how
// many of more than LargeBody bytes.
const (
	MaxUnderWay = maxUnderWay
	MaxLarge    = maxLarge
	LargeBody   = largeBody
)

// LateSeries are the series of providers' routes that were not there from the
// start.
func LateSeries(m *Metrics) (late []string) {
	known := make(map[seriesKey]bool)
	for _, key := range providerSeries() {
		known[key] = true
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for key := range m.series {
		if isProvider(key.route) && !known[key] {
			late = append(late, fmt.Sprintf("route %s, kind %q, outcome %s", key.route, key.kind, key.outcome))
		}
	}
	return late
}

// Routes are the routes of the admin listener and of the merchant's, as method and
// template: "GET /api/v1/payments/{payment_id}".
func Routes(s *Server) (admin, merchant []string) {
	list := func(e *echo.Echo) (routes []string) {
		for _, r := range e.Routes() {
			segments := strings.Split(r.Path, "/")
			for i, segment := range segments {
				if name, ok := strings.CutPrefix(segment, ":"); ok {
					segments[i] = "{" + name + "}"
				}
			}
			routes = append(routes, r.Method+" "+strings.Join(segments, "/"))
		}
		return routes
	}
	return list(s.admin), list(s.merchant)
}

// MaxFollowers is how many requests wait for the feed at the same time, and
// Followers how many do.
const MaxFollowers = maxFollowers

func Followers(s *Server) int { return len(s.follower.waiting) }
