package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
	"tolem/view"
)

func TestABackupIsACheckedCopyThatOpensLikeAnyOther(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	ctx := context.Background()
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "28"))
	c.Add(time.Hour)
	mustRecord(t, s, paid(id, "28")) // a repeat: the last thing that we were told
	file := filepath.Join(t.TempDir(), "copy.db")
	report, err := s.Backup(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	if !report.ReachesTo.Equal(c.Now()) || report.LastSeq < 1 || report.File != file || report.Check.Transactions != 1 || len(report.Check.Problems) != 0 {
		t.Errorf("got %+v", report)
	}
	info, err := os.Stat(file)
	if err != nil || info.Size() != report.Bytes || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want a file of %d bytes for its owner only", info, err, report.Bytes)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	hidden, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".*"))
	if len(hidden) != 0 {
		t.Errorf("left behind: %v", hidden)
	}

	mustRecord(t, s, paid(id, "29")) // not in the copy any more
	restored := mustOpen(t, fileAt(file))
	if p := mustPayment(t, restored, id); p.Status != topup.StatusSucceeded || p.Credit == nil {
		t.Errorf("got %+v", p)
	}
	if got := mustRecord(t, restored, paid(id, "28", func(e *topup.Event) { e.Status = "again" })); got.Disposition != topup.DispositionPosted {
		t.Errorf("the copy forgot the operation: %+v", got)
	}
	if got := len(feed(t, restored)); got != 1 {
		t.Errorf("got %d transactions, want 1", got)
	}
	checked(t, restored)
}

func TestABackupOfAnEmptyDatabaseReachesNowhere(t *testing.T) {
	s := mustOpen(t)
	report, err := s.Backup(context.Background(), filepath.Join(t.TempDir(), "copy.db"))
	if err != nil || !report.ReachesTo.IsZero() || report.LastSeq != 0 {
		t.Errorf("got %+v, %v", report, err)
	}
}

func TestABackupNeverOverwrites(t *testing.T) {
	s := mustOpen(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "precious")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(folder, "dangling")
	if err := os.Symlink(filepath.Join(folder, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, dangling, folder, s.Path()} {
		if _, err := s.Backup(context.Background(), name); kindOf(err) != topup.KindConflict || !strings.Contains(err.Error(), "never overwrites") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "precious" {
		t.Errorf("got %q, %v", content, err)
	}
	if _, err := s.Backup(context.Background(), filepath.Join(folder, "none", "copy.db")); err == nil {
		t.Error("a folder that does not exist was accepted")
	}
	if _, err := s.Backup(context.Background(), filepath.Join(file, "copy.db")); err == nil {
		t.Error("a file was accepted as a folder")
	}
}

func TestOfManyBackupsAtOnceUnderOneNameOneIsMade(t *testing.T) {
	s := mustOpen(t)
	file := filepath.Join(t.TempDir(), "copy.db")
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			_, err := s.Backup(context.Background(), file)
			if err == nil {
				made.Add(1)
			} else if kindOf(err) != topup.KindConflict {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("%d backups got the one name", made.Load())
	}
}

func TestABackupUnderLoadIsConsistentAndHoldsNobodyUp(t *testing.T) {
	s := bookOf(t)
	stop := make(chan struct{})
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				mustRecord(t, s, paid("theirs", fmt.Sprintf("%d-%d", w, i)))
				acknowledged.Add(1)
			}
		})
	}
	folder := t.TempDir()
	for n := range 4 {
		before := acknowledged.Load()
		testkit.Eventually(t, "more is written", func() bool { return acknowledged.Load() > before })
		report, err := s.Backup(context.Background(), filepath.Join(folder, fmt.Sprint(n)))
		if err != nil {
			t.Fatal(err)
		}
		if report.Check.Transactions <= before || (!onPostgres && report.Check.Transactions != report.LastSeq) {
			t.Errorf("got %+v, although %d were acknowledged before", report, before)
		}
	}
	close(stop)
	wg.Wait()
	if got := int64(len(feed(t, s))); got != acknowledged.Load() {
		t.Errorf("%d were acknowledged, %d are booked", acknowledged.Load(), got)
	}
}

