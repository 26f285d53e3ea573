// Package adapters picks the provider's package for a message that is stored:
// operators' steps read a message anew, whoever calls.
package adapters

import (
	"tolem/highhelp"
	"tolem/jetpay"
	"tolem/store"
	"tolem/topup"
)

// ReadStored parses a stored message again, as its provider's package read it when
// it arrived. The error is of KindConflict for a message that tells of no money.
func ReadStored(m store.StoredMessage, body []byte) (topup.Event, error) {
	switch {
	case m.Provider == highhelp.Provider && m.Source == topup.SourceInfo:
		return highhelp.ReadStoredInfo(m.Project, body, m.ReceivedAt)
	case m.Provider == highhelp.Provider && m.Source == topup.SourceAlert:
		return highhelp.ReadStoredAlert(m.Project, body)
	case m.Provider == jetpay.Provider && m.Source == topup.SourceCallback:
		return jetpay.ReadStored(m.Project, body)
	}
	return topup.Event{}, topup.Conflict("this message tells of no money: it is an answer that we asked for")
}
