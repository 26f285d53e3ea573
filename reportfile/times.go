package reportfile

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/ncruces/go-strftime"
)

// layout is a way to write times.
type layout struct {
	text  string // as package time has it
	zoned bool   // a time carries its own zone
}

// newLayout reads a layout of strftime. It gives several where one of strftime
// takes more than one of package time does: days without a leading zero, and
// zones with and without a colon.
func newLayout(text string) ([]layout, error) {
	// A fraction behind the seconds is read without being in the layout.
	text = strings.ReplaceAll(strings.ReplaceAll(text, ".%f", ""), ".%L", "")
	switch {
	case text == "":
		return nil, errors.New("must not be empty")
	case strings.Contains(text, "%Z"):
		return nil, errors.New("names of zones are ambiguous; use %z for an offset, or timezone")
	case (strings.Contains(text, "%I") || strings.Contains(text, "%l")) && !strings.Contains(strings.ToLower(text), "%p"):
		return nil, errors.New("an hour of 12 needs %p")
	}
	padded, err := strftime.Layout(text)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if err := wholeDate(padded); err != nil {
		return nil, err
	}
	texts := []string{padded}
	if strings.Contains(padded, "-0700") || strings.Contains(padded, "-07:00") {
		plain := strings.ReplaceAll(padded, "-07:00", "-0700")
		texts = []string{strings.ReplaceAll(plain, "-0700", "Z07:00"), strings.ReplaceAll(plain, "-0700", "Z0700")}
	}
	var all []layout
	for _, t := range texts {
		all = append(all, layout{t, strings.Contains(t, "Z07")})
	}
	for _, t := range texts {
		if packed.MatchString(notDate.Replace(t)) {
			break // without zeros it could not be said where a number ends
		}
		if short := withoutZeros.Replace(t); short != t {
			all = append(all, layout{short, strings.Contains(t, "Z07")})
		}
	}
	return all, nil
}

// notDate leaves of a layout what its date and time are made of: a year is Y.
var notDate = strings.NewReplacer("2006", "Y", "06", "Y", "15", "33", "Z07:00", "", "Z0700", "", "-07:00", "", "-0700", "")

// packed is of numbers that nothing separates.
var packed = regexp.MustCompile(`[0-9Y]{3,}`)

// wholeDate refuses a layout that leaves a part of the date open.
func wholeDate(layout string) error {
	date := notDate.Replace(layout)
	switch {
	case !strings.Contains(date, "2"):
		return errors.New("has no day")
	case !strings.Contains(date, "Jan") && !strings.Contains(date, "1") && !strings.Contains(date, "002"):
		return errors.New("has no month")
	case !strings.Contains(date, "Y"):
		return errors.New("has no year")
	}
	return nil
}

// withoutZeros makes leading zeros optional. Layouts have no digits of their own.
var withoutZeros = strings.NewReplacer("2006", "2006", "002", "002", "01", "1", "02", "2", "03", "3", "04", "4", "05", "5", "07:00", "07:00", "0700", "0700")

// instant reads a time by the map's layouts.
func (m *Map) instant(text string) (time.Time, error) {
	text = trim(text)
	for _, l := range m.layouts {
		if at, err := time.ParseInLocation(l.text, text, m.zone); err == nil {
			if at.Year() < 1970 || at.Year() > 9999 {
				return time.Time{}, errors.New("is a time before 1970")
			}
			return at, nil
		}
	}
	return time.Time{}, errors.New("is no time as the map's time says")
}

// isoTime reads a time as sheets may have it, whatever the map's layouts are.
func (m *Map) isoTime(text string) (time.Time, error) {
	for _, l := range []string{"2006-01-02T15:04:05", time.RFC3339, time.DateOnly} {
		if at, err := time.ParseInLocation(l, text, m.zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New("is no time")
}

// serialTime is the time of a spreadsheet's number: days since the end of 1899,
// or since the start of 1904, in the map's zone.
func (m *Map) serialTime(days *big.Rat, since1904 bool) (time.Time, error) {
	millis := roundHalfUp(new(big.Rat).Mul(days, big.NewRat(86_400_000, 1)))
	epoch := time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC)
	if since1904 {
		epoch = time.Date(1904, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	if !millis.IsInt64() || millis.Sign() < 0 || millis.Int64() > 300_000_000_000_000 {
		return time.Time{}, errors.New("is a number that is no date")
	}
	// A millisecond more or less is the number's, not the report's.
	ms := millis.Int64()
	if off := ms % 1000; off <= 5 {
		ms -= off
	} else if off >= 995 {
		ms += 1000 - off
	}
	wall := epoch.AddDate(0, 0, int(ms/86_400_000)).Add(time.Duration(ms%86_400_000) * time.Millisecond)
	if wall.Year() < 1970 {
		return time.Time{}, errors.New("is a date before 1970")
	}
	return time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), m.zone), nil
}
