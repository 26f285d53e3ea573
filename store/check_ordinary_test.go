package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tolem/store"
)

// damaged are how many random damages a test makes. Each is checked both ways.
const damaged = 100

// TestACheckFindsWhatItsRulesFindOneByOne damages a book at random, and compares what a
// check says with what its rules say, each run as it is written.
func TestACheckFindsWhatItsRulesFindOneByOne(t *testing.T) {
	t.Parallel()
	if onPostgres {
		t.Skip("on PostgreSQL a check runs its rules one by one")
	}
	ctx := context.Background()
	s := newSample(t).corrupted(t)
	conn, err := rawOpenAt(t, store.DriverName, "file:"+s.Path()).Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d := damager{ctx, conn, rand.New(rand.NewPCG(22, 1))}
	for _, name := range texts(t)(d.conn.QueryContext(d.ctx, `SELECT name FROM sqlite_master WHERE type = 'trigger'`)) {
		d.must(t, "DROP TRIGGER "+name)
	}
	d.must(t, "PRAGMA ignore_check_constraints = ON")
	d.must(t, "BEGIN")
	checked, oneByOne, err := s.CheckBothWays(ctx, conn)
	if err != nil || len(oneByOne) > 0 {
		t.Fatalf("an undamaged book: %q, %v", oneByOne, err)
	}
	d.must(t, "ROLLBACK")
	missing := len(checked) // triggers, which only the check looks at
	kinds := map[string]bool{}
	for n := 0; n < damaged; {
		d.must(t, "BEGIN")
		what, done := d.damage()
		if done && d.random.IntN(3) == 0 {
			more, _ := d.damage()
			what += "; " + more
		}
		if done {
			n++
			checked, oneByOne, err := s.CheckBothWays(ctx, conn)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if !slices.Equal(checked[missing:], oneByOne) {
				t.Errorf("%s:\n the check says %q\n one by one     %q", what, checked[missing:], oneByOne)
			}
			for _, line := range oneByOne {
				kind, _, _ := strings.Cut(line, " ")
				kinds[kind] = true
			}
		}
		d.must(t, "ROLLBACK")
	}
	for _, kind := range []string{"transaction", "payment", "operation", "message", "suspense", "ledger", "table"} {
		if !kinds[kind] {
			t.Errorf("no damage broke a rule about a %s", kind)
		}
	}
}

// damager changes rows of a book at random.
type damager struct {
	ctx    context.Context
	conn   *sql.Conn
	random *rand.Rand
}

