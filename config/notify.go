package config

import (
	"fmt"
	"net/url"
)

// maxEndpoints bounds the receivers of notifications: each is written to the database with every notification.
const maxEndpoints = 8

// Endpoint is one of the merchant's own systems that is notified of what happens to money.
type Endpoint struct {
	Name string `yaml:"name" validate:"name"` // unique; what was delivered is kept under it
	URL  string `yaml:"url"`                  // https, except on loopback addresses in development

	// Secrets are all live secrets of Standard Webhooks: those of the file in their order, then those of SecretFiles in
	// theirs. Each signs.
	Secrets     []Secret `yaml:"secrets,omitempty"`
	SecretFiles []string `yaml:"secret_files,omitempty"`

	Events []string `yaml:"events,omitempty" validate:"unique,dive,oneof=topup.succeeded topup.resolved topup.refunded topup.reversed topup.declined topup.expired topup.review payout.posted"` // the types it gets; absent: all
}

func (r *rules) endpoints() {
	names := map[string]int{}
	if len(r.config.Notify) > maxEndpoints {
		r.problem("notify", fmt.Sprintf("has more than %d endpoints; let one of them pass notifications on", maxEndpoints))
	}
	for i := range r.config.Notify {
		endpoint := &r.config.Notify[i]
		key := fmt.Sprintf("notify[%d]", i)
		if first, taken := names[endpoint.Name]; taken {
			r.problem(key+".name", fmt.Sprintf("is the name of notify[%d] too; give each endpoint its own", first))
		} else {
			names[endpoint.Name] = i
		}
		r.endpointURL(key+".url", endpoint.URL)
		r.endpointSecrets(key, endpoint)
	}
}

func (r *rules) endpointURL(key, text string) {
	target, err := url.Parse(text)
	switch {
	case text == "":
		r.problem(key, "is missing; give the address that notifications are posted to, such as https://billing.example.kz/hooks/tolem")
	case err != nil || target.User != nil || target.Fragment != "" || !isVisible(text) || len(text) > maxBaseURL:
		r.problem(key, "must be a URL such as https://billing.example.kz/hooks/tolem, without user and fragment")
	default:
		r.baseURL(key, target.Scheme+"://"+target.Host)
	}
}

func (r *rules) endpointSecrets(key string, endpoint *Endpoint) {
	if len(endpoint.Secrets)+len(endpoint.SecretFiles) == 0 {
		r.problem(key+".secrets", "give at least one secret, here or in secret_files; make one with: echo whsec_$(openssl rand -base64 32)")
		return
	}
	for i, secret := range endpoint.Secrets {
		r.webhookSecret(fmt.Sprintf("%s.secrets[%d]", key, i), secret)
	}
	for i, path := range endpoint.SecretFiles {
		at := fmt.Sprintf("%s.secret_files[%d]", key, i)
		secret := r.secretFile(WebhookSecrets, at, path)
		if r.need(WebhookSecrets) && !secret.IsZero() {
			r.webhookSecret(at, secret)
		}
		endpoint.Secrets = append(endpoint.Secrets, secret)
	}
}
