package locale_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"tolem/locale"
)

var verb = regexp.MustCompile(`%(\[\d\])?[a-z]`)

func TestCatalogue(t *testing.T) {
	forms := map[locale.Language]int{locale.Russian: 3, locale.Kazakh: 1, locale.English: 2}
	for _, key := range locale.Keys() {
		var verbs [][]string
		plural := false
		for _, l := range locale.Languages {
			text, _ := locale.Lookup(l, key)
			if strings.TrimSpace(text) == "" || text != strings.TrimSpace(text) {
				t.Errorf("%s in %s: %q", key, l, text)
			}
			found := verb.FindAllString(text, -1)
			slices.Sort(found)
			verbs = append(verbs, found)
			plural = plural || strings.Contains(text, "|")
		}
		if !slices.Equal(verbs[0], verbs[1]) || !slices.Equal(verbs[0], verbs[2]) {
			t.Errorf("%s has other arguments in another language: %v", key, verbs)
		}
		for _, l := range locale.Languages {
			text, _ := locale.Lookup(l, key)
			if n := strings.Count(text, "|") + 1; plural && n != forms[l] {
				t.Errorf("%s in %s has %d forms, want %d", key, l, n, forms[l])
			}
			cyrillic := strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) })
			if l == locale.English && cyrillic {
				t.Errorf("%s in English: %q", key, text)
			}
			if l == locale.Russian && strings.ContainsAny(text, "әғқңөұүіӘҒҚҢӨҰҮІ") {
				t.Errorf("%s in Russian: %q", key, text)
			}
		}
	}
}

func TestATextThatIsMissingIsShownAsItsKey(t *testing.T) {
	p := printer(locale.English)
	if got := p.Text("no.such"); got != "no.such" {
		t.Errorf("got %q", got)
	}
	if got := p.Form("no.such", 2); got != "no.such" {
		t.Errorf("got %q", got)
	}
}
