package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"tolem/config"
	"tolem/signing"
	"tolem/topup"
)

// project is a JetPay project of the merchant.
type project struct {
	id              string // digits
	keys            []*signing.Key
	paymentMethods  []string
	callbackMethods []string
	counters        projectCounters
}

// projects finds whose key has signed a message.
type projects struct {
	all  []*project
	byID map[string]*project
	// decoys are tried for a project that is not configured, so that the time
	// an answer takes does not tell which are.
	decoys []*signing.Key
	former *formerProjects
}

func newProjects(list []config.Project, m *Metrics, former *formerProjects) (*projects, error) {
	ps := &projects{byID: make(map[string]*project, len(list)), former: former}
	most := 0
	for _, c := range list {
		p := &project{
			id:              strconv.FormatInt(c.ID, 10),
			paymentMethods:  slices.Clone(c.PaymentMethods),
			callbackMethods: slices.Clone(c.CallbackMethods),
		}
		p.counters = m.project(p.id)
		for _, secret := range c.Secrets {
			key, err := signing.NewKey(secret.Reveal())
			if err != nil {
				return nil, fmt.Errorf("project %s: %w", p.id, err)
			}
			p.keys = append(p.keys, key)
		}
		if len(p.keys) == 0 {
			return nil, fmt.Errorf("project %s has no secret", p.id)
		}
		most = max(most, len(p.keys))
		ps.all = append(ps.all, p)
		ps.byID[p.id] = p
	}
	for range most {
		key, err := signing.NewKey(rand.Text())
		if err != nil {
			return nil, err
		}
		ps.decoys = append(ps.decoys, key)
	}
	return ps, nil
}

// claim is the project that a message says it is of.
type claim struct {
	value    signing.Value
	present  bool
	readable bool
}

// claimOf finds the project's id at the top level, else in general. An object
// or array in its place counts as nothing there: an empty one is not signed.
func claimOf(b *signing.Body) claim {
	for _, path := range [...]string{"project_id", "general:project_id"} {
		v, ok := b.Lookup(path)
		if ok && v.Kind() != signing.KindObject && v.Kind() != signing.KindArray {
			return claim{value: v, present: true, readable: isDigits(v)}
		}
	}
	return claim{}
}

// check refuses a claim that cannot be read.
func (c claim) check() error {
	switch {
	case c.readable:
		return nil
	case c.present:
		return topup.Invalid("project_id", "must be a whole number")
	}
	return topup.Invalid("project_id", "is missing")
}

// nameOf returns the id of the project that is claimed, if it is configured or
// was, or nothing: what anybody may write into a message is not logged.
func (ps *projects) nameOf(c claim) string {
	if !c.readable {
		return ""
	}
	if p := ps.byID[string(c.value.Bytes())]; p != nil {
		return p.id
	}
	if id := c.value.Text(); ps.former.has(provider, id) {
		return id
	}
	return ""
}

// verify returns the project whose key has signed the message. A message that
// names no project is tried with the keys of all, and must be exactly one's.
// The error is a *signatureError.
func (ps *projects) verify(b *signing.Body, c claim) (*project, error) {
	if !c.readable {
		return ps.search(b)
	}
	p := ps.byID[string(c.value.Bytes())]
	if p == nil {
		reason := ps.former.reason(provider, c.value.Text())
		if _, err := b.Verify(ps.decoys...); errors.Is(err, signing.ErrNotSigned) {
			reason = reasonNotSigned
		}
		return nil, &signatureError{reason}
	}
	if _, err := b.Verify(p.keys...); err != nil {
		return nil, &signatureError{reasonOf(err)}
	}
	return p, nil
}

func (ps *projects) search(b *signing.Body) (*project, error) {
	var found *project
	for _, p := range ps.all {
		_, err := b.Verify(p.keys...)
		if errors.Is(err, signing.ErrNotSigned) {
			return nil, &signatureError{reasonNotSigned}
		}
		if err != nil {
			continue
		}
		if found != nil {
			return nil, &signatureError{reasonNoProject}
		}
		found = p
	}
	if found == nil {
		return nil, &signatureError{reasonNoProject}
	}
	return found, nil
}

func reasonOf(err error) signatureReason {
	if errors.Is(err, signing.ErrNotSigned) {
		return reasonNotSigned
	}
	return reasonNoMatch
}
