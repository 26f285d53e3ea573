package commands

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/jetpay/dataapi"
	"tolem/reconcile"
	"tolem/reportfile"
)

// changesAfter is how long after an interval its operations are looked for: the
// Data API selects by the latest change, and a terminal's result is final after 36
// days.
const changesAfter = 40 * 24 * time.Hour

// apiHour is an hour of the Data API that was read.
type apiHour struct {
	from time.Time
	sum  [sha256.Size]byte // of what was read
}

// readAPI reads what JetPay's Data API has of the interval, which it returns. It
// ends where the Data API cannot be read yet.
func (c *comparison) readAPI(ctx context.Context, cfg *config.Config) (asked reconcile.Span, err error) {
	asked = reconcile.Days(c.from, c.to, c.zone)
	end := c.api.LastHour().Add(dataapi.Hour)
	if !asked.From.Before(end) {
		return asked, console.WrongUsage("--from must be earlier: the Data API can be read up to %s", console.When(end, c.zone))
	}
	if asked.To.After(end) {
		asked.To, c.upTo = end, end
	}
	from := asked.From.Add(-reconcile.Margin).UTC().Truncate(dataapi.Hour)
	// What has changed since is in no hour that can be read, and must not be called
	// missing for that.
	now := c.api.Now()
	if until := asked.To.Add(changesAfter); until.Before(now) {
		now = until
	}
	progress, finish := c.program.HoursProgress(int64(now.Sub(from)/dataapi.Hour) + 1)
	defer finish()
	projects := cfg.ProjectIDs(c.Provider)
	if c.Project != "" {
		projects = []string{string(c.Project)}
	}
	for ; from.Before(now); from = from.Add(dataapi.Hour) {
		read := c.api.Operations
		if !from.Before(end) {
			read = c.api.Recent
		}
		if err := c.readHour(ctx, read, projects, from); err != nil {
			if ctx.Err() != nil {
				return asked, ctx.Err()
			}
			return asked, console.NoVerdict(err)
		}
		progress()
	}
	return asked, nil
}

func (c *comparison) readHour(ctx context.Context, read func(context.Context, []string, time.Time) ([]byte, error), projects []string, from time.Time) error {
	answer, err := read(ctx, projects, from)
	if err != nil {
		return err
	}
	rows, err := reportfile.Open(bytes.NewReader(answer), int64(len(answer)), c.reports)
	if err != nil {
		return err
	}
	c.hours = append(c.hours, apiHour{from, sha256.Sum256(answer)})
	err = rows.Each(ctx, func(row *reportfile.Row) error {
		if row.Time.IsZero() && row.Status != reportfile.Paid {
			return nil // under way: no day has it
		}
		return c.add(len(c.hours)-1, row)
	})
	if err != nil {
		return fmt.Errorf("the Data API's operations of the hour from %s UTC: %w", from.Format(time.DateTime), err)
	}
	return rows.Close()
}
