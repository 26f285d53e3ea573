package simulation

import (
	"fmt"

	"tolem/commands/internal/console"
	"tolem/highhelp"
	"tolem/signing"
)

// VerifyCommand checks a body's signature.
type VerifyCommand struct {
	keyFlags
	Timestamp string `placeholder:"T" help:"HighHelp: the alert's x-access-timestamp."`
	Signature string `placeholder:"S" help:"HighHelp: the alert's x-access-signature."`
	Key       string `placeholder:"FILE" help:"HighHelp: the PEM file with the public key of the alerts; the configuration is not read."`
	File      string `arg:"" optional:"" default:"-" help:"The signed body; - or nothing: standard input."`
}

// Help is shown by --help.
func (VerifyCommand) Help() string {
	return `Prints "valid" and exits 0 if one of the secrets made the signature; otherwise says why not and exits 1.

With --provider highhelp the body is a captured alert; its two headers are given as --timestamp and --signature. Every dialect is tried, and the matching one is printed in the form of the configuration. --secret is then the HMAC key.

Example:

  tolem verify --project 1234 fixtures/jetpay/credit/01-verify.request.json
  echo '{"a":1}' | tolem sign --secret s | tolem verify --secret s
  tolem verify --provider highhelp --timestamp 1764000000 --signature "$SIGNATURE" alert.json`
}

// Run verifies.
func (c *VerifyCommand) Run(p *console.Program) error {
	if c.Provider == highhelp.Provider {
		return c.runHighHelp(p)
	}
	keys, err := c.keys(p)
	if err != nil {
		return err
	}
	data, err := readBody(p, c.File)
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
	return p.Println("valid")
}
