package bankfile_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"tolem/bankfile"
)

var (
	tenge  = bankfile.Account{Number: "KZ98999DEMO000000001", Currency: "KZT"}
	rouble = bankfile.Account{Number: "40702810000000000001", Currency: "RUB"}
)

// print shows statements as the tests compare them.
func print(statements []bankfile.Statement) string {
	var b strings.Builder
	for _, s := range statements {
		fmt.Fprintf(&b, "%s..%s %d -> %d\n", s.From, s.To, s.Opening, s.Closing)
		for _, l := range s.Lines {
			fmt.Fprintf(&b, "%s/%s %s %d number=%q reference=%q account=%q name=%q id=%q code=%q %q\n",
				l.Day, l.ValueDay, l.Direction, l.Amount, l.Number, l.BankReference, l.CounterpartyAccount, l.CounterpartyName, l.CounterpartyID, l.PurposeCode, l.Purpose)
		}
	}
	return b.String()
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

const kazakh = `2026-11-27..2026-11-29 100000050 -> 108600025
2026-11-27/2026-11-27 in 9850000 number="PAY-7701" reference="" account="KZ00999DEMO000000002" name="ТОО \"Платёжная платформа\"" id="000000000017" code="190" "Возмещение за 26.11.2026, реестр=po_1001; комиссия удержана 1500.00"
2026-11-29/ out 1250025 number="15" reference="" account="KZ00999DEMO000000003" name="%s" id="" code="859" "Аренда"
`

const camt = `2026-11-27..2026-11-29 100000 -> 207850
2026-11-27/2026-11-26 in 98500 number="po_1001" reference="BANK-1" account="KZ00999DEMO000000002" name="Platform LLP" id="" code="" "Settlement of 26.11.2026, register po_1001"
2026-11-28/ in 10050 number="" reference="" account="" name="" id="" code="" "A fee taken back"
2026-11-29/2026-11-29 out 700 number="" reference="" account="" name="" id="" code="" "one two"
`

func TestSamples(t *testing.T) {
	for _, tc := range []struct {
		name    string
		format  bankfile.Format
		account bankfile.Account
		want    string
	}{
		{"kz-utf8.1c.txt", bankfile.OneC, tenge, fmt.Sprintf(kazakh, "ИП Ұлы дала әңгімесі")},
		{"kz-windows1251.1c.txt", bankfile.OneC, tenge, fmt.Sprintf(kazakh, "ИП Большая степь")},
		{"kz-declared-utf8-is-windows1251.1c.txt", bankfile.OneC, tenge, fmt.Sprintf(kazakh, "ИП Большая степь")},
		{"kz-capitals-no-encoding.1c.txt", bankfile.OneC, tenge, fmt.Sprintf(kazakh, "ИП Ұлы дала әңгімесі")},
		{"ru-dos.1c.txt", bankfile.OneC, rouble, `2026-11-26..2026-11-27 100000 -> 130000
2026-11-26/ in 50000 number="77" reference="" account="40702810000000000002" name="ООО Платформа" id="0000000001" code="" "Реестр po_1 без НДС"
2026-11-27/ out 20000 number="78" reference="" account="70601810000000000001" name="Банк" id="" code="" "Комиссия"
`},
		{"v02.camt.xml", bankfile.CAMT053, tenge, camt},
		{"v08-reversal-other-way.camt.xml", bankfile.CAMT053, tenge, camt},
		{"paged.mt940.txt", bankfile.MT940, tenge, `2026-11-27..2026-11-27 100000 -> 198500
2026-11-27/2026-11-26 in 98500 number="po_1001" reference="BANK-1" account="KZ00999DEMO000000002" name="Platform LLP" id="" code="" "Settlement of 26.11.2026, register po_1001"
2026-11-28..2026-12-31 198500 -> 58500
2026-11-28/2026-11-28 out 150000 number="" reference="" account="" name="" id="" code="" "Commission over two lines"
2026-11-28/2026-11-28 in 10050 number="" reference="B2" account="" name="" id="" code="" ""
2026-12-31/2027-01-01 out 50 number="x" reference="" account="" name="" id="" code="" ""
`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := bankfile.Read(bytes.NewReader(sample(t, tc.name)), tc.format, tc.account)
			if err != nil {
				t.Fatal(err)
			}
			if print(got) != tc.want {
				t.Errorf("got\n%s\nwant\n%s", print(got), tc.want)
			}
		})
	}
}

