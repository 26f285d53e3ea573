package store

import (
	"strconv"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tolem/topup"
)

// appendContracts writes contracts as the JSON array that verify passes on, in
// the order of members of the provider's own sample (JetPay, Kaspi Bank,
// "verify"). Ids and numbers have been checked to be UTF-8.
func appendContracts(b []byte, contracts []topup.Contract) []byte {
	b = append(b, '[')
	for i := range contracts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendContract(b, &contracts[i])
	}
	return append(b, ']')
}

func appendContract(b []byte, c *topup.Contract) []byte {
	b = appendText(append(b, `{"id":`...), c.ID)
	b = appendText(append(b, `,"number":`...), c.Number)
	if c.MinPayment != nil {
		b = strconv.AppendInt(append(b, `,"min_payment":`...), *c.MinPayment, 10)
	}
	if c.Payment != nil {
		b = strconv.AppendInt(append(b, `,"payment":`...), *c.Payment, 10)
	}
	if len(c.Info) > 0 {
		b = append(append(b, `,"info":`...), c.Info...)
	}
	if c.Closed {
		b = append(b, `,"closed":true`...)
	}
	return append(b, '}')
}

func appendText(b []byte, text string) []byte {
	// The error is for invalid UTF-8 alone, and even then b is complete.
	b, _ = jsontext.AppendQuote(b, text)
	return b
}

// decodeContracts reads contracts that appendContracts has written.
func decodeContracts(text string) (contracts []topup.Contract, err error) {
	err = jsonv2.Unmarshal([]byte(text), &contracts)
	return contracts, err
}
