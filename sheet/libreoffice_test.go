package sheet_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tolem/sheet/sheettest"
)

// A spreadsheet in Russian or Kazakh shows every cell as it was meant: ids whole,
// amounts as numbers with its own decimal comma, dates as dates, and no formula.
func TestLibreOffice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lines.xlsx")
	if err := os.WriteFile(file, xlsx(t, samples...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, locale := range []string{"ru-RU", "kk-KZ"} {
		t.Run(locale, func(t *testing.T) {
			shown, text := sheettest.LibreOffice(t, locale, file)
			want := [][]string{
				{"id", "n", "sum", "currency", "at", "day", "note"},
				{"1234567890123456789", "7", "1 500 000,05", "KZT", "2026-11-30 00:30:05", "2026-11-30", "=1+1"},
				{"00017", "-1", "-0,05", "KZT", "2024-02-29 23:59:59", "", "@SUM(A1:A9)"},
				{"+7 701", "0", "999 999 999 999 999", "JPY", "", "", "-2+3\t|cmd"},
				{"_x0041_", "0", "0,001", "KWD", "", "", " төлем \"ұ\"; <&>\nтөртінші "},
				{"", "0", "0,00", "KZT", "", "", ""},
			}
			if len(shown) != len(want) {
				t.Fatalf("got %d rows, want %d: %q", len(shown), len(want), shown)
			}
			for i := range want {
				for j, cell := range shown[i] {
					shown[i][j] = strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(cell)
				}
				if !slices.Equal(shown[i], want[i]) {
					t.Errorf("row %d: got %q, want %q", i, shown[i], want[i])
				}
				for j, column := range want[0] {
					isText := i == 0 || column == "id" || column == "currency" || column == "note"
					if want[i][j] != "" && text[i][j] != isText {
						t.Errorf("row %d, %s: got a text %t, want %t", i, column, text[i][j], isText)
					}
				}
			}
		})
	}
}
