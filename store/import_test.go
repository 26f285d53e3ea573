package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/accountfile"
	"tolem/store"
	"tolem/topup"
)

// jsonl is a file of JSON lines that is held in memory.
func jsonl(lines ...string) accountfile.File { return inMemory(accountfile.JSONLines, lines) }

// csvFile is a CSV file that is held in memory.
func csvFile(lines ...string) accountfile.File { return inMemory(accountfile.CSV, lines) }

func inMemory(format accountfile.Format, lines []string) accountfile.File {
	text := strings.Join(lines, "\n")
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	return accountfile.File{Format: format, Open: open, Size: int64(len(text))}
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

func mustImport(t testing.TB, s *store.Store, o store.ImportOptions, file accountfile.File) store.ImportReport {
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
	bad := (*accountfile.LineErrors)(nil)
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want the lines that are wrong", err)
	}
	var lines []string
	for _, l := range bad.Lines {
		lines = append(lines, l.Error())
	}
	return lines
}

func TestImportLeavesWhatIsAbsentAsItWas(t *testing.T) {
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

func TestImportWithReplaceClosesWhatIsAbsent(t *testing.T) {
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

func TestImportAsADryRunChangesNothing(t *testing.T) {
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

func TestImportOfABadFileChangesNothingAndNamesEveryBadLine(t *testing.T) {
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

func TestImportRefusesAFileWithoutRecords(t *testing.T) {
	s := mustOpen(t)
	mustPut(t, s, record("c1"))
	for name, file := range map[string]accountfile.File{
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

func TestImportShowsReadersOnlyTheOldOrTheNewAccounts(t *testing.T) {
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

func TestImportThatIsCancelledLeavesNothingVisibleAndTheNextClearsItUp(t *testing.T) {
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

func TestImportIsRefusedBesideALiveOneAndTakesOverFromADeadOne(t *testing.T) {
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

func TestImportThatLosesItsLeaseAtTheLastMomentShowsNothing(t *testing.T) {
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

func TestImportLosesToAPutMadeWhileItStages(t *testing.T) {
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
func onOpen(file accountfile.File, do func()) accountfile.File {
	open, once := file.Open, sync.Once{}
	file.Open = func() (io.ReadCloser, error) {
		once.Do(do)
		return open()
	}
	return file
}

func TestImportLosesWhollyToAPutMadeWhileItChecksItsFile(t *testing.T) {
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

func TestImportThatIsRefusedLeavesTheStagingFree(t *testing.T) {
	broken := errors.New("the disk is gone")
	unreadable := jsonl()
	unreadable.Open = func() (io.ReadCloser, error) { return nil, broken }
	for name, file := range map[string]accountfile.File{"a bad line": jsonl(`{}`), "unreadable": unreadable, "empty": jsonl()} {
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

func TestImportThatChecksForMinutesKeepsItsLease(t *testing.T) {
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

func TestImportThatHangsInItsCheckLosesItsLease(t *testing.T) {
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

func TestImportKeepsTheCurrencyOfAPaymentIssuedMeanwhile(t *testing.T) {
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

func TestImportRefusesAFileThatChangesBetweenTheReadings(t *testing.T) {
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
			file := accountfile.File{Format: accountfile.JSONLines, Open: func() (io.ReadCloser, error) {
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

func TestImportOfAFileThatCannotBeReadChangesNothing(t *testing.T) {
	s := mustOpen(t)
	broken := errors.New("the disk is gone")
	for _, format := range []accountfile.Format{accountfile.JSONLines, accountfile.CSV} {
		for name, open := range map[string]func() (io.ReadCloser, error){
			"open": func() (io.ReadCloser, error) { return nil, broken },
			"read": func() (io.ReadCloser, error) {
				good := "customer_id,additional_customer_id,currency,entity_id,number\nc1,A,KZT,e1,n\n"
				if format == accountfile.JSONLines {
					good = line("c1", "e1") + "\n"
				}
				return io.NopCloser(io.MultiReader(strings.NewReader(good), failingReader{broken})), nil
			},
		} {
			_, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, accountfile.File{Format: format, Open: open})
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

func TestImportThatFailsWhileStagingLeavesNothingVisible(t *testing.T) {
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

func TestImportSweepsWhatTheOneBeforeCouldNot(t *testing.T) {
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

func TestImportWithAnotherNormaliserIsRefused(t *testing.T) {
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

func TestImportReportsTheCurrencyOfACustomerWithPaymentsBesideOtherProblems(t *testing.T) {
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

func TestImportRefusesACurrencyThatHasEndedForANewAccount(t *testing.T) {
	s := mustOpen(t)
	_, err := s.ImportAccounts(context.Background(), store.ImportOptions{}, csvFile(
		"customer_id,additional_customer_id,currency,entity_id,number", "c1,A,HRK,e1,n", "c2,A,XAU,e1,n"))
	want := []string{
		"line 2: currency must be a currency of today's ISO 4217 list; HRK is none",
		"line 3: currency must be a currency of today's ISO 4217 list; XAU is none",
	}
	if got := badLines(t, err); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestImportReportsItsPhasesInOrder(t *testing.T) {
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
