package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// maxBaseURL leaves room for the paths that are joined to a base URL: the provider takes URLs of up to 2048 bytes.
const maxBaseURL = 1900

const demoHighHelpSecret = "demo-highhelp-secret"

// urls checks the addresses of others, and our own as others see it.
func (r *rules) urls() {
	r.baseURL("public_url", r.config.PublicURL)
	r.baseURL("highhelp.base_url", r.config.HighHelp.BaseURL)
	r.baseURL("jetpay.gate_url", r.config.JetPay.GateURL)
	r.dataAPI()
	if len(r.config.HighHelp.Projects) == 0 {
		return
	}
	if r.config.PublicURL == "" {
		r.problem("public_url", "is missing; HighHelp needs the URL at which it reaches the public listener, such as https://pay.example.kz")
	}
	if r.config.HighHelp.BaseURL == "" {
		r.problem("highhelp.base_url", "is empty; give the URL of the provider's API")
	}
}

// dataAPI checks the keys of JetPay's Data API, which are given together, and reads its token and its secret.
func (r *rules) dataAPI() {
	j := &r.config.JetPay
	r.baseURL("jetpay.data_url", j.DataURL)
	for _, file := range []struct {
		key, path string
		to        *Secret
	}{{"jetpay.data_token_file", j.DataTokenFile, &j.DataToken}, {"jetpay.data_secret_file", j.DataSecretFile, &j.DataSecret}} {
		switch {
		case file.path == "" && j.DataURL != "":
			r.problem(file.key, "is missing; jetpay.data_url needs it")
		case file.path != "" && j.DataURL == "":
			r.problem("jetpay.data_url", "is missing; "+file.key+" needs it")
		case file.path != "":
			*file.to = r.secretFile(DataAPIKeys, file.key, file.path)
			r.warnOfWrapping(file.key, *file.to)
		}
	}
}

// baseURL checks an address that paths are joined to. Data sent over http can be read and changed in transit.
func (r *rules) baseURL(key, text string) {
	if text == "" {
		return
	}
	base, err := url.Parse(text)
	switch {
	case err != nil, base.Host == "", base.Hostname() == "", base.Scheme != "https" && base.Scheme != "http",
		base.User != nil, base.RawQuery != "" || base.ForceQuery, strings.Contains(text, "#"), !isVisible(text):
		r.problem(key, "must be a URL such as https://pay.example.kz, without user, query and fragment")
	case len(text) > maxBaseURL:
		r.problem(key, fmt.Sprintf("is longer than %d bytes", maxBaseURL))
	case base.Scheme == "https":
	case r.config.Environment == Production:
		r.problem(key, "must begin with https; production sends and receives nothing over http")
	case !isLoopback(base.Hostname()):
		r.problem(key, "must begin with https; http is for loopback addresses in development only")
	}
}

func (r *rules) merchant() {
	listen := r.config.Merchant.Listen
	if listen == "" {
		return
	}
	if overlap(r.config.Listen, listen) || overlap(r.config.Admin.Listen, listen) {
		r.problem("merchant.listen", "must differ from listen and admin.listen; each listener needs a port of its own")
	}
	r.warnOfReach("merchant.listen", listen)
}

// projectDefaults fills in what the projects leave out. What is given and empty is not left out: it breaks a rule.
func (r *rules) projectDefaults() {
	for i := range r.config.HighHelp.Projects {
		project, key := &r.config.HighHelp.Projects[i], fmt.Sprintf("highhelp.projects[%d].", i)
		standard := NewHighHelpProject(project.ID)
		for _, part := range []struct {
			key      string
			value    *string
			standard string
		}{
			{"request_dialect.null_as", &project.RequestDialect.NullAs, standard.RequestDialect.NullAs},
			{"request_dialect.padding", &project.RequestDialect.Padding, standard.RequestDialect.Padding},
			{"request_dialect.digest", &project.RequestDialect.Digest, standard.RequestDialect.Digest},
			{"request_dialect.hmac_text", &project.RequestDialect.HMACText, standard.RequestDialect.HMACText},
			{"alert_dialect.null_as", &project.AlertDialect.NullAs, standard.AlertDialect.NullAs},
			{"alert_dialect.padding", &project.AlertDialect.Padding, standard.AlertDialect.Padding},
			{"alert_dialect.digest", &project.AlertDialect.Digest, standard.AlertDialect.Digest},
			{"alert_headers.signature", &project.AlertHeaders.Signature, standard.AlertHeaders.Signature},
			{"alert_headers.timestamp", &project.AlertHeaders.Timestamp, standard.AlertHeaders.Timestamp},
		} {
			if _, given := r.origins[key+part.key]; !given {
				*part.value = part.standard
			}
		}
	}
}

