package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"tolem/config"
)

// minimal is the least that is valid.
const minimal = "jetpay:\n  projects:\n    - {id: 1, secrets: [sixteen-bytes-it]}\n"

// write puts a file into a directory of the test's own.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustLoad wants no problem and exactly these warnings.
func mustLoad(t *testing.T, text string, env []string, wantWarnings ...string) *config.Config {
	t.Helper()
	got, warnings, err := config.Load(write(t, "config.yaml", text), env)
	if err != nil {
		t.Fatalf("got problems:\n%v", err)
	}
	wantLines(t, "warnings", warnings, wantWarnings)
	return got
}

// problemsOf wants an error, and gives its lines with the file's own path as FILE.
func problemsOf(t *testing.T, text string, env []string) []string {
	t.Helper()
	path := write(t, "config.yaml", text)
	got, _, err := config.Load(path, env)
	if got != nil {
		t.Error("got a configuration with its problems")
	}
	var problems *config.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got error %v, want problems", err)
	}
	return strings.Split(strings.ReplaceAll(err.Error(), path, "FILE"), "\n")
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func secrets(texts ...string) []config.Secret {
	var all []config.Secret
	for _, text := range texts {
		all = append(all, config.NewSecret(text))
	}
	return all
}

func reveal(all []config.Secret) []string {
	var texts []string
	for _, secret := range all {
		texts = append(texts, secret.Reveal())
	}
	return texts
}

// demoProject is the HighHelp project of the repository's file.
func demoProject(t *testing.T) config.HighHelpProject {
	t.Helper()
	const keys = "fixtures/highhelp/keys/"
	pem := func(name string) string { return strings.TrimSuffix(mustRead(t, keys+name), "\n") }
	project := config.NewHighHelpProject("57aff4db-b45d-42bf-bc5f-b7a499a01782")
	project.RequestKey = config.RequestKey{Algorithm: "rsa", PrivateKeyFile: keys + "request.pem", PrivateKey: config.NewSecret(pem("request.pem"))}
	project.AlertKey = config.AlertKey{Algorithm: "rsa", PublicKeyFile: keys + "alerts.pem", PublicKey: pem("alerts.pem")}
	return project
}

