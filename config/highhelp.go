package config

import "time"

// The values that some keys of highhelp accept.
const (
	AlgorithmRSA  = "rsa"  // request_key.algorithm, alert_key.algorithm: RSASSA-PKCS1-v1_5 with SHA-256
	AlgorithmHMAC = "hmac" // request_key.algorithm, alert_key.algorithm: HMAC-SHA-512

	Auto = "auto" // a part of alert_dialect: whatever verifies
)

// HighHelp configures the pay-ins through the HighHelp widget. Without a project there are none.
type HighHelp struct {
	BaseURL  string            `yaml:"base_url"`                             // of the provider's API, per environment
	Timeout  time.Duration     `yaml:"timeout" validate:"gt=0,max=2m"`       // of one call
	MaxOver  int64             `yaml:"max_over" validate:"min=1,max=100000"` // a received amount above this multiple of the requested one is put into suspense
	Projects []HighHelpProject `yaml:"projects" validate:"dive"`
	Methods  []HighHelpMethod  `yaml:"methods" validate:"min=1,dive"` // what pay-ins are checked against; a list given replaces the default
}

// HighHelpProject is one cash register of the merchant. Parts that the provider's pages leave open are settings.
type HighHelpProject struct {
	ID         string `yaml:"id" validate:"projectid"`                    // unique
	MerchantID string `yaml:"merchant_id" validate:"omitempty,projectid"` // of the cash register, sent in a header; default: ID

	RequestKey RequestKey `yaml:"request_key"`
	AlertKey   AlertKey   `yaml:"alert_key,omitempty"` // absent: every alert is refused

	RequestDialect RequestDialect `yaml:"request_dialect"`
	AlertDialect   AlertDialect   `yaml:"alert_dialect"`
	AlertHeaders   AlertHeaders   `yaml:"alert_headers"`
	AlertWindow    time.Duration  `yaml:"alert_window" validate:"min=0"` // an alert signed further from now than this is refused; 0: none is

	// AccessToken is unset where the request key's SPKI DER in Base64url is to be sent. It is public with RSA, but not
	// with HMAC.
	AccessToken     Secret `yaml:"access_token,omitempty"`
	AlgorithmHeader string `yaml:"algorithm_header"` // x-access-merchant-algorithm, sent only if set
}

// RequestKey signs requests: the merchant's own private key, or a secret shared with the provider.
type RequestKey struct {
	Algorithm      string `yaml:"algorithm" validate:"oneof=rsa hmac"`
	PrivateKeyFile string `yaml:"private_key_file,omitempty"` // PEM, PKCS#8 or PKCS#1
	PrivateKey     Secret `yaml:"-"`                          // the content of PrivateKeyFile, with AlgorithmRSA
	Secret         Secret `yaml:"secret,omitempty"`           // set after Load with AlgorithmHMAC, also if it came from a file
	SecretFile     string `yaml:"secret_file,omitempty"`      // where Secret was read from, else empty
}

// AlertKey verifies alerts: the provider's public key from the cabinet, or the HMAC key for callbacks. It is not the
// request key.
type AlertKey struct {
	Algorithm     string `yaml:"algorithm,omitempty" validate:"omitempty,oneof=rsa hmac"` // empty: no key is configured
	PublicKeyFile string `yaml:"public_key_file,omitempty"`                               // PEM: SPKI, PKCS#1 or a certificate
	PublicKey     string `yaml:"-"`                                                       // the content of PublicKeyFile, with AlgorithmRSA
	Secret        Secret `yaml:"secret,omitempty"`                                        // set after Load with AlgorithmHMAC, also if it came from a file
	SecretFile    string `yaml:"secret_file,omitempty"`                                   // where Secret was read from, else empty
}

// Configured reports whether there is a key. Without one every alert must be refused.
func (k AlertKey) Configured() bool { return k.Algorithm != "" }

// RequestDialect is how requests are signed, where the provider's pages leave it open.
type RequestDialect struct {
	NullAs   string `yaml:"null_as" validate:"oneof=empty none null skip" alsonull:"null"`
	Padding  string `yaml:"padding" validate:"oneof=off on"` // of the inner Base64url
	Digest   string `yaml:"digest" validate:"oneof=once twice"`
	HMACText string `yaml:"hmac_text" validate:"oneof=base64url hex base64"`
}