// edited is a sample in which one text stands for another.
func edited(t testing.TB, name string, pairs ...string) []byte {
	t.Helper()
	text := string(sample(t, name))
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%s has no %q", name, pairs[i])
		}
	}
	return []byte(strings.NewReplacer(pairs...).Replace(text))
}

func TestRefusals(t *testing.T) {
	const oneC, camt, mt = "kz-utf8.1c.txt", "v02.camt.xml", "paged.mt940.txt"
	for _, tc := range []struct {
		name, file string
		edits      []string
		want       string
	}{
		{"ALineIsMissing", oneC, []string{"КонечныйОстаток=1086000.25", "КонечныйОстаток=1086000.26"}, "does not balance: opening 1000000.50 KZT with its lines gives 1086000.25 KZT, and its closing balance is 1086000.26 KZT"},
		{"AnotherAccount", oneC, []string{"KZ98999DEMO000000001", "KZ98999DEMO000000009"}, `of another account, "KZ98999DEMO000000009", not of KZ98999DEMO000000001`},
		{"AnotherCurrency", oneC, []string{"Валюта=KZT", "Валюта=USD"}, `line 20: is in "USD", and the account in KZT`},
		{"NeitherPayerNorPayee", oneC, []string{"СуммаПриход=98500\r\n", "", "ПолучательИИК=KZ98999DEMO000000001", "ПолучательИИК=KZ1"}, "line 20: the account is neither payer nor payee"},
		{"TwoSums", oneC, []string{"СуммаПриход=98500\r\n", "СуммаПриход=98500\r\nСуммаРасход=1\r\n"}, "line 20: has both"},
		{"SumsDiffer", oneC, []string{"Сумма=98500", "Сумма=98000"}, "line 20: the sum (Сумма) 98000 is not what came or went"},
		{"AmountInTwoWays", oneC, []string{"СуммаПриход=98500\r\n", "СуммаПриход=98,500\r\n"}, "more digits behind the decimal mark"},
		{"NoAmount", oneC, []string{"СуммаПриход=98500\r\n", "СуммаПриход=98'500\r\n"}, "is no amount"},
		{"NegativeAmount", oneC, []string{"СуммаПриход=98500\r\n", "СуммаПриход=-98500\r\n"}, "is negative"},
		{"NoDay", oneC, []string{"ДатаОперации=27.11.2026", "ДатаОперации=2026-11-27"}, `"2026-11-27" is no date such as 30.11.2026`},
		{"NoBalance", oneC, []string{"НачальныйОстаток=1000000.5", "Остаток=1"}, "НАЧАЛЬНЫЙОСТАТОК is missing"},
		{"NoSection", oneC, []string{"СекцияРасчСчет\r\n", "", "КонецРасчСчет\r\n", ""}, "has no balances"},
		{"CutOff", oneC, []string{"КонецДокумента\r\nКонецФайла\r\n", ""}, "it was cut off"},
		{"SectionInASection", oneC, []string{"КонецРасчСчет\r\n", ""}, "a section begins within the section of line 11"},
		{"TwoValues", oneC, []string{"НомерДокумента=15", "НомерДокумента=15\r\nНомерДокумента=16"}, "is given twice"},
		{"NotTheFormat", oneC, []string{"1CClientBankExchange", "1C"}, "the first line is not 1CClientBankExchange"},
		{"CAMT/DoesNotBalance", camt, []string{"2078.50", "2078.51"}, "does not balance"},
		{"CAMT/AnotherAccount", camt, []string{"KZ98999DEMO000000001", "KZ1"}, "of another account"},
		{"CAMT/AnotherCurrency", camt, []string{`<Amt Ccy="KZT">985.00`, `<Amt Ccy="USD">985.00`}, `is in "USD"`},
		{"CAMT/NoDirection", camt, []string{"<CdtDbtInd>DBIT</CdtDbtInd>", ""}, "CdtDbtInd is \"\""},
		{"CAMT/NoBalance", camt, []string{"CLBD", "CLAV"}, "no closing balance"},
		{"CAMT/CutOff", camt, []string{"</BkToCstmrStmt>\n</Document>", ""}, "the XML cannot be read"},
		{"CAMT/NoStatement", camt, []string{"Stmt>", "Other>"}, "the file is no CAMT.053"},
		{"CAMT/Comma", camt, []string{"985.00", "985,00"}, "is no amount"},
		{"MT940/DoesNotBalance", mt, []string{":62F:C261231KZT585,00", ":62F:C261231KZT585,01"}, "does not balance"},
		{"MT940/AnotherAccount", mt, []string{"KZ98999DEMO000000001", "KZ98999DEMO00000000123"}, "of another account"},
		{"MT940/AnotherCurrency", mt, []string{"261126KZT", "261126USD"}, "is in USD"},
		{"MT940/CutOff", mt, []string{":62F:C261231KZT585,00\r\n", ""}, "the file was cut off"},
		{"MT940/PageMissing", mt, []string{":60M:C261127KZT1985,00", ":60M:C261127KZT1986,00", ":62F:C261231KZT585,00", ":62F:C261231KZT586,00"}, "a page is missing: the one before ends with 1985.00 KZT, and this one begins with 1986.00 KZT"},
		{"MT940/Movement", mt, []string{":61:261128D1500,", ":61:261128D1500."}, `:61: "261128D1500.NCHGNONREF" cannot be read`},
		{"MT940/NoDay", mt, []string{":61:261128D", ":61:261328D"}, "is no date"},
		{"MT940/NothingOfIt", mt, []string{":60F:", ":99:", ":60M:", ":99:"}, "the file is no MT940"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			format := map[string]bankfile.Format{oneC: bankfile.OneC, camt: bankfile.CAMT053, mt: bankfile.MT940}[tc.file]
			_, err := bankfile.Read(bytes.NewReader(edited(t, tc.file, tc.edits...)), format, tenge)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestOneC_Oddities(t *testing.T) {
	read := func(t *testing.T, edits ...string) string {
		t.Helper()
		got, err := bankfile.Read(bytes.NewReader(edited(t, "kz-utf8.1c.txt", edits...)), bankfile.OneC, tenge)
		if err != nil {
			t.Fatal(err)
		}
		return print(got)
	}
	whole := read(t, "Валюта=KZT", "Валюта=KZT")
	for name, edits := range map[string][]string{
		"NumericCurrency":        {"Валюта=KZT", "Валюта=398"},
		"DirectionByTheAccounts": {"СуммаПриход=98500\r\n", "", "СуммаРасход=12 500,25\r\n", ""},
		"ThinBlanks":             {"СуммаПриход=98500", "СуммаПриход=98\u202f500,00"},
		"AccountInTheDocument":   {"ВидДокумента=ПлатежноеПоручение", "РасчСчет=KZ98999DEMO000000001"},
		"SameValueTwice":         {"НомерДокумента=15", "НомерДокумента=15\r\nНомерДокумента=15"},
		"NoEndOfFile":            {"КонецФайла\r\n", ""},
		"TimeBesideADate":        {"ДатаОперации=27.11.2026", "ДатаОперации=27.11.2026 23:59:59"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := read(t, edits...); got != whole {
				t.Errorf("got\n%s\nwant\n%s", got, whole)
			}
		})
	}
	t.Run("PurposeThatLooksLikeAKey", func(t *testing.T) {
		got := read(t, "удержана 1500.00", "Сумма=1500.00")
		if !strings.Contains(got, "in 9850000") || !strings.Contains(got, "комиссия СУММА=1500.00") {
			t.Errorf("got\n%s", got)
		}
	})
	t.Run("PurposeThatGoesOnInAWordWithAnEqualsSign", func(t *testing.T) {
		got := read(t, "удержана 1500.00", "по реестру\r\nномер=po_9 и\r\n договор=12")
		if !strings.Contains(got, "по реестру номер=po_9 и договор=12") {
			t.Errorf("got\n%s", got)
		}
	})
	t.Run("DocumentOfAnotherAccount", func(t *testing.T) {
		other := "СекцияРасчСчет\r\nРасчСчет=KZ1\r\nДатаНачала=27.11.2026\r\nНачальныйОстаток=0\r\nКонечныйОстаток=5\r\nКонецРасчСчет\r\n" +
			"СекцияДокумент=Выписка\r\nДатаОперации=27.11.2026\r\nСумма=5\r\nПолучательИИК=KZ1\r\nКонецДокумента\r\nКонецФайла"
		if got := read(t, "КонецФайла", other); got != whole {
			t.Errorf("got\n%s", got)
		}
	})
	t.Run("ZeroSum", func(t *testing.T) {
		if got := read(t, "КонецФайла", "СекцияДокумент=Выписка\r\nДатаОперации=27.11.2026\r\nСумма=0.00\r\nПолучательИИК=KZ98999DEMO000000001\r\nКонецДокумента\r\nКонецФайла"); got != whole {
			t.Errorf("got\n%s", got)
		}
	})
	t.Run("GapBetweenDays", func(t *testing.T) {
		text, err := charmap.CodePage866.NewDecoder().Bytes(sample(t, "ru-dos.1c.txt"))
		if err != nil {
			t.Fatal(err)
		}
		broken := strings.Replace(string(text), "НачальныйОстаток=1500.00", "НачальныйОстаток=1501.00", 1)
		_, err = bankfile.Read(strings.NewReader(broken), bankfile.OneC, rouble)
		if err == nil || !strings.Contains(err.Error(), "a gap: the balance at the end of 2026-11-26 is 1500.00 RUB, and at the beginning of 2026-11-27 it is 1501.00 RUB") {
			t.Errorf("got %v", err)
		}
	})
}

// endless gives the same bytes without an end.
type endless struct{ piece []byte }

func (e endless) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat(e.piece, len(p)/len(e.piece)+1)), nil
}

