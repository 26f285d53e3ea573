package console

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"tolem/store"
)

// progressEvery is how often an import says how far it is where no bar can be
// drawn.
const progressEvery = 10 * time.Second

// ImportProgress draws a bar for each phase of an import on a terminal, and
// writes a line now and then elsewhere.
func (p *Program) ImportProgress() (progress func(store.ImportProgress), finish func()) {
	if !p.Terminal() {
		return progressLines(p.Stdio.Err, progressEvery)
	}
	var bar *progressbar.ProgressBar
	var phase store.ImportPhase
	progress = func(at store.ImportProgress) {
		if bar == nil || at.Phase != phase {
			phase = at.Phase
			total := at.Total
			if total == 0 {
				total = -1 // unknown: a spinner
			}
			bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(p.Stdio.Err),
				progressbar.OptionSetDescription(string(phase)), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionClearOnFinish())
		}
		_ = bar.Set64(at.Done) // only drawing can fail
	}
	return progress, func() {
		if bar != nil {
			_ = bar.Finish()
		}
	}
}

// progressLines writes how far an import is at intervals, also while it waits.
func progressLines(w io.Writer, every time.Duration) (progress func(store.ImportProgress), finish func()) {
	started := time.Now()
	var last atomic.Pointer[store.ImportProgress]
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				fmt.Fprintf(w, "tolem: import: %s, %s so far\n", howFar(last.Load()), time.Since(started).Round(time.Second))
			}
		}
	}()
	progress = func(at store.ImportProgress) { last.Store(&at) }
	return progress, func() { close(stop); <-stopped }
}

// howFar is a line about how far a phase of an import is.
func howFar(at *store.ImportProgress) string {
	if at == nil {
		return "beginning"
	}
	text := map[store.ImportPhase]string{
		store.PhaseClear: "removing what an import that died has left, rows",
		store.PhaseCheck: "checking the file, bytes",
		store.PhaseStage: "writing, accounts",
		store.PhaseSweep: "visible; removing older records, rows",
	}[at.Phase]
	text += fmt.Sprintf(" %d", at.Done)
	if at.Total > 0 {
		text += fmt.Sprintf(" of %d (%d %%)", at.Total, int64(float64(at.Done)/float64(at.Total)*100))
	}
	return text
}

// HoursProgress draws a bar, on a terminal, of how many hours were read.
func (p *Program) HoursProgress(total int64) (progress, finish func()) {
	if !p.Terminal() {
		return func() {}, func() {}
	}
	bar := progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(p.Stdio.Err), progressbar.OptionSetDescription("asking the Data API"),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	return func() { _ = bar.Add(1) }, func() { _ = bar.Finish() } // only drawing can fail
}

// BytesProgress draws a bar, on a terminal, of how much of the files was read.
func (p *Program) BytesProgress(files []string) (progress func(read int64), finish func()) {
	if !p.Terminal() {
		return func(int64) {}, func() {}
	}
	total := int64(0)
	for _, path := range files {
		if info, err := os.Stat(path); err == nil { // reading it says what is wrong
			total += info.Size()
		}
	}
	bar := progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(p.Stdio.Err), progressbar.OptionSetDescription("reading"),
		progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	return func(read int64) { _ = bar.Add64(read) }, func() { _ = bar.Finish() } // only drawing can fail
}
