package topup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxInfoDepth bounds how deep objects and arrays may nest in a contract's
	// info, the info object itself counted. Inside a verify answer three levels
	// more stand around it, and a signed message may have 32 in all.
	MaxInfoDepth = 24
	// MaxContracts bounds the contracts of one record.
	MaxContracts = 1000
	// maxShownName bounds how much of an unknown member's name is repeated.
	maxShownName = 40
)

// ParseRecord decodes one account record: the JSON object that is imported and
// that the admin API takes. It is strict: unknown and duplicate members, values
// of another type than documented, null, invalid UTF-8 and anything after the
// object are problems. Ids and numbers of contracts are JSON strings only, and
// amounts integers without fraction or exponent.
//
// Problems are errors of KindInvalid that name the field and repeat no value.
// What the values themselves must be is for [Account.Check], to be asked after
// the customer's id has been normalised.
func ParseRecord(data []byte) (Account, []error) {
	var a Account
	if !utf8.Valid(data) {
		return a, []error{Invalid("record", "must be valid UTF-8")}
	}
	p := recordParser{dec: jsontext.NewDecoder(bytes.NewBuffer(data))}
	err := p.object("record", "", func(member string) error { return p.accountMember(&a, member) })
	if err == nil {
		err = p.end()
	}
	if err != nil {
		p.problems = append(p.problems, syntaxProblem(err))
	}
	return a, p.problems
}

// CompactInfo checks a contract's info, one JSON object of bounded depth with
// valid UTF-8 and without duplicate names, and returns a copy without
// insignificant white space. Key order and the text of numbers and strings
// stay as they are.
func CompactInfo(info []byte) (json.RawMessage, error) {
	value := jsontext.Value(bytes.Clone(info))
	if !value.IsValid() || value.Kind() != '{' {
		return nil, errors.New("must be a JSON object, without duplicate names")
	}
	if depth(value) > MaxInfoDepth {
		return nil, fmt.Errorf("must not be nested deeper than %d levels", MaxInfoDepth)
	}
	if err := value.Compact(); err != nil {
		return nil, errors.New("must be a JSON object, without duplicate names")
	}
	return json.RawMessage(value), nil
}

// recordParser walks a record once and collects what is wrong with it. Its
// methods return an error only when the JSON itself is broken, which ends the
// walk.
type recordParser struct {
	dec      *jsontext.Decoder
	problems []error
}

func (p *recordParser) report(field, format string, args ...any) {
	p.problems = append(p.problems, Invalid(field, format, args...))
}

func (p *recordParser) accountMember(a *Account, member string) (err error) {
	switch member {
	case "customer_id":
		a.CustomerID, err = p.text(member)
	case "additional_customer_id":
		a.AdditionalCustomerID, err = p.text(member)
	case "currency":
		a.Currency, err = p.text(member)
	case "closed":
		a.Closed, err = p.boolean(member)
	case "entities":
		a.Contracts, err = p.contracts()
	default:
		err = p.unknown("", member)
	}
	return err
}