// AlertDialect is how alerts are signed. A part that is Auto is tried in all its values; any spelling of an HMAC is
// accepted.
type AlertDialect struct {
	NullAs  string `yaml:"null_as" validate:"oneof=auto empty none null skip" alsonull:"null"`
	Padding string `yaml:"padding" validate:"oneof=auto off on"`
	Digest  string `yaml:"digest" validate:"oneof=auto once twice"`
}

// AlertHeaders names the headers of an alert.
type AlertHeaders struct {
	Signature string `yaml:"signature" validate:"header"`
	Timestamp string `yaml:"timestamp" validate:"header"`
}

// HighHelpMethod is one way to pay: one of the provider's pages. Banks and operators are not part of it, since theirs
// is an open list.
type HighHelpMethod struct {
	Name            string   `yaml:"name" validate:"name"`                                     // unique
	Currency        string   `yaml:"currency" validate:"currency"`                             // ISO 4217
	Country         string   `yaml:"country" validate:"country"`                               // ISO 3166-1 alpha-2
	WidgetMethods   []string `yaml:"widget_methods" validate:"min=1,unique,dive,widgetmethod"` // the provider's codes
	DefaultLanguage string   `yaml:"default_language,omitempty" validate:"omitempty,language"` // sent where a request names none; empty: the provider's own default
	CustomerType    bool     `yaml:"customer_type"`                                            // whether ftd or trust may be said
	Sender          bool     `yaml:"sender"`                                                   // whether a bank may be preselected
	Confirm         bool     `yaml:"confirm"`                                                  // whether there are confirm and cancel
}

// Watch configures how payments that stay open are polled.
type Watch struct {
	Interval time.Duration `yaml:"interval" validate:"gt=0"`
	MaxAge   time.Duration `yaml:"max_age" validate:"gt=0"` // a payment that is open for longer gets the status review
}

// Merchant is a listener for the merchant's own routes alone.
type Merchant struct {
	Listen string `yaml:"listen" validate:"omitempty,hostport"` // empty: the routes are on the admin listener only
}

// NewHighHelpProject is a project with everything but its keys as it is where a configuration leaves it out.
func NewHighHelpProject(id string) HighHelpProject {
	return HighHelpProject{
		ID:             id,
		MerchantID:     id,
		RequestDialect: RequestDialect{NullAs: "empty", Padding: "off", Digest: "once", HMACText: "base64url"},
		AlertDialect:   AlertDialect{NullAs: Auto, Padding: Auto, Digest: Auto},
		AlertHeaders:   AlertHeaders{Signature: "x-access-signature", Timestamp: "x-access-timestamp"},
	}
}

// DefaultHighHelpMethods are the methods of the provider's four pages. Each call returns a value of its own. Of the
// Kazakh bank transfers one code was published; others are added by configuration.
func DefaultHighHelpMethods() []HighHelpMethod {
	return []HighHelpMethod{
		{
			Name: "kz-bank-transfer", Currency: "KZT", Country: "KZ", WidgetMethods: []string{"payin-p2p-card-international"},
			DefaultLanguage: "kk", CustomerType: true, Sender: true,
		},
		{
			Name: "kz-mobile", Currency: "KZT", Country: "KZ", WidgetMethods: []string{"payin-ecom-mobile"},
			DefaultLanguage: "kk", Confirm: true,
		},
		{
			Name: "kg-bank-transfer", Currency: "KGS", Country: "KG", WidgetMethods: []string{"payin-p2p-card", "payin-p2p-phone", "payin-qr-link-p2p"},
			DefaultLanguage: "ky", CustomerType: true, Sender: true,
		},
		{
			Name: "tj-bank-transfer", Currency: "TJS", Country: "TJ", WidgetMethods: []string{"payin-p2p-card", "payin-p2p-phone"},
			DefaultLanguage: "tg", CustomerType: true, Sender: true,
		},
	}
}
