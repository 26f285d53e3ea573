package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// general names a payment (HighHelp, request bodies, "general").
type general struct {
	ProjectID   string `json:"project_id"`
	PaymentID   string `json:"payment_id"`
	CallbackURL string `json:"merchant_callback_url"`
	SuccessURL  string `json:"merchant_success_callback_url"`
	DeclineURL  string `json:"merchant_decline_callback_url"`
	RedirectURL string `json:"redirect_url"`
}

// request is the body of any call.
type request struct {
	General *general `json:"general"`
	Payment *struct {
		Amount       int64  `json:"amount"`
		Currency     string `json:"currency"`
		Lifetime     *int64 `json:"lifetime"`
		Description  string `json:"description"`
		ExtraParam   string `json:"extra_param"`
		WidgetMethod string `json:"widget_method"`
	} `json:"payment"`
	Sender *struct {
		BankSymbol string `json:"bank_symbol"`
	} `json:"sender"`
	Customer *struct {
		ID           string `json:"id"`
		IPAddress    string `json:"ip_address"`
		Country      string `json:"country"`
		Language     string `json:"language"`
		CustomerType string `json:"customer_type"`
		Email        string `json:"email"`
	} `json:"customer"`
}

// The bounds of a request (HighHelp, "Creating an application").
const (
	maxAmount       = 10_000_000_000_000 // minor units
	maxID           = 255
	maxURL          = 2048
	maxText         = 255
	maxCode         = 32
	minLifetime     = 300 // seconds
	defaultLifetime = 600 // and the longest
)

var (
	currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)
	countryCode  = regexp.MustCompile(`^[A-Z]{2}$`)
	languageCode = regexp.MustCompile(`^[a-z]{2}$`)
	extraParam   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}$`)
	customerType = regexp.MustCompile(`^(ftd|trust)$`)
)

// decodeRequest reads a body that is known to be strict JSON. A member that the
// pages do not have is refused: it is more likely misspelt than new.
func decodeRequest(body []byte) (*request, error) {
	var r request
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return &r, nil
}

// fields collects what breaks a rule; only the first is kept.
type fields struct{ problem error }

func (f *fields) rule(ok bool, field, must string) {
	if !ok && f.problem == nil {
		f.problem = fmt.Errorf("%s: must be %s", field, must)
	}
}

func (f *fields) pattern(p *regexp.Regexp, text, field string) {
	f.rule(p.MatchString(text), field, "of the form "+p.String())
}

func (f *fields) text(text string, most int, field string) {
	f.rule(utf8.RuneCountInString(text) <= most, field, fmt.Sprintf("at most %d characters", most))
}

func (f *fields) url(text, field string) {
	f.rule(text == "" || isURL(text), field, fmt.Sprintf("an https URL of at most %d characters (http on a loopback address)", maxURL))
}

// isURL accepts https anywhere, and http on a loopback address: the sandbox is
// for development.
func isURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || u.Hostname() == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// checkNamed are the rules of info, confirm and cancel.
func (r *request) checkNamed() error {
	var f fields
	f.rule(r.Payment == nil && r.Sender == nil && r.Customer == nil, "general", "the only member of this request")
	f.rule(*r.General == general{ProjectID: r.General.ProjectID, PaymentID: r.General.PaymentID}, "general", "project_id and payment_id alone in this request")
	f.paymentID(r.General.PaymentID)
	return f.problem
}

func (f *fields) paymentID(id string) {
	f.rule(id != "", "general.payment_id", "given")
	f.text(id, maxID, "general.payment_id")
}

// check are the rules of a new pay-in, and of the scenario that it belongs to.
// The scenario is nil if the payer has to choose the method.
func (r *request) check() (*scenario, method, error) {
	var f fields
	f.general(r.General)
	f.rule(r.Payment != nil, "payment", "given")
	f.rule(r.Customer != nil, "customer", "given")
	if f.problem != nil {
		return nil, method{}, f.problem
	}
	f.payment(r)
	f.customer(r)
	if f.problem != nil {
		return nil, method{}, f.problem
	}
	return r.scenario()
}

func (f *fields) general(g *general) {
	f.paymentID(g.PaymentID)
	f.url(g.CallbackURL, "general.merchant_callback_url")
	f.url(g.SuccessURL, "general.merchant_success_callback_url")
	f.url(g.DeclineURL, "general.merchant_decline_callback_url")
	f.url(g.RedirectURL, "general.redirect_url")
}

func (f *fields) payment(r *request) {
	p := r.Payment
	f.rule(p.Amount >= 1 && p.Amount <= maxAmount, "payment.amount", fmt.Sprintf("between 1 and %d", int64(maxAmount)))
	f.pattern(currencyCode, p.Currency, "payment.currency")
	f.rule(p.Lifetime == nil || *p.Lifetime >= minLifetime && *p.Lifetime <= defaultLifetime, "payment.lifetime", fmt.Sprintf("between %d and %d seconds", minLifetime, defaultLifetime))
	f.text(p.Description, maxText, "payment.description")
	f.rule(p.ExtraParam == "" || extraParam.MatchString(p.ExtraParam), "payment.extra_param", "of the form "+extraParam.String())
	f.text(p.WidgetMethod, maxCode, "payment.widget_method")
	if r.Sender != nil {
		f.text(r.Sender.BankSymbol, maxCode, "sender.bank_symbol")
	}
}

func (f *fields) customer(r *request) {
	c := r.Customer
	f.rule(c.ID != "", "customer.id", "given")
	f.text(c.ID, maxID, "customer.id")
	_, err := netip.ParseAddr(c.IPAddress)
	f.rule(err == nil, "customer.ip_address", "an IP address")
	f.pattern(countryCode, c.Country, "customer.country")
	f.rule(c.Language == "" || languageCode.MatchString(c.Language), "customer.language", "of the form "+languageCode.String())
	f.rule(c.CustomerType == "" || customerType.MatchString(c.CustomerType), "customer.customer_type", "of the form "+customerType.String())
	f.text(c.Email, maxText, "customer.email")
	if c.Email != "" {
		_, err := mail.ParseAddress(c.Email)
		f.rule(err == nil, "customer.email", "an e-mail address")
	}
}

// scenario finds the page that the request belongs to.
func (r *request) scenario() (*scenario, method, error) {
	currency, widget := r.Payment.Currency, r.Payment.WidgetMethod
	if len(scenariosOf(currency)) == 0 {
		return nil, method{}, fmt.Errorf("payment.currency: %s is not played; KZT, KGS and TJS are", currency)
	}
	if widget == "" {
		return nil, method{}, nil
	}
	played, chosen, ok := choose(currency, widget)
	if !ok {
		return nil, method{}, fmt.Errorf("payment.widget_method: %q is none for %s", widget, currency)
	}
	var f fields
	f.rule(!played.Mobile || r.Sender == nil, "sender", "left out with "+chosen.Widget)
	f.rule(!played.Mobile || r.Customer.CustomerType == "", "customer.customer_type", "left out with "+chosen.Widget)
	return played, chosen, f.problem
}
