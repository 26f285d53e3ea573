package accountfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lineReader reads lines, and holds those that are still needed. A line that is
// longer than a record may be is held in part, which is longer still.
type lineReader struct {
	file  *bufio.Reader
	held  []byte // whole lines, each with its end but for the file's last
	at    int    // where in held the next line begins
	taken int    // how many lines came before it
}

// end returns where a line of held ends that begins at from, and reads it first
// if it is not held. io.EOF says that there is none.
func (r *lineReader) end(from int) (int, error) {
	if from < len(r.held) {
		if n := bytes.IndexByte(r.held[from:], '\n'); n >= 0 {
			return from + n + 1, nil
		}
		return len(r.held), nil
	}
	for {
		part, err := r.file.ReadSlice('\n')
		r.held = append(r.held, part...)
		if len(r.held)-from > maxRecordBytes+1 {
			r.held = append(r.held[:from+maxRecordBytes+1], '\n')
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(r.held) > from:
			return len(r.held), nil
		default:
			return len(r.held), err
		}
	}
}

// next returns the next line, without taking it. It is valid until more is read.
func (r *lineReader) next() ([]byte, error) {
	switch {
	case r.at == len(r.held):
		r.held, r.at = r.held[:0], 0
	case r.at > maxRecordBytes:
		r.held = append(r.held[:0], r.held[r.at:]...)
		r.at = 0
	}
	end, err := r.end(r.at)
	return r.held[r.at:end], err
}

// take moves on past the given lines.
func (r *lineReader) take(lines []byte) {
	r.at += len(lines)
	r.taken += max(1, bytes.Count(lines, lineEnd))
}

var lineEnd = []byte("\n")

// fits reports whether a record is not too long. The end of its last line is
// not counted.
func fits(record []byte) bool { return len(bytes.TrimSuffix(record, lineEnd)) <= maxRecordBytes }
