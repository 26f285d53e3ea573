package config

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Where accounts come from.
const (
	SourceStore = "store" // imports and the admin API
	SourceHTTP  = "http"  // the merchant's billing is asked for them
)

// CustomerIDPlaceholder stands in accounts.http.url for the customer's id.
const CustomerIDPlaceholder = "{customer_id}"

// webhookSecretPrefix begins a secret of Standard Webhooks.
const webhookSecretPrefix = "whsec_"

// Bounds of a secret of Standard Webhooks in bytes, by its specification.
const (
	minWebhookSecret = 24
	maxWebhookSecret = 64
)

// AccountsHTTP is the merchant's billing, which is asked for accounts.
type AccountsHTTP struct {
	URL        string        `yaml:"url,omitempty"`         // has {customer_id}, which is escaped
	Secret     Secret        `yaml:"secret,omitempty"`      // whsec_ and base64; signs the requests
	SecretFile string        `yaml:"secret_file,omitempty"` // where Secret was read from, else empty
	Timeout    time.Duration `yaml:"timeout" validate:"min=50ms,max=2500ms"`
	Cache      time.Duration `yaml:"cache" validate:"min=0,max=10m"` // how long an answer is used without asking again
	Stale      time.Duration `yaml:"stale" validate:"min=0"`         // how old a record may be that is used while billing fails
}

func (r *rules) accountSource() {
	source := &r.config.Accounts.HTTP
	if r.config.Accounts.Source != SourceHTTP {
		return
	}
	r.accountURL("accounts.http.url", source.URL)
	source.Secret = r.keySecret(WebhookSecrets, "accounts.http", source.Secret, source.SecretFile)
	if !source.Secret.IsZero() {
		r.webhookSecret("accounts.http.secret", source.Secret)
	}
}

// webhookSecret checks a secret of Standard Webhooks: whsec_ and 24 to 64 bytes in base64.
func (r *rules) webhookSecret(key string, secret Secret) {
	encoded, found := strings.CutPrefix(secret.Reveal(), webhookSecretPrefix)
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil || len(raw) < minWebhookSecret || len(raw) > maxWebhookSecret {
		r.problem(key, fmt.Sprintf("must be %s and %d to %d bytes in base64; make one with: echo whsec_$(openssl rand -base64 32)",
			webhookSecretPrefix, minWebhookSecret, maxWebhookSecret))
	}
}

// accountURL checks billing's address: the customer's id belongs into its path or query, and everything else is fixed.
func (r *rules) accountURL(key, text string) {
	where, _, found := strings.Cut(text, CustomerIDPlaceholder)
	switch {
	case text == "":
		r.problem(key, "is missing; give billing's address, such as https://billing.example.kz/accounts/"+CustomerIDPlaceholder)
		return
	case !found:
		r.problem(key, "must have "+CustomerIDPlaceholder+", in whose place the customer's id is put")
		return
	}
	base, err := url.Parse(where)
	if err != nil || base.Path == "" {
		r.problem(key, "must be a URL such as https://billing.example.kz/accounts/"+CustomerIDPlaceholder+", with the id in its path or query")
		return
	}
	r.baseURL(key, base.Scheme+"://"+base.Host)
	if base.User != nil || strings.Contains(text, "#") || !isVisible(text) || len(text) > maxBaseURL {
		r.problem(key, "must be a URL without user and fragment")
	}
}
