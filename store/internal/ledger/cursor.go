package ledger

import (
	"encoding/base64"
	"strings"

	"tolem/topup"
)

// EncodeCursor joins the parts of a cursor, which is opaque to whoever carries it.
func EncodeCursor(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, "\n")))
}

func DecodeCursor(cursor string, parts int) ([]string, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return nil, ErrCursor()
	}
	list := strings.Split(string(text), "\n")
	if len(list) != parts {
		return nil, ErrCursor()
	}
	return list, nil
}

// ErrCursor refuses a cursor.
func ErrCursor() error {
	return topup.Invalid("cursor", "must be the next_cursor of the page before")
}

// PageSize is a limit as asked for, within its bounds.
func PageSize(limit, normal, largest int) (int, error) {
	if limit == 0 {
		return normal, nil
	}
	if limit < 1 || limit > largest {
		return 0, topup.Invalid("limit", "must be between 1 and %d", largest)
	}
	return limit, nil
}
