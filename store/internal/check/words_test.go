package check

import (
	"slices"
	"strings"
	"testing"
)

func TestRulesUseTheDomainsWords(t *testing.T) {
	all := ""
	for _, r := range slices.Concat(Everywhere, gaplessRules, sqliteRules) {
		all += r.query
		if query := inWords(r.query); strings.ContainsAny(query, "{}") {
			t.Errorf("%s: not the domain's words: %s", r.Holds, query)
		}
	}
	for _, part := range []string{ordinarySQL, sizesSQL, restSQL, settlementOfRestSQL, sumsBehindSQL, foreignKeysSQL} {
		all += part
		if query := inWords(part); strings.ContainsAny(query, "{}") {
			t.Errorf("not the domain's words: %s", query)
		}
	}
	for name := range domainWords {
		if !strings.Contains(all, "{"+name+"}") {
			t.Errorf("no rule uses the word %s", name)
		}
	}
}
