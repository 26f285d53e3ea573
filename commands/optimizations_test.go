package commands_test

import (
	"slices"
	"testing"

	"tolem/storetest"
)

// TestTheOptimizationsAreLogged: at start, whether they are live or not.
func TestTheOptimizationsAreLogged(t *testing.T) {
	byDefault := []string{"larger_heap", "threads_for_sqlite"}
	if storetest.OnPostgres() {
		byDefault = byDefault[:1]
	}
	for _, tc := range []struct {
		name  string
		env   []string
		in    string
		names []string
	}{
		{"by default", nil, "live", byDefault},
		{"switched off", []string{"GOGC=100", "GOMAXPROCS=2", "TOLEM_THREAD_SCHEDULING=unchanged"}, "off",
			[]string{"larger_heap", "threads_for_sqlite", "batch_scheduling", "log_write_back"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newShop(t)
			s.env = append(s.env, tc.env...)
			r := s.serve(t)
			line, ok := r.lines.wait("optimizations")
			if !ok {
				t.Fatal("the server ended")
			}
			listed := line[tc.in].([]any)
			for _, name := range tc.names {
				if !slices.Contains(listed, any(name)) {
					t.Errorf("%s is not among those that are %s: %v", name, tc.in, listed)
				}
			}
		})
	}
}
