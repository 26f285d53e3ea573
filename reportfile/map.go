package reportfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"tolem/calendar"
	"tolem/topup"
)

// Format is how a report is written.
type Format string

// The formats that a map may name.
const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
	// JSON is an answer of JetPay's Data API, or several behind each other.
	JSON Format = "json"
)

// Type is what a line of a report is about.
type Type string

// The types that a map may translate a report's own words to. A line whose word
// is not listed has the empty Type.
const (
	Payment        Type = "payment"         // a payer's money
	Refund         Type = "refund"          // all or part of it went back
	RefundReversal Type = "refund_reversal" // a refund that did not take place after all
	Chargeback     Type = "chargeback"      // taken back by the payer's bank
	Fee            Type = "fee"             // a fee without a payment
	Reserve        Type = "reserve"         // held back, or released if negative
	Adjustment     Type = "adjustment"      // a correction or a penalty
	Payout         Type = "payout"          // what the platform paid to the merchant
	Ignore         Type = "ignore"          // of no interest
)

// Status is how an operation ended.
type Status string

// The statuses that a map may translate a report's own words to. A line whose
// word is not listed has the empty Status.
const (
	Paid     Status = "paid"
	Declined Status = "declined"
	Pending  Status = "pending"
)

var (
	types    = []Type{Payment, Refund, RefundReversal, Chargeback, Fee, Reserve, Adjustment, Payout, Ignore}
	statuses = []Status{Paid, Declined, Pending}
)

// column is one of a [Row]'s fields, as the map calls it.
type column int

const (
	colPayment column = iota
	colOperation
	colType
	colStatus
	colAmount
	colCurrency
	colFee
	colNet
	colRefunded
	colReserve
	colAdjustment
	colTime
	colDate
	colPayout
	// Those of bank statements.
	colNumber
	colReference
	colAccount
	colName
	colID
	colCode
	colPurpose
	colIn
	colOut
	colBalance
	columns
)

var columnNames = [columns]string{"payment", "operation", "type", "status", "amount", "currency", "fee", "net",
	"refunded", "reserve", "adjustment", "time", "date", "payout",
	"number", "reference", "account", "name", "id", "code", "purpose", "in", "out", "balance"}

func (c column) String() string { return columnNames[c] }

// Map says how a report is read. It is made by [ParseMap].
type Map struct {
	Format Format

	encoding  string
	separator rune
	decimal   byte
	minor     bool
	layouts   []layout
	zone      *time.Location
	sheet     string
	currency  string // of every line, where there is no such column
	names     [columns][]string
	statement bool     // it is of a bank statement
	header    []string // of a CSV file that has no header line
	negateFee bool
	skip      [columns][]string // folded; one that ends in * matches a beginning
	skips     bool
	types     map[string]Type
	statuses  map[string]Status
}

// Has reports whether the map names a column for that field of a Row, as the
// map's `columns` call it, such as "fee".
func (m *Map) Has(field string) bool {
	i := slices.Index(columnNames[:], field)
	return i >= 0 && len(m.names[i]) > 0
}

// Zone is the time zone of the report's times, for those that carry none.
func (m *Map) Zone() *time.Location { return m.zone }

// mapFile is the YAML of a map.
type mapFile struct {
	Format    string            `yaml:"format"`
	Encoding  string            `yaml:"encoding"`
	Separator string            `yaml:"separator"`
	Decimal   string            `yaml:"decimal"`
	Amounts   string            `yaml:"amounts"`
	Time      texts             `yaml:"time"`
	Timezone  string            `yaml:"timezone"`
	Sheet     string            `yaml:"sheet"`
	Currency  string            `yaml:"currency"`
	Header    []string          `yaml:"header"`
	Columns   map[string]texts  `yaml:"columns"`
	FeeSign   string            `yaml:"fee_sign"`
	Skip      map[string]texts  `yaml:"skip"`
	Types     map[string]string `yaml:"types"`
	Statuses  map[string]string `yaml:"statuses"`
}

// texts is a text or a list of them.
type texts []string

func (t *texts) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.SequenceNode {
		var list []string
		if err := node.Decode(&list); err != nil {
			return err
		}
		*t = list
		return nil
	}
	var text string
	if err := node.Decode(&text); err != nil {
		return err
	}
	*t = texts{text}
	return nil
}

// maxMapBytes bounds a map.
const maxMapBytes = 64 << 10

// ReadMap reads the map in a file.
func ReadMap(path string) (m *Map, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err := io.ReadAll(io.LimitReader(file, maxMapBytes+1))
	if err != nil {
		return nil, err
	}
	if m, err = ParseMap(text); err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return m, nil
}

// ParseMap reads a map. The error names everything that is wrong with it.
func ParseMap(text []byte) (*Map, error) {
	if len(text) > maxMapBytes {
		return nil, fmt.Errorf("is larger than %d bytes: is it a map?", maxMapBytes)
	}
	file := mapFile{
		Format: "csv", Encoding: "utf-8", Separator: ",", Decimal: ".", Amounts: "major",
		Timezone: "UTC", FeeSign: "+",
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("is empty")
		}
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("must be one YAML document")
	}
	return file.compile()
}

// compiler gathers what is wrong with a map.
type compiler struct {
	*Map
	problems []error
}

