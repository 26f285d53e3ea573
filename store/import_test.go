package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// jsonl is a file of JSON lines that is held in memory.
func jsonl(lines ...string) store.ImportFile { return inMemory(store.FormatJSONL, lines) }

// csvFile is a CSV file that is held in memory.
func csvFile(lines ...string) store.ImportFile { return inMemory(store.FormatCSV, lines) }

func inMemory(format store.Format, lines []string) store.ImportFile {
	text := strings.Join(lines, "\n")
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	return store.ImportFile{Format: format, Open: open, Size: int64(len(text))}
}

// line is an account record: a customer's id and contracts, in tenge.
func line(customerID string, contracts ...string) string {
	return lineIn("KZT", customerID, contracts...)
}

func lineIn(currency, customerID string, contracts ...string) string {
	var entities []string
	for _, c := range contracts {
		id, closed := strings.CutPrefix(c, "-")
		tail := ""
		if closed {
			tail = `,"closed":true`
		}
		entities = append(entities, fmt.Sprintf(`{"id":"%s","number":"number-%s"%s}`, id, id, tail))
	}
	return fmt.Sprintf(`{"customer_id":"%s","additional_customer_id":"A","currency":"%s","entities":[%s]}`,
		customerID, currency, strings.Join(entities, ","))
}

// manyLines are n accounts with one contract.
func manyLines(n int, contract string) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = line(fmt.Sprintf("c%05d", i), contract)
	}
	return lines
}

func mustImport(t testing.TB, s *store.Store, o store.ImportOptions, file store.ImportFile) store.ImportReport {
	t.Helper()
	report, err := s.ImportAccounts(context.Background(), o, file)
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	if report.Leftover != nil {
		t.Fatalf("import left older records: %v", report.Leftover)
	}
	report.SHA256 = ""
	return report
}

// outlines are the accounts of the store, in short.
func outlines(t testing.TB, s *store.Store) string {
	t.Helper()
	page, err := s.AccountsPage(context.Background(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range page {
		all = append(all, a.CustomerID+": "+outline(a))
	}
	return strings.Join(all, "; ")
}

// beside opens another handle on the store's file, as another process would.
func beside(t testing.TB, s *store.Store, change ...func(*store.Options)) *store.Store {
	t.Helper()
	return mustOpen(t, append([]func(*store.Options){same(s)}, change...)...)
}

// atPhase calls do once, when an import first reports that phase.
func atPhase(phase store.ImportPhase, do func()) func(store.ImportProgress) {
	var once sync.Once
	return func(p store.ImportProgress) {
		if p.Phase == phase {
			once.Do(do)
		}
	}
}

// badLines are the problems of a refused file, one a line.
func badLines(t testing.TB, err error) []string {
	t.Helper()
	bad := (*store.RecordErrors)(nil)
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want the lines that are wrong", err)
	}
	var lines []string
	for _, l := range bad.Lines {
		lines = append(lines, l.Error())
	}
	return lines
}

func TestAnImportLeavesWhatIsAbsentAsItWas(t *testing.T) {
	s := mustOpen(t)
	mustImport(t, s, store.ImportOptions{}, jsonl(line("c1", "e1", "-e2"), line("c2", "e1"), line("c3", "e1")))
	report := mustImport(t, s, store.ImportOptions{}, jsonl(line("c1", "e3"), line("c3", "e1"), line("c4", "e1")))

	if got, want := outlines(t, s), "c1: KZT e3 e1 -e2; c2: KZT e1; c3: KZT e1; c4: KZT e1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want := store.ImportReport{Accounts: 3, Contracts: 3, Created: 1, Changed: 1, Unchanged: 1}
	if report != want {
		t.Errorf("report: got %+v, want %+v", report, want)
	}
}

func TestReplaceClosesWhatIsAbsent(t *testing.T) {
	s := mustOpen(t)
	ctx := context.Background()
	mustImport(t, s, store.ImportOptions{}, jsonl(line("c1", "e1", "e2"), line("c2", "e1", "e2"), line("c3", "e1"), line("c4", "e1")))
	report := mustImport(t, s, store.ImportOptions{Replace: true}, jsonl(line("c1", "e2"), line("c3", "e1")))

	if got, want := outlines(t, s), "c1: KZT e2 -e1; c2: -KZT -e1 -e2; c3: KZT e1; c4: -KZT -e1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want := store.ImportReport{Accounts: 2, Contracts: 2, Changed: 1, Unchanged: 1, Closed: 2, Open: 4, ContractsClosed: 1}
	if report != want {
		t.Errorf("report: got %+v, want %+v", report, want)
	}
	if _, err := s.Offer(ctx, "c2"); kindOf(err) != topup.KindNotFound {
		t.Errorf("offer of a closed account: got %v, want not found", err)
	}

	// Opened again, an account has no more open contracts than the record says.
	mustImport(t, s, store.ImportOptions{}, jsonl(line("c2", "e2")))
	mustPut(t, s, record("c4", only("e5")))
	if got, want := outlines(t, s), "c1: KZT e2 -e1; c2: KZT e2 -e1; c3: KZT e1; c4: KZT e5 -e1"; got != want {
		t.Errorf("opened again:\n got %s\nwant %s", got, want)
	}
	// The second time round nothing is open that was closed.
	again := mustImport(t, s, store.ImportOptions{Replace: true, DryRun: true}, jsonl(line("c1", "e2")))
	if again.Closed != 3 {
		t.Errorf("a dry run would close %d accounts, want 3", again.Closed)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	s := mustOpen(t)
	mustPut(t, s, record("c1"))
	report := mustImport(t, s, store.ImportOptions{DryRun: true, Replace: true}, jsonl(line("c2", "e1", "e2")))
	if report.Accounts != 1 || report.Contracts != 2 || report.Closed != 1 {
		t.Errorf("report: %+v", report)
	}
	if got, want := outlines(t, s), "c1: KZT e1 e2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestABadFileChangesNothingAndNamesEveryBadLine(t *testing.T) {
	s := mustOpen(t, func(o *store.Options) { o.Normalize = topup.NormalizeKZPhone })
	mustPut(t, s, record("paid"))
	mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID, n.ContractID = "paid", "e1" })
	_, err := s.ImportAccounts(context.Background(), store.ImportOptions{Replace: true}, jsonl(
		line("7071234567", "e1"),
		``,
		line("+7 707 123-45-67", "e1"),
		`{"customer_id":"c1","additional_customer_id":"A","currency":"KZT","entities":[{"id":"e1","number":"n","payment":1e5}],"debt":1}`,
		line("c2"),
		`{"customer_id":"c3",`,
		lineIn("KGS", "paid", "e1"),
		line("c4", "e1", "e1"),
		`["`+strings.Repeat("x", 2<<20)+`"]`,
		line("c5", "e1"),
	))
	want := []string{
		"line 3: customer_id is that of line 1 already",
		"line 4: entities[0].payment must be an integer number of minor units, without fraction or exponent",
		"line 4: debt is not a member of an account record",
		"line 5: entities must have at least one entry",
		"line 6: record is not valid JSON, at byte 22",
		"line 7: currency must stay KZT: the account has payments in it",
		"line 8: entities[1].id must be unique within the account",
		"line 9: must be at most 1048576 bytes long",
	}
	if got := badLines(t, err); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got, want := outlines(t, s), "paid: KZT e1 e2"; got != want {
		t.Errorf("after a bad file: got %s, want %s", got, want)
	}
	if !strings.Contains(err.Error(), "8 problems in the file, nothing was imported; the first: line 3") {
		t.Errorf("error: %v", err)
	}
}

