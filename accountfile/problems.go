package accountfile

import (
	"cmp"
	"fmt"
	"slices"
)

// maxLineErrors bounds how many bad lines are reported one by one.
const maxLineErrors = 1000

// LineError is what is wrong with one line of a file. It repeats no value.
type LineError struct {
	Line int // from 1
	Err  error
}

// Error leads with the line's number.
func (e LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e LineError) Unwrap() error { return e.Err }

// LineErrors says which lines of a file are wrong. A file is imported whole or
// not at all: nothing of this one was.
type LineErrors struct {
	Lines []LineError // the first thousand
	More  int64       // how many there are beside them
}

// Error counts the problems and shows the first.
func (e *LineErrors) Error() string {
	if n := int64(len(e.Lines)) + e.More; n > 1 {
		return fmt.Sprintf("%d problems in the file, nothing was imported; the first: %s", n, e.Lines[0])
	}
	return fmt.Sprintf("a problem in the file, nothing was imported: %s", e.Lines[0])
}

// add takes a record's problems, in the order of their lines.
func (e *LineErrors) add(r *Record) {
	slices.SortStableFunc(r.Problems, func(a, b LineError) int { return cmp.Compare(a.Line, b.Line) })
	taken := min(len(r.Problems), maxLineErrors-len(e.Lines))
	e.Lines = append(e.Lines, r.Problems[:taken]...)
	e.More += int64(len(r.Problems)-taken) + r.More
}
