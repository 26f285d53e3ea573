package dashboard_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tolem/dashboard"
)

// A rule whose English text changes is told in English alone, unless this fails.
func TestEveryTranslatedRefusalIsOneThatIsMade(t *testing.T) {
	var sources strings.Builder
	for _, pattern := range []string{"../topup/*.go", "../store/*.go", "../store/internal/*/*.go", "*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "refusals.go" {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(text)
		}
	}
	for _, part := range dashboard.RefusalParts() {
		part = strings.TrimPrefix(part, "reason ") // a field and its rule are written apart
		if !strings.Contains(sources.String(), part) {
			t.Errorf("nothing says %q any more", part)
		}
	}
}

func TestRefusalsAreToldInTheLanguageOfThePage(t *testing.T) {
	r := newRig(t)
	id := r.paid(phone, "e1", 5000)
	v := r.signIn(annaToken)
	v.get("/?lang=ru")
	v.wants(v.take("/payments/"+id+"/credit"), 409, "Не выполнено: ничего не изменено", "Платёж уже зачислен", "has been credited")
	v.wants(v.take("/suspense/return"), 422, "Отметьте хотя бы одну сумму")
	v.wants(v.get("/payments?amount=nonsense"), 422, "Так искать нельзя", "Введите сумму числом")
}
