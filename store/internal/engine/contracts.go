package engine

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"

	"tolem/topup"
)

// decodeContracts reads contracts that topup.AppendContracts has written.
func decodeContracts(text string) (contracts []topup.Contract, err error) {
	if contracts, ok := readContracts(text); ok {
		return contracts, nil
	}
	err = jsonv2.Unmarshal([]byte(text), &contracts)
	return contracts, err
}

// readContracts does without reflection what decodeContracts does, for texts of
// just the form that topup.AppendContracts writes, without escapes, which is what there
// is: it takes a third of the time, and saves 1.4 % of the instructions of a top-up,
// in the writer's transaction. It reports whether it could.
func readContracts(text string) (contracts []topup.Contract, ok bool) {
	s := scanner(text)
	if !s.skip("[") || s == "]" {
		return nil, false
	}
	contracts = make([]topup.Contract, 0, strings.Count(text, `{"id":`))
	for {
		var c topup.Contract
		if !s.contract(&c) {
			return nil, false
		}
		contracts = append(contracts, c)
		if s == "]" {
			return contracts, true
		}
		if !s.skip(",") {
			return nil, false
		}
	}
}

// scanner is what is left of a text to read. Its methods report whether it
// begins with what they are about, and go on behind that.
type scanner string

func (s *scanner) skip(prefix string) bool {
	rest, found := strings.CutPrefix(string(*s), prefix)
	*s = scanner(rest)
	return found
}

func (s *scanner) contract(c *topup.Contract) bool {
	if !s.skip(`{"id":`) || !s.quoted(&c.ID) || !s.skip(`,"number":`) || !s.quoted(&c.Number) {
		return false
	}
	if s.skip(`,"min_payment":`) && !s.amount(&c.MinPayment) {
		return false
	}
	if s.skip(`,"payment":`) && !s.amount(&c.Payment) {
		return false
	}
	if s.skip(`,"info":`) && !s.object(&c.Info) {
		return false
	}
	c.Closed = s.skip(`,"closed":true`)
	return s.skip("}")
}

// quoted reads a text between quotes, without escapes.
func (s *scanner) quoted(into *string) bool {
	if !s.skip(`"`) {
		return false
	}
	text, rest, closed := strings.Cut(string(*s), `"`)
	for i := range len(text) {
		if text[i] < ' ' || text[i] == '\\' {
			return false
		}
	}
	*into, *s = text, scanner(rest)
	return closed && utf8.ValidString(text)
}

// amount reads a whole number.
func (s *scanner) amount(into **int64) bool {
	end := 0
	for end < len(*s) && ((*s)[end] == '-' || (*s)[end] >= '0' && (*s)[end] <= '9') {
		end++
	}
	digits := string((*s)[:end])
	n, err := strconv.ParseInt(digits, 10, 64)
	*into, *s = &n, (*s)[end:]
	return err == nil && strconv.FormatInt(n, 10) == digits
}

// object reads one up to the brace that closes it. What is in it was checked when
// it was written, and is passed on as it is, as verify does.
func (s *scanner) object(into *json.RawMessage) bool {
	depth, inText := 0, false
	for i := 0; i < len(*s); i++ {
		switch c := (*s)[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
		if depth == 0 {
			*into, *s = json.RawMessage((*s)[:i+1]), (*s)[i+1:]
			return (*into)[0] == '{'
		}
	}
	return false
}
