package commands

import (
	"context"
	"fmt"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/platform"
)

// configCommands inspect the configuration.
type configCommands struct {
	Check configCheckCommand `cmd:"" help:"Print the effective configuration with secrets hidden, or its problems."`
}

// configCheckCommand checks whether a server would start with the
// configuration.
type configCheckCommand struct {
	Running  bool   `help:"Print the configuration of the running server instead, and exit 1 if a start now would use another one."`
	AdminURL string `name:"admin-url" placeholder:"URL" help:"With --running: the server's admin listener. Default: admin.listen of the configuration."`
}

// Help is shown by --help.
func (configCheckCommand) Help() string {
	return `Reads the file and the TOLEM_ variables, fills in the defaults and prints the configuration that serve would use, as YAML. If it is invalid, it prints one line for each problem, with its key, and exits 1. Unknown keys are problems; unknown TOLEM_ variables are warnings.

A running server may have been started with an older file, or with other variables. --running requests its configuration, with the first configured token of role admin or read, prints it, and names each key that differs. Secrets are not compared.

Example:

  tolem config check --config /etc/tolem/config.yaml
  TOLEM_LISTEN=0.0.0.0:8080 tolem config check
  tolem config check --running`
}

// Run checks.
func (c configCheckCommand) Run(ctx context.Context, p *console.Program) error {
	if c.AdminURL != "" && !c.Running {
		return console.WrongUsage("--admin-url goes with --running")
	}
	cfg, warnings, err := config.Load(p.ConfigFile(), p.Env)
	p.Warn(warnings...)
	if err != nil {
		fmt.Fprintln(p.Stdio.Err, err)
		return console.ErrAnswered
	}
	effective, err := cfg.Effective()
	if err != nil {
		return err
	}
	if c.Running {
		return c.compare(ctx, p, cfg, effective)
	}
	_, err = p.Stdio.Out.Write(effective)
	return err
}

// compare prints the running server's configuration, and how it differs.
func (c configCheckCommand) compare(ctx context.Context, p *console.Program, cfg *config.Config, effective []byte) error {
	running, err := c.running(ctx, cfg)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(p.Stdio.Out, running); err != nil {
		return err
	}
	differences, err := config.Differences([]byte(running), effective)
	if err != nil {
		return err
	}
	for _, d := range differences {
		fmt.Fprintf(p.Stdio.Err, "%s: the server runs with %q, a start here and now would take %q\n", d.Key, d.One, d.Other)
	}
	if len(differences) > 0 {
		return console.ErrAnswered
	}
	return nil
}

// running requests the configuration of the running server.
func (c configCheckCommand) running(ctx context.Context, cfg *config.Config) (string, error) {
	base := c.AdminURL
	if base == "" {
		address, err := console.Reachable(cfg.Admin.Listen)
		if err != nil {
			return "", fmt.Errorf("admin.%w; name it with --admin-url", err)
		}
		base = "http://" + address
	}
	token, err := console.AdminToken(cfg)
	if err != nil {
		return "", err
	}
	client, err := platform.NewAdminClient(base, token, platform.ClientOptions{})
	if err != nil {
		return "", console.WrongUsage("--admin-url: %w", err)
	}
	defer client.Close()
	return client.Config(ctx)
}
