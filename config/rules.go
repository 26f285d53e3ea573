package config

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-playground/validator/v10"

	"tolem/calendar"
)

const (
	maxSecretFile = 4 << 10  // bytes
	maxKeyFile    = 16 << 10 // bytes; the PEM of a key, perhaps with a chain of certificates

	// The requirements on secrets in production. The merchant chooses a token; a project's secret is the platform's,
	// and only one that can be guessed from a single signed message is refused.
	minTokenLength  = 16
	minSecretLength = 8

	demoSecret = "demo-secret"
	demoToken  = "demo-admin-token"
)

// rules checks a decoded configuration and completes it with the secrets from files.
type rules struct {
	needs    Secrets
	config   *Config
	problems *Problems
	origins  map[string]string
	warnings []string
}

func (r *rules) check() {
	r.projectDefaults()
	r.tags()
	r.zoneData()
	r.listeners()
	r.merchant()
	r.urls()
	r.database()
	r.tokens()
	r.projects()
	r.highhelp()
	r.banks()
	r.accountSource()
	r.endpoints()
	if r.config.Environment == Production {
		r.production()
	}
}

// problem reports what is not a mere consequence of a problem already known.
func (r *rules) problem(key, text string) {
	if r.problems.touch(key) {
		return
	}
	r.problems.add(Problem{Key: key, Text: text, Where: r.origin(key)})
}

func (r *rules) warn(key, text string) {
	r.warnings = append(r.warnings, Problem{Key: key, Text: text, Where: r.origin(key)}.String())
}

// origin is the source of the value of key, or of the nearest section around it.
func (r *rules) origin(key string) string {
	for key != "" {
		if where, ok := r.origins[key]; ok {
			return where
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return ""
}

// tags applies the validate tags of the structs.
func (r *rules) tags() {
	var broken validator.ValidationErrors
	if err := newValidator().Struct(r.config); !errors.As(err, &broken) {
		return
	}
	for _, field := range broken {
		_, key, _ := strings.Cut(field.Namespace(), ".") // the first is the struct's own name
		r.problem(key, sentence(field))
	}
}

// isDayOrNone accepts a day of the calendar, and nothing.
func isDayOrNone(text string) bool {
	_, err := calendar.ParseDay(text)
	return text == "" || err == nil
}

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(keyOf)
	for tag, holds := range map[string]func(string) bool{
		"hostport": IsHostPort, "zone": isZone, "day": isDayOrNone, "name": isName, "method": isMethod,
		"projectid": isProjectID, "header": isHeader, "widgetmethod": isWidgetMethod,
		"currency": currencyCode.MatchString, "country": countryCode.MatchString, "language": languageCode.MatchString,
		"iban": orNone(ibanForm), "bic": orNone(bicForm), "bin": orNone(binForm), "kbe": orNone(kbeForm),
	} {
		// It fails for an empty tag alone.
		_ = v.RegisterValidation(tag, func(field validator.FieldLevel) bool { return holds(field.Field().String()) })
	}
	return v
}

// sentence describes the requirement of a violated tag. It never shows the value.
func sentence(field validator.FieldError) string {
	list := field.Kind() == reflect.Slice
	switch tag := field.Tag(); {
	case tag == "oneof":
		return "must be one of " + strings.Join(strings.Fields(field.Param()), ", ")
	case tag == "hostport":
		return "must be host:port, such as 127.0.0.1:8080"
	case tag == "zone":
		return "must be the name of a time zone, such as Asia/Almaty"
	case tag == "day":
		return "must be a day such as 2026-10-31"
	case tag == "name":
		return "must be 1 to 64 letters, digits, '.', '_' or '-'"
	case tag == "method":
		return "must be 1 to 255 visible ASCII characters without spaces"
	case tag == "projectid":
		return "must be 1 to 255 visible ASCII characters without spaces, ':' and ';'"
	case tag == "header":
		return "must be the name of an HTTP header that has no other meaning, such as x-access-signature"
	case tag == "widgetmethod":
		return "must be 1 to 32 visible ASCII characters without spaces"
	case tag == "currency":
		return "must be three capital letters, such as KZT"
	case tag == "country":
		return "must be two capital letters, such as KZ"
	case tag == "language":
		return "must be two small letters, such as kk"
	case tag == "iban":
		return "must be an IBAN in capital letters and digits without spaces: two letters, two digits and 11 to 30 characters"
	case tag == "bic":
		return "must be 8 or 11 capital letters and digits, such as HSBKKZKX"
	case tag == "bin":
		return "must be 12 digits, in quotes"
	case tag == "kbe":
		return "must be 2 digits, in quotes"
	case tag == "unique":
		return "lists the same value twice; keep one"
	case tag == "min" && list:
		return "is an empty list; name at least one, or remove the key to use the default"
	case tag == "gt" && field.Type() == durationType:
		return "must be longer than 0"
	case tag == "min" && field.Type() == durationType:
		return "must not be shorter than 0"
	case tag == "min":
		return "must be " + field.Param() + " or more"
	case tag == "max":
		return "must be " + field.Param() + " or less"
	default:
		return "breaks the rule " + tag
	}
}

// IsHostPort reports whether a text is an address that a listener can have: a host, which may be empty, and a port.
func IsHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || strings.ContainsFunc(host, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsGraphic(c) || c == '/' }) {
		return false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && strconv.FormatUint(number, 10) == port
}

