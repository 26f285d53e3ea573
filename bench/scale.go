//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tolem/platform"
	"tolem/store"
)

// What grows with the years.
const (
	// earlierCommit is the program with which ledger check is compared.
	earlierCommit = "b06bfad"
	dayOfPayments = 30_000 // behind a seal

	mostOfEarlier = 0.25 // of its time, for ledger check
	mostOfCheck   = 0.02 // of the whole check's time, for what is behind a seal
	mostOfScan    = 5    // times a scan of the payments, for a year by day
	mostAgain     = 0.1  // of that, when it is asked for again
	mostAtRest    = 40e6 // bytes, resident
	mostLoaded    = 100e6
)

// tableOfScale measures what reads many years of payments, and the memory of a server
// that has everything in it.
func (b *bench) tableOfScale(ctx context.Context, reached goals) (notes []string, err error) {
	folder, remove, err := b.subfolder("scale")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := room(folder, b.years); err != nil {
		return nil, err
	}
	s := &scale{b: b, folder: folder, database: sqliteIn(folder, "tolem.db"), config: filepath.Join(folder, "config.yaml")}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	for _, part := range []func(context.Context, goals) ([]string, error){s.checks, s.reports, s.seals} {
		said, err := part(ctx, reached)
		if err != nil {
			return notes, err
		}
		notes = append(notes, said...)
	}
	note, err := s.said.compare(ctx, s.database)
	if err != nil {
		return nil, err
	}
	said, err := b.memoryOfServe(ctx, reached)
	return append(append(notes, "scale: "+note), said...), err
}

// scale is a database with a year of payments.
type scale struct {
	b              *bench
	folder, config string
	database       database
	said           acknowledged
}

// load fills the database.
func (s *scale) load(ctx context.Context) error {
	s.b.say("  loading %d payments", s.b.years)
	if err := s.database.open(ctx, s.folder, loadedCustomers(s.b.years)); err != nil {
		return fmt.Errorf("make a database: %w", err)
	}
	if err := fill(ctx, s.database, s.b.years, time.Now().AddDate(-1, 0, 0), &s.said, func(int64) {}); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	text := fmt.Sprintf("timezone: Asia/Almaty\ndatabase: {dsn: %q}\nadmin: {tokens: [{name: bench, role: admin, token: %s}]}\njetpay: {projects: [{id: %d, secrets: [%s]}]}\n",
		s.database.dsn, adminToken, project, secret)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		return err
	}
	return remember(s.database.dsn)
}

// ran is a command that was run.
type ran struct {
	wall, processor time.Duration
	memory          int64 // at most
	out             string
}

// run runs a command of a program, which must end well.
func (s *scale) run(ctx context.Context, program string, args ...string) (ran, error) {
	command := exec.CommandContext(ctx, program, args...)
	command.Env = append(os.Environ(), "TOLEM_CONFIG="+s.config)
	took, most, out, err := timed(command)
	r := ran{took, command.ProcessState.UserTime() + command.ProcessState.SystemTime(), most, strings.TrimSpace(out)}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return r, err
}

// checks checks the ledger by this program and by the earlier one, in turns.
func (s *scale) checks(ctx context.Context, reached goals) (notes []string, err error) {
	earlier, err := s.earlier(ctx)
	if err != nil {
		return []string{"ledger check was not compared with that of " + earlierCommit + ": " + err.Error()}, nil
	}
	var ours, theirs, wall, processor []float64
	memory := int64(0)
	for turn := range s.b.rounds {
		s.b.say("  ledger check: turn %d of %d", turn+1, s.b.rounds)
		// To the earlier program triggers that were changed since are broken ones.
		before, err := s.run(ctx, earlier, "ledger", "check")
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			return nil, err
		}
		now, err := s.run(ctx, s.b.program, "ledger", "check")
		if err != nil {
			return nil, err
		}
		_, counted, _ := strings.Cut(now.out, "sound: ")
		if !strings.HasSuffix(before.out, counted) || counted == "" {
			return nil, fmt.Errorf("the earlier program has not checked the same: %s, not %s", before.out, counted)
		}
		ours, theirs = append(ours, now.wall.Seconds()), append(theirs, before.wall.Seconds())
		wall = append(wall, now.wall.Seconds()/before.wall.Seconds())
		processor = append(processor, now.processor.Seconds()/before.processor.Seconds())
		memory = max(memory, now.memory)
	}
	reached.atMost(fmt.Sprintf("ledger check of %d payments / by %s", s.b.years, earlierCommit),
		fmt.Sprintf("%.1f s / %.1f s; processor time %.2f; %s", median(ours), median(theirs), median(processor), megabytes(memory)), median(wall), mostOfEarlier)
	return nil, nil
}

