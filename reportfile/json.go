package reportfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxJSONDepth bounds how deep an operation is nested.
const maxJSONDepth = 32

var errOperationTooLong = fmt.Errorf("an operation must be at most %d bytes long", maxRowBytes)

// jsonTable reads the operations of the Data API's answers. A column's name is
// that of a member, or names joined by points.
type jsonTable struct {
	budget  *budgetReader
	decoder *jsontext.Decoder
	names   map[string]int // folded, of all columns of the map
	header_ []field
	fields  []field
	begun   bool
	inside  bool // the decoder is in the array of operations
	object  bool // which is a member of an object
	taken   int
	done    error
}

func openJSON(file io.ReaderAt, size int64, m *Map) (*jsonTable, error) {
	text, _, err := openText(file, size, "utf-8")
	if err != nil {
		return nil, err
	}
	t := &jsonTable{names: map[string]int{}}
	for _, headers := range m.names {
		for _, header := range headers {
			t.names[fold(header)] = len(t.header_)
			t.header_ = append(t.header_, field{text: header})
		}
	}
	t.fields = make([]field, len(t.header_))
	// The decoder asks for as much as its buffer takes, which grows with a value.
	t.budget = newBudgetReader(bufio.NewReader(text), 2*maxRowBytes, errOperationTooLong)
	t.decoder = jsontext.NewDecoder(t.budget)
	return t, nil
}

func (t *jsonTable) close() error { return nil }

func (t *jsonTable) header([]field) {}

func (t *jsonTable) next() (int, []field, error) {
	if !t.begun { // the map's names are the header
		t.begun = true
		return 0, t.header_, nil
	}
	if t.done != nil {
		return 0, nil, t.done
	}
	t.budget.renew()
	if err := t.enter(); err != nil {
		t.done = err
		return 0, nil, err
	}
	t.taken++
	value, err := t.decoder.ReadValue()
	if err != nil {
		t.done = io.EOF
		return 0, nil, &LineError{t.taken, "operation", fmt.Errorf("cannot be read: %w", ended(err))}
	}
	if len(value) > maxRowBytes {
		return 0, nil, &LineError{t.taken, "operation", errOperationTooLong}
	}
	clear(t.fields)
	if err := t.flatten(value); err != nil {
		return 0, nil, &LineError{t.taken, "operation", err}
	}
	return t.taken, t.fields, nil
}

// enter moves on to the next operation, into the next answer if need be. The error
// is io.EOF behind the last.
func (t *jsonTable) enter() error {
	for {
		if t.inside && t.decoder.PeekKind() != ']' {
			return nil
		}
		if err := t.move(); err != nil {
			return err
		}
	}
}

// move takes one step of what is around the operations.
func (t *jsonTable) move() error {
	t.budget.renew()
	token, err := t.decoder.ReadToken()
	if err != nil {
		if errors.Is(err, io.EOF) && t.decoder.StackDepth() == 0 {
			return io.EOF
		}
		return fmt.Errorf("the report is no JSON that can be read: %w", ended(err))
	}
	switch kind := token.Kind(); {
	case t.inside: // at its end
		t.inside = false
	case kind == '[' && t.decoder.StackDepth() == 1:
		t.inside = true
	case kind == '{' && t.decoder.StackDepth() == 1:
		t.object = true
	case kind == '}' && t.decoder.StackDepth() == 0:
		if t.object {
			return errors.New("an answer has no member operations: is it an error of the Data API, or another report?")
		}
	case kind == '"' && t.decoder.StackDepth() == 1:
		return t.member(token.String())
	default:
		return errors.New("the report must have answers of the Data API: objects with the member operations")
	}
	return nil
}

// member reads a member of an answer.
func (t *jsonTable) member(name string) error {
	if name != "operations" {
		if err := t.decoder.SkipValue(); err != nil {
			return fmt.Errorf("the report's member %s cannot be read: %w", shown(name), ended(err))
		}
		return nil
	}
	token, err := t.decoder.ReadToken()
	if err != nil {
		return fmt.Errorf("the report's operations cannot be read: %w", ended(err))
	}
	if token.Kind() != '[' {
		return errors.New("the report's member operations must be an array")
	}
	t.inside, t.object = true, false
	return nil
}

// ended says in words that a text ends too early, or not at all.
func ended(err error) error {
	if errors.Is(err, errOperationTooLong) {
		return errOperationTooLong
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the file ends in it")
	}
	return err
}

// flatten takes what the map names out of an operation.
func (t *jsonTable) flatten(value jsontext.Value) error {
	if value.Kind() != '{' {
		return errors.New("must be an object")
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	var path []string
	for {
		token, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		depth := decoder.StackDepth()
		switch token.Kind() {
		case '{':
			if depth > maxJSONDepth {
				return fmt.Errorf("is nested deeper than %d", maxJSONDepth)
			}
			path = append(path, "")
			continue
		case '}':
			path = path[:len(path)-1]
			continue
		}
		if kind, n := decoder.StackIndex(depth); kind != '{' || n%2 == 0 {
			return errors.New("cannot be read")
		}
		path[len(path)-1] = fold(token.String())
		if decoder.PeekKind() == '{' {
			continue
		}
		if err := t.take(decoder, strings.Join(path, ".")); err != nil {
			return err
		}
	}
}

// take reads the value of a member that is no object.
func (t *jsonTable) take(decoder *jsontext.Decoder, path string) error {
	at, named := t.names[path]
	if !named {
		return decoder.SkipValue()
	}
	if decoder.PeekKind() == '[' {
		return fmt.Errorf("%s is an array", t.header_[at].text)
	}
	token, err := decoder.ReadToken()
	if err != nil {
		return err
	}
	if t.fields[at].text != "" {
		return fmt.Errorf("%s is there twice", t.header_[at].text)
	}
	switch token.Kind() {
	case '"':
		t.fields[at] = field{text: strings.Clone(token.String())}
	case '0':
		t.fields[at] = field{text: strings.Clone(token.String()), kind: exact}
	case 'n':
	default:
		return fmt.Errorf("%s must be a text or a number", t.header_[at].text)
	}
	return nil
}
