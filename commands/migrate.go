package commands

import (
	"context"
	"fmt"
	"os"

	"tolem/store"
)

// migrateCommand brings the schema up to date.
type migrateCommand struct{}

// Help is shown by --help.
func (migrateCommand) Help() string {
	return `Creates the configured database when it is missing, runs the migrations that it lacks, and exits. serve and every other command do the same first, so this is for those who want it done apart. Migrations only go forward.

Example:

  tolem migrate`
}

// Run migrates.
func (migrateCommand) Run(ctx context.Context, p *program) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	_, missing := os.Stat(cfg.Database.DSN)
	s, err := openStore(ctx, cfg, false)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	what := "up to date"
	if missing != nil {
		what = "created"
	}
	return p.println(fmt.Sprintf("%s: schema level %d, %s", cfg.Database.DSN, store.ProgramLevel, what))
}
