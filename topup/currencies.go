package topup

import "strings"

// The currencies of ISO 4217, list one of the maintenance agency (SIX), as in
// force since 1 January 2026 (amendments up to the end of the Bulgarian lev; of
// the years before: XCG for ANG, ZWG for ZWL, SLE for SLL, VED beside VES). A
// table of our own, because a library that is brought up to date changes what is
// taken without anybody having decided it. It equals that of bojanz/currency
// 1.5.1, without what nobody can pay with: metals, baskets, units of account and
// funds (XAU, XDR, XAD, CLF, UYI, ...).
//
// To bring it up to date: move a currency that ends to former, add a new one
// with the digits of its minor unit.
const (
	noDigits  = `BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF`
	twoDigits = `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY
		COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
		IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR
		MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG
		SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES
		WST XCD XCG YER ZAR ZMW ZWG`
	threeDigits = `BHD IQD JOD KWD LYD OMR TND`
)

// What versions before this table took as a currency and what is none today.
// Books may hold it, and the provider may still send money of a payment in it:
// it can be read, shown and credited, but no new account or payment has it.
const (
	formerNoDigits   = `BYR UYI XAG XAU XDR`
	formerTwoDigits  = `ANG BGN CUC EEK GGP GHC HRK IMP JEP LTL LVL RUR SKK SLL STD TRL VEF ZWD ZWL`
	formerFourDigits = `CLF`
)

// currency is one that is known: how many digits its minor unit has, and whether
// money can be held in it today.
type currency struct {
	digits int
	valid  bool
}

var currencies = func() map[string]currency {
	all := make(map[string]currency)
	add := func(codes string, c currency) {
		for _, code := range strings.Fields(codes) {
			all[code] = c
		}
	}
	add(noDigits, currency{0, true})
	add(twoDigits, currency{2, true})
	add(threeDigits, currency{3, true})
	add(formerNoDigits, currency{0, false})
	add(formerTwoDigits, currency{2, false})
	add(formerFourDigits, currency{4, false})
	return all
}()
