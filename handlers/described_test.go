package handlers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi-validator/responses"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"tolem/config"
	"tolem/handlers"
	"tolem/openapi"
	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

// description is the API's description, strict: an answer has the members that it
// lists and no others. Clients may be more lenient.
type description struct {
	validating *sync.Mutex // libopenapi 0.41.8 writes to the description while it renders a schema of it
	validator  responses.ResponseBodyValidator
	model      *v3.Document
	templates  []string
}

var described = sync.OnceValue(func() description {
	var document map[string]any
	if err := json.Unmarshal(openapi.JSON(), &document); err != nil {
		panic(err)
	}
	tighten(document)
	strict, err := json.Marshal(document)
	if err != nil {
		panic(err)
	}
	parsed, err := libopenapi.NewDocument(strict)
	if err != nil {
		panic(err)
	}
	model, err := parsed.BuildV3Model()
	if err != nil {
		panic(err)
	}
	d := description{validating: new(sync.Mutex), validator: responses.NewResponseBodyValidator(&model.Model), model: &model.Model}
	for template := range model.Model.Paths.PathItems.KeysFromOldest() {
		d.templates = append(d.templates, template)
	}
	return d
})

// tighten lets no schema have members beside those that it lists.
func tighten(value any) {
	switch value := value.(type) {
	case map[string]any:
		if _, object := value["properties"].(map[string]any); object && value["additionalProperties"] == nil {
			value["additionalProperties"] = false
		}
		for _, member := range value {
			tighten(member)
		}
	case []any:
		for _, element := range value {
			tighten(element)
		}
	}
}

// template is the path of the description that a request is for, empty for none.
func (d description) template(escaped string) string {
	segments := strings.Split(escaped, "/")
	var best string
	for _, template := range d.templates {
		parts := strings.Split(template, "/")
		fits := len(parts) == len(segments)
		for i := 0; fits && i < len(parts); i++ {
			fits = parts[i] == segments[i] || strings.HasPrefix(parts[i], "{") && segments[i] != ""
		}
		if fits && (best == "" || strings.Count(template, "{") < strings.Count(best, "{")) {
			best = template
		}
	}
	return best
}

// isAPI reports whether a path is one of the API's, and not of a page.
func isAPI(path string) bool {
	return strings.HasPrefix(path, "/api/") || slices.Contains([]string{"/livez", "/readyz", "/metrics"}, path)
}

// check fails the test when an answer of the API is not as described.
func (d description) check(t testing.TB, listener string, request *http.Request, got answer) {
	t.Helper()
	if !isAPI(request.URL.Path) {
		return
	}
	for _, problem := range d.problems(listener, request, got) {
		t.Errorf("%s on the %s listener: %s\nanswer: %d %s", request.Method+" "+request.URL.EscapedPath(), listener, problem, got.status, got.body)
	}
}

// problems are what is not as described: the answer's status, its media type, its
// body.
func (d description) problems(listener string, request *http.Request, got answer) (list []string) {
	template := d.template(request.URL.EscapedPath())
	var item *v3.PathItem
	if template != "" {
		item = d.model.Paths.PathItems.GetOrZero(template)
	}
	if item == nil || !isServed(item.GetOperations().GetOrZero(strings.ToLower(request.Method)), listener) {
		// A route that there is not. Without a token or a role that is not told.
		if !slices.Contains([]int{401, 403, 404, 405}, got.status) || got.header.Get("Content-Type") != "application/problem+json" {
			return []string{"the description has no such operation"}
		}
		return nil
	}
	response := &http.Response{StatusCode: got.status, Header: got.header, Body: io.NopCloser(bytes.NewReader([]byte(got.body))), Request: request}
	d.validating.Lock()
	ok, problems := d.validator.ValidateResponseBodyWithPathItem(request, response, item, template)
	d.validating.Unlock()
	if !ok {
		for _, p := range problems {
			list = append(list, p.Message+": "+p.Reason)
			for _, s := range p.SchemaValidationErrors {
				list = append(list, s.FieldPath+": "+s.Reason)
			}
		}
	}
	return list
}

