package reportfile_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"tolem/reportfile"
)

// mustMap is the map of that YAML.
func mustMap(t testing.TB, yaml string) *reportfile.Map {
	t.Helper()
	m, err := reportfile.ParseMap([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// plain is a map for CSV with the columns id, op, sum, cur, and more keys.
func plain(t testing.TB, more ...string) *reportfile.Map {
	t.Helper()
	return mustMap(t, "columns: {payment: id, operation: op, amount: sum, currency: cur}\n"+strings.Join(more, "\n"))
}

func open(t testing.TB, m *reportfile.Map, file string) (*reportfile.Rows, error) {
	t.Helper()
	return reportfile.Open(strings.NewReader(file), int64(len(file)), m)
}

// read returns all that a report says, a text for each line or problem.
func read(t testing.TB, m *reportfile.Map, file string) (lines []string) {
	t.Helper()
	rows, err := open(t, m, file)
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	for {
		row, err := rows.Next()
		switch line := (*reportfile.LineError)(nil); {
		case errors.Is(err, io.EOF):
			return lines
		case errors.As(err, &line):
			lines = append(lines, line.Error())
		case err != nil:
			return append(lines, "error: "+err.Error())
		default:
			lines = append(lines, show(row))
		}
	}
}

// show is a row in short.
func show(r *reportfile.Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s/%s %s %s %d %s", r.Line, r.Payment, r.Operation, r.Type, r.Status, r.Amount, r.Currency)
	for _, f := range []struct {
		name   string
		figure reportfile.Figure
	}{{"fee", r.Fee}, {"net", r.Net}, {"refunded", r.Refunded}, {"reserve", r.Reserve}, {"adjustment", r.Adjustment}} {
		if f.figure.Given {
			fmt.Fprintf(&b, " %s=%d", f.name, f.figure.Amount)
		}
	}
	if !r.Time.IsZero() {
		fmt.Fprintf(&b, " %s", r.Time.Format("2006-01-02T15:04:05Z07:00"))
	}
	if r.Payout != "" {
		fmt.Fprintf(&b, " payout=%s", r.Payout)
	}
	return b.String()
}

// compare says how what was read differs.
func compare(t testing.TB, got []string, want ...string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("line %d of what was read:\n got %s\nwant %s", i+1, g, w)
		}
	}
}
