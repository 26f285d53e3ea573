package reportfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"tolem/calendar"
	"tolem/topup"
)

const (
	// maxRowBytes bounds a line of CSV, a row of a sheet's XML without its
	// markup, and an operation of JSON.
	maxRowBytes = 1 << 20
	// maxColumns bounds how many fields a line may have.
	maxColumns = 4096
	// maxHeaderLines is within how many lines the header must be.
	maxHeaderLines = 1000
	// maxIDBytes bounds an id, as in messages.
	maxIDBytes = 255
)

// Row is one line of a report. Amounts are in minor units of Currency.
type Row struct {
	// Line is the number of the line on which it begins, from 1; of a sheet the
	// row's, of JSON the number of the operation in the file.
	Line int
	// Payment and Operation are the ids; each may be empty, both only on lines
	// that are neither a payment nor its refund.
	Payment, Operation string
	// Type and Status are empty if the map does not list TypeText or StatusText.
	// Without such a column every line is a Payment, or Paid.
	Type                 Type
	TypeText, StatusText string
	Status               Status
	// Amount is signed as the report has it. It may be left out on a line that is
	// neither a payment nor its refund, and is not read where Type is empty or
	// Ignore; it is then 0, as all figures.
	Amount   int64
	Currency string
	// Fee is the sum of the fee columns, positive where the platform kept it.
	Fee, Net, Refunded, Reserve, Adjustment Figure
	// Time is zero where the report has none. Date is its day in the map's zone.
	Time   time.Time
	Date   calendar.Day
	Payout string // the id of the payout that the line belongs to
	// Bank is what only a line of a bank statement has.
	Bank BankLine
}

// Figure is an amount that a line may leave out.
type Figure struct {
	Amount int64
	Given  bool
}

// Rows reads a report. It is not safe for concurrent use, but for Read.
type Rows struct {
	m     *Map
	table table
	at    [columns][]int // where the map's columns are
	row   Row
	read  *atomic.Int64
	unit  string
	known map[string]topupCurrency
	days  dayCache
}

// topupCurrency is what is needed of a currency by its code as the report has it.
type topupCurrency struct {
	code   string
	digits int
}

// table gives the lines of a report as fields. All but blank lines are given.
type table interface {
	// next returns a line that is valid until the next. The error is io.EOF, a
	// *LineError, after which reading goes on, or why nothing more can be read.
	next() (line int, fields []field, err error)
	// header is called with the line that is the header.
	header(fields []field)
	close() error
}

// field is a value of a line.
type field struct {
	text string
	kind kind
}

type kind uint8

const (
	text    kind = iota
	number       // of a sheet or JSON
	exact        // a number of JSON, which is no approximation
	iso          // a time of a sheet in ISO 8601
	absent       // a formula of which the file does not have the result
	failure      // an error value of a sheet, such as #N/A
)

// Open reads a report of size bytes by its map. The file must not change
// meanwhile. The error says what the report is not; it is nil if it has a header
// that fits, whatever its lines hold. Close the Rows.
func Open(file io.ReaderAt, size int64, m *Map) (*Rows, error) {
	r := &Rows{m: m, read: new(atomic.Int64), unit: "line", known: map[string]topupCurrency{}}
	counted := &countingReaderAt{file, r.read}
	var err error
	switch m.Format {
	case CSV:
		r.table, err = openCSV(counted, size, m)
	case XLSX:
		err = r.openWorkbook(counted, size)
	case JSON:
		r.unit = "operation"
		r.table, err = openJSON(counted, size, m)
	}
	if err != nil {
		return nil, err
	}
	if m.Format != XLSX { // which has looked for it in all sheets
		find := r.findHeader
		if len(m.header) > 0 {
			find = r.useHeader
		}
		if err := find(r.table); err != nil {
			return nil, errors.Join(err, r.table.close())
		}
	}
	return r, nil
}

// Close ends reading. It does not close the file.
func (r *Rows) Close() error { return r.table.close() }

// Read is how many bytes of the file have been read, for progress. It may be
// called at any time.
func (r *Rows) Read() int64 { return r.read.Load() }

// Each reads all lines. It hands each good one to visit, until one is bad. The
// error is a *LineErrors that names all that are, or that of visit or of reading.
func (r *Rows) Each(ctx context.Context, visit func(*Row) error) error {
	var bad LineErrors
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		row, err := r.Next()
		line := (*LineError)(nil)
		switch {
		case errors.Is(err, io.EOF):
			return bad.Err()
		case errors.As(err, &line):
			bad.Add(line)
			continue
		case err != nil:
			return errors.Join(bad.Err(), err)
		}
		if len(bad.Lines) > 0 {
			continue
		}
		if err := visit(row); err != nil {
			return err
		}
	}
}

