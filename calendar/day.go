// Package calendar cuts time into the days of a time zone. Everything that speaks of a day (a filter, a report, an
// accounting date) uses it, so that a day is the same stretch of time everywhere.
//
// A day begins at the first instant whose local date is that day, and ends where the next one begins. Midnight will not
// do for that: where clocks go forward at midnight it does not exist (America/Havana, Africa/Cairo), where they go back
// over it there are two, and a zone that has crossed the date line has skipped a whole day (Pacific/Apia 2011-12-30).
package calendar

import (
	"cmp"
	"errors"
	"time"
)

// Day is a date of the calendar, without a zone. The zero Day is no day. Days are comparable with ==.
type Day struct {
	year, month, day int
}

// ErrDay is what [ParseDay] returns for a text that is no day.
var ErrDay = errors.New("must be a day such as 2026-11-30")

// ParseDay reads a day in the form 2026-11-30; the error is [ErrDay].
func ParseDay(text string) (Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return Day{}, ErrDay
	}
	return dayOf(t), nil
}

// DayOf returns the day of the zone in which the instant lies: the one with d.Start(loc) <= t < d.End(loc).
//
// That is the local date of the instant, except for the hour that is repeated when clocks are set back over midnight:
// it belongs to the new day, which has begun before it.
func DayOf(t time.Time, loc *time.Location) Day {
	d := dayOf(t.In(loc))
	for next := d.Next(); !t.Before(next.Start(loc)); next = next.Next() {
		d = next
	}
	return d
}

func dayOf(t time.Time) Day {
	year, month, day := t.Date()
	return Day{year, int(month), day}
}

// IsZero reports whether d is the zero Day.
func (d Day) IsZero() bool { return d == Day{} }

// String is the day in the form that ParseDay reads; empty for the zero Day.
func (d Day) String() string {
	if d.IsZero() {
		return ""
	}
	return d.utc().Format(time.DateOnly)
}

// Compare is negative if d is before other, 0 if they are the same day, else positive.
func (d Day) Compare(other Day) int {
	return cmp.Or(cmp.Compare(d.year, other.year), cmp.Compare(d.month, other.month), cmp.Compare(d.day, other.day))
}

// Before reports whether d is an earlier day than other.
func (d Day) Before(other Day) bool { return d.Compare(other) < 0 }

// After reports whether d is a later day than other.
func (d Day) After(other Day) bool { return d.Compare(other) > 0 }

// Add returns the day that is so many days later on the calendar, or earlier.
func (d Day) Add(days int) Day { return dayOf(d.utc().AddDate(0, 0, days)) }

// Next returns the following day of the calendar.
func (d Day) Next() Day { return d.Add(1) }

// utc is the day's midnight on a clock that never changes.
func (d Day) utc() time.Time {
	return time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC)
}

// End returns the start of the next day: the first instant that is no longer part of the day. A day that the zone has
// skipped ends where it begins.
func (d Day) End(loc *time.Location) time.Time { return d.Next().Start(loc) }

// beyondOffsets is more than any zone was ever away from UTC.
const beyondOffsets = 48 * time.Hour

// Start returns the first instant of the day in the zone. Of a day that the zone has skipped it is the start of the
// next day that exists.
func (d Day) Start(loc *time.Location) time.Time {
	midnight := d.utc()
	// In each stretch of one offset the day could begin at one place only. The first stretch that reaches this place
	// has the start: there, or, if clocks were put forward past it, where the stretch begins.
	stretch := midnight.Add(-beyondOffsets).In(loc)
	for {
		_, offset := stretch.Zone()
		start := midnight.Add(-time.Duration(offset) * time.Second).In(loc)
		end := stretchEnd(stretch)
		switch {
		case !start.After(stretch):
			return stretch
		case end.IsZero() || start.Before(end):
			return start
		}
		stretch = end
	}
}

// stretchEnd is where the offset of t may change next; the zero time if it never does.
//
// ZoneBounds ends years at latest, and leap years a day too early: on their last day its end is not after t (Go 1.26,
// in zones whose clocks change by a rule). No clocks change on that day by a rule, so an hour is a step that misses
// nothing.
func stretchEnd(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		return t.Add(time.Hour)
	}
	return end
}
