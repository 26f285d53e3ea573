package bankfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tolem/calendar"
)

// 1CClientBankExchange (v8.1c.ru, "Стандарт обмена с системами Клиент банк",
// version 1.03) and what Kazakh banks write under that name. The first line is the
// name, then come lines Key=value; sections of accounts and of documents have a
// line at either end.
//
// Seen in real files, and read: keys in capitals, blanks before them, versions
// 1.01 to 2.00 or none, an encoding that is declared wrongly or not at all, texts
// that go on in the next line or contain "=", a section for each day.

const oneCName = "1CCLIENTBANKEXCHANGE"

// section is a part of the file: values by their keys in capitals.
type section struct {
	row    int
	values map[string]string
	// doubtful are keys that followed a purpose, which they may be a part of, by the
	// purpose's own key.
	doubtful map[string]string
}

func newSection(row int) *section {
	return &section{row: row, values: map[string]string{}, doubtful: map[string]string{}}
}

// get is the value of the first of the keys that has one.
func (s section) get(keys ...string) string {
	for _, key := range keys {
		if value := strings.TrimSpace(s.values[key]); value != "" {
			return value
		}
	}
	return ""
}

// oneCFile is a file taken apart.
type oneCFile struct {
	header    section
	accounts  []section
	documents []section
}

func readOneC(raw []byte, account Account) ([]Statement, error) {
	text, err := decode(raw, func(text string) bool { return strings.Contains(strings.ToUpper(text), "СЕКЦИЯРАСЧСЧЕТ") })
	if err != nil {
		return nil, err
	}
	file, err := takeApart(lines(text))
	if err != nil {
		return nil, err
	}
	statement, err := file.balances(account)
	if err != nil {
		return nil, err
	}
	others := file.otherAccounts(account)
	var wrong problems
	for _, document := range file.documents {
		line, mine, err := document.line(account, others)
		switch {
		case err != nil:
			wrong.add(document.row, "%w", err)
		case mine && line.Amount != 0:
			line.squeeze()
			statement.Lines = append(statement.Lines, line)
		}
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return []Statement{statement}, nil
}

// takeApart finds the sections of a file.
func takeApart(lines []string) (oneCFile, error) {
	file := oneCFile{header: *newSection(1)}
	first := slices.IndexFunc(lines, func(line string) bool { return strings.TrimSpace(line) != "" })
	if first < 0 || strings.ToUpper(strings.TrimSpace(lines[first])) != oneCName {
		return file, errors.New("the first line is not 1CClientBankExchange")
	}
	var open *section // of an account or a document
	var closes string // the line that ends it
	last := ""        // the key whose value may go on in the next line
	for i, line := range lines[first+1:] {
		row := first + 2 + i
		word, value, pair := strings.Cut(line, "=")
		key := strings.ToUpper(strings.TrimSpace(word))
		switch {
		case key == "" && !pair:
		case open == nil && key == "СЕКЦИЯРАСЧСЧЕТ":
			open, closes, last = newSection(row), "КОНЕЦРАСЧСЧЕТ", ""
		case open == nil && key == "СЕКЦИЯДОКУМЕНТ":
			open, closes, last = newSection(row), "КОНЕЦДОКУМЕНТА", ""
		case open != nil && key == closes:
			if closes == "КОНЕЦДОКУМЕНТА" {
				file.documents = append(file.documents, *open)
			} else {
				file.accounts = append(file.accounts, *open)
			}
			open, last = nil, ""
		case key == "КОНЕЦФАЙЛА":
			if open != nil {
				return file, fmt.Errorf("line %d: the file ends within the section of line %d", row, open.row)
			}
			return file, nil
		case open == nil:
			if pair && file.header.values[key] == "" {
				file.header.values[key] = value
			}
		case key == "СЕКЦИЯДОКУМЕНТ" || key == "СЕКЦИЯРАСЧСЧЕТ":
			return file, fmt.Errorf("line %d: a section begins within the section of line %d: %s is missing", row, open.row, closes)
		default:
			var err error
			pair = pair && isKey(key) && !(isPurpose(last) && beginsSmall(word))
			if last, err = open.put(row, line, key, value, pair, last); err != nil {
				return file, err
			}
		}
	}
	if open != nil {
		return file, fmt.Errorf("the file ends within the section of line %d: it was cut off; export it again", open.row)
	}
	return file, nil
}

// put notes a line of a section, and returns the key whose value may go on in the
// next one. What is no key goes on with the text before it. Of two lines with the
// same key, one behind a purpose is a part of the purpose.
func (s *section) put(row int, line, key, value string, pair bool, last string) (string, error) {
	before, twice := s.values[key]
	switch {
	case !pair && last != "":
		s.values[last] += " " + line
		return last, nil
	case !pair:
		return "", fmt.Errorf("line %d: %s is no line Key=value", row, shown(line))
	case !twice || strings.TrimSpace(before) == "":
		s.values[key] = value
		if isPurpose(last) {
			s.doubtful[key] = last
		}
		return key, nil
	case strings.TrimSpace(before) == strings.TrimSpace(value):
		return key, nil
	case isPurpose(last):
		s.values[last] += " " + line
		return last, nil
	case s.doubtful[key] != "":
		s.values[s.doubtful[key]] += " " + key + "=" + before
		s.values[key] = value
		delete(s.doubtful, key)
		return key, nil
	}
	return "", fmt.Errorf("line %d: %s is given twice in the section of line %d, and differs", row, key, s.row)
}

func isPurpose(key string) bool { return strings.HasPrefix(key, "НАЗНАЧЕНИЕПЛАТЕЖА") }

// beginsSmall reports whether a word begins with a small letter, which no key does.
func beginsSmall(word string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimSpace(word))
	return unicode.IsLower(first)
}

