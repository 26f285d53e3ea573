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
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	duration := flag.Duration("duration", 3*time.Second, "how long each load runs")
	connections := flag.Int("connections", 32, "keep-alive connections, and concurrent writers")
	flag.Parse()
	if err := run(ctx, *duration, *connections); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, duration time.Duration, connections int) error {
	fmt.Printf("%s %s/%s, %d cores, %d connections, %v a load\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.GOMAXPROCS(0), connections, duration)
	folder, err := os.MkdirTemp("", "tolem-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)

	if err := benchSignature(); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if err := benchWriter(ctx, folder, duration, connections); err != nil {
		return fmt.Errorf("writer: %w", err)
	}
	if err := benchHTTP(ctx, folder, duration, connections); err != nil {
		return fmt.Errorf("http: %w", err)
	}
	return nil
}

// row prints one measurement beside what it is measured against.
func row(what string, rate, against float64, name, goal string) {
	fmt.Printf("  %-44s %12s   %6.2f × %-28s %s\n", what, perSecond(rate), rate/against, name, goal)
}

func perSecond(rate float64) string { return fmt.Sprintf("%.0f/s", rate) }
