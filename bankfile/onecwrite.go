package bankfile

import (
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/text/encoding/charmap"

	"tolem/calendar"
	"tolem/topup"
)

// Party is a side of a document.
type Party struct {
	Name    string
	ID      string // БИН or ИИН
	KBE     string
	Account string
	BIC     string
}

// Document is a payment as an accounting program reads it.
type Document struct {
	Number       string
	Date         calendar.Day // of the document
	Booked       calendar.Day // when it counts
	Direction    Direction
	Amount       int64 // minor units, more than 0
	Currency     string
	Payer, Payee Party
	Purpose      string
}

// Exchange is a 1CClientBankExchange file with the keys of Kazakhstan.
type Exchange struct {
	Created   time.Time // in the zone in which it is shown
	From, To  calendar.Day
	Accounts  []string // the merchant's
	Documents []Document
}

// UnfitError says that windows-1251 does not have a character of a value.
type UnfitError struct {
	Document string // its number, empty for the head of the file
	Key      string
	Value    string
	Char     rune
}

func (e *UnfitError) Error() string {
	where := "the file"
	if e.Document != "" {
		where = "document " + e.Document
	}
	return fmt.Sprintf("%s: %s has the character %q (%U), which windows-1251 does not have: %s", where, e.Key, e.Char, e.Char, shown(e.Value))
}

// Write writes the file in windows-1251, as 1C reads it. Nothing is written if a
// value does not fit into it: the error is then an *UnfitError.
func (e Exchange) Write(out io.Writer) error {
	w := oneCWriter{}
	w.line("1CClientBankExchange")
	w.pair("ВерсияФормата", "2.00")
	w.pair("Кодировка", "Windows")
	w.pair("Отправитель", "tolem")
	w.pair("ДатаСоздания", e.Created.Format("02.01.2006"))
	w.pair("ВремяСоздания", e.Created.Format("15:04:05"))
	w.day("ДатаНачала", e.From)
	w.day("ДатаКонца", e.To)
	for _, account := range e.Accounts {
		w.pair("РасчСчет", account)
	}
	for _, d := range e.Documents {
		w.write(d)
	}
	w.line("КонецФайла")
	if w.err != nil {
		return w.err
	}
	_, err := out.Write(w.text)
	return err
}

type oneCWriter struct {
	document string // under way
	text     []byte
	err      error
}

func (w *oneCWriter) write(d Document) {
	w.document = d.Number
	sum := major(d.Amount, d.Currency)
	w.line("СекцияДокумент=ПлатежноеПоручение")
	w.pair("НомерДокумента", d.Number)
	w.day("ДатаДокумента", d.Date)
	w.day("ДатаОперации", d.Booked)
	if d.Direction == Out {
		w.pair("СуммаРасход", sum)
	} else {
		w.pair("СуммаПриход", sum)
	}
	w.pair("Сумма", sum)
	w.pair("Валюта", d.Currency)
	w.party("Плательщик", d.Payer)
	w.party("Получатель", d.Payee)
	w.pair("НазначениеПлатежа", d.Purpose)
	w.line("КонецДокумента")
	w.document = ""
}

func (w *oneCWriter) party(who string, p Party) {
	w.pair(who+"Наименование", p.Name)
	w.pair(who+"БИН_ИИН", p.ID)
	w.pair(who+"КБЕ", p.KBE)
	w.pair(who+"ИИК", p.Account)
	w.pair(who+"БанкБИК", p.BIC)
}

func (w *oneCWriter) day(key string, d calendar.Day) {
	if text := d.String(); text != "" {
		w.pair(key, text[8:10]+"."+text[5:7]+"."+text[:4])
	}
}

// pair writes a key with its value, on one line; none if the value is empty.
func (w *oneCWriter) pair(key, value string) {
	value = squeeze(value)
	if value == "" || w.err != nil {
		return
	}
	for _, r := range value {
		if _, fits := charmap.Windows1251.EncodeRune(r); !fits {
			w.err = &UnfitError{w.document, key, value, r}
			return
		}
	}
	w.line(key + "=" + value)
}

func (w *oneCWriter) line(text string) {
	for _, r := range strings.ToValidUTF8(text, "") + "\r\n" {
		b, _ := charmap.Windows1251.EncodeRune(r) // which pair has asked of values
		w.text = append(w.text, b)
	}
}

func major(minor int64, currency string) string {
	digits, _ := topup.Digits(currency)
	return topup.FormatMinor(minor, digits)
}
