package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// damage changes a database behind the program's back: triggers and foreign keys rest.
func damage(t *testing.T, s *store.Store, statements ...string) {
	t.Helper()
	db := rawOpen(t, s)
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	guarded := []string{"transactions", "entries", "operations", "freed_operations", "ledger_accounts", "seals"}
	var restore []string
	if onPostgres {
		exec(`SET session_replication_role = replica`)
		for _, table := range guarded {
			exec(`ALTER TABLE ` + table + ` DISABLE TRIGGER USER`)
		}
		restore = append(restore, texts(t)(db.Query(`SELECT format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', c.relname, t.tgname)
			FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgenabled = 'D' AND NOT t.tgisinternal`))...)
	} else {
		restore = texts(t)(db.Query(`SELECT sql FROM sqlite_master WHERE type = 'trigger'`))
		for _, name := range texts(t)(db.Query(`SELECT name FROM sqlite_master WHERE type = 'trigger'`)) {
			exec(`DROP TRIGGER ` + name)
		}
	}
	for _, statement := range append(statements, restore...) {
		exec(statement)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// texts reads an answer of one column: texts(t)(db.Query(query)).
func texts(t *testing.T) func(*sql.Rows, error) []string {
	return func(rows *sql.Rows, err error) (list []string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			list = append(list, text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return list
	}
}

func sealed(t *testing.T, s *store.Store) store.Seal {
	t.Helper()
	made, err := s.SealJournal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func verified(t *testing.T, s *store.Store, given store.Seal, recent bool) []string {
	t.Helper()
	report, err := s.VerifySeal(ctx, given, recent)
	if err != nil {
		t.Fatal(err)
	}
	return report.Problems
}

// holds wants that nothing is wrong with a seal, read whole or not, nor with the books.
func holds(t *testing.T, s *store.Store, given store.Seal) {
	t.Helper()
	checked(t, s)
	for _, recent := range []bool{false, true} {
		if got := verified(t, s, given, recent); len(got) > 0 {
			t.Errorf("recent %v: got %q, want none", recent, got)
		}
	}
}

// sealedBook is a book with five payments and a step of an operator, which is sealed
// twice: the last two payments are new in the second seal.
func sealedBook(t *testing.T) (s *store.Store, first, second store.Seal) {
	t.Helper()
	s = bookOf(t)
	mustRecord(t, s, paid(mustIssue(t, s), "1"))
	mustRecord(t, s, paid(mustIssue(t, s), "2"))
	must(t)(s.RecallPayment(ctx, must(t)(s.RecordPayment(ctx, recordOf("3"), anna)).PaymentID, anna))
	first = sealed(t, s)
	mustRecord(t, s, paid(mustIssue(t, s), "4"))
	mustRecord(t, s, paid(mustIssue(t, s), "5"))
	second = sealed(t, s)
	if first.Seq == 0 || second.Seq <= first.Seq || first.SHA256 == second.SHA256 {
		t.Fatalf("got seals %+v and %+v", first, second)
	}
	return s, first, second
}

// of is the place of the transaction that an operation made.
func of(operation string) string {
	return fmt.Sprintf(`(SELECT x.seq FROM (SELECT o.seq FROM operations o WHERE o.operation = '%s') x)`, operation)
}

func TestSeal(t *testing.T) {
	tampered := []struct {
		name   string
		damage []string
		block  bool // it is in what the first seal covers
	}{
		{"AChangedReason", []string{`UPDATE transactions SET reason = 'another' WHERE actor <> '' AND takes IS NULL`}, true},
		{"AChangedTime", []string{`UPDATE transactions SET effective_at = effective_at + 1 WHERE seq = ` + of("1")}, true},
		{"ChangedAmounts", []string{`UPDATE entries SET amount = 2 * amount WHERE seq = ` + of("2")}, true},
		{"AnotherContract", []string{`UPDATE ledger_accounts SET name = 'customers:7123456789:2' WHERE name = '` + own + `'`}, true},
		{"AChangedOperation", []string{`UPDATE operations SET operation = 'another' WHERE operation = '1'`}, true},
		{"AnEnteredOperationThatWasChanged", []string{`UPDATE operations SET reference = 'another' WHERE operation = '3'`}, true},
		{"ADeletedTransaction", []string{
			`DELETE FROM entries WHERE seq = ` + of("2"), `DELETE FROM transactions WHERE seq = ` + of("2"), `DELETE FROM operations WHERE operation = '2'`}, true},
		{"AnInsertedEntry", []string{`INSERT INTO entries (seq, n, account_id, amount) SELECT seq, 2, account_id, amount FROM entries WHERE n = 0 AND seq = ` + of("1")}, true},
		{"AnInsertedOperation", []string{`INSERT INTO operations (operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered)
			SELECT '9', provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered FROM operations WHERE operation = '1'`}, true},
		{"EntriesOfNoTransaction", []string{`DELETE FROM transactions WHERE seq = ` + of("1")}, true},
		{"TwoThatWereExchanged", []string{
			`UPDATE transactions SET seq = -1, slot = 9 WHERE seq = ` + of("1"),
			`UPDATE transactions SET seq = ` + of("1") + ` WHERE seq = ` + of("2"),
			`UPDATE transactions SET seq = ` + of("2") + `, slot = 0 WHERE seq = -1`}, true},
		{"TheLastTransactionDeleted", []string{
			`DELETE FROM entries WHERE seq = ` + of("5"), `DELETE FROM transactions WHERE seq = ` + of("5"), `DELETE FROM operations WHERE operation = '5'`}, false},
		{"TheLastTransactionChanged", []string{`UPDATE transactions SET recorded_at = recorded_at + 1 WHERE seq = ` + of("5")}, false},
	}
	for _, damaged := range tampered {
		t.Run("Finds/"+damaged.name, func(t *testing.T) {
			s, first, second := sealedBook(t)
			holds(t, s, first)
			holds(t, s, second)
			damage(t, s, damaged.damage...)
			if got := strings.Join(problems(t, s), "\n"); !strings.Contains(got, "sealed on ") {
				t.Errorf("ledger check: got %q, want the broken seal", got)
			}
			if got := verified(t, s, second, false); len(got) == 0 {
				t.Error("nothing is wrong with the newer seal")
			}
			if got := verified(t, s, first, false); len(got) == 0 {
				t.Error("nothing is wrong with what was sealed behind the older seal, or with it")
			}
			// Who can write to the database can seal it anew; but not the file.
			damage(t, s, `DELETE FROM seals`)
			again := sealed(t, s)
			if got := strings.Join(problems(t, s), "\n"); strings.Contains(got, "sealed on ") {
				t.Errorf("sealed anew: got %q", got)
			}
			for _, recent := range []bool{false, true} {
				if got := verified(t, s, second, recent); len(got) == 0 {
					t.Errorf("sealed anew, recent %v: nothing is wrong", recent)
				}
			}
			if got := verified(t, s, first, false); len(got) > 0 != damaged.block {
				t.Errorf("the older seal: got %q, want it broken: %v", got, damaged.block)
			}
			if again == second {
				t.Error("the new seal is the old one")
			}
		})
	}

	t.Run("FindsADeletedSeal", func(t *testing.T) {
		s, first, second := sealedBook(t)
		damage(t, s, fmt.Sprintf(`DELETE FROM seals WHERE seq = %d`, first.Seq))
		want := fmt.Sprintf("the seal of seq %d follows one of seq %d, and the one before it is of seq 0: seals were deleted or inserted", second.Seq, first.Seq)
		if got := problems(t, s); !slices.Equal(got, []string{want}) {
			t.Errorf("got %q, want %q", got, want)
		}
	})

	t.Run("FindsAChangedSeal", func(t *testing.T) {
		s, first, second := sealedBook(t)
		damage(t, s, fmt.Sprintf(`UPDATE seals SET sha256 = '%s' WHERE seq = %d`, second.SHA256, first.Seq))
		if got := problems(t, s); len(got) != 2 {
			t.Errorf("got %q, want both seals", got)
		}
		// The journal itself is what it was.
		for _, given := range []store.Seal{first, second} {
			if got := strings.Join(verified(t, s, given, false), "\n"); strings.Contains(got, fmt.Sprintf("the journal up to seq %d is not", given.Seq)) {
				t.Errorf("got %q", got)
			}
		}
	})

	t.Run("FormatThatIsNotKnown", func(t *testing.T) {
		s, first, _ := sealedBook(t)
		damage(t, s, fmt.Sprintf(`UPDATE seals SET format = 2 WHERE seq = %d`, first.Seq))
		if got := problems(t, s); len(got) != 1 || !strings.Contains(got[0], "has format 2, which this program does not know") {
			t.Errorf("got %q", got)
		}
	})

	t.Run("FindsARestoredBackup", func(t *testing.T) {
		// The same book as the backup had it: without what the seal has last.
		s, _, second := sealedBook(t)
		damage(t, s, `DELETE FROM entries WHERE seq = `+of("5"), `DELETE FROM transactions WHERE seq = `+of("5"), `DELETE FROM operations WHERE operation = '5'`,
			fmt.Sprintf(`DELETE FROM seals WHERE seq = %d`, second.Seq))
		for _, recent := range []bool{false, true} {
			got := verified(t, s, second, recent)
			if len(got) != 1 || !strings.Contains(got[0], "transactions are missing, or this database was restored from an older backup") {
				t.Errorf("recent %v: got %q", recent, got)
			}
		}
	})

	t.Run("StaysWhatItIsWhileTheBooksGoOn", func(t *testing.T) {
		s := bookOf(t)
		credited := mustIssue(t, s)
		must(t)(s.CreditPayment(ctx, credited, anna))
		entered := must(t)(s.RecordPayment(ctx, recordOf("40"), anna))
		_, item := suspendedItem(t, s, paid(mustIssue(t, s), "29", sum(9000)))
		before := sealed(t, s)
		// The operator's credit gets an operation, an entered one is freed and taken again.
		if got := mustRecord(t, s, paid(credited, "33")); got.Disposition != topup.DispositionBound {
			t.Fatalf("got %+v, want the callback bound to the credit", got)
		}
		holds(t, s, before)
		reversal := must(t)(s.Reverse(ctx, entered.ID, anna))
		holds(t, s, before)
		between := sealed(t, s)
		must(t)(s.Reverse(ctx, reversal.ID, anna))
		must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{}, anna))
		after := sealed(t, s)
		for _, given := range []store.Seal{before, between, after} {
			holds(t, s, given)
		}
		if again := sealed(t, s); again != after {
			t.Errorf("nothing was posted: got %+v, then %+v", after, again)
		}
	})

	t.Run("Empty", func(t *testing.T) {
		s := mustOpen(t)
		empty := sealed(t, s)
		if empty.Seq != 0 || empty.SHA256 != "39b763c85fea0f4a024ad060d3aff04f90a4cacf62dc9d09ea6f4fc310e52716" {
			t.Errorf("got %+v", empty)
		}
		holds(t, s, empty)
		mustAccounts(t, s)
		mustRecord(t, s, paid(mustIssue(t, s), "1"))
		holds(t, s, empty)
	})

	t.Run("RefusesWhatIsNoSeal", func(t *testing.T) {
		s := mustOpen(t)
		for _, wrong := range []store.Seal{{Seq: 1}, {Seq: -1, SHA256: strings.Repeat("a", 64)}, {SHA256: strings.Repeat("a", 62)}, {SHA256: strings.Repeat("g", 64)}} {
			if _, err := s.VerifySeal(ctx, wrong, false); !isInvalid(err) {
				t.Errorf("%+v: got %v, want it invalid", wrong, err)
			}
		}
	})
}

func isInvalid(err error) bool {
	var refused *topup.Error
	return errors.As(err, &refused) && refused.Kind == topup.KindInvalid
}

// TestSealOfAKnownJournal: the seal is the same on both databases, and no later
// program may seal these rows differently in format 1.
func TestSealOfAKnownJournal(t *testing.T) {
	s := mustOpen(t)
	const n = 4500 // more than PostgreSQL is asked for at a time
	damage(t, s,
		`INSERT INTO ledger_accounts (id, name, currency) VALUES (71, 'settlement:jetpay:1234', 'KZT'), (72, 'customers:7:ё', 'KZT')`,
		`INSERT INTO transactions (seq, transaction_id, kind, payment_id, slot, reverses, resolves, takes, actor, reason, effective_at, recorded_at, program_level)
			WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 4500)
			SELECT n, 't_' || n, 'credit', 'p_' || n, 0, NULL, NULL, NULL, CASE WHEN n % 100 = 0 THEN 'Анна' ELSE '' END, '', 1000 + n, 2000 + n, CASE WHEN n % 100 = 0 THEN 16 END FROM r`,
		`INSERT INTO entries (seq, n, account_id, amount)
			SELECT seq, 0, 71, seq FROM transactions UNION ALL SELECT seq, 1, 72, -seq FROM transactions`,
		`INSERT INTO operations (operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered)
			SELECT 'o' || (9999 - seq), 'jetpay', '1234', seq, payment_id, seq, 'KZT', seq, 'KZT', CASE WHEN seq % 200 = 0 THEN 1 ELSE 0 END FROM transactions`)
	got := sealed(t, s)
	const want = "5d67957adc078a961d0b16c4f41552280f8357b7bcda33734f09db7af2bc44bc"
	if got.Seq != n || got.SHA256 != want {
		t.Errorf("got seq %d, %s; want %d, %s", got.Seq, got.SHA256, n, want)
	}
	db := rawOpen(t, s)
	if kept := queryInt(t, db, `SELECT count(*) FROM seals`); kept != 5 {
		t.Errorf("got %d seals, want one for every thousand transactions", kept)
	}
	report, err := s.VerifySeal(ctx, got, false)
	if err != nil || len(report.Problems) > 0 || report.Transactions != n || report.Seals != 5 {
		t.Errorf("got %+v, %v", report, err)
	}
	damage(t, s, `UPDATE transactions SET reason = 'x' WHERE seq = 2100 OR seq = 4400`)
	if got := verified(t, s, got, false); len(got) != 3 || !strings.Contains(got[0], "from seq 2001 to 3000") || !strings.Contains(got[2], "from seq 4001 to 4500") {
		t.Errorf("got %q, want both blocks and the given seal", got)
	}
}

func TestSealAndOthersAtOnce(t *testing.T) {
	s := bookOf(t)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				mustRecord(t, s, paid(mustIssue(t, s), fmt.Sprintf("%d-%d", w, i)))
			}
		})
	}
	seals := make([][]store.Seal, 3)
	for i := range seals {
		wg.Go(func() {
			for range 10 {
				made, err := s.SealJournal(context.Background())
				for kindOf(err) == topup.KindUnavailable { // another one seals: try again, as it says
					made, err = s.SealJournal(context.Background())
				}
				if err != nil {
					t.Error(err)
					return
				}
				seals[i] = append(seals[i], made)
			}
		})
	}
	wg.Wait()
	sealed(t, s)
	for _, list := range seals {
		for _, given := range list {
			if got := verified(t, s, given, false); len(got) > 0 {
				t.Errorf("%+v: got %q", given, got)
			}
		}
	}
	checked(t, s)
}

