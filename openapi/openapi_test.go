package openapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tolem/openapi"
)

func TestReferencesLead(t *testing.T) {
	var document map[string]any
	if err := json.Unmarshal(openapi.JSON(), &document); err != nil {
		t.Fatal(err)
	}
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			if reference, ok := value["$ref"].(string); ok {
				at := any(document)
				for _, name := range strings.Split(strings.TrimPrefix(reference, "#/"), "/") {
					members, _ := at.(map[string]any)
					at = members[name]
				}
				if at == nil {
					t.Errorf("%s leads nowhere", reference)
				}
			}
			for _, member := range value {
				walk(member)
			}
		case []any:
			for _, element := range value {
				walk(element)
			}
		}
	}
	walk(document)
}

func TestPage(t *testing.T) {
	page := string(openapi.Page())
	for _, part := range []string{"GET /api/v1/payments</code>", "Roles: admin, operator, read.", `<a href="#Transaction">Transaction</a>`, "Idempotency-Key"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	for _, part := range []string{"ZgotmplZ", "<script", "map[", "%!"} {
		if strings.Contains(page, part) {
			t.Errorf("the page has %q", part)
		}
	}
}