// isServed reports whether a listener has the operation.
func isServed(o *v3.Operation, listener string) bool {
	return o != nil && slices.Contains(append(extension(o, "x-listeners"), "admin"), listener)
}

// extension is an extension of the description that lists words.
func extension(o *v3.Operation, name string) (words []string) {
	if node := o.Extensions.GetOrZero(name); node != nil {
		for _, word := range node.Content {
			words = append(words, word.Value)
		}
	}
	return words
}

// operations are all operations of a listener, as "GET /api/v1/payments".
func (d description) operations(listener string) (list []string) {
	for template, item := range d.model.Paths.PathItems.FromOldest() {
		for method, o := range item.GetOperations().FromOldest() {
			if isServed(o, listener) && (listener == "admin" || slices.Contains(extension(o, "x-listeners"), listener)) {
				list = append(list, strings.ToUpper(method)+" "+template)
			}
		}
	}
	slices.Sort(list)
	return list
}

func TestDescription(t *testing.T) {
	t.Run("HasEveryRouteAndNoOther", func(t *testing.T) {
		r := newRig(t)
		admin, merchant := handlers.Routes(r.server)
		for listener, routes := range map[string][]string{"admin": admin, "merchant": merchant} {
			routes = slices.DeleteFunc(routes, func(route string) bool {
				_, path, _ := strings.Cut(route, " ")
				return !isAPI(path)
			})
			slices.Sort(routes)
			described := described().operations(listener)
			for _, route := range routes {
				if !slices.Contains(described, route) {
					t.Errorf("openapi.yaml lacks %s of the %s listener", route, listener)
				}
			}
			for _, operation := range described {
				if !slices.Contains(routes, operation) {
					t.Errorf("openapi.yaml has %s, which the %s listener has not", operation, listener)
				}
			}
		}
	})
	t.Run("IsServedWithoutAToken", func(t *testing.T) {
		r := newRig(t)
		if got := r.askAs("", http.MethodGet, "/api/v1/openapi.json", ""); got.status != 200 || got.json(t)["openapi"] != "3.1.0" {
			t.Errorf("got %d %.100s", got.status, got.body)
		}
		page := r.askAs("", http.MethodGet, "/api/docs", "")
		for _, operation := range described().operations("admin") {
			if !strings.Contains(page.body, operation) {
				t.Errorf("the page lacks %s", operation)
			}
		}
		if strings.Contains(page.body, "//") {
			t.Error("the page names another host")
		}
		policy := page.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("got policy %q", policy)
		}
	})
	t.Run("ListsTheWordsOfTheDomain", func(t *testing.T) {
		var document struct {
			Components struct {
				Schemas map[string]struct {
					Enum        []string
					Description string
				}
			}
		}
		if err := json.Unmarshal(openapi.JSON(), &document); err != nil {
			t.Fatal(err)
		}
		for schema, words := range map[string]string{
			"PaymentStatus": fmt.Sprint(topup.Statuses), "ItemState": fmt.Sprint(topup.ItemStates), "Disposition": fmt.Sprint(topup.Dispositions),
		} {
			if got := fmt.Sprint(document.Components.Schemas[schema].Enum); got != words {
				t.Errorf("%s: got %s, want %s", schema, got, words)
			}
		}
	})
	t.Run("TellsWhatIsNotAsDescribed", func(t *testing.T) {
		r := newRig(t)
		id := r.issue()
		request := r.request(http.MethodGet, r.admin.URL+"/api/v1/payments/"+id, "")
		good := r.ask(http.MethodGet, "/api/v1/payments/"+id, "")
		for name, change := range map[string]func(*answer){
			"Status":       func(a *answer) { a.status = 418 },
			"MediaType":    func(a *answer) { a.header = http.Header{"Content-Type": {"text/html"}} },
			"AMemberMore":  func(a *answer) { a.body = testkit.Edit(t, a.body, `{"payment_id"`, `{"secret":1,"payment_id"`) },
			"AMemberLess":  func(a *answer) { a.body = testkit.Edit(t, a.body, `"credited":null,`, ``) },
			"AnotherType":  func(a *answer) { a.body = testkit.Edit(t, a.body, `"amount":10000`, `"amount":"10000"`) },
			"AnotherWord":  func(a *answer) { a.body = testkit.Edit(t, a.body, `"pending"`, `"waiting"`) },
			"NullForEmpty": func(a *answer) { a.body = testkit.Edit(t, a.body, `"flags":[]`, `"flags":null`) },
			"NotJSON":      func(a *answer) { a.body = `{` },
		} {
			bad := good
			change(&bad)
			if len(described().problems("admin", request, bad)) == 0 {
				t.Errorf("%s: not noticed", name)
			}
		}
		elsewhere := r.request(http.MethodGet, r.admin.URL+"/api/v1/elsewhere", "")
		if len(described().problems("admin", elsewhere, answer{200, `{}`, good.header})) == 0 {
			t.Error("a route that is not described: not noticed")
		}
	})
}

