package handlers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"tolem/topup"
)

const (
	// maxFollowers is how many requests wait for the feed at the same time.
	maxFollowers = 64
	// maxWait is how long one waits at most: shorter than the timeouts of proxies.
	maxWait = 60 * time.Second
	// feedPoll is how often the end of the feed is read while somebody waits for it,
	// however many wait. Any server of the database may write to it.
	feedPoll = 250 * time.Millisecond
)

var errTooManyFollowers = topup.Unavailable("too many requests wait for the feed")

// follower is where the feed ends, read once for all that wait.
type follower struct {
	waiting chan struct{} // has a place for each
	ended   chan struct{} // closed when the server drains
	end     sync.Once

	mu     sync.Mutex
	last   int64
	readAt time.Time
}

func newFollower() *follower {
	return &follower{waiting: make(chan struct{}, maxFollowers), ended: make(chan struct{})}
}

// stop answers all that wait.
func (f *follower) stop() { f.end.Do(func() { close(f.ended) }) }

// await waits until the feed has something that follows after, and returns without
// an error when that takes too long or the server drains.
func (s *Server) await(ctx context.Context, after int64, wait time.Duration) error {
	f := s.follower
	select {
	case f.waiting <- struct{}{}:
		defer func() { <-f.waiting }()
	default:
		return errTooManyFollowers
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	poll := time.NewTicker(feedPoll)
	defer poll.Stop()
	for {
		last, err := s.lastInFeed(ctx)
		if err != nil || last > after {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return nil
		case <-f.ended:
			return nil
		case <-poll.C:
		}
	}
}

// lastInFeed is the last place of the feed, as it was a moment ago at most.
func (s *Server) lastInFeed(ctx context.Context) (int64, error) {
	f := s.follower
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.readAt) < feedPoll-feedPoll/10 {
		return f.last, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	last, err := s.store.LastInFeed(ctx)
	if err == nil {
		f.last, f.readAt = last, time.Now()
	}
	return last, err
}

// wait reads how long a request waits, 0 if it does not.
func (q *query) wait(name string) time.Duration {
	text := q.text(name)
	if text == "" {
		return 0
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > maxWait {
		q.report(topup.Invalid(name, "must be a duration of at most %s, such as 30s", maxWait))
	}
	return wait
}

// allowWait gives a request the time that it waits for the feed: the limits of the
// connection are shorter.
func allowWait(c echo.Context, wait time.Duration) {
	control := http.NewResponseController(c.Response())
	until := time.Now().Add(wait + 2*storeTimeout)
	// A connection that cannot do so keeps its own limits.
	_ = control.SetReadDeadline(until)
	_ = control.SetWriteDeadline(until)
}
