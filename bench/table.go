//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// grid is a table in Markdown whose columns are aligned, to be read as it is
// and to be put into docs/performance.md.
type grid struct{ rows [][]string }

func newGrid(heading ...string) *grid { return &grid{[][]string{heading}} }

func (g *grid) row(cells ...string) { g.rows = append(g.rows, cells) }

func (g *grid) print(out io.Writer) {
	widths := make([]int, len(g.rows[0]))
	for _, row := range g.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	for n, row := range g.rows {
		for i, cell := range row {
			fmt.Fprintf(out, "| %s%s ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(out, "|")
		if n > 0 {
			continue
		}
		for _, width := range widths {
			fmt.Fprintf(out, "|%s", strings.Repeat("-", width+2))
		}
		fmt.Fprintln(out, "|")
	}
	fmt.Fprintln(out)
}

// goals are the lines of the table.
type goals struct {
	grid *grid
	b    *bench
}

// atLeast adds a ratio that is to be reached.
func (g goals) atLeast(what, reached string, ratio, goal float64) {
	g.grid.row(what, reached, fmt.Sprintf("%.2f", ratio), fmt.Sprintf("≥ %.2f", goal), verdict(ratio >= goal))
}

// atMost adds one that is not to be exceeded.
func (g goals) atMost(what, reached string, ratio, goal float64) {
	g.grid.row(what, reached, fmt.Sprintf("%.2f", ratio), fmt.Sprintf("≤ %.2f", goal), verdict(ratio <= goal))
}

func verdict(met bool) string {
	if met {
		return "yes"
	}
	return "no"
}

// table measures the goals, each against the limits of the machine.
func (b *bench) table(ctx context.Context) error {
	limits := newGrid("limit of the machine", "", "")
	reached := goals{newGrid("goal", "reached", "ratio", "wanted", "met"), b}
	var notes []string
	parts := []struct {
		name string
		run  func() ([]string, error)
	}{
		{"limits", func() ([]string, error) { return nil, b.tableOfSync(limits) }},
		{"signature", func() ([]string, error) { return nil, b.tableOfSignature(limits, reached) }},
		{"http", func() ([]string, error) { return b.tableOfHTTP(ctx, limits, reached) }},
		{"writer", func() ([]string, error) { return b.tableOfWriter(ctx, reached) }},
		{"postgres", func() ([]string, error) { return b.tableOfPostgres(ctx, limits, reached) }},
		{"large", func() ([]string, error) { return nil, b.tableOfLarge(reached) }},
		{"notify", func() ([]string, error) { return b.tableOfNotify(ctx, reached) }},
		{"reconcile", func() ([]string, error) { return b.tableOfReconcile(ctx, reached) }},
		{"pages", func() ([]string, error) { return b.tableOfPages(ctx, reached) }},
		{"scale", func() ([]string, error) { return b.tableOfScale(ctx, reached) }},
	}
	for _, part := range parts {
		if len(b.only) > 0 && !b.only[part.name] {
			continue
		}
		b.say("measuring: %s", part.name)
		said, err := part.run()
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		notes = append(notes, said...)
	}
	fmt.Fprintf(b.out, "%s\n\n", machine())
	limits.print(b.out)
	reached.grid.print(b.out)
	for _, note := range notes {
		fmt.Fprintln(b.out, note)
	}
	return nil
}

func (b *bench) tableOfSync(limits *grid) error {
	rate, err := syncRate(b.folder, b.duration)
	if err != nil {
		return err
	}
	limits.row("fdatasync of 4 KiB in place", perSecond(rate), "")
	return nil
}

// perSecond shows a rate in three digits, since more are not reproducible.
func perSecond(rate float64) string {
	digits := fmt.Sprintf("%.0f", rate)
	for step := 10.0; rate >= 1000*step/10; step *= 10 {
		digits = fmt.Sprintf("%.0f", float64(int(rate/step+0.5))*step)
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits + "/s"
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

// median of an odd number of figures is one of them.
func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	if len(sorted) == 0 {
		return 0
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