func TestAReportOfBadLinesIsBounded(t *testing.T) {
	s := mustOpen(t)
	_, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, jsonl(slices.Repeat([]string{`[]`}, 1500)...))
	bad := (*store.RecordErrors)(nil)
	if !errors.As(err, &bad) || len(bad.Lines) != 1000 || bad.More != 500 {
		t.Errorf("got %v", err)
	}
}

func TestAFileWithoutRecordsIsRefused(t *testing.T) {
	s := mustOpen(t)
	mustPut(t, s, record("c1"))
	for name, file := range map[string]store.ImportFile{
		"empty": jsonl(), "blank": jsonl("", "  ", ""), "header": csvFile("customer_id,additional_customer_id,currency,entity_id,number"),
	} {
		if _, err := s.ImportAccounts(context.Background(), store.ImportOptions{Replace: true}, file); err == nil || !strings.Contains(err.Error(), "no account records") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got, want := outlines(t, s), "c1: KZT e1 e2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAByteOrderMarkAndWindowsLineEndsAreNoPartOfTheRecords(t *testing.T) {
	s := mustOpen(t)
	mustImport(t, s, store.ImportOptions{}, jsonl("\ufeff"+line("c1", "e1")+"\r", line("c2", "e1")+"\r", ""))
	mustImport(t, s, store.ImportOptions{}, csvFile("\ufeffcustomer_id,additional_customer_id,currency,entity_id,number\r", "c3,A,KZT,e1,n\r"))
	if got, want := outlines(t, s), "c1: KZT e1; c2: KZT e1; c3: KZT e1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReadersSeeOnlyTheOldOrTheNewAccounts(t *testing.T) {
	t.Parallel()
	server := mustOpen(t)
	operator := beside(t, server)
	ctx := context.Background()
	const n = 20_000
	mustImport(t, operator, store.ImportOptions{}, jsonl(manyLines(n, "e1")...))

	// The first and the last line of the file: staged far from each other.
	first, last := "c00000", fmt.Sprintf("c%05d", n-1)
	contract := func(customer string) string {
		offer, err := server.Offer(ctx, customer)
		if err != nil {
			t.Errorf("offer: %v", err)
		}
		return string(offer.Entities)
	}
	const newer = `[{"id":"e2","number":"number-e2"}]`
	lines := manyLines(n, "e2")
	stop := make(chan struct{})
	var work sync.WaitGroup
	var mixed, reads, writes int
	work.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			// What is read first cannot be newer than what is read after it.
			before, after := contract(last), contract(first)
			if before == newer && after != newer {
				mixed++
			}
			if reads++; reads%50 == 1 {
				mustIssue(t, server, func(n *store.NewPayment) { n.CustomerID, n.ContractID = first, "e1" })
				writes++
			}
		}
	})
	report := mustImport(t, operator, store.ImportOptions{Replace: true}, jsonl(lines...))
	close(stop)
	work.Wait()

	if report.Changed != n || report.Created != 0 {
		t.Errorf("report: %+v", report)
	}
	if mixed != 0 {
		t.Errorf("%d of %d reads saw half an import", mixed, reads)
	}
	if reads == 0 || writes == 0 {
		t.Errorf("nobody worked beside the import: %d reads, %d writes", reads, writes)
	}
	if got := contract(first) + contract(last); got != newer+newer {
		t.Errorf("after the import: %s", got)
	}
	raw := rawOpen(t, server)
	if got := queryInt(t, raw, `SELECT count(*) FROM accounts`); got != n {
		t.Errorf("%d rows are kept of %d accounts", got, n)
	}
	if got := queryInt(t, raw, `SELECT count(*) FROM payments`); got != int64(writes) {
		t.Errorf("%d payments are stored of %d issued", got, writes)
	}
}

