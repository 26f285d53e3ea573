package reportfile

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

const (
	// maxPartBytes bounds a part of a workbook when it is unpacked: a million
	// lines have less.
	maxPartBytes = 2 << 30
	// maxSmallPart bounds the parts that are read as a whole.
	maxSmallPart = 1 << 20
	// maxShared bounds the texts that cells share, which are held in memory.
	maxShared    = 96 << 20
	maxParts     = 10_000
	maxRowXML    = 4 << 20 // of a row, and of a shared text
	maxXMLDepth  = 64
	maxSheets    = 256
	maxSheetRows = 1 << 20
)

var errWorkbook = errors.New("the workbook cannot be read")

// workbook is an opened XLSX file.
type workbook struct {
	parts     map[string]*zip.File
	shared    sharedTexts
	since1904 bool
	sheets    []sheet
}

// sheet is one that has cells and is not hidden.
type sheet struct {
	name, part string
}

// openWorkbook opens the sheet that has the header. Of a workbook's sheets only
// one may have it.
func (r *Rows) openWorkbook(file io.ReaderAt, size int64) error {
	book, err := readWorkbook(file, size)
	if err != nil {
		return err
	}
	var found *sheetTable
	var misses []error
	for _, s := range book.sheets {
		if r.m.sheet != "" && fold(r.m.sheet) != fold(s.name) {
			continue
		}
		t, err := book.open(s)
		if err != nil {
			return err
		}
		err = r.findHeader(t)
		if missing := (errNoHeader{}); errors.As(err, &missing) {
			misses = append(misses, fmt.Errorf("sheet %s: %w", shown(s.name), err))
			if err := t.close(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return errors.Join(fmt.Errorf("sheet %s: %w", shown(s.name), err), t.close())
		}
		if found != nil {
			return errors.Join(fmt.Errorf("the sheets %s and %s both have the columns that the map names: choose one with sheet", shown(found.name), shown(s.name)), t.close(), found.close())
		}
		found = t
	}
	switch {
	case found != nil:
		// A later sheet has moved where the columns are.
		if err := found.close(); err != nil {
			return err
		}
		if found, err = book.open(sheet{found.name, found.part}); err != nil {
			return err
		}
		r.table = found
		return r.findHeader(found)
	case len(misses) > 0:
		return errors.Join(misses...)
	case r.m.sheet != "":
		return fmt.Errorf("the workbook has no sheet %s", shown(r.m.sheet))
	}
	return errors.New("the workbook has no sheet that is not hidden")
}

func readWorkbook(file io.ReaderAt, size int64) (*workbook, error) {
	start := make([]byte, 4)
	if _, err := file.ReadAt(start, 0); err != nil || string(start) != "PK\x03\x04" {
		return nil, errors.New("the file is no XLSX workbook: set another format, or save it as XLSX")
	}
	archive, err := zip.NewReader(file, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errWorkbook, err)
	}
	if len(archive.File) > maxParts {
		return nil, fmt.Errorf("the workbook has more than %d parts", maxParts)
	}
	book := &workbook{parts: map[string]*zip.File{}}
	for _, part := range archive.File {
		name := strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(part.Name, `\`, "/"), "/"))
		if _, twice := book.parts[name]; twice {
			return nil, fmt.Errorf("%w: it has the part %s twice", errWorkbook, shown(part.Name))
		}
		book.parts[name] = part
	}
	if err := book.readSheets(); err != nil {
		return nil, err
	}
	return book, nil
}

// relationships are a part's links by their ids.
type relationships struct {
	Links []struct {
		ID     string `xml:"Id,attr"`
		Type   string `xml:"Type,attr"`
		Target string `xml:"Target,attr"`
	} `xml:"Relationship"`
}

// readSheets reads which sheets there are and what they share.
func (b *workbook) readSheets() error {
	main, err := b.mainPart()
	if err != nil {
		return err
	}
	var book struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string `xml:"name,attr"`
			State string `xml:"state,attr"`
			ID    string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
			Other string `xml:"http://purl.oclc.org/ooxml/officeDocument/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	if err := b.small(main, &book); err != nil {
		return err
	}
	b.since1904 = book.Properties.Date1904 == "1" || book.Properties.Date1904 == "true"
	var links relationships
	if err := b.small(path.Join(path.Dir(main), "_rels", path.Base(main)+".rels"), &links); err != nil {
		return err
	}
	targets := map[string]string{}
	for _, link := range links.Links {
		target := target(main, link.Target)
		switch path.Base(link.Type) {
		case "worksheet":
			targets[link.ID] = target
		case "sharedStrings":
			if err := b.readShared(target); err != nil {
				return err
			}
		}
	}
	if len(book.Sheets) > maxSheets {
		return fmt.Errorf("the workbook has more than %d sheets", maxSheets)
	}
	for _, s := range book.Sheets {
		part, isSheet := targets[s.ID+s.Other]
		if isSheet && s.State != "hidden" && s.State != "veryHidden" {
			b.sheets = append(b.sheets, sheet{s.Name, part})
		}
	}
	return nil
}

// mainPart is the part with the list of sheets.
func (b *workbook) mainPart() (string, error) {
	var links relationships
	if err := b.small("_rels/.rels", &links); err != nil {
		return "", err
	}
	for _, link := range links.Links {
		if path.Base(link.Type) == "officeDocument" {
			return target("", link.Target), nil
		}
	}
	return "", fmt.Errorf("%w: is it one of XLSX?", errWorkbook)
}

// target is the part that a link of another part names.
func target(from, to string) string {
	to = strings.ToLower(strings.ReplaceAll(to, `\`, "/"))
	if absolute, is := strings.CutPrefix(to, "/"); is {
		return path.Clean(absolute)
	}
	return path.Join(path.Dir(from), to)
}

// part opens a part of the workbook.
func (b *workbook) part(name string, most int64) (io.ReadCloser, error) {
	part, has := b.parts[strings.ToLower(name)]
	if !has {
		return nil, fmt.Errorf("%w: the part %s is missing; is it one of XLSX?", errWorkbook, shown(name))
	}
	if part.UncompressedSize64 > uint64(most) {
		return nil, fmt.Errorf("the workbook's part %s has %d bytes when unpacked, at most %d are read: export the report as CSV", shown(name), part.UncompressedSize64, most)
	}
	// archive/zip reads no more than UncompressedSize64 says.
	content, err := part.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errWorkbook, err)
	}
	return content, nil
}

// small reads a part of XML as a whole.
func (b *workbook) small(name string, into any) (err error) {
	content, err := b.part(name, maxSmallPart)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	if err := xml.NewDecoder(content).Decode(into); err != nil {
		return fmt.Errorf("%w: %s: %w", errWorkbook, shown(name), err)
	}
	return nil
}

// tokens are the XML of a part. Neither how long a row is nor how deep it is nested
// makes it hold more than a little.
type tokens struct {
	budget  *budgetReader
	decoder *xml.Decoder
	depth   int
}

func newTokens(content io.Reader) *tokens {
	budget := newBudgetReader(content, maxRowXML, errRowTooLong)
	return &tokens{budget: budget, decoder: xml.NewDecoder(budget)}
}

func (t *tokens) next() (xml.Token, error) {
	token, err := t.decoder.Token()
	switch token.(type) {
	case xml.StartElement:
		if t.depth++; t.depth > maxXMLDepth {
			return nil, fmt.Errorf("its XML is nested deeper than %d", maxXMLDepth)
		}
	case xml.EndElement:
		t.depth--
	}
	return token, err
}

// skip reads up to the end of the element that has begun.
func (t *tokens) skip() error {
	for end := t.depth - 1; t.depth > end; {
		if _, err := t.next(); err != nil {
			return err
		}
	}
	return nil
}

// sharedTexts are the texts that cells name by their number.
type sharedTexts struct {
	text []byte
	ends []uint32
}

func (s *sharedTexts) at(i int) (string, bool) {
	if i < 0 || i >= len(s.ends) {
		return "", false
	}
	start := uint32(0)
	if i > 0 {
		start = s.ends[i-1]
	}
	return string(s.text[start:s.ends[i]]), true
}

// readShared reads the shared texts; those of phonetic hints are left out.
func (b *workbook) readShared(name string) (err error) {
	content, err := b.part(name, maxPartBytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	xmlTokens := newTokens(content)
	inText, phonetic := false, 0
	for {
		token, err := xmlTokens.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: shared texts: %w", errWorkbook, err)
		}
		switch element := token.(type) {
		case xml.StartElement:
			switch element.Name.Local {
			case "t":
				inText = phonetic == 0
			case "rPh":
				phonetic++
			}
		case xml.CharData:
			if inText {
				b.shared.text = append(b.shared.text, element...)
			}
		case xml.EndElement:
			switch element.Name.Local {
			case "t":
				inText = false
			case "rPh":
				phonetic--
			case "si":
				xmlTokens.budget.renew()
				b.shared.ends = append(b.shared.ends, uint32(len(b.shared.text)))
			}
		}
		if len(b.shared.text)+4*len(b.shared.ends) > maxShared {
			return fmt.Errorf("the workbook's texts have more than %d bytes: export the report as CSV", maxShared)
		}
	}
}

// sheetTable reads the rows of a sheet.
type sheetTable struct {
	name, part string
	since1904  bool
	shared     *sharedTexts
	content    io.ReadCloser
	tokens     *tokens
	fields     []field
	value      []byte
	row        int
	inside     bool
	done       error
}

func (b *workbook) open(s sheet) (*sheetTable, error) {
	content, err := b.part(s.part, maxPartBytes)
	if err != nil {
		return nil, err
	}
	return &sheetTable{name: s.name, part: s.part, since1904: b.since1904, shared: &b.shared, content: content, tokens: newTokens(content)}, nil
}

func (t *sheetTable) close() error { return t.content.Close() }

func (t *sheetTable) header([]field) {}

func (t *sheetTable) next() (int, []field, error) {
	for t.done == nil {
		t.tokens.budget.renew()
		found, err := t.nextRow()
		if err == nil && !found {
			if _, err = io.Copy(io.Discard, t.content); err == nil { // with which its checksum is compared
				t.done = io.EOF
				break
			}
		}
		if err == nil {
			err = t.cells()
		}
		if err != nil {
			if line := (*LineError)(nil); errors.As(err, &line) {
				return 0, nil, err
			}
			t.done = io.EOF
			return 0, nil, &LineError{t.row, "line", fmt.Errorf("%w: %w", errWorkbook, ended(err))}
		}
		for _, f := range t.fields {
			if f.kind != text || trim(f.text) != "" {
				return t.row, t.fields, nil
			}
		}
	}
	return 0, nil, t.done
}

// nextRow moves to the next row, and reports whether there is one.
func (t *sheetTable) nextRow() (bool, error) {
	for {
		token, err := t.tokens.next()
		if errors.Is(err, io.EOF) && !t.inside {
			return false, errors.New("the sheet has no cells")
		}
		if err != nil {
			return false, err
		}
		switch element := token.(type) {
		case xml.StartElement:
			switch element.Name.Local {
			case "sheetData":
				t.inside = true
			case "row":
				t.row++
				if number, has := attribute(element, "r"); has {
					n, err := strconv.Atoi(number)
					if err != nil || n < t.row || n > maxSheetRows {
						return false, errors.New("the rows are not in order")
					}
					t.row = n
				}
				return true, nil
			}
		case xml.EndElement:
			if element.Name.Local == "sheetData" {
				return false, nil
			}
		}
	}
}

// cells reads the row's cells. A *LineError is of what one holds.
func (t *sheetTable) cells() error {
	t.fields = t.fields[:0]
	var bad error
	for {
		token, err := t.tokens.next()
		if err != nil {
			return err
		}
		switch element := token.(type) {
		case xml.StartElement:
			if element.Name.Local != "c" {
				if err := t.tokens.skip(); err != nil {
					return err
				}
				continue
			}
			cell, err := t.cell(element)
			if err != nil {
				return err
			}
			if err := t.place(element, cell); err != nil && bad == nil {
				bad = &LineError{t.row, "line", err}
			}
		case xml.EndElement: // of the row
			return bad
		}
	}
}

// place puts a cell where its name says.
func (t *sheetTable) place(element xml.StartElement, cell field) error {
	column := len(t.fields)
	if name, has := attribute(element, "r"); has {
		at, ok := columnOf(name)
		if !ok || at < column {
			return errors.New("has cells that are not in order")
		}
		column = at
	}
	if column >= maxColumns {
		if cell.text == "" {
			return nil
		}
		return errTooManyColumns
	}
	for len(t.fields) < column {
		t.fields = append(t.fields, field{})
	}
	t.fields = append(t.fields, cell)
	return nil
}

// columnOf is the number, from 0, of the column in a cell's name, such as 27 of
// AB12.
func columnOf(name string) (int, bool) {
	column := 0
	for i := range len(name) {
		switch c := name[i] &^ 0x20; {
		case c >= 'A' && c <= 'Z' && i < 3:
			column = column*26 + int(c-'A') + 1
		default:
			return column - 1, i > 0 && name[i] >= '0' && name[i] <= '9'
		}
	}
	return 0, false
}

// cell reads the value of a cell.
func (t *sheetTable) cell(start xml.StartElement) (field, error) {
	t.value = t.value[:0]
	formula, hasValue, phonetic, within := false, false, 0, ""
	for end := t.tokens.depth - 1; t.tokens.depth > end; {
		token, err := t.tokens.next()
		if err != nil {
			return field{}, err
		}
		switch element := token.(type) {
		case xml.StartElement:
			within = element.Name.Local
			formula = formula || within == "f"
			hasValue = hasValue || within == "v" || within == "t"
			if within == "rPh" {
				phonetic++
			}
		case xml.CharData:
			if within == "v" || within == "t" && phonetic == 0 {
				t.value = append(t.value, element...)
			}
		case xml.EndElement:
			if within = ""; element.Name.Local == "rPh" {
				phonetic--
			}
		}
	}
	value := string(t.value)
	if formula && !hasValue {
		return field{kind: absent}, nil
	}
	switch kindOf, _ := attribute(start, "t"); kindOf {
	case "s":
		if !hasValue {
			return field{}, nil
		}
		n, err := strconv.Atoi(trim(value))
		shared, has := t.shared.at(n)
		if err != nil || !has {
			return field{}, errors.New("a cell names a shared text that is not there")
		}
		return field{text: shared}, nil
	case "inlineStr", "str":
		return field{text: value}, nil
	case "e":
		return field{text: value, kind: failure}, nil
	case "d":
		return field{text: value, kind: iso}, nil
	}
	if value == "" {
		return field{}, nil
	}
	return field{text: value, kind: number}, nil
}

func attribute(element xml.StartElement, name string) (string, bool) {
	for _, a := range element.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value, true
		}
	}
	return "", false
}
