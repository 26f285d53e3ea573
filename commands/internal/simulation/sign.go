package simulation

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/highhelp"
	"tolem/signing"
)

// maxInput bounds a body that is read; signing refuses what is larger than
// MaxBody itself, with a better message than a cut body would give.
const maxInput = signing.MaxBody + 1<<10

// keyFlags select the secret to sign or verify with.
type keyFlags struct {
	Provider string  `enum:"jetpay,highhelp" default:"jetpay" help:"The provider whose rules apply: ${enum}."`
	Project  string  `xor:"key" placeholder:"ID" help:"The configured project whose secrets to use. Not needed when there is one project."`
	Secret   *string `xor:"key" placeholder:"S" help:"The secret itself; the configuration is not read. It is kept in the shell's history: prefer --project."`
}

// Validate is called by kong: an empty secret is no secret.
func (f keyFlags) Validate() error {
	if f.Secret != nil && *f.Secret == "" {
		return errors.New("--secret must not be empty")
	}
	return nil
}

// keys are the live secrets, the signing one first.
func (f keyFlags) keys(p *console.Program) ([]*signing.Key, error) {
	if f.Secret != nil {
		key, err := signing.NewKey(*f.Secret)
		if err != nil {
			return nil, err
		}
		return []*signing.Key{key}, nil
	}
	cfg, err := p.Config(config.JetPayKeys)
	if err != nil {
		return nil, err
	}
	project, err := f.project(cfg)
	if err != nil {
		return nil, err
	}
	return keysOf(project)
}

// keysOf makes keys of a project's live secrets, in their order.
func keysOf(project *config.Project) ([]*signing.Key, error) {
	var keys []*signing.Key
	for _, secret := range project.Secrets {
		key, err := signing.NewKey(secret.Reveal())
		if err != nil {
			return nil, fmt.Errorf("secret of project %d: %w", project.ID, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (f keyFlags) project(cfg *config.Config) (*config.Project, error) {
	projects := cfg.JetPay.Projects
	ids := make([]string, len(projects))
	for i := range projects {
		ids[i] = strconv.FormatInt(projects[i].ID, 10)
	}
	i, err := f.choose(ids)
	if err != nil {
		return nil, err
	}
	return &projects[i], nil
}

// choose returns which of the configured projects is meant.
func (f keyFlags) choose(ids []string) (int, error) {
	if f.Project == "" && len(ids) == 1 {
		return 0, nil
	}
	known := strings.Join(ids, ", ")
	switch i := slices.Index(ids, f.Project); {
	case i >= 0:
		return i, nil
	case len(ids) == 0:
		return 0, console.WrongUsage("no project of %s is configured; give --secret", f.Provider)
	case f.Project == "":
		return 0, console.WrongUsage("several projects are configured: name one of %s with --project, or give --secret", known)
	}
	return 0, console.WrongUsage("project %s is not configured; there is %s", f.Project, known)
}

// SignCommand signs a body as the rules of its provider say.
type SignCommand struct {
	keyFlags
	Timestamp     string `placeholder:"T" help:"HighHelp: Unix seconds, ten digits. Default: now."`
	Canonical     bool   `xor:"what" help:"Print only the canonical string, which the signature covers. Needs no secret."`
	SignatureOnly bool   `xor:"what" help:"Print only the signature."`
	File          string `arg:"" optional:"" default:"-" help:"The body, a JSON object; - or nothing: standard input."`
}

// Help is shown by --help.
func (SignCommand) Help() string {
	return `Prints the body with its signature in the member "signature", replacing an existing one. A line break at the end of the body is not counted as part of it. --canonical prints the string exactly, without a line break at its end unless the output is a terminal.

With --provider highhelp the body is a request to HighHelp, which carries its signature in headers: they are printed, in the form that curl -H @FILE reads. --secret is then the HMAC key.

Example:

  tolem sign --project 1234 fixtures/jetpay/credit/01-verify.request.json | curl -d @- http://127.0.0.1:8080/jetpay
  tolem sign --canonical fixtures/jetpay/credit/01-verify.request.json | openssl dgst -sha512 -hmac demo-secret -binary | base64 -w0`
}

// Run signs.
func (c *SignCommand) Run(p *console.Program) error {
	if c.Provider == highhelp.Provider {
		return c.runHighHelp(p)
	}
	if c.Canonical {
		return c.canonical(p)
	}
	keys, err := c.keys(p)
	if err != nil {
		return err
	}
	body, err := readBody(p, c.File)
	if err != nil {
		return err
	}
	if c.SignatureOnly {
		signature, err := signing.Sign(body, keys[0])
		if err != nil {
			return err
		}
		return p.Println(signature)
	}
	signed, err := signing.Embed(body, keys[0])
	if err != nil {
		return err
	}
	return p.Println(string(signed))
}

func (c *SignCommand) canonical(p *console.Program) error {
	data, err := readBody(p, c.File)
	if err != nil {
		return err
	}
	body, err := signing.Parse(data)
	if err != nil {
		return err
	}
	defer body.Release()
	if body.Root() != signing.KindObject {
		return fmt.Errorf("%w: not a JSON object", signing.ErrMalformed)
	}
	text := body.Canonical()
	if console.IsTerminal(p.Stdio.Out) {
		text += "\n"
	}
	_, err = io.WriteString(p.Stdio.Out, text)
	return err
}

// readBody reads a body from a file or, for -, from standard input. One line
// break at its end, which editors and shells add, is dropped.
func readBody(p *console.Program, name string) ([]byte, error) {
	reader := p.Stdio.In
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read the body: %w", err)
		}
		defer file.Close()
		reader = file
	}
	if reader == nil {
		return nil, errors.New("read the body: there is no standard input")
	}
	data, err := io.ReadAll(io.LimitReader(reader, maxInput))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	text := strings.TrimSuffix(string(data), "\n")
	return []byte(strings.TrimSuffix(text, "\r")), nil
}