func (p *recordParser) contracts() ([]Contract, error) {
	var contracts []Contract
	if ok, err := p.expect("entities", '[', "a list"); !ok {
		return nil, err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	for n := 0; p.dec.PeekKind() != ']'; n++ {
		if n >= MaxContracts {
			if n == MaxContracts {
				p.report("entities", "must have at most %d entries", MaxContracts)
			}
			if err := p.dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		var c Contract
		prefix := fmt.Sprintf("entities[%d]", n)
		err := p.object(prefix, prefix+".", func(member string) error { return p.contractMember(&c, prefix+".", member) })
		if err != nil {
			return nil, err
		}
		contracts = append(contracts, c)
	}
	_, err := p.dec.ReadToken()
	return contracts, err
}

func (p *recordParser) contractMember(c *Contract, prefix, member string) (err error) {
	switch member {
	case "id":
		c.ID, err = p.text(prefix + member)
	case "number":
		c.Number, err = p.text(prefix + member)
	case "payment":
		c.Payment, err = p.amount(prefix + member)
	case "min_payment":
		c.MinPayment, err = p.amount(prefix + member)
	case "info":
		c.Info, err = p.info(prefix + member)
	case "closed":
		c.Closed, err = p.boolean(prefix + member)
	default:
		err = p.unknown(prefix, member)
	}
	return err
}

// object reads an object and hands each member's name to read, which must
// consume the value.
func (p *recordParser) object(field, prefix string, read func(member string) error) error {
	if ok, err := p.expect(field, '{', "a JSON object"); !ok {
		return err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() != '}' {
		name, err := p.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := read(name.String()); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// expect reports whether a value of that kind comes next; one of another kind
// is reported and skipped.
func (p *recordParser) expect(field string, kind jsontext.Kind, what string) (bool, error) {
	next := p.dec.PeekKind()
	if next == kind {
		return true, nil
	}
	// A value that cannot even be read is the syntax error alone.
	if err := p.dec.SkipValue(); err != nil {
		return false, err
	}
	p.report(field, "must be %s", what)
	return false, nil
}

func (p *recordParser) text(field string) (string, error) {
	if ok, err := p.expect(field, '"', "a string"); !ok {
		return "", err
	}
	token, err := p.dec.ReadToken()
	if err != nil {
		return "", err
	}
	return token.String(), nil
}

func (p *recordParser) boolean(field string) (bool, error) {
	if p.dec.PeekKind() == 'f' {
		_, err := p.dec.ReadToken()
		return false, err
	}
	if ok, err := p.expect(field, 't', "true or false"); !ok {
		return false, err
	}
	_, err := p.dec.ReadToken()
	return err == nil, err
}

func (p *recordParser) amount(field string) (*int64, error) {
	if ok, err := p.expect(field, '0', "an integer number of minor units"); !ok {
		return nil, err
	}
	text, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	amount, err := ParseAmount(string(text))
	if err != nil {
		p.report(field, "%s", err)
		return nil, nil
	}
	return &amount, nil
}

// ParseAmount reads an integer number of minor units as records have it:
// digits, perhaps after a minus, without leading zeros, fraction or exponent.
// Its range is for [Account.Check].
func ParseAmount(text string) (int64, error) {
	amount, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(amount, 10) != text {
		return 0, errors.New("must be an integer number of minor units, without fraction or exponent")
	}
	return amount, nil
}

func (p *recordParser) info(field string) (json.RawMessage, error) {
	if ok, err := p.expect(field, '{', "a JSON object"); !ok {
		return nil, err
	}
	value, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	info, err := CompactInfo(value)
	if err != nil {
		p.report(field, "%s", err)
		return nil, nil
	}
	return info, nil
}

func (p *recordParser) unknown(prefix, member string) error {
	p.report(prefix+shownName(member), "is not a member of an account record")
	return p.dec.SkipValue()
}

// end refuses anything after the record.
func (p *recordParser) end() error {
	if p.dec.PeekKind() == 0 {
		if _, err := p.dec.ReadToken(); err != nil && !isEnd(err) {
			return err
		}
		return nil
	}
	p.report("record", "must be one JSON object with nothing after it")
	return nil
}

func isEnd(err error) bool {
	syntax := (*jsontext.SyntacticError)(nil)
	return !errors.As(err, &syntax)
}

// syntaxProblem says where the JSON is broken, without repeating its text.
func syntaxProblem(err error) error {
	syntax := (*jsontext.SyntacticError)(nil)
	if !errors.As(err, &syntax) {
		return Invalid("record", "must be one complete JSON object")
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return Invalid(fieldAt(syntax.JSONPointer), "must not appear twice")
	}
	return Invalid("record", "is not valid JSON, at byte %d", syntax.ByteOffset+1)
}

// fieldAt writes a JSON pointer as field names are written elsewhere:
// entities[0].id.
func fieldAt(pointer jsontext.Pointer) string {
	var field strings.Builder
	for token := range pointer.Tokens() {
		switch {
		case field.Len() > 0 && isIndex(token):
			field.WriteString("[" + token + "]")
			continue
		case field.Len() > 0:
			field.WriteByte('.')
		}
		field.WriteString(shownName(token))
	}
	if field.Len() == 0 {
		return "record"
	}
	return field.String()
}

func isIndex(token string) bool {
	_, err := strconv.ParseUint(token, 10, 16)
	return err == nil
}

// shownName is a member's name as far as a message repeats it: a name from
// outside may be of any length and hold anything.
func shownName(name string) string {
	if len(name) <= maxShownName && isPlain(name) {
		return name
	}
	quoted := strconv.QuoteToASCII(name)
	if len(quoted) > maxShownName {
		quoted = quoted[:maxShownName] + `..."`
	}
	return quoted
}

func isPlain(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i] | 0x20
		if (c < 'a' || c > 'z') && (name[i] < '0' || name[i] > '9') && name[i] != '_' {
			return false
		}
	}
	return name != ""
}

// depth returns how deep objects and arrays nest in valid JSON.
func depth(valid []byte) int {
	level, deepest, inString := 0, 0, false
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}
