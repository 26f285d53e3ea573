package handlers

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tolem/store"
	"tolem/topup"
)

// headerIdempotencyKey is optional: without it every request has an effect of its
// own.
const headerIdempotencyKey = "Idempotency-Key"

const maxIdempotencyKey = 255

// idempotencyKey reads the header, and hashes what is asked for, which order and
// white space of the body play no part in.
func idempotencyKey(x *exchange, asked any) (store.IdempotencyKey, error) {
	given := x.Request().Header.Values(headerIdempotencyKey)
	switch {
	case len(given) == 0:
		return store.IdempotencyKey{}, nil
	case len(given) > 1 || len(given[0]) > maxIdempotencyKey || !isVisible(given[0]):
		return store.IdempotencyKey{}, topup.Invalid(headerIdempotencyKey, "must be given once, with 1 to %d visible ASCII characters", maxIdempotencyKey)
	}
	return store.IdempotencyKey{Token: x.client, Key: given[0], Hash: hashOf(asked)}, nil
}

// asked is what a request asks for: one key is one request of one route.
type asked struct {
	Route string
	ID    string // the path's parameter
	Body  any
}

// hashOf is equal for two requests exactly when they ask for the same.
func hashOf(asked any) []byte {
	canonical, err := json.Marshal(asked)
	if err != nil { // texts and numbers can always be encoded
		panic(fmt.Sprintf("hash a request: %v", err))
	}
	hash := sha256.Sum256(canonical)
	return hash[:]
}

func isVisible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return text != ""
}

// keyInUse names a request that this process works on.
type keyInUse struct{ token, key string }

var errKeyInUse = topup.Conflict("a request with this Idempotency-Key is still running; ask again when it is answered")

// hold keeps a second request out while the first one with its key runs. Another
// server's database transaction keeps it waiting instead. release ends that.
func (s *Server) hold(k store.IdempotencyKey) (release func(), err error) {
	if k.IsZero() {
		return func() {}, nil
	}
	name := keyInUse{k.Token, k.Key}
	if _, running := s.keys.LoadOrStore(name, nil); running {
		return nil, errKeyInUse
	}
	return func() { s.keys.Delete(name) }, nil
}

// repeat answers with what was answered to the first request.
func repeat(x *exchange, a store.Answer) error {
	x.Response().Header().Set("Idempotency-Replayed", "true")
	contentType := echo.MIMEApplicationJSON
	if a.Status >= http.StatusBadRequest {
		contentType = mimeProblem
	}
	return x.Blob(a.Status, contentType, a.Body)
}
