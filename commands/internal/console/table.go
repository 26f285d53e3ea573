package console

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Table prints rows in columns.
type Table struct{ writer *tabwriter.Writer }

// Table starts a table with a heading.
func (p *Program) Table(heading ...string) *Table {
	t := &Table{tabwriter.NewWriter(p.Stdio.Out, 0, 0, 2, ' ', 0)}
	if len(heading) > 0 {
		t.Row(heading...)
	}
	return t
}

// Row adds a row. A cell that would break the table or the terminal is quoted:
// some texts come from outside.
func (t *Table) Row(cells ...string) {
	for i, cell := range cells {
		cells[i] = Printable(cell)
	}
	fmt.Fprintln(t.writer, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

// RowIf adds a row, unless it would be empty.
func (t *Table) RowIf(name, value string) {
	if value != "" {
		t.Row(name, value)
	}
}

// Flush prints the rows that were added.
func (t *Table) Flush() error {
	if err := t.writer.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// Printable keeps control characters away from a terminal.
func Printable(text string) string {
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	quoted := fmt.Sprintf("%q", text)
	return quoted[1 : len(quoted)-1]
}

// When shows a time to people, in the configured timezone.
func When(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(zone).Format("2006-01-02 15:04:05 -0700")
}