func (r *rules) highhelp() {
	ids := map[string]int{}
	for i := range r.config.HighHelp.Projects {
		project, key := &r.config.HighHelp.Projects[i], fmt.Sprintf("highhelp.projects[%d]", i)
		if first, taken := ids[project.ID]; taken {
			r.problem(key+".id", fmt.Sprintf("is the id of highhelp.projects[%d] too; configure each project once", first))
		} else {
			ids[project.ID] = i
		}
		r.highhelpProject(key, project)
	}
	r.methods()
}

func (r *rules) highhelpProject(key string, project *HighHelpProject) {
	if project.MerchantID == "" { // only now, so that a bad id is reported once
		project.MerchantID = project.ID
	}
	own := r.requestKey(key+".request_key", &project.RequestKey)
	theirs := r.alertKey(key+".alert_key", &project.AlertKey)
	if own != "" && own == theirs {
		r.warn(key+".alert_key", "is the public half of request_key; alerts are signed with the provider's key, which the cabinet shows")
	}
	if strings.EqualFold(project.AlertHeaders.Signature, project.AlertHeaders.Timestamp) {
		r.problem(key+".alert_headers", "names the same header twice; the signature and the timestamp need one each")
	}
	r.warnOfWrapping(key+".access_token", project.AccessToken)
	if !isVisible(project.AccessToken.Reveal()) {
		r.problem(key+".access_token", "must be visible ASCII characters without spaces, because it travels in an HTTP header")
	}
	if !isVisible(project.AlgorithmHeader) || len(project.AlgorithmHeader) > 255 {
		r.problem(key+".algorithm_header", "must be at most 255 visible ASCII characters without spaces, because it travels in an HTTP header")
	}
	if project.RequestKey.Algorithm == AlgorithmHMAC && project.AccessToken.IsZero() && r.need(HighHelpKeys) {
		r.warn(key+".access_token", "is missing; an HMAC key has none of its own, so requests carry no x-access-token")
	}
}

// requestKey completes the key from its file and gives the fingerprint of its public half, empty if it has none.
func (r *rules) requestKey(key string, k *RequestKey) (fingerprint string) {
	switch k.Algorithm {
	case AlgorithmRSA:
		r.misplaced(key, k.Algorithm, "secret", "secret_file")
		k.PrivateKey, fingerprint = r.privateKeyFile(key+".private_key_file", k.PrivateKeyFile)
	case AlgorithmHMAC:
		r.misplaced(key, k.Algorithm, "private_key_file")
		k.Secret = r.keySecret(HighHelpKeys, key, k.Secret, k.SecretFile)
	}
	return fingerprint
}

// alertKey is requestKey for the key that verifies alerts.
func (r *rules) alertKey(key string, k *AlertKey) (fingerprint string) {
	switch k.Algorithm {
	case AlgorithmRSA:
		r.misplaced(key, k.Algorithm, "secret", "secret_file")
		k.PublicKey, fingerprint = r.publicKeyFile(key+".public_key_file", k.PublicKeyFile)
	case AlgorithmHMAC:
		r.misplaced(key, k.Algorithm, "public_key_file")
		k.Secret = r.keySecret(HighHelpKeys, key, k.Secret, k.SecretFile)
	case "":
		if slices.ContainsFunc([]string{"algorithm", "public_key_file", "secret", "secret_file"}, func(name string) bool { return r.given(key + "." + name) }) {
			r.problem(key+".algorithm", "must be one of rsa, hmac")
			return ""
		}
		if r.need(HighHelpKeys) {
			r.warn(key, "is missing; every alert of this project will be refused")
		}
	}
	return fingerprint
}

