//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tolem/platform"
)

const (
	overloadTimes       = 3    // the top rate
	overloadConnections = 512  // twice as many as are let in
	mostAccepted        = 10.0 // times its normal p99, of what is accepted
	leastRecovered      = 0.9  // of the top rate, at once afterwards
)

// overload posts callbacks at three times the rate that the server can take.
// What is refused is posted again afterwards, as the platform does: in the end
// everything is credited, once.
func (b *bench) overload(ctx context.Context) (err error) {
	r, err := b.newRig(ctx, "overload", b.customers)
	defer func() { err = errors.Join(err, r.close()) }()
	if err != nil {
		return err
	}
	before, err := r.tops(ctx)
	if err != nil {
		return err
	}
	top := median(before)
	normal, err := r.atHalf(ctx, platform.MessageCallback, top)
	if err != nil {
		return err
	}
	s := shape{connections: overloadConnections, duration: b.duration * time.Duration(b.rounds), rate: overloadTimes * top, sheds: true}
	if err := r.stock(ctx, int(s.rate*s.duration.Seconds())); err != nil {
		return err
	}
	b.say("  callback at %s over %d connections", perSecond(s.rate), s.connections)
	flooded, err := r.load(ctx, bare{}, platform.MessageCallback, s)
	if err != nil {
		return err
	}
	recovered, err := r.callbacks(ctx)
	if err != nil {
		return fmt.Errorf("afterwards: %w", err)
	}
	later, err := r.tops(ctx)
	if err != nil {
		return fmt.Errorf("later: %w", err)
	}
	if err := r.tolem.stop(); err != nil {
		return err
	}
	note, err := r.said.compare(ctx, r.database)
	if err != nil {
		return err
	}
	b.printOverload(s, top, normal, flooded, recovered, median(later))
	fmt.Fprintln(b.out, note)
	return nil
}

// tops measures the top rate several times.
func (r *rig) tops(ctx context.Context) (rates []float64, err error) {
	for range r.b.rounds {
		rate, err := r.callbacks(ctx)
		if err != nil {
			return nil, err
		}
		rates = append(rates, rate)
	}
	return rates, nil
}

func (b *bench) printOverload(s shape, top float64, normal spread, flooded result, recovered, later float64) {
	fmt.Fprintf(b.out, "%s\n\n", machine())
	over := func(n int) string { return perSecond(float64(n) / flooded.elapsed.Seconds()) }
	accepted, refused := percentile(flooded.times(), .99), percentile(flooded.refused, .99)
	g := newGrid("callbacks", "a second", "p50", "p99")
	g.row("the top rate, 32 connections", perSecond(top), "", "")
	g.row("half of it: normal", perSecond(normal.asked), millis(normal.p50), millis(normal.p99))
	g.row(fmt.Sprintf("offered over %d connections", s.connections), perSecond(s.rate), "", "")
	g.row("sent: a connection was free", over(flooded.count()+len(flooded.refused)), "", "")
	g.row("accepted: 200, credited and on disk", over(flooded.count()), millis(percentile(flooded.times(), .5)), millis(accepted))
	g.row("refused: 503 with Retry-After", over(len(flooded.refused)), millis(percentile(flooded.refused, .5)), millis(refused))
	g.row("at once afterwards, 32 connections", perSecond(recovered), "", "")
	g.row("the top rate again: how fast the machine is by now", perSecond(later), "", "")
	g.print(b.out)
	reached := goals{newGrid("goal", "reached", "ratio", "wanted", "met"), b}
	reached.atMost("p99 of the accepted / normal p99", millis(accepted)+" / "+millis(normal.p99), float64(accepted)/float64(normal.p99), mostAccepted)
	if len(flooded.refused) == 0 {
		reached.grid.row("p99 of the refused / p99 of the accepted", "nothing was refused", "", "≤ 1.00", verdict(false))
	} else {
		reached.atMost("p99 of the refused / p99 of the accepted", millis(refused)+" / "+millis(accepted), float64(refused)/float64(max(1, accepted)), 1)
	}
	reached.atLeast("rate at once afterwards / top rate", perSecond(recovered)+" / "+perSecond(top), recovered/top, leastRecovered)
	reached.grid.print(b.out)
}
