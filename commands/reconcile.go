package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"tolem/calendar"
	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/jetpay/dataapi"
	"tolem/maps"
	"tolem/reconcile"
	"tolem/reportfile"
	"tolem/sheet"
	"tolem/store"
)

// reconcileCommand compares reports with the books.
type reconcileCommand struct {
	console.JSONFlag
	Files    []string          `arg:"" optional:"" name:"file" help:"The platform's reports: CSV, XLSX or JSON, as the map says. Without one JetPay's Data API is asked, if jetpay.data_url is configured."`
	Provider string            `enum:"jetpay,highhelp" default:"jetpay" placeholder:"P" help:"One of ${enum}. Default: ${default}."`
	Project  console.Condition `placeholder:"X" help:"The project's id. Default: all projects of the provider."`
	Map      string            `placeholder:"MAP" help:"How the files are read: a YAML file, or the name of a map that tolem has, such as jetpay-csv."`
	From     console.DayFlag   `placeholder:"D" help:"The first day, such as 2026-11-01, in the configured timezone. Default: the first of the report."`
	To       console.DayFlag   `placeholder:"D" help:"The last day. Default: the last of the report."`
	Out      console.Condition `placeholder:"FILE" help:"Write the differences into this file: .csv or .xlsx. It appears when it is complete."`
	Apply    bool              `help:"Credit the payments that the report calls paid, and that are pending or expired here with the same sum; nothing else."`
	Reason   string            `placeholder:"TEXT" help:"With --apply: the reason; recorded in the journal with the file's SHA-256 and the line."`
	Actor    string            `placeholder:"NAME" help:"With --apply: the actor; recorded in the journal. Default: the variable TOLEM_ACTOR, else the system's user."`
}

// Help is shown by --help.
func (reconcileCommand) Help() string {
	return `Compares what the platform reports with the payments here, and says for each difference what to do next. Lines are matched by the platform's operation, else by the payment. The last line of the output counts them; exit code 0 if nothing differs, 1 if anything does, 2 if a report cannot be read or gives no verdict: then every line that is wrong is named.

Without a file JetPay's Data API is asked for the days of --from and --to: hour by hour, each until two readings agree. An answer that cannot be verified or read in full ends with exit code 2.

--apply credits what the report calls paid, if it is a payment that was issued, is pending or expired, and has the same sum and currency; the credit is bound to the report's operation, so that a late callback posts nothing. A report is an unsigned file: with jetpay.gate_url or jetpay.data_url configured, only what that confirms is credited. Count and sum are shown before. A second run finds nothing left to credit.

A line or a payment is missing only after a day on either side of the interval was looked at too. Days on which the report, in its own time zone, has nothing to say are reported separately.

Example:

  tolem reconcile november.csv --map jetpay-csv --project 1234 --from 2026-11-01 --to 2026-11-30
  tolem reconcile 29.csv 30.csv --map my-map.yaml --out differences.xlsx
  tolem reconcile report.xlsx --map kaspi-pay-xlsx --json
  tolem reconcile --from 2026-11-29 --to 2026-11-29
  tolem reconcile 29.csv --map jetpay-csv --apply --reason "report of 29 November"`
}

// reconcileGC is by how many percent the heap may grow between collections: a
// fifth more processor time for half of the memory.
const reconcileGC = 40

// shownDifferences bounds how many differences are printed for people.
const shownDifferences = 1000

// Run compares.
func (c *reconcileCommand) Run(ctx context.Context, p *console.Program) error {
	job := &comparison{reconcileCommand: c, program: p}
	if err := job.usage(); err != nil {
		return err
	}
	needs := config.DatabaseURL
	if c.Apply || len(c.Files) == 0 {
		needs |= config.DataAPIKeys
	}
	if c.Apply {
		needs |= config.JetPayKeys // with which the Gate is asked
	}
	work := func(b console.Books) error {
		err := job.run(ctx, b)
		if c.Apply {
			err = job.audit(ctx, b, err)
		}
		return err
	}
	return p.OnBooksWith(ctx, needs, true, work, []func(*config.Config) error{job.check})
}

