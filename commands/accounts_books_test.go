package commands_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tolem/testkit"
)

// TestAnExportIsWhatImportTakesAndChangesNothing exports books with everything
// that a record can have, and imports the file again.
func TestAnExportIsWhatImportTakesAndChangesNothing(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
	const info = `{"z":1.50,"a":12345678901234567890,"t":"Ә \u0041 \"; , <b>","n":{"e":1E400}}`
	first := `{"customer_id":"1","additional_customer_id":"A;\"1\"","currency":"KZT","entities":[{"id":"e1","number":" N,1 ","min_payment":5,"payment":0,"info":` + info + `},{"id":"e2","number":"N-2","closed":true}]}` + "\n"
	s.must(t, "accounts", "import", "--actor", "alice", testkit.WriteFile(t, s.dir, "first.jsonl",
		first+
			`{"customer_id":"2","additional_customer_id":"B","currency":"KGS","closed":true,"entities":[{"id":"e1","number":"=1+1"}]}`+"\n"+
			`{"customer_id":"3","additional_customer_id":"C","currency":"KZT","entities":[{"id":"e1","number":"N"},{"id":"e2","number":"M"}]}`+"\n"))
	// The third is closed because the file does not have it.
	s.must(t, "accounts", "import", "--replace", "--yes-close", "1", "--actor", "bob", testkit.WriteFile(t, s.dir, "second.jsonl",
		first+`{"customer_id":"2","additional_customer_id":"B","currency":"KGS","closed":true,"entities":[{"id":"e1","number":"=1+1"}]}`+"\n"))
	before := s.must(t, "accounts", "list", "--json")
	for _, name := range []string{"all.jsonl", "all.csv"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(s.dir, name)
			contains(t, "export", s.must(t, "accounts", "export", file), "3 accounts with 5 contracts exported")
			written, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := string(written)
			if name == "all.csv" {
				text = strings.ReplaceAll(text, `""`, `"`)
			}
			contains(t, name, text, info)
			contains(t, "import", s.must(t, "accounts", "import", file), "3 accounts with 5 contracts imported: 0 created, 0 changed, 3 as they were")
			contains(t, "import that replaces", s.must(t, "accounts", "import", "--replace", file), "0 created, 0 changed, 3 as they were; 0 accounts closed, and 0 contracts of others")
			if after := s.must(t, "accounts", "list", "--json"); after != before {
				t.Errorf("got\n%s\nwant\n%s", after, before)
			}
			if again := s.tolem(t, "accounts", "export", file); again.code != 1 || !strings.Contains(again.err, "exists and is not overwritten") {
				t.Errorf("over a file: got %+v", again)
			}
			// Into an empty database, the file makes the same accounts.
			other := newShop(t)
			other.env = s.env
			other.must(t, "accounts", "import", file)
			if got := other.must(t, "accounts", "list", "--json"); got != before {
				t.Errorf("in another database: got\n%s\nwant\n%s", got, before)
			}
		})
	}
	if left, err := filepath.Glob(filepath.Join(s.dir, ".*draft*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if bad := s.tolem(t, "accounts", "export", filepath.Join(s.dir, "all.txt")); bad.code != 1 {
		t.Errorf("got %+v", bad)
	}
}

func TestAnAccountsHistoryIsShown(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
	record := `{"customer_id":"1","additional_customer_id":"A","currency":"KZT","entities":[{"id":"e1","number":"N"},{"id":"e2","number":"M"}]}` + "\n"
	file := testkit.WriteFile(t, s.dir, "march.jsonl", record)
	hash := sha256.Sum256([]byte(record))
	contains(t, "import", s.must(t, "accounts", "import", "--actor", "alice", file), fmt.Sprintf("sha256 of the file %x", hash))
	s.env = append(s.env, "TOLEM_ACTOR=bob")
	s.must(t, "accounts", "import", "--replace", testkit.WriteFile(t, s.dir, "april.csv", "customer_id;additional_customer_id;currency;entity_id;number\n1;A;KZT;e1;N\n"))
	contains(t, "show", s.must(t, "accounts", "show", "1"),
		fmt.Sprintf("by an import of alice from march.jsonl (sha256 %x)", hash), "last changed", "contract closed e2", "by an import of bob from april.csv")
	account := decode[struct {
		Created, Changed struct{ At, Source, Actor, File, SHA256 string }
		History          []struct {
			What, Actor, File string
			EntityID          string `json:"entity_id"`
		}
	}](t, s.must(t, "accounts", "show", "1", "--json"))
	if account.Created.Actor != "alice" || account.Created.SHA256 != fmt.Sprintf("%x", hash) || account.Changed.File != "april.csv" || account.Changed.At == "" ||
		len(account.History) != 2 || account.History[1].What != "contract_closed" || account.History[1].EntityID != "e2" {
		t.Errorf("got %+v", account)
	}
	contains(t, "imports", s.must(t, "accounts", "imports"), "march.jsonl", "april.csv", "alice", "bob", fmt.Sprintf("%x", hash))
	imports := decode[[]struct {
		File    string
		Replace bool
		Changed int
	}](t, s.must(t, "accounts", "imports", "--json", "--limit", "1"))
	if len(imports) != 1 || imports[0].File != "april.csv" || !imports[0].Replace || imports[0].Changed != 1 {
		t.Errorf("got %+v", imports)
	}
}

func TestAnImportSaysHowManyIDsAreNoTelephoneNumbers(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS=", "TOLEM_ACCOUNTS__NORMALIZE=kz_phone"}
	file := testkit.WriteFile(t, s.dir, "phones.csv", "customer_id,additional_customer_id,currency,entity_id,number\n"+
		"8.707.123.45.67,A,KZT,e1,N\n81234567890,B,KZT,e1,N\n1234567890,C,KZT,e1,N\n")
	got := s.tolem(t, "accounts", "import", file)
	if got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	contains(t, "import", got.err, "2 of 3 customer ids are no Kazakh telephone numbers")
	contains(t, "list", s.must(t, "accounts", "list"), "7071234567 ", "81234567890 ", "1234567890 ")
	one := s.tolem(t, "accounts", "import", testkit.WriteFile(t, s.dir, "one.jsonl", "{}\n"))
	contains(t, "a file with problems", one.err, "problems in")
	bad := s.tolem(t, "accounts", "import", testkit.WriteFile(t, s.dir, "bad.jsonl", `{"customer_id":"x y","additional_customer_id":"A","currency":"KZT","entities":[{"id":"e1","number":"N"}]}`))
	contains(t, "a file with a problem", bad.err, "1 problem in "+filepath.Join(s.dir, "bad.jsonl"))
}
