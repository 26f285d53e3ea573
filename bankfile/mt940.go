package bankfile

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"tolem/calendar"
)

// MT940 (SWIFT Customer Statement Message). A field begins with its tag at the
// beginning of a line, :61: for a movement, and goes on until the next.

// field is a field of a message: its tag without the colons, and its lines.
type field struct {
	row  int
	tag  string
	text string // lines with "\n" between
}

var (
	tagForm     = regexp.MustCompile(`^:(\d{2}[A-Z]?):`)
	balanceForm = regexp.MustCompile(`^([CD])(\d{6})([A-Z]{3})([\d,]+)$`)
	// Value date, entry date, direction, funds letter, amount, type, references.
	movementForm = regexp.MustCompile(`^(\d{6})(\d{4})?(RC|RD|EC|ED|C|D)([A-Z])?(\d+,\d*)([A-Z][A-Z0-9]{3})(.*)$`)
	// 020?00…?20…, where ^ stands for ? in some countries.
	subfieldForm = regexp.MustCompile(`[?^](\d{2})`)
	structured   = regexp.MustCompile(`^(\d{3})?[?^]\d{2}`)
)

func readMT940(raw []byte, account Account) ([]Statement, error) {
	text, err := decode(raw, anyKnown)
	if err != nil {
		return nil, err
	}
	r := mtReader{account: account}
	for _, f := range fields(lines(text)) {
		r.field(f)
	}
	if err := r.wrong.err(); err != nil {
		return nil, err
	}
	if r.current != nil {
		return nil, fmt.Errorf("line %d: the statement has no closing balance (:62F:): the file was cut off; export it again", r.currentRow)
	}
	if len(r.statements) == 0 {
		if r.other != "" {
			return nil, fmt.Errorf("the file is of another account, %s, not of %s", shown(r.other), account.Number)
		}
		return nil, errors.New("the file is no MT940: it has no fields 25 and 60F")
	}
	return r.statements, nil
}

// fields takes the messages apart. What stands around them, such as {1:…} and the
// "-" at their end, belongs to none.
func fields(lines []string) []field {
	var list []field
	open := false
	for i, line := range lines {
		if _, rest, block := strings.Cut(line, "{4:"); block {
			line = rest
		}
		line = strings.TrimRight(line, " \t")
		switch tag := tagForm.FindStringSubmatch(line); {
		case tag != nil:
			list = append(list, field{i + 1, tag[1], line[len(tag[0]):]})
			open = true
		case line == "-" || strings.HasPrefix(line, "-}") || strings.HasPrefix(line, "{"):
			open = false
		case open && line != "":
			last := &list[len(list)-1]
			if len(last.text) < maxText {
				last.text += "\n" + line
			}
		}
	}
	return list
}

type mtReader struct {
	account    Account
	statements []Statement
	current    *Statement // between its balances
	currentRow int
	number     string // of the account, from :25:
	other      string // an account that is not ours
	inLine     bool   // the last field was a movement, which :86: explains
	paged      bool   // the last statement is a page, and goes on in the next
	wrong      problems
}

func (r *mtReader) field(f field) {
	inLine := r.inLine
	r.inLine = false
	switch f.tag {
	case "25", "25P":
		r.number, _, _ = strings.Cut(f.text, "\n")
	case "60F", "60M":
		r.open(f)
	case "61":
		if r.current != nil {
			r.inLine = r.movement(f)
		}
	case "86":
		if r.current != nil && inLine {
			explain(&r.current.Lines[len(r.current.Lines)-1], f.text)
		}
	case "62F", "62M":
		r.close(f)
	}
}

// isOwn reports whether :25: names the account: alone, behind the bank's code and
// a slash, or before its currency.
func (r *mtReader) isOwn() bool {
	number := compact(r.number)
	_, behind, _ := strings.Cut(number, "/")
	for _, text := range []string{number, behind} {
		if r.account.is(text) || r.account.is(strings.TrimSuffix(text, r.account.Currency)) {
			return true
		}
	}
	return false
}

func (r *mtReader) open(f field) {
	if r.current != nil {
		r.wrong.add(f.row, "a statement begins before the one of line %d has its closing balance (:62F:)", r.currentRow)
	}
	r.current = nil
	if !r.isOwn() {
		r.other = r.number
		return
	}
	amount, day, err := r.balance(f)
	if err != nil {
		r.wrong.add(f.row, ":%s: %w", f.tag, err)
		return
	}
	if n := len(r.statements); f.tag == "60M" && r.paged && r.statements[n-1].Closing != amount {
		r.wrong.add(f.row, ":60M: a page is missing: the one before ends with %s, and this one begins with %s: export it again",
			r.account.money(r.statements[n-1].Closing), r.account.money(amount))
		return
	}
	r.current, r.currentRow = &Statement{Opening: amount, From: day}, f.row
}

