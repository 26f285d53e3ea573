package commands

import (
	"context"
	"fmt"
	"time"
)

// backupCommand copies the database.
type backupCommand struct {
	File string `arg:"" help:"The copy to make. A file that exists is not overwritten."`
}

// Help is shown by --help.
func (backupCommand) Help() string {
	return `Copies the database while servers work on it into one SQLite file, whichever database it is, and runs ledger check on the copy. Prints the time that the copy reaches to: what was committed until then is in it. A plain cp of a SQLite file is no backup: it misses what still stands in the write-ahead log. A PostgreSQL database needs its server's own backups beside it, which reach to the last commit.

Example:

  tolem backup /var/backups/tolem-$(date +%F).db`
}

// Run copies.
func (c *backupCommand) Run(ctx context.Context, p *program) error {
	return p.withBooks(ctx, func(b books) error {
		report, err := b.Backup(ctx, c.File)
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		reach := "holds no payments"
		if !report.ReachesTo.IsZero() {
			reach = fmt.Sprintf("reaches to %s (%s), the last ledger transaction is %d",
				report.ReachesTo.UTC().Format(time.RFC3339Nano), when(report.ReachesTo, b.cfg.Location()), report.LastSeq)
		}
		fmt.Fprintf(p.stdio.Out, "%s %s; checked\n", c.File, reach)
		return nil
	})
}
