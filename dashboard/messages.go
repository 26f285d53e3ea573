package dashboard

import (
	"net/http"
	"net/url"
	"slices"

	"tolem/store"
	"tolem/topup"
)

type messagesPage struct {
	Open         bool
	Disposition  string
	Q            string
	Dispositions []topup.Disposition
	Messages     []store.StoredMessage
	NextURL      string
	FirstURL     string
	Problem      string
	Detail       string
}

// messages lists the providers' messages, first of all those that somebody must
// deal with.
func (d *Dashboard) messages(w http.ResponseWriter, r *http.Request, s *session) error {
	q := r.URL.Query()
	body := messagesPage{Open: q.Get("open") == "1", Disposition: q.Get("disposition"), Q: q.Get("q"), Dispositions: topup.Dispositions}
	p := d.page(w, r, s, "messages.title")
	p.Section = "messages"
	filter := store.MessageFilter{Open: body.Open, Disposition: topup.Disposition(body.Disposition), Q: body.Q, Cursor: q.Get("cursor"), Limit: pageRows}
	status := http.StatusOK
	list, next, err := d.store.Messages(r.Context(), filter)
	switch {
	case isRefusal(err):
		status = http.StatusUnprocessableEntity
		body.Problem, body.Detail = d.printer(p.Language).Text("payments.refused"), err.Error()
	case err != nil:
		return err
	}
	body.Messages = list
	at := func(cursor string) string {
		v := url.Values{}
		for name, value := range map[string]string{"open": q.Get("open"), "disposition": body.Disposition, "q": body.Q, "cursor": cursor} {
			if value != "" {
				v.Set(name, value)
			}
		}
		return "/messages?" + v.Encode()
	}
	if next != "" {
		body.NextURL = at(next)
	}
	if q.Get("cursor") != "" {
		body.FirstURL = at("")
	}
	d.show(w, r, status, "messages", p, body)
	return nil
}

type messagePage struct {
	Message  store.StoredMessage
	Body     string
	BodyGone bool
	BodyOdd  bool
	MaybeCut bool // from other signed text: nothing of it is believed
	Money    topup.Money
	Steps    []offered
}

// message shows a provider's message, with personal data masked.
func (d *Dashboard) message(w http.ResponseWriter, r *http.Request, s *session) error {
	id, err := positive(r.PathValue("message_id"))
	if err != nil {
		return errNoPage
	}
	m, raw, err := d.store.Message(r.Context(), id)
	if err != nil {
		return err
	}
	body := messagePage{Message: m, BodyGone: raw == nil}
	var readable bool
	body.Body, readable = masked(raw)
	body.BodyOdd = raw != nil && !readable
	paid := false
	if raw != nil {
		if event, err := d.store.ReadStored(m, raw); err == nil {
			body.MaybeCut, body.Money = event.MaybeCut, event.Sum
			paid = event.Outcome == topup.OutcomePaid
		}
	}
	if maySteps(s.Role) {
		unposted := []topup.Disposition{topup.DispositionUnreadable, topup.DispositionForeign, topup.DispositionNoted, topup.DispositionPosted}
		if paid && !body.MaybeCut && slices.Contains(unposted, m.Disposition) {
			body.Steps = append(body.Steps, offered{"suspend", r.URL.Path + "/suspend"})
		}
		if m.Open != "" {
			body.Steps = append(body.Steps, offered{"dismiss", r.URL.Path + "/dismiss"})
		}
	}
	noteOf(r).PaymentID = m.PaymentID
	p := d.page(w, r, s, "message.title", r.PathValue("message_id"))
	p.Section = "messages"
	d.show(w, r, http.StatusOK, "message", p, body)
	return nil
}
