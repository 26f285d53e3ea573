package highhelp

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"tolem/signing"
)

// maxDescription is how many characters of a status_description are kept.
const maxDescription = 1024

// parseAnswer reads the flat block strictly: one JSON object without repeated
// names, texts where there should be texts. Members that are not known are
// passed over. Its errors name members, never content.
func parseAnswer(raw []byte) (Answer, error) {
	r, err := newReader(raw)
	if err != nil {
		return Answer{}, err
	}
	defer r.body.Release()
	answer := r.answer()
	return answer, r.err
}

// parseInfo reads the flat block with the payment. Since money may be credited
// for it, it must say which payment it is about.
func parseInfo(raw []byte) (Info, error) {
	r, err := newReader(raw)
	if err != nil {
		return Info{}, err
	}
	defer r.body.Release()
	info := Info{Answer: r.answer(), Payment: r.payment()}
	if info.PaymentID == "" {
		r.fail("payment_id", "is missing")
	}
	return info, r.err
}

// reader takes members out of an answer and keeps the first thing that is wrong.
type reader struct {
	body *signing.Body
	err  error
}

func newReader(raw []byte) (*reader, error) {
	body, err := signing.Parse(raw)
	if err != nil {
		return nil, err
	}
	if body.Root() != signing.KindObject {
		body.Release()
		return nil, errors.New("it is not a JSON object")
	}
	return &reader{body: body}, nil
}

func (r *reader) answer() Answer {
	a := Answer{
		Status:            r.text("status", maxText),
		SubStatus:         r.text("sub_status", maxText),
		StatusDescription: r.description("status_description"),
		RequestID:         r.text("request_id", maxText),
		ProjectID:         r.text("project_id", maxText),
		PaymentID:         r.text("payment_id", maxText),
		FormURL:           r.text("integration:form_url", maxURL),
		RedirectURL:       r.text("integration:redirect_url", maxURL),
	}
	if a.Status == "" {
		r.fail("status", "is missing")
	}
	return a
}

func (r *reader) payment() PaymentInfo {
	const at = "payment_info:"
	return PaymentInfo{
		Amount:         r.number(at + "amount"),
		OldAmount:      r.number(at + "old_amount"),
		InitialAmount:  r.number(at + "initial_amount"),
		Currency:       r.text(at+"currency", maxText),
		Lifetime:       r.number(at + "lifetime"),
		ExpirationDate: r.number(at + "expiration_date"),
		Method:         r.text(at+"method", maxText),
		WidgetMethod:   r.text(at+"widget_method", maxText),
		Type:           r.text(at+"type", maxText),
	}
}

func (r *reader) fail(path, what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s %s", path, what)
	}
}

// value finds a member that is neither absent nor null.
func (r *reader) value(path string) (signing.Value, bool) {
	value, ok := r.body.Lookup(path)
	return value, ok && value.Kind() != signing.KindNull
}

func (r *reader) text(path string, limit int) string {
	value, ok := r.value(path)
	if !ok {
		return ""
	}
	if value.Kind() != signing.KindString {
		r.fail(path, "is not a text")
		return ""
	}
	if utf8.RuneCount(value.Bytes()) > limit {
		r.fail(path, "is too long")
		return ""
	}
	return value.Text()
}

// description is for people: what is too long is cut, and what is not a text is
// passed over.
func (r *reader) description(path string) string {
	value, ok := r.value(path)
	if !ok || value.Kind() != signing.KindString {
		return ""
	}
	text := []rune(value.Text())
	return string(text[:min(len(text), maxDescription)])
}

// number is a whole number, written as one: 1.0 and 1e3 are none, for money is
// never read through a float.
func (r *reader) number(path string) int64 {
	value, ok := r.value(path)
	if !ok {
		return 0
	}
	number, err := strconv.ParseInt(value.Text(), 10, 64)
	if value.Kind() != signing.KindNumber || err != nil || number < 0 {
		r.fail(path, "is not a whole number")
		return 0
	}
	return number
}
