package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	// quietAndIdle is how long a pass may say nothing while its processes do
	// nothing either. Whatever works is left alone, however slow the machine is.
	quietAndIdle = 10 * time.Minute
	// idleBelow is how much processor time counts as nothing.
	idleBelow = 2 * time.Second
)

// watch ends a pass that makes no progress, or when everything is ended.
func (w *work) watch(group int, ended <-chan struct{}) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	since, used := time.Now(), processorTime(group)
	for {
		select {
		case <-ended:
			return
		case <-w.report.stop:
			_ = syscall.Kill(-group, syscall.SIGTERM)
			return
		case now := <-ticker.C:
			if spent := processorTime(group); w.heardSince(since) || spent-used > idleBelow {
				since, used = now, spent
			} else if now.Sub(since) > quietAndIdle {
				w.report.note(fmt.Errorf("%s: no test has ended or said anything for %s, and nothing works: ended, with the stacks of its goroutines", w.pass.name, quietAndIdle))
				// The test programs print their stacks and end; go test then does.
				_ = syscall.Kill(-group, syscall.SIGQUIT)
				since = now
			}
		}
	}
}

func (w *work) heardSince(t time.Time) bool {
	w.report.mu.Lock()
	defer w.report.mu.Unlock()
	return w.last.After(t)
}

// processorTime is what the processes of a group have used, and those that they
// have waited for. Where there is no /proc it seems to rise, so that nothing is
// ended.
func processorTime(group int) time.Duration {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	if len(files) == 0 {
		return time.Duration(time.Now().UnixNano())
	}
	const tickOfProc = 10 * time.Millisecond // USER_HZ, 100 on every Linux
	var total time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// Fields are counted behind the name, which may hold anything (proc(5)).
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 15 || string(fields[2]) != strconv.Itoa(group) {
			continue
		}
		for _, field := range fields[11:15] {
			n, _ := strconv.ParseInt(string(field), 10, 64)
			total += time.Duration(n) * tickOfProc
		}
	}
	return total
}
