package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"tolem/locale"
	"tolem/topup"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/*
var assetFiles embed.FS

// pages are the templates, parsed once for each language, so that a template's
// functions know their language. Each is parsed when it is first needed: parsed
// templates are most of the pointers of an idle server, and every garbage
// collection follows them all.
type pages struct {
	byLanguage map[locale.Language]map[string]func() (*template.Template, error)
	assets     map[string]asset
}

type asset struct {
	body    []byte
	kind    string
	version string // in its address: a new content has a new one
}

// page is what every template gets.
type page struct {
	Language locale.Language
	Title    string
	Section  string // of the menu
	Session  *session
	Steps    bool // who has signed in takes steps
	CSRF     string
	Key      string // of this page's forms
	Flash    string
	Self     string // this page's address without a language, "" for an answer to a form
	Version  string
	Figures  *Figures
	Narrow   bool // the page is one column of text
	Body     any
}

func newPages(d *Dashboard) (*pages, error) {
	p := &pages{byLanguage: map[locale.Language]map[string]func() (*template.Template, error){}, assets: map[string]asset{}}
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		body, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body)
		p.assets[f.Name()] = asset{body, assetKinds[path.Ext(f.Name())], hex.EncodeToString(sum[:6])}
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, l := range locale.Languages {
		p.byLanguage[l] = map[string]func() (*template.Template, error){}
		shared := sync.OnceValues(func() (*template.Template, error) {
			return template.New("").Funcs(d.functions(p, l)).Option("missingkey=error").ParseFS(templateFiles, "templates/_*.html")
		})
		for _, file := range names {
			if name := strings.TrimSuffix(path.Base(file), ".html"); !strings.HasPrefix(name, "_") {
				p.byLanguage[l][name] = sync.OnceValues(func() (*template.Template, error) { return parsePage(shared, file) })
			}
		}
	}
	return p, nil
}

// parsePage adds a page's file to a copy of what all pages of its language share.
func parsePage(shared func() (*template.Template, error), file string) (*template.Template, error) {
	common, err := shared()
	if err != nil {
		return nil, err
	}
	t, err := common.Clone()
	if err != nil {
		return nil, err
	}
	if t, err = t.ParseFS(templateFiles, file); err != nil {
		return nil, err
	}
	return t.Lookup("_frame.html"), nil
}

var assetKinds = map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

// asset serves a file that pages refer to.
func (d *Dashboard) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := d.pages.assets[r.PathValue("file")]
	if !ok {
		d.fail(w, r, d.session(r), errNoPage)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(a.body)
}

func (d *Dashboard) printer(l locale.Language) locale.Printer {
	return locale.Printer{Language: l, Zone: d.zone}
}

// functions are what templates can call.
func (d *Dashboard) functions(p *pages, l locale.Language) template.FuncMap {
	print := d.printer(l)
	return template.FuncMap{
		"T":          print.Text,
		"word":       func(group string, word any) string { return wordOf(print, group, fmt.Sprint(word)) },
		"refusal":    func(english string) string { return refusal(print, english) },
		"N":          print.Count,
		"form":       print.Form,
		"num":        print.Number,
		"percent":    print.Percent,
		"money":      func(m topup.Money) string { return money(print, m.Amount, m.Currency) },
		"amount":     func(n int64, currency string) string { return money(print, n, currency) },
		"date":       print.Date,
		"day":        print.ShortDate,
		"time":       print.Time,
		"moment":     print.Moment,
		"machine":    func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"age":        func(at time.Time) string { return print.Duration(d.now().Sub(at)) },
		"paymentURL": paymentURL,
		"payoutURL":  payoutURL,
		"neg":        func(n int64) int64 { return -n },
		"int64":      func(n int) int64 { return int64(n) },
		"accountURL": accountURL,
		"asset":      func(name string) string { return "/assets/" + name + "?v=" + p.assets[name].version },
		"languages":  func() []locale.Language { return locale.Languages },
		"withLang":   withLanguage,
		"provider":   providerName,
		"ledger":     func(account string) ledgerName { return nameLedgerAccount(print, account) },
		"abs":        func(n int64) int64 { return max(n, -n) },
		"flags":      func(f topup.Flags) []string { return f.Names() },
		"dict":       dict,
		"before":     func(seq int64) int64 { return seq - 1 },
		"isZero":     func(at time.Time) bool { return at.IsZero() },
		"eqs":        func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) },
		"join":       strings.Join,
	}
}

// wordOf is a word of the domain in the language of the page; the word itself when
// the catalogue does not have it, as of what a newer program has written.
func wordOf(p locale.Printer, group, word string) string {
	key := group + "." + word
	if text, known := locale.Lookup(p.Language, key); known {
		return text
	}
	return word
}

func money(p locale.Printer, amount int64, currency string) string {
	digits, _ := topup.Digits(currency)
	return p.Money(amount, digits, currency)
}

// dict makes the data of a part of a page.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict needs names and values")
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("dict needs names")
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

func paymentURL(id string) string       { return "/payments/" + url.PathEscape(id) }
func accountURL(customer string) string { return "/accounts/" + url.PathEscape(customer) }

// withLanguage is an address with the choice of a language.
func withLanguage(self string, l locale.Language) string {
	u, err := url.Parse(self)
	if err != nil || self == "" {
		return "/?lang=" + string(l)
	}
	q := u.Query()
	q.Set("lang", string(l))
	u.RawQuery = q.Encode()
	return u.String()
}

// providerName is a provider as people write it.
func providerName(id string) string {
	switch id {
	case "jetpay":
		return "JetPay"
	case "highhelp":
		return "HighHelp"
	}
	return id
}

// ledgerName is a ledger account in words.
type ledgerName struct {
	Words    string
	Customer string // whose contract it is, "" for none
	Contract string
}

func nameLedgerAccount(p locale.Printer, account string) ledgerName {
	parts := strings.SplitN(account, ":", 3)
	if len(parts) == 2 && parts[0] == "bank" {
		return ledgerName{Words: p.Text("ledger.bank", parts[1])}
	}
	if len(parts) != 3 {
		return ledgerName{Words: account}
	}
	switch parts[0] {
	case "customers":
		return ledgerName{Words: p.Text("ledger.customers", parts[2]), Customer: parts[1], Contract: parts[2]}
	case "settlement", "suspense", "fees", "reserve", "adjustments":
		return ledgerName{Words: p.Text("ledger."+parts[0], providerName(parts[1]), shortID(parts[2]))}
	}
	return ledgerName{Words: account}
}

// shortID is the beginning of a long project id, which is enough to tell projects
// apart by eye.
func shortID(id string) string {
	if len(id) <= 12 {
		return id
	}
	return id[:8] + "…"
}

// language is the one that a person has chosen: by ?lang, which is kept in a
// cookie, else by that cookie, else by the browser.
func (d *Dashboard) language(w http.ResponseWriter, r *http.Request) locale.Language {
	if l, ok := locale.Parse(r.URL.Query().Get("lang")); ok {
		setCookie(w, r, languageCookie, string(l), 365*24*time.Hour)
		return l
	}
	if cookie, err := r.Cookie(languageCookie); err == nil {
		if l, ok := locale.Parse(cookie.Value); ok {
			return l
		}
	}
	return locale.Accept(r.Header.Get("Accept-Language"))
}

// page begins a page.
func (d *Dashboard) page(w http.ResponseWriter, r *http.Request, s *session, title string, args ...any) *page {
	p := &page{Language: d.language(w, r), Session: s, Version: d.version, Key: newKey()}
	p.Title = d.printer(p.Language).Text(title, args...)
	if r.Method == http.MethodGet {
		u := *r.URL
		q := u.Query()
		q.Del("lang")
		u.RawQuery = q.Encode()
		p.Self = u.RequestURI()
	}
	if s != nil {
		p.Steps = maySteps(s.Role)
		p.CSRF = d.csrfOf("session", s.id)
		p.Figures = d.figures.now(r.Context(), r.URL.Path == "/")
		if r.Method == http.MethodGet {
			p.Flash = d.said(s)
		}
	}
	return p
}

// show writes a page.
func (d *Dashboard) show(w http.ResponseWriter, r *http.Request, status int, name string, p *page, body any) {
	p.Body = body
	var out bytes.Buffer
	t, err := d.pages.byLanguage[p.Language][name]()
	if err == nil {
		err = t.Execute(&out, p)
	}
	if err != nil {
		noteOf(r).Failure = fmt.Errorf("page %s: %w", name, err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", string(p.Language))
	w.Header().Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// errorPage says what went wrong and what to do.
type errorPage struct {
	Status int
	Advice string
	Detail string // of a rule, in English
	Back   string
}

// fail writes the page of an error.
func (d *Dashboard) fail(w http.ResponseWriter, r *http.Request, s *session, err error) {
	if s != nil {
		err = d.auditRefusal(w, r, s.Token, err)
	}
	status, key, detail := judge(err)
	if status >= http.StatusInternalServerError {
		noteOf(r).Failure = err
	}
	p := d.page(w, r, s, "error."+key)
	p.Narrow = true
	print := d.printer(p.Language)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	d.show(w, r, status, "error", p, errorPage{Status: status, Advice: print.Text("error." + key + ".advice"), Detail: detail})
}

// judge says how an error is answered: the status, the name of its text, and the
// rule that was broken, in the words of the domain.
func judge(err error) (status int, key, detail string) {
	var refusal *topup.Error
	switch {
	case errors.Is(err, errNoPage):
		return http.StatusNotFound, "no_page", ""
	case errors.Is(err, errNoSession):
		return http.StatusForbidden, "session", ""
	case errors.Is(err, errNoCSRF), errors.Is(err, errForeign):
		return http.StatusForbidden, "csrf", ""
	case errors.Is(err, errRole):
		return http.StatusForbidden, "role", ""
	case errors.Is(err, errFormTooBig):
		return http.StatusRequestEntityTooLarge, "too_large", ""
	case errors.As(err, &refusal):
		switch refusal.Kind {
		case topup.KindNotFound:
			return http.StatusNotFound, "not_found", refusal.Error()
		case topup.KindInvalid:
			return http.StatusUnprocessableEntity, "invalid", refusal.Error()
		case topup.KindForbidden:
			return http.StatusForbidden, "role", refusal.Error()
		case topup.KindConflict:
			return http.StatusConflict, "conflict", refusal.Error()
		}
		return http.StatusServiceUnavailable, "unavailable", ""
	}
	return http.StatusServiceUnavailable, "unavailable", ""
}

// statusOf is the HTTP status of an error.
func statusOf(err error) int {
	status, _, _ := judge(err)
	return status
}

// isRefusal reports whether an error is a rule's no, as opposed to a failure.
func isRefusal(err error) bool {
	var refusal *topup.Error
	return errors.As(err, &refusal) && refusal.Kind != topup.KindUnavailable
}
