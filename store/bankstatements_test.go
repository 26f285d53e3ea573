package store_test

import (
	"strings"
	"testing"

	"tolem/bankfile"
	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
)

var halyk = bankfile.Account{Number: "KZ98999DEMO000000001", Currency: "KZT"}

// statementOf is a statement of one day with lines of these amounts.
func statementOf(t testing.TB, day string, opening int64, amounts ...int64) store.BankImport {
	t.Helper()
	on, err := calendar.ParseDay(day)
	if err != nil {
		t.Fatal(err)
	}
	s := bankfile.Statement{From: on, To: on, Opening: opening, Closing: opening}
	for i, amount := range amounts {
		l := bankfile.Line{Row: i + 1, Day: on, Direction: bankfile.In, Amount: amount, Number: "1", Purpose: "settlement"}
		if amount < 0 {
			l.Direction, l.Amount = bankfile.Out, -amount
		}
		s.Lines, s.Closing = append(s.Lines, l), s.Closing+amount
	}
	return store.BankImport{Bank: "halyk", Account: halyk, Statements: []bankfile.Statement{s}, File: "statement.txt", SHA256: strings.Repeat("0", 64)}
}

// Lines of a large statement are written some at a time; the same import again
// completes one that was cut short, and changes nothing else.
func TestImportBankStatement(t *testing.T) {
	s := mustOpen(t)
	var amounts []int64
	for i := range 450 {
		amounts = append(amounts, int64(i%7)+1)
	}
	im := statementOf(t, "2026-11-27", 0, amounts...)
	half := im
	half.Statements = []bankfile.Statement{{From: im.Statements[0].From, To: im.Statements[0].To, Lines: im.Statements[0].Lines[:200]}}
	for i, tc := range []struct {
		im            store.BankImport
		stored, known int
	}{{half, 200, 0}, {im, 250, 200}, {im, 0, 450}} {
		got, err := s.ImportBankStatement(ctx, tc.im, anna)
		if err != nil || got.Stored != tc.stored || got.Known != tc.known || len(got.Changed)+len(got.Vanished)+len(got.Gaps) > 0 {
			t.Fatalf("import %d: got %+v, %v", i, got, err)
		}
	}
	if _, err := s.ImportBankStatement(ctx, store.BankImport{Bank: "halyk"}, anna); kindOf(err) != topup.KindInvalid {
		t.Errorf("nothing to import: got %v", err)
	}
}

// TestBankGaps: a day may have several statements, such as the pages of one, or
// what the bank had of it at noon and all of it.
func TestBankGaps(t *testing.T) {
	s := mustOpen(t)
	noon := statementOf(t, "2026-11-26", 1000, 100)
	for i, tc := range []struct {
		im   store.BankImport
		gaps int
	}{
		{noon, 0},
		{statementOf(t, "2026-11-26", 1100, 200), 0}, // its second page
		{statementOf(t, "2026-11-27", 1300, 50), 0},
		{statementOf(t, "2026-11-27", 1350, 60), 0},
		{noon, 0},
		{statementOf(t, "2026-11-29", 1411, 1), 1}, // the 28th is missing
		{statementOf(t, "2026-11-28", 1410, 1), 0},
		{statementOf(t, "2026-11-29", 1411, 1), 0},
	} {
		got, err := s.ImportBankStatement(ctx, tc.im, anna)
		if err != nil || len(got.Gaps) != tc.gaps {
			t.Errorf("import %d: got gaps %v, %v, want %d", i, got.Gaps, err, tc.gaps)
		}
	}
}

// What a bank has said is never changed, with whatever tool.
func TestBankStatementsAreInsertOnly(t *testing.T) {
	s := mustOpen(t)
	if _, err := s.ImportBankStatement(ctx, statementOf(t, "2026-11-27", 0, 5), anna); err != nil {
		t.Fatal(err)
	}
	raw := rawOpen(t, s)
	for _, table := range []string{"bank_lines", "bank_statements"} {
		for _, statement := range []string{`UPDATE ` + table + ` SET currency = 'USD'`, `DELETE FROM ` + table} {
			if _, err := raw.Exec(statement); err == nil || !strings.Contains(err.Error(), "never") {
				t.Errorf("%s: got %v", statement, err)
			}
		}
	}
}
