package dashboard

import (
	"context"
	"sync"
	"time"
)

const (
	// backgroundKept is how long a result is shown without being read anew, and
	// backgroundMost how many are kept.
	backgroundKept = 15 * time.Second
	backgroundMost = 16
)

// background is work for a page that takes longer than a person should wait: the
// page says that it is under way and comes again.
type background struct {
	now    func() time.Time
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex
	jobs map[string]*job
}

// job is one piece of work.
type job struct {
	ended  bool
	at     time.Time // when it ended
	result any
	err    error
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

// get returns the result of the work of that name, and starts it if need be. It is
// false while the work is under way, or too many others are.
func (b *background) get(name string, work func(context.Context) (any, error)) (result any, ended bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for other, j := range b.jobs {
		if j.ended && now.Sub(j.at).Abs() > backgroundKept {
			delete(b.jobs, other)
		}
	}
	if j := b.jobs[name]; j != nil {
		return j.result, j.ended, j.err
	}
	if len(b.jobs) >= backgroundMost || b.ctx.Err() != nil {
		return nil, false, nil
	}
	j := &job{}
	b.jobs[name] = j
	b.done.Go(func() {
		result, err := work(b.ctx)
		b.mu.Lock()
		defer b.mu.Unlock()
		j.ended, j.at, j.result, j.err = true, b.now(), result, err
	})
	return nil, false, nil
}
