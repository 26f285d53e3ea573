package handlers

import (
	"strings"

	"github.com/labstack/echo/v4"

	"tolem/config"
	"tolem/dashboard"
)

// newDashboard makes the pages for people.
func (s *Server) newDashboard(c *config.Config, version string) (*dashboard.Dashboard, error) {
	var banks []string
	for _, b := range c.Banks {
		banks = append(banks, b.Name)
	}
	return dashboard.New(dashboard.Options{
		Store: s.store, Tokens: s.pageTokens, Banks: banks,
		Zone: s.zone, Now: s.now, Version: version,
	})
}

// pageTokens are the tokens that people may sign in with.
func (s *Server) pageTokens() []dashboard.Token {
	tokens := s.settings.Load().tokens
	list := make([]dashboard.Token, len(tokens))
	for i, t := range tokens {
		list[i] = dashboard.Token{Name: t.name, Role: t.role, Hash: t.hash, Expires: t.until}
	}
	return list
}

// routePages routes the pages, each under its own template, which is what the log
// and the metrics name.
func (s *Server) routePages(e *echo.Echo) {
	s.pageRoutes = map[string]bool{}
	template := strings.NewReplacer("{$}", "", "{", ":", "}", "")
	for _, pattern := range dashboard.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		path = template.Replace(path)
		e.Add(method, path, s.page)
		s.pageRoutes[path] = true
	}
}

// page serves a page. It signs people in itself: bearer tokens do not open pages.
func (s *Server) page(c echo.Context) error {
	x := c.(*exchange)
	var note dashboard.Note
	r := x.Request()
	s.pages.ServeHTTP(x.Response(), r.WithContext(dashboard.WithNote(r.Context(), &note)))
	x.client, x.paymentID = note.Client, note.PaymentID
	if note.Failure != nil {
		x.fail(note.Failure)
	}
	return nil
}

// Close ends what the pages do in the background. It is called before the store is
// closed.
func (s *Server) Close() { s.pages.Close() }
