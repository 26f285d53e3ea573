package highhelp

import (
	"fmt"
	"time"

	"tolem/signing"
	"tolem/topup"
)

// AlertProject is the id of the project that an alert claims to be of.
func AlertProject(b *signing.Body) string {
	id, _ := b.Lookup("project_id")
	return id.StringValue()
}

// ReadAlert reads an alert (HighHelp, "Status alerts") that was signed with the
// key of a project. It never refuses: what cannot be read is left empty.
func ReadAlert(b *signing.Body, project string) Report {
	at := func(path string) signing.Value {
		v, _ := b.Lookup(path)
		return v
	}
	r := Report{
		ProjectID:   project,
		PaymentID:   at("general:payment_id").StringValue(),
		Status:      at("status:status").StringValue(),
		SubStatus:   at("status:sub_status").StringValue(),
		Description: at("status:status_description").StringValue(),
		Currency:    at("payment_info:currency").StringValue(),
		Method:      firstString(at("payment_info:widget_method"), at("payment_info:method")),
		Type:        at("payment_info:type").StringValue(),
		At:          momentOf(at("payment_info:updated_date"), at("payment_info:created_date")),
	}
	r.Amount, _ = at("payment_info:amount").Integer()
	// The lines may have been signed as another alert's, cut elsewhere: the scheme
	// escapes neither values nor a ':' in a name, which no alert of theirs has. The
	// members that are not read are named as well, since the payment's id could
	// go on into theirs.
	r.MaybeCut = b.HasColonInName() ||
		b.HidesLine("general", "integration", "payment_info", "project_id", "recipient_requisites", "status")
	return r
}

func firstString(values ...signing.Value) string {
	for _, v := range values {
		if text := v.StringValue(); text != "" {
			return text
		}
	}
	return ""
}

// momentOf returns the first time that can be read: Unix seconds, as
// documented, or a date with its zone. Years that no payment is of are taken as
// unreadable.
func momentOf(values ...signing.Value) time.Time {
	for _, v := range values {
		at := topup.ParseDate(v.StringValue())
		if seconds, ok := v.Integer(); ok {
			at = topup.PlausibleDate(time.Unix(seconds, 0))
		}
		if !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

// ReadStoredAlert reads a stored alert anew, for an operator's step. Its signature
// was verified when it arrived. It works without the project's configuration,
// which may be gone.
func ReadStoredAlert(project string, body []byte) (topup.Event, error) {
	b, err := signing.Parse(body)
	if err != nil {
		return topup.Event{}, fmt.Errorf("parse the stored message: %w", err)
	}
	defer b.Release()
	return ReadAlert(b, project).Event(topup.SourceAlert, topup.MaxOverLimit), nil
}

// ReadStoredInfo reads a stored answer to info anew, as [ReadStoredAlert] does.
func ReadStoredInfo(project string, body []byte, receivedAt time.Time) (topup.Event, error) {
	info, err := parseInfo(body)
	if err != nil {
		return topup.Event{}, topup.Conflict("this stored answer cannot be read: %s", err)
	}
	return ReportOf(project, info, receivedAt).Event(topup.SourceInfo, topup.MaxOverLimit), nil
}
