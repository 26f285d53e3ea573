//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"tolem/platform"
)

const (
	soakShare     = 0.70 // of the top rate
	soakIntervals = 40
	// shortestInterval is long enough for a p99.
	shortestInterval = 2 * time.Second
	bytesPerTopUp    = 2400
)

// topUps posts whole top-ups: verify, check_deposit and the callback of a
// payment that was issued before, one after another.
type topUps struct {
	rig *rig

	mu     sync.Mutex
	turn   int
	ids    []string // issued, and without a callback yet
	broken error
}

func (t *topUps) next() *request {
	t.mu.Lock()
	turn := t.turn
	t.turn++
	id := ""
	if turn%3 == 2 && len(t.ids) > 0 {
		id, t.ids = t.ids[0], t.ids[1:]
	}
	t.mu.Unlock()
	switch {
	case id != "":
		q, err := t.rig.sender.callback(id)
		if err != nil {
			t.fail(err)
			return nil
		}
		return q
	case turn%3 == 1:
		return t.rig.deposits[turn/3%len(t.rig.deposits)]
	}
	return t.rig.verifies[turn/3%len(t.rig.verifies)]
}

func (t *topUps) answered(q *request, a answer) {
	switch {
	case a.status != 200:
	case q.kind == platform.MessageCallback:
		t.rig.said.credit(q.id)
	case q.kind == platform.MessageCheckDeposit:
		id, err := issued(a)
		if err != nil {
			t.fail(err)
			return
		}
		t.rig.said.issue(id)
		t.mu.Lock()
		t.ids = append(t.ids, id)
		t.mu.Unlock()
	}
}

func (t *topUps) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.broken = errors.Join(t.broken, err)
}

// load posts top-ups in a shape; all must be accepted.
func (t *topUps) load(ctx context.Context, s shape) (result, error) {
	r, err := bare{}.load(ctx, t.rig.tolem.address, s, t)
	if err == nil {
		err = r.clean()
	}
	return r, errors.Join(err, t.broken)
}

// sample is the server in the middle of an interval, and how fast it was in it.
type sample struct {
	at         time.Duration
	rate       float64
	p50, p99   time.Duration
	memory     int64
	goroutines float64
	files      int
	wal        int64
}

// soak loads a server with 70 % of its top rate, and checks whether anything
// grows.
func (b *bench) soak(ctx context.Context) (err error) {
	r, err := b.newRig(ctx, "soak", b.customers)
	defer func() { err = errors.Join(err, r.close()) }()
	if err != nil {
		return err
	}
	t := &topUps{rig: r}
	b.say("the top rate of whole top-ups")
	top, err := t.load(ctx, shape{connections: b.connections, duration: b.duration * time.Duration(b.rounds)})
	if err != nil {
		return err
	}
	rate := soakShare * top.rate()
	if err := r.roomFor(rate / 3 * b.soakTime.Seconds()); err != nil {
		return err
	}
	samples, err := t.samples(ctx, rate)
	if err != nil {
		return err
	}
	if err := r.tolem.stop(); err != nil {
		return err
	}
	note, err := r.said.compare(ctx, r.database)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "%s\n\n%s messages (verify, check_deposit, callback in turns) for %v: %.0f %% of the top rate\n\n",
		machine(), perSecond(rate), b.soakTime, soakShare*100)
	level := b.printSoak(samples)
	fmt.Fprintln(b.out, note)
	if !level {
		return errors.New("the soak did not stay level")
	}
	return nil
}

func (r *rig) roomFor(topUps float64) error {
	free, err := freeBytes(r.folder)
	if err != nil {
		return err
	}
	if need := int64(topUps*bytesPerTopUp) + 1<<30; free < need {
		return fmt.Errorf("the disk of %s has %s free, %.0f top-ups need %s: give another one with -in, or a shorter time with -soak",
			r.folder, megabytes(free), topUps, megabytes(need))
	}
	return nil
}