// TestRoles: every operation with every role.
func TestRoles(t *testing.T) {
	yesterday := time.Now().AddDate(0, 0, -2).Format(time.DateOnly)
	const expiredToken, oldToken = "token-that-has-expired", "token-that-expires-later"
	r := newRig(t, func(c *config.Config, _ *store.Options) {
		c.Admin.Tokens = append(c.Admin.Tokens,
			config.Token{Name: "gone", Role: config.RoleAdmin, Token: config.NewSecret(expiredToken), Expires: yesterday},
			config.Token{Name: "old", Role: config.RoleRead, Token: config.NewSecret(oldToken), Expires: time.Now().AddDate(0, 0, 1).Format(time.DateOnly)})
	})
	if log := r.logs.take(); !strings.Contains(log, "a token has expired") || !strings.Contains(log, `"gone"`) || strings.Contains(log, `"old"`) {
		t.Errorf("the expired token is named at the start: got %s", log)
	}
	for template, item := range described().model.Paths.PathItems.FromOldest() {
		for method, o := range item.GetOperations().FromOldest() {
			path := strings.NewReplacer("{", "", "}", "").Replace(template)
			open := o.Security != nil
			for role, token := range map[string]string{
				"admin": adminToken, "operator": deskToken, "merchant": shopToken, "read": readToken,
				"none": "", "unknown": "token-of-nobody", "expired": expiredToken,
			} {
				if open && role == "none" {
					if got := r.askAs(token, strings.ToUpper(method), path, ""); got.status != 200 {
						t.Errorf("%s %s without a token: got %d", method, template, got.status)
					}
				}
				if open || strings.HasSuffix(template, "/readyz") {
					continue
				}
				got := r.askAs(token, strings.ToUpper(method), path, "")
				var want string
				allowed := got.status != 401 && got.status != 403
				switch roles := extension(o, "x-roles"); {
				case role == "none" || role == "unknown" || role == "expired":
					if got.status != 401 {
						want = "401"
					}
				case slices.Contains(roles, role) && !allowed:
					want = "that it may"
				case !slices.Contains(roles, role) && got.status != 403:
					want = "403"
				}
				if want != "" {
					t.Errorf("%s %s as %s: got %d %s, want %s", method, template, role, got.status, got.body, want)
				}
			}
		}
	}
	if got := r.askAs(oldToken, http.MethodGet, "/api/v1/payments", ""); got.status != 200 {
		t.Errorf("a token on its last day but one: got %d", got.status)
	}
	if log := r.logs.String(); !strings.Contains(log, `"reason":"the token has expired on `+yesterday+`"`) || strings.Contains(log, expiredToken) {
		t.Error("the log does not say that the token has expired, or says the token")
	}
}
