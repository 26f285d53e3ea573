package accountfile

import (
	"bytes"
	"fmt"

	"tolem/topup"
)

// jsonlReader reads one JSON object a line.
type jsonlReader struct{ lines lineReader }

func (r *jsonlReader) next() (*Record, error) {
	for {
		line, err := r.lines.next()
		if err != nil {
			return nil, err
		}
		r.lines.take(line)
		record := &Record{Line: r.lines.taken}
		if !fits(line) {
			record.AddProblem(fmt.Errorf("must be at most %d bytes long", maxRecordBytes))
			return record, nil
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := checkUTF8(line); err != nil {
			record.AddProblem(err)
			return record, nil
		}
		var problems []error
		record.Account, problems = topup.ParseRecord(line)
		for _, p := range problems {
			record.AddProblem(p)
		}
		return record, nil
	}
}
