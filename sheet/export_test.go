package sheet

import "io"

// WriteBook writes an XLSX file with at most so many rows in a sheet.
func (t Table[R]) WriteBook(out io.Writer, most int, fill func(add func(R) error) error) error {
	return t.writeBook(out, most, fill)
}
