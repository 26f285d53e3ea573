//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"tolem/platform"
)

// The goals with ten million payments.
const (
	leastOfEmpty = 0.85 // of the callback rate with an empty database
	mostMemory   = 150  // MB, resident, under load
	mostStart    = 1.0  // seconds to the first answer
	goalPayments = 10_000_000
)

// sized is what was measured with so many payments.
type sized struct {
	Payments     int64   `json:"payments"`
	Bytes        int64   `json:"bytes"`               // of the database file
	FillSeconds  float64 `json:"fill_seconds"`        // by the bulk loader
	CheckSeconds float64 `json:"check_seconds"`       // ledger check
	ColdStart    float64 `json:"cold_start_seconds"`  // exec to first answer, nothing of the file in memory
	WarmStart    float64 `json:"warm_start_seconds"`  // the same once more
	Rate         float64 `json:"rate"`                // callbacks a second, closed loop, of the flag customers
	EmptyRate    float64 `json:"empty_rate"`          // the same with a database that began empty, alternating
	Ratio        float64 `json:"ratio"`               // the median of the turns
	AllRate      float64 `json:"all_rate"`            // with callbacks of all customers, in turns
	AllRatio     float64 `json:"all_ratio"`           // to EmptyRate, the median of the turns
	P50Millis    float64 `json:"p50_ms"`              // at half of AllRate, open loop
	P99Millis    float64 `json:"p99_ms"`              // at half of AllRate, open loop
	Resident     int64   `json:"resident_bytes"`      // after the load
	MostResident int64   `json:"most_resident_bytes"` // ever
}

// study is the file of the results.
type study struct {
	Machine string  `json:"machine"`
	Sizes   []sized `json:"sizes"`
}

// large measures the same server with 10^3, 10^4 … payments.
func (b *bench) large(ctx context.Context) error {
	s := study{Machine: machine()}
	if before, err := openStudy(b.results); err == nil && before.Machine == s.Machine {
		s = before // of the same day and machine: the other sizes stay
	}
	for payments := b.smallest; payments <= b.largest; payments *= 10 {
		one, err := b.size(ctx, payments)
		if err != nil {
			return fmt.Errorf("%d payments: %w", payments, err)
		}
		s.put(one)
		if err := s.save(b.results); err != nil {
			return err
		}
	}
	fmt.Fprintf(b.out, "%s\n\n", s.Machine)
	s.grid().print(b.out)
	return b.redraw(ctx)
}

// put keeps the results of a size in the place of earlier ones.
func (s *study) put(one sized) {
	s.Sizes = slices.DeleteFunc(s.Sizes, func(o sized) bool { return o.Payments == one.Payments })
	s.Sizes = append(s.Sizes, one)
	slices.SortFunc(s.Sizes, func(a, b sized) int { return cmp.Compare(a.Payments, b.Payments) })
}

func (s study) grid() *grid {
	g := newGrid("payments", "file", "callbacks", "/ empty database", "of all customers", "/ empty database", "p50", "p99", "start cold", "warm", "resident", "at most", "loaded in", "checked in")
	for _, one := range s.Sizes {
		g.row(fmt.Sprint(one.Payments), megabytes(one.Bytes), perSecond(one.Rate), fmt.Sprintf("%.2f", one.Ratio),
			perSecond(one.AllRate), fmt.Sprintf("%.2f", one.AllRatio),
			fmt.Sprintf("%.2f ms", one.P50Millis), fmt.Sprintf("%.2f ms", one.P99Millis),
			fmt.Sprintf("%.2f s", one.ColdStart), fmt.Sprintf("%.2f s", one.WarmStart), megabytes(one.Resident), megabytes(one.MostResident),
			fmt.Sprintf("%.0f s", one.FillSeconds), fmt.Sprintf("%.0f s", one.CheckSeconds))
	}
	return g
}

func megabytes(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }

// size measures a server with so many payments, beside one that has none.
func (b *bench) size(ctx context.Context, payments int64) (one sized, err error) {
	one.Payments = payments
	folder, remove, err := b.subfolder("large")
	if err != nil {
		return one, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := room(folder, payments); err != nil {
		return one, err
	}
	r := &rig{b: b, folder: folder, database: sqliteIn(folder, "tolem.db"), customers: loadedCustomers(payments)}
	if err := r.fill(ctx, &one); err != nil {
		return one, err
	}
	if err := r.starts(ctx, &one); err != nil {
		return one, errors.Join(err, r.tolem.stop())
	}
	if err := r.beside(ctx, &one); err != nil {
		return one, errors.Join(err, r.tolem.stop())
	}
	if one.Resident, one.MostResident, err = r.tolem.memory(); err != nil {
		return one, errors.Join(err, r.tolem.stop())
	}
	if err := r.tolem.stop(); err != nil {
		return one, err
	}
	note, err := r.said.compare(ctx, r.database)
	b.say("  %s", note)
	return one, err
}

// room stops before a disk is filled.
func room(folder string, payments int64) error {
	free, err := freeBytes(folder)
	if err != nil {
		return err
	}
	if need := bytesOf(payments); free < need {
		return fmt.Errorf("the disk of %s has %s free, %d payments need %s: give another one with -in, or fewer payments with -largest",
			folder, megabytes(free), payments, megabytes(need))
	}
	return nil
}

// fill loads the database and lets the ledger check itself.
func (r *rig) fill(ctx context.Context, one *sized) error {
	r.b.say("%d payments: loading", one.Payments)
	started := time.Now()
	if err := r.database.open(ctx, r.folder, r.customers); err != nil {
		return fmt.Errorf("make a database: %w", err)
	}
	err := fill(ctx, r.database, one.Payments, yearsAgo(), &r.said, func(done int64) {
		if done%1_000_000 == 0 {
			r.b.say("  %d after %v", done, time.Since(started).Round(time.Second))
		}
	})
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	one.FillSeconds = time.Since(started).Seconds()
	info, err := os.Stat(r.database.dsn)
	if err != nil {
		return err
	}
	one.Bytes = info.Size()
	r.b.say("  ledger check")
	started = time.Now()
	if err := check(ctx, r.database); err != nil {
		return err
	}
	one.CheckSeconds = time.Since(started).Seconds()
	return nil
}

// starts measures two starts, and leaves the second server running.
func (r *rig) starts(ctx context.Context, one *sized) error {
	if err := forget(r.database.dsn); err != nil {
		return fmt.Errorf("drop the file from memory: %w", err)
	}
	for _, took := range []*float64{&one.ColdStart, &one.WarmStart} {
		if err := r.tolem.stop(); err != nil {
			return err
		}
		if err := r.serve(ctx); err != nil {
			return err
		}
		first, err := bare{}.load(ctx, r.tolem.address, shape{connections: 1}, &list{left: r.verifies[:1]})
		if err == nil {
			err = first.clean()
		}
		if err != nil {
			return err
		}
		*took = (r.tolem.started + first.elapsed).Seconds()
	}
	return remember(r.database.dsn)
}

// forget lets go of what the system keeps of a file in memory.
func forget(name string) (err error) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := file.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// remember reads a file page by page, so that the system caches as much of it
// as fits, as on a machine that has served it for a while. A file that is read
// sequentially may be cached in folios of up to 2 MB, and ext4 walks over a
// whole folio for each page written in it.
func remember(name string) (err error) {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{file}, make([]byte, 1<<20))
	return err
}