func (r *rules) given(key string) bool {
	_, given := r.origins[key]
	return given
}

// misplaced reports members of the other algorithm, because they would have no effect.
func (r *rules) misplaced(key, algorithm string, names ...string) {
	for _, name := range names {
		if r.given(key + "." + name) {
			r.problem(key+"."+name, "has no meaning with algorithm "+algorithm+"; remove it, or change the algorithm")
		}
	}
}

// keySecret is a secret of that kind, from the configuration or from its file.
func (r *rules) keySecret(kind Secrets, key string, inline Secret, file string) Secret {
	at := key + ".secret"
	switch fileGiven := r.given(key + ".secret_file"); {
	case !inline.IsZero() && fileGiven:
		r.problem(key, "has both secret and secret_file; keep one")
		return inline
	case fileGiven:
		at = key + ".secret_file"
		inline = r.secretFile(kind, at, file)
	case inline.IsZero() && r.need(kind):
		r.problem(at, "is missing or empty; give a secret or a secret_file")
	}
	r.warnOfWrapping(at, inline)
	return inline
}

// methods checks that a request can fit one method only.
func (r *rules) methods() {
	type code struct{ currency, country, widgetMethod string }
	names, codes := map[string]int{}, map[code]int{}
	for i, method := range r.config.HighHelp.Methods {
		key := fmt.Sprintf("highhelp.methods[%d]", i)
		if first, taken := names[method.Name]; taken {
			r.problem(key+".name", fmt.Sprintf("is the name of highhelp.methods[%d] too; give each method its own", first))
		} else {
			names[method.Name] = i
		}
		for j, widgetMethod := range method.WidgetMethods {
			code := code{method.Currency, method.Country, widgetMethod}
			if first, taken := codes[code]; taken && first != i {
				r.problem(fmt.Sprintf("%s.widget_methods[%d]", key, j), fmt.Sprintf("stands in highhelp.methods[%d] too, for the same currency and country; keep one", first))
			} else {
				codes[code] = i
			}
		}
	}
}

// productionHighHelp refuses the demo's keys and secrets that can be guessed.
func (r *rules) productionHighHelp() {
	for i, project := range r.config.HighHelp.Projects {
		key := fmt.Sprintf("highhelp.projects[%d].", i)
		r.realKey(key+"request_key", project.RequestKey.Algorithm, project.RequestKey.Secret, project.RequestKey.SecretFile)
		r.realKey(key+"alert_key", project.AlertKey.Algorithm, project.AlertKey.Secret, project.AlertKey.SecretFile)
		if pem := project.RequestKey.PrivateKey; !pem.IsZero() {
			r.realPEM(key+"request_key.private_key_file", project.RequestKey.PrivateKeyFile, privateFingerprint(pem))
		}
		if pem := project.AlertKey.PublicKey; pem != "" {
			r.realPEM(key+"alert_key.public_key_file", project.AlertKey.PublicKeyFile, publicFingerprint(pem))
		}
	}
}

func (r *rules) realKey(key, algorithm string, secret Secret, file string) {
	if algorithm != AlgorithmHMAC {
		return
	}
	key += ".secret"
	if file != "" {
		key += "_file"
	}
	r.realSecret(key, secret, minSecretLength)
}

var (
	currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)
	countryCode  = regexp.MustCompile(`^[A-Z]{2}$`)
	languageCode = regexp.MustCompile(`^[a-z]{2}$`)
	headerName   = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$") // RFC 9110, token
)

// takenHeaders mean something else in every request.
var takenHeaders = []string{"host", "content-type", "content-length", "connection", "transfer-encoding"}

func isHeader(name string) bool {
	return headerName.MatchString(name) && !slices.Contains(takenHeaders, strings.ToLower(name))
}

// isProjectID reports whether a text can be a project's id: it is used in HTTP headers, and in names of ledger
// accounts, whose parts are joined with colons.
func isProjectID(id string) bool {
	return id != "" && len(id) <= 255 && isVisible(id) && !strings.ContainsAny(id, ":;")
}

func isWidgetMethod(code string) bool { return code != "" && len(code) <= 32 && isVisible(code) }
