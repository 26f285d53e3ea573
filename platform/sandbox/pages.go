package sandbox

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

//go:embed templates
var templates embed.FS

// contentPolicy lets a page load nothing but the sandbox's own style sheet.
const contentPolicy = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// shown bounds how many pay-ins the start page lists.
const shown = 20

func parsePages() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{"money": money, "stamp": stamp}).ParseFS(templates, "templates/*.html")
}

// money shows minor units, all currencies played having two decimals.
func money(amount int64, currency string) string {
	digits := strconv.FormatInt(amount/100, 10)
	var grouped strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			grouped.WriteString("\u00a0")
		}
		grouped.WriteRune(digit)
	}
	return fmt.Sprintf("%s.%02d\u00a0%s", grouped.String(), amount%100, currency)
}

func stamp(t time.Time) string { return t.UTC().Format("15:04:05") }

var decimal = regexp.MustCompile(`^([0-9]{1,12})(?:[.,]([0-9]{1,2}))?$`)

// parseMoney reads an amount as people write it, into minor units. An empty
// text is 0.
func parseMoney(text string) (int64, error) {
	text = strings.NewReplacer(" ", "", "\u00a0", "").Replace(text)
	if text == "" {
		return 0, nil
	}
	parts := decimal.FindStringSubmatch(text)
	if parts == nil {
		return 0, input("enter an amount such as 1500.00")
	}
	amount, err := strconv.ParseInt(parts[1]+(parts[2] + "00")[:2], 10, 64)
	if err != nil || amount < 1 || amount > maxAmount {
		return 0, input("the amount must be between 0.01 and 100000000000.00")
	}
	return amount, nil
}

func (s *Sandbox) routePages(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.showStart)
	mux.HandleFunc("POST /faults", s.postFaults)
	mux.HandleFunc("GET /widget/{token}", s.showForm)
	mux.HandleFunc("POST /widget/{token}", s.postForm)
	mux.HandleFunc("GET /kaspi", s.showKiosk)
	mux.HandleFunc("POST /kaspi", s.postKiosk)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, templates, "templates/style.css")
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mux.HandleFunc("GET /control/faults", s.control)
	mux.HandleFunc("PUT /control/faults", s.control)
}

// render writes a page. It is made whole first, so that a mistake in a template
// is not half an answer.
func (s *Sandbox) render(w http.ResponseWriter, status int, page string, data any) {
	var out bytes.Buffer
	if err := s.pages.ExecuteTemplate(&out, page, data); err != nil {
		s.o.Log.Error("page", zap.String("page", page), zap.Error(err))
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", contentPolicy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the client has disconnected
}

// startPage says what the sandbox is, and lists what it knows.
type startPage struct {
	Title    string
	Kiosk    bool
	Chaos    bool
	Limits   []string
	Projects []*Project
	Payins   []payinRow
	Faults   Faults
	Slow     bool
}

type payinRow struct {
	PaymentID, FormPath, Status, Amount string
	Created                             time.Time
}

func (s *Sandbox) showStart(w http.ResponseWriter, _ *http.Request) {
	page := startPage{Title: "Sandbox", Kiosk: s.player != nil, Chaos: s.o.Chaos, Limits: limits}
	for _, p := range s.projects {
		page.Projects = append(page.Projects, p)
	}
	slices.SortFunc(page.Projects, func(a, b *Project) int { return strings.Compare(a.ID, b.ID) })
	s.mu.Lock()
	page.Faults, page.Slow = s.faults, s.faults.Slow > 0
	for _, p := range slices.Backward(s.order) {
		if len(page.Payins) == shown {
			break
		}
		page.Payins = append(page.Payins, payinRow{
			PaymentID: p.general.PaymentID, FormPath: "/widget/" + p.token, Status: p.statusText(),
			Amount: money(p.amount, p.currency), Created: p.created,
		})
	}
	s.mu.Unlock()
	s.render(w, http.StatusOK, "start.html", page)
}

// slowly is the delay of answers when it is chosen on the start page: longer
// than most clients' timeouts.
const slowly = 30 * time.Second

func (s *Sandbox) postFaults(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	f := Faults{Mute: r.FormValue("mute") != ""}
	switch r.FormValue("fault") {
	case "down":
		f.Down = true
	case "slow":
		f.Slow = slowly
	case "garbage":
		f.Garbage = true
	case "cut":
		f.Cut, f.Calls = true, []string{callPayin}
	}
	if err := s.SetFaults(f); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// formPage is the payment page.
type formPage struct {
	Title     string
	Problem   string
	PaymentID string
	Asked     string // amounts as people read them
	Amount    string
	Plain     string // the amount as it is typed
	Differs   bool
	Expires   time.Time
	Scenario  *scenario
	Method    method
	Status    string
	Reason    string // of a refusal

	// Which part is shown.
	Stage string

	Methods    []method
	Banks      []option
	Bank       string
	BankLabel  string
	Requisites *requisites
	Code       string
	Left       int // attempts at the code
	Resends    int // further codes
	Redirect   string
	Steps      []stepRow
}

type stepRow struct {
	At            time.Time
	Status, Alert string
}

func (s *Sandbox) showForm(w http.ResponseWriter, r *http.Request) {
	s.form(w, r.PathValue("token"), http.StatusOK, nil)
}

// postForm takes what a person chose on the payment page.
func (s *Sandbox) postForm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	token := r.PathValue("token")
	a := Action{
		Do: Do(r.FormValue("do")), Method: r.FormValue("method"), Bank: r.FormValue("bank"),
		Phone: r.FormValue("phone"), Code: strings.TrimSpace(r.FormValue("code")), Reason: r.FormValue("reason"),
		Hold: r.FormValue("hold") != "",
	}
	var err error
	if a.Amount, err = parseMoney(r.FormValue("amount")); err == nil {
		err = s.actOn(token, a)
	}
	if err == nil {
		http.Redirect(w, r, "/widget/"+token, http.StatusSeeOther)
		return
	}
	s.form(w, token, http.StatusUnprocessableEntity, err)
}

func (s *Sandbox) actOn(token string, a Action) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byToken[token]
	if p == nil {
		return ErrUnknown
	}
	return s.transact(p, func(t *transition) error { return t.act(a) })
}

