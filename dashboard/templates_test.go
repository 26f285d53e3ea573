package dashboard

import "testing"

// TestEveryTemplateIsParsed: a server parses a page when it is first shown, so that
// a fault in one would not be noticed at its start.
func TestEveryTemplateIsParsed(t *testing.T) {
	p, err := newPages(&Dashboard{})
	if err != nil {
		t.Fatal(err)
	}
	for language, pages := range p.byLanguage {
		if len(pages) == 0 {
			t.Errorf("%s has no pages", language)
		}
		for name, parsed := range pages {
			if frame, err := parsed(); err != nil || frame == nil {
				t.Errorf("%s in %s: got %v, %v", name, language, frame, err)
			}
		}
	}
}