// beside measures callbacks alternately, in changing order, with a server that
// began with an empty database, and then how long they take at half of that
// rate. The same number of customers top up in both; then all of the full one's
// do, so that every credit is one of another ledger account.
func (r *rig) beside(ctx context.Context, one *sized) (err error) {
	some := min(r.b.customers, r.customers)
	small, err := r.b.newRig(ctx, "empty", some)
	defer func() { err = errors.Join(err, small.close()) }()
	if err != nil {
		return fmt.Errorf("with an empty database: %w", err)
	}
	var full, all, empty []float64
	turns := []struct {
		on        *rig
		customers int
		rates     *[]float64
	}{{r, some, &full}, {r, r.customers, &all}, {small, some, &empty}}
	for turn := range r.b.turns() {
		r.b.say("  callbacks: turn %d of %d", turn+1, r.b.turns())
		for i := range turns {
			of := turns[(i+turn)%len(turns)]
			if err := of.on.invite(of.customers); err != nil {
				return err
			}
			time.Sleep(rest)
			rate, err := of.on.callbacks(ctx)
			if err != nil {
				return err
			}
			*of.rates = append(*of.rates, rate)
		}
	}
	one.Rate, one.EmptyRate, one.Ratio = median(full), median(empty), median(ratios(full, empty))
	one.AllRate, one.AllRatio = median(all), median(ratios(all, empty))
	if err := small.tolem.stop(); err != nil {
		return err
	}
	if _, err := small.said.compare(ctx, small.database); err != nil {
		return fmt.Errorf("with an empty database: %w", err)
	}
	if err := r.invite(r.customers); err != nil {
		return err
	}
	half, err := r.atHalf(ctx, platform.MessageCallback, one.AllRate)
	if err != nil {
		return err
	}
	one.P50Millis, one.P99Millis = half.p50.Seconds()*1000, half.p99.Seconds()*1000
	return nil
}

// callbacks issues payments, and measures how fast all of them are credited.
// The second load includes the checkpoint of the first, as in a continuous
// load.
func (r *rig) callbacks(ctx context.Context) (rate float64, err error) {
	for _, kind := range []string{platform.MessageCheckDeposit, platform.MessageCallback} {
		loaded, err := r.load(ctx, bare{}, kind, shape{connections: r.b.connections, duration: r.b.duration})
		if err == nil {
			err = loaded.clean()
		}
		if err != nil {
			return 0, err
		}
		rate = loaded.rate()
	}
	return rate, nil
}

func (s study) save(name string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644)
}

func openStudy(name string) (s study, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// redraw draws the plot of the kept results.
func (b *bench) redraw(context.Context) error {
	s, err := openStudy(b.results)
	if err != nil {
		return err
	}
	return os.WriteFile(b.plot, s.plot(), 0o644)
}

// tableOfLarge repeats what make bench-large measured last: it takes too long
// to be measured with everything else.
func (b *bench) tableOfLarge(reached goals) error {
	s, err := openStudy(b.results)
	if errors.Is(err, os.ErrNotExist) {
		reached.grid.row("with 10,000,000 payments", "run make bench-large", "", "", "")
		return nil
	}
	if err != nil || len(s.Sizes) == 0 {
		return err
	}
	last := s.Sizes[len(s.Sizes)-1]
	when := fmt.Sprintf(" (make bench-large, %.10s)", s.Machine)
	what := fmt.Sprintf("with %d payments: ", last.Payments)
	enough := last.Payments >= goalPayments
	add := func(name, shown string, ratio float64, goal string, met bool) {
		reached.grid.row(what+name, shown+when, fmt.Sprintf("%.2f", ratio), goal, verdict(met && enough))
	}
	add("callback rate / with an empty database", perSecond(last.Rate)+" / "+perSecond(last.EmptyRate), last.Ratio, fmt.Sprintf("≥ %.2f", leastOfEmpty), last.Ratio >= leastOfEmpty)
	add("the same when all of its customers top up", perSecond(last.AllRate)+" / "+perSecond(last.EmptyRate), last.AllRatio, fmt.Sprintf("≥ %.2f", leastOfEmpty), last.AllRatio >= leastOfEmpty)
	memory := float64(last.MostResident) / 1e6
	add("resident memory under load, MB", megabytes(last.MostResident), memory, fmt.Sprintf("≤ %d", mostMemory), memory <= mostMemory)
	add("start to first answer, s", fmt.Sprintf("cold %.2f s, warm %.2f s", last.ColdStart, last.WarmStart), last.ColdStart, fmt.Sprintf("≤ %.2f", mostStart), last.ColdStart <= mostStart)
	return nil
}
