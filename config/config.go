// Package config turns config.yaml and the environment into one validated value.
//
// [Load] reads the file, applies the TOLEM_ variables, which take precedence, checks everything and reports every
// problem at once. The returned Config is complete: defaults are filled in, secret files are read. A Config is not
// changed after that: goroutines may share it, and must not write to it.
//
// The structs of this package are the schema: a key of the file is the yaml tag of a field, and an environment
// variable is TOLEM_ and the key in upper case with __ between levels. A new key is a new field with its tags, a
// default and, if tags cannot express it, a rule.
//
// Files that are named by a relative path (demo.*, secret_files, the keys ending in _file) are looked for in the working
// directory, then beside the configuration file; the path in database.dsn is relative to the working directory.
//
// No message of this package shows a value from a configuration, because a misplaced value may be a secret.
package config

import (
	"slices"
	"strconv"
	"time"

	"tolem/calendar"
)

// The values that some keys accept.
const (
	Development = "development" // environment
	Production  = "production"  // environment: refuses demo secrets and demo data

	RoleAdmin    = "admin"    // role of a token: everything
	RoleOperator = "operator" // role of a token: looking, and operators' steps
	RoleMerchant = "merchant" // role of a token: the merchant's own routes
	RoleRead     = "read"     // role of a token: looking only

	DriverSQLite   = "sqlite"   // database.driver: one file, one server
	DriverPostgres = "postgres" // database.driver: a database of a PostgreSQL server, any number of servers

	NormalizeNone    = "none"     // accounts.normalize: ids are not changed
	NormalizeKZPhone = "kz_phone" // accounts.normalize: Kazakh telephone numbers become ten digits

	ErrorStatus200    = "200"    // jetpay.error_status: the code travels in the body alone
	ErrorStatusMirror = "mirror" // jetpay.error_status: the HTTP status repeats the code

	SchedulingBatch     = "batch"     // thread_scheduling: threads that wake up do not preempt others
	SchedulingUnchanged = "unchanged" // thread_scheduling: as the server was started

	LogJSON    = "json"    // log.format
	LogConsole = "console" // log.format
)

// DefaultIdleTimeout is longer than the idle timeouts of balancers (Google Cloud: 600 seconds). The side that sends
// requests must close first; otherwise a request may be sent on a connection that is just being closed, and fails
// with 502.
const DefaultIdleTimeout = 620 * time.Second

// Config is a whole configuration. It is immutable once [Load] has returned it.
type Config struct {
	Environment   string        `yaml:"environment" validate:"oneof=development production"`
	Listen        string        `yaml:"listen" validate:"hostport"` // of the public listener
	PublicURL     string        `yaml:"public_url"`                 // where providers reach the public listener; callback URLs are built from it
	Admin         Admin         `yaml:"admin"`
	Merchant      Merchant      `yaml:"merchant"`
	IdleTimeout   time.Duration `yaml:"idle_timeout" validate:"gt=0"` // how long every listener keeps a connection without requests
	Database      Database      `yaml:"database"`
	Demo          Demo          `yaml:"demo"`
	Accounts      Accounts      `yaml:"accounts"`
	Timezone      string        `yaml:"timezone" validate:"zone"`                                                                                // IANA name; where a day begins in reports
	BooksClosedTo string        `yaml:"books_closed_to" validate:"day" alsodate:"yes"`                                                           // the last closed day, such as 2026-10-31; empty: none is closed
	Notify        []Endpoint    `yaml:"notify" validate:"dive"`                                                                                  // of the merchant's own systems, which are notified of what happens to money
	FourEyes      []string      `yaml:"four_eyes" validate:"unique,dive,oneof=credit record refund recall assign return reverse suspend payout"` // operators' steps that need a second person
	MaxAmount     int64         `yaml:"max_amount" validate:"min=1,max=10000000000000"`                                                          // minor units, of one payment
	RawRetention  time.Duration `yaml:"raw_retention" validate:"gt=0"`                                                                           // how long raw provider messages are kept
	Banks         []Bank        `yaml:"bank" validate:"dive"`                                                                                    // the merchant's bank accounts, to which the platforms pay
	BankDays      int64         `yaml:"bank_days" validate:"min=0,max=31"`                                                                       // within how many days behind a payout's day its bank line may be booked
	JetPay        JetPay        `yaml:"jetpay"`
	HighHelp      HighHelp      `yaml:"highhelp"`
	Watch         Watch         `yaml:"watch"`
	Scheduling    string        `yaml:"thread_scheduling" validate:"oneof=batch unchanged"` // of the server's threads, on Linux
	Log           Log           `yaml:"log"`
}

// Admin is the admin listener and who may use it.
type Admin struct {
	Listen string  `yaml:"listen" validate:"hostport"`
	Tokens []Token `yaml:"tokens" validate:"dive"`
}

// Token lets its bearer use the admin listener.
type Token struct {
	Name      string `yaml:"name" validate:"name"`                               // unique; appears in logs and as actor
	Role      string `yaml:"role" validate:"oneof=admin operator merchant read"` // one of the roles above
	Token     Secret `yaml:"token,omitempty"`                                    // always set after Load, also if it came from a file
	TokenFile string `yaml:"token_file,omitempty"`                               // where Token was read from, else empty
	Expires   string `yaml:"expires,omitempty" validate:"day" alsodate:"yes"`    // the last day on which it can be used, such as 2026-12-31; empty: it does not expire
}

