package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestEffectiveIsCompleteAndHidesSecrets(t *testing.T) {
	file := write(t, "secret", canary)
	text := fmt.Sprintf(`
admin: {tokens: [{name: a, role: read, token: t-%s}, {name: b, role: admin, token_file: %s}]}
raw_retention: 1h30m
jetpay:
  error_status: 200
  payment_expiry: 90s
  projects: [{id: 1, secrets: [a, %s], secret_files: [%s]}, {id: 2, secret_files: [%s], callback_methods: [x]}]
`, canary, file, canary, file, file)
	got, err := mustLoad(t, text, []string{"TOLEM_LOG__LEVEL=warn"}).Effective()
	if err != nil {
		t.Fatal(err)
	}
	noCanary(t, "the effective configuration", string(got))
	want := strings.ReplaceAll(`environment: development
listen: 127.0.0.1:8080
public_url: ""
admin:
  listen: 127.0.0.1:8081
  tokens:
    - name: a
      role: read
      token: '[hidden]'
    - name: b
      role: admin
      token_file: FILE
merchant:
  listen: ""
idle_timeout: 10m20s
database:
  driver: sqlite
  dsn: data/tolem.db
demo:
  accounts: ""
  payments: ""
accounts:
  normalize: none
  max_close_percent: 10
  source: store
  http:
    timeout: 2s
    cache: 5s
    stale: 10m
timezone: Asia/Almaty
books_closed_to: ""
notify: []
four_eyes: []
max_amount: 10000000000000
raw_retention: 1h30m
bank: []
bank_days: 7
jetpay:
  error_status: "200"
  sign_responses: false
  payment_expiry: 1m30s
  gate_url: ""
  projects:
    - id: 1
      secrets:
        - '[hidden]'
        - '[hidden]'
      secret_files:
        - FILE
      payment_methods:
        - terminal/kaspi
      callback_methods:
        - kaspi
    - id: 2
      secret_files:
        - FILE
      payment_methods:
        - terminal/kaspi
      callback_methods:
        - x
  data_url: ""
  data_token_file: ""
  data_secret_file: ""
highhelp:
  base_url: https://api.hh-processing.com
  timeout: 10s
  max_over: 10
  projects: []
  methods:
    - name: kz-bank-transfer
      currency: KZT
      country: KZ
      widget_methods:
        - payin-p2p-card-international
      default_language: kk
      customer_type: true
      sender: true
      confirm: false
    - name: kz-mobile
      currency: KZT
      country: KZ
      widget_methods:
        - payin-ecom-mobile
      default_language: kk
      customer_type: false
      sender: false
      confirm: true
    - name: kg-bank-transfer
      currency: KGS
      country: KG
      widget_methods:
        - payin-p2p-card
        - payin-p2p-phone
        - payin-qr-link-p2p
      default_language: ky
      customer_type: true
      sender: true
      confirm: false
    - name: tj-bank-transfer
      currency: TJS
      country: TJ
      widget_methods:
        - payin-p2p-card
        - payin-p2p-phone
      default_language: tg
      customer_type: true
      sender: true
      confirm: false
watch:
  interval: 1m
  max_age: 72h
thread_scheduling: batch
log:
  level: warn
  format: json
`, "FILE", file)
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEffectiveIsAConfigurationAgain(t *testing.T) {
	file := write(t, "secret", "from-a-file")
	text, err := mustLoad(t, "jetpay: {projects: [{id: 1, secret_files: ["+file+"]}]}", nil).Effective()
	if err != nil {
		t.Fatal(err)
	}
	again := mustLoad(t, string(text), nil)
	if got, want := reveal(again.JetPay.Projects[0].Secrets), []string{"from-a-file"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got secrets %q, want %q", got, want)
	}
	if got, err := again.Effective(); err != nil || string(got) != string(text) {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	if !strings.Contains(string(text), "payment_expiry: 288h\n") {
		t.Errorf("durations are not written as a person would: %s", text)
	}
}

func TestEffectiveLeavesTheConfigurationAsItWas(t *testing.T) {
	file := write(t, "secret", "from-a-file")
	got := mustLoad(t, "admin: {tokens: [{name: a, role: read, token_file: "+file+"}]}\njetpay: {projects: [{id: 1, secret_files: ["+file+"]}]}", nil)
	if _, err := got.Effective(); err != nil {
		t.Fatal(err)
	}
	if !got.Admin.Tokens[0].Token.Equal("from-a-file") || !reflect.DeepEqual(reveal(got.JetPay.Projects[0].Secrets), []string{"from-a-file"}) {
		t.Error("secrets are gone")
	}
}
