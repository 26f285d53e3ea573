package store

import (
	"slices"
	"strings"
)

// UnknownWords are what stands in braces in the rules of a check and is none of
// the domain's words; UnusedWords are the domain's words that no query uses.
func UnknownWords() (unknown, unused []string) {
	all := ""
	for _, r := range slices.Concat(rules, gaplessRules, sqliteRules) {
		all += r.query
		if query := inWords(r.query); strings.ContainsAny(query, "{}") {
			unknown = append(unknown, r.holds)
		}
	}
	for name := range domainWords {
		if !strings.Contains(all, "{"+name+"}") {
			unused = append(unused, name)
		}
	}
	return unknown, unused
}