// Demo names data that is imported into an empty database. Development only; an empty path imports nothing.
type Demo struct {
	Accounts string `yaml:"accounts"`
	Payments string `yaml:"payments"`
}

// Accounts says how customer ids are read.
type Accounts struct {
	Normalize       string       `yaml:"normalize" validate:"oneof=none kz_phone"`
	MaxClosePercent int64        `yaml:"max_close_percent" validate:"min=0,max=100"` // of the open accounts that an import closes unasked
	Source          string       `yaml:"source" validate:"oneof=store http"`         // SourceStore or SourceHTTP
	HTTP            AccountsHTTP `yaml:"http"`
}

// JetPay configures the JetPay routes. The keys answer questions that the JetPay documents leave open.
type JetPay struct {
	ErrorStatus   string        `yaml:"error_status" validate:"oneof=200 mirror" alsonumber:"200"`
	SignResponses bool          `yaml:"sign_responses"`
	PaymentExpiry time.Duration `yaml:"payment_expiry" validate:"gt=0"` // when an unclaimed payment id expires
	GateURL       string        `yaml:"gate_url"`                       // of the platform's Gate, which is polled for pending payments; empty: no polling
	Projects      []Project     `yaml:"projects" validate:"dive"`

	// The Data API, of which reconcile asks what the platform has; without a URL it is not asked. Its token and secret
	// are those of an account of the Dashboard, not of a project.
	DataURL        string `yaml:"data_url"`
	DataTokenFile  string `yaml:"data_token_file"`
	DataSecretFile string `yaml:"data_secret_file"`
	DataToken      Secret `yaml:"-"` // the content of DataTokenFile
	DataSecret     Secret `yaml:"-"` // the content of DataSecretFile
}

// Project is one JetPay project of the merchant.
type Project struct {
	ID int64 `yaml:"id" validate:"min=1"` // unique

	// Secrets are all live secrets: those of the file in their order, then those of SecretFiles in theirs. The first
	// signs, all verify. There is at least one.
	Secrets     []Secret `yaml:"secrets,omitempty"`
	SecretFiles []string `yaml:"secret_files,omitempty"`

	PaymentMethods  []string `yaml:"payment_methods" validate:"min=1,unique,dive,method"`  // accepted by check_deposit
	CallbackMethods []string `yaml:"callback_methods" validate:"min=1,unique,dive,method"` // payment.method of account top-ups
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level" validate:"oneof=debug info warn error"`
	Format string `yaml:"format" validate:"oneof=json console"`
}

// Default is the configuration of an empty file: everything but what only the merchant can know. It is not valid,
// because it has no project. Each call returns a value of its own.
func Default() *Config {
	return &Config{
		Environment: Development,
		Listen:      "127.0.0.1:8080",
		Admin:       Admin{Listen: "127.0.0.1:8081"},
		IdleTimeout: DefaultIdleTimeout,
		Database:    Database{Driver: DriverSQLite, DSN: "data/tolem.db"},
		Accounts: Accounts{Normalize: NormalizeNone, MaxClosePercent: 10, Source: SourceStore,
			HTTP: AccountsHTTP{Timeout: 2 * time.Second, Cache: 5 * time.Second, Stale: 10 * time.Minute}},
		Timezone:     "Asia/Almaty",
		MaxAmount:    10_000_000_000_000,
		RawRetention: 43800 * time.Hour,
		BankDays:     7,
		JetPay:       JetPay{ErrorStatus: ErrorStatus200, PaymentExpiry: 288 * time.Hour},
		HighHelp: HighHelp{
			BaseURL: "https://api.hh-processing.com",
			Timeout: 10 * time.Second,
			MaxOver: 10,
			Methods: DefaultHighHelpMethods(),
		},
		Watch:      Watch{Interval: time.Minute, MaxAge: 72 * time.Hour},
		Scheduling: SchedulingBatch,
		Log:        Log{Level: "info", Format: LogJSON},
	}
}

// defaultMethods fills in what a project leaves out. An empty list is not left out: it is a problem.
func (p *Project) defaultMethods() {
	if p.PaymentMethods == nil {
		p.PaymentMethods = []string{"terminal/kaspi"}
	}
	if p.CallbackMethods == nil {
		p.CallbackMethods = []string{"kaspi"}
	}
}

// Bank returns the configured bank account of that name, nil if there is none.
func (c *Config) Bank(name string) *Bank {
	for i := range c.Banks {
		if c.Banks[i].Name == name {
			return &c.Banks[i]
		}
	}
	return nil
}

// ClosedUntil is the first instant after the last closed day, the zero time when
// no day is closed.
func (c *Config) ClosedUntil() time.Time {
	day, err := calendar.ParseDay(c.BooksClosedTo)
	if err != nil {
		return time.Time{}
	}
	return day.End(c.Location())
}

// HasProject reports whether a provider's project is configured.
func (c *Config) HasProject(provider, id string) bool {
	return slices.Contains(c.ProjectIDs(provider), id)
}

// ProjectIDs are the ids of a provider's configured projects, as texts.
func (c *Config) ProjectIDs(provider string) []string {
	var ids []string
	switch provider {
	case "jetpay":
		for _, p := range c.JetPay.Projects {
			ids = append(ids, strconv.FormatInt(p.ID, 10))
		}
	case "highhelp":
		for _, p := range c.HighHelp.Projects {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// Location is the time zone in which days begin. It is UTC if Timezone names none, which [Load] does not let through.
func (c *Config) Location() *time.Location {
	zone, err := calendar.Load(c.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}
