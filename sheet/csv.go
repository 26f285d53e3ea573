package sheet

import (
	"encoding/csv"
	"io"
)

func (t Table[R]) writeCSV(out io.Writer, fill func(add func(R) error) error) error {
	w := csv.NewWriter(out)
	cells := make([]string, len(t.Columns))
	for i, column := range t.Columns {
		cells[i] = column.Heading
	}
	if err := w.Write(cells); err != nil {
		return err
	}
	err := fill(func(record R) error {
		for i, column := range t.Columns {
			cells[i] = column.Of(record).csvText()
		}
		return w.Write(cells)
	})
	if err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}
