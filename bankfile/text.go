package bankfile

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// decode is the text of a file whose declared encoding is not believed: banks
// write windows-1251 and call it UTF-8, or the other way round. A file is taken in
// the first encoding in which known returns true: UTF-8 if it is valid, else
// windows-1251, the code page of DOS.
func decode(raw []byte, known func(text string) bool) (string, error) {
	if bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")) {
		text, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(raw)
		return string(text), err
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if utf8.Valid(raw) {
		return string(raw), nil
	}
	for _, page := range []encoding.Encoding{charmap.Windows1251, charmap.CodePage866} {
		text, err := page.NewDecoder().Bytes(raw)
		if err == nil && known(string(text)) {
			return string(text), nil
		}
	}
	return "", errors.New("the file is in no encoding of a bank statement: neither UTF-8 nor windows-1251 nor cp866")
}

// anyKnown is for files whose words are not Russian: the first encoding does.
func anyKnown(string) bool { return true }

// lines are the lines of a text, whatever ends them.
func lines(text string) []string {
	return strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
}
