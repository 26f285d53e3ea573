package highhelp

import (
	"slices"
	"strings"

	"tolem/config"
	"tolem/topup"
)

// Method is one of the provider's pages, with what it takes.
type Method = config.HighHelpMethod

// Catalogue knows which pay-ins the provider's pages take. It is safe for
// concurrent use.
type Catalogue struct {
	methods     []Method
	development bool
}

// NewCatalogue makes a catalogue of the configured methods. In development
// redirects may lead to loopback addresses over http.
func NewCatalogue(methods []Method, environment string) *Catalogue {
	return &Catalogue{methods: slices.Clone(methods), development: environment == config.Development}
}

// Fitting are the methods of a currency, a country and a widget method. What is
// empty fits all.
func (c *Catalogue) Fitting(currency, country, widgetMethod string) []Method {
	return keep(c.methods, func(m Method) bool {
		return (currency == "" || m.Currency == currency) &&
			(country == "" || m.Country == country) &&
			(widgetMethod == "" || slices.Contains(m.WidgetMethods, widgetMethod))
	})
}

// CanConfirm reports whether a pay-in of that currency can be confirmed and
// cancelled. Without a widget method it can if any method of the currency can,
// since the payer chooses.
func (c *Catalogue) CanConfirm(currency, widgetMethod string) bool {
	return currency != "" && slices.ContainsFunc(c.Fitting(currency, "", widgetMethod), func(m Method) bool { return m.Confirm })
}

// Check refuses a request that breaks a rule of the provider or fits none of
// the methods, with a *[topup.Error] of [topup.KindInvalid]. Its field is the
// one of the merchant's API, and its message lists what does fit.
//
// The request that it returns is complete: it has a lifetime, the method's
// language where none is asked for, and no sender that says nothing. It is this
// one that is to be sent.
func (c *Catalogue) Check(r PayinRequest) (PayinRequest, error) {
	if err := c.checkFields(r); err != nil {
		return PayinRequest{}, err
	}
	if r.Sender != nil && r.Sender.BankSymbol == "" {
		r.Sender = nil
	}
	fitting, err := c.fit(r)
	if err != nil {
		return PayinRequest{}, err
	}
	if r.Payment.Lifetime == 0 {
		r.Payment.Lifetime = MaxLifetime
	}
	if r.Customer.Language == "" {
		r.Customer.Language = commonLanguage(fitting)
	}
	return r, nil
}

// fit gives the methods that take the request. There is at least one.
func (c *Catalogue) fit(r PayinRequest) ([]Method, error) {
	fitting := c.Fitting(r.Payment.Currency, "", "")
	if len(fitting) == 0 {
		return nil, topup.Invalid("currency", "must be one of %s", list(c.methods, func(m Method) []string { return []string{m.Currency} }))
	}
	inCountry := c.Fitting(r.Payment.Currency, r.Customer.Country, "")
	if len(inCountry) == 0 {
		return nil, topup.Invalid("payer.country", "must be one of %s for %s", list(fitting, func(m Method) []string { return []string{m.Country} }), r.Payment.Currency)
	}
	fitting = c.Fitting(r.Payment.Currency, r.Customer.Country, r.Payment.WidgetMethod)
	if len(fitting) == 0 {
		return nil, topup.Invalid("widget_method", "must be one of %s for %s in %s, or left out", widgetMethods(inCountry), r.Payment.Currency, r.Customer.Country)
	}
	return fitExtras(r, inCountry, fitting)
}

// fitExtras keeps the methods that take what only some of them do.
func fitExtras(r PayinRequest, inCountry, fitting []Method) ([]Method, error) {
	takesType := func(m Method) bool { return m.CustomerType }
	if r.Customer.CustomerType != "" {
		if fitting = keep(fitting, takesType); len(fitting) == 0 {
			return nil, extra("payer.customer_type", keep(inCountry, takesType))
		}
	}
	takesSender := func(m Method) bool { return m.Sender }
	if r.Sender != nil {
		if fitting = keep(fitting, takesSender); len(fitting) == 0 {
			return nil, extra("sender.bank_symbol", keep(inCountry, takesSender))
		}
	}
	return fitting, nil
}

// extra refuses a field that the chosen method does not take.
func extra(field string, takers []Method) error {
	if len(takers) == 0 {
		return topup.Invalid(field, "must be left out: no method of this currency and country takes it")
	}
	return topup.Invalid(field, "must be left out with this widget_method; it is taken with %s", widgetMethods(takers))
}

// commonLanguage is the language that all of the methods begin in, empty if
// they differ: the provider then takes its own default.
func commonLanguage(methods []Method) string {
	language := methods[0].DefaultLanguage
	if slices.ContainsFunc(methods, func(m Method) bool { return m.DefaultLanguage != language }) {
		return ""
	}
	return language
}

func widgetMethods(methods []Method) string {
	return list(methods, func(m Method) []string { return m.WidgetMethods })
}

// list names what methods have, each once and in their order.
func list(methods []Method, have func(Method) []string) string {
	var names []string
	for _, m := range methods {
		for _, name := range have(m) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ", ")
}

func keep(methods []Method, holds func(Method) bool) []Method {
	var kept []Method
	for _, m := range methods {
		if holds(m) {
			kept = append(kept, m)
		}
	}
	return kept
}
