package handlers

import (
	"strconv"
	"time"

	"tolem/highhelp"
	"tolem/signing"
)

// saidOf reads an alert (HighHelp, "Status alerts") that was signed with the
// key of a project. It never refuses: what cannot be read is left empty.
func saidOf(b *signing.Body, project string) highhelp.Said {
	at := func(path string) signing.Value {
		v, _ := b.Lookup(path)
		return v
	}
	said := highhelp.Said{
		ProjectID:   project,
		PaymentID:   word(at("general:payment_id")),
		Status:      word(at("status:status")),
		SubStatus:   word(at("status:sub_status")),
		Description: word(at("status:status_description")),
		Currency:    word(at("payment_info:currency")),
		Method:      firstWord(at("payment_info:widget_method"), at("payment_info:method")),
		Type:        word(at("payment_info:type")),
		At:          momentOf(at("payment_info:updated_date"), at("payment_info:created_date")),
	}
	said.Amount, _ = amountOf(at("payment_info:amount"))
	// The lines may have been signed as another alert's, cut elsewhere: the scheme
	// escapes neither values nor a ':' in a name, which no alert of theirs has. The
	// members that we do not read are named as well, since the payment's id could
	// go on into theirs.
	said.MaybeCut = b.HasColonInName() ||
		b.HidesLine("general", "integration", "payment_info", "project_id", "recipient_requisites", "status")
	return said
}

func firstWord(values ...signing.Value) string {
	for _, v := range values {
		if text := word(v); text != "" {
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
		if isDigits(v) {
			seconds, err := strconv.ParseInt(string(v.Bytes()), 10, 64)
			if at := time.Unix(seconds, 0).UTC(); err == nil && at.Year() >= 2000 && at.Year() <= 9999 {
				return at
			}
			continue
		}
		if at := dateOf(v); !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}
