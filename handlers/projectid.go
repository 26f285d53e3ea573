package handlers

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// projectID is a project's id in a request: a number for JetPay, a string for
// HighHelp, as in the answers.
type projectID string

// UnmarshalJSONFrom reads a string, or a number as it is written.
func (p *projectID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '"':
		token, err := dec.ReadToken()
		*p = projectID(token.String())
		return err
	case '0':
		value, err := dec.ReadValue()
		*p = projectID(value)
		return err
	}
	return errors.New("must be a string or a number")
}
