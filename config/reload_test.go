package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tolem/config"
)

func TestReloaded(t *testing.T) {
	const before = `
admin: {tokens: [{name: a, role: admin, token: one}]}
database: {dsn: data/one.db}
jetpay: {projects: [{id: 1, secrets: [s]}]}
max_amount: 100
`
	load := func(pairs ...string) *config.Config {
		t.Helper()
		return mustLoad(t, strings.NewReplacer(pairs...).Replace(before), nil)
	}
	old := load()
	t.Run("TakesWhatCanChange", func(t *testing.T) {
		r, err := old.Reloaded(load("role: admin", "role: read", "max_amount: 100", "max_amount: 200", "secrets: [s]", "secrets: [s, t]"))
		if err != nil {
			t.Fatal(err)
		}
		if r.Config.MaxAmount != 200 || r.Config.Admin.Tokens[0].Role != "read" || len(r.Config.JetPay.Projects[0].Secrets) != 2 {
			t.Errorf("got %+v", r.Config)
		}
		if !slices.Contains(r.Changed, "max_amount") || !slices.Contains(r.Changed, "admin.tokens[0].role") || r.Kept != nil {
			t.Errorf("got %v, kept %v", r.Changed, r.Kept)
		}
	})
	t.Run("NamesTheListWhoseSecretsDiffer", func(t *testing.T) {
		for _, tc := range []struct{ old, new, want string }{
			{"token: one", "token: two", "[admin.tokens]"},
			{"secrets: [s]", "secrets: [t]", "[jetpay]"},
			{"max_amount: 100", "max_amount: 100", "[]"},
		} {
			r, err := old.Reloaded(load(tc.old, tc.new))
			if got := fmt.Sprint(r.Changed); err != nil || got != tc.want {
				t.Errorf("%s: got %s, %v, want %s", tc.new, got, err, tc.want)
			}
		}
	})
	t.Run("KeepsWhatCannot", func(t *testing.T) {
		next := load("data/one.db", "data/two.db", "admin: {", `timezone: Asia/Bishkek
listen: 127.0.0.1:1
watch: {interval: 9s, max_age: 1h}
admin: {listen: "127.0.0.1:2", `)
		r, err := old.Reloaded(next)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Kept, " "); got != "admin.listen database.dsn listen timezone watch.interval" {
			t.Errorf("kept: got %s", got)
		}
		if got := strings.Join(r.Changed, " "); got != "watch.max_age" {
			t.Errorf("changed: got %s", got)
		}
		c := r.Config
		if c.Database.DSN != "data/one.db" || c.Timezone != "Asia/Almaty" || c.Listen != old.Listen || c.Admin.Listen != old.Admin.Listen || c.Watch.Interval != old.Watch.Interval {
			t.Errorf("got %+v", c)
		}
		if next.Database.DSN != "data/two.db" || old.Database.DSN != "data/one.db" {
			t.Error("one of the two was changed")
		}
	})
}
