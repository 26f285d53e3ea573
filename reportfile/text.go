package reportfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

var (
	errRowTooLong     = fmt.Errorf("a line must be at most %d bytes long; is a quote never closed?", maxRowBytes)
	errTooManyColumns = fmt.Errorf("a line must have at most %d fields", maxColumns)
	errEncoding       = errors.New("the text is in another encoding than the map says")
)

// foreign are files that are no text, by their first bytes.
var foreign = []struct{ start, what string }{
	{"PK\x03\x04", "a workbook (XLSX) or another ZIP archive: set format: xlsx, or unpack it"},
	{"\xd0\xcf\x11\xe0", "an old workbook (XLS): save it as XLSX or CSV"},
	{"\xff\xfe\x00\x00", "UTF-32: save it as UTF-8"},
	{"\x00\x00\xfe\xff", "UTF-32: save it as UTF-8"},
	{"\x1f\x8b", "compressed with gzip: unpack it first"},
	{"%PDF", "a PDF document: ask for CSV or XLSX"},
}

// openText returns the text of a file as UTF-8 without a byte order mark, and
// whether it was in another encoding.
func openText(file io.ReaderAt, size int64, encoding string) (text io.Reader, recoded bool, err error) {
	start := make([]byte, 4)
	n, err := file.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	start = start[:n]
	if n == 0 {
		return nil, false, errors.New("the file is empty")
	}
	for _, f := range foreign {
		if bytes.HasPrefix(start, []byte(f.start)) {
			return nil, false, fmt.Errorf("the file is %s", f.what)
		}
	}
	utf16 := bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff"))
	utf8mark := bytes.HasPrefix(start, []byte("\xef\xbb\xbf"))
	whole := io.NewSectionReader(file, 0, size)
	guessed := encoding == "auto"
	if guessed {
		switch {
		case utf16:
			encoding = "utf-16"
		case utf8mark:
			encoding = "utf-8"
		default:
			if encoding, err = guessEncoding(io.NewSectionReader(file, 0, size)); err != nil {
				return nil, false, err
			}
		}
	}
	switch {
	case utf16 && encoding != "utf-16":
		return nil, false, errors.New("the file is UTF-16: set encoding: utf-16")
	case utf8mark && encoding != "utf-8":
		return nil, false, errors.New("the file has the mark of UTF-8: set encoding: utf-8")
	}
	switch encoding {
	case "utf-16":
		if !utf16 {
			return nil, false, errors.New("the file does not begin with the byte order mark of UTF-16: set another encoding, or save it with the mark")
		}
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(whole), true, nil
	case "windows-1251":
		if wrong, err := looksUTF8(io.NewSectionReader(file, 0, size)); err != nil {
			return nil, false, err
		} else if wrong && !guessed {
			return nil, false, errors.New("the file is UTF-8: set encoding: utf-8")
		}
		return charmap.Windows1251.NewDecoder().Reader(whole), true, nil
	}
	if utf8mark {
		return io.NewSectionReader(file, 3, size-3), false, nil
	}
	return whole, false, nil
}

// guessEncoding reads a file without a mark: text that is valid UTF-8 is that,
// and all other is windows-1251, as banks of the region write it.
func guessEncoding(file io.Reader) (string, error) {
	buffered := bufio.NewReaderSize(file, 64<<10)
	for {
		part, err := buffered.Peek(buffered.Size())
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return "", err
		}
		valid := validPrefix(part)
		if rest := len(part) - valid; rest >= utf8.UTFMax || last && rest > 0 {
			return "windows-1251", nil
		}
		if last {
			return "utf-8", nil
		}
		if _, err := buffered.Discard(valid); err != nil {
			return "", err
		}
	}
}

// looksUTF8 reports whether the beginning of a file is UTF-8 that is not ASCII alone.
// In windows-1251 two letters may look like one of UTF-8, but hardly all of a text.
func looksUTF8(file io.Reader) (bool, error) {
	start := make([]byte, 64<<10)
	n, err := io.ReadFull(file, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	text := start[:n]
	if n == len(start) {
		text = text[:validPrefix(text)]
	}
	long := len(text) - utf8.RuneCount(text) // 1 for each letter of two bytes
	return long >= 3 && utf8.Valid(text), nil
}

// validPrefix is how many bytes of text are valid UTF-8, in blocks and then at the
// end rune by rune.
func validPrefix(text []byte) int {
	if utf8.Valid(text) {
		return len(text)
	}
	for end := len(text); end > 0 && len(text)-end < utf8.UTFMax; end-- {
		if utf8.RuneStart(text[end-1]) && utf8.Valid(text[:end-1]) && !utf8.FullRune(text[end-1:]) {
			return end - 1
		}
	}
	return 0
}

// budgetReader reads a text of which only so much may be taken before it is
// renewed: what reads a line through it cannot be made to hold a longer one.
type budgetReader struct {
	text io.Reader
	left int
	full int
	err  error
}

func newBudgetReader(text io.Reader, full int, err error) *budgetReader {
	return &budgetReader{text, full, full, err}
}

func (r *budgetReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, r.err
	}
	n, err := r.text.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

func (r *budgetReader) renew() { r.left = r.full }