func (c *compiler) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (f *mapFile) compile() (*Map, error) {
	c := compiler{Map: &Map{
		Format: Format(f.Format), encoding: f.Encoding, sheet: f.Sheet, currency: f.Currency,
		header: f.Header, negateFee: f.FeeSign == "-", minor: f.Amounts == "minor",
	}}
	c.oneOf("format", f.Format, "csv", "xlsx", "json")
	c.oneOf("encoding", f.Encoding, "utf-8", "utf-16", "windows-1251", "auto")
	c.oneOf("decimal", f.Decimal, ".", ",")
	c.oneOf("amounts", f.Amounts, "major", "minor")
	c.oneOf("fee_sign", f.FeeSign, "+", "-")
	if r, size := utf8.DecodeRuneInString(f.Separator); size != len(f.Separator) || size == 0 || strings.ContainsRune("\"\r\n\ufeff\ufffd", r) {
		c.problem("separator: must be one character, and neither a quote nor a line break")
	} else {
		c.separator = r
	}
	if f.Decimal != "" {
		c.decimal = f.Decimal[0]
	}
	var err error
	if f.Timezone == "" || f.Timezone == "Local" {
		c.problem("timezone: must be a name such as UTC or Asia/Almaty")
	} else if c.zone, err = calendar.Load(f.Timezone); err != nil {
		c.problem("timezone: %w", err)
	}
	if f.Sheet != "" && c.Format != XLSX {
		c.problem("sheet: only a report in format xlsx has sheets")
	}
	if len(f.Header) > 0 && c.Format != CSV {
		c.problem("header: only a report in format csv can be without a header line")
	}
	if len(f.Header) > maxColumns {
		c.problem("header: must have at most %d names", maxColumns)
	}
	c.layoutsOf(f.Time)
	c.columnsOf(f.Columns)
	c.skipsOf(f.Skip)
	c.wordsOf(f)
	if len(c.problems) > 0 {
		return nil, errors.Join(c.problems...)
	}
	return c.Map, nil
}

func (c *compiler) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.problem("%s: must be %s; %q is none of them", key, strings.Join(allowed, " or "), value)
	}
}

func (c *compiler) layoutsOf(texts []string) {
	if len(texts) == 0 {
		texts = []string{"%Y-%m-%d %H:%M:%S"}
	}
	for _, text := range texts {
		l, err := newLayout(text)
		if err != nil {
			c.problem("time: %q: %w", text, err)
			continue
		}
		c.layouts = append(c.layouts, l...)
	}
}

func (c *compiler) columnsOf(named map[string]texts) {
	byName := map[string]string{}
	for _, key := range sortedKeys(named) {
		i := slices.Index(columnNames[:], key)
		if i < 0 {
			c.problem("columns: %q is none of %s", key, strings.Join(columnNames[:], ", "))
			continue
		}
		headers := named[key]
		if len(headers) > 1 && column(i) != colFee {
			c.problem("columns: %s must be one column; only fee may be several, which are added", key)
		}
		for _, header := range headers {
			name := fold(header)
			if name == "" {
				c.problem("columns: %s must name a column", key)
			}
			if other, taken := byName[name]; taken && name != "" {
				c.problem("columns: %q is named twice, for %s and %s", header, other, key)
			}
			byName[name] = key
		}
		c.names[i] = headers
	}
	c.statementColumns()
	for _, required := range []column{colPayment, colAmount} {
		if len(c.names[required]) == 0 && !c.statement {
			c.problem("columns: %s is required", required)
		}
	}
	switch hasColumn := len(c.names[colCurrency]) > 0; {
	case !hasColumn && c.currency == "":
		c.problem("columns: currency is required; of a report in one currency that has no such column, name it with currency: KZT beside columns")
	case hasColumn && c.currency != "":
		c.problem("currency: must not be set beside the column currency")
	case c.currency != "" && !topup.KnownCurrency(c.currency):
		c.problem("currency: must be an ISO 4217 code such as KZT")
	}
}

func (c *compiler) skipsOf(skip map[string]texts) {
	for _, key := range sortedKeys(skip) {
		i := slices.Index(columnNames[:], key)
		switch {
		case i < 0:
			c.problem("skip: %q is none of %s", key, strings.Join(columnNames[:], ", "))
			continue
		case len(c.names[i]) == 0:
			c.problem("skip: columns has no %s", key)
		}
		for _, value := range skip[key] {
			c.skip[i] = append(c.skip[i], fold(value))
		}
		c.skips = true
	}
}

func (c *compiler) wordsOf(f *mapFile) {
	c.types, c.statuses = map[string]Type{}, map[string]Status{}
	for _, word := range sortedKeys(f.Types) {
		if !slices.Contains(types, Type(f.Types[word])) {
			c.problem("types: %q: %q is none of %s", word, f.Types[word], join(types))
		}
		if _, twice := c.types[fold(word)]; twice {
			c.problem("types: %q is listed twice", word)
		}
		c.types[fold(word)] = Type(f.Types[word])
	}
	for _, word := range sortedKeys(f.Statuses) {
		if !slices.Contains(statuses, Status(f.Statuses[word])) {
			c.problem("statuses: %q: %q is none of %s", word, f.Statuses[word], join(statuses))
		}
		if _, twice := c.statuses[fold(word)]; twice {
			c.problem("statuses: %q is listed twice", word)
		}
		c.statuses[fold(word)] = Status(f.Statuses[word])
	}
	if len(f.Types) > 0 && len(c.names[colType]) == 0 {
		c.problem("types: columns has no type")
	}
	if len(f.Statuses) > 0 && len(c.names[colStatus]) == 0 {
		c.problem("statuses: columns has no status")
	}
}

func join[T ~string](words []T) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(word))
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// fold is how names and words are compared: without outer blanks, in lower case.
func fold(text string) string { return strings.ToLower(trim(text)) }

// trim takes outer blanks off, those of Unicode too.
func trim(text string) string { return strings.TrimSpace(text) }