// earlier builds the earlier program from the history of this one.
func (s *scale) earlier(ctx context.Context) (program string, err error) {
	source, archive := filepath.Join(s.folder, earlierCommit), filepath.Join(s.folder, "earlier.tar")
	if err := os.Mkdir(source, 0o755); err != nil {
		return "", err
	}
	program = filepath.Join(s.folder, "tolem-"+earlierCommit)
	for _, step := range []struct {
		in   string
		args []string
	}{
		{"", []string{"git", "archive", "-o", archive, earlierCommit}},
		{"", []string{"tar", "-xf", archive, "-C", source}},
		{source, []string{"go", "build", "-o", program, "."}},
	} {
		command := exec.CommandContext(ctx, step.args[0], step.args[1:]...)
		command.Dir = step.in
		if out, err := command.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", strings.Join(step.args[:2], " "), err, out)
		}
	}
	return program, nil
}

// reports asks for a year by day, with nothing summed before and once more, each time
// beside a scan of as many payments.
func (s *scale) reports(ctx context.Context, reached goals) ([]string, error) {
	var first, again, times, share, processor []float64
	for turn := range s.b.rounds {
		s.b.say("  report: turn %d of %d", turn+1, s.b.rounds)
		if err := s.execute(ctx, `DELETE FROM turnover`, `DELETE FROM turnover_through`); err != nil {
			return nil, err
		}
		scan, err := s.scan(ctx)
		if err != nil {
			return nil, err
		}
		whole, err := s.run(ctx, s.b.program, "report", "--by", "day")
		if err != nil {
			return nil, err
		}
		repeated, err := s.run(ctx, s.b.program, "report", "--by", "day")
		if err != nil {
			return nil, err
		}
		if repeated.out != whole.out {
			return nil, fmt.Errorf("the report says something else when it is asked for again:\n%s\n%s", whole.out, repeated.out)
		}
		first, again = append(first, whole.wall.Seconds()), append(again, repeated.wall.Seconds())
		times, share = append(times, whole.wall.Seconds()/scan.Seconds()), append(share, repeated.wall.Seconds()/whole.wall.Seconds())
		processor = append(processor, whole.processor.Seconds())
	}
	reached.atMost(fmt.Sprintf("report --by day over a year of %d payments / scanning them in SQLite", s.b.years), fmt.Sprintf("%.1f s, %.1f s of processor time", median(first), median(processor)), median(times), mostOfScan)
	reached.atMost("the same when asked again / the first time", fmt.Sprintf("%.3f s", median(again)), median(share), mostAgain)
	return nil, nil
}

