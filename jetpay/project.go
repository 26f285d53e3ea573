package jetpay

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"tolem/config"
	"tolem/signing"
)

// Project is a JetPay project of the merchant.
type Project struct {
	ID              string   // digits
	Index           int      // of the project in the configuration, and in [Projects.All]
	PaymentMethods  []string // that check_deposit accepts
	keys            []*signing.Key
	callbackMethods []string
}

// SignAnswer puts a signature into an answer to a message of the project.
func (p *Project) SignAnswer(answer []byte) ([]byte, error) { return signing.Embed(answer, p.keys[0]) }

// Projects finds whose key has signed a message.
type Projects struct {
	all  []*Project
	byID map[string]*Project
	// decoys are tried for a project that is not configured, so that the time
	// an answer takes does not reveal which are.
	decoys []*signing.Key
}

// NewProjects makes the projects that are configured.
func NewProjects(list []config.Project) (*Projects, error) {
	ps := &Projects{byID: make(map[string]*Project, len(list))}
	most := 0
	for i, c := range list {
		p, err := NewProject(c)
		if err != nil {
			return nil, err
		}
		p.Index = i
		most = max(most, len(p.keys))
		ps.all = append(ps.all, p)
		ps.byID[p.ID] = p
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

// NewProject makes a single project.
func NewProject(c config.Project) (*Project, error) {
	p := &Project{
		ID:              strconv.FormatInt(c.ID, 10),
		PaymentMethods:  slices.Clone(c.PaymentMethods),
		callbackMethods: slices.Clone(c.CallbackMethods),
	}
	for _, secret := range c.Secrets {
		key, err := signing.NewKey(secret.Reveal())
		if err != nil {
			return nil, fmt.Errorf("project %s: %w", p.ID, err)
		}
		p.keys = append(p.keys, key)
	}
	if len(p.keys) == 0 {
		return nil, fmt.Errorf("project %s has no secret", p.ID)
	}
	return p, nil
}

// All are the projects, in the order of the configuration.
func (ps *Projects) All() []*Project { return ps.all }

// Has reports whether a project is configured.
func (ps *Projects) Has(id string) bool { return ps.byID[id] != nil }

// Verify returns the project whose key has signed the message. A message that
// names no project is tried with the keys of all, and must be exactly one's.
// The error is a [signing.SenderError].
func (ps *Projects) Verify(m Message) (*Project, error) {
	if !m.claim.readable {
		return ps.search(m.body)
	}
	p := ps.byID[string(m.claim.value.Bytes())]
	if p == nil {
		reason := signing.ReasonUnknownProject
		if _, err := m.body.Verify(ps.decoys...); errors.Is(err, signing.ErrNotSigned) {
			reason = signing.ReasonNotSigned
		}
		return nil, &signing.SenderError{Reason: reason}
	}
	if _, err := m.body.Verify(p.keys...); err != nil {
		return nil, &signing.SenderError{Reason: signing.ReasonOf(err)}
	}
	return p, nil
}

func (ps *Projects) search(b *signing.Body) (*Project, error) {
	var found *Project
	for _, p := range ps.all {
		_, err := b.Verify(p.keys...)
		if errors.Is(err, signing.ErrNotSigned) {
			return nil, &signing.SenderError{Reason: signing.ReasonNotSigned}
		}
		if err != nil {
			continue
		}
		if found != nil {
			return nil, &signing.SenderError{Reason: signing.ReasonNoProject}
		}
		found = p
	}
	if found == nil {
		return nil, &signing.SenderError{Reason: signing.ReasonNoProject}
	}
	return found, nil
}
