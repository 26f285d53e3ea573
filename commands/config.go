package commands

import (
	"fmt"

	"tolem/config"
)

// configCommands look at the configuration.
type configCommands struct {
	Check configCheckCommand `cmd:"" help:"Print the effective configuration with secrets hidden, or what is wrong with it."`
}

// configCheckCommand tells whether a server would start on the configuration.
type configCheckCommand struct{}

// Help is shown by --help.
func (configCheckCommand) Help() string {
	return `Reads the file and the TOLEM_ variables, fills in the defaults and prints what a server would work with, as YAML. When something is wrong it prints one line for each problem, with its key, and exits 1. Unknown keys are problems; unknown TOLEM_ variables are warnings.

Example:

  tolem config check --config /etc/tolem/config.yaml
  TOLEM_LISTEN=0.0.0.0:8080 tolem config check`
}

// Run checks.
func (configCheckCommand) Run(p *program) error {
	cfg, warnings, err := config.Load(p.configFile(), p.env)
	p.warn(warnings...)
	if err != nil {
		fmt.Fprintln(p.stdio.Err, err)
		return errAnswered
	}
	effective, err := cfg.Effective()
	if err != nil {
		return err
	}
	_, err = p.stdio.Out.Write(effective)
	return err
}
