package locale_test

import (
	"strings"
	"testing"
	"time"

	"tolem/locale"
)

func printer(l locale.Language) locale.Printer {
	return locale.Printer{Language: l, Zone: time.FixedZone("Asia/Almaty", 5*60*60)}
}

// plain has ordinary blanks for those that keep a number and its unit on one line.
func plain(text string) string { return strings.ReplaceAll(text, "\u00a0", " ") }

func TestNumbersAreNotBroken(t *testing.T) {
	for _, l := range locale.Languages {
		p := printer(l)
		at := time.Date(2026, 11, 30, 20, 5, 7, 0, time.UTC)
		for _, text := range []string{p.Money(123456789, 2, "KZT"), p.Money(1, 2, "KGS"), p.Count("unit.days", 1000), p.Percent(1, 3), p.Time(at), p.ShortDate(at)} {
			if strings.Contains(text, " ") {
				t.Errorf("%s: %q can be broken", l, text)
			}
		}
	}
}

func TestMoney(t *testing.T) {
	for _, tt := range []struct {
		amount     int64
		digits     int
		currency   string
		ru, kk, en string
	}{
		{100000, 2, "KZT", "1 000,00 ₸", "1 000,00 ₸", "₸1,000.00"},
		{150050, 2, "KZT", "1 500,50 ₸", "1 500,50 ₸", "₸1,500.50"},
		{5, 2, "KZT", "0,05 ₸", "0,05 ₸", "₸0.05"},
		{-123456789, 2, "KZT", "−1 234 567,89 ₸", "−1 234 567,89 ₸", "−₸1,234,567.89"},
		{45000, 2, "KGS", "450,00 сом", "450,00 сом", "KGS 450.00"},
		{250, 2, "TJS", "2,50 сомони", "2,50 сомони", "TJS 2.50"},
		{5000, 0, "JPY", "5 000 JPY", "5 000 JPY", "JPY 5,000"},
		{1234, 3, "KWD", "1,234 KWD", "1,234 KWD", "KWD 1.234"},
		{0, 2, "USD", "0,00 $", "0,00 $", "$0.00"},
		{-9223372036854775808, 2, "KZT", "−92 233 720 368 547 758,08 ₸", "−92 233 720 368 547 758,08 ₸", "−₸92,233,720,368,547,758.08"},
	} {
		for l, want := range map[locale.Language]string{locale.Russian: tt.ru, locale.Kazakh: tt.kk, locale.English: tt.en} {
			if got := plain(printer(l).Money(tt.amount, tt.digits, tt.currency)); got != want {
				t.Errorf("%s %d %s: got %q, want %q", l, tt.amount, tt.currency, got, want)
			}
		}
	}
}

func TestDates(t *testing.T) {
	at := time.Date(2026, 11, 30, 20, 5, 7, 0, time.UTC) // 1 December in Almaty
	for l, want := range map[locale.Language][5]string{
		locale.Russian: {"1 декабря 2026 г.", "01.12.2026", "01.12.2026, 01:05", "01.12.2026, 01:05:07", "01.12"},
		locale.Kazakh:  {"2026 ж. 1 желтоқсан", "01.12.2026", "01.12.2026, 01:05", "01.12.2026, 01:05:07", "01.12"},
		locale.English: {"1 December 2026", "1 Dec 2026", "1 Dec 2026, 01:05", "1 Dec 2026, 01:05:07", "1 Dec"},
	} {
		p := printer(l)
		if got := [5]string{plain(p.Date(at)), plain(p.ShortDate(at)), plain(p.Time(at)), plain(p.Moment(at)), plain(p.DayOfMonth(at))}; got != want {
			t.Errorf("%s: got %q, want %q", l, got, want)
		}
		if p.Date(time.Time{}) != "" || p.Time(time.Time{}) != "" {
			t.Errorf("%s: the zero time is not empty", l)
		}
	}
}

func TestPluralForms(t *testing.T) {
	for n, want := range map[int64][3]string{
		0: {"0 дней", "0 күн", "0 days"}, 1: {"1 день", "1 күн", "1 day"}, 2: {"2 дня", "2 күн", "2 days"}, 5: {"5 дней", "5 күн", "5 days"},
		11: {"11 дней", "11 күн", "11 days"}, 12: {"12 дней", "12 күн", "12 days"}, 21: {"21 день", "21 күн", "21 days"},
		111: {"111 дней", "111 күн", "111 days"}, 1002: {"1 002 дня", "1 002 күн", "1,002 days"},
	} {
		for i, l := range locale.Languages {
			if got := plain(printer(l).Count("unit.days", n)); got != want[i] {
				t.Errorf("%s %d: got %q, want %q", l, n, got, want[i])
			}
		}
	}
}

func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		part, whole int64
		ru, en      string
	}{{0, 0, "", ""}, {1, 3, "33,3 %", "33.3%"}, {99999, 100000, "99,9 %", "99.9%"}, {7, 7, "100 %", "100%"}} {
		if ru, en := plain(printer(locale.Russian).Percent(tt.part, tt.whole)), printer(locale.English).Percent(tt.part, tt.whole); ru != tt.ru || en != tt.en {
			t.Errorf("%d of %d: got %q and %q", tt.part, tt.whole, ru, en)
		}
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1 минута", 90 * time.Second: "1 минута", 3 * time.Hour: "3 часа", 47 * time.Hour: "47 часов", 72 * time.Hour: "3 дня",
	} {
		if got := plain(printer(locale.Russian).Duration(d)); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

func TestAccept(t *testing.T) {
	for header, want := range map[string]locale.Language{
		"": locale.Russian, "kk": locale.Kazakh, "kk-KZ,ru;q=0.8": locale.Kazakh, "de,en;q=0.5": locale.English, "fr": locale.Russian,
		"en;q=0.3,kk;q=0.9": locale.Kazakh, "en;q=0": locale.Russian, "en;q=x": locale.Russian, "*": locale.Russian,
		"en;q=NaN": locale.Russian, ";;;,,,": locale.Russian,
	} {
		if got := locale.Accept(header); got != want {
			t.Errorf("%q: got %s, want %s", header, got, want)
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add("kk-KZ,ru;q=0.8")
	f.Fuzz(func(t *testing.T, header string) {
		if l := locale.Accept(header); l != locale.Russian && l != locale.Kazakh && l != locale.English {
			t.Errorf("%q: %q", header, l)
		}
	})
}
