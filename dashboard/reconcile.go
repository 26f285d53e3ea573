package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tolem/calendar"
	"tolem/maps"
	"tolem/reconcile"
	"tolem/reportfile"
	"tolem/sheet"
	"tolem/store"
	"tolem/topup"
)

const (
	// maxUpload bounds a report, in bytes; larger ones are compared by the command.
	maxUpload = 64 << 20
	maxMap    = 64 << 10
	// uploadTime is how long an upload may take.
	uploadTime = 5 * time.Minute
	// compareTime bounds a comparison.
	compareTime = 10 * time.Minute
	// maxComparisons are those that are kept, for comparisonAge; as many as run at
	// once.
	maxComparisons = 4
	comparisonAge  = time.Hour
	// shownDifferences are those on the page, and keptDifferences those of a download.
	shownDifferences = 200
	keptDifferences  = 50_000
)

// comparison is a report that is compared with the books, in the background.
type comparison struct {
	id       string
	owner    string // the name of the token
	file     string
	provider string
	from, to calendar.Day
	size     int64
	read     atomic.Int64
	started  time.Time
	cancel   context.CancelFunc

	mu          sync.Mutex
	done        bool
	failure     error
	report      reconcile.Report
	counts      reconcile.Counts
	edge        int
	differences []difference
	more        int // differences that are not kept
}

// difference is one that was found, as the page and the download show it.
type difference struct {
	Kind       reconcile.Kind
	Line       int
	PaymentID  string // ours
	Payment    string // as the report has it
	Operation  string
	At         time.Time
	There      topup.Money
	Here       topup.Money
	ThereSaid  string // the status there
	Next       string // what to do, in English: it names commands
	hasAmounts [2]bool
}

// comparisons are kept in the memory of this process.
type comparisons struct {
	mu   sync.Mutex
	list []*comparison
	done sync.WaitGroup
}

func (c *comparisons) find(id, owner string) *comparison {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.list {
		if one.id == id && one.owner == owner {
			return one
		}
	}
	return nil
}

// add keeps a comparison, in the place of one that is over if need be. It is false
// when too many run.
func (c *comparisons) add(one *comparison, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = slices.DeleteFunc(c.list, func(o *comparison) bool { return o.over() && now.Sub(o.started) > comparisonAge })
	if len(c.list) >= maxComparisons {
		i := slices.IndexFunc(c.list, (*comparison).over)
		if i < 0 {
			return false
		}
		c.list = slices.Delete(c.list, i, i+1)
	}
	c.list = append(c.list, one)
	return true
}

func (c *comparisons) close() {
	c.mu.Lock()
	for _, one := range c.list {
		one.cancel()
	}
	c.mu.Unlock()
	c.done.Wait()
}

func (c *comparison) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

type reconcilePage struct {
	Providers []string
	Maps      []string
	Job       *comparisonView
	Problem   string
	Detail    string
}

// comparisonView is a comparison as it is at one time.
type comparisonView struct {
	ID, File    string
	From, To    string
	Done        bool
	Percent     int
	Problem     string // of the file, in English, a line each
	Counts      []count
	Differ      bool
	Lines       int
	Unlisted    map[string]int
	Edge        int
	Differences []difference
	More        int
}

type count struct {
	Kind reconcile.Kind
	N    int
}

var providers = []string{"jetpay", "highhelp"}

// reconcilePage shows the form for a report, and how its comparison stands.
func (d *Dashboard) reconcilePage(w http.ResponseWriter, r *http.Request, s *session) error {
	body := reconcilePage{Providers: providers, Maps: maps.Names()}
	if id := r.URL.Query().Get("job"); id != "" {
		job := d.comparisons.find(id, s.Name)
		if job == nil {
			return topup.NotFound("this comparison is over: upload the report again")
		}
		if format := r.URL.Query().Get("format"); format != "" {
			return d.downloadDifferences(w, r, job, sheet.Format(format))
		}
		body.Job = job.view()
	}
	p := d.page(w, r, s, "reconcile.title")
	p.Section = "reconcile"
	d.show(w, r, http.StatusOK, "reconcile", p, body)
	return nil
}

func (c *comparison) view() *comparisonView {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := &comparisonView{ID: c.id, File: c.file, From: c.from.String(), To: c.to.String(), Done: c.done, Lines: c.report.Lines, Unlisted: c.report.Unlisted, Edge: c.edge}
	if c.size > 0 {
		v.Percent = int(min(c.read.Load()*100/c.size, 100))
	}
	if c.failure != nil {
		v.Problem = c.failure.Error()
		return v
	}
	for _, kind := range reconcile.Kinds {
		v.Counts = append(v.Counts, count{kind, c.counts[kind]})
	}
	v.Differ = c.counts.Differ()
	v.Differences = c.differences[:min(len(c.differences), shownDifferences)]
	v.More = len(c.differences) - len(v.Differences) + c.more
	return v
}

