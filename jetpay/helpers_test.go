package jetpay_test

import (
	"testing"

	"tolem/config"
	"tolem/jetpay"
	"tolem/signing"
	"tolem/topup"
)

// eventOfProject signs a callback of a project, and translates it.
func eventOfProject(t testing.TB, body string, project int64) topup.Event {
	t.Helper()
	const secret = "demo-secret"
	key, err := signing.NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signing.Embed([]byte(body), key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := signing.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if _, err := b.Verify(key); err != nil {
		t.Fatal(err)
	}
	p, err := jetpay.NewProject(config.Project{ID: project, Secrets: []config.Secret{config.NewSecret(secret)}, CallbackMethods: []string{"kaspi"}})
	if err != nil {
		t.Fatal(err)
	}
	return jetpay.Read(b).Event(p)
}
