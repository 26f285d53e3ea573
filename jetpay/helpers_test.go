package jetpay_test

import (
	"strings"
	"testing"

	"tolem/config"
	"tolem/jetpay"
	"tolem/signing"
	"tolem/topup"
)

// callbackBody is the sample of the provider's page.
const callbackBody = `{"project_id":1234,"payment":{"id":"payment_47","type":"purchase","status":"success","date":"2022-03-25T11:08:45+0000","method":"kaspi","sum":{"amount":10000,"currency":"KZT"},"description":""},
"account":{"number":"1234567890"},"customer":{"id":"customer_123"},
"operation":{"id":28,"type":"sale","status":"success","date":"2022-03-25T11:08:46+0000","created_date":"2022-03-25T11:08:05+0000","request_id":"9e32835f","sum_initial":{"amount":10000,"currency":"KZT"},"sum_converted":{"amount":10000,"currency":"KZT"},"code":"0","message":"Success","provider":{"id":12345,"payment_id":"123abc123-321","auth_code":""}}}`

// edit replaces parts of a body: old, new, old, new…
func edit(t testing.TB, body string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(body, pairs[i]) {
			t.Fatalf("%q is not in the body", pairs[i])
		}
		body = strings.Replace(body, pairs[i], pairs[i+1], 1)
	}
	return body
}

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
