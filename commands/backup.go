package commands

import (
	"context"
	"fmt"
	"time"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/store"
)

// backupCommand copies the database.
type backupCommand struct {
	File string `arg:"" help:"The copy to make. A file that exists is not overwritten."`
}

// Help is shown by --help.
func (backupCommand) Help() string {
	return `Copies the database while servers work on it into one SQLite file, whichever database it is, and runs ledger check on the copy. Prints the time of the copy: everything that was committed until then is in it. A database of any older program is copied as it is, before an upgrade, and the upgrade is tried on a second copy, for which there must be room. What a killed backup has left in the folder of FILE is removed. A plain cp of a SQLite file is no backup: it misses what still stands in the write-ahead log. A PostgreSQL database needs its server's own backups beside it, which reach to the last commit.

Example:

  tolem backup /var/backups/tolem-$(date +%F).db`
}

// Run copies.
func (c *backupCommand) Run(ctx context.Context, p *console.Program) error {
	cfg, err := p.Config(config.DatabaseURL)
	if err != nil {
		return err
	}
	report, err := store.Backup(ctx, console.StoreOptions(cfg), c.File)
	if err != nil {
		return fmt.Errorf("backup of %s: %w", cfg.Database.DSN, store.ExplainDamage(err))
	}
	reach := "holds no payments"
	if !report.ReachesTo.IsZero() {
		reach = fmt.Sprintf("reaches to %s (%s), the last ledger transaction is %d",
			report.ReachesTo.UTC().Format(time.RFC3339Nano), console.When(report.ReachesTo, cfg.Location()), report.LastSeq)
	}
	checked := "checked"
	if report.Level < store.ProgramLevel {
		checked = fmt.Sprintf("schema level %d, checked after an upgrade to %d on trial", report.Level, store.ProgramLevel)
	}
	return p.Println(fmt.Sprintf("%s %s; %s", c.File, reach, checked))
}
