package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tolem/config"
	"tolem/dashboard"
)

// pages are addresses of every kind of page.
func (r *rig) pages() []string {
	id := r.paid(phone, "e1", 250050)
	r.stray("their-id", 5000)
	return []string{"/", "/payments", "/payments/" + id, "/accounts/" + phone, "/suspense", "/messages", "/messages/1", "/payouts", "/settlement", "/reconcile", "/events", "/approvals", "/audit"}
}

func TestAccess(t *testing.T) {
	t.Run("APageNeedsASession", func(t *testing.T) {
		r := newRig(t)
		v := r.visitor()
		for _, path := range r.pages() {
			got := v.get(path)
			want := "/login"
			if path != "/" {
				want += "?next=" + url.QueryEscape(path)
			}
			if got.status != http.StatusFound || got.header.Get("Location") != want {
				t.Errorf("%s: got %d to %q, want 302 to %q", path, got.status, got.header.Get("Location"), want)
			}
		}
	})
	t.Run("ABearerTokenOpensNoPage", func(t *testing.T) {
		r := newRig(t)
		v := r.visitor()
		if got := v.do(http.MethodGet, "/payments", nil, "Authorization", "Bearer "+annaToken); got.status != http.StatusFound {
			t.Errorf("got %d", got.status)
		}
	})
	t.Run("SignInLeadsBackToThePage", func(t *testing.T) {
		r := newRig(t)
		for next, want := range map[string]string{
			"/payments?q=1": "/payments?q=1", "//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "": "/",
		} {
			v := r.visitor()
			form := url.Values{"token": {annaToken}, "csrf": {v.csrf("/login")}, "next": {next}}
			if got := v.do(http.MethodPost, "/login", form); got.header.Get("Location") != want {
				t.Errorf("%q: led to %q, want %q", next, got.header.Get("Location"), want)
			}
		}
	})
	t.Run("EveryRoleThatReadsOpensEveryPage", func(t *testing.T) {
		r := newRig(t)
		paths := r.pages()
		for _, token := range []string{annaToken, bekToken, eyeToken} {
			v := r.signIn(token)
			for _, path := range paths {
				if got := v.get(path); got.status != http.StatusOK || got.header.Get("Content-Language") != "en" {
					t.Errorf("%s: got %d in %q\n%s", path, got.status, got.header.Get("Content-Language"), words(got.body))
				}
			}
		}
	})
	t.Run("AMerchantsTokenOpensNone", func(t *testing.T) {
		v := newRig(t).visitor()
		v.get("/login?lang=en")
		v.wants(v.tryToken(shopToken), http.StatusForbidden, "A token of this role does not open pages")
	})
	t.Run("AWrongTokenIsRefused", func(t *testing.T) {
		v := newRig(t).visitor()
		v.get("/login?lang=en")
		v.wants(v.tryToken("nonsense"), http.StatusUnauthorized, "There is no such token")
		v.wants(v.tryToken(""), http.StatusUnauthorized)
	})
	t.Run("FailedSignInsAreLimited", func(t *testing.T) {
		r := newRig(t)
		v := r.visitor()
		v.get("/login?lang=en")
		for range 10 {
			v.wants(v.tryToken("nonsense"), http.StatusUnauthorized)
		}
		got := v.tryToken(annaToken)
		v.wants(got, http.StatusTooManyRequests, "Too many attempts have failed")
		if got.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		r.clock.Add(7 * time.Second)
		if got := v.tryToken(annaToken); got.status != http.StatusSeeOther {
			t.Errorf("after a while: got %d", got.status)
		}
	})
	t.Run("SignInsThatSucceedAreNot", func(t *testing.T) {
		r := newRig(t)
		for range 30 {
			r.signIn(annaToken)
		}
	})
	t.Run("LogoutEndsTheSession", func(t *testing.T) {
		r := newRig(t)
		v := r.signIn(annaToken)
		cookie := v.client.Jar.Cookies(mustURL(t, r.admin.URL))
		v.do(http.MethodPost, "/logout", url.Values{"csrf": {v.csrf("/")}})
		again := r.visitor()
		again.client.Jar.SetCookies(mustURL(t, r.admin.URL), cookie)
		if got := again.get("/payments"); got.status != http.StatusFound {
			t.Errorf("with the cookie of before: got %d", got.status)
		}
	})
	t.Run("AgeEndsTheSession", func(t *testing.T) {
		r := newRig(t)
		v := r.signIn(annaToken)
		for range 11 { // somebody works all day
			r.clock.Add(time.Hour)
			if got := v.get("/"); got.status != http.StatusOK {
				t.Fatalf("a session in use: got %d", got.status)
			}
		}
		r.clock.Add(time.Hour)
		if got := v.get("/"); got.status != http.StatusFound {
			t.Errorf("after twelve hours: got %d", got.status)
		}
		idle := r.signIn(annaToken)
		r.clock.Add(2 * time.Hour)
		if got := idle.get("/"); got.status != http.StatusFound {
			t.Errorf("after two hours of nothing: got %d", got.status)
		}
	})
	t.Run("ASessionReadsTheAPIAndChangesNothingThere", func(t *testing.T) {
		r := newRig(t)
		id := r.issue(phone, "e1", 5000)
		v := r.signIn(annaToken)
		v.wants(v.get("/api/v1/payments/"+id), http.StatusOK, `"pending"`)
		if got := v.do(http.MethodPost, "/api/v1/payments/"+id+"/credit", url.Values{"reason": {"x"}}); got.status != http.StatusUnauthorized {
			t.Errorf("POST: got %d", got.status)
		}
		if got := v.do(http.MethodPut, "/api/v1/accounts/"+phone, url.Values{}); got.status != http.StatusUnauthorized {
			t.Errorf("PUT: got %d", got.status)
		}
		if got := v.do(http.MethodGet, "/api/v1/payments", nil, "Authorization", "Bearer wrong"); got.status != http.StatusUnauthorized {
			t.Errorf("a wrong token beside the session: got %d", got.status)
		}
		if got := r.visitor().get("/api/v1/payments"); got.status != http.StatusUnauthorized {
			t.Errorf("nobody: got %d", got.status)
		}
	})
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A session whose token is not configured any more, or has expired, has ended: the
// dashboard is asked directly, as its tokens change without a restart here.
func TestAccess_ATokenThatIsGoneEndsItsSession(t *testing.T) {
	r := newRig(t)
	var tokens []dashboard.Token
	d, err := dashboard.New(dashboard.Options{Store: r.store, Now: r.clock.Now, Tokens: func() []dashboard.Token { return tokens }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	r.admin.Config.Handler = d
	token := dashboard.TokenOf("anna", config.RoleAdmin, annaToken)
	tokens = []dashboard.Token{token}
	v := r.signIn(annaToken)
	if got := v.get("/"); got.status != http.StatusOK {
		t.Fatalf("got %d", got.status)
	}
	for name, list := range map[string][]dashboard.Token{
		"gone":                  nil,
		"another of that name":  {dashboard.TokenOf("anna", config.RoleAdmin, "another")},
		"another with its text": {dashboard.TokenOf("bek", config.RoleAdmin, annaToken)},
	} {
		tokens = []dashboard.Token{token}
		v := r.signIn(annaToken)
		tokens = list
		if got := v.get("/"); got.status != http.StatusFound {
			t.Errorf("%s: got %d", name, got.status)
		}
	}
	expiring := token
	expiring.Expires = r.clock.Now().Add(time.Hour)
	tokens = []dashboard.Token{expiring}
	v = r.signIn(annaToken)
	r.clock.Add(time.Hour)
	if got := v.get("/"); got.status != http.StatusFound {
		t.Errorf("expired: got %d", got.status)
	}
	if got := v.tryToken(annaToken); got.status != http.StatusUnauthorized {
		t.Errorf("sign in with an expired token: got %d", got.status)
	}
}

func TestForms(t *testing.T) {
	r := newRig(t)
	id := r.issue(phone, "e1", 5000)
	anna, eye := r.signIn(annaToken), r.signIn(eyeToken)
	credit := "/payments/" + id + "/credit"
	csrf := anna.csrf(credit)
	form := func(csrf string) url.Values {
		return url.Values{"csrf": {csrf}, "confirm": {"1"}, "reason": {"ticket 1"}, "previewed": {""}, "key": {"a"}}
	}
	for name, got := range map[string]reply{
		"no csrf":                anna.do(http.MethodPost, credit, form("")),
		"another session's csrf": anna.do(http.MethodPost, credit, form(r.signIn(annaToken).csrf(credit))),
		"foreign origin":         anna.do(http.MethodPost, credit, form(csrf), "Origin", "https://evil.example"),
		"cross-site":             anna.do(http.MethodPost, credit, form(csrf), "Sec-Fetch-Site", "cross-site"),
		"no session":             r.visitor().do(http.MethodPost, credit, form(csrf)),
		"role read":              eye.do(http.MethodPost, credit, form(eye.csrf("/payments"))),
		"role read, its page":    eye.get(credit),
		"role read, in suspense": eye.do(http.MethodPost, "/suspense/assign", form(eye.csrf("/payments"))),
		"login without csrf":     r.visitor().do(http.MethodPost, "/login", url.Values{"token": {annaToken}}),
		"logout without csrf":    anna.do(http.MethodPost, "/logout", url.Values{}),
	} {
		if got.status != http.StatusForbidden {
			t.Errorf("%s: got %d", name, got.status)
		}
	}
	if got := r.balance(phone, "e1"); got != 0 {
		t.Fatalf("something was credited: %d", got)
	}
	if page := eye.get("/payments/" + id).body; strings.Contains(page, credit) || strings.Count(page, "<form") != 2 {
		t.Errorf("a reader sees a form for a step:\n%s", page) // what is there is for signing out, in both menus
	}
	anna.wants(anna.get("/audit?actor=eye"), 200, "POST /payments/{id}/{step}", "refused")
	for i := range 2 { // a second click
		got := anna.do(http.MethodPost, credit, form(csrf), "Sec-Fetch-Site", "same-origin")
		if got.status != http.StatusSeeOther || got.header.Get("Location") != "/payments/"+id {
			t.Errorf("click %d: got %d to %s\n%s", i+1, got.status, got.header.Get("Location"), words(got.body))
		}
	}
	anna.wants(anna.get("/payments/"+id), http.StatusOK, "This was done before", "₸50.00", "anna: ticket 1")
	if got := r.balance(phone, "e1"); got != 5000 {
		t.Errorf("balance: got %d, want 5000", got)
	}
}

func TestEveryAnswerKeepsToItself(t *testing.T) {
	r := newRig(t)
	v := r.signIn(annaToken)
	for _, path := range append(r.pages(), "/login", "/nothing/here", "/assets/style.css") {
		got := v.get(path)
		if path == "/nothing/here" {
			continue // no page: the API's answer
		}
		csp := got.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: Content-Security-Policy %q", path, csp)
		}
		if got.header.Get("Referrer-Policy") != "no-referrer" || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, got.header)
		}
		if strings.Contains(got.body, " style=") || strings.Contains(got.body, "<script") || strings.Contains(got.body, `href="http`) {
			t.Errorf("%s has what its policy forbids", path)
		}
	}
	got := r.visitor()
	reply := got.do(http.MethodPost, "/login", url.Values{"token": {annaToken}, "csrf": {got.csrf("/login")}}, "X-Forwarded-Proto", "https")
	if cookie := reply.header.Get("Set-Cookie"); !strings.Contains(cookie, "tolem_session=") || !strings.Contains(cookie, "Secure") ||
		!strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") {
		t.Errorf("cookie behind TLS: %q", cookie)
	}
}

func TestNothingPersonalIsLogged(t *testing.T) {
	r := newRig(t)
	v := r.signIn(annaToken)
	v.get("/payments?q=" + phone)
	v.get("/accounts/" + phone)
	v.get("/payments?q=E-0001")
	v.get("/accounts/" + phone + "?from=nonsense")
	log := r.log()
	for _, secret := range []string{phone, "E-0001", annaToken, "tolem_session"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, `"route":"/accounts/:customer_id"`) || !strings.Contains(log, `"token_name":"anna"`) {
		t.Errorf("the log does not have the route and who it was:\n%s", log)
	}
}