// findHeader reads up to the first line that has all named columns.
func (r *Rows) findHeader(t table) error {
	best, bestLine, missing := -1, 0, []string(nil)
	for range maxHeaderLines {
		line, fields, err := t.next()
		bad := (*LineError)(nil)
		if errors.As(err, &bad) {
			// What stands before the header may be anything that can be read.
			if errors.Is(err, errRowTooLong) || errors.Is(err, errTooManyColumns) || errors.Is(err, errEncoding) || errors.Is(err, errWorkbook) {
				return err
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		lacks, err := r.locate(fields)
		if err != nil {
			return &LineError{line, r.unit, err}
		}
		if len(lacks) == 0 {
			t.header(fields)
			return nil
		}
		if found := r.named() - len(lacks); found > best {
			best, bestLine, missing = found, line, lacks
		}
	}
	if best <= 0 {
		return errNoHeader{fmt.Errorf("none of the first %d lines is a header with the columns that the map names (%s); is format, encoding or separator another one?", maxHeaderLines, r.allNames())}
	}
	return errNoHeader{fmt.Errorf("no line has all columns that the map names: %s %d has %d of them, but not %s", r.unit, bestLine, best, strings.Join(missing, ", "))}
}

// useHeader takes the header from the map, for a file that has none.
func (r *Rows) useHeader(t table) error {
	fields := make([]field, len(r.m.header))
	for i, name := range r.m.header {
		fields[i].text = name
	}
	lacks, err := r.locate(fields)
	if err != nil {
		return fmt.Errorf("the map's header: %w", err)
	}
	if len(lacks) > 0 {
		return fmt.Errorf("the map's header lacks %s, which its columns name", strings.Join(lacks, ", "))
	}
	t.header(fields)
	return nil
}

// errNoHeader says that a table is not the report's.
type errNoHeader struct{ error }

func (r *Rows) named() (n int) {
	for _, headers := range r.m.names {
		n += len(headers)
	}
	return n
}

func (r *Rows) allNames() string {
	var all []string
	for _, headers := range r.m.names {
		all = append(all, headers...)
	}
	return strings.Join(all, ", ")
}

// locate finds the map's columns in a line and returns those that it lacks. The
// error is that a named column is there twice.
func (r *Rows) locate(fields []field) (lacks []string, err error) {
	where, twice := make(map[string]int, len(fields)), map[string]bool{}
	for i, f := range fields {
		name := fold(f.text)
		if _, has := where[name]; has {
			twice[name] = true
			continue
		}
		where[name] = i
	}
	var doubled []string
	for c, headers := range r.m.names {
		r.at[c] = r.at[c][:0]
		for _, header := range headers {
			name := fold(header)
			i, has := where[name]
			if !has {
				lacks = append(lacks, header)
				continue
			}
			if twice[name] {
				doubled = append(doubled, header)
			}
			r.at[c] = append(r.at[c], i)
		}
	}
	if len(lacks) == 0 && len(doubled) > 0 {
		return nil, fmt.Errorf("the header has the column %s twice", strings.Join(doubled, ", "))
	}
	return lacks, nil
}

// Next returns the next line, which is valid until the one after. The error is
// io.EOF at the end, a *LineError, after which Next may be called again, or why
// nothing more can be read.
func (r *Rows) Next() (*Row, error) {
	for {
		line, fields, err := r.table.next()
		short := (*errShort)(nil)
		if err != nil && !errors.As(err, &short) {
			return nil, err
		}
		if r.skipped(fields) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := r.parse(line, fields); err != nil {
			return nil, &LineError{line, r.unit, err}
		}
		return &r.row, nil
	}
}

// errShort is of a line with fewer or more fields than the header; its fields are
// given all the same, because it may be one to skip.
type errShort struct{ has, want int }

func (e *errShort) Error() string {
	return fmt.Sprintf("has %d fields, the header %d; is the separator part of a value?", e.has, e.want)
}

// skipped reports whether the map says that a line is no operation.
func (r *Rows) skipped(fields []field) bool {
	if !r.m.skips {
		return false
	}
	for c, values := range r.m.skip {
		if len(values) == 0 {
			continue
		}
		for _, i := range r.at[c] {
			value := ""
			switch {
			case i < len(fields):
				value = trim(fields[i].text)
			case r.m.Format == CSV: // it is cut short, not blank
				continue
			}
			for _, skip := range values {
				if start, open := strings.CutSuffix(skip, "*"); open {
					if strings.HasPrefix(strings.ToLower(value), start) {
						return true
					}
				} else if len(value) == 0 && skip == "" || len(value) > 0 && skip != "" && strings.ToLower(value) == skip {
					return true
				}
			}
		}
	}
	return false
}

// get is a field of the line; a column that is not mapped is blank.
func (r *Rows) get(fields []field, c column) field {
	if at := r.at[c]; len(at) > 0 && at[0] < len(fields) {
		return fields[at[0]]
	}
	return field{}
}

// in says which column a problem is in.
func (r *Rows) in(c column, i int, err error) error {
	return fmt.Errorf("%s %w", r.m.names[c][i], err)
}

func (r *Rows) parse(line int, fields []field) error {
	r.row = Row{Line: line}
	for _, at := range r.at {
		for _, i := range at {
			if i >= len(fields) {
				continue
			}
			switch fields[i].kind {
			case absent:
				return errors.New("has a formula without its result; open the file in a spreadsheet and save it, or have the report written without formulas")
			case failure:
				return fmt.Errorf("has the error value %s", shown(fields[i].text))
			}
		}
	}
	if err := r.words(fields); err != nil {
		return err
	}
	if err := r.times(fields); err != nil {
		return err
	}
	if r.row.Type == "" || r.row.Type == Ignore {
		return nil
	}
	return r.figures(fields)
}

// words reads what is text.
func (r *Rows) words(fields []field) (err error) {
	for _, id := range []struct {
		column column
		to     *string
	}{{colPayment, &r.row.Payment}, {colOperation, &r.row.Operation}, {colPayout, &r.row.Payout}} {
		if *id.to, err = r.id(fields, id.column); err != nil {
			return err
		}
	}
	r.row.Type, r.row.Status = Payment, Paid
	if len(r.at[colType]) > 0 {
		r.row.TypeText = trim(r.get(fields, colType).text)
		r.row.Type = lookUp(r.m.types, r.row.TypeText)
	}
	if len(r.at[colStatus]) > 0 {
		r.row.StatusText = trim(r.get(fields, colStatus).text)
		r.row.Status = lookUp(r.m.statuses, r.row.StatusText)
	}
	switch r.row.Type {
	case Payment, Refund, RefundReversal, Chargeback:
		if r.row.Payment == "" && r.row.Operation == "" && !r.m.statement {
			return errors.New("has the id of neither a payment nor an operation; skip leaves out lines that are no operations")
		}
	}
	return nil
}

func lookUp[T ~string](words map[string]T, word string) T {
	if found, has := words[word]; has {
		return found
	}
	return words[strings.ToLower(word)]
}

func (r *Rows) id(fields []field, c column) (string, error) {
	f := r.get(fields, c)
	id := trim(f.text)
	switch f.kind {
	case number:
		whole, err := wholeNumber(id, 15)
		if err != nil {
			return "", r.in(c, 0, err)
		}
		return whole, nil
	case exact:
		whole, err := wholeNumber(id, 19)
		if err != nil {
			return "", r.in(c, 0, err)
		}
		return whole, nil
	}
	if len(id) > maxIDBytes {
		return "", r.in(c, 0, fmt.Errorf("is longer than %d bytes", maxIDBytes))
	}
	for _, char := range id {
		if char < utf8.RuneSelf {
			if char < ' ' || char == 0x7f {
				return "", r.in(c, 0, fmt.Errorf("has a character that is no part of an id: %s", shown(id)))
			}
		} else if !unicode.IsGraphic(char) || char == utf8.RuneError {
			return "", r.in(c, 0, fmt.Errorf("has a character that is no part of an id: %s", shown(id)))
		}
	}
	return id, nil
}

// times reads the time, of one column or two.
func (r *Rows) times(fields []field) error {
	at, date := r.get(fields, colTime), r.get(fields, colDate)
	hasTime, hasDate := trim(at.text) != "", trim(date.text) != ""
	c := colTime
	if !hasTime {
		at, date, c = date, field{}, colDate
		hasTime, hasDate = hasDate, false
	}
	if !hasTime {
		return nil
	}
	if c == colDate && len(r.at[colTime]) > 0 || c == colTime && len(r.at[colDate]) > 0 && !hasDate {
		return r.in(c, 0, errors.New("is there without its other half: the time is of two columns"))
	}
	var err error
	switch isNumber := at.kind == number || at.kind == exact; {
	case hasDate && isNumber != (date.kind == number || date.kind == exact):
		return r.in(colDate, 0, errors.New("and the time must both be text, or both dates of the spreadsheet"))
	case at.kind == iso && !hasDate:
		r.row.Time, err = r.m.isoTime(trim(at.text))
	case !isNumber && hasDate:
		r.row.Time, err = r.m.instant(trim(date.text) + " " + trim(at.text))
	case !isNumber:
		r.row.Time, err = r.m.instant(at.text)
	default:
		r.row.Time, err = r.serial(at, date)
	}
	if err != nil {
		return r.in(c, 0, fmt.Errorf("%w: %s", err, shown(strings.TrimSpace(date.text+" "+at.text))))
	}
	r.row.Date = r.days.of(r.row.Time, r.m.zone)
	return nil
}

func (r *Rows) serial(at, date field) (time.Time, error) {
	if r.m.Format == JSON {
		return time.Time{}, errors.New("is a number; times are texts")
	}
	days, err := rational(trim(at.text))
	if err != nil {
		return time.Time{}, err
	}
	if date.text != "" {
		day, err := rational(trim(date.text))
		if err != nil {
			return time.Time{}, err
		}
		days = new(big.Rat).Add(days, day)
	}
	sheet, _ := r.table.(*sheetTable)
	return r.m.serialTime(days, sheet != nil && sheet.since1904)
}

// dayCache keeps the last day: the lines of a report are close in time.
type dayCache struct {
	start, end time.Time
	day        calendar.Day
}

func (c *dayCache) of(at time.Time, zone *time.Location) calendar.Day {
	if at.Before(c.start) || !at.Before(c.end) {
		c.day = calendar.DayOf(at, zone)
		c.start, c.end = c.day.Start(zone), c.day.End(zone)
	}
	return c.day
}

// figures reads the currency and what is counted in it.
func (r *Rows) figures(fields []field) error {
	u, err := r.units(fields)
	if err != nil {
		return err
	}
	amount, err := r.figure(fields, colAmount, u)
	if err != nil {
		return err
	}
	r.row.Amount = amount.Amount
	switch r.row.Type {
	case Payment, Refund, RefundReversal, Chargeback:
		if !amount.Given && !r.m.statement {
			return r.in(colAmount, 0, errors.New("must not be empty"))
		}
	}
	for i := range r.at[colFee] {
		fee, err := r.figureAt(fields, colFee, i, u)
		if err != nil {
			return err
		}
		if r.m.negateFee {
			fee.Amount = -fee.Amount
		}
		r.row.Fee.Amount += fee.Amount // of 4096 columns of 15 digits at most
		r.row.Fee.Given = r.row.Fee.Given || fee.Given
	}
	for _, other := range []struct {
		column column
		to     *Figure
	}{{colNet, &r.row.Net}, {colRefunded, &r.row.Refunded}, {colReserve, &r.row.Reserve}, {colAdjustment, &r.row.Adjustment}} {
		if *other.to, err = r.figure(fields, other.column, u); err != nil {
			return err
		}
	}
	if r.m.statement {
		return r.bankLine(fields, u, amount)
	}
	return nil
}

func (r *Rows) units(fields []field) (units, error) {
	code := r.m.currency
	if len(r.at[colCurrency]) > 0 {
		code = r.get(fields, colCurrency).text
	}
	known, has := r.known[code]
	if !has {
		known.code = strings.ToUpper(trim(code))
		if known.code == "" {
			return units{}, r.in(colCurrency, 0, errors.New("must not be empty"))
		}
		if known.digits, has = topup.Digits(known.code); !has {
			return units{}, r.in(colCurrency, 0, fmt.Errorf("%s is no code of ISO 4217", shown(code)))
		}
		if len(r.known) < 1000 {
			r.known[strings.Clone(code)] = known
		}
	}
	r.row.Currency = known.code
	return units{r.m.decimal, r.m.minor, known.digits, known.code}, nil
}

func (r *Rows) figure(fields []field, c column, u units) (Figure, error) {
	if len(r.at[c]) == 0 {
		return Figure{}, nil
	}
	return r.figureAt(fields, c, 0, u)
}

func (r *Rows) figureAt(fields []field, c column, i int, u units) (Figure, error) {
	at := r.at[c][i]
	if at >= len(fields) {
		return Figure{}, nil
	}
	f := fields[at]
	if trim(f.text) == "" {
		return Figure{}, nil
	}
	var amount int64
	var err error
	if f.kind == text {
		amount, err = u.figure(f.text)
	} else {
		amount, err = u.number(trim(f.text), f.kind == exact)
	}
	if err != nil {
		return Figure{}, r.in(c, i, fmt.Errorf("%w: %s", err, shown(f.text)))
	}
	return Figure{amount, true}, nil
}

// countingReaderAt counts what is read.
type countingReaderAt struct {
	io.ReaderAt
	n *atomic.Int64
}

func (r *countingReaderAt) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, at)
	if end := at + int64(n); end > r.n.Load() {
		r.n.Store(end)
	}
	return n, err
}
