package dashboard

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tolem/store"
)

// Routes lists what the pages serve, as patterns of net/http.
func Routes() []string {
	patterns := []string{"GET /login", "POST /login", "GET /assets/{file}"}
	for _, r := range routes {
		patterns = append(patterns, r.pattern)
	}
	return patterns
}

// action answers a request of somebody who has signed in.
type action func(*Dashboard, http.ResponseWriter, *http.Request, *session) error

// routes are for people who have signed in. A POST needs a role that takes steps,
// but for signing out.
var routes = []struct {
	pattern string
	action  action
	steps   bool // the page is a form: it needs a role that takes steps
	upload  bool // the form has a file
}{
	{pattern: "POST /logout", action: func(d *Dashboard, w http.ResponseWriter, r *http.Request, s *session) error {
		d.postLogout(w, r, s)
		return nil
	}},
	{pattern: "GET /{$}", action: (*Dashboard).overview},
	{pattern: "GET /payments", action: (*Dashboard).payments},
	{pattern: "GET /payments/{payment_id}", action: (*Dashboard).payment},
	{pattern: "GET /accounts/{customer_id}", action: (*Dashboard).account},
	{pattern: "GET /suspense", action: (*Dashboard).suspense},
	{pattern: "GET /messages", action: (*Dashboard).messages},
	{pattern: "GET /messages/{message_id}", action: (*Dashboard).message},
	{pattern: "GET /payments/{id}/{step}", action: (*Dashboard).getStep, steps: true},
	{pattern: "POST /payments/{id}/{step}", action: (*Dashboard).postStep, steps: true},
	{pattern: "GET /transactions/{id}/{step}", action: (*Dashboard).getStep, steps: true},
	{pattern: "POST /transactions/{id}/{step}", action: (*Dashboard).postStep, steps: true},
	{pattern: "GET /messages/{id}/{step}", action: (*Dashboard).getStep, steps: true},
	{pattern: "POST /messages/{id}/{step}", action: (*Dashboard).postStep, steps: true},
	{pattern: "GET /payouts", action: (*Dashboard).payouts},
	{pattern: "GET /payouts/{id}", action: (*Dashboard).payout},
	{pattern: "GET /payouts/{id}/{step}", action: (*Dashboard).getStep, steps: true},
	{pattern: "POST /payouts/{id}/{step}", action: (*Dashboard).postStep, steps: true},
	{pattern: "GET /settlement", action: (*Dashboard).settlement},
	{pattern: "GET /reconcile", action: (*Dashboard).reconcilePage},
	{pattern: "POST /reconcile", action: (*Dashboard).postReconcile, steps: true, upload: true},
	{pattern: "GET /events", action: (*Dashboard).events},
	{pattern: "GET /events/{id}/{step}", action: (*Dashboard).getStep, steps: true},
	{pattern: "POST /events/{id}/{step}", action: (*Dashboard).postStep, steps: true},
	{pattern: "GET /approvals", action: (*Dashboard).approvals},
	{pattern: "GET /approvals/{id}/{step}", action: (*Dashboard).getStep, steps: true},
	{pattern: "POST /approvals/{id}/{step}", action: (*Dashboard).postStep, steps: true},
	{pattern: "GET /audit", action: (*Dashboard).audit},
	{pattern: "POST /suspense/{step}", action: (*Dashboard).postStep, steps: true},
}

var (
	errNoCSRF     = errors.New("the form has no csrf token, or another session's")
	errForeign    = errors.New("the form was sent from another site")
	errNoSession  = errors.New("the session has ended")
	errRole       = errors.New("the token's role does not allow this")
	errNoPage     = errors.New("there is no such page")
	errFormTooBig = errors.New("the form is too large")
)

// pageTimeout bounds how long a page waits for the store.
const pageTimeout = 15 * time.Second