func TestTheRepositorysFileLoadsWithoutWarnings(t *testing.T) {
	t.Chdir("..") // its paths are those of the repository
	got, warnings, err := config.Load("config.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, "warnings", warnings, nil)
	want := &config.Config{
		Environment: "development",
		Listen:      "127.0.0.1:8080",
		Admin: config.Admin{
			Listen: "127.0.0.1:8081",
			Tokens: []config.Token{{Name: "demo", Role: "admin", Token: config.NewSecret("demo-admin-token")}},
		},
		Database: config.Database{Driver: "sqlite", DSN: "data/tolem.db"},
		Demo:     config.Demo{Accounts: "fixtures/accounts.jsonl", Payments: "fixtures/payments.jsonl"},
		Accounts: config.Accounts{Normalize: "none", MaxClosePercent: 10, Source: config.SourceStore,
			HTTP: config.AccountsHTTP{Timeout: 2 * time.Second, Cache: 5 * time.Second, Stale: 10 * time.Minute}},
		Timezone:     "Asia/Almaty",
		MaxAmount:    10000000000000,
		RawRetention: 43800 * time.Hour, BankDays: 7,
		IdleTimeout: config.DefaultIdleTimeout,
		Banks:       []config.Bank{{Name: "halyk", IBAN: "KZ98999DEMO000000001", BIC: "HSBKKZKX", BIN: "000000000000", KBE: "17", Currency: "KZT"}},
		JetPay: config.JetPay{
			ErrorStatus:   "200",
			SignResponses: false,
			PaymentExpiry: 288 * time.Hour,
			Projects: []config.Project{{
				ID: 1234, Secrets: secrets("demo-secret"),
				PaymentMethods: []string{"terminal/kaspi"}, CallbackMethods: []string{"kaspi"},
			}},
		},
		PublicURL:  "http://127.0.0.1:8080",
		HighHelp:   config.Default().HighHelp,
		Watch:      config.Watch{Interval: time.Minute, MaxAge: 72 * time.Hour},
		Scheduling: config.SchedulingBatch,
		Log:        config.Log{Level: "info", Format: "json"},
	}
	want.HighHelp.BaseURL, want.HighHelp.Projects = "http://127.0.0.1:8090", []config.HighHelpProject{demoProject(t)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestWhatIsLeftOutIsTheDefault(t *testing.T) {
	want := config.Default()
	want.JetPay.Projects = []config.Project{{
		ID: 1, Secrets: secrets("sixteen-bytes-it"), PaymentMethods: []string{"terminal/kaspi"}, CallbackMethods: []string{"kaspi"},
	}}
	if got := mustLoad(t, minimal, nil); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// Sections and lists whose content is commented out are left out too.
	if got := mustLoad(t, "admin:\ndemo: ~\nlog:\n"+minimal, nil); !reflect.DeepEqual(got, want) {
		t.Errorf("with empty sections: got  %+v\nwant %+v", got, want)
	}
	if got := mustLoad(t, "jetpay: {projects: [{id: 1, secrets: [sixteen-bytes-it], secret_files: , payment_methods: }]}", nil); !reflect.DeepEqual(got, want) {
		t.Errorf("with empty lists: got  %+v\nwant %+v", got, want)
	}
}

func TestDefaultIsANewValueEachTime(t *testing.T) {
	config.Default().Listen = "changed"
	if got, want := config.Default().Listen, "127.0.0.1:8080"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnEmptyFileLacksItsProjectAlone(t *testing.T) {
	want := []string{"jetpay.projects: configure at least one project, with its id and secrets, here or in highhelp.projects"}
	for _, text := range []string{"", "# nothing\n", "---\n", "~\n", "{}\n"} {
		wantLines(t, fmt.Sprintf("%q", text), problemsOf(t, text, nil), want)
	}
}

func TestGoodValues(t *testing.T) {
	const project = "\njetpay:\n  projects: [{id: 1, secrets: [sixteen-bytes-it]}]\n"
	for _, tc := range []struct {
		name, text string
		get        func(*config.Config) any
		want       any
		warnings   []string
	}{
		{"error_status as a number", "jetpay: {error_status: 200, projects: [{id: 1, secrets: [s]}]}", func(c *config.Config) any { return c.JetPay.ErrorStatus }, "200", nil},
		{"error_status mirror", "jetpay: {error_status: mirror, projects: [{id: 1, secrets: [s]}]}", func(c *config.Config) any { return c.JetPay.ErrorStatus }, "mirror", nil},
		{"sign_responses", "jetpay: {sign_responses: true, projects: [{id: 1, secrets: [s]}]}", func(c *config.Config) any { return c.JetPay.SignResponses }, true, nil},
		{"the largest project id", "jetpay: {projects: [{id: 9223372036854775807, secrets: [s]}]}", func(c *config.Config) any { return c.JetPay.Projects[0].ID }, int64(9223372036854775807), nil},
		{"a secret of digits in quotes", `jetpay: {projects: [{id: 1, secrets: ["0123"]}]}`, func(c *config.Config) any { return reveal(c.JetPay.Projects[0].Secrets) }, []string{"0123"}, nil},
		{"secrets keep their order", `jetpay: {projects: [{id: 1, secrets: [b, a]}]}`, func(c *config.Config) any { return reveal(c.JetPay.Projects[0].Secrets) }, []string{"b", "a"}, nil},
		{"a word that old YAML reads as a boolean", `jetpay: {projects: [{id: 1, secrets: [yes, off]}]}`, func(c *config.Config) any { return reveal(c.JetPay.Projects[0].Secrets) }, []string{"yes", "off"}, nil},
		{"two projects", `jetpay: {projects: [{id: 1, secrets: [a]}, {id: 2, secrets: [a]}]}`, func(c *config.Config) any { return c.JetPay.Projects[1].ID }, int64(2), nil},
		{"billing", "accounts: {source: http, http: {url: 'https://billing.example.kz/a?id={customer_id}', secret: whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM=, cache: 0s}}" + project, func(c *config.Config) any { return c.Accounts.HTTP.Cache }, time.Duration(0), nil},
		{"max_close_percent", "accounts: {max_close_percent: 0}" + project, func(c *config.Config) any { return c.Accounts.MaxClosePercent }, int64(0), nil},
		{"kz_phone", "accounts: {normalize: kz_phone}" + project, func(c *config.Config) any { return c.Accounts.Normalize }, "kz_phone", nil},
		{"all interfaces", "listen: :8080" + project, func(c *config.Config) any { return c.Listen }, ":8080", nil},
		{"IPv6", "admin: {listen: '[::1]:9'}" + project, func(c *config.Config) any { return c.Admin.Listen }, "[::1]:9", nil},
		{"free ports", "listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}" + project, func(c *config.Config) any { return c.Listen }, "127.0.0.1:0", nil},
		{"one port on two addresses", "listen: 192.0.2.1:80\nadmin: {listen: 127.0.0.1:80}" + project, func(c *config.Config) any { return c.Listen }, "192.0.2.1:80", nil},
		{"console log", "log: {level: debug, format: console}" + project, func(c *config.Config) any { return c.Log }, config.Log{Level: "debug", Format: "console"}, nil},
		{"another zone", "timezone: Asia/Bishkek" + project, func(c *config.Config) any { return c.Location().String() }, "Asia/Bishkek", nil},
		{"duration with minutes", "raw_retention: 1h30m" + project, func(c *config.Config) any { return c.RawRetention }, 90 * time.Minute, nil},
		{"no demo by the empty text", "demo: {accounts: ''}" + project, func(c *config.Config) any { return c.Demo.Accounts }, "", nil},
		{"three roles", "admin: {tokens: [{name: a, role: admin, token: x}, {name: b, role: merchant, token: y}, {name: c, role: read, token: z}]}" + project,
			func(c *config.Config) any { return c.Admin.Tokens[1].Role + c.Admin.Tokens[2].Token.Reveal() }, "merchantz", nil},
		{"admin for everybody", "admin: {listen: 0.0.0.0:8081}" + project, func(c *config.Config) any { return c.Admin.Listen }, "0.0.0.0:8081",
			[]string{"admin.listen: is not a loopback address; keep it out of reach of the internet, it carries tokens in the clear (line 1)"}},
		{"admin on localhost", "admin: {listen: localhost:8081}" + project, func(c *config.Config) any { return c.Admin.Listen }, "localhost:8081", nil},
		{"a secret with a blank", "jetpay:\n  projects: [{id: 1, secrets: ['s ']}]", func(c *config.Config) any { return reveal(c.JetPay.Projects[0].Secrets) }, []string{"s "},
			[]string{"jetpay.projects[0].secrets[0]: starts or ends with white space, which is taken as part of the secret (line 2)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.get(mustLoad(t, tc.text, nil, tc.warnings...)); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestBadValuesAreNamedWithTheirKeyAndLine(t *testing.T) {
	const project = "\njetpay: {projects: [{id: 1, secrets: [sixteen-bytes-it]}]}\n"
	jetpay := func(text string) string { return "jetpay:\n  projects: [{id: 1, secrets: [a]}]\n  " + text }
	inProject := func(text string) string {
		return "jetpay:\n  projects:\n    - id: 1\n      secrets: [a]\n      " + text
	}
	token := func(text string) string { return "admin:\n  tokens:\n    - " + text + project }
	const oneSecret = "jetpay.projects[0].secrets: give at least one secret, here or in secret_files (line 1)"
	for _, tc := range []struct{ name, text, want string }{
		// the file as a whole
		{"not YAML", "listen: [", "FILE: is not valid YAML; look for a missing quote, bracket, colon or space, or a tab (near line 1)"},
		{"a tab", "admin:\n\tlisten: x", "FILE: is not valid YAML; look for a missing quote, bracket, colon or space, or a tab (near line 2)"},
		{"two documents", minimal + "---\nlisten: x\n", "FILE: holds more than one YAML document; remove the line --- and what follows it"},
		{"not UTF-8", "listen: \xff\xfe", "FILE: is not valid YAML; look for a missing quote, bracket, colon or space, or a tab"},
		{"too large", "#" + strings.Repeat("x", 1<<20), "FILE: is larger than 1048576 bytes; name the configuration file with --config or TOLEM_CONFIG"},
		{"a list", "- listen: x", "configuration: must be a section of keys and values: known here: environment, listen, public_url, admin, merchant, idle_timeout, database, demo, accounts, timezone, books_closed_to, notify, four_eyes, max_amount, raw_retention, bank, bank_days, jetpay, highhelp, watch, thread_scheduling, log (line 1)"},

		// keys
		{"unknown key", "lisen: x" + project, "lisen: unknown key; correct or remove it; known here: environment, listen, public_url, admin, merchant, idle_timeout, database, demo, accounts, timezone, books_closed_to, notify, four_eyes, max_amount, raw_retention, bank, bank_days, jetpay, highhelp, watch, thread_scheduling, log (line 1)"},
		{"unknown inner key", "log:\n  colour: red" + project, "log.colour: unknown key; correct or remove it; known here: level, format (line 2)"},
		{"unknown key in a list", inProject("methods: [x]"), "jetpay.projects[0].methods: unknown key; correct or remove it; known here: id, secrets, secret_files, payment_methods, callback_methods (line 5)"},
		{"a key of the next version", "invoices: {projects: []}" + project, "invoices: unknown key; correct or remove it; known here: environment, listen, public_url, admin, merchant, idle_timeout, database, demo, accounts, timezone, books_closed_to, notify, four_eyes, max_amount, raw_retention, bank, bank_days, jetpay, highhelp, watch, thread_scheduling, log (line 1)"},
		{"upper case", "log: {Level: info}" + project, "log.Level: unknown key; correct or remove it; known here: level, format (line 1)"},
		{"a dotted key", "log.level: info" + project, "configuration: has an unknown key, not shown because it may be a secret; remove it; known here: environment, listen, public_url, admin, merchant, idle_timeout, database, demo, accounts, timezone, books_closed_to, notify, four_eyes, max_amount, raw_retention, bank, bank_days, jetpay, highhelp, watch, thread_scheduling, log (line 1)"},
		{"a number as key", "log: {1: x}" + project, "log.1: unknown key; correct or remove it; known here: level, format (line 1)"},
		{"a list as key", "log: {[a]: x}" + project, "log: has an unknown key, not shown because it may be a secret; remove it; known here: level, format (line 1)"},
		{"repeated key", "listen: :1\nlog: {}\nlisten: :2" + project, "listen: is given twice; keep one, the first is in line 1 (line 3)"},
		{"repeated key in a list", inProject("id: 2"), "jetpay.projects[0].id: is given twice; keep one, the first is in line 3 (line 5)"},
		{"an anchor", "listen: &a :1" + project, "listen: anchors (&) and aliases (*) are not read; write the value out, in quotes if it is a text (line 1)"},
		{"a merge", "log: {<<: {level: info}}" + project, "log: has an unknown key, not shown because it may be a secret; remove it; known here: level, format (line 1)"},

		// kinds
		{"a section that is a text", "log: info" + project, "log: must be a section of keys and values: known here: level, format (line 1)"},
		{"a list that is a text", inProject("payment_methods: kaspi"), "jetpay.projects[0].payment_methods: must be a list (line 5)"},
		{"a text that is a list", "listen: [x]" + project, "listen: must be a single value, not a list or a section (line 1)"},
		{"a text that is a number", "timezone: 5" + project, "timezone: must be a text; put it in quotes, so that it is read as it is written (line 1)"},
		{"no value", "listen:" + project, "listen: has no value; write one, or remove the key (line 1)"},
		{"an empty element", inProject("payment_methods: [a, ~]"), "jetpay.projects[0].payment_methods[1]: is empty; write a value, or remove the element (line 5)"},
		{"a tag of its own", "listen: !x y" + project, "listen: must be a text; put it in quotes, so that it is read as it is written (line 1)"},
		{"an octal amount", "max_amount: 0123" + project, "max_amount: must be a whole number in plain decimal digits, not in quotes (line 1)"},
		{"a fraction", "max_amount: 1.5" + project, "max_amount: must be a whole number in plain decimal digits, not in quotes (line 1)"},
		{"an exponent", "max_amount: 1e3" + project, "max_amount: must be a whole number in plain decimal digits, not in quotes (line 1)"},
		{"a number in quotes", "max_amount: '5'" + project, "max_amount: must be a whole number in plain decimal digits, not in quotes (line 1)"},
		{"a number that does not fit", "max_amount: 9223372036854775808" + project, "max_amount: must be a whole number in plain decimal digits, not in quotes (line 1)"},
		{"yes", jetpay("sign_responses: yes"), "jetpay.sign_responses: must be true or false (line 3)"},
		{"a duration without a unit", "raw_retention: 288" + project, "raw_retention: must be a duration such as 288h or 10s (line 1)"},
		{"a duration in days", "raw_retention: 12d" + project, "raw_retention: must be a duration such as 288h or 10s (line 1)"},

		// secrets that YAML would change
		{"a secret of digits", "jetpay: {projects: [{id: 1, secrets: [0123]}]}", "jetpay.projects[0].secrets[0]: must be a text; put it in quotes, so that it is read as it is written (line 1)"},
		{"a secret with an exponent", "jetpay: {projects: [{id: 1, secrets: [1e5]}]}", "jetpay.projects[0].secrets[0]: must be a text; put it in quotes, so that it is read as it is written (line 1)"},
		{"a secret that is a boolean", "jetpay: {projects: [{id: 1, secrets: [true]}]}", "jetpay.projects[0].secrets[0]: must be a text; put it in quotes, so that it is read as it is written (line 1)"},
		{"a secret that is a date", "jetpay: {projects: [{id: 1, secrets: [2025-01-01]}]}", "jetpay.projects[0].secrets[0]: must be a text; put it in quotes, so that it is read as it is written (line 1)"},
		{"a token of digits", token("{name: a, role: read, token: 0123}"), "admin.tokens[0].token: must be a text; put it in quotes, so that it is read as it is written (line 3)"},

		// scalars
		{"environment", "environment: staging" + project, "environment: must be one of development, production (line 1)"},
		{"listen without port", "listen: 127.0.0.1" + project, "listen: must be host:port, such as 127.0.0.1:8080 (line 1)"},
		{"listen with a large port", "listen: :65536" + project, "listen: must be host:port, such as 127.0.0.1:8080 (line 1)"},
		{"listen with a named port", "listen: :http" + project, "listen: must be host:port, such as 127.0.0.1:8080 (line 1)"},
		{"listen with a leading zero", "listen: ':080'" + project, "listen: must be host:port, such as 127.0.0.1:8080 (line 1)"},
		{"listen with a URL", "listen: http://a:80" + project, "listen: must be host:port, such as 127.0.0.1:8080 (line 1)"},
		{"listen with a blank", "listen: ' a:80'" + project, "listen: must be host:port, such as 127.0.0.1:8080 (line 1)"},
		{"admin.listen", "admin: {listen: ''}" + project, "admin.listen: must be host:port, such as 127.0.0.1:8080 (line 1)"},
		{"equal listeners", "listen: 127.0.0.1:8081" + project, "admin.listen: must differ from listen; the two listeners need a port each"},
		{"a listener within the other", "admin:\n  listen: :8080" + project, "admin.listen: must differ from listen; the two listeners need a port each (line 2)"},
		{"a listener by another name", "admin: {listen: localhost:8080}" + project, "admin.listen: must differ from listen; the two listeners need a port each (line 1)"},
		{"zone", "timezone: Almaty" + project, "timezone: must be the name of a time zone, such as Asia/Almaty (line 1)"},
		{"local zone", "timezone: Local" + project, "timezone: must be the name of a time zone, such as Asia/Almaty (line 1)"},
		{"empty zone", "timezone: ''" + project, "timezone: must be the name of a time zone, such as Asia/Almaty (line 1)"},
		{"max_amount 0", "max_amount: 0" + project, "max_amount: must be 1 or more (line 1)"},
		{"max_amount over the protocol's", "max_amount: 10000000000001" + project, "max_amount: must be 10000000000000 or less (line 1)"},
		{"idle_timeout 0", "idle_timeout: 0s" + project, "idle_timeout: must be longer than 0 (line 1)"},
		{"raw_retention 0", "raw_retention: 0s" + project, "raw_retention: must be longer than 0 (line 1)"},
		{"payment_expiry below 0", jetpay("payment_expiry: -1h"), "jetpay.payment_expiry: must be longer than 0 (line 3)"},
		{"error_status", jetpay("error_status: 500"), "jetpay.error_status: must be a text; put it in quotes, so that it is read as it is written (line 3)"},
		{"error_status word", jetpay("error_status: '500'"), "jetpay.error_status: must be one of 200, mirror (line 3)"},
		{"normalize", "accounts: {normalize: phone}" + project, "accounts.normalize: must be one of none, kz_phone (line 1)"},
		{"source", "accounts: {source: file}" + project, "accounts.source: must be one of store, http (line 1)"},
		{"billing without a URL", "accounts: {source: http, http: {secret: whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM=}}" + project,
			"accounts.http.url: is missing; give billing's address, such as https://billing.example.kz/accounts/{customer_id} (line 1)"},
		{"billing's URL without a customer", "accounts: {source: http, http: {url: 'https://billing.example.kz/accounts', secret: whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM=}}" + project,
			"accounts.http.url: must have {customer_id}, in whose place the customer's id is put (line 1)"},
		{"a host made of the customer's id", "accounts: {source: http, http: {url: 'https://{customer_id}.example.kz/', secret: whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM=}}" + project,
			"accounts.http.url: must be a URL such as https://billing.example.kz/accounts/{customer_id}, with the id in its path or query (line 1)"},
		{"billing's URL over http", "accounts: {source: http, http: {url: 'http://billing.example.kz/accounts/{customer_id}', secret: whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM=}}" + project,
			"accounts.http.url: must begin with https; http is for loopback addresses in development only (line 1)"},
		{"billing's secret", "accounts: {source: http, http: {url: 'https://billing.example.kz/accounts/{customer_id}', secret: whsec_short}}" + project,
			"accounts.http.secret: must be whsec_ and 24 to 64 bytes in base64; make one with: echo whsec_$(openssl rand -base64 32) (line 1)"},
		{"billing without a secret", "accounts: {source: http, http: {url: 'https://billing.example.kz/accounts/{customer_id}'}}" + project,
			"accounts.http.secret: is missing or empty; give a secret or a secret_file (line 1)"},
		{"a receiver over http", "notify: [{name: a, url: 'http://billing.example.kz/hooks', secrets: [whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM=]}]" + project,
			"notify[0].url: must begin with https; http is for loopback addresses in development only (line 1)"},
		{"billing's time-out", "accounts: {http: {timeout: 30s}}" + project, "accounts.http.timeout: must be 2500ms or less (line 1)"},
		{"max_close_percent over all", "accounts: {max_close_percent: 101}" + project, "accounts.max_close_percent: must be 100 or less (line 1)"},
		{"max_close_percent below 0", "accounts: {max_close_percent: -1}" + project, "accounts.max_close_percent: must be 0 or more (line 1)"},
		{"thread scheduling", "thread_scheduling: fifo" + project, "thread_scheduling: must be one of batch, unchanged (line 1)"},
		{"log level", "log: {level: loud}" + project, "log.level: must be one of debug, info, warn, error (line 1)"},
		{"log format", "log: {format: xml}" + project, "log.format: must be one of json, console (line 1)"},
		{"another driver", "database: {driver: mysql}" + project, "database.driver: must be sqlite or postgres (line 1)"},
		{"no dsn", "database: {dsn: ''}" + project, "database.dsn: is empty; give the path of the database file (line 1)"},
		{"a URL as path", "database: {dsn: 'http://u:p@h/d'}" + project, "database.dsn: must be the path of a file, not a URL and not in memory (line 1)"},
		{"a PostgreSQL URL as path", "database: {dsn: 'postgres://u:p@h/d'}" + project, "database.dsn: is the URL of a PostgreSQL database; set database.driver to postgres (line 1)"},
		{"a file with the path of a file", "database: {dsn_file: x}" + project, "database.dsn_file: is for the URL of a PostgreSQL database; give the path of the SQLite file in database.dsn, or set database.driver to postgres (line 1)"},
		{"books in memory", "database: {dsn: ':memory:'}" + project, "database.dsn: must be the path of a file, not a URL and not in memory (line 1)"},

		// tokens
		{"no token", token("{name: a, role: read}"), "admin.tokens[0].token: is missing or empty; give a token or a token_file (line 3)"},
		{"an empty token", token("{name: a, role: read, token: ''}"), "admin.tokens[0].token: is missing or empty; give a token or a token_file (line 3)"},
		{"a token with a blank", token("{name: a, role: read, token: 'a b'}"), "admin.tokens[0].token: must be visible ASCII characters without spaces, because it travels in an HTTP header (line 3)"},
		{"a token of other letters", token("{name: a, role: read, token: төлем}"), "admin.tokens[0].token: must be visible ASCII characters without spaces, because it travels in an HTTP header (line 3)"},
		{"both token and file", token("{name: a, role: read, token: x, token_file: y}"), "admin.tokens[0]: has both token and token_file; keep one (line 3)"},
		{"no such token file", token("{name: a, role: read, token_file: /no/such}"), "admin.tokens[0].token_file: the file cannot be read: no such file or directory; check the path (line 3)"},
		{"an empty token file name", token("{name: a, role: read, token_file: ''}"), "admin.tokens[0].token_file: the file cannot be read: no such file or directory; check the path (line 3)"},
		{"role", token("{name: a, role: root, token: x}"), "admin.tokens[0].role: must be one of admin, operator, merchant, read (line 3)"},
		{"no role", token("{name: a, token: x}"), "admin.tokens[0].role: must be one of admin, operator, merchant, read (line 3)"},
		{"no token name", token("{role: read, token: x}"), "admin.tokens[0].name: must be 1 to 64 letters, digits, '.', '_' or '-' (line 3)"},
		{"one name twice", token("{name: a, role: read, token: x}\n    - {name: a, role: read, token: y}"), "admin.tokens[1].name: is the name of admin.tokens[0] too; give each token its own (line 4)"},
		{"one token twice", token("{name: a, role: read, token: x}\n    - {name: b, role: admin, token: x}"), "admin.tokens[1].token: is the token of admin.tokens[0] too; give each its own (line 4)"},
		{"a token that is a text", token("demo"), "admin.tokens[0]: must be a section of keys and values: known here: name, role, token, token_file, expires (line 3)"},

		// projects
		{"no projects", "jetpay: {projects: []}", "jetpay.projects: configure at least one project, with its id and secrets, here or in highhelp.projects (line 1)"},
		{"no id", "jetpay: {projects: [{secrets: [a]}]}", "jetpay.projects[0].id: must be 1 or more (line 1)"},
		{"id 0", "jetpay: {projects: [{id: 0, secrets: [a]}]}", "jetpay.projects[0].id: must be 1 or more (line 1)"},
		{"id below 0", "jetpay: {projects: [{id: -5, secrets: [a]}]}", "jetpay.projects[0].id: must be 1 or more (line 1)"},
		{"id with leading zero", "jetpay: {projects: [{id: 0777, secrets: [a]}]}", "jetpay.projects[0].id: must be a whole number in plain decimal digits, not in quotes (line 1)"},
		{"one id twice", "jetpay: {projects: [{id: 1, secrets: [a]}, {id: 1, secrets: [b]}]}", "jetpay.projects[1].id: is the id of jetpay.projects[0] too; configure each project once (line 1)"},
		{"no secret", "jetpay: {projects: [{id: 1}]}", oneSecret},
		{"an empty list of secrets", "jetpay: {projects: [{id: 1, secrets: []}]}", oneSecret},
		{"an empty secret", "jetpay: {projects: [{id: 1, secrets: [a, '']}]}", "jetpay.projects[0].secrets[1]: is empty; a secret must not be (line 1)"},
		{"no such secret file", inProject("secret_files: [/no/such]"), "jetpay.projects[0].secret_files[0]: the file cannot be read: no such file or directory; check the path (line 5)"},
		{"a directory of secrets", inProject("secret_files: [/]"), "jetpay.projects[0].secret_files[0]: is not a regular file; name one that holds the secret (line 5)"},
		{"no methods", inProject("payment_methods: []"), "jetpay.projects[0].payment_methods: is an empty list; name at least one, or remove the key to use the default (line 5)"},
		{"no callback methods", inProject("callback_methods: []"), "jetpay.projects[0].callback_methods: is an empty list; name at least one, or remove the key to use the default (line 5)"},
		{"one method twice", inProject("callback_methods: [a, a]"), "jetpay.projects[0].callback_methods: lists the same value twice; keep one (line 5)"},
		{"an empty method", inProject("payment_methods: ['']"), "jetpay.projects[0].payment_methods[0]: must be 1 to 255 visible ASCII characters without spaces (line 5)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantLines(t, tc.text, problemsOf(t, tc.text, nil), []string{tc.want})
		})
	}
}

func TestEveryProblemIsListedAtOnce(t *testing.T) {
	const text = `listen: nowhere
colour: red
max_amount: 0
admin:
  tokens: [{name: "a b", role: root}]
jetpay:
  payment_expiry: 288
  projects:
    - id: 7
      secrets: [12]
    - id: 7
      secrets: []
`
	wantLines(t, "problems", problemsOf(t, text, []string{"TOLEM_LOG__LEVEL=loud", "TOLEM_JETPAY__SIGN_RESPONSES=maybe"}), []string{
		"colour: unknown key; correct or remove it; known here: environment, listen, public_url, admin, merchant, idle_timeout, database, demo, accounts, timezone, books_closed_to, notify, four_eyes, max_amount, raw_retention, bank, bank_days, jetpay, highhelp, watch, thread_scheduling, log (line 2)",
		"jetpay.payment_expiry: must be a duration such as 288h or 10s (line 7)",
		"jetpay.projects[0].secrets[0]: must be a text; put it in quotes, so that it is read as it is written (line 10)",
		"jetpay.sign_responses: must be true or false (TOLEM_JETPAY__SIGN_RESPONSES)",
		"listen: must be host:port, such as 127.0.0.1:8080 (line 1)",
		"admin.tokens[0].name: must be 1 to 64 letters, digits, '.', '_' or '-' (line 5)",
		"admin.tokens[0].role: must be one of admin, operator, merchant, read (line 5)",
		"max_amount: must be 1 or more (line 3)",
		"log.level: must be one of debug, info, warn, error (TOLEM_LOG__LEVEL)",
		"admin.tokens[0].token: is missing or empty; give a token or a token_file (line 5)",
		"jetpay.projects[1].id: is the id of jetpay.projects[0] too; configure each project once (line 11)",
		"jetpay.projects[1].secrets: give at least one secret, here or in secret_files (line 12)",
	})
}

func TestProblemsWithoutEndAreCounted(t *testing.T) {
	var text strings.Builder
	for i := range 150 {
		fmt.Fprintf(&text, "k%d: x\n", i)
	}
	lines := problemsOf(t, text.String()+minimal, nil)
	if got, want := len(lines), 101; got != want {
		t.Fatalf("got %d lines, want %d", got, want)
	}
	if got, want := lines[100], "and 50 more problems"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAMissingFileNamesFlagAndVariable(t *testing.T) {
	for path, want := range map[string]string{
		"no/such.yaml":  "no/such.yaml: cannot be read: no such file or directory; name the configuration file with --config or TOLEM_CONFIG",
		"":              `"": cannot be read: no such file or directory; name the configuration file with --config or TOLEM_CONFIG`,
		"no\nsuch.yaml": `"no\nsuch.yaml": cannot be read: no such file or directory; name the configuration file with --config or TOLEM_CONFIG`,
		"/":             "/: cannot be read: is a directory; name the configuration file with --config or TOLEM_CONFIG",
	} {
		_, _, err := config.Load(path, nil)
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", path, err, want)
		}
	}
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	for _, tc := range []struct {
		name, variable string
		get            func(*config.Config) any
		want           any
	}{
		{"text", "TOLEM_LISTEN=:9", func(c *config.Config) any { return c.Listen }, ":9"},
		{"nested text", "TOLEM_LOG__LEVEL=debug", func(c *config.Config) any { return c.Log.Level }, "debug"},
		{"text that looks like a number", "TOLEM_JETPAY__ERROR_STATUS=200", func(c *config.Config) any { return c.JetPay.ErrorStatus }, "200"},
		{"text with an equals sign", "TOLEM_DATABASE__DSN=a=b", func(c *config.Config) any { return c.Database.DSN }, "a=b"},
		{"empty text", "TOLEM_DEMO__ACCOUNTS=", func(c *config.Config) any { return c.Demo.Accounts }, ""},
		{"number", "TOLEM_MAX_AMOUNT=5", func(c *config.Config) any { return c.MaxAmount }, int64(5)},
		{"boolean", "TOLEM_JETPAY__SIGN_RESPONSES=true", func(c *config.Config) any { return c.JetPay.SignResponses }, true},
		{"duration", "TOLEM_JETPAY__PAYMENT_EXPIRY=1h", func(c *config.Config) any { return c.JetPay.PaymentExpiry }, time.Hour},
		{"list of projects", `TOLEM_JETPAY__PROJECTS=[{"id":2,"secrets":["x","A\u00e9\ud83d\ude00"]},{"id":9223372036854775807,"secrets":["y"],"callback_methods":["q"]}]`,
			func(c *config.Config) any { return c.JetPay.Projects }, []config.Project{
				{ID: 2, Secrets: secrets("x", "Aé😀"), PaymentMethods: []string{"terminal/kaspi"}, CallbackMethods: []string{"kaspi"}},
				{ID: 9223372036854775807, Secrets: secrets("y"), PaymentMethods: []string{"terminal/kaspi"}, CallbackMethods: []string{"q"}},
			}},
		{"list of tokens", `TOLEM_ADMIN__TOKENS=[{"name":"n","role":"read","token":"t"}]`,
			func(c *config.Config) any { return c.Admin.Tokens }, []config.Token{{Name: "n", Role: "read", Token: config.NewSecret("t")}}},
		{"empty list", `TOLEM_ADMIN__TOKENS=[]`, func(c *config.Config) any { return len(c.Admin.Tokens) }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := "admin: {tokens: [{name: f, role: admin, token: f}]}\ndemo: {accounts: f}\n" + minimal
			if got := tc.get(mustLoad(t, file, []string{"PATH=/bin", tc.variable})); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestTheLastOfTwoEqualVariablesCounts(t *testing.T) {
	got := mustLoad(t, minimal, []string{"TOLEM_LISTEN=wrong", "TOLEM_NO_EQUALS_SIGN", "TOLEM_LISTEN=:7"})
	if got, want := got.Listen, ":7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnUnknownVariableIsAWarning(t *testing.T) {
	const advice = ": unknown variable, it has no effect; a key is TOLEM_ and its name in upper case, with __ between levels"
	mustLoad(t, minimal, []string{
		"TOLEM_CONFIG=x", "TOLEM_ACTOR=x", "HOME=x", "tolem_listen=x", "MY_TOLEM_LISTEN=x",
		"TOLEM_LISTN=x", "TOLEM_JETPAY={}", "TOLEM_JETPAY_ERROR_STATUS=x", "TOLEM_A\nB=x",
	}, "TOLEM_LISTN"+advice, "TOLEM_JETPAY"+advice, "TOLEM_JETPAY_ERROR_STATUS"+advice, `"TOLEM_A\nB"`+advice)
}

func TestBadVariablesAreNamed(t *testing.T) {
	const notJSON = `must be a list in JSON, such as [{"id":1,"secrets":["…"]}] for projects; it cannot be read at byte `
	const projects = "TOLEM_JETPAY__PROJECTS"
	for _, tc := range []struct{ name, variable, want string }{
		{"number", "TOLEM_MAX_AMOUNT=1e3", "max_amount: must be a whole number in plain decimal digits, not in quotes (TOLEM_MAX_AMOUNT)"},
		{"empty number", "TOLEM_MAX_AMOUNT=", "max_amount: must be a whole number in plain decimal digits, not in quotes (TOLEM_MAX_AMOUNT)"},
		{"boolean", "TOLEM_JETPAY__SIGN_RESPONSES=1", "jetpay.sign_responses: must be true or false (TOLEM_JETPAY__SIGN_RESPONSES)"},
		{"duration", "TOLEM_RAW_RETENTION=5", "raw_retention: must be a duration such as 288h or 10s (TOLEM_RAW_RETENTION)"},
		{"rule", "TOLEM_ENVIRONMENT=", "environment: must be one of development, production (TOLEM_ENVIRONMENT)"},
		{"too large", "TOLEM_LISTEN=" + strings.Repeat("x", 1<<20+1), "listen: is larger than 1048576 bytes (TOLEM_LISTEN)"},
		{"empty list", projects + "=", "jetpay.projects: " + notJSON + "0 (" + projects + ")"},
		{"not JSON", projects + "=[{id: 1}]", "jetpay.projects: " + notJSON + "2 (" + projects + ")"},
		{"cut off", projects + `=[{"id":1`, "jetpay.projects: " + notJSON + "8 (" + projects + ")"},
		{"trailing data", projects + `=[] []`, "jetpay.projects: " + notJSON + "4 (" + projects + ")"},
		{"too deep", projects + "=" + strings.Repeat("[", 1000), "jetpay.projects: " + notJSON + "33 (" + projects + ")"},
		{"not a list", projects + `={"id":1}`, "jetpay.projects: must be a list (" + projects + ")"},
		{"repeated name", projects + `=[{"id":1,"id":2,"secrets":["a"]}]`, "jetpay.projects[0].id: is given twice; keep one (" + projects + ")"},
		{"unknown name", projects + `=[{"id":1,"secrets":["a"],"colour":"red"}]`, "jetpay.projects[0].colour: unknown key; correct or remove it; known here: id, secrets, secret_files, payment_methods, callback_methods (" + projects + ")"},
		{"secret as number", projects + `=[{"id":1,"secrets":[123]}]`, "jetpay.projects[0].secrets[0]: must be a text; put it in quotes, so that it is read as it is written (" + projects + ")"},
		{"secret as boolean", projects + `=[{"id":1,"secrets":[false]}]`, "jetpay.projects[0].secrets[0]: must be a text; put it in quotes, so that it is read as it is written (" + projects + ")"},
		{"secret as null", projects + `=[{"id":1,"secrets":[null]}]`, "jetpay.projects[0].secrets[0]: is empty; write a value, or remove the element (" + projects + ")"},
		{"no secrets", projects + `=[{"id":1}]`, "jetpay.projects[0].secrets: give at least one secret, here or in secret_files (" + projects + ")"},
		{"fraction as id", projects + `=[{"id":1.0,"secrets":["a"]}]`, "jetpay.projects[0].id: must be a whole number in plain decimal digits, not in quotes (" + projects + ")"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantLines(t, tc.variable[:min(80, len(tc.variable))], problemsOf(t, minimal, []string{tc.variable}), []string{tc.want})
		})
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	for _, tc := range []struct{ name, content, want string }{
		{"as they are", "secret", "secret"},
		{"one newline is dropped", "secret\n", "secret"},
		{"one Windows newline is dropped", "secret\r\n", "secret"},
		{"quotes stay", `"secret"`, `"secret"`},
		{"the largest", strings.Repeat("x", 4096), strings.Repeat("x", 4096)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, "secret", tc.content)
			got, _, err := config.Load(write(t, "config.yaml", fmt.Sprintf("jetpay: {projects: [{id: 1, secrets: [inline], secret_files: [%s]}]}", path)), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := reveal(got.JetPay.Projects[0].Secrets), []string{"inline", tc.want}; !reflect.DeepEqual(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	t.Run("a token", func(t *testing.T) {
		path := write(t, "token", "from-a-file\n")
		got := mustLoad(t, "admin: {tokens: [{name: a, role: read, token_file: "+path+"}]}\n"+minimal, nil).Admin.Tokens[0]
		if want := (config.Token{Name: "a", Role: "read", Token: config.NewSecret("from-a-file"), TokenFile: path}); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("relative to the working directory", func(t *testing.T) {
		path := write(t, "secret", "here")
		t.Chdir(filepath.Dir(path))
		got := mustLoad(t, "jetpay: {projects: [{id: 1, secret_files: [secret]}]}", nil)
		if got, want := reveal(got.JetPay.Projects[0].Secrets), []string{"here"}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestBadSecretFilesAreRefused(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, path, want string }{
		{"empty", write(t, "s", ""), "the file is empty; a secret must not be"},
		{"a newline alone", write(t, "s", "\n"), "the file is empty; a secret must not be"},
		{"a Windows newline alone", write(t, "s", "\r\n"), "the file is empty; a secret must not be"},
		{"not text", write(t, "s", "a\xff"), "the file is not UTF-8 text; name one that holds the secret and nothing else"},
		{"too large", write(t, "s", strings.Repeat("x", 4097)), "the file is larger than 4096 bytes; name one that holds the secret and nothing else"},
		{"a pipe, which nobody writes to", pipe, "is not a regular file; name one that holds the secret"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := "jetpay:\n  projects: [{id: 1, secret_files: [" + tc.path + "]}]"
			wantLines(t, "problems", problemsOf(t, text, nil), []string{"jetpay.projects[0].secret_files[0]: " + tc.want + " (line 2)"})
		})
	}
}

func TestProductionRefusesWhatIsForTryingOnly(t *testing.T) {
	demoSecret, short := write(t, "s", "demo-secret\n"), write(t, "t", "short\n")
	text := fmt.Sprintf(`environment: production
admin:
  tokens:
    - {name: demo, role: admin, token: demo-admin-token}
    - {name: short, role: read, token: fifteen-letters}
    - {name: file, role: read, token_file: %s}
demo:
  accounts: a.jsonl
  payments: p.jsonl
jetpay:
  projects:
    - id: 1
      secrets: [good-enough, demo-secret, 7-bytes]
      secret_files: [%s]
    - id: 2
      secrets: [demo-admin-token]
`, short, demoSecret)
	demos, guess := "is the demo's, which everybody knows; production needs one of its own", "production needs one that cannot be guessed"
	wantLines(t, "problems", problemsOf(t, text, nil), []string{
		"admin.tokens[0].token: " + demos + " (line 4)",
		"admin.tokens[1].token: is shorter than 16 bytes; " + guess + " (line 5)",
		"admin.tokens[2].token_file: is shorter than 16 bytes; " + guess + " (line 6)",
		"jetpay.projects[0].secrets[1]: " + demos + " (line 13)",
		"jetpay.projects[0].secrets[2]: is shorter than 8 bytes; " + guess + " (line 13)",
		"jetpay.projects[0].secret_files[0]: " + demos + " (line 14)",
		"jetpay.projects[1].secrets[0]: " + demos + " (line 16)",
		`demo.accounts: production does not import demo data; remove the key, or set it to "" (line 8)`,
		`demo.payments: production does not import demo data; remove the key, or set it to "" (line 9)`,
	})
	mustLoad(t, strings.Replace(text, "production", "development", 1), nil)
}

func TestProductionReportsABrokenSecretOnce(t *testing.T) {
	wantLines(t, "problems", problemsOf(t, "environment: production\njetpay: {projects: [{id: 1, secret_files: [/no/such]}]}", nil), []string{
		"jetpay.projects[0].secret_files[0]: the file cannot be read: no such file or directory; check the path (line 2)",
	})
}

func TestTheRepositorysFileBecomesProductiveByVariablesAlone(t *testing.T) {
	t.Chdir("..") // its paths are those of the repository
	env := []string{
		"TOLEM_ENVIRONMENT=production", "TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS=", "TOLEM_ADMIN__TOKENS=[]",
		`TOLEM_JETPAY__PROJECTS=[{"id":1,"secrets":["sixteen-bytes-it"]}]`,
		"TOLEM_PUBLIC_URL=https://pay.example.kz", "TOLEM_HIGHHELP__BASE_URL=https://api.hh-processing.com", "TOLEM_HIGHHELP__PROJECTS=[]",
	}
	if _, warnings, err := config.Load("config.yaml", env); err != nil || len(warnings) > 0 {
		t.Errorf("got %v, %v", warnings, err)
	}
	_, _, err := config.Load("config.yaml", env[:1])
	if got, want := strings.Count(err.Error(), "\n")+1, 8; got != want {
		t.Errorf("as it stands: got %d problems, want %d:\n%v", got, want, err)
	}
}

// Every mistake here has the canary where a secret could come to stand.
func TestNoMistakeShowsASecret(t *testing.T) {
	project := func(text string) string { return "jetpay: {projects: [{id: 1, " + text + "}]}" }
	token := func(text string) string { return "admin: {tokens: [" + text + "]}\n" + minimal }
	mistakes := []string{
		canary, "- " + canary, "secrets: " + canary, "'" + canary, canary + ": x\n" + canary + ": y", "? [" + canary + "]\n: x",
		"!" + canary + " x", "listen: !" + canary + " x", "listen: !!int " + canary, "listen: *" + canary, "a: &" + canary + " b", "%" + canary + "\n---\n",
		"listen: \"\\" + canary + "\"", "listen: [" + canary, "\t" + canary, "x: " + canary + "\n\ty", "a: b: " + canary, "listen: @" + canary, "x: \"" + canary + "\xff\"",
		"jetpay: " + canary, "jetpay: [" + canary + "]", "jetpay: {projects: " + canary + "}", "jetpay: {projects: {" + canary + ": x}}", "jetpay: {projects: [" + canary + "]}",
		"jetpay: {" + canary + ": x}", "jetpay: {projects: [{id: " + canary + "}]}", project("secrets: " + canary), project("secrets: {a: " + canary + "}"),
		project("secrets: {" + canary + ": a}"), project("secrets: [[" + canary + "]]"), project("secrets: [{" + canary + ": b}]"), project("secrets: [!!binary " + canary + "]"),
		project("secrets: [!!float " + canary + "]"), project("secrets: [&a " + canary + ", *a]"), project("secret: " + canary), project(canary), project("secrets:" + canary),
		project("'" + canary + "': " + canary), project("secrets: ['" + canary + " ', '']"), project("secrets: [a], secret_files: [" + canary + "]"), project("secret_files: [/" + canary + "]"),
		project("secrets: [a], payment_methods: ['" + canary + " ']"), project("secrets: [a], payment_methods: [" + canary + ", " + canary + "]"), project("secrets: [" + canary + "], secrets: [" + canary + "]"),
		token(canary), token("{" + canary + "}"), token("{token:" + canary + "}"), token("{name: '" + canary + " ', role: " + canary + ", token: " + canary + "}"),
		token("{name: a, role: read, token: '" + canary + " '}"), token("{name: a, role: read, token: " + canary + ", token_file: " + canary + "}"), token("{name: a, role: read, token_file: " + canary + "}"),
		token("{name: a, role: read, token: " + canary + "}, {name: b, role: read, token: " + canary + "}"), token("{name: a, role: read, token: [" + canary + "]}"),
		"admin: {tokens: {" + canary + ": admin}}\n" + minimal, "admin: " + canary + "\n" + minimal, "admin: {token: " + canary + "}\n" + minimal, "admin: {listen: " + canary + "}\n" + minimal,
		"database: {driver: mysql, dsn: 'postgres://u:" + canary + "@h/d'}\n" + minimal, "database: {dsn: 'postgres://u:" + canary + "@h/d'}\n" + minimal, "database: {driver: " + canary + "}\n" + minimal,
		"database: postgres://u:" + canary + "@h/d\n" + minimal, "database: {driver: postgres, 'postgres://u:" + canary + "@h/d': x}\n" + minimal, "database: {driver: postgres, " + canary + "}\n" + minimal,
		"database: {driver: postgres, dsn: x, dsn_file: " + canary + "}\n" + minimal, "database: {driver: postgres, dsn_file: " + canary + "}\n" + minimal, "database: {driver: postgres, dsn_file: " + write(t, "url", canary) + "}\n" + minimal,
		"timezone: " + canary + "\n" + minimal, "environment: " + canary + "\n" + minimal, "max_amount: " + canary + "\n" + minimal, "raw_retention: " + canary + "\n" + minimal,
		"accounts: {normalize: " + canary + "}\n" + minimal, "log: {level: " + canary + ", format: " + canary + "}\n" + minimal, "jetpay: {error_status: " + canary + ", sign_responses: " + canary + ", payment_expiry: " + canary + "}",
		"environment: production\ndemo: {accounts: " + canary + "}\n" + minimal, "log: {<<: " + canary + "}\n" + minimal, "highhelp: {projects: [{request_key: {secret: " + canary + "}}]}\n" + minimal,
	}
	for _, text := range mistakes {
		mistake(t, text, nil)
	}
	for _, list := range []string{
		canary, `"` + canary + `"`, `["` + canary, `["` + canary + `"]`, `[{"` + canary + `":1}]`, `[{"id":"` + canary + `"}]`, `[{"id":1,"secrets":"` + canary + `"}]`,
		`[{"id":1,"secrets":[{"x":"` + canary + `"}]}]`, `[{"id":1,"` + canary + `":1,"` + canary + `":2}]`, `[{"id":1,"secrets":["` + canary + `\x"]}]`, `[{"id":1,"secrets":["` + canary + "\xff" + `"]}]`,
		`[{"id":1,"secrets":["` + canary + `"]}] ` + canary, `[{"name":"a","role":"` + canary + `","token":"` + canary + ` "}]`,
	} {
		mistake(t, minimal, []string{"TOLEM_JETPAY__PROJECTS=" + list})
		mistake(t, minimal, []string{"TOLEM_ADMIN__TOKENS=" + list})
	}
	for _, name := range []string{"LISTEN", "ADMIN__LISTEN", "MAX_AMOUNT", "RAW_RETENTION", "TIMEZONE", "ENVIRONMENT", "DATABASE__DRIVER", "DATABASE__DSN_FILE", "LOG__LEVEL", "JETPAY__SIGN_RESPONSES", "JETPAY__ERROR_STATUS"} {
		mistake(t, minimal, []string{"TOLEM_" + name + "=" + canary})
	}
}

func mistake(t *testing.T, text string, env []string) {
	t.Helper()
	_, warnings, err := config.Load(write(t, "config.yaml", text), env)
	if err == nil {
		t.Errorf("is not a mistake: %q %q", text, env)
		return
	}
	for _, printed := range []string{err.Error(), fmt.Sprintf("%v %+v %#v", err, err, err), strings.Join(warnings, "\n")} {
		noCanary(t, fmt.Sprintf("%q %q", text, env), printed)
	}
}

func TestWarningsShowNoSecretAndNoVariablesValue(t *testing.T) {
	_, warnings, err := config.Load(write(t, "config.yaml", "jetpay: {projects: [{id: 1, secrets: [' "+canary+"']}]}"), []string{"TOLEM_UNKNOWN=" + canary})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(warnings), 2; got != want {
		t.Errorf("got %d warnings, want %d", got, want)
	}
	noCanary(t, "a warning", strings.Join(warnings, "\n"))
}

func TestLocationIsUTCWhereThereIsNoZone(t *testing.T) {
	if got, want := (&config.Config{Timezone: "nowhere"}).Location(), time.UTC; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	_, offset := time.Date(2026, 1, 1, 0, 0, 0, 0, config.Default().Location()).Zone()
	if got, want := offset, 5*60*60; got != want {
		t.Errorf("Almaty: got an offset of %d seconds, want %d", got, want)
	}
}