// postReconcile takes a report, and begins to compare it.
func (d *Dashboard) postReconcile(w http.ResponseWriter, r *http.Request, s *session) error {
	job, reports, err := d.newComparison(r, s)
	if isRefusal(err) {
		err = d.auditRefusal(w, r, s.Token, err)
	}
	if isRefusal(err) {
		p := d.page(w, r, s, "reconcile.title")
		p.Section = "reconcile"
		body := reconcilePage{Providers: providers, Maps: maps.Names(), Problem: d.printer(p.Language).Text("reconcile.refused"), Detail: err.Error()}
		d.show(w, r, statusOf(err), "reconcile", p, body)
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), compareTime)
	job.cancel = cancel
	path, err := keepUpload(r.MultipartForm.File["report"][0])
	if err != nil {
		cancel()
		return err
	}
	if !d.comparisons.add(job, d.now()) {
		cancel()
		return errors.Join(topup.Conflict("%d reports are being compared already: wait for one of them", maxComparisons), os.Remove(path))
	}
	d.comparisons.done.Go(func() {
		defer cancel()
		err := errors.Join(job.run(ctx, d.store, path, reports, d.zone), os.Remove(path))
		job.mu.Lock()
		job.done, job.failure = true, err
		job.mu.Unlock()
	})
	http.Redirect(w, r, "/reconcile?job="+job.id, http.StatusSeeOther)
	return nil
}

// newComparison reads the form.
func (d *Dashboard) newComparison(r *http.Request, s *session) (*comparison, *reportfile.Map, error) {
	form := r.MultipartForm
	if form == nil || len(form.File["report"]) != 1 || form.File["report"][0].Size == 0 {
		return nil, nil, topup.Invalid("report", "must be a file of the platform's")
	}
	job := &comparison{
		id: newKey(), owner: s.Name, file: filepath.Base(form.File["report"][0].Filename), size: form.File["report"][0].Size,
		provider: r.PostForm.Get("provider"), started: d.now(),
	}
	if !slices.Contains(providers, job.provider) {
		return nil, nil, topup.Invalid("provider", "must be jetpay or highhelp")
	}
	for _, day := range []struct {
		field string
		to    *calendar.Day
	}{{"from", &job.from}, {"to", &job.to}} {
		text := r.PostForm.Get(day.field)
		if text == "" {
			continue
		}
		var err error
		if *day.to, err = calendar.ParseDay(text); err != nil {
			return nil, nil, topup.Invalid(day.field, "%v", err)
		}
	}
	reports, err := mapOf(r)
	return job, reports, err
}

// mapOf is how the report is read: the map that was uploaded, else the chosen one
// of those that the program has. No name is taken for a file.
func mapOf(r *http.Request) (*reportfile.Map, error) {
	if own := r.MultipartForm.File["own_map"]; len(own) == 1 && own[0].Size > 0 {
		if own[0].Size > maxMap {
			return nil, topup.Invalid("own_map", "must be at most %d KiB", maxMap>>10)
		}
		file, err := own[0].Open()
		if err != nil {
			return nil, err
		}
		defer file.Close()
		text, err := io.ReadAll(file)
		if err != nil {
			return nil, err
		}
		m, err := reportfile.ParseMap(text)
		if err != nil {
			return nil, topup.Invalid("own_map", "%v", err)
		}
		return m, nil
	}
	name := r.PostForm.Get("map")
	if !slices.Contains(maps.Names(), name) {
		return nil, topup.Invalid("map", "must be one of %s, or be uploaded", strings.Join(maps.Names(), ", "))
	}
	return maps.Load(name)
}

// keepUpload copies an upload into a file of its own: the form's ends with the
// request.
func keepUpload(header *multipart.FileHeader) (path string, err error) {
	in, err := header.Open()
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.CreateTemp("", "tolem-report-")
	if err != nil {
		return "", err
	}
	if _, err = io.Copy(out, in); err != nil {
		return "", errors.Join(err, out.Close(), os.Remove(out.Name()))
	}
	return out.Name(), out.Close()
}

