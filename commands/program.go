package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"tolem/adapters"
	"tolem/calendar"
	"tolem/config"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// program has what every command needs: the environment and standard streams,
// and shared functions.
type program struct {
	env        []string
	stdio      Stdio
	configPath string // as given with --config, empty otherwise
}

// variable is the value of an environment variable, empty when it is not set.
// The last one counts, as in os/exec.
func (p *program) variable(name string) string {
	value := ""
	for _, entry := range p.env {
		if rest, ok := strings.CutPrefix(entry, name+"="); ok {
			value = rest
		}
	}
	return value
}

// configFile is the configuration's file: --config, else TOLEM_CONFIG, else
// config.yaml.
func (p *program) configFile() string {
	if p.configPath != "" {
		return p.configPath
	}
	if path := p.variable("TOLEM_CONFIG"); path != "" {
		return path
	}
	return "config.yaml"
}

// config loads the configuration, with the secrets that the command needs, and
// prints its warnings.
func (p *program) config(needs config.Secrets) (*config.Config, error) {
	cfg, warnings, err := config.LoadFor(needs, p.configFile(), p.env)
	p.warn(warnings...)
	if err != nil {
		return nil, fmt.Errorf("the configuration is invalid:\n%w", err)
	}
	return cfg, nil
}

// warn prints a warning: a problem that does not stop the command.
func (p *program) warn(warnings ...string) {
	for _, warning := range warnings {
		fmt.Fprintf(p.stdio.Err, "tolem: warning: %s\n", warning)
	}
}

// storeOptions name the configured database, a SQLite file or one of a
// PostgreSQL server. Where no bank account is configured, any may be named.
func storeOptions(cfg *config.Config) store.Options {
	o := store.Options{Normalize: topup.Normalizer(cfg.Accounts.Normalize), ReadMessage: adapters.ReadStored, NotificationBody: view.NotificationBody}
	for _, bank := range cfg.Banks {
		o.Banks = append(o.Banks, bank.Name)
	}
	if cfg.Database.Driver == config.DriverPostgres {
		o.Postgres = cfg.Database.Postgres.Reveal()
		return o
	}
	o.Path = cfg.Database.DSN
	return o
}

// openStore opens the configured database while other processes may use it. A
// database that must exist is neither created nor migrated, so that a mistyped
// path does not become an empty database.
func openStore(ctx context.Context, cfg *config.Config, existing bool) (*store.Store, error) {
	o := storeOptions(cfg)
	o.Existing = existing
	return store.Open(ctx, o)
}

// books is an open database together with the configuration that names it.
type books struct {
	*store.Store
	cfg *config.Config
}

// withBooks loads the configuration, opens the database, which must exist,
// works on it and closes it again. The checks, which need only the
// configuration, run before the database is opened.
func (p *program) withBooks(ctx context.Context, work func(books) error, checks ...func(*config.Config) error) error {
	return p.onBooks(ctx, true, work, checks)
}

// withNewBooks is withBooks for commands that may create the database.
func (p *program) withNewBooks(ctx context.Context, work func(books) error) error {
	return p.onBooks(ctx, false, work, nil)
}

func (p *program) onBooks(ctx context.Context, existing bool, work func(books) error, checks []func(*config.Config) error) error {
	return p.onBooksWith(ctx, config.DatabaseURL, existing, work, checks)
}