func TestACancelledImportLeavesNothingVisibleAndTheNextClearsItUp(t *testing.T) {
	clock := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = clock.Now })
	mustPut(t, s, record("c00000"))
	ctx, cancel := context.WithCancel(context.Background())
	lines := manyLines(3000, "e9")
	_, err := s.ImportAccounts(ctx, store.ImportOptions{Progress: atPhase(store.PhaseStage, cancel)}, jsonl(lines...))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want that it was cancelled", err)
	}
	raw := rawOpen(t, s)
	if staged := queryInt(t, raw, `SELECT count(*) FROM accounts`); staged < 2 {
		t.Fatalf("nothing was staged: %d rows", staged)
	}
	if got, want := outlines(t, s), "c00000: KZT e1 e2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// It has given up, so nobody has to wait for it to be taken for dead.
	report := mustImport(t, s, store.ImportOptions{}, jsonl(line("c00000", "e1"), line("c1", "e1")))
	if report.Created != 1 || report.Changed != 1 {
		t.Errorf("report: %+v", report)
	}
	if got, want := outlines(t, s), "c00000: KZT e1 e2; c1: KZT e1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if rows := queryInt(t, raw, `SELECT count(*) FROM accounts`); rows != 2 {
		t.Errorf("%d rows are kept of two accounts", rows)
	}
}

func TestASecondImportWaitsForALiveOneAndTakesOverFromADeadOne(t *testing.T) {
	clock := newClock()
	at := func(o *store.Options) { o.Now = clock.Now }
	s := mustOpen(t, at)
	other := beside(t, s, at)
	ctx := context.Background()
	mustPut(t, s, record("c00000"))

	_, err := s.ImportAccounts(ctx, store.ImportOptions{Progress: atPhase(store.PhaseStage, func() {
		clock.Add(59 * time.Second)
		if _, err := other.ImportAccounts(ctx, store.ImportOptions{}, jsonl(line("c1", "e1"))); kindOf(err) != topup.KindConflict {
			t.Errorf("beside a live import: got %v, want a conflict", err)
		}
		clock.Add(2 * time.Second)
		mustImport(t, other, store.ImportOptions{}, jsonl(line("c1", "e1")))
	})}, jsonl(manyLines(3000, "e9")...))

	if kindOf(err) != topup.KindConflict || !strings.Contains(err.Error(), "taken this one's place") {
		t.Errorf("the import that was taken over: got %v, want a conflict", err)
	}
	if got, want := outlines(t, s), "c00000: KZT e1 e2; c1: KZT e1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	raw := rawOpen(t, s)
	if rows := queryInt(t, raw, `SELECT count(*) FROM accounts`); rows != 2 {
		t.Errorf("%d rows are kept of two accounts", rows)
	}
}

func TestAnImportThatLosesItsPlaceAtTheLastMomentShowsNothing(t *testing.T) {
	s := mustOpen(t)
	ctx := context.Background()
	file := manyLines(10, "e1")
	_, err := s.ImportAccounts(ctx, store.ImportOptions{Progress: func(p store.ImportProgress) {
		if p.Phase != store.PhaseStage || p.Done < p.Total {
			return
		}
		err := s.Raw(ctx, func(exec func(string, ...any) error) error {
			return exec(`UPDATE catalogue SET claim = claim + 1`)
		})
		if err != nil {
			t.Error(err)
		}
	}}, jsonl(file...))
	if kindOf(err) != topup.KindConflict {
		t.Errorf("got %v, want a conflict", err)
	}
	if got := outlines(t, s); got != "" {
		t.Errorf("visible: %s", got)
	}
}

