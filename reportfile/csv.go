package reportfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

var errQuote = errors.New("has something behind the quote that ends a field; quotes in a field that begins with one are doubled")

const csvBuffer = 64 << 10

// csvTable reads the lines of a CSV text. A field that begins with a quote ends at
// the next that is not doubled, and may have separators and line breaks; in any
// other field a quote is a character like all.
type csvTable struct {
	text      *bufio.Reader
	separator []byte
	recoded   bool // from another encoding: what that lacks has become U+FFFD
	width     int  // how many fields the header has, 0 before it
	lines     int  // how many were read
	quoted    bool // the text read so far ends within quotes
	cut       []byte
	ends      []int // of the fields in cut
	fields    []field
	done      error
}

func openCSV(file io.ReaderAt, size int64, m *Map) (*csvTable, error) {
	text, recoded, err := openText(file, size, m.encoding)
	if err != nil {
		return nil, err
	}
	return &csvTable{text: bufio.NewReaderSize(text, csvBuffer), separator: []byte(string(m.separator)), recoded: recoded}, nil
}

func (t *csvTable) close() error { return nil }

func (t *csvTable) header(fields []field) {
	t.width = len(fields)
	for t.width > 0 && trim(fields[t.width-1].text) == "" {
		t.width--
	}
}

func (t *csvTable) next() (int, []field, error) {
	for t.done == nil {
		line := t.lines + 1
		t.cut, t.ends = t.cut[:0], t.ends[:0]
		err := t.readRow()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = t.checkText()
		}
		if err != nil {
			return 0, nil, &LineError{line, "line", err}
		}
		if t.isBlank() {
			continue
		}
		t.share()
		if t.width > 0 && !t.fits() {
			return line, t.fields, &LineError{line, "line", &errShort{len(t.ends), t.width}}
		}
		return line, t.fields, nil
	}
	return 0, nil, t.done
}

// readRow cuts the lines of the next row into fields. io.EOF says that there is
// none, or why nothing can be read.
func (t *csvTable) readRow() error {
	size := 0
	for open := true; open; {
		line, err := t.text.ReadSlice('\n')
		if size += len(line); size > maxRowBytes {
			t.done = io.EOF
			return errRowTooLong
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
		case errors.Is(err, bufio.ErrBufferFull):
			if line, err = t.longLine(line); err != nil {
				return err
			}
			size = max(size, len(line))
		case errors.Is(err, io.EOF) && size > 0:
			t.done = io.EOF
			return errors.New("has a quote that is never closed")
		default:
			t.done = err
			return io.EOF
		}
		t.lines++
		if open, err = t.cutLine(line); err != nil {
			return err
		}
	}
	return nil
}

// longLine is a line that does not fit into the buffer.
func (t *csvTable) longLine(start []byte) ([]byte, error) {
	line := append([]byte(nil), start...)
	for {
		part, err := t.text.ReadSlice('\n')
		if line = append(line, part...); len(line) > maxRowBytes {
			t.done = io.EOF
			return nil, errRowTooLong
		}
		if err == nil || errors.Is(err, io.EOF) {
			return line, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			t.done = err
			return nil, io.EOF
		}
	}
}

// cutLine appends the fields of a line, and reports whether it ends within quotes.
func (t *csvTable) cutLine(line []byte) (open bool, err error) {
	for {
		if !t.quoted && len(line) > 0 && line[0] == '"' {
			t.quoted, line = true, line[1:]
		}
		if !t.quoted {
			end := bytes.Index(line, t.separator)
			if end < 0 {
				t.cut = append(t.cut, withoutEnd(line)...)
				return false, t.endField()
			}
			t.cut, line = append(t.cut, line[:end]...), line[end+len(t.separator):]
			if err := t.endField(); err != nil {
				return false, err
			}
			continue
		}
		end := bytes.IndexByte(line, '"')
		if end < 0 {
			t.cut = append(t.cut, line...)
			return true, nil
		}
		t.cut, line = append(t.cut, line[:end]...), line[end+1:]
		if len(line) > 0 && line[0] == '"' {
			t.cut, line = append(t.cut, '"'), line[1:]
			continue
		}
		t.quoted = false
		rest, more := bytes.CutPrefix(line, t.separator)
		switch {
		case !more && len(withoutEnd(line)) > 0:
			return false, errQuote
		case !more:
			return false, t.endField()
		}
		if err := t.endField(); err != nil {
			return false, err
		}
		line = rest
	}
}

func withoutEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

func (t *csvTable) endField() error {
	if len(t.ends) >= maxColumns {
		t.quoted = false
		return errTooManyColumns
	}
	t.ends = append(t.ends, len(t.cut))
	return nil
}

func (t *csvTable) checkText() error {
	if bytes.IndexByte(t.cut, 0) >= 0 {
		return fmt.Errorf("%w: there are zero bytes, as in UTF-16 without its mark, or in what is no text", errEncoding)
	}
	if !utf8.Valid(t.cut) {
		return fmt.Errorf("%w: it is not UTF-8, but perhaps windows-1251", errEncoding)
	}
	if t.recoded && bytes.Contains(t.cut, []byte("\ufffd")) {
		return fmt.Errorf("%w: it has bytes that mean nothing there", errEncoding)
	}
	return nil
}

func (t *csvTable) isBlank() bool {
	return len(bytes.TrimSpace(t.cut)) == 0
}

// share makes the row's fields, which are all parts of one text.
func (t *csvTable) share() {
	row, start := string(t.cut), 0
	t.fields = t.fields[:0]
	for _, end := range t.ends {
		t.fields = append(t.fields, field{text: row[start:end]})
		start = end
	}
}

// fits reports whether a line has the header's fields; empty ones behind them say
// nothing.
func (t *csvTable) fits() bool {
	for i := t.width; i < len(t.fields); i++ {
		if trim(t.fields[i].text) != "" {
			return false
		}
	}
	return len(t.fields) >= t.width
}
