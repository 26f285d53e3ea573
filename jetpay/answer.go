package jetpay

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// The codes of answers (JetPay Gate, "Applicable response codes"), but for 0, which is a
// success.
const (
	CodeSignature = 400 // the signature is wrong, or the message cannot be read
	CodeNoAccount = 404
	CodeGeneral   = 500
)

// Offer answers verify: the account and its contracts.
type Offer struct {
	Currency             string
	Entities             []byte // the JSON array of the contracts
	AdditionalCustomerID string
}

// AppendOffer appends the answer to a verify whose account exists.
func AppendOffer(dst []byte, o Offer) []byte {
	dst = append(dst, `{"code":0,"currency":`...)
	dst = appendText(dst, o.Currency)
	dst = append(dst, `,"entities":`...)
	dst = append(dst, o.Entities...)
	dst = append(dst, `,"additional_customer_id":`...)
	dst = appendText(dst, o.AdditionalCustomerID)
	return append(dst, '}')
}

// AppendIssued appends the answer to a check_deposit that was accepted.
func AppendIssued(dst []byte, paymentID string) []byte {
	dst = append(dst, `{"code":0,"payment_id":`...)
	dst = appendText(dst, paymentID)
	return append(dst, `,"description":"Success"}`...)
}

// AppendStored appends the answer to a callback that is on disk.
func AppendStored(dst []byte) []byte { return append(dst, `{"code":0}`...) }

// AppendError appends the answer to a message that was not carried out.
func AppendError(dst []byte, code int, message string) []byte {
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(code), 10)
	dst = append(dst, `,"message":`...)
	dst = appendText(dst, message)
	return append(dst, '}')
}

// appendText appends a JSON string. Invalid UTF-8, which no checked text has,
// is written as replacement characters.
func appendText(dst []byte, text string) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}
