//go:build linux

// Command bench measures tolem against the limits of the machine it runs on,
// and prints ratios within one run: absolute figures drift on a shared machine,
// ratios hold.
//
// The server is the real program in a process of its own, with everything that
// it has in production. Every load ends by comparing what was acknowledged with
// what is booked, payment by payment, read through another connection, and by
// ledger check; a difference is a failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

// bench is one run of this program.
type bench struct {
	out      io.Writer // what was measured
	progress io.Writer // what is being measured
	program  string    // tolem
	folder   string    // for databases and logs; removed afterwards

	duration    time.Duration // of each load
	soakTime    time.Duration
	rounds      int // how often each is measured, alternately; see also turns
	connections int
	customers   int
	profile     string // of the first server that is started
	only        map[string]bool
	duplicated  int   // callbacks
	smallest    int64 // number of payments, and
	largest     int64
	years       int64 // of scale: how many payments a year has
	results     string
	plot        string
}

const usage = `usage: go run ./bench [flags] [table | large | soak | overload | plot]

  table     the goals and how far they are reached (make bench)
  large     the same server with 10^3 to 10^7 payments (make bench-large)
  soak      70 % of the top rate for a long time (make soak)
  overload  three times the top rate (make overload)
  plot      draw the results of large again

`

func main() {
	if taken, err := child(os.Args[1:]); taken {
		exit(err)
	}
	exit(run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run() (err error) {
	b := bench{out: os.Stdout, progress: os.Stderr, only: map[string]bool{}}
	flag.DurationVar(&b.duration, "duration", 2*time.Second, "how long each load runs")
	flag.DurationVar(&b.soakTime, "soak", 20*time.Minute, "of soak: how long")
	flag.IntVar(&b.rounds, "rounds", 5, "how often each is measured, in turns; whole servers twice as often")
	flag.IntVar(&b.connections, "connections", 32, "keep-alive connections, and concurrent writers")
	flag.IntVar(&b.customers, "customers", 1000, "customers who top up")
	flag.StringVar(&b.profile, "profile", "", "write a processor profile of the first server to this file")
	flag.IntVar(&b.duplicated, "duplicated", 200_000, "of table: how many callbacks two servers on one PostgreSQL database get, both of them")
	flag.Int64Var(&b.smallest, "smallest", 1000, "of large: the least number of payments")
	flag.Int64Var(&b.largest, "largest", 10_000_000, "of large: the greatest number of payments")
	flag.StringVar(&b.results, "results", "docs/performance.json", "of large: where the results are kept")
	flag.StringVar(&b.plot, "plot", "docs/performance.svg", "of large: where the plot is drawn")
	only := flag.String("only", "", "of table: some of limits,signature,http,writer,postgres,large,notify,reconcile,pages,scale")
	flag.Int64Var(&b.years, "payments", 1_000_000, "of table's scale: how many payments a year has")
	in := flag.String("in", "", "folder for databases; the system's one for temporary files if empty")
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage); flag.PrintDefaults() }
	flag.Parse()
	for name := range strings.SplitSeq(*only, ",") {
		if name != "" {
			b.only[name] = true
		}
	}
	ctx, stop := interruptible()
	defer stop()
	// The generator's garbage is no part of what is measured.
	debug.SetGCPercent(1000)
	if b.folder, err = os.MkdirTemp(*in, "tolem-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	// PostgreSQL runs as another user when this program is root's.
	if err := os.Chmod(b.folder, 0o711); err != nil {
		return err
	}
	parts := map[string]func(context.Context) error{
		"": b.table, "table": b.table, "large": b.large, "soak": b.soak, "overload": b.overload, "plot": b.redraw,
	}
	part, known := parts[flag.Arg(0)]
	if !known || flag.NArg() > 1 {
		flag.Usage()
		return fmt.Errorf("%q is no part of this program", strings.Join(flag.Args(), " "))
	}
	if flag.Arg(0) != "plot" {
		if b.program, err = build(ctx, b.folder); err != nil {
			return err
		}
	}
	return part(ctx)
}

func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

func profiled(file string, work func() error) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return work()
}

// say prints what is being done.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

// subfolder makes a folder for one measurement, and what removes it.
func (b *bench) subfolder(name string) (folder string, remove func() error, err error) {
	folder, err = os.MkdirTemp(b.folder, name+"-")
	return folder, func() error { return os.RemoveAll(folder) }, err
}

// takeProfile is where the server that is started next writes its profile.
func (b *bench) takeProfile() string {
	file := b.profile
	b.profile = ""
	return file
}