// TestSealEndsWhereTheFeedEnds: what may still get a transaction before it is not
// sealed.
func TestSealEndsWhereTheFeedEnds(t *testing.T) {
	onlyPostgres(t)
	s := bookOf(t)
	mustRecord(t, s, paid(mustIssue(t, s), "1"))
	first := sealed(t, s)
	running, err := rawOpen(t, s).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = running.Rollback() }()
	if _, err := running.Exec(`SELECT pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	mustRecord(t, s, paid(mustIssue(t, s), "2"))
	if got := sealed(t, s); got != first {
		t.Errorf("got %+v, want %+v as long as an older transaction runs", got, first)
	}
	if err := running.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := sealed(t, s); got.Seq <= first.Seq {
		t.Errorf("got %+v", got)
	}
	checked(t, s)
}

func TestSealsCannotBeChangedThroughARawConnection(t *testing.T) {
	s, first, second := sealedBook(t)
	db := rawOpen(t, s)
	attacks := []string{
		`UPDATE seals SET sha256 = ''`, `DELETE FROM seals`, `DELETE FROM seals WHERE follows > 0`,
		`INSERT INTO seals SELECT seq + 1, follows, format, sha256, sealed_at FROM seals`,
		`INSERT INTO seals SELECT seq, follows, format, sha256, sealed_at FROM seals`,
	}
	if onPostgres {
		attacks = append(attacks, `TRUNCATE seals`)
	} else {
		attacks = append(attacks, `REPLACE INTO seals SELECT seq, follows, 2, sha256, sealed_at FROM seals`,
			`REPLACE INTO seals SELECT seq + 1, follows, format, sha256, sealed_at FROM seals`, `UPDATE OR REPLACE seals SET follows = 0`)
	}
	for _, attack := range attacks {
		if _, err := db.Exec(attack); err == nil {
			t.Errorf("accepted: %s", attack)
		}
	}
	holds(t, s, first)
	holds(t, s, second)
}

// TestSealsAreInTheBackup: a copy has the same seals, one of PostgreSQL in SQLite too.
func TestSealsAreInTheBackup(t *testing.T) {
	s, first, second := sealedBook(t)
	file := t.TempDir() + "/copy.db"
	if _, err := s.Backup(ctx, file); err != nil {
		t.Fatal(err)
	}
	mustRecord(t, s, paid(mustIssue(t, s), "6"))
	newer := sealed(t, s)
	restored, err := store.Open(ctx, store.Options{Path: file, ReadMessage: readStored, Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := restored.Close(); err != nil {
			t.Error(err)
		}
	}()
	if again := sealed(t, restored); again != second {
		t.Errorf("sealed in the copy: got %+v, want %+v", again, second)
	}
	holds(t, restored, first)
	holds(t, restored, second)
	for _, recent := range []bool{false, true} {
		got := verified(t, restored, newer, recent)
		if len(got) != 1 || !strings.Contains(got[0], "restored from an older backup") {
			t.Errorf("recent %v: got %q", recent, got)
		}
	}
	if newer.At.Before(time.Now().Add(-time.Hour)) {
		t.Errorf("sealed at %s", newer.At)
	}
}
