package commands_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"slices"
	"strings"
	"testing"

	"tolem/testkit"

	"github.com/xuri/excelize/v2"
)

// spreadsheet reads the first sheet of an XLSX file, numbers as they are in it.
func spreadsheet(t testing.TB, file string) [][]string {
	t.Helper()
	book, err := excelize.OpenReader(strings.NewReader(file), excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatalf("not an XLSX file of %d bytes: %v", len(file), err)
	}
	defer book.Close()
	rows, err := book.GetRows(book.GetSheetName(0))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// csvRows reads CSV.
func csvRows(t testing.TB, text string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// cellOf is the cell of a row under a heading, empty if the row ends before it.
func cellOf(t testing.TB, rows [][]string, row int, heading string) string {
	t.Helper()
	column := slices.Index(rows[0], heading)
	if column < 0 {
		t.Fatalf("no column %s in %q", heading, rows[0])
	}
	if column >= len(rows[row]) {
		return ""
	}
	return rows[row][column]
}

func TestLedgerExport_XLSX(t *testing.T) {
	s := nastyBooks(t)
	s.must(t, "payments", "credit", issue(t, s), "--reason", "=HYPERLINK(1)", "--actor", "@home")
	rows := spreadsheet(t, s.must(t, "ledger", "export", "--format", "xlsx"))
	machine := csvRows(t, s.must(t, "ledger", "export", "--format", "csv"))
	if len(rows) != len(machine) {
		t.Fatalf("got %d rows, want those of the CSV: %d", len(rows), len(machine))
	}
	for i := range rows[1:] {
		for _, heading := range []string{"transaction_id", "kind", "payment_id", "currency"} {
			if got, want := cellOf(t, rows, i+1, heading), cellOf(t, machine, i+1, heading); got != want {
				t.Fatalf("row %d, %s: got %q, want %q", i+1, heading, got, want)
			}
		}
	}
	for heading, want := range map[string]string{"account": "customers:(a):(a)", "amount": "-1000.01", "currency": "KZT"} {
		if got := cellOf(t, rows, 2, heading); got != want {
			t.Errorf("%s: got %q, want %q", heading, got, want)
		}
	}
	last := len(rows) - 1
	if got := cellOf(t, rows, last, "reason"); got != "=HYPERLINK(1)" {
		t.Errorf("reason: got %q", got)
	}
	if slices.Contains(rows[0], "amount_major") {
		t.Error("amounts stand there twice")
	}
}

func TestPaymentsList_Formats(t *testing.T) {
	s := nastyBooks(t)
	id := issue(t, s)
	table := s.must(t, "payments", "list")
	machine := csvRows(t, s.must(t, "payments", "list", "--format", "csv"))
	rows := spreadsheet(t, s.must(t, "payments", "list", "--format", "xlsx"))
	if want := 1 + len(nasty) + 3 + 1; len(machine) != want || len(rows) != want || strings.Count(table, "\n") != want {
		t.Fatalf("got %d, %d and %d rows, want %d", len(machine), len(rows), strings.Count(table, "\n"), want)
	}
	if got := cellOf(t, rows, 1, "payment_id"); got != id {
		t.Errorf("the newest payment: got %s, want %s", got, id)
	}
	credited := slices.IndexFunc(machine, func(row []string) bool { return slices.Contains(row, "100001") })
	for heading, want := range map[string][2]string{
		"amount": {"100001", "1000.01"}, "credited": {"100001", "1000.01"}, "status": {"succeeded", "succeeded"}, "currency": {"KZT", "KZT"},
	} {
		if got := cellOf(t, machine, credited, heading); got != want[0] {
			t.Errorf("CSV, %s: got %q, want %q", heading, got, want[0])
		}
		if got := cellOf(t, rows, credited, heading); got != want[1] {
			t.Errorf("XLSX, %s: got %q, want %q", heading, got, want[1])
		}
	}
	t.Run("Limit", func(t *testing.T) {
		got := s.tolem(t, "payments", "list", "--format", "csv", "--limit", "3")
		if len(csvRows(t, got.out)) != 4 {
			t.Errorf("got %s", got.out)
		}
		contains(t, "standard error", got.err, "there are more than these 3 payments")
	})
	t.Run("JSON", func(t *testing.T) {
		if s.must(t, "payments", "list", "--format", "json") != s.must(t, "payments", "list", "--json") {
			t.Error("--format json and --json differ")
		}
		got := s.tolem(t, "payments", "list", "--json", "--format", "xlsx")
		if got.code != 2 {
			t.Errorf("both: got %+v", got)
		}
	})
	t.Run("Out", func(t *testing.T) {
		file := testkit.WriteFile(t, s.dir, "november.xlsx", "an older one")
		if said := s.must(t, "payments", "list", "--format", "xlsx", "--out", file); said != "" {
			t.Errorf("standard output: got %q", said)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(spreadsheet(t, string(text))); got != len(rows) {
			t.Errorf("got %d rows, want %d", got, len(rows))
		}
		before, err := os.ReadDir(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		got := s.tolem(t, "payments", "list", "--q", strings.Repeat("x", 5000), "--format", "xlsx", "--out", file)
		after, err := os.ReadDir(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got.code == 0 || len(before) != len(after) || !bytes.Equal(kept, text) {
			t.Errorf("a refused list: got %+v; the file was changed: %t; files before %d, after %d", got, !bytes.Equal(kept, text), len(before), len(after))
		}
	})
}
