package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"tolem/calendar"
	"tolem/config"
	"tolem/store"
)

// DayFlag is the effective date of a step. An empty one is refused: a script
// whose variable is empty would use today.
type DayFlag string

// Decode is called by kong for a flag that is given.
func (d *DayFlag) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("value", &text); err != nil {
		return err
	}
	if strings.TrimSpace(text) == "" {
		return errors.New("must not be empty; leave the flag out for today")
	}
	*d = DayFlag(text)
	return nil
}

// Operator is the actor and the reason; both are recorded with the step.
type Operator struct {
	Reason string `required:"" placeholder:"TEXT" help:"The reason; recorded in the journal."`
	Actor  string `placeholder:"NAME" help:"The actor; recorded in the journal. Default: the variable TOLEM_ACTOR, else the system's user."`

	Effective DayFlag `placeholder:"D" help:"The effective date, such as 2026-11-29: its first instant in the configured timezone. Default: now. Not in the future, not before what it undoes, and not in a closed period (books_closed_to)."`
}

// Validate is called by kong: an empty reason is no reason.
func (o Operator) Validate() error {
	if strings.TrimSpace(o.Reason) == "" {
		return errors.New("--reason must not be empty")
	}
	return nil
}

// By names the operator for the journal.
func (p *Program) By(o Operator, zone *time.Location) (store.By, error) {
	by := store.By{Actor: o.Actor, Reason: o.Reason, Role: store.RoleCommand, OSUser: OSUser()}
	if o.Effective != "" {
		day, err := calendar.ParseDay(string(o.Effective))
		if err != nil {
			return by, WrongUsage("--effective must be a day such as 2026-11-29")
		}
		by.Effective = store.Day{Start: day.Start(zone), End: day.End(zone)}
	}
	if by.Actor == "" {
		by.Actor = p.Variable("TOLEM_ACTOR")
	}
	if by.Actor != "" {
		return by, nil
	}
	current, err := user.Current()
	if err != nil {
		return by, WrongUsage("who is doing this? Give --actor or set TOLEM_ACTOR")
	}
	by.Actor = current.Username
	return by, nil
}

// OSUser is who runs the program as the system knows them, for the audit.
func OSUser() string {
	if current, err := user.Current(); err == nil && current.Username != "" {
		return current.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid()) // of a container without users
}

// AsOperator opens the books for an operator's step.
func (p *Program) AsOperator(ctx context.Context, o Operator, act func(Books, store.By) error) error {
	var by store.By
	check := func(cfg *config.Config) (err error) {
		by, err = p.By(o, cfg.Location())
		return err
	}
	return p.WithBooks(ctx, func(b Books) error { return act(b, by) }, check)
}
