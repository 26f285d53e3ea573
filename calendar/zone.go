package calendar

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"time"
)

// zoneinfo is the database of time zones that comes with Go, as lib/time/zoneinfo.zip. It can be opened here, unlike
// the copy in time/tzdata, which Go does not use when the system has one.
//
//go:generate sh -c "cp \"$(go env GOROOT)/lib/time/zoneinfo.zip\" zoneinfo.zip"
//go:embed zoneinfo.zip
var zoneinfo []byte

// Load returns the zone of that IANA name: the system's, or the one of ZONEINFO, as in all programs of Go; where there
// is none, as in an empty container, the built-in one.
func Load(name string) (*time.Location, error) {
	loc, err := time.LoadLocation(name)
	if err == nil {
		return loc, nil
	}
	if builtIn, ok := loadBuiltIn(name); ok {
		return builtIn, nil
	}
	return nil, err
}

// loadBuiltIn returns the zone of that name as this program knows it.
func loadBuiltIn(name string) (*time.Location, bool) {
	archive, err := zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return nil, false
	}
	file, err := archive.Open(name)
	if err != nil {
		return nil, false
	}
	defer file.Close() // read only, from memory
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, false
	}
	loc, err := time.LoadLocationFromTZData(name, data)
	return loc, err == nil
}

// Difference is where two sources of zone data first disagree.
type Difference struct {
	At              time.Time
	System, BuiltIn string // the offsets, such as +06:00
}

func (d Difference) String() string {
	return fmt.Sprintf("from %s on the system has %s, this program %s", d.At.UTC().Format(time.DateOnly), d.System, d.BuiltIn)
}

// The years in which zone data are compared. Before them there are no books; later rules are guesses.
var (
	compareFrom = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	compareTo   = time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Compare looks for an instant at which a zone that was loaded has another offset than the built-in data say. One of
// the two is then outdated; the files have no version, so only the operator can find out which.
func Compare(loaded *time.Location) (first Difference, differs bool) {
	builtIn, ok := loadBuiltIn(loaded.String())
	if !ok {
		return Difference{}, false
	}
	for t := compareFrom; t.Before(compareTo); {
		const layout = "-07:00"
		expected, actual := t.In(builtIn), t.In(loaded)
		if a, b := actual.Format(layout), expected.Format(layout); a != b {
			return Difference{At: t, System: a, BuiltIn: b}, true
		}
		t = compareTo
		for _, end := range []time.Time{stretchEnd(expected), stretchEnd(actual)} {
			if !end.IsZero() && end.Before(t) {
				t = end
			}
		}
	}
	return Difference{}, false
}