func TestABackupThatIsNotSoundOrNotFinishedIsNotKept(t *testing.T) {
	s := mustOpen(t)
	mustRecord(t, s, paid("theirs", "1"))
	folder := t.TempDir()
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Backup(cancelled, filepath.Join(folder, "cancelled.db")); err == nil {
		t.Error("a cancelled backup reported success")
	}
	raw := rawOpen(t, s)
	if err := addToTotals(raw, settlement, 1, 0); err != nil {
		t.Fatal(err)
	}
	_, err := s.Backup(context.Background(), filepath.Join(folder, "broken.db"))
	if err == nil || !strings.Contains(err.Error(), "running totals") {
		t.Errorf("got %v, want what is broken", err)
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// fillFurtherTables gives every table that callbacks do not fill a row.
func fillFurtherTables(t *testing.T, s *store.Store) {
	t.Helper()
	account, err := s.Account(ctx, "7123456789")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ConfirmAccount(ctx, account, time.Now().Add(time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.SetEndpoints(ctx, []store.Endpoint{{Name: "billing"}}); err != nil {
		t.Fatal(err)
	}
	refunded := mustIssue(t, s)
	mustRecord(t, s, paid(refunded, "50"))
	mustRecord(t, s, paid(refunded, "51", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeRefunded, "refunded" }))
	mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, refunded, "50", 10000, 300))))
	if _, err := s.ImportBankStatement(ctx, statementOf(t, "2026-11-20", 0, 9700), anna); err != nil {
		t.Fatal(err)
	}
	mustPost(t, s, "po-1")
	if _, err := s.ApplyBankMatches(ctx, 31, anna); err != nil {
		t.Fatal(err)
	}
	underFourEyes(t, s, store.ActionCredit)
	_, err = s.CreditPayment(ctx, mustIssue(t, s), bearer("anna"))
	if _, err := s.Approve(ctx, proposed(t, err), bearer("bolat")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SumTurnover(ctx, time.UTC); err != nil {
		t.Fatal(err)
	}
	if err := s.SumSettlement(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SealJournal(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestACopyOfPostgreSQLHasEveryTableAndSaysWhereItCameFrom(t *testing.T) {
	onlyPostgres(t)
	s := bookOf(t, func(o *store.Options) { o.NotificationBody = view.NotificationBody })
	raw := rawOpen(t, s)
	mustRecord(t, s, paid(mustIssue(t, s), "1"))
	mustRecord(t, s, paid("theirs", "2")) // with a gap in the feed before it
	mustOpenPayin(t, s, keyed("k", "h"))
	closed := &topup.Account{CustomerID: "7999999999", AdditionalCustomerID: "C", Currency: "KGS", Closed: true, Contracts: []topup.Contract{{ID: "1", Number: "C-1"}}}
	if _, err := s.PutAccount(ctx, closed); err != nil { // which makes history
		t.Fatal(err)
	}
	must(t)(s.Reverse(ctx, must(t)(s.RecordPayment(ctx, recordOf("40"), anna)).ID, anna)) // a step, and what it freed
	unreadable(t, s, "theirs-too", "41")                                                  // an open message
	if err := s.SetWatchMark(context.Background(), "w", store.Mark{At: time.Unix(5, 0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.NoteStatusAnswer(context.Background(), mustIssue(t, s), store.StatusAnswer{At: time.Unix(5, 0), HTTPStatus: 200, Status: "success", Sum: hundred}, true); err != nil {
		t.Fatal(err)
	}
	fillFurtherTables(t, s)
	if _, err := s.DueDeliveries(ctx, "billing", 1); err != nil { // which inserts the deliveries of notifications
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "copy.db")
	report, err := s.Backup(context.Background(), file)
	if err != nil || report.Check.Transactions != 7 || report.Check.Payments != 7 {
		t.Fatalf("got %+v, %v", report, err)
	}
	copied := rawOpenAt(t, store.DriverName, "file:"+file)
	rows, err := raw.Query(`SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
		AND tablename NOT IN ('writers', 'feed', 'ledger_totals', 'schema_levels', 'goose_db_version')`)
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	if err := rows.Err(); err != nil || len(tables) < 17 {
		t.Fatalf("got %v, %v", tables, err)
	}
	for _, table := range tables {
		want := queryInt(t, raw, `SELECT count(*) FROM `+table)
		if table == "meta" {
			want++ // where the copy came from
		}
		var got int64
		if err := copied.DB.QueryRow(`SELECT count(*) FROM ` + table).Scan(&got); err != nil || got != want || want == 0 {
			t.Errorf("%s: got %d rows, %v; want %d, and some", table, got, err, want)
		}
	}
	const spread = `SELECT spread FROM event_progress`
	if got, want := queryInt(t, copied, spread), queryInt(t, raw, spread); got != want || want == 0 {
		t.Errorf("deliveries are there up to place %d, in the database up to %d", got, want)
	}
	var from string
	if err := copied.DB.QueryRow(`SELECT value FROM meta WHERE key = 'copied_from'`).Scan(&from); err != nil || from != "postgres" {
		t.Errorf("got %q, %v", from, err)
	}
	var body string
	if err := copied.DB.QueryRow(`SELECT CAST(body AS TEXT) FROM message_bodies ORDER BY message_id LIMIT 1`).Scan(&body); err != nil || body != `{"raw":"1"}` {
		t.Errorf("a raw body: got %q, %v", body, err)
	}
	served := mustOpen(t, fileAt(file))
	if got := mustRecord(t, served, paid("theirs", "3")); got.Disposition != topup.DispositionSuspended {
		t.Errorf("the copy does not go on: got %+v", got)
	}
	checked(t, served)
}
