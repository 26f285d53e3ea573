package accountfile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// csvColumns are the columns of a CSV file, those that it must have first.
var csvColumns = []string{customerColumn, "additional_customer_id", "currency", "entity_id", "number", "payment", "min_payment", "info",
	closedColumn, contractClosedColumn}

// closedColumn and contractClosedColumn say that an account, or a contract, is
// closed.
const closedColumn, contractClosedColumn = "closed", "entity_closed"

const csvRequired = 5

// readHeader reads what the columns are and what separates them.
func (r *csvReader) readHeader() *LineError {
	if problem := r.readSeparator(); problem != nil {
		return problem
	}
	line, header, problem, err := r.read()
	if errors.Is(err, io.EOF) {
		return &LineError{1, errors.New("the header is missing")}
	}
	if err = errors.Join(problem, err); err != nil {
		return &LineError{line, err}
	}
	r.width = len(header)
	names := columnNames(header)
	if len(names) == 1 && !slices.Contains(csvColumns, names[0]) {
		return &LineError{line, errors.New("is no header whose columns are separated by commas, semicolons or tabs")}
	}
	columns := make(map[string]int, len(names))
	for i, name := range names {
		if !slices.Contains(csvColumns, name) {
			return &LineError{line, fmt.Errorf("column %d is none of %s", i+1, strings.Join(csvColumns, ","))}
		}
		if _, twice := columns[name]; twice {
			return &LineError{line, fmt.Errorf("column %s appears twice", name)}
		}
		columns[name] = i
	}
	for _, name := range csvColumns[:csvRequired] {
		if _, has := columns[name]; !has {
			return &LineError{line, fmt.Errorf("column %s is missing", name)}
		}
	}
	r.columns = columns
	return nil
}

// columnNames are the names in a header, in the spelling of csvColumns. Empty
// ones at its end, which a spreadsheet writes for columns that were cleared, are
// left out.
func columnNames(header []string) []string {
	names := make([]string, 0, len(header))
	for _, name := range header {
		names = append(names, strings.ToLower(strings.TrimSpace(name)))
	}
	for len(names) > 1 && names[len(names)-1] == "" {
		names = names[:len(names)-1]
	}
	return names
}

// readSeparator finds out what separates fields: what a first line such as sep=;
// says, which spreadsheets write for each other, else what the header has most
// of.
func (r *csvReader) readSeparator() *LineError {
	for {
		line, err := r.lines.next()
		if err != nil {
			return nil // the header's reader says so
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			r.lines.take(line)
			continue
		}
		declared, found := strings.CutPrefix(strings.ToLower(strings.Trim(text, `"`)), "sep=")
		if !found {
			r.cutter.separator = mostFrequentSeparator(text)
			return nil
		}
		r.lines.take(line)
		c, size := utf8.DecodeRuneInString(declared)
		if strings.ContainsRune(separators, c) && strings.Trim(declared[size:], separators) == "" {
			r.cutter.separator = c
			return nil
		}
		return &LineError{r.lines.taken, errors.New("sep= must name a comma, a semicolon, a tab or a vertical bar")}
	}
}

// separators are what can separate fields, the most usual first.
const separators = ",;\t|"

func mostFrequentSeparator(header string) rune {
	counts := make(map[rune]int)
	quoted := false
	for _, c := range header {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			counts[c]++
		}
	}
	best := rune(separators[0])
	for _, c := range separators {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}
