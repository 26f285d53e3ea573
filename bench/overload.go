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
	var tops []float64
	measureTop := func() error {
		for range b.rounds {
			rate, err := r.callbacks(ctx)
			if err != nil {
				return err
			}
			tops = append(tops, rate)
		}
		return nil
	}
	if err := measureTop(); err != nil {
		return err
	}
	top := median(tops)
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
	// A shared machine is not as fast as it was two minutes ago: the rate at once
	// afterwards is compared with the top rates of before and later.
	if err := measureTop(); err != nil {
		return fmt.Errorf("later: %w", err)
	}
	if err := r.tolem.stop(); err != nil {
		return err
	}
	note, err := r.said.compare(ctx, r.database)
	if err != nil {
		return err
	}
	b.printOverload(s, normal, flooded, tops, recovered)
	fmt.Fprintln(b.out, note)
	return nil
}

// printOverload prints the results; half of tops were measured before, half later.
func (b *bench) printOverload(s shape, normal spread, flooded result, tops []float64, recovered float64) {
	fmt.Fprintf(b.out, "%s\n\n", machine())
	over := func(n int) string { return perSecond(float64(n) / flooded.elapsed.Seconds()) }
	accepted, refused := percentile(flooded.times(), .99), percentile(flooded.refused, .99)
	g := newGrid("callbacks", "a second", "p50", "p99")
	before, later := tops[:len(tops)/2], tops[len(tops)/2:]
	g.row("the top rate, 32 connections", perSecond(median(before)), "", "")
	g.row("half of it: normal", perSecond(normal.asked), millis(normal.p50), millis(normal.p99))
	g.row(fmt.Sprintf("offered over %d connections", s.connections), perSecond(s.rate), "", "")
	g.row("sent: a connection was free", over(flooded.count()+len(flooded.refused)), "", "")
	g.row("accepted: 200, credited and on disk", over(flooded.count()), millis(percentile(flooded.times(), .5)), millis(accepted))
	g.row("refused: 503 with Retry-After", over(len(flooded.refused)), millis(percentile(flooded.refused, .5)), millis(refused))
	g.row("at once afterwards, 32 connections", perSecond(recovered), "", "")
	g.row("later", perSecond(median(later)), "", "")
	g.print(b.out)
	reached := goals{newGrid("goal", "reached", "ratio", "wanted", "met"), b}
	reached.atMost("p99 of the accepted / normal p99", millis(accepted)+" / "+millis(normal.p99), float64(accepted)/float64(normal.p99), mostAccepted)
	if len(flooded.refused) == 0 {
		reached.grid.row("p99 of the refused / p99 of the accepted", "nothing was refused", "", "≤ 1.00", verdict(false))
	} else {
		reached.atMost("p99 of the refused / p99 of the accepted", millis(refused)+" / "+millis(accepted), float64(refused)/float64(max(1, accepted)), 1)
	}
	top := median(tops)
	reached.atLeast("rate at once afterwards / top rate before and later", perSecond(recovered)+" / "+perSecond(top), recovered/top, leastRecovered)
	reached.grid.print(b.out)
}
