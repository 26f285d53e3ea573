package sandbox

import "slices"

// option is something that the payer chooses on the page.
type option struct{ Code, Label string }

// method is one of the provider's payment methods.
type method struct {
	Widget string // widget_method, as the merchant and the page name it
	Code   string // method, as answers and alerts name it
	Label  string
}

// scenario is one of the provider's pages: what is paid how, and how its
// answers and alerts differ from those of the others.
type scenario struct {
	Title    string
	currency string
	country  string
	methods  []method
	anyOther string   // the code of methods that are not listed; empty: there are none
	Banks    []option // or operators
	Mobile   bool     // a phone number and a one-time code; confirm and cancel

	compactID     bool // request_id without hyphens
	created       string
	declined      string // status_description of a refusal
	endsWithForm  bool   // alerts about the end carry integration
	hidesMethod   bool   // a decline carries method, widget_method and payment_system as null
	nullRequisite bool   // recipient_requisites is null, not absent, where there are none
	errorDeclines bool   // an error is sent to the URL for declines, not to the informative one
}

// anotherBank represents the banks whose codes are not on the provider's pages.
var anotherBank = option{"another-bank", "Another bank"}

// scenarios are the provider's four pages. Of the method codes only card-p2p,
// international-card-p2p and mobile-ecom are printed there.
func scenarios() []*scenario {
	return []*scenario{
		{
			Title: "Bank transfer in Kazakhstan", currency: "KZT", country: "KZ",
			methods:  []method{{"payin-p2p-card-international", "international-card-p2p", "Transfer to a card"}},
			anyOther: "international-card-p2p", // the page's list of methods was not readable
			Banks:    []option{{"kaspi-kzt", "Kaspi Bank"}, anotherBank},
			created:  "requisites", declined: "Declined by anti-fraud", endsWithForm: true,
		},
		{
			Title: "Mobile commerce in Kazakhstan", currency: "KZT", country: "KZ", Mobile: true,
			methods: []method{{"payin-ecom-mobile", "mobile-ecom", "From the balance of a phone number"}},
			Banks: []option{
				{"BEELINE", "Beeline"}, {"TELE2", "Tele2"}, {"ALTEL", "Altel"}, {"KCELL", "Kcell"}, {"ACTIV", "Activ"},
			},
			compactID: true, created: "new", declined: "Payment general decline",
		},
		{
			Title: "Bank transfer in Kyrgyzstan", currency: "KGS", country: "KG",
			methods: []method{
				{"payin-p2p-card", "card-p2p", "Transfer to a card"},
				{"payin-p2p-phone", "phone-p2p", "Transfer to a phone number"},
				{"payin-qr-link-p2p", "qr-link-p2p", "Transfer by a QR code"},
			},
			Banks:   []option{{"demir-bank-kgs", "Demir Bank"}, anotherBank},
			created: "requisites", declined: "Declined by anti-fraud", hidesMethod: true,
		},
		{
			Title: "Bank transfer in Tajikistan", currency: "TJS", country: "TJ",
			methods: []method{
				{"payin-p2p-card", "card-p2p", "Transfer to a card"},
				{"payin-p2p-phone", "phone-p2p", "Transfer to a phone number"},
			},
			Banks:   []option{{"dushanbe-city-bank", "Dushanbe City Bank"}, anotherBank},
			created: "requisites", declined: "Declined by anti-fraud", hidesMethod: true, nullRequisite: true, errorDeclines: true,
		},
	}
}

// scenariosOf are those of a currency.
func scenariosOf(currency string) []*scenario {
	return slices.DeleteFunc(scenarios(), func(s *scenario) bool { return s.currency != currency })
}

// choose finds the scenario and the method of a widget method in a currency.
func choose(currency, widget string) (*scenario, method, bool) {
	found := scenariosOf(currency)
	for _, s := range found {
		for _, m := range s.methods {
			if m.Widget == widget {
				return s, m, true
			}
		}
	}
	for _, s := range found {
		if s.anyOther != "" {
			return s, method{Widget: widget, Code: s.anyOther, Label: widget}, true
		}
	}
	return nil, method{}, false
}
