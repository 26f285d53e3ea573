package commands_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tolem/sheet/sheettest"
	"tolem/testkit"
)

// TestEverySpreadsheetOpensInLibreOffice: each table that people open has its ids
// whole and its amounts as numbers, in Russian and in Kazakh.
func TestEverySpreadsheetOpensInLibreOffice(t *testing.T) {
	s := newShop(t, `bank: [{name: halyk, currency: KZT}]`)
	s.serve(t).end(t) // the demo has a payment
	const id = "payment_47"
	s.must(t, "payments", "credit", id, "--reason", "=1+1")
	s.must(t, "payouts", "add", "--provider", "jetpay", "--project", "1234", "--bank", "halyk", "--id", "0012345678901234567", "--date", "2026-11-01",
		"--currency", "KZT", "--gross", "1000000", "--fees", "123456", "--net", "876544")
	dir := t.TempDir()
	report := testkit.WriteFile(t, dir, "report.csv", "payment_id,operation_id,operation_type,operation_status,sum_initial.amount,sum_initial.currency,operation_completed_at\n"+
		"00099,00088,sale,success,100.00,KZT,2026-11-01 10:00:00\n")
	for name, c := range map[string]struct {
		args []string
		code int
		want []string // cells
	}{
		"ledger export": {[]string{"ledger", "export", "--format", "xlsx"}, 0, []string{id, "=1+1"}},
		"payments list": {[]string{"payments", "list", "--format", "xlsx"}, 0, []string{id}},
		"payouts list":  {[]string{"payouts", "list", "--format", "xlsx"}, 0, []string{"0012345678901234567", "10 000,00", "8 765,44"}},
		"settlement":    {[]string{"settlement", "--format", "xlsx"}, 0, []string{"jetpay", "1234"}},
		"report":        {[]string{"report", "--by", "month", "--format", "xlsx"}, 0, nil},
		"reconcile":     {[]string{"reconcile", report, "--provider", "jetpay", "--map", "jetpay-csv", "--from", "2026-11-01", "--to", "2026-11-01"}, 1, []string{"00099", "00088"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".xlsx")
			got := s.tolem(t, append(slices.Clone(c.args), "--out", file)...)
			if got.code != c.code {
				t.Fatalf("exit code %d, want %d\n%s%s", got.code, c.code, got.out, got.err)
			}
			for _, locale := range []string{"ru-RU", "kk-KZ"} {
				shown, text := sheettest.LibreOffice(t, locale, file)
				if len(shown) < 2 {
					t.Fatalf("%s: nothing but a heading: %q", locale, shown)
				}
				amounts := 0
				var cells []string
				for i, row := range shown[1:] {
					for j, cell := range row {
						cell = strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(cell)
						cells = append(cells, cell)
						if regexp.MustCompile(`^-?[0-9 ]+,[0-9]{2}$`).MatchString(cell) {
							amounts++
							if text[i+1][j] {
								t.Errorf("%s: %s is a text", locale, cell)
							}
						}
					}
				}
				if amounts == 0 {
					t.Errorf("%s: there are no amounts in %q", locale, shown)
				}
				for _, want := range c.want {
					if !slices.Contains(cells, want) {
						t.Errorf("%s: no cell %s in %q", locale, want, cells)
					}
				}
			}
		})
	}
}
