package highhelp

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"tolem/config"
	"tolem/signing"
)

// AlertVerifier proves that an alert is of a project. It is safe for concurrent
// use.
type AlertVerifier struct {
	key     signing.AlertKey // zero: there is none, every alert is refused
	dialect signing.Dialect
	headers config.AlertHeaders
	window  time.Duration // how far from now an alert may have been signed; 0: any time

	mu       sync.Mutex
	reported map[signing.Dialect]bool // dialects that NewDialect has reported
}

// NewAlertVerifier makes the verifier of a project as it is configured.
func NewAlertVerifier(p config.HighHelpProject) (*AlertVerifier, error) {
	key, err := AlertKeyOf(p.AlertKey)
	if err != nil {
		return nil, err
	}
	return &AlertVerifier{
		key: key, dialect: AlertDialectOf(p.AlertDialect), headers: p.AlertHeaders, window: p.AlertWindow,
		reported: make(map[signing.Dialect]bool),
	}, nil
}

// Verify checks the signature of an alert that arrived with these headers at this
// time, and returns the dialect in which it was signed. The error is a
// [signing.SenderError].
func (v *AlertVerifier) Verify(b *signing.Body, header http.Header, received time.Time) (signing.Dialect, error) {
	if v.key.Algorithm() == "" {
		return signing.Dialect{}, &signing.SenderError{Reason: signing.ReasonNoKey}
	}
	signature, timestamp := header.Values(v.headers.Signature), header.Values(v.headers.Timestamp)
	if len(signature) != 1 || len(timestamp) != 1 {
		return signing.Dialect{}, &signing.SenderError{Reason: signing.ReasonNotSigned}
	}
	dialect, err := b.VerifyHighHelp(v.key, signature[0], timestamp[0], v.dialect)
	if err != nil {
		return signing.Dialect{}, &signing.SenderError{Reason: signing.ReasonOf(err)}
	}
	if !v.inWindow(timestamp[0], received) {
		return signing.Dialect{}, &signing.SenderError{Reason: signing.ReasonOutOfWindow}
	}
	return dialect, nil
}

// inWindow reports whether a timestamp, which was signed and so is Unix seconds,
// is near enough to the time at which its alert was received.
func (v *AlertVerifier) inWindow(timestamp string, received time.Time) bool {
	if v.window == 0 {
		return true
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	return err == nil && received.Sub(time.Unix(seconds, 0)).Abs() <= v.window
}

// NewDialect reports whether an operator should read of a dialect that was found
// by trying: the first time, and once more for one that is known in full.
func (v *AlertVerifier) NewDialect(d signing.Dialect) bool {
	if v.dialect.Pinned() {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.reported[d] || len(v.reported) > 0 && !d.Pinned() {
		return false
	}
	v.reported[d] = true
	return true
}
