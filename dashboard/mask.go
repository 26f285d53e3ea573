package dashboard

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// shown are the members of providers' messages whose values tell nothing about a
// person. Everything else is masked, so that a member that a provider adds one day
// is not shown by accident.
var shown = []string{
	"project_id", "payment_id", "request_id", "type", "status", "sub_status", "date", "created_date", "updated_date", "expiration_date",
	"method", "widget_method", "amount", "old_amount", "initial_amount", "currency", "code", "lifetime", "result", "is_new_attempts_available",
	"attempts_limit", "eci", "auth_code", "provider_id", "timestamp",
}

// shownBelow are members that are shown only below another one: an operation's id
// is one, a customer's id is a telephone number.
var shownBelow = map[string][]string{
	"payment":   {"id"},
	"operation": {"id"},
	"provider":  {"id"},
}

const mask = "•••"

// maxMasked bounds how much of a message is shown, in bytes.
const maxMasked = 64 << 10

// masked returns a raw message for people to read: indented, in the order in which
// it was sent, with the values of all members masked but for those that tell
// nothing about a person. Of what is no JSON only the length can be told.
func masked(body []byte) (text string, ok bool) {
	var out strings.Builder
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := maskValue(&out, d, "", "", 0); err != nil || d.More() {
		return "", false
	}
	text = out.String()
	if len(text) > maxMasked {
		text = text[:maxMasked]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
		text += "\n…"
	}
	return text, true
}

// maskValue writes the next value of a message; name is its member's and parent the
// one of the object that the member is in.
func maskValue(out *strings.Builder, d *json.Decoder, name, parent string, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return maskMembers(out, d, name, depth)
	case json.Delim('['):
		return maskItems(out, d, name, parent, depth)
	}
	switch value := token.(type) {
	case nil:
		out.WriteString("null")
	case bool:
		writeJSON(out, value)
	case json.Number:
		if isShown(name, parent) {
			out.WriteString(value.String())
			break
		}
		writeJSON(out, mask)
	case string:
		if value != "" && !isShown(name, parent) {
			value = mask
		}
		writeJSON(out, value)
	}
	return nil
}

func maskMembers(out *strings.Builder, d *json.Decoder, name string, depth int) error {
	out.WriteByte('{')
	first := true
	for d.More() {
		member, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := member.(string)
		separate(out, &first, depth+1)
		writeJSON(out, key)
		out.WriteString(": ")
		if err := maskValue(out, d, key, name, depth+1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	end(out, first, depth, '}')
	return err
}

func maskItems(out *strings.Builder, d *json.Decoder, name, parent string, depth int) error {
	out.WriteByte('[')
	first := true
	for d.More() {
		separate(out, &first, depth+1)
		if err := maskValue(out, d, name, parent, depth+1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	end(out, first, depth, ']')
	return err
}

func separate(out *strings.Builder, first *bool, depth int) {
	if !*first {
		out.WriteByte(',')
	}
	*first = false
	out.WriteString("\n" + strings.Repeat("  ", depth))
}

func end(out *strings.Builder, empty bool, depth int, bracket byte) {
	if !empty {
		out.WriteString("\n" + strings.Repeat("  ", depth))
	}
	out.WriteByte(bracket)
}

func isShown(name, parent string) bool {
	return slices.Contains(shown, name) || slices.Contains(shownBelow[parent], name)
}

// writeJSON writes a value as JSON, with the characters that HTML escapes left
// alone: the template escapes them.
func writeJSON(out *strings.Builder, value any) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if e.Encode(value) == nil {
		out.Write(bytes.TrimRight(text.Bytes(), "\n"))
	}
}
