package config_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"tolem/config"
)

// password is one that needs no escapes in a URL.
const password = "c4naryS3cret9"

func noPassword(t *testing.T, what, text string) {
	t.Helper()
	if strings.Contains(text, password) {
		t.Errorf("%s shows the password: %s", what, text)
	}
}

// onPostgres is a configuration with a URL, which is valid if the URL is.
func onPostgres(address string) string {
	return fmt.Sprintf("database: {driver: postgres, dsn: %q}\n", address) + minimal
}

func TestAPostgreSQLURLIsKeptAndItsPasswordIsNotShown(t *testing.T) {
	for _, tc := range []struct{ address, shown string }{
		{"postgres://tolem:" + password + "@db.example:5432/tolem", "postgres://tolem:xxxxx@db.example:5432/tolem"},
		{"postgresql://tolem:" + password + "@db.example/tolem?sslmode=verify-full", "postgresql://tolem:xxxxx@db.example/tolem?sslmode=verify-full"},
		{"postgres://tolem@db.example/tolem", "postgres://tolem@db.example/tolem"},
		{"postgres://tolem:" + password + "@a:5432,b:5432/tolem?target_session_attrs=read-write", "postgres://tolem:xxxxx@a:5432,b:5432/tolem?target_session_attrs=read-write"},
		{"postgres:///tolem", "postgres:///tolem"},
		{"postgres://?dbname=tolem&host=/run/postgresql", "postgres:///?dbname=tolem&host=%2Frun%2Fpostgresql"},
		{"postgres://tolem@/tolem?host=/run/postgresql&password=" + password, "postgres://tolem@/tolem?host=%2Frun%2Fpostgresql&password=xxxxx"},
		{"postgres://tolem@h/tolem?sslkey=k&sslpassword=" + password, "postgres://tolem@h/tolem?sslkey=xxxxx&sslpassword=xxxxx"},
		{"postgres://tolem@h/tolem?pasword=" + password, "postgres://tolem@h/tolem?pasword=xxxxx"},
		{"postgres://tolem@h/tolem?options=-c%20a.b%3D" + password, "postgres://tolem@h/tolem?options=xxxxx"},
		{"postgres://tolem:%40%2F%23" + password + "@h/tolem", "postgres://tolem:xxxxx@h/tolem"},
	} {
		got := mustLoad(t, onPostgres(tc.address), nil)
		if got.Database.Postgres.Reveal() != tc.address || got.Database.DSN != tc.shown {
			t.Errorf("got %q and %q, want %q and %q", got.Database.Postgres.Reveal(), got.Database.DSN, tc.address, tc.shown)
		}
		effective, err := got.Effective()
		if err != nil {
			t.Fatal(err)
		}
		marshalled, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(effective), "dsn: "+tc.shown+"\n") {
			t.Errorf("got\n%s\nwant it to show %s", effective, tc.shown)
		}
		noPassword(t, tc.address, string(effective)+string(marshalled)+fmt.Sprintf("%v %+v %#v", got, got, got))
		again := mustLoad(t, string(effective), nil)
		if twice, err := again.Effective(); err != nil || string(twice) != string(effective) {
			t.Errorf("what is shown is no configuration: %v\n%s", err, twice)
		}
	}
}

func TestBadPostgreSQLURLsAreRefusedAndNotShown(t *testing.T) {
	const (
		example = "postgres://tolem:password@127.0.0.1:5432/tolem"
		form    = "must be a URL, such as " + example + "; the form with key=value is not read"
		special = "is not a URL such as " + example + "; what is special in a password is written as %40 for @, %2F for /, %3F for ?, %23 for #, %25 for %"
		bad     = "has parameters that cannot be read; write what is special in them as %26 for &, %3D for =, %25 for %"
		nowhere = "names no database; add it at the end, such as " + example
		none    = "is missing; give the URL of the PostgreSQL database, such as " + example + ", here or in the file that database.dsn_file names"
	)
	for _, tc := range []struct{ address, want string }{
		{"", none},
		{"data/tolem.db", form},
		{"host=h user=u password=" + password + " dbname=d", form},
		{"mysql://u:" + password + "@h/d", form},
		{"postgres:" + password, form},
		{"postgres://u:a%zz" + password + "@h/d", special},
		{"postgres://u:a/" + password + "@h/d", special},
		{"postgres://u:1/" + password + "@h/d", special},
		{"postgres://u:1?" + password + "@h/d", special},
		{"postgres://u:1#" + password + "@h/d", special},
		{"postgres://u:a@1/" + password + "@h/d", special},
		{"postgres://u@h/d?password=a#" + password, special},
		{"postgres://u@h/d?password=a;" + password, bad},
		{"postgres://u@h/d?password=a%zz" + password, bad},
		{"postgres://u@h/d?password=a&" + password, bad},
		{"postgres://u:" + password + "@h", nowhere},
		{"postgres://u:" + password + "@h/?sslmode=disable", nowhere},
	} {
		got := problemsOf(t, onPostgres(tc.address), nil)
		wantLines(t, tc.address, got, []string{"database.dsn: " + tc.want + " (line 1)"})
		noPassword(t, tc.address, strings.Join(got, "\n"))
		if tc.address != "" {
			file := write(t, "url", tc.address+"\n")
			wantLines(t, tc.address, problemsOf(t, "database: {driver: postgres, dsn_file: "+file+"}\n"+minimal, nil), []string{"database.dsn_file: " + tc.want + " (line 1)"})
		}
	}
	wantLines(t, "the default path", problemsOf(t, "database: {driver: postgres}\n"+minimal, nil), []string{"database.dsn: " + none + " (line 1)"})
	wantLines(t, "two places", problemsOf(t, "database: {driver: postgres, dsn: 'postgres://u:"+password+"@h/d', dsn_file: x}\n"+minimal, nil),
		[]string{"database: has both dsn and dsn_file; keep one (line 1)"})
}

