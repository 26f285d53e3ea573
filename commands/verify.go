package commands

import (
	"fmt"

	"tolem/signing"
)

// verifyCommand checks a body's signature.
type verifyCommand struct {
	keyFlags
	File string `arg:"" optional:"" default:"-" help:"The signed body; - or nothing: standard input."`
}

// Help is shown by --help.
func (verifyCommand) Help() string {
	return `Prints "valid" and exits 0 if one of the secrets made the signature; otherwise says why not and exits 1.

Example:

  tolem verify --project 1234 callback.json
  tolem sign --secret s body.json | tolem verify --secret s`
}

// Run verifies.
func (c *verifyCommand) Run(p *program) error {
	keys, err := c.keys(p)
	if err != nil {
		return err
	}
	data, err := p.readBody(c.File)
	if err != nil {
		return err
	}
	body, err := signing.Parse(data)
	if err != nil {
		return fmt.Errorf("not valid: %w", err)
	}
	defer body.Release()
	if _, err := body.Verify(keys...); err != nil {
		return fmt.Errorf("not valid: %w", err)
	}
	return p.println("valid")
}