func (r *mtReader) close(f field) {
	s := r.current
	if s == nil {
		return
	}
	r.current = nil
	amount, day, err := r.balance(f)
	if err != nil {
		r.wrong.add(f.row, ":%s: %w", f.tag, err)
		return
	}
	s.Closing, s.To = amount, day
	for i := range s.Lines {
		s.Lines[i].squeeze()
	}
	// The opening balance has the date of the day that it ended, where that is not the
	// statement's only one.
	if s.From.Before(s.To) {
		s.From = s.From.Next()
	}
	r.statements, r.paged = append(r.statements, *s), f.tag == "62M"
}

func (r *mtReader) balance(f field) (int64, calendar.Day, error) {
	parts := balanceForm.FindStringSubmatch(strings.TrimSpace(f.text))
	if parts == nil {
		return 0, calendar.Day{}, fmt.Errorf("%s is no balance", shown(f.text))
	}
	day, err := mtDay(parts[2])
	if err != nil {
		return 0, day, err
	}
	if parts[3] != r.account.Currency {
		return 0, day, fmt.Errorf("is in %s, and the account in %s", parts[3], r.account.Currency)
	}
	amount, err := r.account.mtAmount(parts[4])
	if parts[1] == "D" {
		amount = -amount
	}
	return amount, day, err
}

// movement reads :61:, and reports whether it made a line.
func (r *mtReader) movement(f field) bool {
	first, supplement, _ := strings.Cut(f.text, "\n")
	parts := movementForm.FindStringSubmatch(strings.TrimSpace(first))
	if parts == nil {
		r.wrong.add(f.row, ":61: %s cannot be read", shown(first))
		return false
	}
	line := Line{Row: f.row}
	switch parts[3] {
	case "EC", "ED": // expected, not booked
		return false
	case "C", "RD": // RD: a debit is taken back
		line.Direction = In
	default:
		line.Direction = Out
	}
	var err error
	if line.Amount, err = r.account.mtAmount(parts[5]); err != nil {
		r.wrong.add(f.row, ":61: %s %w", shown(parts[5]), err)
		return false
	}
	if line.ValueDay, err = mtDay(parts[1]); err != nil {
		r.wrong.add(f.row, ":61: %w", err)
		return false
	}
	if line.Day, err = entryDay(parts[2], line.ValueDay); err != nil {
		r.wrong.add(f.row, ":61: %w", err)
		return false
	}
	if line.Amount == 0 {
		return false
	}
	customer, bank, _ := strings.Cut(parts[7], "//")
	if customer = strings.TrimSpace(customer); customer != "NONREF" {
		line.Number = customer
	}
	line.BankReference, line.Purpose = strings.TrimSpace(bank), supplement
	r.current.Lines = append(r.current.Lines, line)
	return true
}

// explain adds :86: to a line. Where it has subfields, 20 to 29 and 60 to 63 are
// the purpose, 31 the counterparty's account, 32 and 33 its name.
func explain(line *Line, text string) {
	if !structured.MatchString(text) {
		line.Purpose = text
		return
	}
	text = strings.ReplaceAll(text, "\n", "")
	marks := subfieldForm.FindAllStringSubmatchIndex(text, -1)
	purpose, name := "", ""
	for i, mark := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		value := text[mark[1]:end]
		switch code := text[mark[2]:mark[3]]; {
		case code >= "20" && code <= "29", code >= "60" && code <= "63":
			purpose += value
		case code == "31", code == "38":
			line.CounterpartyAccount = either(line.CounterpartyAccount, value)
		case code == "32", code == "33":
			name += value
		}
	}
	line.CounterpartyName = name
	if strings.TrimSpace(purpose) != "" {
		line.Purpose = purpose
	}
}

// mtAmount reads an amount, whose decimal mark is a comma that is always there.
func (a Account) mtAmount(text string) (int64, error) {
	if strings.Count(text, ",") != 1 {
		return 0, errAmount
	}
	return a.amount(strings.TrimSuffix(text, ","))
}

// mtDay reads YYMMDD.
func mtDay(text string) (calendar.Day, error) {
	at, err := time.Parse("20060102", "20"+text)
	if err != nil {
		return calendar.Day{}, fmt.Errorf("%s is no date", shown(text))
	}
	return calendar.ParseDay(at.Format(time.DateOnly))
}

// entryDay reads the day of booking, which has no year: it is that nearest to the
// value date. Without one it is the value date.
func entryDay(text string, value calendar.Day) (calendar.Day, error) {
	if text == "" {
		return value, nil
	}
	var nearest calendar.Day
	for _, year := range []string{value.Add(-180).String()[:4], value.Add(180).String()[:4]} {
		day, err := calendar.ParseDay(year + "-" + text[:2] + "-" + text[2:])
		if err != nil {
			continue
		}
		if nearest.IsZero() || distance(day, value) < distance(nearest, value) {
			nearest = day
		}
	}
	if nearest.IsZero() {
		return nearest, fmt.Errorf("%s is no day of booking", shown(text))
	}
	return nearest, nil
}

// distance is how many days are between two, up to a year.
func distance(a, b calendar.Day) int {
	if b.Before(a) {
		a, b = b, a
	}
	n := 0
	for a.Before(b) && n < 400 {
		a, n = a.Next(), n+1
	}
	return n
}