func TestAPutMadeWhileAnImportStagesWins(t *testing.T) {
	s := mustOpen(t)
	server := beside(t, s)
	lines := manyLines(3000, "e9")
	mustPut(t, server, record("c00001"))
	mustPut(t, server, record("absent"))
	report := mustImport(t, s, store.ImportOptions{Replace: true, Progress: atPhase(store.PhaseStage, func() {
		mustPut(t, server, record("c00001", only("e1"))) // staged already
		mustPut(t, server, record("c02999", only("e2"))) // not yet staged
		mustPut(t, server, record("absent", only("e3")))
	})}, jsonl(lines...))
	if report.Overtaken != 1 {
		t.Errorf("report: %+v", report)
	}
	for id, want := range map[string]string{"c00000": "KZT e9", "c00001": "KZT e1 -e2", "c02999": "KZT e2", "absent": "KZT e3 -e1 -e2"} {
		if got := outline(mustAccount(t, s, id)); got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
	raw := rawOpen(t, s)
	if rows := queryInt(t, raw, `SELECT count(*) FROM accounts`); rows != 3001 {
		t.Errorf("%d rows are kept of 3001 accounts", rows)
	}
}

// onOpen calls do before a file is first read.
func onOpen(file store.ImportFile, do func()) store.ImportFile {
	open, once := file.Open, sync.Once{}
	file.Open = func() (io.ReadCloser, error) {
		once.Do(do)
		return open()
	}
	return file
}

func TestAPutMadeWhileAnImportChecksItsFileWinsWhole(t *testing.T) {
	for _, when := range []string{"before the first line", "among the lines"} {
		t.Run(when, func(t *testing.T) {
			s := mustOpen(t)
			server := beside(t, s)
			for _, id := range []string{"c00001", "absent", "closing"} {
				mustPut(t, server, record(id))
			}
			puts := func() {
				mustPut(t, server, record("c00001", only("e1"))) // it was there
				mustPut(t, server, record("c02999", only("e2"))) // it is new
				mustPut(t, server, record("absent", only("e3")))
			}
			o, file := store.ImportOptions{Replace: true}, jsonl(manyLines(3000, "e9")...)
			if when == "among the lines" {
				o.Progress = atPhase(store.PhaseCheck, puts)
			} else {
				file = onOpen(file, puts)
			}
			report := mustImport(t, s, o, file)
			report.Open, report.ContractsClosed = 0, 0 // depend on when the accounts were put
			want := store.ImportReport{Accounts: 3000, Contracts: 3000, Created: 2998, Overtaken: 2, Closed: 1}
			if report != want {
				t.Errorf("report: got %+v, want %+v", report, want)
			}
			for id, want := range map[string]string{
				"c00000": "KZT e9", "c00001": "KZT e1 -e2", "c02999": "KZT e2", "absent": "KZT e3 -e1 -e2", "closing": "-KZT -e1 -e2",
			} {
				if got := outline(mustAccount(t, s, id)); got != want {
					t.Errorf("%s: got %s, want %s", id, got, want)
				}
			}
		})
	}
}

func TestAFileThatIsRefusedLeavesTheStagingFree(t *testing.T) {
	broken := errors.New("the disk is gone")
	unreadable := jsonl()
	unreadable.Open = func() (io.ReadCloser, error) { return nil, broken }
	for name, file := range map[string]store.ImportFile{"a bad line": jsonl(`{}`), "unreadable": unreadable, "empty": jsonl()} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t)
			mustPut(t, s, record("c1"))
			if _, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, file); err == nil || kindOf(err) == topup.KindConflict {
				t.Fatalf("got %v, want that the file is refused", err)
			}
			raw := rawOpen(t, s)
			if n := queryInt(t, raw, `SELECT count(*) FROM catalogue WHERE staging IS NOT NULL`); n != 0 {
				t.Error("the staging is still claimed")
			}
			clears := func(p store.ImportProgress) {
				if p.Phase == store.PhaseClear {
					t.Error("there is something to clear up")
				}
			}
			mustImport(t, s, store.ImportOptions{Progress: clears}, jsonl(line("c1", "e1")))
			mustPut(t, s, record("c2"))
			if got, want := outlines(t, s), "c1: KZT e1 e2; c2: KZT e1 e2"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestAnImportThatChecksForMinutesKeepsItsPlace(t *testing.T) {
	clock := newClock()
	at := func(o *store.Options) { o.Now = clock.Now }
	s := mustOpen(t, at)
	other := beside(t, s, at)
	ctx := context.Background()
	refused := 0
	report := mustImport(t, s, store.ImportOptions{Progress: func(p store.ImportProgress) {
		if p.Phase != store.PhaseCheck || p.Done == p.Total {
			return
		}
		clock.Add(40 * time.Second)
		if _, err := other.ImportAccounts(ctx, store.ImportOptions{}, jsonl(line("c1", "e1"))); kindOf(err) != topup.KindConflict {
			t.Errorf("beside an import that checks: got %v, want a conflict", err)
		}
		if _, err := other.ImportAccounts(ctx, store.ImportOptions{DryRun: true}, jsonl(line("c1", "e1"))); err != nil {
			t.Errorf("a dry run beside it: %v", err)
		}
		refused++
	}}, jsonl(manyLines(5500, "e9")...))
	if report.Created != 5500 || refused != 5 {
		t.Errorf("report: %+v; refused %d imports beside it", report, refused)
	}
}

func TestAnImportThatHangsInItsCheckLosesItsPlace(t *testing.T) {
	clock := newClock()
	at := func(o *store.Options) { o.Now = clock.Now }
	s := mustOpen(t, at)
	other := beside(t, s, at)
	_, err := s.ImportAccounts(context.Background(), store.ImportOptions{Progress: atPhase(store.PhaseCheck, func() {
		clock.Add(61 * time.Second)
		mustImport(t, other, store.ImportOptions{}, jsonl(line("c1", "e1")))
	})}, jsonl(manyLines(3000, "e9")...))
	if kindOf(err) != topup.KindConflict || !strings.Contains(err.Error(), "taken this one's place") {
		t.Errorf("got %v, want a conflict", err)
	}
	if got, want := outlines(t, s), "c1: KZT e1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAPaymentIssuedMeanwhileKeepsTheCurrency(t *testing.T) {
	for name, use := range map[string]func(exec func(string, ...any) error) error{
		"a payment": nil,
		"an assignment": func(exec func(string, ...any) error) error {
			return exec(`INSERT INTO ledger_accounts (name, currency) VALUES ('customers:c1:e1', 'KZT')`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t)
			mustPut(t, s, record("c1"))
			mustPut(t, s, record("c2"))
			file := jsonl(lineIn("KGS", "c1", "e1"), lineIn("KGS", "c2", "e1"))
			_, err := s.ImportAccounts(context.Background(), store.ImportOptions{Progress: atPhase(store.PhaseStage, func() {
				if use == nil {
					mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID, n.ContractID = "c1", "e1" })
				} else if err := s.Raw(context.Background(), use); err != nil {
					t.Error(err)
				}
			})}, file)
			if kindOf(err) != topup.KindConflict {
				t.Errorf("got %v, want a conflict", err)
			}
			if got, want := outlines(t, s), "c1: KZT e1 e2; c2: KZT e1 e2"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			// Between the check of the file and its staging it is a bad line.
			_, err = s.ImportAccounts(context.Background(), store.ImportOptions{Progress: atPhase(store.PhaseCheck, func() {
				mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID, n.ContractID = "c2", "e1" })
			})}, jsonl(lineIn("KGS", "c2", "e1")))
			if got := badLines(t, err); len(got) != 1 || !strings.Contains(got[0], "line 1: currency must stay KZT") {
				t.Errorf("got %v", got)
			}
			mustImport(t, s, store.ImportOptions{}, jsonl(line("c1", "e1"), line("c2", "e1")))
		})
	}
}