// A file that is far too large, or made to be expensive, is refused within bounded
// memory.
func TestHostileFiles(t *testing.T) {
	deep := []byte("<Document><BkToCstmrStmt>" + strings.Repeat("<a>", 100_000))
	entities := []byte(`<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Document><Stmt><Acct><Id><IBAN>&b;</IBAN></Id></Acct></Stmt></Document>`)
	for name, tc := range map[string]struct {
		format bankfile.Format
		file   func() error
	}{
		"Endless1C":    {bankfile.OneC, nil},
		"EndlessCAMT":  {bankfile.CAMT053, nil},
		"EndlessMT940": {bankfile.MT940, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := bankfile.Read(endless{[]byte("1CClientBankExchange\n:61:")}, tc.format, tenge)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
				t.Errorf("got %v", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 512<<20 {
				t.Errorf("%d MiB were allocated", used>>20)
			}
		})
	}
	for name, tc := range map[string]struct {
		format bankfile.Format
		file   []byte
		want   string
	}{
		"DeepXML":           {bankfile.CAMT053, deep, "nested more than 64 deep"},
		"Entities":          {bankfile.CAMT053, entities, "cannot be read"},
		"OneLine1C":         {bankfile.OneC, append([]byte("1CClientBankExchange\n"), bytes.Repeat([]byte("a"), 10<<20)...), "has no balances"},
		"OneLineMT940":      {bankfile.MT940, append([]byte(":25:KZ98999DEMO000000001\n:60F:"), bytes.Repeat([]byte("9"), 10<<20)...), "is no balance"},
		"BinaryMT940":       {bankfile.MT940, bytes.Repeat([]byte{0xff, 0xfd, 0}, 1000), "is no MT940"},
		"UnknownEncoding1C": {bankfile.OneC, bytes.Repeat([]byte{0xff, 0xfd, 0}, 1000), "in no encoding of a bank statement"},
		"Empty":             {bankfile.OneC, nil, "the first line is not"},
		"ManyKeys":          {bankfile.OneC, []byte("1CClientBankExchange\nСекцияДокумент=a\n" + strings.Repeat("ключ\n", 100_000)), "is no line Key=value"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := bankfile.Read(bytes.NewReader(tc.file), tc.format, tenge)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if err != nil && len(err.Error()) > 4096 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}
