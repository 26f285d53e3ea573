//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"tolem/platform"
)

// prepared is how many requests of a kind are made ahead, to be posted again
// and again.
const prepared = 4096

// loads are the three messages and the empty handler, in the order in which
// they are measured in each round.
var loads = []string{emptyLoad, platform.MessageVerify, platform.MessageCheckDeposit, platform.MessageCallback}

const emptyLoad = "empty"

// rig is a server with an empty database of some customers, the empty server,
// and what was acknowledged.
type rig struct {
	b        *bench
	folder   string
	database database
	tolem    *process
	empty    *process
	sender   *sender
	said     acknowledged
	remove   func() error

	more               string // lines of the configuration
	customers          int
	verifies, deposits []*request
	ids                []string   // issued, and no callback is made yet
	untold             []*request // callbacks that are made and were not sent
	refused            []*request // callbacks that were sent and refused
}

// newRig starts both servers, tolem on a new SQLite file; close it, also after
// an error.
func (b *bench) newRig(ctx context.Context, name string, customers int) (*rig, error) {
	return b.newRigWith(ctx, name, customers, "")
}

// newRigWith does the same with more lines in the configuration.
func (b *bench) newRigWith(ctx context.Context, name string, customers int, more string) (*rig, error) {
	return b.newRigOn(ctx, name, customers, more, func(folder string) database { return sqliteIn(folder, "tolem.db") })
}

// newRigOn does the same on any empty database.
func (b *bench) newRigOn(ctx context.Context, name string, customers int, more string, on func(folder string) database) (r *rig, err error) {
	r = &rig{b: b, customers: customers, more: more}
	if r.folder, r.remove, err = b.subfolder(name); err != nil {
		r.remove = func() error { return nil }
		return r, err
	}
	r.database = on(r.folder)
	if err := r.database.open(ctx, r.folder, customers); err != nil {
		return r, fmt.Errorf("make a database: %w", err)
	}
	if r.empty, err = startEmpty(ctx, r.folder); err != nil {
		return r, err
	}
	return r, r.serve(ctx)
}

// serve starts the server on the rig's database.
func (r *rig) serve(ctx context.Context) (err error) {
	if r.tolem, err = startTolem(ctx, r.b.program, r.folder, r.database, r.more, r.b.takeProfile()); err != nil {
		return err
	}
	if r.sender, err = newSender(r.tolem.address, r.customers); err != nil {
		return err
	}
	return r.invite(r.customers)
}

// invite makes the messages of so many customers, spread over all of them.
func (r *rig) invite(customers int) (err error) {
	r.sender.customers, r.sender.apart = customers, r.customers/customers
	if r.verifies, err = many(prepared, r.sender.verify); err != nil {
		return err
	}
	r.deposits, err = many(prepared, r.sender.deposit)
	return err
}

func (r *rig) close() error {
	return errors.Join(r.tolem.stop(), r.empty.stop(), r.remove())
}

// load posts one kind of message. Callbacks are those of the payments that were
// issued before, in the order in which they were; when they are used up, the load
// ends.
func (r *rig) load(ctx context.Context, g generator, kind string, s shape) (result, error) {
	target, from, err := r.source(kind)
	if err != nil {
		return result{}, err
	}
	var broken error
	switch kind {
	case platform.MessageCheckDeposit:
		from.(*cycle).keep = func(_ *request, a answer) {
			if a.status != 200 {
				return
			}
			id, err := issued(a)
			broken = errors.Join(broken, err)
			r.ids = append(r.ids, id)
			r.said.issue(id)
		}
	case platform.MessageCallback:
		callbacks := from.(*list)
		callbacks.keep = func(q *request, a answer) {
			if a.status == 200 {
				r.said.credit(q.id)
				return
			}
			r.refused = append(r.refused, q)
		}
		defer func() { r.untold = callbacks.left }()
	}
	runtime.GC() // what making the requests has left is not collected during the load
	loaded, err := g.load(ctx, target.address, s, from)
	if err := errors.Join(err, broken, loaded.correct()); err != nil {
		return loaded, fmt.Errorf("%s: %w", kind, err)
	}
	return loaded, nil
}

func (r *rig) source(kind string) (*process, source, error) {
	switch kind {
	case emptyLoad:
		return r.empty, &cycle{all: r.verifies}, nil
	case platform.MessageVerify:
		return r.tolem, &cycle{all: r.verifies}, nil
	case platform.MessageCheckDeposit:
		return r.tolem, &cycle{all: r.deposits}, nil
	}
	made, err := r.sender.callbacks(r.ids)
	r.ids = nil
	return r.tolem, &list{left: append(r.untold, made...)}, err
}

// measured is the result of the turns of one kind of message.
type measured struct {
	result
	processor time.Duration // the server's
	ratios    []float64     // to the empty handler, by turn
}

func (m measured) each() time.Duration { return m.processor / time.Duration(max(1, m.count())) }

// turns is the number of times that servers are measured alternately: their
// rates vary most from one second to the next.
func (b *bench) turns() int { return 2 * b.rounds }

// rest is the pause before a server's turn, in which the WAL of the last load
// is checkpointed, so that it does not count for the next one.
const rest = time.Second

// top finds the top rates, with closed loops, alternating between the servers.
func (r *rig) top(ctx context.Context, g generator) (map[string]*measured, error) {
	all := map[string]*measured{}
	for _, kind := range loads {
		all[kind] = &measured{result: newResult()}
	}
	for turn := range r.b.turns() {
		r.b.say("  %s: turn %d of %d", g.name(), turn+1, r.b.turns())
		time.Sleep(rest)
		var empty float64
		for _, kind := range loads {
			one, err := r.measure(ctx, g, kind)
			if err != nil {
				return nil, err
			}
			if kind == emptyLoad {
				empty = one.rate()
			}
			m := all[kind]
			m.result.add(one.result)
			m.elapsed += one.elapsed
			m.processor += one.processor
			m.ratios = append(m.ratios, one.rate()/empty)
		}
	}
	return all, nil
}

