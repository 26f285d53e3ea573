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

// overload posts callbacks at three times the rate that the server can take, and
// what was refused again, as the platform does: in the end everything is credited,
// once.
func (b *bench) overload(ctx context.Context) (err error) {
	r, err := b.newRig(ctx, "overload", b.customers)
	defer func() { err = errors.Join(err, r.close()) }()
	if err != nil {
		return err
	}
	var tops []float64
	for range b.rounds {
		rate, err := r.callbacks(ctx)
		if err != nil {
			return err
		}
		tops = append(tops, rate)
	}
	time.Sleep(rest)
	normal, err := r.atHalf(ctx, platform.MessageCallback, median(tops))
	if err != nil {
		return err
	}
	s := shape{connections: overloadConnections, duration: 2 * b.duration, rate: overloadTimes * median(tops), sheds: true}
	over := overloaded{result: newResult()}
	for turn := range b.rounds {
		b.say("  %d of %d: callback at %s over %d connections", turn+1, b.rounds, perSecond(s.rate), s.connections)
		if err := r.flood(ctx, s, &over); err != nil {
			return err
		}
	}
	if err := r.tolem.stop(); err != nil {
		return err
	}
	note, err := r.said.compare(ctx, r.database)
	if err != nil {
		return err
	}
	b.printOverload(s, normal, over)
	fmt.Fprintln(b.out, note)
	return nil
}

// overloaded is the result of floods.
type overloaded struct {
	result
	before, after []float64 // the top rate, by flood
	again         []float64 // the rate of what was refused, by flood
}

// flood measures the top rate, posts more than the server can take, and
// measures the top rate again, at once and with the same kind of callbacks:
// made before, of payments issued one after another. Refused callbacks are
// posted last, because their rate differs: each batch of them changes more
// pages of the file.
func (r *rig) flood(ctx context.Context, s shape, over *overloaded) error {
	top := shape{connections: r.b.connections, duration: r.b.duration}
	need := 1.5 * s.rate * s.duration.Seconds() // the loads at the top rate included
	if err := r.stock(ctx, int(need)); err != nil {
		return err
	}
	before, err := r.load(ctx, bare{}, platform.MessageCallback, top)
	if err := errors.Join(err, before.clean()); err != nil {
		return fmt.Errorf("before: %w", err)
	}
	flooded, err := r.load(ctx, bare{}, platform.MessageCallback, s)
	if err != nil {
		return err
	}
	after, err := r.load(ctx, bare{}, platform.MessageCallback, top)
	if err := errors.Join(err, after.clean()); err != nil {
		return fmt.Errorf("afterwards: %w", err)
	}
	over.add(flooded)
	over.elapsed += flooded.elapsed
	over.before, over.after = append(over.before, before.rate()), append(over.after, after.rate())
	if len(r.refused) == 0 {
		return nil // which the table shows
	}
	again, err := r.tellAgain(ctx)
	over.again = append(over.again, again.rate())
	return err
}

// tellAgain posts the callbacks that were refused, all of them.
func (r *rig) tellAgain(ctx context.Context) (result, error) {
	untold := r.untold
	r.untold, r.refused = r.refused, nil
	again, err := r.load(ctx, bare{}, platform.MessageCallback, shape{connections: r.b.connections})
	r.untold = untold
	if err := errors.Join(err, again.clean()); err != nil {
		return again, fmt.Errorf("what was refused, again: %w", err)
	}
	return again, nil
}

func (b *bench) printOverload(s shape, normal spread, over overloaded) {
	fmt.Fprintf(b.out, "%s\n\n", machine())
	each := func(n int) string { return perSecond(float64(n) / over.elapsed.Seconds()) }
	accepted, refused := percentile(over.times(), .99), percentile(over.refused, .99)
	recovered := ratios(over.after, over.before)
	g := newGrid(fmt.Sprintf("callbacks, %d floods of %v", len(recovered), s.duration), "a second", "p50", "p99")
	g.row("half of the top rate: normal", perSecond(normal.asked), millis(normal.p50), millis(normal.p99))
	g.row(fmt.Sprintf("the top rate, %d connections, before each flood", b.connections), perSecond(median(over.before)), "", "")
	g.row(fmt.Sprintf("offered over %d connections", s.connections), perSecond(s.rate), "", "")
	g.row("sent: a connection was free", each(over.count()+len(over.refused)), "", "")
	g.row("accepted: 200, credited and on disk", each(over.count()), millis(percentile(over.times(), .5)), millis(accepted))
	g.row("refused: 503 with Retry-After", each(len(over.refused)), millis(percentile(over.refused, .5)), millis(refused))
	g.row("at once afterwards, as before", perSecond(median(over.after)), "", "")
	g.row("then what was refused, all of it", perSecond(median(over.again)), "", "")
	g.print(b.out)
	reached := goals{newGrid("goal", "reached", "ratio", "wanted", "met"), b}
	reached.atMost("p99 of the accepted / normal p99", millis(accepted)+" / "+millis(normal.p99), float64(accepted)/float64(normal.p99), mostAccepted)
	if len(over.refused) == 0 {
		reached.grid.row("p99 of the refused / p99 of the accepted", "nothing was refused", "", "≤ 1.00", verdict(false))
	} else {
		reached.atMost("p99 of the refused / p99 of the accepted", millis(refused)+" / "+millis(accepted), float64(refused)/float64(max(1, accepted)), 1)
	}
	reached.atLeast("rate at once afterwards / top rate before",
		fmt.Sprintf("median of %.2f", recovered), median(recovered), leastRecovered)
	reached.grid.print(b.out)
}
