// Package maps has maps of reports that are ready to use, or to copy and adapt:
// see package reportfile for what a map says. Each has a small sample in samples/,
// made up, that a test reads.
package maps

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"tolem/reportfile"
)

//go:embed *.yaml
var files embed.FS

// Names are the maps that the program has, in order.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil { // it is built in
		panic(err)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".yaml"))
	}
	return names
}

// Load reads the map in that file or, where there is no such file, the one of
// that name that the program has.
func Load(name string) (*reportfile.Map, error) {
	m, err := reportfile.ReadMap(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	text, missing := files.ReadFile(name + ".yaml")
	if missing != nil {
		return nil, fmt.Errorf("map %s: there is no such file, and none of the maps that tolem has: %s", name, strings.Join(Names(), ", "))
	}
	if m, err = reportfile.ParseMap(text); err != nil {
		return nil, fmt.Errorf("map %s: %w", name, err)
	}
	return m, nil
}
