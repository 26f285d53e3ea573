package server

import (
	"context"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"tolem/notify"
	"tolem/store"
	"tolem/view"
)

// sealEvery is how old the newest seal may become before the server seals again.
const sealEvery = 24 * time.Hour

// seal seals the journal once a day.
func (s *Server) seal(ctx context.Context) {
	if !s.isLeader(ctx) {
		return
	}
	last, err := s.Store.LastSeal(ctx)
	if err == nil && time.Since(last.At) >= sealEvery {
		var sealed store.Seal
		if sealed, err = s.Store.SealJournal(ctx); err == nil && sealed.Seq != last.Seq {
			s.log.Info("the journal is sealed", zap.Int64("seq", sealed.Seq), zap.String("sha256", sealed.SHA256), zap.String("at", view.Time(sealed.At)))
		}
	}
	s.swept(ctx, "seal the journal", 0, err)
}

// startSweeps starts the background jobs, the watcher included, and returns
// what stops it and waits.
func (s *Server) startSweeps(hangups <-chan os.Signal, load LoadConfig) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { s.reportProjects(ctx) }) // which may take a while; nothing waits for it
	done.Go(func() { s.sweep(ctx) })
	done.Go(func() { s.handlers.Watcher().Run(ctx) })
	done.Go(func() { s.reloadAt(ctx, hangups, load) })
	done.Go(func() { s.notifier.Run(ctx) })
	return func() {
		cancel()
		done.Wait()
	}
}

// sweep does the background jobs, one step at a time.
func (s *Server) sweep(ctx context.Context) {
	expire, prune, turnover := time.NewTicker(expireEvery), time.NewTicker(pruneEvery), time.NewTicker(turnoverEvery)
	defer expire.Stop()
	defer prune.Stop()
	s.expire(ctx)
	s.prune(ctx)
	s.seal(ctx)
	s.sumTurnover(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-expire.C:
			s.expire(ctx)
		case <-prune.C:
			s.prune(ctx)
			s.seal(ctx)
		case <-turnover.C:
			s.sumTurnover(ctx)
		}
	}
}

// isLeader reports whether this process does the background jobs. It is called
// before every step of them: on PostgreSQL another server may have become the
// leader.
func (s *Server) isLeader(ctx context.Context) bool {
	asking, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	leader, err := s.Store.Sweeps(asking)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("ask whose turn the regular work is", zap.Error(err))
	}
	if s.sweeping.Swap(leader) != leader {
		s.log.Info("the regular work", zap.Bool("leader", leader))
	}
	return leader
}

// expire marks payments that have had no result in time.
func (s *Server) expire(ctx context.Context) {
	if !s.isLeader(ctx) {
		return
	}
	n, err := s.Store.ExpirePending(ctx)
	s.swept(ctx, "expire pending payments", n, err)
}

// sumTurnover keeps the sums that reports and settlement are read from up to date.
func (s *Server) sumTurnover(ctx context.Context) {
	if !s.isLeader(ctx) {
		return
	}
	_, err := s.Store.SumTurnover(ctx, s.cfg.Load().Location())
	s.swept(ctx, "sum the turnover", 0, err)
	s.swept(ctx, "sum the settlement", 0, s.Store.SumSettlement(ctx))
}

// prune deletes raw messages older than raw_retention, expired idempotency
// keys, and the leftovers of killed servers.
func (s *Server) prune(ctx context.Context) {
	for _, work := range []struct {
		what string
		do   func(context.Context) (int, error)
	}{
		{"drop old raw messages", func(ctx context.Context) (int, error) { return s.Store.PruneRaw(ctx, s.cfg.Load().RawRetention) }},
		{"drop old idempotency keys", s.Store.SweepIdempotency},
		{"drop old notifications", func(ctx context.Context) (int, error) { return s.Store.PruneEvents(ctx, notify.Retention) }},
		{"forget servers that are gone", func(ctx context.Context) (int, error) { return 0, s.Store.SweepWriters(ctx) }},
	} {
		if !s.isLeader(ctx) {
			return
		}
		n, err := work.do(ctx)
		s.swept(ctx, work.what, n, err)
	}
}

func (s *Server) swept(ctx context.Context, what string, n int, err error) {
	switch {
	case ctx.Err() != nil: // stopping; the rest is done after the next start
	case err != nil:
		s.log.Error(what, zap.Error(err))
	case n > 0:
		s.log.Info(what, zap.Int("count", n))
	}
}
