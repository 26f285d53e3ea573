package commands

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"go.uber.org/zap"

	"tolem/commands/internal/console"
	"tolem/commands/internal/server"
	"tolem/config"
	"tolem/store"
)

// serveCommand is the main job.
type serveCommand struct{}

// Help is shown by --help.
func (serveCommand) Help() string {
	return `Opens the configured database, migrates it, and serves the provider routes on listen and the admin API on admin.listen. A SQLite file is created when it is missing and has one server; a second one is refused. A PostgreSQL database must exist and may have any number of servers, one of which, the leader, does the background jobs.

In development an empty database is filled with the configured demo data first. Production refuses a database that ever had demo data.

SIGINT or SIGTERM, also during the start: no new connections, requests in progress are answered, everything is on disk, exit code 0. A second signal ends the program at once; what was acknowledged is on disk even then. SIGHUP: the configuration is read again. A token or secret that is no longer in it stops working at once; an invalid one is refused, with its problems in the log, and the server goes on with the old one; the log names the keys that need a restart. SIGPIPE, which is sent when the reader of the log has ended, is ignored.

Example:

  tolem serve
  TOLEM_CONFIG=/etc/tolem/config.yaml tolem serve`
}

// threadsInC are the writer and the checkpoints of SQLite. They spend their time
// in C and wait there for the disk, and meanwhile keep a place of Go's from the
// requests: it has that many more, unless GOMAXPROCS says otherwise.
const threadsInC = 2

// gcPercent is how far the heap grows between two garbage collections, unless
// GOGC says otherwise. What a server keeps is a few megabytes, so at Go's own 100
// it collects hundreds of times a second under load; at 400 it does a twelfth less
// work for a callback, and stays far below 150 MB. At 800 it does not: the start
// leaves more garbage than a server keeps, and the first collection comes late.
const gcPercent = 400

// Run serves until ctx ends. When that is before it serves, it has been stopped,
// and has not failed.
func (serveCommand) Run(ctx context.Context, p *console.Program) error {
	load := func() (*config.Config, []string, error) { return config.Load(p.ConfigFile(), p.Env) }
	cfg, warnings, err := load()
	if err != nil {
		p.Warn(warnings...)
		return fmt.Errorf("the configuration is invalid:\n%w", err)
	}
	log := server.NewLogger(cfg.Log, p.Stdio.Err)
	for _, warning := range warnings {
		log.Warn("configuration", zap.String("warning", warning))
	}
	hangups, stop := outlive()
	defer stop()
	s, err := server.Start(ctx, cfg, log)
	if err != nil && ctx.Err() != nil {
		log.Info("stopped before it served", zap.Error(err))
		return nil
	}
	if err != nil {
		return err
	}
	addresses := []zap.Field{zap.String("listen", s.Public.Addr().String()), zap.String("admin_listen", s.Admin.Addr().String())}
	if s.Merchant != nil {
		addresses = append(addresses, zap.String("merchant_listen", s.Merchant.Addr().String()))
	}
	moreThreads := p.Variable("GOMAXPROCS") == "" && cfg.Database.Driver == config.DriverSQLite
	if moreThreads {
		procs := runtime.GOMAXPROCS(0)
		defer runtime.GOMAXPROCS(procs)
		runtime.GOMAXPROCS(procs + threadsInC)
	}
	largerHeap := p.Variable("GOGC") == ""
	if largerHeap {
		// Back to the other runs of this process in the end: tests have several.
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	server.LogOptimizations(log, append(s.Store.Optimizations(),
		store.Optimization{Name: "batch_scheduling", Live: s.BatchScheduling},
		store.Optimization{Name: "threads_for_sqlite", Live: moreThreads},
		store.Optimization{Name: "larger_heap", Live: largerHeap},
		store.Optimization{Name: "log_write_back", Live: server.WritesBack(p.Stdio.Err)},
	))
	log.Info("serving", append(addresses, zap.String("environment", cfg.Environment), zap.String("version", server.Version()))...)
	err = s.Run(ctx, hangups, load)
	log.Info("stopped", zap.Error(err))
	return err
}
