package accountfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

// sniffed is how much of a file's start is looked at to tell what it is.
const sniffed = 4096

// foreign are files that people take for CSV or JSON lines, by their first
// bytes, and what to do about each.
var foreign = []struct{ start, what string }{
	{"PK\x03\x04", "an Excel workbook (.xlsx) or another ZIP archive, whatever its name says; open it and save it as \"CSV UTF-8\""},
	{"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls), whatever its name says; open it and save it as \"CSV UTF-8\""},
	{"\xff\xfe\x00\x00", "UTF-32; save it as UTF-8"},
	{"\x00\x00\xfe\xff", "UTF-32; save it as UTF-8"},
	{"\x1f\x8b", "compressed with gzip; unpack it first"},
	{"%PDF", "a PDF document; export the table as \"CSV UTF-8\""},
	{`{\rtf`, "an RTF document; export the table as \"CSV UTF-8\""},
	{"<", "an HTML or XML page, whatever its name says; open it in a spreadsheet and save it as \"CSV UTF-8\""},
}

// PlainText reads a whole file that people made with a spreadsheet, as import
// does: as UTF-8 without a byte order mark. A file that is no such text is called
// by its name.
func PlainText(file io.Reader) ([]byte, error) {
	text, err := plainText(file)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(text)
}

// Separator finds out what separates the fields of a CSV text, as import does: it
// is what a first line such as sep=; says, which is left out of the rest, or what
// the header has most of.
func Separator(text []byte) (separator rune, rest []byte) {
	line, after, _ := bytes.Cut(text, []byte("\n"))
	first := strings.TrimRight(string(line), "\r")
	if declared, found := strings.CutPrefix(strings.ToLower(strings.Trim(first, `"`)), "sep="); found {
		if c, size := utf8.DecodeRuneInString(declared); strings.ContainsRune(separators, c) && strings.Trim(declared[size:], separators) == "" {
			return c, after
		}
	}
	return mostFrequentSeparator(first), text
}

// plainText returns the text of a file as UTF-8 without a byte order mark, with
// lines that end in a line feed. A file that is no such text is called by its
// name.
func plainText(file io.Reader) (*bufio.Reader, error) {
	raw := bufio.NewReaderSize(file, 64<<10)
	start, _ := raw.Peek(sniffed) // a shorter file is no error
	for _, f := range foreign {
		if bytes.HasPrefix(bytes.TrimLeft(start, " \t\r\n\ufeff"), []byte(f.start)) {
			return nil, fmt.Errorf("the file is %s", f.what)
		}
	}
	var text io.Reader = raw
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		_, _ = raw.Discard(3) // was seen
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		text = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(raw)
	case bytes.IndexByte(start, 0) >= 0:
		return nil, errors.New("the file has zero bytes: it is UTF-16 without a byte order mark, or no text at all; save it as UTF-8, or as UTF-16 with the mark")
	}
	return bufio.NewReaderSize(&lineFeeds{bufio.NewReaderSize(text, 64<<10)}, 64<<10), nil
}

// lineFeeds turns a carriage return that no line feed follows into a line feed:
// spreadsheets of the Macintosh end lines so.
type lineFeeds struct{ text *bufio.Reader }

func (l *lineFeeds) Read(p []byte) (int, error) {
	n, err := l.text.Read(p)
	for i, c := range p[:n] {
		if c != '\r' {
			continue
		}
		next := p[i+1 : n]
		if len(next) == 0 {
			next, _ = l.text.Peek(1) // at the end of the file there is none
		}
		if len(next) == 0 || next[0] != '\n' {
			p[i] = '\n'
		}
	}
	return n, err
}

// checkUTF8 says what text that is not UTF-8 seems to be.
func checkUTF8(text []byte) error {
	if utf8.Valid(text) {
		return nil
	}
	var high, cyrillic int
	for _, c := range text {
		switch {
		case c >= 0xc0: // А to я
			cyrillic++
			high++
		case c >= 0x80:
			high++
		}
	}
	if cyrillic*4 >= high*3 {
		return errors.New("is not UTF-8 but, as it seems, windows-1251: save the file as \"CSV UTF-8\"")
	}
	return errors.New("is not UTF-8: save the file as \"CSV UTF-8\"")
}
