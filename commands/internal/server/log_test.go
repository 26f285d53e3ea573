package server

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLogTime: the same as by a layout, whatever the moment and its zone.
func TestLogTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", rapid.IntRange(-12*3600, 14*3600).Draw(t, "offset"))
		at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).In(zone)
		if got, want := logTime(at), at.UTC().Format("2006-01-02T15:04:05.000000Z"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func BenchmarkLogTime(b *testing.B) {
	at := time.Date(2026, 11, 20, 8, 0, 0, 123456789, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		_ = logTime(at)
	}
}

func BenchmarkLogTimeByLayout(b *testing.B) {
	at := time.Date(2026, 11, 20, 8, 0, 0, 123456789, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		_ = at.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
}
