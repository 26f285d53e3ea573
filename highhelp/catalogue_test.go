package highhelp_test

import (
	"errors"
	"strings"
	"testing"

	"tolem/config"
	"tolem/highhelp"
	"tolem/topup"
)

func catalogue(environment string) *highhelp.Catalogue {
	return highhelp.NewCatalogue(config.DefaultHighHelpMethods(), environment)
}

// samples are the requests of the provider's four pages.
func samples() map[string]highhelp.PayinRequest {
	page := func(id, currency, country, language, method, customerType string, lifetime int64, sender *highhelp.Sender) highhelp.PayinRequest {
		return highhelp.PayinRequest{
			General: highhelp.General{
				ProjectID: projectID, PaymentID: id, CallbackURL: "https://your-callback-domain.com/internal", SuccessURL: "https://your-callback-domain.com/success",
				DeclineURL: "https://your-callback-domain.com/decline", RedirectURL: "https://your-web-site-url.com/order/page",
			},
			Payment:  highhelp.Payment{Amount: 1500000, Currency: currency, Lifetime: lifetime, Description: "Comment about the payment", ExtraParam: "example", WidgetMethod: method},
			Sender:   sender,
			Customer: highhelp.Customer{ID: "cus_12345", IPAddress: "192.0.2.1", Country: country, Language: language, CustomerType: customerType, Email: "customer@example.com"},
		}
	}
	return map[string]highhelp.PayinRequest{
		"KZ bank transfer": page("KZT-VISA-123456", "KZT", "KZ", "kk", "payin-p2p-card-international", "ftd", 300, nil),
		"KZ mobile":        page("KZT-MOBILE-ECOM-123456", "KZT", "KZ", "kk", "payin-ecom-mobile", "", 600, nil),
		"KG bank transfer": page("PAYMENT-KGS-123456", "KGS", "KG", "ky", "payin-p2p-card", "ftd", 300, &highhelp.Sender{BankSymbol: "demir-bank-kgs"}),
		"TJ bank transfer": page("PAYMENT-TJS-123456", "TJS", "TJ", "tg", "payin-p2p-card", "ftd", 300, &highhelp.Sender{BankSymbol: "dushanbe-city-bank"}),
	}
}

