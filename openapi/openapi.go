// Package openapi has the description of the admin API: OpenAPI 3.1, written once
// in openapi.yaml, as JSON for programs and as a page for people. Its extensions
// are x-roles, the roles that may use an operation, and x-listeners, the listeners
// that serve it where that is not admin alone.
package openapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed openapi.yaml
var source []byte

// document is the description, read once: the file is part of the program.
var document = sync.OnceValue(func() map[string]any {
	var d map[string]any
	if err := yaml.Unmarshal(source, &d); err != nil {
		panic(fmt.Sprintf("openapi.yaml: %v", err))
	}
	return d
})

// JSON is the description as it is served. The caller must not change it.
var JSON = sync.OnceValue(func() []byte {
	data, err := json.Marshal(document())
	if err != nil {
		panic(fmt.Sprintf("openapi.yaml: %v", err))
	}
	return data
})