// form shows the payment page, and what went wrong.
func (s *Sandbox) form(w http.ResponseWriter, token string, status int, problem error) {
	s.mu.Lock()
	p := s.byToken[token]
	if p == nil {
		s.mu.Unlock()
		s.render(w, http.StatusNotFound, "missing.html", startPage{Title: "No such payment"})
		return
	}
	page := p.page()
	s.mu.Unlock()
	switch {
	case errors.Is(problem, ErrNotNow):
		page.Problem = "That cannot happen now: the payment has moved on. It is shown as it is."
	case problem != nil:
		_, text, _ := strings.Cut(problem.Error(), ": ")
		page.Problem = strings.ToUpper(text[:1]) + text[1:] + "."
	}
	s.render(w, status, "form.html", page)
}

// page shows a pay-in. The lock is held.
func (p *payin) page() formPage {
	page := formPage{
		Title: p.scenario.Title, PaymentID: p.general.PaymentID,
		Asked: money(p.initial, p.currency), Amount: money(p.amount, p.currency),
		Plain:   fmt.Sprintf("%d.%02d", p.amount/100, p.amount%100),
		Differs: p.amount != p.initial, Expires: p.expires, Scenario: p.scenario, Method: p.method,
		Status: p.statusText(), Reason: p.description, Stage: p.stage(), Banks: p.banks(), Bank: p.bank,
		Code: p.code, Left: maxWrong - p.wrong, Resends: maxResends - p.resends, Redirect: p.redirectURL,
	}
	if page.Stage == "method" {
		page.Title = "Payment"
		for _, played := range scenariosOf(p.currency) {
			page.Methods = append(page.Methods, played.methods...)
		}
	}
	if page.Stage == "transfer" {
		page.Requisites = p.requisites()
	}
	for _, o := range page.Banks {
		if o.Code == p.bank {
			page.BankLabel = o.Label
		}
	}
	for _, made := range p.steps {
		row := stepRow{At: made.At, Status: made.Status, Alert: made.delivery.State()}
		page.Steps = append(page.Steps, row)
	}
	return page
}

// stage is the part of the payment page that is to be shown.
func (p *payin) stage() string {
	switch {
	case p.final():
		return p.status
	case p.status == statusDispute:
		return "dispute"
	case p.method == method{}:
		return "method"
	case p.is(subPaid):
		return "held"
	case p.scenario.Mobile && p.is(subNew):
		return "phone"
	case p.scenario.Mobile:
		return "code"
	case p.is(subAwaiting):
		return "transfer"
	}
	return "bank"
}
