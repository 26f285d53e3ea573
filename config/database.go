package config

import (
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
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
	if fault := pathFault(r.config.Database.DSN); fault != "" {
		r.problem("database.dsn", fault)
	}
}

var (
	// A colon may be part of a path that begins with ./ or /; of Windows, one letter is a drive.
	scheme            = regexp.MustCompile(`^(?i:[a-z][a-z0-9+.-]+):`)
	variableInPath    = regexp.MustCompile(`\$\{?[A-Za-z_]|\$\(|%[A-Za-z_]+%|\{\{`)
	connectionKeyword = regexp.MustCompile(`(?i)(^|\s)(host|hostaddr|port|dbname|user|password|sslmode|service)\s*=`)
	parametersOfPath  = regexp.MustCompile(`\?[A-Za-z_]+=`)
)

// pathFault says why a text cannot be meant as the path of a SQLite file, empty if it can. Such a path, used
// literally, would create an empty database in an unexpected place.
func pathFault(dsn string) string {
	const whole = "; write the whole path, such as /data/tolem.db"
	switch {
	case dsn == "":
		return "is empty; give the path of the database file"
	case isPostgresURL(strings.Trim(dsn, "\"'` ")):
		return "is the URL of a PostgreSQL database; set database.driver to postgres"
	case connectionKeyword.MatchString(dsn):
		return "names a PostgreSQL database by key=value; set database.driver to postgres and write it as a URL, such as " + exampleURL
	case strings.HasPrefix(dsn, "~"):
		return "begins with ~, which only shells replace" + whole
	case variableInPath.MatchString(dsn):
		return "holds the name of a variable, which nobody replaces here" + whole
	case strings.HasPrefix(dsn, ":memory:"), strings.Contains(dsn, "://"), scheme.MatchString(dsn):
		return "must be the path of a file, not a URL and not in memory"
	case parametersOfPath.MatchString(dsn):
		return "has parameters behind a ?, and none are read; write the path alone"
	case strings.ContainsFunc(strings.TrimSpace(dsn), unicode.IsControl):
		return "holds a control character; write the path alone"
	}
	if found := wrapping(dsn); found != "" {
		return found + "; write the path alone"
	}
	info, err := os.Stat(dsn)
	switch {
	case os.IsPathSeparator(dsn[len(dsn)-1]), err == nil && info.IsDir():
		return "is a folder; name the file in it, such as tolem.db"
	case err == nil && !info.Mode().IsRegular():
		return "is not a regular file; name one, or one that does not exist yet"
	}
	return ""
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
		return "database.dsn_file", r.secretFile(DatabaseURL, "database.dsn_file", r.config.Database.DSNFile)
	case inline == "" && r.need(DatabaseURL):
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
	if found := wrapping(text); found != "" && !strings.HasPrefix(found, "holds a #") {
		return nil, found + "; leave the URL alone, such as " + exampleURL
	}
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
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if todo := libpqAlone(name, query.Get(name)); todo != "" {
			return nil, "has the parameter " + name + ", which cannot be used here; " + todo
		}
	}
	return u, ""
}

// onlyLibpq are the parameters that libpq keeps to itself, and what to do instead. The driver here would take them for
// settings of the server and send them along, and the server would refuse every connection.
var onlyLibpq = map[string]string{
	"authtype":                  "remove it",
	"fallback_application_name": "write application_name",
	"gssdelegation":             "remove it: connections are never made with GSSAPI's encryption",
	"gssencmode":                "remove it: connections are never encrypted by GSSAPI; sslmode asks for TLS",
	"gsslib":                    "remove it",
	"hostaddr":                  "write the address as the host",
	"keepalives":                "remove it: TCP keepalives are always on",
	"keepalives_count":          "write tcp_keepalives_count, which the server applies",
	"keepalives_idle":           "write tcp_keepalives_idle, which the server applies",
	"keepalives_interval":       "write tcp_keepalives_interval, which the server applies",
	"load_balance_hosts":        "remove it: of several hosts the first one that is a primary is used",
	"oauth_client_id":           "remove it, and sign in with a password or a certificate",
	"oauth_client_secret":       "remove it, and sign in with a password or a certificate",
	"oauth_issuer":              "remove it, and sign in with a password or a certificate",
	"oauth_scope":               "remove it, and sign in with a password or a certificate",
	"replication":               "remove it: tolem needs an ordinary connection",
	"requirepeer":               "remove it, and allow the socket's folder to the server's user alone",
	"requiressl":                "write sslmode=require, or better sslmode=verify-full",
	"scram_client_key":          "write the password",
	"scram_server_key":          "write the password",
	"ssl_max_protocol_version":  "remove it: TLS 1.2 and newer are used",
	"ssl_min_protocol_version":  "remove it: nothing older than TLS 1.2 is used",
	"sslcompression":            "remove it: TLS is never compressed",
	"sslcrl":                    "remove it: revocation lists are not read; after a revocation, change the authority in sslrootcert",
	"sslcrldir":                 "remove it: revocation lists are not read; after a revocation, change the authority in sslrootcert",
	"sslkeylogfile":             "remove it",
	"tty":                       "remove it",
}

// libpqAlone says what to do about a parameter that only libpq, or only the driver's pool, understands.
func libpqAlone(name, value string) string {
	if strings.HasPrefix(name, "pool_") {
		return "remove it: how many connections there are is not for the URL to say"
	}
	if name == "client_encoding" && !strings.EqualFold(strings.ReplaceAll(value, "-", ""), "utf8") {
		return "remove it: the driver speaks UTF-8"
	}
	return onlyLibpq[name]
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

// isEncrypted reports whether an unencrypted connection is refused.
func isEncrypted(u *url.URL) bool {
	return slices.Contains([]string{"require", "verify-ca", "verify-full"}, u.Query().Get("sslmode"))
}

// isNear reports whether the server is reached without a network: through a socket or the loopback interface.
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
