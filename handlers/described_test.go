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

	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi-validator/responses"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"tolem/openapi"
)

// description is the API's description, strict: an answer has the members that it
// lists and no others. Clients may be more lenient.
type description struct {
	validator responses.ResponseBodyValidator
	model     *v3.Document
	templates []string
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
	d := description{validator: responses.NewResponseBodyValidator(&model.Model), model: &model.Model}
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

// check fails the test when an answer of the API is not as described: its status,
// its media type, its body.
func (d description) check(t testing.TB, request *http.Request, got answer) {
	t.Helper()
	if !isAPI(request.URL.Path) {
		return
	}
	what := fmt.Sprintf("%s %s: %d %s", request.Method, request.URL.EscapedPath(), got.status, got.body)
	template := d.template(request.URL.EscapedPath())
	var item *v3.PathItem
	if template != "" {
		item = d.model.Paths.PathItems.GetOrZero(template)
	}
	if item == nil || item.GetOperations().GetOrZero(strings.ToLower(request.Method)) == nil {
		// A route that there is not. Without a token or a role that is not told.
		if !slices.Contains([]int{401, 403, 404, 405}, got.status) || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("the description has no such operation: %s", what)
		}
		return
	}
	response := &http.Response{StatusCode: got.status, Header: got.header, Body: io.NopCloser(bytes.NewReader([]byte(got.body))), Request: request}
	if ok, problems := d.validator.ValidateResponseBodyWithPathItem(request, response, item, template); !ok {
		for _, p := range problems {
			t.Errorf("not as described: %s\n%s: %s", what, p.Message, p.Reason)
			for _, s := range p.SchemaValidationErrors {
				t.Errorf("  %s: %s", s.FieldPath, s.Reason)
			}
		}
	}
}