// route makes the handler of all pages.
func (d *Dashboard) route() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", d.getLogin)
	mux.HandleFunc("POST /login", d.postLogin)
	mux.HandleFunc("GET /assets/{file}", d.asset)
	for _, route := range routes {
		mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) {
			s := d.session(r)
			switch {
			case s == nil && r.Method == http.MethodPost:
				d.fail(w, r, nil, errNoSession)
				return
			case s == nil:
				http.Redirect(w, r, loginURL(r), http.StatusFound)
				return
			}
			noteOf(r).Client = s.Name
			ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
			defer cancel()
			r = r.WithContext(ctx)
			err := d.allow(w, r, s, route.steps, route.upload)
			if route.upload && r.MultipartForm != nil {
				defer func() { _ = r.MultipartForm.RemoveAll() }() // what stays is in the system's folder for such files
			}
			if err == nil {
				err = route.action(d, w, r, s)
			}
			if err != nil {
				d.fail(w, r, s, err)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { d.fail(w, r, d.session(r), errNoPage) })
	foreign := http.NewCrossOriginProtection()
	foreign.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.fail(w, r, d.session(r), errForeign) }))
	guarded := foreign.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		guarded.ServeHTTP(w, r)
	})
}

// allow refuses a form that is not the session's own, and steps to roles that take
// none.
func (d *Dashboard) allow(w http.ResponseWriter, r *http.Request, s *session, steps, upload bool) error {
	if r.Method == http.MethodPost {
		read := readForm
		if upload {
			read = readUpload
		}
		if err := read(w, r); err != nil {
			return err
		}
		if !d.csrfFits("session", s.id, r.PostForm.Get("csrf")) {
			return errNoCSRF
		}
	}
	if !steps || maySteps(s.Role) {
		return nil
	}
	return errRole
}

// auditRefusal writes into the audit that somebody who is known was refused with 403
// or 409, unless the store has done that with the step, as the API does. It returns
// the error that is to be shown.
func (d *Dashboard) auditRefusal(w http.ResponseWriter, r *http.Request, t *Token, refusal error) error {
	if status := statusOf(refusal); status != http.StatusForbidden && status != http.StatusConflict || store.IsAudited(refusal) {
		return refusal
	}
	by := store.By{Actor: t.Name, Token: true, Role: t.Role, RequestID: w.Header().Get("X-Request-Id"), Reason: strings.TrimSpace(r.PostForm.Get("reason"))}
	refused := store.Audited{
		Action: store.Action(cmp.Or(r.Pattern, r.Method+" (page)")), Object: r.PathValue("id"),
		Result: store.ResultRefused, Detail: refusal.Error(),
	}
	if err := d.store.Audit(r.Context(), by, refused); err != nil {
		return err
	}
	return refusal
}

// maxForm bounds a form without a file, in bytes.
const maxForm = 256 << 10

func readForm(w http.ResponseWriter, r *http.Request) error {
	if r.PostForm != nil {
		return nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return errFormTooBig
	}
	if err != nil {
		return errNoCSRF // whatever it is, it is no form of ours
	}
	return nil
}

// readUpload reads a form with files, which may take a while. Files are kept on the
// disk.
func readUpload(w http.ResponseWriter, r *http.Request) error {
	until := time.Now().Add(uploadTime)
	server := http.NewResponseController(w)
	if err := errors.Join(server.SetReadDeadline(until), server.SetWriteDeadline(until.Add(pageTimeout))); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	err := r.ParseMultipartForm(maxForm)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return errFormTooBig
	}
	if err != nil {
		return errNoCSRF
	}
	return nil
}

// loginURL leads to the form for signing in, and from there back.
func loginURL(r *http.Request) string {
	if r.URL.Path == "/" {
		return "/login"
	}
	return "/login?next=" + url.QueryEscape(r.URL.RequestURI())
}

// setHeaders keeps pages to themselves: no other site frames them, learns their
// addresses, or gives them a file; nothing keeps a copy.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	h.Set("Cache-Control", "no-store")
}
