package commands_test

import (
	"fmt"
	"strings"
	"testing"

	"tolem/testkit"
)

const ownAccount = "KZ98999DEMO000000001"

// statement writes a 1C statement of days with lines: each is
// "day in|out sum number purpose".
func (s *shop) statement(t testing.TB, name, from, to, opening, closing string, lines ...string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "1CClientBankExchange\nВерсияФормата=2.00\nСекцияРасчСчет\nДатаНачала=%s\nДатаКонца=%s\nРасчСчет=%s\nНачальныйОстаток=%s\nКонечныйОстаток=%s\nКонецРасчСчет\n",
		from, to, ownAccount, opening, closing)
	for _, line := range lines {
		f := strings.SplitN(line, " ", 5)
		key := map[string]string{"in": "СуммаПриход", "out": "СуммаРасход"}[f[1]]
		fmt.Fprintf(&b, "СекцияДокумент=Выписка\nДатаОперации=%s\n%s=%s\nНомерДокумента=%s\nПлательщикНаименование=Платформа\nПлательщикИИК=KZ00999DEMO000000002\nНазначениеПлатежа=%s\nКонецДокумента\n",
			f[0], key, f[2], f[3], f[4])
	}
	b.WriteString("КонецФайла\n")
	return testkit.WriteFile(t, s.dir, name, b.String())
}

func bankShop(t testing.TB) *shop {
	t.Helper()
	s := newShop(t, "bank: [{name: halyk, iban: "+ownAccount+`, bic: HSBKKZKX, bin: "000000000000", kbe: "17", currency: KZT}, {name: cash, currency: KZT}]`)
	s.must(t, "migrate")
	return s
}

func TestBankImport(t *testing.T) {
	s := bankShop(t)
	imported := func(file string) result {
		return s.tolem(t, "bank", "import", file, "--bank", "halyk", "--format", "1c", "--actor", "anna")
	}
	november := []string{"27.11.2026 in 985.00 15 Реестр po_1", "27.11.2026 in 985.00 15 Реестр po_1", "28.11.2026 out 100.50 16 Аренда"}
	first := s.statement(t, "first.txt", "27.11.2026", "28.11.2026", "1000", "2869.50", november...)
	t.Run("EachLineOnce", func(t *testing.T) {
		got := imported(first)
		if got.code != 0 {
			t.Fatalf("got %+v", got)
		}
		contains(t, "output", got.out, "2026-11-27 to 2026-11-28: opening balance 1000.00 KZT, closing balance 2869.50 KZT, 3 lines", "3 stored, 0 known, 0 changed, 0 vanished, 0 gaps")
		contains(t, "output", s.must(t, "bank", "import", first, "--bank", "halyk", "--format", "1c"), "0 stored, 3 known")
		// A later file that has these days, too.
		longer := s.statement(t, "longer.txt", "28.11.2026", "29.11.2026", "2970.00", "2874.50", november[2], "29.11.2026 in 5.00 17 x")
		contains(t, "output", s.must(t, "bank", "import", longer, "--bank", "halyk", "--format", "1c"), "1 stored, 1 known, 0 changed, 0 vanished, 0 gaps")
	})
	t.Run("Changed", func(t *testing.T) {
		got := imported(s.statement(t, "changed.txt", "28.11.2026", "28.11.2026", "2970.00", "2869.50", "28.11.2026 out 100.50 16 Аренда за ноябрь"))
		if got.code != 1 {
			t.Errorf("got %+v", got)
		}
		contains(t, "output", got.out, "changed: line 10 of the file, 2026-11-28, out 100.50 KZT: kept as line ", `purpose "Аренда")`, `purpose "Аренда за ноябрь"`, "0 stored, 0 known, 1 changed, 0 vanished")
	})
	t.Run("Vanished", func(t *testing.T) {
		got := imported(s.statement(t, "vanished.txt", "27.11.2026", "27.11.2026", "1000", "1985", november[0]))
		if got.code != 1 {
			t.Errorf("got %+v", got)
		}
		contains(t, "output", got.out, "vanished: kept line ", ", 2026-11-27, in 985.00 KZT", "0 stored, 1 known, 0 changed, 1 vanished")
	})
	t.Run("Gap", func(t *testing.T) {
		got := imported(s.statement(t, "gap.txt", "03.12.2026", "03.12.2026", "2000", "2001", "03.12.2026 in 1 18 y"))
		if got.code != 1 {
			t.Errorf("got %+v", got)
		}
		contains(t, "output", got.out, "gap: the balance at the end of 2026-11-29 is 2874.50 KZT, and at the beginning of 2026-12-03 it is 2000.00 KZT: import the statement between", "1 stored, 0 known, 0 changed, 0 vanished, 1 gap")
		// The statement between closes it.
		got = imported(s.statement(t, "between.txt", "30.11.2026", "02.12.2026", "2874.50", "2000", "01.12.2026 out 874.50 19 z"))
		if got.code != 0 {
			t.Errorf("got %+v", got)
		}
		contains(t, "output", got.out, "1 stored, 0 known, 0 changed, 0 vanished, 0 gaps")
	})
	t.Run("JSON", func(t *testing.T) {
		got := decode[map[string]any](t, s.must(t, "bank", "import", first, "--bank", "halyk", "--format", "1c", "--json"))
		if got["known"] != 3.0 || got["bank"] != "halyk" || len(got["sha256"].(string)) != 64 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("Audit", func(t *testing.T) {
		contains(t, "audit", s.must(t, "audit"), "bank_import", "halyk", "3 new lines of ")
	})
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"DoesNotBalance":  {[]string{s.statement(t, "unbalanced.txt", "27.11.2026", "27.11.2026", "1", "3", "27.11.2026 in 1 1 a"), "--bank", "halyk", "--format", "1c"}, "does not balance"},
		"AnotherFormat":   {[]string{first, "--bank", "halyk", "--format", "mt940"}, "the file is no MT940"},
		"UnknownBank":     {[]string{first, "--bank", "kaspi", "--format", "1c"}, `has no bank account "kaspi"`},
		"NoNumber":        {[]string{first, "--bank", "cash", "--format", "1c"}, "has no number (iban) of bank account cash"},
		"NoMap":           {[]string{first, "--bank", "halyk", "--format", "csv"}, "--map must say how the file is read"},
		"MapNotForIt":     {[]string{first, "--bank", "halyk", "--format", "1c", "--map", "x"}, "--map is for the formats csv and xlsx"},
		"NoFile":          {[]string{first + "x", "--bank", "halyk", "--format", "1c"}, "no such file"},
		"MapOfNoBank":     {[]string{first, "--bank", "halyk", "--format", "csv", "--map", "jetpay-csv"}, "the map is not of a bank statement"},
		"OneBalanceAlone": {[]string{first, "--bank", "halyk", "--format", "csv", "--map", "x", "--opening", "1"}, "--opening and --closing go together"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.tolem(t, append([]string{"bank", "import"}, tc.args...)...)
			if got.code != 2 {
				t.Errorf("got %+v", got)
			}
			contains(t, "standard error", got.err, tc.want)
		})
	}
}