// samples posts at the rate until the time is over, interval by interval.
func (t *topUps) samples(ctx context.Context, rate float64) (all []sample, err error) {
	b := t.rig.b
	interval := max(shortestInterval, b.soakTime/soakIntervals)
	for started := time.Now(); time.Since(started) < b.soakTime; {
		var one sample
		var looked error
		looking := time.AfterFunc(interval/2, func() { looked = t.rig.look(ctx, &one) })
		r, err := t.load(ctx, shape{connections: b.connections, duration: interval, rate: rate})
		if looking.Stop() {
			err = errors.Join(err, errors.New("the interval ended before its middle"))
		}
		if err := errors.Join(err, looked); err != nil {
			return all, err
		}
		one.at = time.Since(started)
		one.rate, one.p50, one.p99 = r.rate(), percentile(r.times(), .5), percentile(r.times(), .99)
		all = append(all, one)
		b.say("  %v: %s, p99 %s, %s", one.at.Round(time.Second), perSecond(one.rate), millis(one.p99), megabytes(one.memory))
		// The log is taken away, as a log rotation does.
		if err := os.Truncate(t.rig.tolem.log, 0); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (r *rig) look(ctx context.Context, one *sample) error {
	var errs [4]error
	one.memory, _, errs[0] = r.tolem.memory()
	one.files, errs[1] = r.tolem.files()
	one.goroutines, errs[2] = r.tolem.metric(ctx, "go_goroutines")
	var info os.FileInfo
	if info, errs[3] = os.Stat(r.database.dsn + "-wal"); errs[3] == nil {
		one.wal = info.Size()
	}
	return errors.Join(errs[:]...)
}

// figure is one of those that must stay level.
type figure struct {
	name  string
	of    func(sample) float64
	slack float64 // what it may grow by, beside a quarter of itself
	shown func(float64) string
}

var figures = []figure{
	{"resident memory", func(s sample) float64 { return float64(s.memory) }, 8e6, func(v float64) string { return megabytes(int64(v)) }},
	{"goroutines", func(s sample) float64 { return s.goroutines }, 4, number},
	{"file handles", func(s sample) float64 { return float64(s.files) }, 4, number},
	{"WAL", func(s sample) float64 { return float64(s.wal) }, 8e6, func(v float64) string { return megabytes(int64(v)) }},
	{"p99", func(s sample) float64 { return float64(s.p99) }, 1e6, func(v float64) string { return millis(time.Duration(v)) }},
}

// thirds are the first and the last third of the values, without the first
// tenth, in which a server warms up.
func (f figure) thirds(samples []sample) (first, last []float64) {
	var values []float64
	for _, one := range samples[len(samples)/10:] {
		values = append(values, f.of(one))
	}
	third := (len(values) + 2) / 3
	return values[:third], values[len(values)-third:]
}

// grows reports whether the last third is above the first by more than a
// quarter and the slack, and by more than chance.
func (f figure) grows(samples []sample) bool {
	first, last := f.thirds(samples)
	return median(last) > median(first)*1.25+f.slack && chance(first, last) < leastChance
}

// A difference that occurs by chance more often than this is no growth. On a
// machine whose host gives its processors to other guests for minutes, p99
// varies by a factor of three; a leak is higher in nearly every interval.
const (
	leastChance = 0.05 // as benchstat
	shuffles    = 10_000
)

// chance is how often the median of the last values would be as far above that
// of the first if the same values had come in any other order (a permutation
// test).
func chance(first, last []float64) float64 {
	rose := median(last) - median(first)
	all := slices.Concat(first, last)
	order := rand.New(rand.NewPCG(1, 2)) // the same verdict for the same values
	as := 0
	for range shuffles {
		order.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if median(all[len(first):])-median(all[:len(first)]) >= rose {
			as++
		}
	}
	return float64(as) / shuffles
}

// printSoak prints the samples and the verdict, and returns the latter.
func (b *bench) printSoak(samples []sample) (level bool) {
	g := newGrid("after", "messages", "p50", "p99", "resident memory", "goroutines", "file handles", "WAL")
	for _, one := range samples {
		g.row(one.at.Round(time.Second).String(), perSecond(one.rate), millis(one.p50), millis(one.p99),
			megabytes(one.memory), number(one.goroutines), fmt.Sprint(one.files), megabytes(one.wal))
	}
	g.print(b.out)
	level = true
	v := newGrid("level: the last third is at most 1.25 × the first, and a little, or not higher than by chance", "first third", "last third", "as much by chance", "level")
	for _, f := range figures {
		first, last := f.thirds(samples)
		v.row(f.name, f.shown(median(first)), f.shown(median(last)), fmt.Sprintf("%.1f %%", 100*chance(first, last)), verdict(!f.grows(samples)))
		level = level && !f.grows(samples)
	}
	v.print(b.out)
	return level
}
