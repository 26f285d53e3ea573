package handlers

import (
	"bytes"
	"encoding/json"

	"tolem/view"
)

// The pages of the admin API, around the records of package view.

type paymentPage struct {
	Payments   []view.Payment `json:"payments"`
	NextCursor *string        `json:"next_cursor"`
}

type transactionPage struct {
	Transactions []view.Transaction `json:"transactions"`
}

type balancePage struct {
	Accounts   []view.Balance `json:"accounts"`
	NextCursor *string        `json:"next_cursor"`
	// Total is all debits less all credits of the whole book: 0 per currency.
	Total map[string]int64 `json:"total"`
}

// orNull is a cursor, null where there is no further page.
func orNull(cursor string) *string {
	if cursor == "" {
		return nil
	}
	return &cursor
}

func marshal(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return buffer.Bytes(), err
}
