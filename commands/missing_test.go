package commands_test

import (
	"os"
	"path/filepath"
	"testing"
)

// A mistyped path must not be taken for an empty book, least of all by the
// nightly backup.
func TestCommandsRefuseADatabaseThatIsNotThere(t *testing.T) {
	s := newShop(t)
	for _, args := range [][]string{
		{"ledger", "check"}, {"ledger", "balances"}, {"ledger", "export", "--format", "csv"}, {"backup", filepath.Join(s.dir, "copy.db")},
		{"payments", "list"}, {"payments", "show", "p_1"}, {"accounts", "list"}, {"suspense", "list"},
	} {
		got := s.tolem(t, args...)
		if got.code != 1 {
			t.Errorf("%v: exit code %d\n%s", args, got.code, got.out)
		}
		contains(t, "standard error", got.err, "there is no database")
	}
	if _, err := os.Stat(s.database()); err == nil {
		t.Error("a database was made")
	}
	s.must(t, "migrate")
	s.must(t, "ledger", "check")
}
