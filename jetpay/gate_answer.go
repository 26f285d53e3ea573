package jetpay

import (
	"fmt"
	"net/http"
	"strings"

	"tolem/signing"
	"tolem/topup"
)

// gateUnknown is the platform's code for a payment that it does not know
// (JetPay Gate, payment status).
const gateUnknown = "3061"

// maxGateOperations bounds how many operations of an answer are read.
const maxGateOperations = 100

// GateStatus is what the platform knows of a payment.
type GateStatus string

const (
	GateSucceeded GateStatus = "succeeded" // it was paid, and not all of it went back
	GateOther     GateStatus = "other"     // it is known, and was not paid, or not yet
	GateUnknown   GateStatus = "unknown"   // it is not known to the platform
)

// GateAnswer is what the Gate responded about a payment. Texts are the platform's
// own, for people to read.
type GateAnswer struct {
	HTTPStatus  int
	Status      GateStatus // empty beside an error
	StatusValue string     // payment.status
	Operation   string     // of the sale
	Sum         topup.Money
	PaidBack    topup.Money // by its refunds and reversals; zero when it does not say
	Code        string      // of a refusal, else of the sale
	Message     string
}

// HasText reports whether there is anything in the answer for people to read.
func (a GateAnswer) HasText() bool { return a.StatusValue != "" || a.Code != "" || a.Message != "" }

// gateText returns a string or a number of an answer, for people to read.
func gateText(b *signing.Body, paths ...string) string {
	for _, path := range paths {
		v, _ := b.Lookup(path)
		if text := v.StringOrNumber(); text != "" {
			return topup.Shown(text)
		}
	}
	return ""
}

// readGate reads an answer. Anything but a clear status is an error; the reason
// that it gives is in the error and in the answer.
func readGate(status int, answer []byte, paymentID string) (GateAnswer, error) {
	a := GateAnswer{HTTPStatus: status}
	b, err := signing.Parse(answer)
	if err != nil {
		return a, refusedBy(a, false, "the answer is no JSON, so it is not the Gate's own")
	}
	defer b.Release()
	refusal := GateAnswer{
		HTTPStatus: status,
		Code:       gateText(b, "code", "error:code", "errors:0:code"),
		Message:    gateText(b, "message", "error:message", "error:description", "errors:0:message", "errors:0:description", "description"),
	}
	for _, path := range [...]string{"code", "error:code", "errors:0:code"} {
		if gateText(b, path) == gateUnknown {
			refusal.Status = GateUnknown
			return refusal, nil
		}
	}
	shown := gateText(b, "payment:status")
	switch {
	case status != http.StatusOK:
		return refusal, refusedBy(refusal, isAboutPayment(status), "")
	case shown == "":
		return refusal, refusedBy(refusal, true, "it has no payment.status")
	case b.Has("payment:id") && gateText(b, "payment:id") != paymentID:
		return a, refusedBy(a, true, "it is about another payment")
	}
	a.StatusValue, a.Status = shown, gateStatusOf(shown)
	sale := saleIn(b)
	a.Sum, a.PaidBack = sale.sum, paidBackIn(b, sale.sum)
	if sale.at != "" {
		a.Operation, a.Code, a.Message = gateText(b, sale.at+":id"), gateText(b, sale.at+":code"), gateText(b, sale.at+":message")
	}
	return a, nil
}

// gateStatusOf: money that went back in part was paid, too, and the rest of it is
// still the customer's.
func gateStatusOf(status string) GateStatus {
	switch status {
	case "success", "partially refunded", "partially reversed":
		return GateSucceeded
	}
	return GateOther
}

// sale is the operation that brought the money.
type sale struct {
	at  string // its path, empty if there is none
	sum topup.Money
}

// saleIn finds the sale that succeeded, and what it was for. After a refund
// payment.sum is what is left: it counts only where no operation is listed.
// Several sales have no one sum.
func saleIn(b *signing.Body) sale {
	var found sale
	n := 0
	read := func(path string) {
		if gateText(b, path+":type") == "sale" && gateText(b, path+":status") == "success" {
			n++
			found = sale{at: path, sum: sumAt(b, path+":sum_initial")}
		}
	}
	read("operation")
	for i := range maxGateOperations {
		path := fmt.Sprintf("operations:%d", i)
		if !b.Has(path) {
			break
		}
		read(path)
	}
	switch {
	case n == 0:
		return sale{sum: sumAt(b, "payment:sum")}
	case n > 1:
		return sale{}
	}
	return found
}

// paidBackIn adds up what the refunds and reversals that succeeded gave back, zero
// for none, or when one of them cannot be read or is in another currency. Where none
// is listed it is what payment.sum lacks to the sale's sum.
func paidBackIn(b *signing.Body, sold topup.Money) topup.Money {
	var total topup.Money
	listed, readable := map[string]bool{}, true
	read := func(path string) {
		id := gateText(b, path+":id")
		if !paysBack(gateText(b, path+":type")) || gateText(b, path+":status") != "success" || listed[id] {
			return
		}
		listed[id] = true
		sum := sumAt(b, path+":sum_initial")
		amount, err := topup.Add(total.Amount, sum.Amount)
		if sum.IsZero() || err != nil || !total.IsZero() && sum.Currency != total.Currency {
			readable = false
			return
		}
		total = topup.Money{Amount: amount, Currency: sum.Currency}
	}
	read("operation")
	for i := range maxGateOperations {
		path := fmt.Sprintf("operations:%d", i)
		if !b.Has(path) {
			break
		}
		read(path)
	}
	switch left := sumAt(b, "payment:sum"); {
	case !readable:
		return topup.Money{}
	case len(listed) > 0:
		return total
	case strings.HasPrefix(gateText(b, "payment:status"), "partially ") && left.Currency == sold.Currency && left.Amount < sold.Amount:
		return topup.Money{Amount: sold.Amount - left.Amount, Currency: sold.Currency}
	}
	return topup.Money{}
}

// sumAt returns a sum, the zero one if it cannot be read.
func sumAt(b *signing.Body, path string) topup.Money {
	amount, _ := b.Lookup(path + ":amount")
	currency, _ := b.Lookup(path + ":currency")
	sum, _ := moneyOf(moneyMembers{amount, currency})
	return sum
}

// isAboutPayment reports whether a refusal can be about the one payment: not that
// of a Gate that fails, is busy or elsewhere, nor of one that refuses us
// altogether.
func isAboutPayment(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status <= 499
}