// comparison is one run of the command.
type comparison struct {
	*reconcileCommand
	program  *console.Program
	reports  *reportfile.Map
	from, to calendar.Day
	zone     *time.Location // of the configuration

	engine  *reconcile.Run
	by      store.By
	api     *dataapi.Client // nil if none is configured, or needed
	hours   []apiHour       // what was read of it, instead of files
	upTo    time.Time       // where the Data API cannot be read yet, if that is in the interval
	applied *applied
	report  reconcile.Report
}

func (c *comparison) usage() (err error) {
	switch {
	case len(c.Files) == 0 && c.Map != "":
		return console.WrongUsage("name at least one FILE; without one the Data API is asked, which needs no --map")
	case len(c.Files) == 0 && (c.From == "" || c.To == ""):
		return console.WrongUsage("name at least one FILE, or give --from and --to to ask JetPay's Data API")
	case len(c.Files) == 0 && c.Provider != "jetpay":
		return console.WrongUsage("name at least one FILE: only JetPay can be asked")
	case len(c.Files) > 0 && c.Map == "":
		return console.WrongUsage("--map must say how the report is read: a file, or one of the maps that tolem has: %s", strings.Join(maps.Names(), ", "))
	case c.Apply && strings.TrimSpace(c.Reason) == "":
		return console.WrongUsage("--apply needs --reason")
	case !c.Apply && c.Reason+c.Actor != "":
		return console.WrongUsage("--reason and --actor belong to --apply")
	case c.Apply && c.Provider != "jetpay":
		return console.WrongUsage("--apply is for JetPay: of HighHelp, serve asks for each open payment itself")
	}
	if c.Out != "" {
		if _, err := sheetFormat(string(c.Out)); err != nil {
			return err
		}
	}
	if c.reports, err = maps.Load(cmp.Or(c.Map, "jetpay-dataapi")); err != nil {
		return console.NoVerdict(err)
	}
	return nil
}

// sheetFormat is the format that the ending of a file's name says.
func sheetFormat(path string) (sheet.Format, error) {
	switch format := sheet.Format(strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")); format {
	case sheet.CSV, sheet.XLSX:
		return format, nil
	}
	return "", console.WrongUsage("--out must end in .csv or .xlsx")
}

// check reads what needs only the configuration.
func (c *comparison) check(cfg *config.Config) error {
	c.zone = cfg.Location()
	if c.Project != "" && !cfg.HasProject(c.Provider, string(c.Project)) {
		return console.WrongUsage("project %s of %s is not configured", c.Project, c.Provider)
	}
	for _, day := range []struct {
		flag string
		text console.DayFlag
		to   *calendar.Day
	}{{"--from", c.From, &c.from}, {"--to", c.To, &c.to}} {
		if day.text == "" {
			continue
		}
		var err error
		if *day.to, err = calendar.ParseDay(string(day.text)); err != nil {
			return console.WrongUsage("%s must be a day such as 2026-11-29", day.flag)
		}
	}
	if !c.from.IsZero() && !c.to.IsZero() && c.to.Before(c.from) {
		return console.WrongUsage("--from must not be after --to")
	}
	if c.Apply {
		ids := cfg.ProjectIDs(c.Provider)
		if c.Project == "" && len(ids) != 1 {
			return console.WrongUsage("--apply needs --project")
		}
		c.Project = console.Condition(cmp.Or(string(c.Project), ids[0]))
		var err error
		if c.by, err = c.program.By(console.Operator{Reason: c.Reason, Actor: c.Actor}, c.zone); err != nil {
			return err
		}
	}
	var err error
	if c.api, err = dataapi.New(cfg.JetPay, time.Now); err != nil {
		return err
	}
	if c.api == nil && len(c.Files) == 0 {
		return console.WrongUsage("name at least one FILE, or configure jetpay.data_url with its token and secret to ask JetPay's Data API")
	}
	return nil
}

