package simulation

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/highhelp"
	"tolem/signing"
)

// highHelpProject is the configured HighHelp project that is meant.
func (f keyFlags) highHelpProject(p *console.Program) (*config.HighHelpProject, error) {
	cfg, err := p.Config(config.HighHelpKeys)
	if err != nil {
		return nil, err
	}
	projects := cfg.HighHelp.Projects
	ids := make([]string, len(projects))
	for i := range projects {
		ids[i] = projects[i].ID
	}
	i, err := f.choose(ids)
	if err != nil {
		return nil, err
	}
	return &projects[i], nil
}

// runHighHelp signs a request to HighHelp.
func (c *SignCommand) runHighHelp(p *console.Program) error {
	o := highhelp.Options{Dialect: signing.DefaultRequestDialect()}
	var err error
	if c.Secret != nil {
		o.Signer, err = signing.NewHMACSigner(*c.Secret)
	} else {
		var project *config.HighHelpProject
		if project, err = c.highHelpProject(p); err == nil {
			o, err = highhelp.OptionsOf("", config.HighHelp{}, *project)
		}
	}
	if err != nil {
		return err
	}
	data, err := readBody(p, c.File)
	if err != nil {
		return err
	}
	if c.Canonical {
		return printCanonical(p, data, o.Dialect)
	}
	timestamp := c.Timestamp
	if timestamp == "" {
		timestamp = strconv.FormatInt(time.Now().Unix(), 10)
	}
	signature, err := o.Signer.Sign(data, timestamp, o.Dialect)
	if err != nil {
		return err
	}
	if c.SignatureOnly {
		return p.Println(signature)
	}
	token := o.AccessToken.Reveal()
	if token == "" {
		token = o.Signer.AccessToken()
	}
	for _, header := range []struct{ name, value string }{
		{highhelp.HeaderTimestamp, timestamp},
		{highhelp.HeaderMerchantID, o.MerchantID},
		{highhelp.HeaderToken, token},
		{highhelp.HeaderAlgorithm, o.AlgorithmHeader},
		{highhelp.HeaderSignature, signature},
	} {
		if header.value == "" {
			continue
		}
		if err := p.Println(header.name + ": " + header.value); err != nil {
			return err
		}
	}
	return nil
}

func printCanonical(p *console.Program, data []byte, d signing.Dialect) error {
	body, err := signing.Parse(data)
	if err != nil {
		return err
	}
	defer body.Release()
	text, err := body.HighHelpCanonical(d)
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.Stdio.Out, text)
	return err
}

// runHighHelp says in which dialect a captured alert was signed.
func (c *VerifyCommand) runHighHelp(p *console.Program) error {
	if c.Timestamp == "" || c.Signature == "" {
		return console.WrongUsage("an alert of HighHelp is verified with --timestamp and --signature, the values of its two headers")
	}
	key, configured, err := c.alertKey(p)
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
	used, err := body.VerifyHighHelp(key, c.Signature, c.Timestamp, signing.DefaultAlertDialect())
	if err != nil {
		return fmt.Errorf("not valid: %w", err)
	}
	if err := p.Println("valid"); err != nil {
		return err
	}
	if err := p.Println("alert_dialect: {" + used.String() + "}"); err != nil {
		return err
	}
	if !used.Pinned() {
		p.Warn("what is auto makes no difference to this alert: capture another, such as a success, to pin it")
	}
	if _, err := body.VerifyHighHelp(key, c.Signature, c.Timestamp, configured); err != nil {
		p.Warn("the configured alert_dialect is another, {" + configured.String() + "}: the server refuses this alert")
	}
	return nil
}

// alertKey is the key to verify with, and the dialect that is configured for
// it: any, where no configuration is read.
func (c *VerifyCommand) alertKey(p *console.Program) (signing.AlertKey, signing.Dialect, error) {
	anyDialect := signing.DefaultAlertDialect()
	switch {
	case c.Secret != nil:
		key, err := signing.NewHMACAlertKey(*c.Secret)
		return key, anyDialect, err
	case c.Key != "":
		pem, err := os.ReadFile(c.Key)
		if err != nil {
			return signing.AlertKey{}, anyDialect, fmt.Errorf("read the key: %w", err)
		}
		key, err := signing.NewRSAAlertKey(pem)
		return key, anyDialect, err
	}
	project, err := c.highHelpProject(p)
	if err != nil {
		return signing.AlertKey{}, anyDialect, err
	}
	if !project.AlertKey.Configured() {
		return signing.AlertKey{}, anyDialect, fmt.Errorf("project %s has no alert_key: every alert is refused", project.ID)
	}
	key, err := highhelp.AlertKeyOf(project.AlertKey)
	return key, highhelp.AlertDialectOf(project.AlertDialect), err
}
