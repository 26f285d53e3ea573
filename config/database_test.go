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

func TestADatabasePathThatCannotBeMeantIsRefused(t *testing.T) {
	folder := t.TempDir()
	const (
		whole  = "; write the whole path, such as /data/tolem.db"
		alone  = "; write the path alone"
		tilde  = "begins with ~, which only shells replace" + whole
		name   = "holds the name of a variable, which nobody replaces here" + whole
		noURL  = "must be the path of a file, not a URL and not in memory"
		onPG   = "is the URL of a PostgreSQL database; set database.driver to postgres"
		keyed  = "names a PostgreSQL database by key=value; set database.driver to postgres and write it as a URL, such as postgres://tolem:password@127.0.0.1:5432/tolem"
		within = "is a folder; name the file in it, such as tolem.db"
	)
	for dsn, want := range map[string]string{
		`"/data/tolem.db"`:                "is in quotes" + alone,
		`'/data/tolem.db'`:                "is in quotes" + alone,
		"/data/tolem.db\r":                "starts or ends with white space" + alone,
		"/data/tolem.db ":                 "starts or ends with white space" + alone,
		" /data/tolem.db":                 "starts or ends with white space" + alone,
		"/data/tolem.db\n":                "starts or ends with white space" + alone,
		"/data/\x00tolem.db":              "holds a control character" + alone,
		"/data/\ttolem.db":                "holds a control character" + alone,
		"/data/tolem.db # the books":      "holds a # behind white space, as before a comment" + alone,
		"\ufeff/data/tolem.db":            "begins with a byte order mark (BOM)" + alone,
		"/data/tolem.db\u200b":            "holds a character that cannot be seen" + alone,
		"DATABASE_DSN=/data/tolem.db":     "begins with a name, as in NAME=value" + alone,
		"~/tolem.db":                      tilde,
		"~tolem/tolem.db":                 tilde,
		"$DATA_DIR/tolem.db":              name,
		"${DATA_DIR}/tolem.db":            name,
		"/data/${NAME:-tolem}.db":         name,
		"$(pwd)/tolem.db":                 name,
		"%APPDATA%/tolem.db":              name,
		"/data/{{ .Values.name }}.db":     name,
		"sqlite:tolem.db":                 noURL,
		"sqlite3:/data/tolem.db":          noURL,
		"sqlite:///data/tolem.db":         noURL,
		"SQLITE:tolem.db":                 noURL,
		"file:tolem.db":                   noURL,
		"file:///data/tolem.db":           noURL,
		"jdbc:sqlite:tolem.db":            noURL,
		":memory:":                        noURL,
		"postgres://u:p@h/d":              onPG,
		" postgresql://u:p@h/d":           onPG,
		`"postgres://u:p@h/d"`:            onPG,
		"host=db dbname=tolem":            keyed,
		"user=tolem password=" + password: keyed,
		"dbname = tolem":                  keyed,
		"tolem.db?mode=ro":                "has parameters behind a ?, and none are read" + alone,
		folder:                            within,
		folder + "/":                      within,
		"no-such-folder/":                 within,
		".":                               within,
		"/dev/null":                       "is not a regular file; name one, or one that does not exist yet",
	} {
		got := problemsOf(t, minimal, []string{"TOLEM_DATABASE__DSN=" + dsn})
		wantLines(t, dsn, got, []string{"database.dsn: " + want + " (TOLEM_DATABASE__DSN)"})
		noPassword(t, dsn, strings.Join(got, "\n"))
	}
	for _, dsn := range []string{
		"tolem.db", "./data:1/tolem.db", "/data/база данных/tolem#2.db", "C:/data/tolem.db",
		"data/tolem@shop-1.db", "no-such-folder/tolem.db", "a=b", "50%/tolem.db", "cash$/tolem.db",
	} {
		if got := mustLoad(t, minimal, []string{"TOLEM_DATABASE__DSN=" + dsn}).Database.DSN; got != dsn {
			t.Errorf("got %q, want %q", got, dsn)
		}
	}
}

func TestAPostgreSQLURLThatIsWrappedInSomethingIsCalledSo(t *testing.T) {
	const address = "postgres://tolem:" + password + "@h/tolem"
	for text, want := range map[string]string{
		`"` + address + `"`:       "is in quotes",
		"DATABASE_URL=" + address: "begins with a name, as in NAME=value",
		"${DATABASE_URL}":         "is the name of a variable, which nobody replaces here",
		address + " ":             "starts or ends with white space",
		address + "\r":            "starts or ends with white space",
		address + `\n`:            `ends with \n or \r in two characters`,
	} {
		want += "; leave the URL alone, such as postgres://tolem:password@127.0.0.1:5432/tolem"
		inline := problemsOf(t, onPostgres(text), nil)
		wantLines(t, text, inline, []string{"database.dsn: " + want + " (line 1)"})
		noPassword(t, text, strings.Join(inline, "\n"))
	}
}

func TestParametersOfLibpqAloneAreRefusedByName(t *testing.T) {
	for parameter, todo := range map[string]string{
		"keepalives_idle=30":               "write tcp_keepalives_idle, which the server applies",
		"gssencmode=disable":               "remove it: connections are never encrypted by GSSAPI; sslmode asks for TLS",
		"load_balance_hosts=random":        "remove it: of several hosts the first one that is a primary is used",
		"hostaddr=192.0.2.1":               "write the address as the host",
		"sslcrl=/etc/crl.pem":              "remove it: revocation lists are not read; after a revocation, change the authority in sslrootcert",
		"ssl_min_protocol_version=TLSv1.3": "remove it: nothing older than TLS 1.2 is used",
		"fallback_application_name=tolem":  "write application_name",
		"pool_max_conns=10":                "remove it: how many connections there are is not for the URL to say",
		"client_encoding=auto":             "remove it: the driver speaks UTF-8",
		"requiressl=1&sslmode=verify-full": "write sslmode=require, or better sslmode=verify-full",
	} {
		name, _, _ := strings.Cut(parameter, "=")
		got := problemsOf(t, onPostgres("postgres://u:"+password+"@h/d?"+parameter), nil)
		wantLines(t, parameter, got, []string{"database.dsn: has the parameter " + name + ", which cannot be used here; " + todo + " (line 1)"})
		noPassword(t, parameter, strings.Join(got, "\n"))
	}
	// The driver knows these, or the server does.
	for _, parameter := range []string{
		"sslmode=verify-full", "sslrootcert=/ca", "sslcertmode=allow", "channel_binding=require", "require_auth=scram-sha-256", "passfile=/p",
		"sslnegotiation=direct", "target_session_attrs=any", "tcp_keepalives_idle=5", "tcp_user_timeout=9", "statement_timeout=1s",
		"default_query_exec_mode=exec", "client_encoding=UTF-8", "options=-c%20jit%3Doff", "connect_timeout=3", "service=x",
	} {
		mustLoad(t, onPostgres("postgres://u:p@h/d?"+parameter), nil)
	}
}
