package jetpay_test

import (
	"testing"
	"time"

	"tolem/config"
	"tolem/jetpay"
	"tolem/platform"
	"tolem/signing"
	"tolem/topup"
)

// BenchmarkEventOf translates a verified callback into an event, its
// fingerprint included.
func BenchmarkEventOf(b *testing.B) {
	key, err := signing.NewKey("s")
	if err != nil {
		b.Fatal(err)
	}
	sum := topup.Money{Amount: 10000, Currency: "KZT"}
	body, err := platform.Project{ID: 1234, Key: key}.Callback(platform.NewCallback(platform.OutcomeSuccess, "p_01K9ZJ5W3V8Q4R7T2X6Y0ABCDE", 1, sum, time.Now()))
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := signing.Parse(body)
	if err != nil {
		b.Fatal(err)
	}
	defer parsed.Release()
	p, err := jetpay.NewProject(config.Project{ID: 1234, Secrets: []config.Secret{config.NewSecret("s")}, CallbackMethods: []string{platform.CallbackMethod}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if e := jetpay.Read(parsed).Event(p); !e.Complete {
			b.Fatal("the callback cannot be read")
		}
	}
}
