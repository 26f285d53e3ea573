package sheet_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// profile is a LibreOffice profile whose language and region are the locale.
const profile = `<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>%s</value></prop></item>
</oor:items>
`

// libreOffice opens a spreadsheet in a locale, and returns the cells of its first
// sheet: as they are shown, and each with whether it is a text.
func libreOffice(t *testing.T, locale, file string) (shown [][]string, text [][]bool) {
	t.Helper()
	office, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("needs LibreOffice (Debian: libreoffice-calc); make test-all installs it, and under CI=true fails without it")
	}
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "user"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "user", "registrymodifications.xcu"), fmt.Appendf(nil, profile, locale), 0o600); err != nil {
		t.Fatal(err)
	}
	// Semicolon, quote, UTF-8, from line 1, no formats of columns, the profile's
	// language, texts alone are quoted, numbers as they are shown, no formulas.
	const filter = "csv:Text - txt - csv (StarCalc):59,34,76,1,,0,true,false,true,false"
	command := exec.CommandContext(t.Context(), office, "-env:UserInstallation=file://"+home, "--headless", "--convert-to", filter, "--outdir", home, file)
	command.Env = append(os.Environ(), "HOME="+home)
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, said)
	}
	made, err := os.ReadFile(filepath.Join(home, strings.TrimSuffix(filepath.Base(file), ".xlsx")+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	reader := csv.NewReader(strings.NewReader(string(made)))
	reader.Comma = ';'
	for {
		cells, err := reader.Read()
		if cells == nil {
			if len(shown) == 0 {
				t.Fatalf("LibreOffice made an empty file: %v", err)
			}
			return shown, text
		}
		quoted := make([]bool, len(cells))
		for i := range cells {
			row, column := reader.FieldPos(i)
			quoted[i] = strings.HasPrefix(strings.Split(string(made), "\n")[row-1][column-1:], `"`)
		}
		shown, text = append(shown, cells), append(text, quoted)
	}
}

// A spreadsheet in Russian or Kazakh shows every cell as it was meant: ids whole,
// amounts as numbers with its own decimal comma, dates as dates, and no formula.
func TestLibreOffice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lines.xlsx")
	if err := os.WriteFile(file, xlsx(t, samples...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, locale := range []string{"ru-RU", "kk-KZ"} {
		t.Run(locale, func(t *testing.T) {
			shown, text := libreOffice(t, locale, file)
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
