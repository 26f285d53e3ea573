package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Database says where the books are: in a SQLite file, or in a PostgreSQL database.
type Database struct {
	Driver string `yaml:"driver"` // DriverSQLite or DriverPostgres
	// DSN is the path of the SQLite file. Of a PostgreSQL URL it is, after Load, what may be printed; the URL itself is
	// in Postgres.
	DSN     string `yaml:"dsn,omitempty"`
	DSNFile string `yaml:"dsn_file,omitempty"` // where the PostgreSQL URL was read from, else empty

	Postgres Secret `yaml:"-"` // the PostgreSQL URL with its password; unset with SQLite
}

const (
	exampleURL  = "postgres://tolem:password@127.0.0.1:5432/tolem"
	hiddenInURL = "xxxxx"
)

func (r *rules) database() {
	switch r.config.Database.Driver {
	case DriverSQLite:
		r.sqlite()
	case DriverPostgres:
		r.postgres()
	default:
		r.problem("database.driver", "must be sqlite or postgres")
	}
}

func (r *rules) sqlite() {
	if r.given("database.dsn_file") {
		r.problem("database.dsn_file", "is for the URL of a PostgreSQL database; give the path of the SQLite file in database.dsn, or set database.driver to postgres")
	}
	dsn := r.config.Database.DSN
	switch {
	case dsn == "":
		r.problem("database.dsn", "is empty; give the path of the database file")
	case isPostgresURL(dsn):
		r.problem("database.dsn", "is the URL of a PostgreSQL database; set database.driver to postgres")
	case strings.Contains(dsn, "://"), strings.HasPrefix(dsn, "file:"), strings.HasPrefix(dsn, ":memory:"), strings.ContainsRune(dsn, 0):
		r.problem("database.dsn", "must be the path of a file, not a URL and not in memory")
	}
}

// postgres reads the URL, from its file if it has one, and leaves in the configuration's open part what may be printed.
func (r *rules) postgres() {
	key, address := r.postgresURL()
	r.config.Database.DSN = ""
	if address.IsZero() {
		return // reported
	}
	u, reason := readPostgresURL(address.Reveal())
	if reason != "" {
		r.problem(key, reason)
		return
	}
	r.config.Database.Postgres, r.config.Database.DSN = address, printableURL(u)
	if r.config.Environment == Production && !isEncrypted(u) && !isNear(u) {
		r.warn(key, "does not insist on encryption, and the server is not on this machine; add sslmode=verify-full, or at least sslmode=require")
	}
}

// postgresURL gives the URL and the key that it was given at. An empty dsn beside dsn_file is none, so that a variable
// can take back what a file or a container's image says.
func (r *rules) postgresURL() (key string, address Secret) {
	inline, fileGiven := "", r.given("database.dsn_file")
	if r.given("database.dsn") {
		inline = r.config.Database.DSN
	}
	switch {
	case inline != "" && fileGiven:
		r.problem("database", "has both dsn and dsn_file; keep one")
	case fileGiven:
		return "database.dsn_file", r.secretFile("database.dsn_file", r.config.Database.DSNFile)
	case inline == "":
		r.problem("database.dsn", "is missing; give the URL of the PostgreSQL database, such as "+exampleURL+", here or in the file that database.dsn_file names")
	}
	return "database.dsn", NewSecret(inline)
}

func isPostgresURL(text string) bool {
	scheme, _, found := strings.Cut(text, "://")
	return found && (strings.EqualFold(scheme, "postgres") || strings.EqualFold(scheme, "postgresql"))
}

// readPostgresURL reads a URL; reason says what is wrong with it, without repeating any of it.
func readPostgresURL(text string) (u *url.URL, reason string) {
	if !isPostgresURL(text) {
		return nil, "must be a URL, such as " + exampleURL + "; the form with key=value is not read"
	}
	u, err := url.Parse(text)
	// A sign of the password's that is taken for the end of it leaves the rest in plain sight.
	if err != nil || strings.Contains(u.Path, "@") || u.User == nil && strings.Contains(text, "@") || strings.Contains(text, "#") {
		return nil, "is not a URL such as " + exampleURL + "; what is special in a password is written as %40 for @, %2F for /, %3F for ?, %23 for #, %25 for %"
	}
	query, err := url.ParseQuery(u.RawQuery)
	switch {
	case err != nil, slices.ContainsFunc(slices.Collect(maps.Keys(query)), func(name string) bool { return !parameterName.MatchString(name) }):
		return nil, "has parameters that cannot be read; write what is special in them as %26 for &, %3D for =, %25 for %"
	case strings.Trim(u.Path, "/") == "" && !query.Has("dbname") && !query.Has("database"):
		return nil, "names no database; add it at the end, such as " + exampleURL
	}
	return u, ""
}

var parameterName = regexp.MustCompile(`^[a-z_.]{1,64}$`)

// plainParameters are those whose values may be printed. Any other may hold a password, in its name or misspelt.
var plainParameters = []string{
	"application_name", "connect_timeout", "database", "dbname", "host", "port", "search_path", "sslmode", "sslrootcert",
	"target_session_attrs", "user",
}

// printableURL is a URL without its password.
func printableURL(u *url.URL) string {
	shown := *u
	if _, has := u.User.Password(); has {
		shown.User = url.UserPassword(u.User.Username(), hiddenInURL)
	}
	query := u.Query()
	for name, values := range query {
		if slices.Contains(plainParameters, name) {
			continue
		}
		for i := range values {
			values[i] = hiddenInURL
		}
	}
	shown.RawQuery = query.Encode()
	if shown.Path == "" {
		shown.Path = "/" // without it and a host, the two slashes would go too
	}
	return shown.String()
}

// isEncrypted tells whether a connection is refused rather than made in the clear.
func isEncrypted(u *url.URL) bool {
	return slices.Contains([]string{"require", "verify-ca", "verify-full"}, u.Query().Get("sslmode"))
}

// isNear tells whether the server is reached without a network: over a socket or the loopback.
func isNear(u *url.URL) bool {
	hosts := u.Host
	if given := u.Query().Get("host"); given != "" {
		hosts = given
	}
	for one := range strings.SplitSeq(hosts, ",") {
		host := (&url.URL{Host: one}).Hostname()
		if host != "" && !strings.HasPrefix(host, "/") && !isLoopback(host) {
			return false
		}
	}
	return true
}
