package dashboard

import (
	"context"
	"sync"
	"time"
)

const (
	// backgroundKept is how long a result is shown at least without being read anew,
	// and backgroundMost how many are kept.
	backgroundKept = 15 * time.Second
	backgroundMost = 16
	// workShare and workKept bound what reading the same again and again costs: what
	// took a second is shown for at least 100, and nothing for more than 5 minutes. A
	// step has all read anew.
	workShare = 100
	workKept  = 5 * time.Minute
)

// keptFor is how long a result is shown that took so long, and at least so long.
func keptFor(took, least time.Duration) time.Duration {
	return max(least, min(workShare*took, workKept))
}

// background is work for a page that takes longer than a person should wait: the
// page says that it is under way and comes again.
type background struct {
	now    func() time.Time
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	jobs    map[string]*job
	running int // also those that jobs no longer has
}

// job is one piece of work.
type job struct {
	ended  bool
	began  time.Time
	at     time.Time // when it ended
	result any
	err    error
}

// old reports whether its result is no longer shown.
func (j *job) old(now time.Time) bool {
	return j.ended && now.Sub(j.at).Abs() > keptFor(j.at.Sub(j.began), backgroundKept)
}

func newBackground(now func() time.Time) *background {
	b := &background{now: now, jobs: map[string]*job{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

func (b *background) close() {
	b.cancel()
	b.done.Wait()
}

// changed has all results read anew: somebody took a step.
func (b *background) changed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.jobs) // what is under way may not have seen it
}

// get returns the result of the work of that name and when it was begun, and starts it
// if need be. The time is zero while the work is under way, or too many others are.
func (b *background) get(name string, work func(context.Context) (any, error)) (result any, as time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for other, j := range b.jobs {
		if j.old(now) {
			delete(b.jobs, other)
		}
	}
	if j := b.jobs[name]; j != nil {
		if !j.ended {
			return nil, time.Time{}, nil
		}
		return j.result, j.began, j.err
	}
	if b.running >= backgroundMost || len(b.jobs) >= backgroundMost || b.ctx.Err() != nil {
		return nil, time.Time{}, nil
	}
	j := &job{began: now}
	b.running++
	b.jobs[name] = j
	b.done.Go(func() {
		result, err := work(b.ctx)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.running--
		j.ended, j.at, j.result, j.err = true, b.now(), result, err
	})
	return nil, time.Time{}, nil
}
