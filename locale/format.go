package locale

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	nbsp  = "\u00a0" // between thousands, and between a number and what it counts
	minus = "\u2212"
)

// symbols are what people write for a currency beside an amount; for others its
// code is written.
var symbols = map[Language]map[string]string{
	Russian: {"KZT": "₸", "RUB": "₽", "USD": "$", "EUR": "€", "KGS": "сом", "TJS": "сомони"},
	Kazakh:  {"KZT": "₸", "RUB": "₽", "USD": "$", "EUR": "€", "KGS": "сом", "TJS": "сомони"},
	English: {"KZT": "₸", "RUB": "₽", "USD": "$", "EUR": "€"},
}

// Number writes a whole number: 1 234 567, in English 1,234,567.
func (p Printer) Number(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = minus, text[1:]
	}
	return sign + p.grouped(text)
}

func (p Printer) grouped(digits string) string {
	separator := nbsp
	if p.Language == English {
		separator = ","
	}
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteString(separator)
		}
		out.WriteRune(d)
	}
	return out.String()
}

// Money writes an amount in minor units, of which digits make a major unit:
// "1 000,00 ₸", in English "₸1,000.00", and "KGS 1,000.00" where the currency has
// no symbol there.
func (p Printer) Money(amount int64, digits int, currency string) string {
	sign := ""
	text := strconv.FormatInt(amount, 10)
	if amount < 0 {
		sign, text = minus, text[1:]
	}
	if len(text) <= digits {
		text = strings.Repeat("0", digits-len(text)+1) + text
	}
	whole, fraction := text[:len(text)-digits], text[len(text)-digits:]
	number := p.grouped(whole)
	if digits > 0 {
		number += p.decimal() + fraction
	}
	symbol, has := symbols[p.Language][currency]
	switch {
	case p.Language == English && has:
		return sign + symbol + number
	case p.Language == English:
		return currency + nbsp + sign + number
	case has:
		return sign + number + nbsp + symbol
	}
	return sign + number + nbsp + currency
}

func (p Printer) decimal() string {
	if p.Language == English {
		return "."
	}
	return ","
}

// Percent writes a share of a whole, to a tenth of a percent and never rounded up
// to all of it: "99,9 %". It is empty when there is no whole.
func (p Printer) Percent(part, whole int64) string {
	if whole <= 0 {
		return ""
	}
	tenths := part * 1000 / whole
	text := p.grouped(strconv.FormatInt(tenths/10, 10))
	if rest := tenths % 10; rest != 0 {
		text += p.decimal() + strconv.FormatInt(rest, 10)
	}
	if p.Language == English {
		return text + "%"
	}
	return text + nbsp + "%"
}

var months = map[Language][12]string{
	Russian: {"января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"},
	Kazakh:  {"қаңтар", "ақпан", "наурыз", "сәуір", "мамыр", "маусым", "шілде", "тамыз", "қыркүйек", "қазан", "қараша", "желтоқсан"},
	English: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
}

// Date writes a day in full: "30 ноября 2026 г.", "2026 ж. 30 қараша",
// "30 November 2026". It is empty for the zero time.
func (p Printer) Date(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = at.In(p.Zone)
	month := months[p.Language][at.Month()-1]
	switch p.Language {
	case Kazakh:
		return fmt.Sprintf("%d%sж. %d%s%s", at.Year(), nbsp, at.Day(), nbsp, month)
	case English:
		return fmt.Sprintf("%d%s%s %d", at.Day(), nbsp, month, at.Year())
	}
	return fmt.Sprintf("%d%s%s %d%sг.", at.Day(), nbsp, month, at.Year(), nbsp)
}

// ShortDate writes a day for a table: "30.11.2026", in English "30 Nov 2026".
func (p Printer) ShortDate(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = at.In(p.Zone)
	if p.Language == English {
		return fmt.Sprintf("%d%s%s%s%d", at.Day(), nbsp, months[English][at.Month()-1][:3], nbsp, at.Year())
	}
	return at.Format("02.01.2006")
}

// Time writes a day and a time for a table: "30.11.2026, 13:45".
func (p Printer) Time(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return p.ShortDate(at) + "," + nbsp + at.In(p.Zone).Format("15:04")
}

// Moment writes a time to the second: "30.11.2026, 13:45:07".
func (p Printer) Moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return p.ShortDate(at) + "," + nbsp + at.In(p.Zone).Format("15:04:05")
}

// Duration writes how long something takes or lies, in its largest unit: "3 дня".
func (p Printer) Duration(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return p.Count("unit.days", int64(d/(24*time.Hour)))
	case d >= time.Hour:
		return p.Count("unit.hours", int64(d/time.Hour))
	}
	return p.Count("unit.minutes", max(int64(d/time.Minute), 1))
}

// DayOfMonth writes a day for a chart, without its year: "30.11", in English
// "30 Nov".
func (p Printer) DayOfMonth(at time.Time) string {
	at = at.In(p.Zone)
	if p.Language == English {
		return fmt.Sprintf("%d%s%s", at.Day(), nbsp, months[English][at.Month()-1][:3])
	}
	return at.Format("02.01")
}