func (c *comparison) run(ctx context.Context, b console.Books) (err error) {
	// A report of any size leaves much garbage and needs little memory.
	defer debug.SetGCPercent(debug.SetGCPercent(reconcileGC))
	c.engine = reconcile.New(reconcile.Options{Provider: c.Provider, ByPayment: c.Provider == "highhelp", LaterWins: len(c.Files) == 0})
	defer func() { err = errors.Join(err, c.engine.Close()) }()
	if c.api != nil {
		defer c.api.Close()
	}
	var asked, covered reconcile.Span
	if len(c.Files) == 0 {
		if asked, err = c.readAPI(ctx, b.Config); err != nil {
			return err
		}
		covered = asked
	} else {
		if err := c.readFiles(ctx); err != nil {
			return err
		}
		if asked, covered, err = c.spans(); err != nil {
			return err
		}
	}
	if err := c.compare(ctx, b, asked, covered); err != nil {
		return err
	}
	if c.Apply {
		if err := c.apply(ctx, b); err != nil {
			return err
		}
	}
	if err := c.print(); err != nil {
		return err
	}
	if c.engine.Counts().Differ() {
		return console.ErrAnswered
	}
	return nil
}

// readFiles reads all files. The error names every line that is wrong.
func (c *comparison) readFiles(ctx context.Context) error {
	progress, finish := c.program.BytesProgress(c.Files)
	defer finish()
	var refused error
	for i, path := range c.Files {
		if err := c.readFile(ctx, i, path, progress); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			refused = errors.Join(refused, inFile(path, err))
		}
	}
	return console.NoVerdict(refused)
}

// inFile names the file in front of each problem.
func inFile(path string, err error) error {
	lines := (*reportfile.LineErrors)(nil)
	if !errors.As(err, &lines) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return errors.New(path + ": " + strings.ReplaceAll(err.Error(), "\n", "\n"+path+": "))
}

func (c *comparison) readFile(ctx context.Context, n int, path string, progress func(int64)) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("must be a regular file")
	}
	rows, err := reportfile.Open(file, info.Size(), c.reports)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	done := int64(0)
	err = rows.Each(ctx, func(row *reportfile.Row) error {
		if read := rows.Read(); read-done > 1<<20 {
			progress(read - done)
			done = read
		}
		return c.add(n, row)
	})
	progress(info.Size() - done)
	return err
}

// add takes a line that is about a payment.
func (c *comparison) add(file int, row *reportfile.Row) error {
	about, err := c.report.Take(row)
	if err != nil || !about {
		return err
	}
	return c.engine.Add(reconcile.LineOf(file, row))
}

// spans are the interval that is asked for, and the days that the report covers.
func (c *comparison) spans() (asked, covered reconcile.Span, err error) {
	asked, covered, err = c.report.Spans(c.from, c.to, c.zone, c.reports.Zone())
	switch {
	case errors.Is(err, reconcile.ErrNoInterval):
		err = console.WrongUsage("the report has no times within the interval: give both --from and --to")
	case errors.Is(err, reconcile.ErrNoTimes):
		err = console.WrongUsage("the report has no times: give --from and --to")
	}
	return asked, covered, err
}

// compare compares, and explains why a report gives no verdict.
func (c *comparison) compare(ctx context.Context, b console.Books, asked, covered reconcile.Span) error {
	err := c.engine.Compare(ctx, b.ReportBooks(c.Provider, string(c.Project)), asked, covered)
	conflict := (*reconcile.ConflictError)(nil)
	switch {
	case errors.As(err, &conflict):
		for _, pair := range conflict.Conflicts {
			fmt.Fprintf(c.program.Stdio.Err, "tolem: %s: operation %s is there with other content than %s\n",
				c.place(&pair.Second), pair.Second.Operation, c.place(&pair.First))
		}
		return console.NoVerdict(err)
	case errors.Is(err, reconcile.ErrScale):
		return console.NoVerdict(err)
	}
	return err
}