func isZone(name string) bool {
	if name == "" || name == "Local" { // both are known to Go, and mean what the machine happens to be set to
		return false
	}
	_, err := calendar.Load(name)
	return err == nil
}

// zoneData warns of a time zone of which the system and this program know different things: days would be cut by data
// of which one is old, and by others on another machine.
func (r *rules) zoneData() {
	zone, err := calendar.Load(r.config.Timezone)
	if err != nil {
		return // reported by its tag
	}
	if difference, differs := calendar.Compare(zone); differs {
		r.warn("timezone", "the system's time zone data, by which days are cut, are not those of this program: "+difference.String()+
			"; one of them is old: update the system's package tzdata, or this program; ZONEINFO may name other data")
	}
}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func isName(name string) bool { return tokenName.MatchString(name) }

func isMethod(name string) bool { return name != "" && len(name) <= 255 && isVisible(name) }

// isVisible reports whether a text can be one word of an HTTP header.
func isVisible(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

func (r *rules) listeners() {
	if overlap(r.config.Listen, r.config.Admin.Listen) {
		r.problem("admin.listen", "must differ from listen; the two listeners need a port each")
	}
	r.warnOfReach("admin.listen", r.config.Admin.Listen)
}

func (r *rules) warnOfReach(key, address string) {
	if host, _, err := net.SplitHostPort(address); err == nil && !isLoopback(host) {
		r.warn(key, "is not a loopback address; keep it out of reach of the internet, it carries tokens in the clear")
	}
}

// overlap reports whether the second listener could not be opened. Port 0 is another free port each time.
func overlap(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	if portA != portB || portA == "0" {
		return false
	}
	return isWildcard(hostA) || isWildcard(hostB) || strings.EqualFold(hostA, hostB) || isLocalhost(hostA) && isLoopback(hostB) || isLocalhost(hostB) && isLoopback(hostA)
}

func isWildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

func isLocalhost(host string) bool { return strings.EqualFold(host, "localhost") }

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return isLocalhost(host) || ip != nil && ip.IsLoopback()
}

func (r *rules) tokens() {
	names, texts := map[string]int{}, map[string]int{}
	for i := range r.config.Admin.Tokens {
		token, key := &r.config.Admin.Tokens[i], fmt.Sprintf("admin.tokens[%d]", i)
		if first, taken := names[token.Name]; taken {
			r.problem(key+".name", fmt.Sprintf("is the name of admin.tokens[%d] too; give each token its own", first))
		} else {
			names[token.Name] = i
		}
		at := r.tokenText(key, token)
		text := token.Token.Reveal()
		if text == "" {
			continue
		}
		if found := wrapping(text); found != "" {
			r.warn(at, found+", which is taken as part of the token")
		}
		if !isVisible(text) {
			r.problem(at, "must be visible ASCII characters without spaces, because it travels in an HTTP header")
		}
		if first, taken := texts[text]; taken {
			r.problem(at, fmt.Sprintf("is the token of admin.tokens[%d] too; give each its own", first))
		} else {
			texts[text] = i
		}
	}
}

