package commands

import (
	"encoding/json"
	"fmt"
	"strings"
)

// pageRows is how many rows of a table are laid out together: columns need to
// know their widest cell, and a list may be longer than memory.
const pageRows = 1000

// list prints records as they are read: as a table for people, or as one JSON
// array.
type list struct {
	program *program
	json    bool
	heading []string
	table   *table
	n       int
}

// list starts a list.
func (p *program) list(asJSON bool, heading ...string) *list {
	return &list{program: p, json: asJSON, heading: heading}
}

// add prints one record: value as JSON, or the cells as a row.
func (l *list) add(value any, cells ...string) error {
	l.n++
	if l.json {
		return l.addJSON(value)
	}
	if l.table == nil {
		l.table = l.program.table(l.heading...)
	}
	l.table.row(cells...)
	if l.n%pageRows == 0 {
		return l.table.flush()
	}
	return nil
}

func (l *list) addJSON(value any) error {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("  ", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	before := ",\n  "
	if l.n == 1 {
		before = "[\n  "
	}
	_, err := fmt.Fprint(l.program.stdio.Out, before, strings.TrimSuffix(text.String(), "\n"))
	return err
}

// end prints what closes the list.
func (l *list) end() error {
	switch {
	case l.json && l.n == 0:
		return l.program.println("[]")
	case l.json:
		return l.program.println("\n]")
	case l.n == 0:
		return l.program.println("none")
	}
	return l.table.flush()
}
