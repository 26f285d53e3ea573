// Package sheettest opens spreadsheets in tests as people do.
package sheettest

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// profile is a LibreOffice profile whose language and region are the locale.
const profile = `<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>%s</value></prop></item>
</oor:items>
`

// LibreOffice opens a spreadsheet in a locale, and returns the cells of its first
// sheet: as they are shown, and each with whether it is a text.
func LibreOffice(t testing.TB, locale, file string) (shown [][]string, text [][]bool) {
	t.Helper()
	office, err := exec.LookPath("soffice")
	if err != nil {
		if os.Getenv("CI") == "true" && os.Getenv("TOLEM_TEST_LONG") == "1" {
			t.Fatal("missing: soffice")
		}
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