// tokenText reads the token's file, if it has one, and gives the key that the text came from.
func (r *rules) tokenText(key string, token *Token) string {
	inline, file := key+".token", key+".token_file"
	switch _, fileGiven := r.origins[file]; {
	case !token.Token.IsZero() && fileGiven:
		r.problem(key, "has both token and token_file; keep one")
		return key
	case fileGiven:
		token.Token = r.secretFile(AdminTokens, file, token.TokenFile)
		return file
	case token.Token.IsZero() && r.need(AdminTokens):
		r.problem(inline, "is missing or empty; give a token or a token_file")
	}
	return inline
}

func (r *rules) projects() {
	if len(r.config.JetPay.Projects)+len(r.config.HighHelp.Projects) == 0 && r.need(ProviderKeys) {
		r.problem("jetpay.projects", "configure at least one project, with its id and secrets, here or in highhelp.projects")
	}
	ids := map[int64]int{}
	for i := range r.config.JetPay.Projects {
		project, key := &r.config.JetPay.Projects[i], fmt.Sprintf("jetpay.projects[%d]", i)
		if first, taken := ids[project.ID]; taken {
			r.problem(key+".id", fmt.Sprintf("is the id of jetpay.projects[%d] too; configure each project once", first))
		} else {
			ids[project.ID] = i
		}
		r.projectSecrets(key, project)
	}
}

func (r *rules) projectSecrets(key string, project *Project) {
	if len(project.Secrets)+len(project.SecretFiles) == 0 && r.need(JetPayKeys) {
		r.problem(key+".secrets", "give at least one secret, here or in secret_files")
		return
	}
	for i, secret := range project.Secrets {
		at := fmt.Sprintf("%s.secrets[%d]", key, i)
		if secret.IsZero() {
			r.problem(at, "is empty; a secret must not be")
		}
		r.warnOfWrapping(at, secret)
	}
	for i, path := range project.SecretFiles {
		at := fmt.Sprintf("%s.secret_files[%d]", key, i)
		project.Secrets = append(project.Secrets, r.secretFile(JetPayKeys, at, path))
		r.warnOfWrapping(at, project.Secrets[len(project.Secrets)-1])
	}
}

// production refuses what is good enough to try the program only.
func (r *rules) production() {
	for i, token := range r.config.Admin.Tokens {
		r.realSecret(tokenKey(fmt.Sprintf("admin.tokens[%d].token", i), token.TokenFile), token.Token, minTokenLength)
	}
	for i, project := range r.config.JetPay.Projects {
		for j, secret := range project.Secrets {
			r.realSecret(projectSecretKey(i, j, project), secret, minSecretLength)
		}
	}
	r.productionHighHelp()
	if r.config.Demo.Accounts != "" {
		r.problem("demo.accounts", "production does not import demo data; remove the key, or set it to \"\"")
	}
	if r.config.Demo.Payments != "" {
		r.problem("demo.payments", "production does not import demo data; remove the key, or set it to \"\"")
	}
}

func (r *rules) realSecret(key string, secret Secret, minLength int) {
	switch {
	case secret.IsZero(): // reported already
	case secret.Equal(demoSecret), secret.Equal(demoToken), secret.Equal(demoHighHelpSecret):
		r.problem(key, "is the demo's, which everybody knows; production needs one of its own")
	case len(secret.Reveal()) < minLength:
		r.problem(key, fmt.Sprintf("is shorter than %d bytes; production needs one that cannot be guessed", minLength))
	}
}

// tokenKey is the key that a token was given at.
func tokenKey(inline, file string) string {
	if file == "" {
		return inline
	}
	return inline + "_file"
}

// projectSecretKey is the key of a project's j-th secret; those from files are last.
func projectSecretKey(i, j int, project Project) string {
	if inline := len(project.Secrets) - len(project.SecretFiles); j >= inline {
		return fmt.Sprintf("jetpay.projects[%d].secret_files[%d]", i, j-inline)
	}
	return fmt.Sprintf("jetpay.projects[%d].secrets[%d]", i, j)
}
