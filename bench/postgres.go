//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"tolem/pgtest"
	"tolem/platform"
)

// leastOverNaive is the goal: how many times the rate of one GORM transaction a
// request on the same PostgreSQL server the callbacks have.
const leastOverNaive = 8

// tableOfPostgres measures tolem on a PostgreSQL server of its own, with
// PostgreSQL's default settings.
func (b *bench) tableOfPostgres(ctx context.Context, limits *grid, reached goals) (notes []string, err error) {
	server, err := pgtest.Start(ctx, pgtest.Options{Folder: b.folder})
	if errors.Is(err, pgtest.ErrNotInstalled) {
		reached.grid.row("PostgreSQL", "not measured: "+err.Error(), "", "", "")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	for _, part := range []func(context.Context, *pgtest.Server, *grid, goals) (string, error){b.postgresWriter, b.postgresRate, b.postgresTwice} {
		note, err := part(ctx, server, limits, reached)
		if err != nil {
			return notes, err
		}
		notes = append(notes, note)
	}
	return notes, nil
}

// newDatabase makes an empty database on the server.
func newDatabase(ctx context.Context, server *pgtest.Server, name string) (d database, err error) {
	conn, err := pgx.Connect(ctx, server.URL("postgres"))
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
	return database{driverPostgres, server.URL(name)}, err
}

// postgresWriter compares like with like: both book without HTTP.
func (b *bench) postgresWriter(ctx context.Context, server *pgtest.Server, _ *grid, reached goals) (note string, err error) {
	own, err := newDatabase(ctx, server, "own")
	if err != nil {
		return "", err
	}
	gorms, err := newDatabase(ctx, server, "theirs")
	if err != nil {
		return "", err
	}
	c, err := b.compareBookers(ctx, "PostgreSQL", own, gorms)
	if err != nil {
		return "", err
	}
	reached.atLeast(c.what, c.rates, c.ratio, leastOverNaive)
	return strings.Join(c.notes, "\n"), nil
}

// postgresRate measures callbacks, alternating with one GORM transaction per
// request in another database of the same server. The latter is without HTTP.
func (b *bench) postgresRate(ctx context.Context, server *pgtest.Server, limits *grid, reached goals) (note string, err error) {
	served, err := newDatabase(ctx, server, "served")
	if err != nil {
		return "", err
	}
	gorms, err := newDatabase(ctx, server, "gorms")
	if err != nil {
		return "", err
	}
	r, err := b.newRigOn(ctx, "postgres", b.customers, "", func(string) database { return served })
	defer func() { err = errors.Join(err, r.close()) }()
	if err != nil {
		return "", err
	}
	naive, err := openNaive(ctx, gorms, b.customers)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, naive.close()) }()
	by := way{booker: naive, name: "a GORM transaction a request on PostgreSQL", database: gorms}
	var rates []float64
	for round := range b.rounds {
		b.say("  round %d of %d", round+1, b.rounds)
		rate, err := r.callbacks(ctx)
		if err != nil {
			return "", err
		}
		rates = append(rates, rate)
		if err := by.round(ctx, b); err != nil {
			return "", fmt.Errorf("%s: %w", by.name, err)
		}
	}
	limits.row("PostgreSQL, one GORM transaction a request, "+fmt.Sprint(b.connections)+" at once", perSecond(median(by.rates)), "")
	reached.atLeast("PostgreSQL, callback over HTTP, durable credit / one GORM transaction a request, without HTTP", perSecond(median(rates)), median(ratios(rates, by.rates)), leastOverNaive)
	half, err := r.atHalf(ctx, platform.MessageCallback, median(rates))
	if err != nil {
		return "", err
	}
	reached.atMost("PostgreSQL, callback at half of its top rate: p99 / p50",
		fmt.Sprintf("p50 %s, p99 %s at %s", millis(half.p50), millis(half.p99), perSecond(half.asked)), float64(half.p99)/float64(half.p50), mostSpread)
	if err := r.tolem.stop(); err != nil {
		return "", err
	}
	note, err = r.said.compare(ctx, served)
	if err != nil {
		return "", err
	}
	other, err := by.said.compare(ctx, gorms)
	return "PostgreSQL: " + note + "\n" + by.name + ": " + other, err
}

// postgresTwice posts every callback to two servers on one database at the same
// time. Each must be acknowledged by both, and credited once.
func (b *bench) postgresTwice(ctx context.Context, server *pgtest.Server, _ *grid, reached goals) (note string, err error) {
	shared, err := newDatabase(ctx, server, "shared")
	if err != nil {
		return "", err
	}
	r, err := b.newRigOn(ctx, "twice", b.customers, "", func(string) database { return shared })
	defer func() { err = errors.Join(err, r.close()) }()
	if err != nil {
		return "", err
	}
	second, err := startTolem(ctx, b.program, r.folder, shared, "", "")
	defer func() { err = errors.Join(err, second.stop()) }()
	if err != nil {
		return "", err
	}
	b.say("  issuing %d payments", b.duplicated)
	if err := r.stock(ctx, b.duplicated); err != nil {
		return "", err
	}
	b.say("  %d callbacks to two servers each", b.duplicated)
	callbacks, err := r.sender.callbacks(r.ids[:b.duplicated])
	if err != nil {
		return "", err
	}
	both, err := b.toBoth(ctx, callbacks, r.tolem, second)
	if err != nil {
		return "", err
	}
	for _, q := range callbacks {
		r.said.credit(q.id)
	}
	if err := errors.Join(r.tolem.stop(), second.stop()); err != nil {
		return "", err
	}
	if note, err = r.said.compare(ctx, shared); err != nil {
		return "", err
	}
	reached.grid.row(fmt.Sprintf("PostgreSQL, two servers on one database, %d callbacks to both", b.duplicated),
		fmt.Sprintf("%d acknowledgements at %s", both.count(), perSecond(both.rate())), "", "every one credited once", verdict(true))
	return "two servers on one PostgreSQL database: " + note, nil
}

// toBoth posts the same requests to both servers at once. All are acknowledged,
// or it is an error.
func (b *bench) toBoth(ctx context.Context, callbacks []*request, servers ...*process) (result, error) {
	total := newResult()
	var (
		mu     sync.Mutex
		all    sync.WaitGroup
		failed error
	)
	for _, server := range servers {
		all.Go(func() {
			one, err := bare{}.load(ctx, server.address, shape{connections: b.connections / len(servers)}, &list{left: callbacks})
			if err == nil {
				err = one.clean()
			}
			if err == nil && one.count() != len(callbacks) {
				err = fmt.Errorf("%d of %d callbacks were acknowledged", one.count(), len(callbacks))
			}
			mu.Lock()
			defer mu.Unlock()
			total.add(one)
			total.elapsed = max(total.elapsed, one.elapsed)
			failed = errors.Join(failed, err)
		})
	}
	all.Wait()
	return total, failed
}
