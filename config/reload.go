package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// restartOnly are the keys that a running server cannot change, each with the keys below it.
var restartOnly = []string{
	"environment", "listen", "admin.listen", "merchant", "idle_timeout", "database", "demo", "accounts.normalize", "bank", "timezone", "thread_scheduling", "log",
	"watch.interval",
}

// Reload is what a running server makes of a configuration that was read anew.
type Reload struct {
	// Config is the new configuration with the old values of Kept.
	Config *Config
	// Changed are the keys whose values differ; of a list in which nothing but secrets differs, its own key. Kept are the
	// keys that differ and need a restart.
	Changed, Kept []string
}

// Reloaded compares a configuration with one that was read anew. Neither is changed.
func (c *Config) Reloaded(next *Config) (Reload, error) {
	before, err := c.Effective()
	if err != nil {
		return Reload{}, err
	}
	after, err := next.Effective()
	if err != nil {
		return Reload{}, err
	}
	differences, err := Differences(before, after)
	if err != nil {
		return Reload{}, err
	}
	merged := *next
	for _, key := range restartOnly {
		if err := copyKey(reflect.ValueOf(&merged).Elem(), reflect.ValueOf(c).Elem(), key); err != nil {
			return Reload{}, err
		}
	}
	r := Reload{Config: &merged}
	for _, d := range differences {
		if slices.ContainsFunc(restartOnly, func(key string) bool { return within(d.Key, key) }) {
			r.Kept = append(r.Kept, d.Key)
			continue
		}
		r.Changed = append(r.Changed, d.Key)
	}
	r.Changed = append(r.Changed, c.otherSecrets(next, r.Changed)...)
	return r, nil
}

// otherSecrets are the keys below which secrets differ, and none of the changed keys.
func (c *Config) otherSecrets(next *Config, changed []string) (keys []string) {
	for _, of := range []struct {
		key     string
		was, is any
	}{
		{"admin.tokens", c.Admin.Tokens, next.Admin.Tokens},
		{"jetpay", c.JetPay, next.JetPay},
		{"highhelp", c.HighHelp, next.HighHelp},
		{"notify", c.Notify, next.Notify},
		{"accounts.http", c.Accounts.HTTP, next.Accounts.HTTP},
	} {
		named := slices.ContainsFunc(changed, func(key string) bool { return within(key, of.key) })
		if !named && !reflect.DeepEqual(of.was, of.is) {
			keys = append(keys, of.key)
		}
	}
	return keys
}

// copyKey copies the value of a key from one struct of the schema to another.
func copyKey(to, from reflect.Value, key string) error {
	name, rest, deeper := strings.Cut(key, ".")
	for field := range keyFields(to.Type()) {
		switch {
		case keyOf(field) != name:
		case deeper:
			return copyKey(to.FieldByIndex(field.Index), from.FieldByIndex(field.Index), rest)
		default:
			to.FieldByIndex(field.Index).Set(from.FieldByIndex(field.Index))
			return nil
		}
	}
	return fmt.Errorf("the schema has no key %s", key)
}
