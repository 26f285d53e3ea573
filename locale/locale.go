// Package locale has what the pages say to people: every text in Russian, Kazakh
// and English, plural forms, and amounts, numbers, dates and times as people of
// that language write them.
//
// The tables are our own. Of the libraries that format for Kazakhstan and its
// neighbours, golang.org/x/text puts the currency in front of the amount,
// bojanz/currency has no Tajik, and a browser that claims Kazakh prints
// "KZT 1,500.50".
package locale

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Language is a language of the pages.
type Language string

// The languages. Russian is the one that is used when nobody has chosen.
const (
	Russian Language = "ru"
	Kazakh  Language = "kk"
	English Language = "en"
)

// Languages lists them, in the order in which they are offered.
var Languages = []Language{Russian, Kazakh, English}

// Parse returns the language of a tag such as "kk" or "ru-KZ", and false for one
// that the pages do not have.
func Parse(tag string) (Language, bool) {
	primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	l := Language(primary)
	return l, slices.Contains(Languages, l)
}

// maxAccept bounds how much of an Accept-Language header is read.
const maxAccept = 1000

// Accept chooses a language by an Accept-Language header: the one with the highest
// weight that the pages have, else Russian.
func Accept(header string) Language {
	type choice struct {
		language Language
		weight   float64
	}
	var choices []choice
	for _, part := range strings.Split(header[:min(len(header), maxAccept)], ",") {
		tag, parameter, _ := strings.Cut(part, ";")
		l, known := Parse(tag)
		if !known {
			continue
		}
		weight := 1.0
		if text, given := strings.CutPrefix(strings.TrimSpace(parameter), "q="); given {
			var err error
			if weight, err = strconv.ParseFloat(text, 64); err != nil || !(weight > 0) {
				continue
			}
		}
		choices = append(choices, choice{l, weight})
	}
	if len(choices) == 0 {
		return Russian
	}
	return slices.MaxFunc(choices, func(a, b choice) int { return cmp.Compare(a.weight, b.weight) }).language
}

// Name is what a language calls itself.
func (l Language) Name() string {
	switch l {
	case Kazakh:
		return "Қазақша"
	case English:
		return "English"
	}
	return "Русский"
}

// Printer writes texts, amounts and times in a language.
type Printer struct {
	Language Language
	Zone     *time.Location // in which times are shown
}

// Text returns a text of the catalogue, with arguments in the places of its %s,
// in their order. It is the key itself when the catalogue has no such text.
func (p Printer) Text(key string, args ...any) string {
	text, known := Lookup(p.Language, key)
	if !known {
		return key
	}
	if len(args) > 0 {
		return fmt.Sprintf(text, args...)
	}
	return text
}

// Lookup returns a text of the catalogue.
func Lookup(l Language, key string) (string, bool) {
	texts, known := catalogue[key]
	if !known {
		return "", false
	}
	return texts[slices.Index(Languages, l)], true
}

// Count returns a number with its noun: "1 платёж", "2 платежа", "5 платежей".
func (p Printer) Count(key string, n int64) string {
	return p.Number(n) + nbsp + p.Form(key, n)
}

// Form returns the form of a text that goes with a number. The catalogue
// separates forms by "|": one, few and many in Russian, one and other in English;
// Kazakh has one.
func (p Printer) Form(key string, n int64) string {
	text, known := Lookup(p.Language, key)
	if !known {
		return key
	}
	forms := strings.Split(text, "|")
	return forms[min(p.Language.form(n), len(forms)-1)]
}

// form is the place of the plural form that goes with a number.
func (l Language) form(n int64) int {
	if n < 0 {
		n = -n
	}
	switch {
	case l == Kazakh:
		return 0
	case l == English && n == 1:
		return 0
	case l == English:
		return 1
	case n%10 == 1 && n%100 != 11:
		return 0
	case n%10 >= 2 && n%10 <= 4 && (n%100 < 12 || n%100 > 14):
		return 1
	}
	return 2
}

// Keys lists the keys of all texts, in order.
func Keys() []string { return slices.Sorted(maps.Keys(catalogue)) }
