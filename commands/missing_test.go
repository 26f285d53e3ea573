package commands_test

import (
	"path/filepath"
	"testing"

	"tolem/storetest"
)

// A mistyped path must not be taken for an empty book, least of all by the
// nightly backup.
func TestCommandsRefuseADatabaseThatIsNotThere(t *testing.T) {
	s := newShop(t)
	refusal := "there is no database"
	if storetest.OnPostgres() {
		refusal = "tolem migrate"
	}
	s.use(storetest.Empty(t))
	for _, args := range [][]string{
		{"ledger", "check"}, {"ledger", "balances"}, {"ledger", "export", "--format", "csv"}, {"backup", filepath.Join(s.dir, "copy.db")},
		{"payments", "list"}, {"payments", "show", "p_1"}, {"accounts", "list"}, {"suspense", "list"},
	} {
		got := s.tolem(t, args...)
		if got.code != 1 {
			t.Errorf("%v: exit code %d\n%s", args, got.code, got.out)
		}
		contains(t, "standard error", got.err, refusal)
	}
	s.untouched(t)
	s.must(t, "migrate")
	s.must(t, "ledger", "check")
}