// scan counts the payments by reading the row of each, as a report without sums would.
func (s *scale) scan(ctx context.Context) (took time.Duration, err error) {
	db, err := s.database.connect()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var n int64
	started := time.Now()
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM payments NOT INDEXED WHERE credit_at > 0`).Scan(&n)
	if err == nil && n == 0 {
		err = errors.New("there are no credits to scan")
	}
	return time.Since(started), err
}

func (s *scale) execute(ctx context.Context, statements ...string) (err error) {
	db, err := s.database.connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return inOrder(ctx, db, statements)
}

func inOrder(ctx context.Context, db *sql.DB, statements []string) error {
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// seals seals the journal, books a day more, and verifies what is behind the seal,
// beside the whole check.
func (s *scale) seals(ctx context.Context, reached goals) ([]string, error) {
	sealed, err := s.run(ctx, s.b.program, "ledger", "seal")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.folder, "seal.json")
	if err := os.WriteFile(file, []byte(sealed.out), 0o600); err != nil {
		return nil, err
	}
	if err := s.day(ctx); err != nil {
		return nil, fmt.Errorf("a day more: %w", err)
	}
	if _, err := s.run(ctx, s.b.program, "ledger", "seal"); err != nil {
		return nil, err
	}
	var recent, whole, share, processor []float64
	for turn := range s.b.rounds {
		s.b.say("  seals: turn %d of %d", turn+1, s.b.rounds)
		one, err := s.run(ctx, s.b.program, "ledger", "check", "--seal", file, "--recent")
		if err != nil {
			return nil, err
		}
		if want := fmt.Sprintf("%d transactions read", dayOfPayments); !strings.Contains(one.out, want) {
			return nil, fmt.Errorf("the check of what is behind the seal says %s, not %s", one.out, want)
		}
		all, err := s.run(ctx, s.b.program, "ledger", "check")
		if err != nil {
			return nil, err
		}
		recent, whole, share = append(recent, one.wall.Seconds()), append(whole, all.wall.Seconds()), append(share, one.wall.Seconds()/all.wall.Seconds())
		processor = append(processor, one.processor.Seconds()/all.processor.Seconds())
	}
	reached.atMost(fmt.Sprintf("ledger check --seal --recent, a day of %d payments more / the whole check", dayOfPayments),
		fmt.Sprintf("%.2f s / %.1f s with %d payments sealed; processor time %.3f", median(recent), median(whole), s.b.years, median(processor)), median(share), mostOfCheck)
	return []string{fmt.Sprintf("scale: the first seal took %.1f s", sealed.wall.Seconds())}, nil
}

// day books a day of payments more.
func (s *scale) day(ctx context.Context) (err error) {
	books, err := store.Open(ctx, s.database.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	g := grouped{s.b, books}
	var ids []string
	for len(ids) < dayOfPayments {
		more, err := g.issue(ctx, 0)
		if err != nil {
			return err
		}
		ids = append(ids, more...)
	}
	for _, id := range ids {
		s.said.issue(id)
	}
	errDone := errors.New("the day is over")
	_, err = each(ctx, time.Hour, s.b.connections, func(n int64) error {
		if n > dayOfPayments {
			return errDone
		}
		s.said.credit(ids[n-1])
		return g.credit(ids[n-1], n)
	})
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// memoryOfServe measures what a server with notifications, an account source and the
// dashboard has resident, before anything is asked of it and after loads.
func (b *bench) memoryOfServe(ctx context.Context, reached goals) (notes []string, err error) {
	receiver, err := startEmpty(ctx, b.folder)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, receiver.stop()) }()
	more := fmt.Sprintf(notifyConfiguration, "http://"+receiver.address+route) + "\n" + fmt.Sprintf(sourceConfiguration, "http://"+receiver.address+route+"?customer={customer_id}")
	r, err := b.newRigWith(ctx, "memory", b.customers, more)
	defer func() { err = errors.Join(err, r.close()) }()
	if err != nil {
		return nil, err
	}
	time.Sleep(rest)
	atRest, _, err := r.tolem.memory()
	if err != nil {
		return nil, err
	}
	v, err := r.tolem.signIn(ctx)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	for turn := range b.rounds {
		b.say("  memory: turn %d of %d", turn+1, b.rounds)
		reading, stop := context.WithCancel(ctx)
		pages := make(chan error, 1)
		go func() { pages <- v.readAll(reading) }()
		for _, kind := range []string{platform.MessageVerify, platform.MessageCheckDeposit, platform.MessageCallback} {
			loaded, err := r.load(ctx, bare{}, kind, shape{connections: b.connections, duration: b.duration})
			if err := errors.Join(err, loaded.clean()); err != nil {
				stop()
				return nil, errors.Join(err, <-pages)
			}
		}
		stop()
		if err := <-pages; err != nil {
			return nil, err
		}
	}
	_, most, err := r.tolem.memory()
	if err != nil {
		return nil, err
	}
	reached.atMost("resident memory of serve at rest / 40 MB", megabytes(atRest), float64(atRest)/mostAtRest, 1)
	reached.atMost("and under load, beside a reader of all pages / 100 MB", megabytes(most), float64(most)/mostLoaded, 1)
	if err := r.tolem.stop(); err != nil {
		return nil, err
	}
	note, err := r.said.compare(ctx, r.database)
	return []string{"memory: " + note}, err
}

// sourceConfiguration is billing that answers nothing of use, so that stored records
// are.
const sourceConfiguration = `environment: development
accounts: {source: http, http: {url: %q, secret: whsec_dG9sZW0gYmVuY2ggc2VjcmV0IG9mIDMyIGJ5dGVzICAgIDA=}}`

// readAll reads the dashboard's lists one after another until the context ends.
func (v *visitor) readAll(ctx context.Context) error {
	for {
		for _, path := range []string{"/", "/payments", "/suspense", "/messages", "/payouts", "/settlement", "/events", "/approvals", "/audit", "/reconcile"} {
			if ctx.Err() != nil {
				return nil
			}
			if _, err := v.get(context.WithoutCancel(ctx), path); err != nil {
				return fmt.Errorf("page %s: %w", path, err)
			}
		}
	}
}
