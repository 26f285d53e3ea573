package console

import (
	"encoding/json"
	"fmt"
	"strings"
)

// pageRows is how many rows of a table are laid out together: columns need to
// know their widest cell, and a list may be longer than memory.
const pageRows = 1000

// List prints records as they are read: as a table for people, or as one JSON
// array.
type List struct {
	program *Program
	JSON    bool
	heading []string
	table   *Table
	Count   int
}

// List starts a list.
func (p *Program) List(asJSON bool, heading ...string) *List {
	return &List{program: p, JSON: asJSON, heading: heading}
}

// Add prints one record: value as JSON, or the cells as a row.
func (l *List) Add(value any, cells ...string) error {
	l.Count++
	if l.JSON {
		return l.addJSON(value)
	}
	if l.table == nil {
		l.table = l.program.Table(l.heading...)
	}
	l.table.Row(cells...)
	if l.Count%pageRows == 0 {
		return l.table.Flush()
	}
	return nil
}

func (l *List) addJSON(value any) error {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("  ", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	before := ",\n  "
	if l.Count == 1 {
		before = "[\n  "
	}
	_, err := fmt.Fprint(l.program.Stdio.Out, before, strings.TrimSuffix(text.String(), "\n"))
	return err
}

// End prints what closes the list.
func (l *List) End() error {
	switch {
	case l.JSON && l.Count == 0:
		return l.program.Println("[]")
	case l.JSON:
		return l.program.Println("\n]")
	case l.Count == 0:
		return l.program.Println("none")
	}
	return l.table.Flush()
}
