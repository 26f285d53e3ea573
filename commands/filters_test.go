package commands_test

import (
	"strings"
	"testing"
)

// A script whose variable is empty must not be shown everything.
func TestAnEmptyConditionIsWrongUsage(t *testing.T) {
	s := newShop(t)
	for _, line := range []string{
		"payments list --status=", "payments list --status  --json", "payments list --flag=", "payments list --customer=", "payments list --customer \u00a0",
		"payments list --q=", "payments list --from=", "payments list --to ", "payments list --amount=", "payments list --limit=", "payments list --pending-over=",
		"suspense list --flag=", "suspense list --amount=", "suspense list --from=", "suspense list --to=", "suspense list --by=",
		"ledger balances --prefix=", "ledger balances --from=", "ledger balances --to  --json", "ledger export --format csv --from=", "ledger export --format csv --to=",
	} {
		wrongUsage(t, s, line)
	}
}

// Nor may a step be dated today, or take the whole, where something else was meant.
func TestAnEmptyDayOrAPartOfNothingIsWrongUsage(t *testing.T) {
	s := newShop(t)
	for _, line := range []string{
		"payments credit p --reason r --effective=", "payments recall p --reason r --effective ", "suspense return i --reason r --effective=",
		"ledger reverse t --reason r --effective=", "messages suspend 1 --reason r --amount 0", "messages suspend 1 --reason r --amount -1",
		"messages suspend 1 --reason r --amount=",
	} {
		wrongUsage(t, s, line)
	}
}

func TestAConditionThatCannotBeReadIsWrongUsage(t *testing.T) {
	s := newShop(t)
	for _, line := range []string{
		"payments list --amount 0", "payments list --amount -1", "payments list --amount 5,00", "payments list --amount 1e3",
		"suspense list --flag red", "suspense list --amount x", "suspense list --from x", "suspense list --by chance",
		"simulate kaspi --customer c --amount 1", "simulate kaspi --entity e --amount 1", "simulate kaspi --accounts ../fixtures/accounts.jsonl",
		"simulate kaspi --accounts ../fixtures/accounts.jsonl --customer c --amount 1", "simulate kaspi --accounts ../fixtures/accounts.jsonl --entity e --amount 1",
	} {
		wrongUsage(t, s, line)
	}
	s.serve(t).end(t)
	wrongUsage(t, s, "payments list --q "+strings.Repeat("x", 256)) // the store's rule
}

// wrongUsage runs a command line, cut at each blank, that must be refused.
func wrongUsage(t *testing.T, s *shop, line string) {
	t.Helper()
	got := s.tolem(t, strings.Split(line, " ")...)
	if got.code != 2 || got.out != "" || !strings.Contains(got.err, "--help\" for usage.") {
		t.Errorf("%q: got %+v, want exit code 2 and nothing printed but the reason", line, got)
	}
}
