package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tolem/config"
)

func FuzzLoad(f *testing.F) {
	repository, err := os.ReadFile("../config.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(repository, "[]")
	f.Add([]byte(strings.ReplaceAll(string(repository), "demo-secret", canary)), `[{"id":1,"secrets":["`+canary+`"]}]`)
	f.Add([]byte(minimal), `[{"id":1,"`+canary+`":["a"]}]`)
	f.Add([]byte("a: &a [*a]\n"+canary+": ["), canary)
	f.Add([]byte("? {a: b}\n: !!map x\n---\n..."), "{}")
	f.Add([]byte(strings.ReplaceAll(hmacComplete, "-secret", canary)+"  methods: [{name: m, currency: KZT, country: KZ, widget_methods: [w]}]\n      alert_dialect: {null_as: null}\n"), "[]")
	f.Add([]byte(hmacMinimal+"      alert_key: {algorithm: rsa, public_key_file: "+demoKeys+"alerts.pem, secret: "+canary+"}\n"), `[{"id":1,"secrets":["a"]}]`)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, projects string) {
		path := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, env := range [][]string{nil, {"TOLEM_JETPAY__PROJECTS=" + projects, "TOLEM_TIMEZONE=" + projects}} {
			got, warnings, err := config.Load(path, env)
			noCanary(t, "a warning", strings.Join(warnings, "\n"))
			if (got == nil) == (err == nil) {
				t.Fatalf("got configuration %v and error %v", got, err)
			}
			if err != nil {
				noCanary(t, "an error", err.Error())
				continue
			}
			if _, err := got.Effective(); err != nil {
				t.Errorf("a valid configuration cannot be shown: %v", err)
			}
		}
	})
}
