package accountfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tolem/accountfile"
	"tolem/topup"
)

// jsonl is a file of JSON lines that is held in memory.
func jsonl(lines ...string) accountfile.File {
	return ofBytes(accountfile.JSONLines, []byte(strings.Join(lines, "\n")))
}

// csvFile is a CSV file that is held in memory.
func csvFile(lines ...string) accountfile.File {
	return ofBytes(accountfile.CSV, []byte(strings.Join(lines, "\n")))
}

func ofBytes(format accountfile.Format, data []byte) accountfile.File {
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return accountfile.File{Format: format, Open: open, Size: int64(len(data))}
}

// line is an account record of one contract.
func line(customerID string) string {
	return fmt.Sprintf(`{"customer_id":"%s","additional_customer_id":"A","currency":"KZT","entities":[{"id":"e1","number":"n"}]}`, customerID)
}

// verdict is what a check of the file comes to.
func verdict(t testing.TB, file accountfile.File, n topup.Normalizer) error {
	t.Helper()
	v, err := file.Check(context.Background(), n, func(*accountfile.Record, int64) error { return nil })
	if err != nil {
		return err
	}
	return v.Err()
}

// badLines are the problems of a refused file, one a line.
func badLines(t testing.TB, file accountfile.File, n topup.Normalizer) []string {
	t.Helper()
	err := verdict(t, file, n)
	bad := (*accountfile.LineErrors)(nil)
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want the lines that are wrong", err)
	}
	var lines []string
	for _, l := range bad.Lines {
		lines = append(lines, l.Error())
	}
	return lines
}

// accounts are those of a good file.
func accounts(t testing.TB, file accountfile.File, n topup.Normalizer) (list []*topup.Account) {
	t.Helper()
	if err := verdict(t, file, n); err != nil {
		t.Fatal(err)
	}
	for account, err := range file.Accounts(n) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, account)
	}
	return list
}

// outlines are the accounts of a good file, in short.
func outlines(t testing.TB, file accountfile.File, n topup.Normalizer) string {
	t.Helper()
	var all []string
	for _, a := range accounts(t, file, n) {
		text := a.CustomerID + ": " + a.Currency
		for _, c := range a.Contracts {
			text += " " + c.ID
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// written is what a writer makes of a good file's accounts.
func written(t testing.TB, format accountfile.Format, file accountfile.File) string {
	t.Helper()
	var text strings.Builder
	w, err := accountfile.NewWriter(format, &text)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts(t, file, "") {
		if refused, err := w.Write(a); refused || err != nil {
			t.Errorf("%s: refused %t, %v", a.CustomerID, refused, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestAFileIsKnownByItsName(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "accounts.CSV")
	if err := os.WriteFile(path, []byte("customer_id,additional_customer_id,currency,entity_id,number\nc1,A,KZT,e1,n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "folder.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := accountfile.OnDisk(path)
	if err != nil || file.Format != accountfile.CSV || file.Size == 0 {
		t.Fatalf("got %+v, %v", file, err)
	}
	if got, want := outlines(t, file, ""), "c1: KZT e1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, bad := range []string{"accounts.txt", "missing.jsonl", "folder.csv"} {
		if _, err := accountfile.OnDisk(filepath.Join(folder, bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestAReportOfBadLinesIsBounded(t *testing.T) {
	err := verdict(t, jsonl(slices.Repeat([]string{`[]`}, 1500)...), "")
	bad := (*accountfile.LineErrors)(nil)
	if !errors.As(err, &bad) || len(bad.Lines) != 1000 || bad.More != 500 {
		t.Errorf("got %v", err)
	}
}

func TestAByteOrderMarkAndWindowsLineEndsAreNoPartOfTheRecords(t *testing.T) {
	lines := jsonl("\ufeff"+line("c1")+"\r", line("c2")+"\r", "")
	rows := csvFile("\ufeffcustomer_id,additional_customer_id,currency,entity_id,number\r", "c3,A,KZT,e1,n\r")
	if got, want := outlines(t, lines, "")+"; "+outlines(t, rows, ""), "c1: KZT e1; c2: KZT e1; c3: KZT e1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCSVAndJSONLinesSayTheSame(t *testing.T) {
	lines := []string{
		`{"customer_id":"c1","additional_customer_id":"A;1","currency":"KZT","entities":[{"id":"e1","number":"1234_ABC/01, \"x\"","payment":150000,"min_payment":100000,"info":{"z":1.50,"a":{"n":[1,2]}}},{"id":"e2","number":"n"}]}`,
		`{"customer_id":"c2","additional_customer_id":"Ә","currency":"KGS","entities":[{"id":"e1","number":"n","min_payment":0}]}`,
	}
	rows := []string{
		`info,number,entity_id,currency,customer_id,additional_customer_id,min_payment,payment`,
		`"{ ""z"": 1.50,` + "\n" + ` ""a"": {""n"": [1, 2]} }","1234_ABC/01, ""x""",e1,KZT,c1,A;1,100000,150000`,
		`,n,e2,KZT,c1,A;1,,`,
		``,
		`,n,e1,KGS,c2,Ә,0,`,
	}
	var got []string
	for _, file := range []accountfile.File{jsonl(lines...), csvFile(rows...)} {
		got = append(got, written(t, accountfile.JSONLines, file))
	}
	if got[0] != got[1] {
		t.Errorf("JSON lines:\n%s\nCSV:\n%s", got[0], got[1])
	}
}
