package bankfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tolem/bankfile"
	"tolem/topup"
)

// fuzz feeds a reader. Whatever it accepts balances and has no line without money.
func fuzz(f *testing.F, format bankfile.Format, suffix string, account bankfile.Account) {
	files, err := filepath.Glob("testdata/*" + suffix)
	if err != nil || len(files) == 0 {
		f.Fatal("no samples")
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		statements, err := bankfile.Read(bytes.NewReader(raw), format, account)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		for _, s := range statements {
			sum := s.Opening
			for _, l := range s.Lines {
				if l.Amount <= 0 || l.Direction != bankfile.In && l.Direction != bankfile.Out || l.Day.IsZero() {
					t.Fatalf("a line without money: %+v", l)
				}
				if sum, err = topup.Add(sum, l.Signed()); err != nil {
					t.Fatal(err)
				}
			}
			if sum != s.Closing || s.To.Before(s.From) {
				t.Fatalf("does not balance: %+v", s)
			}
		}
	})
}

func FuzzOneC(f *testing.F)    { fuzz(f, bankfile.OneC, ".1c.txt", tenge) }
func FuzzCAMT053(f *testing.F) { fuzz(f, bankfile.CAMT053, ".camt.xml", tenge) }
func FuzzMT940(f *testing.F)   { fuzz(f, bankfile.MT940, ".mt940.txt", tenge) }