func TestAPostgreSQLURLComesFromAFile(t *testing.T) {
	const address = "postgres://tolem:" + password + "@h/tolem"
	file := write(t, "url", address+"\n")
	text := "database: {driver: postgres, dsn_file: " + file + "}\n" + minimal
	got := mustLoad(t, text, nil)
	if got.Database.Postgres.Reveal() != address || got.Database.DSN != "postgres://tolem:xxxxx@h/tolem" {
		t.Errorf("got %q and %q", got.Database.Postgres.Reveal(), got.Database.DSN)
	}
	effective, err := got.Effective()
	if err != nil {
		t.Fatal(err)
	}
	if want := "database:\n  driver: postgres\n  dsn_file: " + file + "\ndemo:"; !strings.Contains(string(effective), want) {
		t.Errorf("got\n%s\nwant %s", effective, want)
	}
	noPassword(t, "the effective configuration", string(effective))
	if again := mustLoad(t, string(effective), nil); again.Database.Postgres.Reveal() != address {
		t.Error("the effective configuration is another one")
	}
	t.Run("an empty variable takes back a path", func(t *testing.T) {
		got := mustLoad(t, strings.Replace(text, "{driver", "{dsn: data/tolem.db, driver", 1), []string{"TOLEM_DATABASE__DSN="})
		if got.Database.Postgres.Reveal() != address {
			t.Errorf("got %q", got.Database.Postgres.Reveal())
		}
	})
	t.Run("beside the configuration", func(t *testing.T) {
		path := write(t, "config.yaml", "database: {driver: postgres, dsn_file: url}\n"+minimal)
		beside := write(t, "url", address)
		t.Chdir(filepath.Dir(beside))
		if got, _, err := config.Load(path, nil); err != nil || got.Database.Postgres.Reveal() != address {
			t.Errorf("got %v", err)
		}
	})
}

func TestProductionWarnsOfAConnectionInTheClear(t *testing.T) {
	const warning = "database.dsn: does not insist on encryption, and the server is not on this machine; add sslmode=verify-full, or at least sslmode=require (line 1)"
	for address, clear := range map[string]bool{
		"postgres://u:p@db.example/d":                     true,
		"postgres://u:p@db.example/d?sslmode=disable":     true,
		"postgres://u:p@db.example/d?sslmode=allow":       true,
		"postgres://u:p@db.example/d?sslmode=prefer":      true,
		"postgres://u:p@db.example/d?sslmode=require":     false,
		"postgres://u:p@db.example/d?sslmode=verify-ca":   false,
		"postgres://u:p@db.example/d?sslmode=verify-full": false,
		"postgres://u:p@127.0.0.1/d":                      false,
		"postgres://u:p@[::1]:5432/d":                     false,
		"postgres://u:p@localhost/d?sslmode=disable":      false,
		"postgres:///d":                                 false,
		"postgres:///d?host=/run/postgresql":            false,
		"postgres://u:p@127.0.0.1/d?host=db.example":    true,
		"postgres:///d?host=/run/postgresql,db.example": true,
		"postgres://u:p@127.0.0.1:1,127.0.0.2:2/d":      false,
		"postgres://u:p@127.0.0.1:1,db.example:2/d":     true,
	} {
		var want []string
		if clear {
			want = []string{warning}
		}
		mustLoad(t, onPostgres(address)+"environment: production\n", nil, want...)
		mustLoad(t, onPostgres(address), nil)
	}
}