// run compares. What it returns is shown to the person who has uploaded the
// report.
func (c *comparison) run(ctx context.Context, s *store.Store, path string, reports *reportfile.Map, zone *time.Location) (err error) {
	engine := reconcile.New(reconcile.Options{Provider: c.provider, ByPayment: c.provider == "highhelp"})
	defer func() { err = errors.Join(err, engine.Close()) }()
	var report reconcile.Report
	if err := c.readReport(ctx, path, reports, &report, engine); err != nil {
		return err
	}
	c.mu.Lock()
	c.report = report
	c.mu.Unlock()
	asked, covered, err := report.Spans(c.from, c.to, zone, reports.Zone())
	if err != nil {
		return err
	}
	if err := engine.Compare(ctx, s.ReportBooks(c.provider, ""), asked, covered); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts, c.edge = engine.Counts(), engine.Edge()
	return engine.Each(func(found reconcile.Difference) error {
		if len(c.differences) == keptDifferences {
			c.more++
			return nil
		}
		c.differences = append(c.differences, differenceOf(&found))
		return nil
	})
}

func (c *comparison) readReport(ctx context.Context, path string, reports *reportfile.Map, report *reconcile.Report, engine *reconcile.Run) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	rows, err := reportfile.Open(file, c.size, reports)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	return rows.Each(ctx, func(row *reportfile.Row) error {
		c.read.Store(rows.Read())
		about, err := report.Take(row)
		if err != nil || !about {
			return err
		}
		return engine.Add(reconcile.LineOf(0, row))
	})
}

func differenceOf(d *reconcile.Difference) difference {
	out := difference{Kind: d.Kind, Next: d.Next}
	if l := d.Line; l != nil {
		out.Line, out.Payment, out.Operation, out.At, out.ThereSaid = l.Line, l.Payment, l.Operation, l.At, string(l.Status)
		out.There, out.hasAmounts[0] = topup.Money{Amount: l.Amount, Currency: l.Currency}, true
	}
	if e := d.Entry; e != nil {
		out.PaymentID, out.Here, out.hasAmounts[1] = e.PaymentID, topup.Money{Amount: e.Amount, Currency: e.Currency}, true
		if out.Operation == "" {
			out.Operation = e.Operation
		}
		if out.At.IsZero() {
			out.At = e.At
		}
	}
	if out.PaymentID == "" && d.Payment != nil {
		out.PaymentID = d.Payment.PaymentID
	}
	return out
}

// downloadDifferences writes all differences as a file.
func (d *Dashboard) downloadDifferences(w http.ResponseWriter, r *http.Request, job *comparison, format sheet.Format) error {
	kind, known := exportKinds[format]
	if !known {
		return topup.Invalid("format", "must be csv or xlsx")
	}
	job.mu.Lock()
	list := job.differences
	job.mu.Unlock()
	print := d.printer(d.language(w, r))
	amount := func(has bool, m topup.Money) sheet.Value {
		if !has {
			return sheet.Value{}
		}
		return sheet.Amount(m.Amount, m.Currency)
	}
	table := sheet.Table[difference]{Name: "differences", Zone: d.zone, Columns: []sheet.Column[difference]{
		sheet.TextColumn(print.Text("reconcile.difference"), 22, func(f difference) string { return print.Text("difference." + string(f.Kind)) }),
		{Heading: print.Text("payout.line"), Width: 8, Of: func(f difference) sheet.Value { return sheet.Count(int64(f.Line)) }},
		sheet.TextColumn(print.Text("field.payment_id"), 34, func(f difference) string { return f.PaymentID }),
		sheet.TextColumn(print.Text("field.reference"), 26, func(f difference) string { return f.Payment }),
		sheet.TextColumn(print.Text("field.operation"), 20, func(f difference) string { return f.Operation }),
		sheet.TimeColumn(print.Text("audit.when"), func(f difference) time.Time { return f.At }),
		{Heading: print.Text("reconcile.there"), Width: 16, Of: func(f difference) sheet.Value { return amount(f.hasAmounts[0], f.There) }},
		{Heading: print.Text("reconcile.here"), Width: 16, Of: func(f difference) sheet.Value { return amount(f.hasAmounts[1], f.Here) }},
		sheet.TextColumn(print.Text("field.currency"), 9, func(f difference) string { return currencyOf(f) }),
		sheet.TextColumn(print.Text("reconcile.next"), 60, func(f difference) string { return f.Next }),
	}}
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="differences-%s.%s"`, calendar.DayOf(d.now(), d.zone), format))
	w.Header().Set("Content-Type", kind)
	return table.Write(w, format, func(add func(difference) error) error {
		for _, one := range list {
			if err := add(one); err != nil {
				return err
			}
		}
		return nil
	})
}

func currencyOf(f difference) string {
	if f.There.Currency != "" {
		return f.There.Currency
	}
	return f.Here.Currency
}
