package accountfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

var (
	errQuote     = errors.New("has a quote in the wrong place: quote the whole field and double the quotes in it")
	errLongRow   = fmt.Errorf("a row must be at most %d bytes long; is a quote never closed?", maxRecordBytes)
	errLineBreak = errors.New("has a line break in a field that is no JSON object: is a quote never closed?")
)

// read returns the fields of the next row and the line on which it begins. They
// are valid until the next read. A problem is the row's, an error means that
// nothing more can be read.
//
// A row has several lines when a quoted field has line breaks. One that has a
// problem is taken to be its first line alone: a quote that was left open would
// otherwise hide the rows after it.
func (r *csvReader) read() (line int, fields []string, problem, err error) {
	for {
		line, fields, problem, err = r.readLines()
		if problem != nil || err != nil || !blank(fields) {
			return line, fields, problem, err
		}
	}
}

// blank reports whether fields have nothing in them: spreadsheets write rows of
// separators for rows that were cleared.
func blank(fields []string) bool {
	return !slices.ContainsFunc(fields, func(field string) bool { return strings.TrimSpace(field) != "" })
}

// readLines is read for one row, blank or not.
func (r *csvReader) readLines() (line int, fields []string, problem, err error) {
	for {
		first, err := r.lines.next()
		if err != nil {
			return r.lines.taken + 1, nil, nil, err
		}
		if len(bytes.Trim(first, "\r\n")) > 0 {
			break
		}
		r.lines.take(first)
	}
	line = r.lines.taken + 1
	text, problem, err := r.rowText()
	if err != nil {
		return line, nil, nil, err
	}
	if problem == nil {
		problem = checkUTF8(text)
	}
	if problem == nil {
		fields, problem = r.cutter.cut(text)
	}
	if problem == nil && hasStrayBreak(fields) {
		problem = errLineBreak
	}
	if problem != nil {
		text, err = r.lines.next()
	}
	r.lines.take(text)
	return line, fields, problem, err
}

// rowText returns the lines of the row that begins with the next one: in a row,
// quotes come in pairs.
func (r *csvReader) rowText() (text []byte, problem, err error) {
	start := r.lines.at
	for end, open := start, false; ; {
		next, err := r.lines.end(end)
		if errors.Is(err, io.EOF) {
			return nil, errQuote, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if text = r.lines.held[start:next]; !fits(text) {
			return nil, errLongRow, nil
		}
		if bytes.Count(r.lines.held[end:next], quote)%2 == 1 {
			open = !open
		}
		if !open {
			return text, nil, nil
		}
		end = next
	}
}

var quote = []byte(`"`)

// hasStrayBreak reports whether a field has a line break where none can be:
// only info may have one, which is a JSON object.
func hasStrayBreak(fields []string) bool {
	return slices.ContainsFunc(fields, func(field string) bool {
		if !strings.Contains(field, "\n") {
			return false
		}
		field = strings.TrimSpace(field)
		return !strings.HasPrefix(field, "{") || !strings.HasSuffix(field, "}")
	})
}

// fieldCutter cuts rows into fields.
type fieldCutter struct {
	separator rune // a comma if it is not set
	text      bytes.Reader
	rows      *csv.Reader // reads from text
}

// cut returns the fields of one row. They are valid until the next cut.
func (c *fieldCutter) cut(row []byte) ([]string, error) {
	if c.rows == nil {
		c.rows = csv.NewReader(&c.text)
		if c.separator != 0 {
			c.rows.Comma = c.separator
		}
		c.rows.ReuseRecord = true
		c.rows.FieldsPerRecord = -1 // the caller counts them
	}
	c.text.Reset(row)
	fields, err := c.rows.Read()
	if err == nil {
		return fields, nil
	}
	c.rows = nil // it may hold the rest of this row
	if errors.Is(err, csv.ErrBareQuote) || errors.Is(err, csv.ErrQuote) {
		return nil, errQuote
	}
	return nil, err
}