func (r *rig) measure(ctx context.Context, g generator, kind string) (measured, error) {
	target := r.tolem
	if kind == emptyLoad {
		target = r.empty
	}
	before, err := target.processor()
	if err != nil {
		return measured{}, err
	}
	one, err := r.load(ctx, g, kind, shape{connections: r.b.connections, duration: r.b.duration})
	if err == nil {
		err = one.clean()
	}
	if err != nil {
		return measured{}, err
	}
	after, err := target.processor()
	return measured{result: one, processor: after - before}, err
}

// names of the messages, as the goals have them.
var names = map[string]string{
	emptyLoad:                    "Echo answering {}",
	platform.MessageVerify:       "verify",
	platform.MessageCheckDeposit: "check_deposit, durable",
	platform.MessageCallback:     "callback, durable credit",
}

// wanted are the goals: of the rate of an empty handler.
var wanted = map[string]float64{
	platform.MessageVerify: 0.70, platform.MessageCheckDeposit: 0.45, platform.MessageCallback: 0.40,
}

// mostSpread is how many times p50 the p99 at half of the top rate may be.
const mostSpread = 4

func (b *bench) tableOfHTTP(ctx context.Context, limits *grid, reached goals) (notes []string, err error) {
	for _, g := range []generator{bare{}, ordinary{}} {
		note, err := b.tableOfGenerator(ctx, g, limits, reached)
		if err != nil {
			return notes, err
		}
		notes = append(notes, fmt.Sprintf("%s: %s", g.name(), note))
	}
	return notes, nil
}

func (b *bench) tableOfGenerator(ctx context.Context, g generator, limits *grid, reached goals) (note string, err error) {
	r, err := b.newRig(ctx, "http", b.customers)
	defer func() { err = errors.Join(err, r.close()) }()
	if err != nil {
		return "", err
	}
	all, err := r.top(ctx, g)
	if err != nil {
		return "", err
	}
	for _, kind := range loads {
		m := all[kind]
		shown := fmt.Sprintf("%s, p50 %s, p99 %s, %.1f µs of the server's processor",
			perSecond(m.rate()), millis(percentile(m.times(), .5)), millis(percentile(m.times(), .99)), float64(m.each().Nanoseconds())/1000)
		if kind == emptyLoad {
			limits.row(names[kind]+", by "+g.name(), perSecond(m.rate()), shown[len(perSecond(m.rate()))+2:])
			continue
		}
		reached.atLeast(fmt.Sprintf("%s / empty handler, by %s", names[kind], g.name()), shown, median(m.ratios), wanted[kind])
	}
	if (g == bare{}) { // the other one is no open loop
		if err := r.latencies(ctx, all, limits, reached); err != nil {
			return "", err
		}
	}
	if err := r.tolem.stop(); err != nil {
		return "", err
	}
	return r.said.compare(ctx, r.database)
}

// latencies posts each message at half of its top rate. The empty handler shows
// the ratio of p99 to p50 on this machine without any work.
func (r *rig) latencies(ctx context.Context, top map[string]*measured, limits *grid, reached goals) error {
	for _, kind := range loads {
		half, err := r.atHalf(ctx, kind, top[kind].rate())
		if err != nil {
			return err
		}
		ratio := float64(half.p99) / float64(half.p50)
		shown := fmt.Sprintf("p50 %s, p99 %s at %s; %s", millis(half.p50), millis(half.p99), perSecond(half.asked), half.machine)
		if kind == emptyLoad {
			limits.row(names[kind]+" at half of its top rate: p99 / p50", fmt.Sprintf("%.1f", ratio), shown)
			continue
		}
		reached.atMost(fmt.Sprintf("%s at half of its top rate: p99 / p50", names[kind]), shown, ratio, mostSpread)
	}
	return nil
}

// spread is how long answers took at a fixed rate.
type spread struct {
	asked    float64 // requests a second
	p50, p99 time.Duration
	machine  stalls // meanwhile
}

// atHalf posts one kind of message at half of its top rate, evenly spaced.
func (r *rig) atHalf(ctx context.Context, kind string, top float64) (spread, error) {
	s := shape{connections: r.b.connections, duration: r.b.duration * time.Duration(r.b.rounds), rate: top / 2}
	if kind == platform.MessageCallback {
		if err := r.stock(ctx, int(s.rate*s.duration.Seconds())); err != nil {
			return spread{}, err
		}
	}
	r.b.say("  %s at %s", kind, perSecond(s.rate))
	meter, err := startStallMeter()
	if err != nil {
		return spread{}, err
	}
	half, err := r.load(ctx, bare{}, kind, s)
	if err == nil {
		err = half.clean()
	}
	machine, meterErr := meter.end()
	return spread{s.rate, percentile(half.times(), .5), percentile(half.times(), .99), machine}, errors.Join(err, meterErr)
}

// stock issues the payments that a load of callbacks needs.
func (r *rig) stock(ctx context.Context, need int) error {
	for len(r.ids)+len(r.untold) < need {
		if _, err := r.load(ctx, bare{}, platform.MessageCheckDeposit, shape{connections: r.b.connections, duration: time.Second}); err != nil {
			return err
		}
	}
	return nil
}