func TestAFileThatChangesBetweenTheReadingsIsNotImported(t *testing.T) {
	for name, second := range map[string]string{
		"another value":   line("c1", "e2"),
		"another ending":  line("c1", "e1") + "\n",
		"another account": line("c1", "e1") + "\n" + line("c2", "e1"),
		"a bad line":      `{}`,
		"nothing":         ``,
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t)
			texts := []string{line("c1", "e1"), second}
			file := store.ImportFile{Format: store.FormatJSONL, Open: func() (io.ReadCloser, error) {
				text := texts[0]
				texts = texts[1:]
				return io.NopCloser(strings.NewReader(text)), nil
			}}
			_, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, file)
			if err == nil || !strings.Contains(err.Error(), "the file changed while it was being imported") {
				t.Errorf("got %v", err)
			}
			if got := outlines(t, s); got != "" {
				t.Errorf("imported: %s", got)
			}
		})
	}
}

func TestAFileThatCannotBeReadChangesNothing(t *testing.T) {
	s := mustOpen(t)
	broken := errors.New("the disk is gone")
	for _, format := range []store.Format{store.FormatJSONL, store.FormatCSV} {
		for name, open := range map[string]func() (io.ReadCloser, error){
			"open": func() (io.ReadCloser, error) { return nil, broken },
			"read": func() (io.ReadCloser, error) {
				good := "customer_id,additional_customer_id,currency,entity_id,number\nc1,A,KZT,e1,n\n"
				if format == store.FormatJSONL {
					good = line("c1", "e1") + "\n"
				}
				return io.NopCloser(io.MultiReader(strings.NewReader(good), failingReader{broken})), nil
			},
		} {
			_, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, store.ImportFile{Format: format, Open: open})
			if !errors.Is(err, broken) {
				t.Errorf("%s, %s: got %v", format, name, err)
			}
		}
	}
	if _, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, inMemory("xml", []string{"<a/>"})); err == nil {
		t.Error("a format that is unknown was imported")
	}
	if got := outlines(t, s); got != "" {
		t.Errorf("imported: %s", got)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestAFailureWhileStagingLeavesNothingVisible(t *testing.T) {
	s := mustOpen(t)
	mustPut(t, s, record("c1"))
	ctx := context.Background()
	raise := func(exec func(string, ...any) error) error {
		for _, query := range failing("INSERT", "accounts", "NEW.customer_id = 'c00500'", "no space") {
			if err := exec(query); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.Raw(ctx, raise); err != nil {
		t.Fatal(err)
	}
	_, err := s.ImportAccounts(ctx, store.ImportOptions{}, jsonl(manyLines(1000, "e1")...))
	if err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v", err)
	}
	if got, want := outlines(t, s), "c1: KZT e1 e2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatAnImportCouldNotSweepTheNextOneDoes(t *testing.T) {
	s := mustOpen(t)
	mustImport(t, s, store.ImportOptions{}, jsonl(manyLines(2000, "e1")...))
	ctx, cancel := context.WithCancel(context.Background())
	report, err := s.ImportAccounts(ctx, store.ImportOptions{Progress: atPhase(store.PhaseSweep, cancel)}, jsonl(manyLines(2000, "e2")...))
	if err != nil || !errors.Is(report.Leftover, context.Canceled) {
		t.Fatalf("got %v, %v: the import is made, and says that something is left", report.Leftover, err)
	}
	if got, want := outline(mustAccount(t, s, "c01999")), "KZT e2 e1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	raw := rawOpen(t, s)
	if rows := queryInt(t, raw, `SELECT count(*) FROM accounts`); rows <= 2000 {
		t.Fatalf("nothing is left to sweep: %d rows", rows)
	}
	mustImport(t, s, store.ImportOptions{}, jsonl(line("c1", "e1")))
	if rows := queryInt(t, raw, `SELECT count(*) FROM accounts`); rows != 2001 {
		t.Errorf("%d rows are kept of 2001 accounts", rows)
	}
}

func TestAnImportWithAnotherNormaliserIsRefused(t *testing.T) {
	s := mustOpen(t)
	other := beside(t, s, func(o *store.Options) { o.Normalize = topup.NormalizeKZPhone })
	if _, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, jsonl(line("c1", "e1"))); kindOf(err) != topup.KindConflict {
		t.Errorf("got %v, want a conflict", err)
	}
	mustImport(t, other, store.ImportOptions{}, jsonl(line("87071234567", "e1")))
	if got, want := outlines(t, other), "7071234567: KZT e1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCSVAndJSONLinesSayTheSame(t *testing.T) {
	lines := []string{
		`{"customer_id":"c1","additional_customer_id":"A;1","currency":"KZT","entities":[{"id":"e1","number":"1234_ABC/01, \"x\"","payment":150000,"min_payment":100000,"info":{"z":1.50,"a":{"n":[1,2]}}},{"id":"e2","number":"n"}]}`,
		`{"customer_id":"c2","additional_customer_id":"Ә","currency":"KGS","entities":[{"id":"e1","number":"n","min_payment":0}]}`,
	}
	rows := []string{
		`info,number,entity_id,currency,customer_id,additional_customer_id,min_payment,payment`,
		`"{ ""z"": 1.50,` + "\n" + ` ""a"": {""n"": [1, 2]} }","1234_ABC/01, ""x""",e1,KZT,c1,A;1,100000,150000`,
		`,n,e2,KZT,c1,A;1,,`,
		``,
		`,n,e1,KGS,c2,Ә,0,`,
	}
	var got []string
	for _, file := range []store.ImportFile{jsonl(lines...), csvFile(rows...)} {
		s := mustOpen(t)
		mustImport(t, s, store.ImportOptions{}, file)
		raw := rawOpen(t, s)
		var all string
		err := raw.QueryRow(`SELECT string_agg(customer_id || additional_customer_id || currency || closed || entities || coalesce(offered, 'all'), ', ') FROM accounts`).Scan(&all)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, all)
	}
	if got[0] != got[1] {
		t.Errorf("JSON lines:\n%s\nCSV:\n%s", got[0], got[1])
	}
}

