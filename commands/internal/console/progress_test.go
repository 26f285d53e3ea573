package console

import (
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/store"
)

// lineWriter hands on each line that is written.
type lineWriter struct {
	mu    sync.Mutex
	lines chan string
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.lines <- string(p):
	default: // nobody waits for it
	}
	return len(p), nil
}

func TestAnImportSaysHowFarItIsWhereThereIsNoTerminal(t *testing.T) {
	w := &lineWriter{lines: make(chan string)}
	progress, finish := progressLines(w, time.Millisecond)
	if line := <-w.lines; !strings.Contains(line, "beginning") {
		t.Errorf("got %q", line)
	}
	progress(store.ImportProgress{Phase: store.PhaseStage, Done: 5, Total: 20})
	for line := range w.lines {
		if strings.Contains(line, "writing, accounts 5 of 20 (25 %)") && strings.HasSuffix(line, "so far\n") {
			break
		}
	}
	finish() // and nothing writes any more: the race detector would see it
}

func TestOneThingIsNotSeveral(t *testing.T) {
	for want, got := range map[string]string{
		"1 problem": Counted(1, "problem"), "0 problems": Counted(0, "problem"), "2 problems": Counted(2, "problem"),
		"1 of 2 ids is": AreOf(1, 2, "id"), "2 of 2 ids are": AreOf(2, 2, "id"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
