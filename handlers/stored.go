package handlers

import (
	"fmt"

	"tolem/highhelp"
	"tolem/signing"
	"tolem/store"
	"tolem/topup"
)

// ReadStored reads a provider's stored message anew, for an operator's step. Its
// signature was verified when it arrived. It works without the project's
// configuration, which may be gone: what the methods of the project decide does
// not matter here.
func ReadStored(m store.StoredMessage, body []byte) (topup.Event, error) {
	if m.Source == topup.SourceInfo && m.Provider == highhelp.Provider {
		info, err := highhelp.ParseInfo(body)
		if err != nil {
			return topup.Event{}, topup.Conflict("this stored answer cannot be read: %s", err)
		}
		return highhelp.SaidOf(m.Project, info, m.ReceivedAt).Event(m.Source, topup.MaxOverLimit), nil
	}
	b, err := signing.Parse(body)
	if err != nil {
		return topup.Event{}, fmt.Errorf("parse the stored message: %w", err)
	}
	defer b.Release()
	switch {
	case m.Provider == highhelp.Provider && m.Source == topup.SourceAlert:
		return saidOf(b, m.Project).Event(m.Source, topup.MaxOverLimit), nil
	case m.Provider == provider && m.Source == topup.SourceCallback:
		return eventOf(b, &project{id: m.Project}, claimOf(b)), nil
	}
	return topup.Event{}, topup.Conflict("this message tells of no money: it is an answer that we asked for")
}
