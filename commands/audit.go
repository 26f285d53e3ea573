package commands

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/reportfile"
	"tolem/store"
	"tolem/view"
)

// auditPage is how many entries are read at a time.
const auditPage = 500

// auditCommand lists who did what.
type auditCommand struct {
	console.Span
	console.JSONFlag
	Actor console.Condition `placeholder:"A" help:"Entries of this actor: the name of a token, a system's user, or a name given with --actor."`
	Limit int               `placeholder:"N" help:"At most so many. Default: all."`
}

// Help is shown by --help.
func (auditCommand) Help() string {
	return `Every step of an operator, every proposal and its approval, every refusal, import and new configuration, the newest first. Of a command the actor is the system's user, and "as NAME" what --actor said. Entries are never changed or deleted.

Example:

  tolem audit --from 2026-11-29 --to 2026-11-29
  tolem audit --actor aigerim --json`
}

// refusedImport writes into the audit that a file could not be imported, because of
// what is in it, and returns why. The audit has no content of the file.
func refusedImport(ctx context.Context, p *console.Program, b console.Books, who console.Operator, action store.Action, file string, refusal error) error {
	if ctx.Err() != nil {
		return refusal
	}
	by, err := p.By(who, b.Config.Location())
	if err != nil {
		return errors.Join(refusal, err)
	}
	a := store.Audited{Action: action, Object: console.Printable(filepath.Base(file)), Result: store.ResultRefused, Detail: withoutContent(refusal)}
	if err := b.Audit(ctx, by, a); err != nil {
		return errors.Join(refusal, err)
	}
	return refusal
}

// withoutContent is a refusal without the values of a file that it may name.
func withoutContent(refusal error) string {
	lines := (*reportfile.LineErrors)(nil)
	if !errors.As(refusal, &lines) {
		return "the file cannot be read as what it is said to be"
	}
	first := lines.Lines[0]
	return fmt.Sprintf("%s; the first in %s %d", console.Counted(int64(len(lines.Lines)+lines.More), "problem"), first.Unit, first.Line)
}

// Run lists.
func (c *auditCommand) Run(ctx context.Context, p *console.Program) error {
	filter := store.AuditFilter{Actor: string(c.Actor)}
	check := func(cfg *config.Config) (err error) {
		if c.Limit < 0 {
			return console.WrongUsage("--limit must not be negative")
		}
		filter.From, filter.To, err = c.Between(cfg.Location())
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		l := p.List(c.JSON, "AT", "ACTOR", "ROLE", "ACTION", "OBJECT", "RESULT", "DETAIL", "REASON")
		for {
			filter.Limit = auditPage
			if c.Limit > 0 {
				filter.Limit = min(auditPage, c.Limit-l.Count)
			}
			page, next, err := b.AuditEntries(ctx, filter)
			if err != nil {
				return console.RefusedFilter(err)
			}
			for _, e := range page {
				actor := e.Actor
				if e.ActingAs != "" {
					actor += " as " + e.ActingAs
				}
				err := l.Add(view.AuditEntryOf(e), console.When(e.At, b.Config.Location()), actor, orDash(e.Role), e.Action, orDash(e.Object), e.Result, orDash(e.Detail), orDash(e.Reason))
				if err != nil {
					return err
				}
			}
			if next == "" || (c.Limit > 0 && l.Count == c.Limit) {
				return l.End()
			}
			filter.Cursor = next
		}
	}, check)
}
