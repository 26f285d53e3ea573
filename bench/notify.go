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
	// notifyRate is how many callbacks a second are posted: many for a merchant, and a
	// small part of what a server can take, so that p99 is not that of a queue.
	notifyRate = 300
	// mostNotified is how many times the p99 of a server without an endpoint that of
	// one with an endpoint may be.
	mostNotified = 1.2

	notifyConfiguration = "notify: [{name: bench, url: %q, secrets: [whsec_dG9sZW0gYmVuY2ggc2VjcmV0IG9mIDMyIGJ5dGVzICAgIDA=]}]"
)

// notified is a server whose callbacks are measured.
type notified struct {
	*rig
	name     string
	p50, p99 []float64 // in seconds, by turn
}

// tableOfNotify posts callbacks to three servers in turns: without an endpoint for
// notifications, with one that takes them, and with one where nobody listens.
func (b *bench) tableOfNotify(ctx context.Context, reached goals) (notes []string, err error) {
	receiver, err := startEmpty(ctx, b.folder)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, receiver.stop()) }()
	nobody, err := freeAddress()
	if err != nil {
		return nil, err
	}
	endpoint := func(address string) string { return fmt.Sprintf(notifyConfiguration, "http://"+address+route) }
	servers := []*notified{{name: "without an endpoint"}, {name: "with an endpoint"}, {name: "with an endpoint that is down"}}
	for i, more := range []string{"", endpoint(receiver.address), endpoint(nobody)} {
		s := servers[i]
		s.rig, err = b.newRigWith(ctx, "notify", b.customers, more)
		defer func() { err = errors.Join(err, s.close()) }()
		if err != nil {
			return nil, err
		}
	}
	for turn := range b.turns() {
		b.say("  callbacks at %s beside notifications: turn %d of %d", perSecond(notifyRate), turn+1, b.turns())
		for i := range servers {
			// Each server is first, second and third equally often.
			if err := servers[(i+turn)%len(servers)].turn(ctx); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range servers[1:] {
		shown := fmt.Sprintf("p50 %.2f ms / %.2f ms, p99 %.2f ms / %.2f ms at %s; of turns %.2f", 1000*median(s.p50), 1000*median(servers[0].p50),
			1000*median(s.p99), 1000*median(servers[0].p99), perSecond(notifyRate), ratios(s.p99, servers[0].p99))
		reached.atMost("p99 of callbacks "+s.name+" / without one", shown, median(ratios(s.p99, servers[0].p99)), mostNotified)
	}
	for _, s := range servers {
		if err := s.tolem.stop(); err != nil {
			return nil, err
		}
		note, err := s.said.compare(ctx, s.database)
		if err != nil {
			return nil, err
		}
		notes = append(notes, s.name+": "+note)
	}
	return notes, nil
}

// turn posts callbacks, evenly spaced.
func (s *notified) turn(ctx context.Context) error {
	of := shape{connections: s.b.connections, duration: s.b.duration * time.Duration(s.b.rounds), rate: notifyRate}
	if err := s.stock(ctx, int(of.rate*of.duration.Seconds())); err != nil {
		return err
	}
	time.Sleep(rest)
	loaded, err := s.load(ctx, bare{}, platform.MessageCallback, of)
	if err := errors.Join(err, loaded.clean()); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.p50 = append(s.p50, percentile(loaded.times(), .5).Seconds())
	s.p99 = append(s.p99, percentile(loaded.times(), .99).Seconds())
	return nil
}