func (d damager) must(t *testing.T, statement string) {
	t.Helper()
	if _, err := d.conn.ExecContext(d.ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// damageable are the tables of the book, with the key of a row and the columns that
// rules are about. A table is as likely as it is often listed.
var damageable = []struct{ table, key, columns string }{
	{"transactions", "seq", "seq transaction_id kind payment_id slot reverses resolves takes actor recorded_at"},
	{"transactions", "seq", "kind payment_id slot actor"},
	{"entries", "seq, n", "seq n account_id amount"},
	{"entries", "seq, n", "account_id amount"},
	{"operations", "operation, provider, project", "operation provider project seq reference sum_amount sum_currency initial_amount initial_currency entered"},
	{"payments", "id", "payment_id provider project customer_id entity_id amount currency status flags provider_reference recorded"},
	{"payments", "id", "credit_seq credit_transaction credit_amount credit_currency credit_at credit_by_operator credit_operation credit_reversed open_items"},
	{"messages", "id", "id provider project reference payment_id disposition seq operation"},
	{"ledger_accounts", "id", "id name currency debits credits"},
	{"suspense_items", "seq", "seq payment_id state resolved_by part_returned"},
	{"freed_operations", "id", "operation provider project seq freed_by"},
	{"operator_steps", "id", "action payment_id message_id seq operation actor"},
	{"payouts", "id", "provider project currency gross refunds net state"},
	{"payout_steps", "id", "payout state seq"},
	{"settlement_sums", "account_id, kind, quarter", "account_id kind amount"},
	{"settlement_progress", "id", "seq"},
}

// damage changes a row, and says how; done is false where the database refuses it, as
// unique keys do.
func (d damager) damage() (what string, done bool) {
	of := damageable[d.random.IntN(len(damageable))]
	columns := strings.Fields(of.columns)
	column := columns[d.random.IntN(len(columns))]
	some := func() string { // the key of a row
		return fmt.Sprintf(`(SELECT %[1]s FROM %[2]s ORDER BY %[1]s LIMIT 1 OFFSET %[3]d %% (SELECT max(count(*), 1) FROM %[2]s))`, of.key, of.table, d.random.IntN(1000))
	}
	row := "(" + of.key + ") = " + some()
	values := []string{
		fmt.Sprintf(`(SELECT %s FROM %s WHERE (%s) = %s)`, column, of.table, of.key, some()),
		fmt.Sprintf(`(SELECT %s FROM %s WHERE (%s) = %s)`, column, of.table, of.key, some()),
		"NULL", "0", "''", "'reversal'", column + " + 1", column + " - 1", "-" + column, column + " + 900000000000000000",
	}
	switch d.random.IntN(8) {
	case 0:
		what = "DELETE FROM " + of.table + " WHERE " + row
	case 1:
		list := make([]string, len(columns))
		for i, name := range columns {
			if list[i] = name; name == column || strings.HasPrefix(of.key, name) {
				list[i] = name + " + 100"
			}
		}
		what = fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s FROM %[1]s WHERE %[4]s`, of.table, strings.Join(columns, ", "), strings.Join(list, ", "), row)
	default:
		what = "UPDATE " + of.table + " SET " + column + " = " + values[d.random.IntN(len(values))] + " WHERE " + row
	}
	result, err := d.conn.ExecContext(d.ctx, what)
	if err != nil {
		return what, false
	}
	changed, err := result.RowsAffected()
	return what, err == nil && changed > 0
}

// TestASoundBookIsProvenTogether shows that the walk over ordinary credits proves what
// it is there for.
func TestASoundBookIsProvenTogether(t *testing.T) {
	t.Parallel()
	if onPostgres {
		t.Skip("on PostgreSQL a check runs its rules one by one")
	}
	s := newSample(t).corrupted(t)
	holds, err := s.ProvenTogether(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{
		"every transaction has at least two entries",
		"the entries of a transaction sum to zero in each currency",
		"the running totals are the sums of the entries",
		"an operation belongs to a transaction that it can have made, of its own sum",
		"what a provider posted has the message that said so",
		"a message belongs to the payment that it names, and to what it made",
		"a payment shows the credit that the journal has",
		"money moves on the accounts of the payment's own provider and project",
		"settlement is credits and suspense, less returns and refunds through the platform, less gross less refunds of payouts",
		"the feed has no gaps", "no message is missing", "every foreign key points to a row",
	} {
		if !holds[rule] {
			t.Errorf("not proven: %s", rule)
		}
	}
}

// TestTheWalkOverOrdinaryCreditsKnowsEveryForeignKey fails when a table of the walk gets a
// key that the walk does not look at: see foreignKeysSQL.
func TestTheWalkOverOrdinaryCreditsKnowsEveryForeignKey(t *testing.T) {
	if onPostgres {
		t.Skip("only on SQLite")
	}
	d := damager{ctx: context.Background()}
	conn, err := rawOpen(t, mustOpen(t)).Conn(d.ctx)
	if err != nil {
		t.Fatal(err)
	}
	d.conn = conn
	got := texts(t)(d.conn.QueryContext(d.ctx, `SELECT x.name || '.' || f."from" || ' ' || f."table" FROM (SELECT name FROM sqlite_master
		WHERE name IN ('transactions', 'entries', 'operations')) x, pragma_foreign_key_list(x.name) f ORDER BY 1`))
	want := []string{"entries.account_id ledger_accounts", "entries.seq transactions", "operations.seq transactions",
		"transactions.resolves transactions", "transactions.reverses transactions", "transactions.takes transactions"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
