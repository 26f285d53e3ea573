package reconcile

import (
	"errors"
	"time"

	"tolem/calendar"
	"tolem/reportfile"
)

// maxUnlisted bounds the words for types and statuses that a map does not list.
const maxUnlisted = 1000

var (
	// ErrUnlisted is what [Report.Take] returns for a report whose map fits to
	// something else.
	ErrUnlisted = errors.New("has more than 1000 words for types and statuses that the map does not list: are the right columns mapped?")
	// ErrNoTimes is what [Report.Spans] returns when nothing says of which days the
	// report is.
	ErrNoTimes = errors.New("the report has no times: say from which day to which it is")
	// ErrNoInterval is ErrNoTimes when only one of the two days was given, and the
	// report has none for the other.
	ErrNoInterval = errors.New("the report has no times within the interval: give both its first and its last day")
)

// Report is what is known of a platform's report when its lines have been read.
type Report struct {
	Lines       int            // about a payment
	First, Last calendar.Day   // of those that have a time
	Unlisted    map[string]int // lines of a type or status that the map does not list, by its word
}

// Take counts a line, and reports whether it is about a payment: such lines are
// compared ([LineOf], [Run.Add]).
func (r *Report) Take(row *reportfile.Row) (about bool, err error) {
	unlisted := func(word string) {
		if r.Unlisted == nil {
			r.Unlisted = map[string]int{}
		}
		r.Unlisted[word]++
	}
	switch row.Type {
	case "":
		unlisted("type " + row.TypeText)
		return false, nil
	case reportfile.Payment, reportfile.Refund, reportfile.RefundReversal, reportfile.Chargeback:
	default:
		return false, nil
	}
	if row.Status == "" {
		unlisted("status " + row.StatusText)
	}
	if len(r.Unlisted) > maxUnlisted {
		return false, ErrUnlisted
	}
	r.Lines++
	if !row.Date.IsZero() {
		if r.First.IsZero() || row.Date.Before(r.First) {
			r.First = row.Date
		}
		if r.Last.IsZero() || row.Date.After(r.Last) {
			r.Last = row.Date
		}
	}
	return true, nil
}

// Spans are the interval that is asked for, days of the books' zone, and the days
// that the report covers: in its own zone those that are asked for, and all that it
// has lines of. A zero day is the report's own.
func (r *Report) Spans(from, to calendar.Day, zone, reports *time.Location) (asked, covered Span, err error) {
	if !r.First.IsZero() {
		covered = Days(r.First, r.Last, reports)
	}
	asked = covered
	if !from.IsZero() || !to.IsZero() {
		if from.IsZero() {
			from = r.First
		}
		if to.IsZero() {
			to = r.Last
		}
		if from.IsZero() || to.IsZero() || to.Before(from) {
			return asked, covered, ErrNoInterval
		}
		asked = Days(from, to, zone)
		covered = covered.Hull(Days(from, to, reports))
	}
	if asked.From.Equal(asked.To) {
		return asked, covered, ErrNoTimes
	}
	return asked, covered, nil
}

// Days is the interval of some days, both included.
func Days(first, last calendar.Day, zone *time.Location) Span {
	return Span{From: first.Start(zone), To: last.End(zone)}
}
