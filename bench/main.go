// Command bench measures tolem against the limits of the machine it runs on,
// and prints ratios within one run: absolute figures drift on a shared machine,
// ratios hold.
//
// Every benchmark that is acknowledged anything ends by comparing what was
// acknowledged with what is booked, read through another connection; a
// difference is a failure.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	duration := flag.Duration("duration", 3*time.Second, "how long each load runs")
	connections := flag.Int("connections", 32, "keep-alive connections, and concurrent writers")
	only := flag.String("only", "", "one part alone: signature, writer or http")
	profile := flag.String("cpuprofile", "", "write a processor profile to this file")
	flag.Parse()
	if err := profiled(*profile, func() error { return run(ctx, *duration, *connections, *only) }); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func profiled(file string, work func() error) error {
	if file == "" {
		return work()
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return work()
}

func run(ctx context.Context, duration time.Duration, connections int, only string) error {
	fmt.Printf("%s %s/%s, %d cores, %d connections, %v a load\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.GOMAXPROCS(0), connections, duration)
	folder, err := os.MkdirTemp("", "tolem-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	parts := []struct {
		name string
		run  func() error
	}{
		{"signature", benchSignature},
		{"writer", func() error { return benchWriter(ctx, folder, duration, connections) }},
		{"http", func() error { return benchHTTP(ctx, folder, duration, connections) }},
	}
	for _, part := range parts {
		if only != "" && only != part.name {
			continue
		}
		if err := part.run(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// row prints one measurement beside what it is measured against.
func row(what string, rate, against float64, name, goal string) {
	fmt.Printf("  %-44s %12s   %6.2f × %-28s %s\n", what, perSecond(rate), rate/against, name, goal)
}

func perSecond(rate float64) string { return fmt.Sprintf("%.0f/s", rate) }
