package highhelp

import (
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"tolem/topup"
)

// How long a payer may take, in seconds (HighHelp, payment.lifetime). The
// longest is also the default.
const (
	MinLifetime = 300
	MaxLifetime = 600
)

const (
	maxURL  = 2048
	maxText = 255 // characters; ids are not held to the 32 that the pages print, since those show longer ones themselves
	maxCode = 32
)

var (
	currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)
	countryCode  = regexp.MustCompile(`^[A-Z]{2}$`)
	languageCode = regexp.MustCompile(`^[a-z]{2}$`)
	extraParam   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}$`)
)

// checkFields applies the provider's rules for single fields.
func (c *Catalogue) checkFields(r PayinRequest) error {
	for _, rule := range []struct {
		field  string
		broken bool
		text   string
	}{
		{"project_id", !isID(r.General.ProjectID), "must be 1 to 255 characters, without control characters"},
		{"payment_id", !isID(r.General.PaymentID), "must be 1 to 255 characters, without control characters"},
		{"public_url", !c.isURL(r.General.CallbackURL), c.urlRule()},
		{"public_url", !c.isURL(r.General.SuccessURL), c.urlRule()},
		{"public_url", !c.isURL(r.General.DeclineURL), c.urlRule()},
		{"redirect_url", !c.isURL(r.General.RedirectURL), c.urlRule()},
		{"amount", r.Payment.Amount < 1 || r.Payment.Amount > topup.MaxAmount, "must be 1 to 10000000000000, in minor units"},
		{"currency", !currencyCode.MatchString(r.Payment.Currency), "must be three capital letters, such as KZT"},
		{"lifetime", !isLifetime(r.Payment.Lifetime), "must be 300 to 600, in seconds; left out, it is 600"},
		{"description", !isText(r.Payment.Description, maxText), "must be at most 255 characters of UTF-8"},
		{"extra_param", !isOptional(r.Payment.ExtraParam, extraParam.MatchString), "must be 1 to 16 letters, digits, '_' or '-'"},
		{"widget_method", !isCode(r.Payment.WidgetMethod), "must be at most 32 visible characters without spaces"},
		{"sender.bank_symbol", r.Sender != nil && !isCode(r.Sender.BankSymbol), "must be at most 32 visible characters without spaces"},
		{"payer.id", !isID(r.Customer.ID), "must be 1 to 255 characters, without control characters"},
		{"payer.ip_address", !isIP(r.Customer.IPAddress), "must be an IPv4 or IPv6 address"},
		{"payer.country", !countryCode.MatchString(r.Customer.Country), "must be two capital letters, such as KZ"},
		{"payer.language", !isOptional(r.Customer.Language, languageCode.MatchString), "must be two small letters, such as kk"},
		{"payer.customer_type", !isOptional(r.Customer.CustomerType, isCustomerType), "must be ftd or trust"},
		{"payer.email", !isOptional(r.Customer.Email, isEmail), "must be an e-mail address of at most 255 characters"},
	} {
		if rule.broken {
			return topup.Invalid(rule.field, "%s", rule.text)
		}
	}
	return nil
}

// isOptional reports whether a text is left out or holds.
func isOptional(text string, holds func(string) bool) bool { return text == "" || holds(text) }

func isText(text string, limit int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit
}

func isID(id string) bool {
	return id != "" && isText(id, maxText) && !strings.ContainsFunc(id, unicode.IsControl)
}

// isCode reports whether a text can be one of the provider's codes, or none.
// Banks and operators are an open list.
func isCode(code string) bool {
	return isText(code, maxCode) && !strings.ContainsFunc(code, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) })
}

func isLifetime(seconds int64) bool {
	return seconds == 0 || seconds >= MinLifetime && seconds <= MaxLifetime
}

func isCustomerType(text string) bool { return text == "ftd" || text == "trust" }

// isIP refuses zones, which mean something on one machine only.
func isIP(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Zone() == "" && len(text) <= maxText
}

// isEmail takes an address alone, without a name and without comments.
func isEmail(text string) bool {
	if !isText(text, maxText) {
		return false
	}
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text
}

func (c *Catalogue) isURL(text string) bool {
	return text == "" || isURL(text, c.development)
}

func (c *Catalogue) urlRule() string {
	if c.development {
		return "must be an https URL of at most 2048 visible characters (http for loopback addresses, in development only)"
	}
	return "must be an https URL of at most 2048 visible characters"
}

// isURL reports whether a text is an absolute https URL, or an http one of a
// loopback address where that is allowed.
func isURL(text string, loopback bool) bool {
	if len(text) > maxURL || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Hostname() == "" {
		return false
	}
	return parsed.Scheme == "https" || loopback && parsed.Scheme == "http" && isLoopback(parsed.Hostname())
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