// isKey reports whether a text in capitals can be a key: one word.
func isKey(text string) bool {
	for _, r := range text {
		if (r < 'А' || r > 'Я') && r != 'Ё' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return text != ""
}

// otherAccounts are the accounts that the file has beside the one that is read.
func (f oneCFile) otherAccounts(account Account) map[string]bool {
	others := map[string]bool{}
	for _, s := range append([]section{f.header}, f.accounts...) {
		if number := compact(s.get("РАСЧСЧЕТ")); number != "" && !account.is(number) {
			others[number] = true
		}
	}
	return others
}

// balances is the statement of the account without its lines. Sections of several
// days become one, if each begins with the balance with which the one before ends.
func (f oneCFile) balances(account Account) (Statement, error) {
	var own []section
	var seen []string
	for _, s := range f.accounts {
		number := s.get("РАСЧСЧЕТ")
		if number == "" {
			number = f.header.get("РАСЧСЧЕТ")
		}
		if !account.is(number) {
			seen = append(seen, number)
			continue
		}
		own = append(own, s)
	}
	var parts []Statement
	for _, s := range own {
		// One section without days is of the file's; of several each is of one day.
		header := section{}
		if len(own) == 1 {
			header = f.header
		}
		part, err := s.balance(header, account)
		if err != nil {
			return Statement{}, fmt.Errorf("the section of line %d: %w", s.row, err)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		if len(seen) > 0 {
			return Statement{}, fmt.Errorf("the file is of another account, %s, not of %s", shown(seen[0]), account.Number)
		}
		return Statement{}, errors.New("the file has no balances (СекцияРасчСчет): export a statement of the account, not a list of documents")
	}
	slices.SortStableFunc(parts, func(a, b Statement) int { return a.From.Compare(b.From) })
	whole := parts[0]
	for _, part := range parts[1:] {
		if part.Opening != whole.Closing {
			return Statement{}, fmt.Errorf("a gap: the balance at the end of %s is %s, and at the beginning of %s it is %s: export the days between, too",
				whole.To, account.money(whole.Closing), part.From, account.money(part.Opening))
		}
		whole.Closing = part.Closing
		if part.To.After(whole.To) {
			whole.To = part.To
		}
	}
	return whole, nil
}

func (s section) balance(header section, account Account) (part Statement, err error) {
	value := func(key string) string {
		if text := s.get(key); text != "" {
			return text
		}
		return header.get(key)
	}
	if part.From, err = oneCDay(value("ДАТАНАЧАЛА")); err != nil {
		return part, fmt.Errorf("ДатаНачала: %w", err)
	}
	if part.To = part.From; value("ДАТАКОНЦА") != "" {
		if part.To, err = oneCDay(value("ДАТАКОНЦА")); err != nil {
			return part, fmt.Errorf("ДатаКонца: %w", err)
		}
	}
	for key, place := range map[string]*int64{"НАЧАЛЬНЫЙОСТАТОК": &part.Opening, "КОНЕЧНЫЙОСТАТОК": &part.Closing} {
		text := s.get(key)
		if text == "" {
			return part, fmt.Errorf("%s is missing: a statement needs it", key)
		}
		if *place, err = account.amount(text); err != nil {
			return part, fmt.Errorf("%s: %s %w", key, shown(text), err)
		}
	}
	return part, nil
}

// line is a document as a line of the account's statement; mine is false for one
// of another account in the same file.
func (s section) line(account Account, others map[string]bool) (line Line, mine bool, err error) {
	line.Row = s.row
	payers := []string{"ПЛАТЕЛЬЩИКИИК", "ПЛАТЕЛЬЩИКИК", "ПЛАТЕЛЬЩИКСЧЕТ", "ПЛАТЕЛЬЩИКРАСЧСЧЕТ"}
	payees := []string{"ПОЛУЧАТЕЛЬИИК", "ПОЛУЧАТЕЛЬИК", "ПОЛУЧАТЕЛЬСЧЕТ", "ПОЛУЧАТЕЛЬРАСЧСЧЕТ"}
	pays, gets := s.names(account, payers), s.names(account, payees)
	if own := s.get("РАСЧСЧЕТ"); own != "" && !account.is(own) && others[compact(own)] {
		return line, false, nil
	}
	if !pays && !gets && (others[compact(s.get(payers...))] || others[compact(s.get(payees...))]) {
		return line, false, nil
	}
	in, out, whole := int64(0), int64(0), int64(0)
	for _, of := range []struct {
		key  string
		sum  *int64
		name string
	}{{"СУММАПРИХОД", &in, "СуммаПриход"}, {"СУММАРАСХОД", &out, "СуммаРасход"}, {"СУММА", &whole, "Сумма"}} {
		text := s.get(of.key)
		if text == "" {
			continue
		}
		if *of.sum, err = account.amount(text); err != nil {
			return line, true, fmt.Errorf("%s %s %w", of.name, shown(text), err)
		}
		if *of.sum < 0 {
			return line, true, fmt.Errorf("%s %s is negative", of.name, shown(text))
		}
	}
	switch {
	case in != 0 && out != 0:
		return line, true, errors.New("has both СуммаПриход and СуммаРасход")
	case in != 0:
		line.Direction, line.Amount = In, in
	case out != 0:
		line.Direction, line.Amount = Out, out
	case whole == 0 && s.get("СУММА", "СУММАПРИХОД", "СУММАРАСХОД") == "":
		return line, true, errors.New("has no sum (СуммаПриход, СуммаРасход or Сумма)")
	case whole == 0:
	case pays && gets:
		return line, true, errors.New("the account is payer and payee, and neither СуммаПриход nor СуммаРасход says whether money came or went")
	case pays:
		line.Direction, line.Amount = Out, whole
	case gets:
		line.Direction, line.Amount = In, whole
	default:
		return line, true, fmt.Errorf("the account is neither payer nor payee: %s, %s", shown(s.get(payers...)), shown(s.get(payees...)))
	}
	if whole != 0 && line.Amount != whole {
		return line, true, fmt.Errorf("the sum (Сумма) %s is not what came or went, %s", s.get("СУММА"), major(line.Amount, account.Currency))
	}
	if currency := s.get("ВАЛЮТА"); currency != "" && !account.hasCurrency(currency) {
		return line, true, fmt.Errorf("is in %s, and the account in %s", shown(currency), account.Currency)
	}
	booked := []string{"ДАТАОПЕРАЦИИ", "ДАТАПОСТУПИЛО", "ДАТАДОКУМЕНТА", "ДАТА"}
	if line.Direction == Out {
		booked[1] = "ДАТАСПИСАНО"
	}
	if line.Day, err = oneCDay(s.get(booked...)); err != nil {
		return line, true, fmt.Errorf("the day (ДатаОперации, ДатаДокумента or Дата): %w", err)
	}
	if text := s.get("ДАТАВАЛЮТИРОВАНИЯ"); text != "" {
		if line.ValueDay, err = oneCDay(text); err != nil {
			return line, true, fmt.Errorf("ДатаВалютирования: %w", err)
		}
	}
	line.Number = s.get("НОМЕРДОКУМЕНТА", "НОМЕР")
	s.counterparty(&line, payers, payees)
	line.PurposeCode = s.get("КОДНАЗНАЧЕНИЯПЛАТЕЖА", "КНП", "КОДНАЗПЛАТЕЖА")
	if line.Purpose = s.get("НАЗНАЧЕНИЕПЛАТЕЖА"); line.Purpose == "" {
		var parts []string
		for _, n := range "123456" {
			parts = append(parts, s.get("НАЗНАЧЕНИЕПЛАТЕЖА"+string(n)))
		}
		line.Purpose = strings.Join(parts, " ")
	}
	return line, true, nil
}

// counterparty sets who is on the other side.
func (s section) counterparty(line *Line, payers, payees []string) {
	who, accounts := "ПЛАТЕЛЬЩИК", payers
	if line.Direction == Out {
		who, accounts = "ПОЛУЧАТЕЛЬ", payees
	}
	line.CounterpartyAccount = s.get(accounts...)
	line.CounterpartyName = s.get(who+"НАИМЕНОВАНИЕ", who+"1", who)
	line.CounterpartyID = s.get(who+"БИН_ИИН", who+"БИНИИН", who+"БИН", who+"ИИН", who+"ИНН")
}

func (s section) names(account Account, keys []string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return account.is(s.values[key]) })
}

// numericCurrencies are codes that some files have instead of letters.
var numericCurrencies = map[string]string{
	"398": "KZT", "643": "RUB", "810": "RUB", "840": "USD", "978": "EUR", "156": "CNY", "417": "KGS", "972": "TJS", "860": "UZS",
}

func (a Account) hasCurrency(code string) bool {
	code = strings.ToUpper(strings.TrimSpace(code))
	if letters, numeric := numericCurrencies[code]; numeric {
		code = letters
	}
	return code == a.Currency
}

// oneCDay reads dd.mm.yyyy, which a time may follow.
func oneCDay(text string) (calendar.Day, error) {
	if text == "" {
		return calendar.Day{}, errors.New("is missing")
	}
	date, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	at, err := time.Parse("02.01.2006", date)
	if err != nil {
		return calendar.Day{}, fmt.Errorf("%s is no date such as 30.11.2026", shown(text))
	}
	return calendar.ParseDay(at.Format(time.DateOnly))
}
