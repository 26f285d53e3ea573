package config_test

import (
	"reflect"
	"testing"

	"tolem/config"
)

func TestDifferencesAreNamedByTheirKeys(t *testing.T) {
	effective := func(text string, env ...string) []byte {
		t.Helper()
		out, err := mustLoad(t, text, env).Effective()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	one := effective(minimal)
	other := effective("jetpay:\n  projects:\n    - {id: 1, secrets: [another-secret, b]}\n", "TOLEM_LOG__LEVEL=debug", "TOLEM_PUBLIC_URL=https://a.kz")
	got, err := config.Differences(one, other)
	want := []config.Difference{{"jetpay.projects[0].secrets[1]", "", "[hidden]"}, {"log.level", "info", "debug"}, {"public_url", "", "https://a.kz"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := config.Differences(one, one); err != nil || len(got) > 0 {
		t.Errorf("with itself: got %v, %v", got, err)
	}
	if _, err := config.Differences([]byte("a: ["), one); err == nil {
		t.Error("what is no YAML was compared")
	}
	if _, err := config.Differences(nil, one); err != nil {
		t.Errorf("nothing: got %v", err)
	}
}
