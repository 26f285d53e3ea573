package calendar_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tolem/calendar"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := calendar.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// bothWays runs a test with the zone as the system has it, and as it is built
// in: one may list every change, and the other give a rule.
func bothWays(t *testing.T, name string, run func(*testing.T, *time.Location)) {
	t.Run("of the system", func(t *testing.T) { run(t, zone(t, name)) })
	t.Run("built in", func(t *testing.T) {
		loc, ok := calendar.LoadBuiltIn(name)
		if !ok {
			t.Fatalf("%s is not built in", name)
		}
		run(t, loc)
	})
}

func day(t *testing.T, text string) calendar.Day {
	t.Helper()
	d, err := calendar.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestADayBeginsAtTheFirstInstantOfItsDate(t *testing.T) {
	for _, test := range []struct{ name, zone, day, start, end string }{
		{"an ordinary day", "Asia/Almaty", "2026-11-30", "2026-11-29T19:00:00Z", "2026-11-30T19:00:00Z"},
		{"UTC", "UTC", "2026-11-30", "2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"},
		{"clocks go back at midnight", "Asia/Almaty", "2024-02-29", "2024-02-28T18:00:00Z", "2024-02-29T19:00:00Z"},
		{"the day after", "Asia/Almaty", "2024-03-01", "2024-02-29T19:00:00Z", "2024-03-01T19:00:00Z"},
		{"midnight does not exist", "America/Havana", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"the day before", "America/Havana", "2026-03-07", "2026-03-07T05:00:00Z", "2026-03-08T05:00:00Z"},
		{"midnight exists twice", "America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"midnight does not exist", "Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"},
		{"24 hours become 23 again", "Africa/Cairo", "2026-10-29", "2026-10-28T21:00:00Z", "2026-10-29T22:00:00Z"},
		{"back over midnight after a minute", "America/St_Johns", "2009-11-01", "2009-11-01T02:30:00Z", "2009-11-02T03:30:00Z"},
		{"a day that was skipped", "Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"the day before it", "Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"the day after it", "Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"the end of a year", "Asia/Almaty", "2026-12-31", "2026-12-30T19:00:00Z", "2026-12-31T19:00:00Z"},
		{"the end of a leap year", "America/Havana", "2028-12-31", "2028-12-31T05:00:00Z", "2029-01-01T05:00:00Z"},
		{"the end of a leap year in summer", "America/Santiago", "2028-12-31", "2028-12-31T03:00:00Z", "2029-01-01T03:00:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothWays(t, test.zone, func(t *testing.T, loc *time.Location) {
				if got := day(t, test.day).Start(loc).UTC().Format(time.RFC3339); got != test.start {
					t.Errorf("%s %s starts at %s, want %s", test.zone, test.day, got, test.start)
				}
				if got := day(t, test.day).End(loc).UTC().Format(time.RFC3339); got != test.end {
					t.Errorf("%s %s ends at %s, want %s", test.zone, test.day, got, test.end)
				}
			})
		})
	}
}

// Days must neither overlap nor leave a gap, in any zone: each quarter of an hour is in the day that DayOf says, and in
// no other.
func TestEachInstantIsInOneDay(t *testing.T) {
	for _, test := range []struct{ zone, from, to string }{
		{"America/Havana", "2026-01-01", "2026-12-31"},
		{"Africa/Cairo", "2026-01-01", "2026-12-31"},
		{"America/Havana", "2028-12-01", "2029-01-31"},
		{"Asia/Almaty", "2024-02-01", "2024-04-01"},
		{"America/St_Johns", "2009-10-01", "2009-12-01"},
		{"Pacific/Apia", "2011-12-01", "2012-02-01"},
		{"Asia/Beirut", "2022-10-01", "2023-04-30"},
		{"America/Sao_Paulo", "2018-01-01", "2019-03-01"},
		{"America/Scoresbysund", "2024-03-01", "2024-11-30"},
		{"Pacific/Kwajalein", "1993-08-01", "1993-09-01"},
	} {
		bothWays(t, test.zone, func(t *testing.T, loc *time.Location) {
			end := day(t, test.to).Start(loc)
			for at := day(t, test.from).Start(loc); at.Before(end); at = at.Add(15 * time.Minute) {
				d := calendar.DayOf(at, loc)
				if at.Before(d.Start(loc)) || !at.Before(d.End(loc)) {
					t.Fatalf("%s: %s is said to be in %s, which is %s to %s", test.zone, at.UTC(), d, d.Start(loc).UTC(), d.End(loc).UTC())
				}
				if earlier := d.Add(-1); at.Before(earlier.End(loc)) {
					t.Fatalf("%s: %s is in %s and in %s", test.zone, at.UTC(), earlier, d)
				}
			}
		})
	}
}

func TestParseDayTakesDaysOnly(t *testing.T) {
	if got := day(t, "2026-11-30").String(); got != "2026-11-30" {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{"", "2026-11", "2026-02-30", "2026-11-30T00:00:00Z", " 2026-11-30", "30.11.2026", "26-11-30", "0000-01-01", "2026-1-5"} {
		if d, err := calendar.ParseDay(text); !errors.Is(err, calendar.ErrDay) {
			t.Errorf("%q: got %v, %v, want ErrDay", text, d, err)
		}
	}
}

func TestDaysAreOrdered(t *testing.T) {
	a, b := day(t, "2026-11-30"), day(t, "2026-12-01")
	if !a.Before(b) || b.Before(a) || !b.After(a) || a.Next() != b || b.Add(-1) != a || a.Compare(a) != 0 {
		t.Error("2026-11-30 and 2026-12-01 are not in order")
	}
}

func TestZonesAreKnownWithoutTheSystem(t *testing.T) {
	loc, ok := calendar.LoadBuiltIn("Asia/Almaty")
	if !ok {
		t.Fatal("Asia/Almaty is not built in")
	}
	if got := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC).In(loc).Format("-07:00"); got != "+05:00" {
		t.Errorf("Asia/Almaty in March 2024: got %s, want +05:00", got)
	}
	if _, ok := calendar.LoadBuiltIn("Asia/Nowhere"); ok {
		t.Error("Asia/Nowhere is built in")
	}
}

func TestOldZoneDataOfTheSystemAreSeen(t *testing.T) {
	// Almaty as it was told before 2024: +06 for ever.
	old, err := os.ReadFile(filepath.Join("testdata", "Almaty-before-2024"))
	if err != nil {
		t.Fatal(err)
	}
	loc, err := time.LoadLocationFromTZData("Asia/Almaty", old)
	if err != nil {
		t.Fatal(err)
	}
	difference, differs := calendar.Compare(loc)
	if !differs {
		t.Fatal("got no difference")
	}
	if got, want := difference.String(), "from 2024-02-29 on the system has +06:00, this program +05:00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, name := range []string{"Asia/Almaty", "America/Havana", "Africa/Casablanca", "UTC"} {
		builtIn, _ := calendar.LoadBuiltIn(name)
		if difference, differs := calendar.Compare(builtIn); differs {
			t.Errorf("%s: the built-in data differ from themselves: %s", name, difference)
		}
	}
}
