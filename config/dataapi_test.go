package config_test

import (
	"strings"
	"testing"

	"tolem/config"
)

func TestTheDataAPINeedsItsThreeKeys(t *testing.T) {
	const project = "projects: [{id: 1, secrets: [a]}]"
	token, secret := write(t, "data-token", "token\n"), write(t, "data-secret", "secret\n")
	got := mustLoad(t, "jetpay: {data_url: 'https://data.example/v1', data_token_file: "+token+", data_secret_file: "+secret+", "+project+"}", nil)
	if got.JetPay.DataToken.Reveal() != "token" || got.JetPay.DataSecret.Reveal() != "secret" {
		t.Error("the files were not read")
	}
	shown, err := got.Effective()
	if err != nil {
		t.Fatal(err)
	}
	text := string(shown)
	if strings.Contains(text, "data_token: ") || strings.Contains(text, "data_secret: ") {
		t.Errorf("a secret is shown:\n%s", text)
	}
	for _, test := range []struct{ keys, want string }{
		{"data_url: 'https://data.example/v1'", "jetpay.data_token_file: is missing"},
		{"data_url: 'https://data.example/v1', data_token_file: " + token, "jetpay.data_secret_file: is missing"},
		{"data_secret_file: " + secret, "jetpay.data_url: is missing"},
		{"data_url: 'http://data.example/v1', data_token_file: " + token + ", data_secret_file: " + secret, "jetpay.data_url: must begin with https"},
		{"data_url: 'https://data.example/v1', data_token_file: " + token + "x, data_secret_file: " + secret, "jetpay.data_token_file: the file"},
	} {
		_, _, err := config.Load(write(t, "config.yaml", "jetpay: {"+test.keys+", "+project+"}"), nil)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.keys, err, test.want)
		}
	}
}