// A statement as the bank's website exports it, read by a map.
func TestBankImport_Mapped(t *testing.T) {
	const text = `Выписка;;;;;;;
Дата;Документ;Приход;Расход;Остаток;Счёт;Контрагент;Назначение
28.11.2026;=16;;1 100,50;884,50;KZ00999DEMO000000003;ТОО Аренда;Аренда
27.11.2026;15;985,00;;1 985,00;KZ00 999D EMO0 0000 0002;Платформа;"Реестр po_1;
комиссия"
Итого;;985,00;1 100,50;;;;
`
	const columns = `columns: {date: Дата, number: Документ, in: Приход, out: Расход, account: Счёт, name: Контрагент, purpose: Назначение%s}
separator: ";"
decimal: ","
time: "%%d.%%m.%%Y"
timezone: Asia/Almaty
currency: KZT
skip: {date: Итого}
`
	s := bankShop(t)
	file := testkit.WriteFile(t, s.dir, "statement.csv", text)
	withBalance := testkit.WriteFile(t, s.dir, "balance.yaml", fmt.Sprintf(columns, ", balance: Остаток"))
	without := testkit.WriteFile(t, s.dir, "none.yaml", fmt.Sprintf(columns, ""))
	args := func(m string, more ...string) []string {
		return append([]string{"bank", "import", file, "--bank", "halyk", "--format", "csv", "--map", m}, more...)
	}
	contains(t, "output", s.must(t, args(withBalance)...), "2026-11-27 to 2026-11-28: opening balance 1000.00 KZT, closing balance 884.50 KZT, 2 lines", "2 stored")
	contains(t, "output", s.must(t, args(without, "--opening", "100000", "--closing", "88450")...), "0 stored, 2 known")
	for _, tc := range []struct {
		args []string
		want string
	}{
		{args(without), "give the balances of the statement with --opening and --closing"},
		{args(without, "--opening", "100000", "--closing", "88451"), "does not balance"},
	} {
		if got := s.tolem(t, tc.args...); got.code != 2 || !strings.Contains(got.err, tc.want) {
			t.Errorf("got %+v, want %q", got, tc.want)
		}
	}
	broken := testkit.WriteFile(t, s.dir, "broken.csv", strings.Replace(text, "1 985,00;KZ00", "1 985,01;KZ00", 1))
	got := s.tolem(t, "bank", "import", broken, "--bank", "halyk", "--format", "csv", "--map", withBalance)
	if got.code != 2 {
		t.Errorf("got %+v", got)
	}
	contains(t, "standard error", got.err, "a line is missing, or was changed")
}