func TestABadCSVFileNamesEveryBadLine(t *testing.T) {
	t.Parallel()
	const header = "customer_id,additional_customer_id,currency,entity_id,number,payment,min_payment,info"
	for name, test := range map[string]struct {
		rows []string
		want []string
	}{
		"values": {
			[]string{header, "c1,A,KZT,e1,n,1e5,01,[]", "c1,A,KZT,e2,n,,+1,{", "c1,A,KZT,e3,n,-1,,"},
			[]string{
				"line 2: payment must be an integer number of minor units, without fraction or exponent",
				"line 2: min_payment must be an integer number of minor units, without fraction or exponent",
				"line 2: info must be a JSON object, without duplicate names",
				"line 3: min_payment must be an integer number of minor units, without fraction or exponent",
				"line 3: info must be a JSON object, without duplicate names",
				"line 4: payment must be between 0 and 10000000000000 minor units",
			},
		},
		"rules at the contract's row": {
			[]string{header, "c1,A,KZT,e1,n,,,", "c1,A,KZT,e1,,,,", "c1,A,KZT,e 3,n,-1,,", "c 2,A,XXX,e1,n,,,"},
			[]string{
				"line 3: entity_id must be unique within the account",
				"line 3: number must not be empty",
				"line 4: entity_id must contain only visible characters, without white space, ';' or ':'",
				"line 4: payment must be between 0 and 10000000000000 minor units",
				"line 5: customer_id must contain only visible characters, without white space, ';' or ':'",
			},
		},
		"rows of a customer differ": {
			[]string{header, "c1,A,KZT,e1,n,,,", "c1,B,KZT,e2,n,,,", "c1,A,KGS,e3,n,,,"},
			[]string{
				"line 3: additional_customer_id must be the same in all rows of a customer",
				"line 4: currency must be the same in all rows of a customer",
			},
		},
		"a customer appears again": {
			[]string{header, "c1,A,KZT,e1,n,,,", "c2,A,KZT,e1,n,,,", "c1,A,KZT,e2,n,,,", "c1,A,KZT,e3,,,,"},
			[]string{
				"line 4: customer_id is that of line 2 already",
				"line 5: number must not be empty",
				"line 5: customer_id is that of line 2 already",
			},
		},
		"other rows of a customer with a bad field": {
			[]string{header, "k1,A,KZT,e1,N1,x,,", "k1,A,KZT,e2,,,,", "k1,A,KZT,,N,,,", "k2,A,KZT,e1,N,,,"},
			[]string{
				"line 2: payment must be an integer number of minor units, without fraction or exponent",
				"line 3: number must not be empty",
				"line 4: entity_id must not be empty",
			},
		},
		"what is the customer's, in every row": {
			[]string{header, ",A,XXX,e1,n,,,", ",A,XXX,e2,n,,,", "c2,,KZT,e1,n,,,", "c2,,KZT,e2,n,,,"},
			[]string{
				"line 2: currency must be an ISO 4217 code such as KZT",
				"line 2: customer_id must not be empty",
				"line 3: currency must be an ISO 4217 code such as KZT",
				"line 3: customer_id must not be empty",
				"line 4: additional_customer_id must not be empty",
				"line 5: additional_customer_id must not be empty",
			},
		},
		"a row before a ragged one": {
			[]string{header, ",A,KZT,e,N,,,", "k5,A,KZT,e"},
			[]string{"line 2: customer_id must not be empty", "line 3: must have as many fields as the header"},
		},
		"rows around ragged ones": {
			[]string{header, "k1,A,KZT", "k1,A,KZT,e1,,,,", "k1,A", "k1,A,KZT,e1,n,,,", "k2,A,KZT,e1,n,,,,"},
			[]string{
				"line 2: must have as many fields as the header",
				"line 3: number must not be empty",
				"line 4: must have as many fields as the header",
				"line 5: entity_id must be unique within the account",
				"line 6: must have as many fields as the header",
			},
		},
		"rows after a quote that another closes": {
			[]string{header, `c1,A,KZT,e1,"n,,,`, "c2,A,KZT,,n,,,", `c3,A,KZT,e1,n","",,`, "c4,A,KZT,e1,,,,"},
			[]string{
				"line 2: has a line break in a field that is no JSON object: is a quote never closed?",
				"line 3: entity_id must not be empty",
				"line 4: has a quote in the wrong place: quote the whole field and double the quotes in it",
				"line 5: number must not be empty",
			},
		},
		"rows after a quote that is stuck in the next": {
			[]string{header, `c1,A,KZT,e1,n,,,"{`, "c2,A,KZT,,n,,,", `c3,A,KZT,e1,"n",,,`, "c4,A,KZT,e1,,,,"},
			[]string{
				"line 2: has a quote in the wrong place: quote the whole field and double the quotes in it",
				"line 3: entity_id must not be empty",
				"line 5: number must not be empty",
			},
		},
		"a line that is too long": {
			[]string{header, "c1,A,KZT,e1," + strings.Repeat(`"`, 2<<20) + "1,,,", "c2,A,KZT,e1,,,,", `c3,A,KZT,e1,"`, strings.Repeat("n", 2<<20) + ",,,", "c4,A,KZT,,n,,,"},
			[]string{
				"line 2: a row must be at most 1048576 bytes long; is a quote never closed?",
				"line 3: number must not be empty",
				"line 4: a row must be at most 1048576 bytes long; is a quote never closed?",
				"line 5: a row must be at most 1048576 bytes long; is a quote never closed?",
				"line 6: entity_id must not be empty",
			},
		},
		"lines after an info of several": {
			[]string{header, `c1,A,KZT,e1,n,,,"{`, `""a"": 1`, "", `}"`, "c2,A,KZT,e1,,,,", "", "c3,A,KZT,,n,,,"},
			[]string{"line 6: number must not be empty", "line 8: entity_id must not be empty"},
		},
		"broken rows among good ones": {
			[]string{header, "x,y", "c1,A,KZT,e1,n,,,", `c1,A,"KZT"x,e2,n,,,`, "c1,A,KZT,e3,n,,,", "c1,A,KZT", "c1,A,KZT,e4,n,,,"},
			[]string{
				"line 2: must have as many fields as the header",
				"line 4: has a quote in the wrong place: quote the whole field and double the quotes in it",
				"line 6: must have as many fields as the header",
			},
		},
		"a quote never closed": {
			[]string{header, "c1,A,KZT,e1,n,,,", `c2,A,KZT,e1,"n,,,`, goodRows(100_000), "c3,A,KZT,,n,,,"},
			[]string{
				"line 3: a row must be at most 1048576 bytes long; is a quote never closed?",
				"line 100004: entity_id must not be empty",
			},
		},
		"many quotes never closed": {
			[]string{header, strings.Repeat(`c2,A,KZT,e1,"n,,,`+"\n", 500)},
			slices.Repeat([]string{"has a quote in the wrong place: quote the whole field and double the quotes in it"}, 500),
		},
		"a row without end at the end": {
			[]string{header, "c1,A,KZT,e1,n,,,", `c2,A,KZT,e1,"n,,,`},
			[]string{"line 3: has a quote in the wrong place: quote the whole field and double the quotes in it"},
		},
		"nothing":                {nil, []string{"line 1: the header is missing"}},
		"unknown column":         {[]string{header + ",debt"}, []string{"line 1: column 9 is none of " + header + ",closed,entity_closed"}},
		"column twice":           {[]string{header + ",info"}, []string{"line 1: column info appears twice"}},
		"column missing":         {[]string{"customer_id,additional_customer_id,currency,number"}, []string{"line 1: column entity_id is missing"}},
		"other separators":       {[]string{strings.ReplaceAll(header, ",", "~")}, []string{"line 1: is no header whose columns are separated by commas, semicolons or tabs"}},
		"sep= of none":           {[]string{"sep=~", header}, []string{"line 1: sep= must name a comma, a semicolon, a tab or a vertical bar"}},
		"a value without a name": {[]string{header + ",,", "c1,A,KZT,e1,n,,,,x,", "c2,A,KZT,e1,n,,,,,"}, []string{"line 2: has a value behind column 8, where the header has no name"}},
		"neither true nor false": {[]string{header + ",entity_closed", "c1,A,KZT,e1,n,,,,maybe"}, []string{"line 2: entity_closed must be true, false or empty"}},
		"closed and not":         {[]string{header + ",closed", "c1,A,KZT,e1,n,,,,true", "c1,A,KZT,e2,n,,,,"}, []string{"line 3: closed must be the same in all rows of a customer"}},
		"windows-1251":           {[]string{header, "c1,A,KZT,e1,\xc4\xee\xe3\xee\xe2\xee\xf0,,,", "c2,A,KZT,e1,n,,,"}, []string{`line 2: is not UTF-8 but, as it seems, windows-1251: save the file as "CSV UTF-8"`}},
		"destroyed ids": {
			[]string{header, "9.96555E+11,A,KZT,e1,n,,,", "9.96555E+11,A,KZT,e2,n,,,", "7071234569.0,A,KZT,e1,n,,,", "c1\u3164,A,KZT,e1,n,,,", "c2,A,KZT,#N/A,n,,,", "c3,A,KZT,e1,#REF!,,,"},
			[]string{
				"line 2: customer_id is a number in scientific notation, of which a spreadsheet has dropped digits; export the column as text",
				"line 3: customer_id is a number in scientific notation, of which a spreadsheet has dropped digits; export the column as text",
				"line 4: customer_id is a number with a decimal fraction, as spreadsheets write long ids; export the column as text",
				"line 5: customer_id must contain only visible characters, without white space, ';' or ':'; U+3164 is none",
				"line 6: entity_id is a spreadsheet's error value, not an id; mend the formula and export again",
				"line 7: number is a spreadsheet's error value, not an id; mend the formula and export again",
			},
		},
		"a currency that has ended": {[]string{header, "c1,A,HRK,e1,n,,,", "c2,A,XAU,e1,n,,,"}, []string{
			"line 2: currency must be a currency of today's ISO 4217 list; HRK is none",
			"line 3: currency must be a currency of today's ISO 4217 list; XAU is none",
		}},
		"a quoted header": {[]string{`"customer_id`}, []string{"line 1: has a quote in the wrong place: quote the whole field and double the quotes in it"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t)
			_, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, csvFile(test.rows...))
			got := badLines(t, err)
			if name == "many quotes never closed" {
				for i, l := range got {
					got[i] = strings.TrimPrefix(l, fmt.Sprintf("line %d: ", i+2))
				}
			}
			if name == "rules at the contract's row" {
				got = slices.DeleteFunc(got, func(l string) bool { return strings.HasPrefix(l, "line 5: currency") })
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// goodRows are n rows of CSV, each of another customer.
func goodRows(n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("good%d,A,KZT,e1,n,,,", i)
	}
	return strings.Join(rows, "\n")
}

func TestTheCurrencyOfACustomerWithPaymentsIsReportedBesideOtherProblems(t *testing.T) {
	s := mustOpen(t)
	mustPut(t, s, record("paid"))
	mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID, n.ContractID = "paid", "e1" })
	_, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, csvFile(
		"customer_id,additional_customer_id,currency,entity_id,number", "paid,A,KGS,e1,n", "paid,A,KGS,e2,", "paid,A", "c2,A,KZT,e1,"))
	want := []string{
		"line 2: currency must stay KZT: the account has payments in it",
		"line 3: number must not be empty",
		"line 3: currency must stay KZT: the account has payments in it",
		"line 4: must have as many fields as the header",
		"line 5: number must not be empty",
	}
	if got := badLines(t, err); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCustomerIDsOfCSVRowsAreNormalisedBeforeTheyAreChecked(t *testing.T) {
	s := mustOpen(t, func(o *store.Options) { o.Normalize = topup.NormalizeKZPhone })
	mustImport(t, s, store.ImportOptions{}, csvFile("customer_id,additional_customer_id,currency,entity_id,number",
		"+7 707 123-45-67,A,KZT,e1,n", "+7 707 123-45-67,A,KZT,e2,n"))
	if got, want := outlines(t, s), "7071234567: KZT e1 e2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRowsOfOneCustomerAreBounded(t *testing.T) {
	s := mustOpen(t)
	rows := []string{"customer_id,additional_customer_id,currency,entity_id,number"}
	for i := range topup.MaxContracts + 1 {
		rows = append(rows, fmt.Sprintf("c1,A,KZT,e%d,n", i))
	}
	_, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, csvFile(rows...))
	if got, want := badLines(t, err), []string{"line 1002: a customer must have at most 1000 rows"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	mustImport(t, s, store.ImportOptions{}, csvFile(rows[:len(rows)-1]...))

	// A row too many is checked as any other.
	_, err = s.ImportAccounts(context.Background(), store.ImportOptions{}, csvFile(append(slices.Clone(rows), "c1,A,KZT,e,")...))
	want := []string{"line 1002: a customer must have at most 1000 rows", "line 1003: a customer must have at most 1000 rows", "line 1003: number must not be empty"}
	if got := badLines(t, err); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	// What is reported of one customer is bounded as well.
	_, err = s.ImportAccounts(context.Background(), store.ImportOptions{}, csvFile(append(rows, slices.Repeat([]string{"c1"}, 1500)...)...))
	bad := (*store.RecordErrors)(nil)
	if !errors.As(err, &bad) || len(bad.Lines) != 1000 || bad.More != 501 {
		t.Errorf("got %v", err)
	}
}