// place is where a line is.
func (c *comparison) place(l *reconcile.Line) string {
	if l == nil {
		return "-"
	}
	if len(c.Files) == 0 {
		return "Data API, hour from " + c.hours[l.File].from.Format("2006-01-02 15:04")
	}
	return fmt.Sprintf("%s line %d", console.Printable(filepath.Base(c.Files[l.File])), l.Line)
}

// print prints the differences and what else there is to say, and the counts as
// the last line.
func (c *comparison) print() error {
	if c.Out != "" {
		if err := c.writeOut(); err != nil {
			return err
		}
	}
	if c.JSON {
		return c.printJSON()
	}
	if c.Out == "" {
		if err := c.printDifferences(); err != nil {
			return err
		}
	}
	if c.applied != nil {
		if err := c.printApplied(); err != nil {
			return err
		}
	}
	for _, note := range c.notes() {
		if err := c.program.Println(note); err != nil {
			return err
		}
	}
	return c.program.Println(c.engine.Counts().String())
}

// errEnough ends a list early.
var errEnough = errors.New("enough")

func (c *comparison) printDifferences() error {
	t := c.program.Table("DIFFERENCE", "LINE", "PAYMENT", "OPERATION", "THERE", "HERE", "NEXT")
	n := 0
	err := c.engine.Each(func(d reconcile.Difference) error {
		if n++; n > shownDifferences {
			return errEnough
		}
		r := c.record(&d)
		t.Row(r.Kind.Words(), cmp.Or(r.place, "-"), orDash(r.payment), orDash(r.operation), orDash(r.there), orDash(r.here), r.Next)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if n == 0 {
		return nil
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if n > shownDifferences {
		return c.program.Println(fmt.Sprintf("these are the first %d differences; --out FILE has all", shownDifferences))
	}
	return nil
}

// notes is what is said beside the differences.
func (c *comparison) notes() (notes []string) {
	for _, word := range sortedKeys(c.report.Unlisted) {
		notes = append(notes, fmt.Sprintf("%s not compared: the map does not list the %s", console.Counted(int64(c.report.Unlisted[word]), "line"), console.Printable(word)))
	}
	if n := c.engine.Edge(); n > 0 {
		notes = append(notes, fmt.Sprintf("%s of the interval not compared: days on which, in the time zone of the report (%s), it has no lines; add the report of the day before or after", console.Counted(int64(n), "payment"), c.reports.Zone()))
	}
	if !c.upTo.IsZero() {
		notes = append(notes, "compared up to "+console.When(c.upTo, c.zone)+": later hours cannot be read yet")
	}
	return notes
}

func sortedKeys(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// differenceRecord is a difference as it is printed.
type differenceRecord struct {
	reconcile.Difference
	place                                      string
	payment, paymentID, operation, there, here string
	currency                                   string
	thereAmount, hereAmount                    int64
	at                                         time.Time
}

func (c *comparison) record(d *reconcile.Difference) differenceRecord {
	r := differenceRecord{Difference: *d}
	if l := d.Line; l != nil {
		r.place, r.payment, r.operation = c.place(l), console.Printable(l.Payment), console.Printable(l.Operation)
		r.there = strings.TrimSpace(fmt.Sprintf("%s %s", money(l.Amount, l.Currency), l.Status))
		r.currency, r.thereAmount, r.at = l.Currency, l.Amount, l.At
	}
	if e := d.Entry; e != nil {
		r.payment, r.operation = cmp.Or(r.payment, console.Printable(e.Payment)), cmp.Or(r.operation, e.Operation)
		r.paymentID, r.here = e.PaymentID, money(e.Amount, e.Currency)
		r.currency, r.hereAmount = cmp.Or(r.currency, e.Currency), e.Amount
		if r.at.IsZero() {
			r.at = e.At
		}
	}
	if k := d.Payment; k != nil {
		r.paymentID, r.here = k.PaymentID, money(k.Amount, k.Currency)+" "+k.Status
		r.hereAmount = k.Amount
	}
	return r
}
