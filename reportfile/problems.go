package reportfile

import (
	"fmt"
	"strings"
)

// MaxProblems bounds how many bad lines are named one by one.
const MaxProblems = 1000

// LineError is what is wrong with one line of a report. Other lines can still be
// read.
type LineError struct {
	Line int // as Row has it
	Unit string
	Err  error
}

// Error leads with the line's number.
func (e *LineError) Error() string { return fmt.Sprintf("%s %d: %s", e.Unit, e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// LineErrors are all that is wrong with the lines of a report.
type LineErrors struct {
	Lines []*LineError // the first MaxProblems
	More  int          // how many there are beside them
}

// Error has a line for each.
func (e *LineErrors) Error() string {
	var b strings.Builder
	for i, line := range e.Lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(line.Error())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %d more", e.More)
	}
	return b.String()
}

// Add takes another problem.
func (e *LineErrors) Add(problem *LineError) {
	if len(e.Lines) < MaxProblems {
		e.Lines = append(e.Lines, problem)
	} else {
		e.More++
	}
}

// Err is e, or nil if nothing is wrong.
func (e *LineErrors) Err() error {
	if len(e.Lines) == 0 {
		return nil
	}
	return e
}