func TestAnImportFileIsKnownByItsName(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "accounts.CSV")
	if err := os.WriteFile(path, []byte("customer_id,additional_customer_id,currency,entity_id,number\nc1,A,KZT,e1,n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "folder.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := store.OpenImportFile(path)
	if err != nil || file.Format != store.FormatCSV || file.Size == 0 {
		t.Fatalf("got %+v, %v", file, err)
	}
	s := mustOpen(t)
	mustImport(t, s, store.ImportOptions{}, file)
	for _, bad := range []string{"accounts.txt", "missing.jsonl", "folder.csv"} {
		if _, err := store.OpenImportFile(filepath.Join(folder, bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestProgressTellsThePhasesInOrder(t *testing.T) {
	s := mustOpen(t)
	mustImport(t, s, store.ImportOptions{}, jsonl(manyLines(2500, "e1")...))
	var phases []store.ImportPhase
	var last store.ImportProgress
	mustImport(t, s, store.ImportOptions{Progress: func(p store.ImportProgress) {
		if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
			phases = append(phases, p.Phase)
		} else if p.Done < last.Done {
			t.Errorf("progress went back: %+v after %+v", p, last)
		}
		if p.Total > 0 && p.Done > p.Total {
			t.Errorf("progress past its end: %+v", p)
		}
		last = p
	}}, jsonl(manyLines(2500, "e2")...))
	if want := []store.ImportPhase{store.PhaseCheck, store.PhaseStage, store.PhaseSweep}; !slices.Equal(phases, want) {
		t.Errorf("got %v, want %v", phases, want)
	}
	if last.Done != 2500 {
		t.Errorf("swept %d records, want 2500", last.Done)
	}
}

// FuzzCSV imports whatever it is given: the reader must neither panic nor
// accept what is not a record, and what was imported must be readable.
func FuzzCSV(f *testing.F) {
	f.Add("customer_id,additional_customer_id,currency,entity_id,number,payment,min_payment,info\nc1,A,KZT,e1,n,1,2,{}\nc1,A,KZT,e2,n,,,\n")
	f.Add("\ufeffnumber,entity_id,currency,additional_customer_id,customer_id\r\n\"n\n\",e1,KZT,A,c1\r\n")
	f.Add("customer_id;currency\n")
	f.Add("sep=;\rCustomer_ID;additional_customer_id;currency;entity_id;number;;\r;;;;;;\rc1;A;KZT;e1;n;;\r")
	f.Add("\xff\xfec\x00u\x00")
	f.Add("customer_id,additional_customer_id,currency,entity_id,number\nc1,A,KZT,e1,\"n")
	s := mustOpen(f)
	f.Fuzz(func(t *testing.T, text string) {
		report, err := s.ImportAccounts(context.Background(), store.ImportOptions{DryRun: true}, csvFile(text))
		if err != nil {
			if bad := (*store.RecordErrors)(nil); errors.As(err, &bad) && (len(bad.Lines) == 0 || bad.Lines[0].Line < 1 || bad.Lines[0].Line > strings.Count(text, "\n")+strings.Count(text, "\r")+1) {
				t.Errorf("a problem without its line: %v", err)
			}
			return
		}
		if report.Accounts < 1 || report.Contracts < report.Accounts {
			t.Errorf("accepted: %+v", report)
		}
	})
}
