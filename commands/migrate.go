package commands

import (
	"context"
	"fmt"
	"time"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/store"
)

// migrateCommand brings the schema up to date.
type migrateCommand struct{}

// Help is shown by --help.
func (migrateCommand) Help() string {
	return `Runs the migrations that the configured database lacks, and exits; a SQLite file is created when it is missing, a PostgreSQL database must exist. serve does the same at its start; this command does it separately. There are no migrations to an older schema.

Example:

  tolem migrate`
}

// Run migrates.
func (migrateCommand) Run(ctx context.Context, p *console.Program) error {
	cfg, err := p.Config(config.DatabaseURL)
	if err != nil {
		return err
	}
	what := "up to date"
	o := console.StoreOptions(cfg)
	o.OnMigrate = func(m store.Migration) {
		fmt.Fprintf(p.Stdio.Out, "%s: schema level %d to %d in %s\n", m.Name, m.From, m.To, m.Took.Round(time.Millisecond))
	}
	if err := openAndClose(ctx, o, true); err != nil {
		// Missing, or behind; or out of reach, as the next attempt will say.
		what = "migrated"
		if err := openAndClose(ctx, o, false); err != nil {
			return fmt.Errorf("migrate %s: %w", cfg.Database.DSN, store.ExplainDamage(err))
		}
	}
	return p.Println(fmt.Sprintf("%s: schema level %d, %s", cfg.Database.DSN, store.ProgramLevel, what))
}

func openAndClose(ctx context.Context, o store.Options, existing bool) error {
	o.Existing = existing
	s, err := store.Open(ctx, o)
	if err != nil {
		return err
	}
	return s.Close()
}