// onBooksWith is onBooks for commands that need other secrets of the
// configuration too.
func (p *program) onBooksWith(ctx context.Context, needs config.Secrets, existing bool, work func(books) error, checks []func(*config.Config) error) (err error) {
	cfg, err := p.config(needs)
	if err != nil {
		return err
	}
	for _, check := range checks {
		if err := check(cfg); err != nil {
			return err
		}
	}
	s, err := openStore(ctx, cfg, existing)
	if err != nil {
		return fmt.Errorf("open the database %s: %w", cfg.Database.DSN, store.ExplainDamage(err))
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return store.ExplainDamage(work(books{s, cfg}))
}

// adminToken is the admin token with which the commands call a running server.
func adminToken(cfg *config.Config) (string, error) {
	for _, token := range cfg.Admin.Tokens {
		if token.Role == config.RoleAdmin || token.Role == config.RoleRead {
			return token.Token.Reveal(), nil
		}
	}
	return "", errors.New("the configuration has no admin token with the role admin or read")
}

// jsonFlag is shared by the commands that print records.
type jsonFlag struct {
	JSON bool `name:"json" help:"Print JSON instead of a table for people; a list is one array. The members are those of the admin API."`
}

// printJSON prints one JSON document on several lines.
func (p *program) printJSON(value any) error {
	encoder := json.NewEncoder(p.stdio.Out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// table prints rows in columns.
type table struct{ writer *tabwriter.Writer }

// table starts a table with a heading.
func (p *program) table(heading ...string) *table {
	t := &table{tabwriter.NewWriter(p.stdio.Out, 0, 0, 2, ' ', 0)}
	if len(heading) > 0 {
		t.row(heading...)
	}
	return t
}

// row adds a row. A cell that would break the table or the terminal is quoted:
// some texts come from outside.
func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = printable(cell)
	}
	fmt.Fprintln(t.writer, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func (t *table) flush() error {
	if err := t.writer.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printable keeps control characters away from a terminal.
func printable(text string) string {
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	quoted := fmt.Sprintf("%q", text)
	return quoted[1 : len(quoted)-1]
}

// terminal reports whether progress may be drawn on Err.
func (p *program) terminal() bool { return isTerminal(p.stdio.Err) }

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// dayFlag is the effective date of a step. An empty one is refused: a script
// whose variable is empty would use today.
type dayFlag string

// Decode is called by kong for a flag that is given.
func (d *dayFlag) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("value", &text); err != nil {
		return err
	}
	if strings.TrimSpace(text) == "" {
		return errors.New("must not be empty; leave the flag out for today")
	}
	*d = dayFlag(text)
	return nil
}

// operator is the actor and the reason; both are recorded with the step.
type operator struct {
	Reason string `required:"" placeholder:"TEXT" help:"The reason; recorded in the journal."`
	Actor  string `placeholder:"NAME" help:"The actor; recorded in the journal. Default: the variable TOLEM_ACTOR, else the system's user."`

	Effective dayFlag `placeholder:"D" help:"The effective date, such as 2026-11-29: its first instant in the configured timezone. Default: now. Not in the future, not before what it undoes, and not in a closed period (books_closed_to)."`
}

// Validate is called by kong: an empty reason is no reason.
func (o operator) Validate() error {
	if strings.TrimSpace(o.Reason) == "" {
		return errors.New("--reason must not be empty")
	}
	return nil
}

// by names the operator for the journal.
func (p *program) by(o operator, zone *time.Location) (store.By, error) {
	by := store.By{Actor: o.Actor, Reason: o.Reason, Role: store.RoleCommand, OSUser: osUser()}
	if o.Effective != "" {
		day, err := calendar.ParseDay(string(o.Effective))
		if err != nil {
			return by, wrongUsage("--effective must be a day such as 2026-11-29")
		}
		by.Effective = store.Day{Start: day.Start(zone), End: day.End(zone)}
	}
	if by.Actor == "" {
		by.Actor = p.variable("TOLEM_ACTOR")
	}
	if by.Actor != "" {
		return by, nil
	}
	current, err := user.Current()
	if err != nil {
		return by, wrongUsage("who is doing this? Give --actor or set TOLEM_ACTOR")
	}
	by.Actor = current.Username
	return by, nil
}

// osUser is who runs the program as the system knows them, for the audit.
func osUser() string {
	if current, err := user.Current(); err == nil && current.Username != "" {
		return current.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid()) // of a container without users
}

// span is a period of time on the command line.
type span struct {
	From condition `placeholder:"T" help:"From this time: RFC 3339 (2026-11-01T09:30:00+05:00), or a date (2026-11-01), which means the start of that day in the configured timezone."`
	To   condition `placeholder:"T" help:"Before this time: RFC 3339, or a date, which means the end of that day, so that --from and --to of one date are that day."`
}

// between reads the span; a zero time is no bound.
func (s span) between(zone *time.Location) (from, to time.Time, err error) {
	if from, err = parseTime("--from", string(s.From), zone, calendar.Day.Start); err != nil {
		return from, to, err
	}
	if to, err = parseTime("--to", string(s.To), zone, calendar.Day.End); err != nil {
		return from, to, err
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return from, to, wrongUsage("--from must be before --to")
	}
	return from, to, nil
}

// parseTime reads a time. A date is the edge of that day, its start or its end.
func parseTime(flag, text string, zone *time.Location, edge func(calendar.Day, *time.Location) time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := calendar.ParseDay(text); err == nil {
		return edge(day, zone), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, wrongUsage("%s must be a date such as 2026-11-01 or a time such as 2026-11-01T09:30:00+05:00", flag)
	}
	return at, nil
}

// when shows a time to people, in the configured timezone.
func when(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(zone).Format("2006-01-02 15:04:05 -0700")
}
