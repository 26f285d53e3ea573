package dashboard

import (
	"net/http"
	"strings"

	"tolem/calendar"
	"tolem/store"
)

type auditPage struct {
	From, To, Actor string
	Entries         []store.AuditEntry
	NextURL         string
	FirstURL        string
	Problem, Detail string
}

// audit lists who did what.
func (d *Dashboard) audit(w http.ResponseWriter, r *http.Request, s *session) error {
	q := r.URL.Query()
	body := auditPage{From: q.Get("from"), To: q.Get("to"), Actor: strings.TrimSpace(q.Get("actor"))}
	p := d.page(w, r, s, "audit.title")
	p.Section = "audit"
	filter := store.AuditFilter{Actor: body.Actor, Limit: pageRows, Cursor: q.Get("cursor")}
	var err error
	if filter.From, err = d.dayOf("from", body.From, calendar.Day.Start); err == nil {
		filter.To, err = d.dayOf("to", body.To, calendar.Day.End)
	}
	var next string
	if err == nil {
		body.Entries, next, err = d.store.AuditEntries(r.Context(), filter)
	}
	status := http.StatusOK
	if isRefusal(err) {
		status = http.StatusUnprocessableEntity
		body.Problem, body.Detail = d.printer(p.Language).Text("payments.refused"), err.Error()
	} else if err != nil {
		return err
	}
	body.NextURL, body.FirstURL = pageURLs(r, next)
	d.show(w, r, status, "audit", p, body)
	return nil
}
