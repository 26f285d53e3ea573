package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// results is a folder with what passes that succeeded came to, each in a file; empty:
// nothing is kept. Whoever names the folder says that the tested files stay the same.
type results string

// counters is the folder of the coverage counters that such passes leave.
func (f results) counters() string {
	if f == "" {
		return ""
	}
	return filepath.Join(string(f), "coverage")
}

// file is the name of a pass's file: of everything that go test is told.
func (f results) file(p pass) (string, error) {
	told, err := json.Marshal([][]string{{p.name}, p.env, p.flags, p.packages, p.args})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(told)
	return filepath.Join(string(f), hex.EncodeToString(sum[:8])+".json"), nil
}

// of is what a pass came to; false: it has not succeeded, or is not known.
func (f results) of(p pass) (before result, ok bool) {
	if f == "" {
		return result{}, false
	}
	name, err := f.file(p)
	if err != nil {
		return result{}, false
	}
	text, err := os.ReadFile(name)
	if err != nil || json.Unmarshal(text, &before) != nil {
		return result{}, false
	}
	return before, before.Passed > 0 && before.Failed == 0
}

// keep notes a pass that succeeded.
func (f results) keep(p pass, r result) error {
	if f == "" || r.Failed > 0 {
		return nil
	}
	name, err := f.file(p)
	if err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o600)
}

// again adds a pass that is not run again.
func (r *report) again(p pass, before result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(before)
	fmt.Fprintf(r.out, "%s: %d tests passed in the command before, on the same files\n", p.name, before.Passed)
}