func TestThePagesOwnRequestsFit(t *testing.T) {
	for name, r := range samples() {
		got, err := catalogue(config.Production).Check(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got != r {
			t.Errorf("%s: got %+v, want it unchanged", name, got)
		}
	}
}

func TestWhatARequestLeavesOutIsFilledIn(t *testing.T) {
	for _, tc := range []struct {
		name, currency, country, method string
		methods                         []highhelp.Method
		want                            string
	}{
		{"of the method", "KGS", "KG", "payin-p2p-phone", config.DefaultHighHelpMethods(), "ky"},
		{"of all methods", "KZT", "KZ", "", config.DefaultHighHelpMethods(), "kk"},
		{"which differ", "KZT", "KZ", "", []highhelp.Method{{Currency: "KZT", Country: "KZ", DefaultLanguage: "kk"}, {Currency: "KZT", Country: "KZ", DefaultLanguage: "ru"}}, ""},
	} {
		r := samples()["KZ mobile"]
		r.Payment.Currency, r.Customer.Country, r.Payment.WidgetMethod = tc.currency, tc.country, tc.method
		r.Customer.Language, r.Payment.Lifetime, r.Sender = "", 0, &highhelp.Sender{}
		got, err := highhelp.NewCatalogue(tc.methods, config.Development).Check(r)
		if err != nil || got.Customer.Language != tc.want || got.Payment.Lifetime != 600 || got.Sender != nil {
			t.Errorf("%s: got %+v, %v", tc.name, got, err)
		}
	}
}

func TestWhatBreaksARuleIsNamed(t *testing.T) {
	long := strings.Repeat("ы", 255)
	const (
		id     = "must be 1 to 255 characters, without control characters"
		secure = "must be an https URL of at most 2048 visible characters"
		code   = "must be at most 32 visible characters without spaces"
		email  = "must be an e-mail address of at most 255 characters"
	)
	for _, tc := range []struct {
		name  string
		spoil func(*highhelp.PayinRequest)
		want  string // empty: it is right
	}{
		{"a 36-character project id", func(r *highhelp.PayinRequest) { r.General.ProjectID = projectID }, ""},
		{"no project id", func(r *highhelp.PayinRequest) { r.General.ProjectID = "" }, "project_id " + id},
		{"a long payment id", func(r *highhelp.PayinRequest) { r.General.PaymentID = long }, ""},
		{"a payment id that is too long", func(r *highhelp.PayinRequest) { r.General.PaymentID = long + "ы" }, "payment_id " + id},
		{"no payment id", func(r *highhelp.PayinRequest) { r.General.PaymentID = "" }, "payment_id " + id},
		{"a callback URL over http", func(r *highhelp.PayinRequest) { r.General.CallbackURL = "http://127.0.0.1/a" }, "public_url " + secure},
		{"a success URL over http", func(r *highhelp.PayinRequest) { r.General.SuccessURL = "http://127.0.0.1/a" }, "public_url " + secure},
		{"a decline URL over http", func(r *highhelp.PayinRequest) { r.General.DeclineURL = "http://127.0.0.1/a" }, "public_url " + secure},
		{"no redirect", func(r *highhelp.PayinRequest) { r.General.RedirectURL = "" }, ""},
		{"a redirect of 2048 bytes", func(r *highhelp.PayinRequest) { r.General.RedirectURL = "https://a.kz/" + strings.Repeat("x", 2035) }, ""},
		{"a redirect that is too long", func(r *highhelp.PayinRequest) { r.General.RedirectURL = "https://a.kz/" + strings.Repeat("x", 2036) }, "redirect_url " + secure},
		{"a redirect without host", func(r *highhelp.PayinRequest) { r.General.RedirectURL = "https:///a" }, "redirect_url " + secure},
		{"a relative redirect", func(r *highhelp.PayinRequest) { r.General.RedirectURL = "/order/1" }, "redirect_url " + secure},
		{"a redirect to a script", func(r *highhelp.PayinRequest) { r.General.RedirectURL = "javascript:alert(1)" }, "redirect_url " + secure},
		{"a redirect with a blank", func(r *highhelp.PayinRequest) { r.General.RedirectURL = "https://a.kz/a b" }, "redirect_url " + secure},
		{"a redirect that is no URL", func(r *highhelp.PayinRequest) { r.General.RedirectURL = "https://[::1" }, "redirect_url " + secure},
		{"the smallest amount", func(r *highhelp.PayinRequest) { r.Payment.Amount = 1 }, ""},
		{"the largest amount", func(r *highhelp.PayinRequest) { r.Payment.Amount = 10_000_000_000_000 }, ""},
		{"amount 0", func(r *highhelp.PayinRequest) { r.Payment.Amount = 0 }, "amount must be 1 to 10000000000000, in minor units"},
		{"an amount below 0", func(r *highhelp.PayinRequest) { r.Payment.Amount = -1 }, "amount must be 1 to 10000000000000, in minor units"},
		{"too large an amount", func(r *highhelp.PayinRequest) { r.Payment.Amount = 10_000_000_000_001 }, "amount must be 1 to 10000000000000, in minor units"},
		{"a currency in small letters", func(r *highhelp.PayinRequest) { r.Payment.Currency = "kgs" }, "currency must be three capital letters, such as KZT"},
		{"the shortest lifetime", func(r *highhelp.PayinRequest) { r.Payment.Lifetime = 300 }, ""},
		{"too short a lifetime", func(r *highhelp.PayinRequest) { r.Payment.Lifetime = 299 }, "lifetime must be 300 to 600, in seconds; left out, it is 600"},
		{"too long a lifetime", func(r *highhelp.PayinRequest) { r.Payment.Lifetime = 601 }, "lifetime must be 300 to 600, in seconds; left out, it is 600"},
		{"a lifetime below 0", func(r *highhelp.PayinRequest) { r.Payment.Lifetime = -300 }, "lifetime must be 300 to 600, in seconds; left out, it is 600"},
		{"a long description", func(r *highhelp.PayinRequest) { r.Payment.Description = long }, ""},
		{"too long a description", func(r *highhelp.PayinRequest) { r.Payment.Description = long + "ы" }, "description must be at most 255 characters of UTF-8"},
		{"a description that is no text", func(r *highhelp.PayinRequest) { r.Payment.Description = "\xff" }, "description must be at most 255 characters of UTF-8"},
		{"an extra_param with a blank", func(r *highhelp.PayinRequest) { r.Payment.ExtraParam = "a b" }, "extra_param must be 1 to 16 letters, digits, '_' or '-'"},
		{"too long an extra_param", func(r *highhelp.PayinRequest) { r.Payment.ExtraParam = strings.Repeat("a", 17) }, "extra_param must be 1 to 16 letters, digits, '_' or '-'"},
		{"too long a widget_method", func(r *highhelp.PayinRequest) { r.Payment.WidgetMethod = strings.Repeat("a", 33) }, "widget_method " + code},
		{"a bank that nobody has heard of", func(r *highhelp.PayinRequest) { r.Sender.BankSymbol = "new-bank-of-2030" }, ""},
		{"too long a bank", func(r *highhelp.PayinRequest) { r.Sender.BankSymbol = strings.Repeat("a", 33) }, "sender.bank_symbol " + code},
		{"a bank with a blank", func(r *highhelp.PayinRequest) { r.Sender.BankSymbol = "a b" }, "sender.bank_symbol " + code},
		{"no payer", func(r *highhelp.PayinRequest) { r.Customer.ID = "" }, "payer.id " + id},
		{"a payer with a line break", func(r *highhelp.PayinRequest) { r.Customer.ID = "a\nb" }, "payer.id " + id},
		{"IPv6", func(r *highhelp.PayinRequest) { r.Customer.IPAddress = "2001:db8::1" }, ""},
		{"no address", func(r *highhelp.PayinRequest) { r.Customer.IPAddress = "" }, "payer.ip_address must be an IPv4 or IPv6 address"},
		{"an address with a port", func(r *highhelp.PayinRequest) { r.Customer.IPAddress = "192.0.2.1:80" }, "payer.ip_address must be an IPv4 or IPv6 address"},
		{"an address with a leading zero", func(r *highhelp.PayinRequest) { r.Customer.IPAddress = "192.0.02.1" }, "payer.ip_address must be an IPv4 or IPv6 address"},
		{"an address with a zone", func(r *highhelp.PayinRequest) { r.Customer.IPAddress = "fe80::1%eth0" }, "payer.ip_address must be an IPv4 or IPv6 address"},
		{"a country in small letters", func(r *highhelp.PayinRequest) { r.Customer.Country = "kg" }, "payer.country must be two capital letters, such as KZ"},
		{"another language", func(r *highhelp.PayinRequest) { r.Customer.Language = "en" }, ""},
		{"a language in capital letters", func(r *highhelp.PayinRequest) { r.Customer.Language = "KY" }, "payer.language must be two small letters, such as kk"},
		{"trust", func(r *highhelp.PayinRequest) { r.Customer.CustomerType = "trust" }, ""},
		{"another customer_type", func(r *highhelp.PayinRequest) { r.Customer.CustomerType = "FTD" }, "payer.customer_type must be ftd or trust"},
		{"no email", func(r *highhelp.PayinRequest) { r.Customer.Email = "" }, ""},
		{"an email with a name", func(r *highhelp.PayinRequest) { r.Customer.Email = "A <a@example.com>" }, "payer.email " + email},
		{"an email without a domain", func(r *highhelp.PayinRequest) { r.Customer.Email = "a@" }, "payer.email " + email},
		{"the page's obfuscated email", func(r *highhelp.PayinRequest) { r.Customer.Email = "[email protected]" }, "payer.email " + email},
		{"too long an email", func(r *highhelp.PayinRequest) { r.Customer.Email = strings.Repeat("a", 251) + "@a.kz" }, "payer.email " + email},

		{"a currency that nobody pays in", func(r *highhelp.PayinRequest) { r.Payment.Currency = "USD" }, "currency must be one of KZT, KGS, TJS"},
		{"another country", func(r *highhelp.PayinRequest) { r.Customer.Country = "KZ" }, "payer.country must be one of KG for KGS"},
		{"a widget_method of another country", func(r *highhelp.PayinRequest) { r.Payment.WidgetMethod = "payin-ecom-mobile" }, "widget_method must be one of payin-p2p-card, payin-p2p-phone, payin-qr-link-p2p for KGS in KG, or left out"},
		{"no widget_method", func(r *highhelp.PayinRequest) { r.Payment.WidgetMethod = "" }, ""},
		{"customer_type with the mobile method", func(r *highhelp.PayinRequest) { mobile(r); r.Sender = nil }, "payer.customer_type must be left out with this widget_method; it is taken with payin-p2p-card-international"},
		{"a bank with the mobile method", func(r *highhelp.PayinRequest) { mobile(r); r.Customer.CustomerType = "" }, "sender.bank_symbol must be left out with this widget_method; it is taken with payin-p2p-card-international"},
		{"an empty sender with the mobile method", func(r *highhelp.PayinRequest) { mobile(r); r.Customer.CustomerType, r.Sender = "", &highhelp.Sender{} }, ""},
		{"customer_type where the payer chooses", func(r *highhelp.PayinRequest) { mobile(r); r.Payment.WidgetMethod = "" }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := samples()["KG bank transfer"]
			r.Sender = &highhelp.Sender{BankSymbol: "demir-bank-kgs"}
			tc.spoil(&r)
			_, err := catalogue(config.Production).Check(r)
			if tc.want == "" {
				if err != nil {
					t.Errorf("got %v, want that it fits", err)
				}
				return
			}
			var invalid *topup.Error
			if !errors.As(err, &invalid) || invalid.Kind != topup.KindInvalid || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func mobile(r *highhelp.PayinRequest) {
	r.Payment.Currency, r.Customer.Country, r.Payment.WidgetMethod = "KZT", "KZ", "payin-ecom-mobile"
}

func TestWhatNoMethodTakesMustBeLeftOut(t *testing.T) {
	c := highhelp.NewCatalogue([]highhelp.Method{{Name: "m", Currency: "KGS", Country: "KG", WidgetMethods: []string{"payin-p2p-card"}}}, config.Production)
	_, err := c.Check(samples()["KG bank transfer"])
	if got, want := err.Error(), "payer.customer_type must be left out: no method of this currency and country takes it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLoopbackAddressesAreForDevelopment(t *testing.T) {
	for _, url := range []string{"http://127.0.0.1:8080/a", "http://localhost/a", "http://[::1]:80/a"} {
		r := samples()["KZ mobile"]
		r.General.RedirectURL, r.General.CallbackURL = url, url
		if _, err := catalogue(config.Development).Check(r); err != nil {
			t.Errorf("%s in development: %v", url, err)
		}
		if _, err := catalogue(config.Production).Check(r); err == nil {
			t.Errorf("%s in production is accepted", url)
		}
		r.General.RedirectURL = strings.Replace(url, "http:", "ftp:", 1)
		if _, err := catalogue(config.Development).Check(r); err == nil {
			t.Errorf("%s is accepted", r.General.RedirectURL)
		}
	}
	r := samples()["KZ mobile"]
	r.General.RedirectURL = "http://192.0.2.1/a"
	_, err := catalogue(config.Development).Check(r)
	if got, want := err.Error(), "redirect_url must be an https URL of at most 2048 visible characters (http for loopback addresses, in development only)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestConfirmIsForTheMobileMethod(t *testing.T) {
	for _, tc := range []struct {
		currency, method string
		want             bool
	}{
		{"KZT", "payin-ecom-mobile", true}, {"KZT", "", true}, {"KZT", "payin-p2p-card-international", false},
		{"KGS", "", false}, {"KGS", "payin-p2p-card", false}, {"TJS", "payin-ecom-mobile", false}, {"", "", false}, {"KZT", "unheard-of", false},
	} {
		if got := catalogue(config.Production).CanConfirm(tc.currency, tc.method); got != tc.want {
			t.Errorf("%s %q: got %v, want %v", tc.currency, tc.method, got, tc.want)
		}
	}
}
