package console

import (
	"errors"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"tolem/calendar"
	"tolem/topup"
)

// Condition is the value of a selecting flag. An empty one is refused: a script
// whose variable is empty would get everything.
type Condition string

// Decode is called by kong for a flag that is given.
func (c *Condition) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("value", &text); err != nil {
		return err
	}
	if strings.TrimSpace(text) == "" {
		return errors.New("must not be empty; leave the flag out to select by something else")
	}
	*c = Condition(text)
	return nil
}

// AmountCondition selects by a sum in major units.
type AmountCondition struct{ topup.Major }

// Decode is called by kong for a flag that is given.
func (a *AmountCondition) Decode(ctx *kong.DecodeContext) error {
	var text Condition
	err := text.Decode(ctx)
	if err == nil {
		a.Major, err = topup.ParseMajor(string(text))
	}
	return err
}

// FlagCondition reads the value of --flag.
func FlagCondition(name Condition) (topup.Flags, error) {
	if name == "" {
		return 0, nil
	}
	flag, err := topup.ParseFlag(string(name))
	if err != nil {
		return 0, WrongUsage("--%w", err)
	}
	return flag, nil
}

// RefusedFilter makes wrong usage of what the store refuses in a filter: its
// fields are named as the flags are.
func RefusedFilter(err error) error {
	if refusal := (*topup.Error)(nil); errors.As(err, &refusal) && refusal.Kind == topup.KindInvalid {
		return WrongUsage("--%w", err)
	}
	return err
}

// Span is a period of time on the command line.
type Span struct {
	From Condition `placeholder:"T" help:"From this time: RFC 3339 (2026-11-01T09:30:00+05:00), or a date (2026-11-01), which means the start of that day in the configured timezone."`
	To   Condition `placeholder:"T" help:"Before this time: RFC 3339, or a date, which means the end of that day, so that --from and --to of one date are that day."`
}

// Between reads the span; a zero time is no bound.
func (s Span) Between(zone *time.Location) (from, to time.Time, err error) {
	if from, err = parseTime("--from", string(s.From), zone, calendar.Day.Start); err != nil {
		return from, to, err
	}
	if to, err = parseTime("--to", string(s.To), zone, calendar.Day.End); err != nil {
		return from, to, err
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return from, to, WrongUsage("--from must be before --to")
	}
	return from, to, nil
}

// parseTime reads a time. A date is the edge of that day, its start or its end.
func parseTime(flag, text string, zone *time.Location, edge func(calendar.Day, *time.Location) time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := calendar.ParseDay(text); err == nil {
		return edge(day, zone), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, WrongUsage("%s must be a date such as 2026-11-01 or a time such as 2026-11-01T09:30:00+05:00", flag)
	}
	return at, nil
}
