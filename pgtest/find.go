package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNotInstalled says that this machine has no PostgreSQL server.
var ErrNotInstalled = errors.New("no PostgreSQL server is installed: install the Debian package postgresql, or set " + Variable + " to the URL of a server where databases may be created")

// places are where the server's programs are that are not on PATH: Debian, Red
// Hat's packages from postgresql.org, Homebrew on either processor.
var places = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

// Programs is the folder of the server's programs (initdb, postgres): that on
// PATH, else the newest of the usual places. The error is ErrNotInstalled.
func Programs() (string, error) {
	if found, err := exec.LookPath("initdb"); err == nil && hasServer(filepath.Dir(found)) {
		return filepath.Dir(found), nil
	}
	return newest(places)
}

// newest is the folder with the highest version among those that the patterns
// match. The version is what the pattern's star matches.
func newest(patterns []string) (string, error) {
	best, highest := "", -1.0
	for _, pattern := range patterns {
		before, after, _ := strings.Cut(pattern, "*")
		folders, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, folder := range folders {
			text := strings.TrimSuffix(strings.TrimPrefix(folder, before), after)
			version, err := strconv.ParseFloat(text, 64)
			if err == nil && version > highest && hasServer(folder) {
				best, highest = folder, version
			}
		}
	}
	if best == "" {
		return "", ErrNotInstalled
	}
	return best, nil
}

// hasServer tells whether a folder has what a server needs. Debian's package of
// the clients fills the same folder without it.
func hasServer(folder string) bool {
	return !slices.ContainsFunc([]string{"initdb", "postgres"}, func(name string) bool {
		info, err := os.Stat(filepath.Join(folder, name))
		return err != nil || info.IsDir()
	})
}
