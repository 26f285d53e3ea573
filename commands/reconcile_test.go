package commands_test

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"tolem/platform"
	"tolem/reconcile"
	"tolem/reconcile/planted"
	"tolem/signing"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
)

// plant fills the shop's books with payments, and returns the report and its map.
func (s *shop) plant(t testing.TB, n int) (report, how string) {
	t.Helper()
	s.must(t, "migrate")
	db := storetest.Open(t, s.database)
	if _, err := db.Exec("BEGIN"); err != nil {
		t.Fatal(err)
	}
	err := planted.Fill(func(statement string) error {
		_, err := db.Exec(statement)
		return err
	}, "1234", n)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(s.dir, "report.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if err := planted.Report(file, n); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Name(), testkit.WriteFile(t, s.dir, "map.yaml", planted.Map)
}

// TestReconcile/EveryKindIsFoundAndNoOther plants every kind of difference; with
// TOLEM_TEST_LONG=1, as in make test-all, among a million payments.
func TestReconcile(t *testing.T) {
	t.Run("EveryKindIsFoundAndNoOther", func(t *testing.T) {
		n := 5_000
		if os.Getenv("TOLEM_TEST_LONG") == "1" {
			n = 1_000_000
		}
		s := newShop(t, "timezone: UTC") // as the report's, so that its day is that of the books
		report, how := s.plant(t, n)
		out := filepath.Join(s.dir, "differences.csv")
		got := s.tolem(t, "reconcile", report, "--map", how, "--project", "1234", "--from", planted.Day, "--to", planted.Day, "--out", out)
		if got.code != 1 {
			t.Fatalf("got %+v, want exit code 1", got)
		}
		lines := strings.Split(strings.TrimSpace(got.out), "\n")
		if last, want := lines[len(lines)-1], planted.Want(n).String(); last != want {
			t.Errorf("last line:\n got %s\nwant %s", last, want)
		}
		file, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		records, err := csv.NewReader(file).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want := planted.Differences(n)
		for _, r := range records[1:] {
			kind, payment := reconcile.Kind(r[0]), r[2]
			if want[payment] != kind {
				t.Errorf("%s of payment %s was not planted", kind, payment)
			}
			delete(want, payment)
		}
		for payment, kind := range want {
			t.Errorf("%s of payment %s was not found", kind, payment)
		}
	})
}

// small is a report of a few lines.
func (s *shop) report(t testing.TB, lines ...string) (report, how string) {
	t.Helper()
	const header = "Payment ID,Operation ID,Operation type,Status,Amount,Currency,Fee,Completed at\n"
	return testkit.WriteFile(t, s.dir, "report.csv", header+strings.Join(lines, "\n")+"\n"), testkit.WriteFile(t, s.dir, "map.yaml", planted.Map)
}

func TestReconcileSaysWhatToDo(t *testing.T) {
	s := newShop(t)
	s.must(t, "migrate")
	r := s.serve(t)
	r.end(t)
	report, how := s.report(t,
		"payment_47,5001,sale,success,100.00,KZT,,"+planted.Day+" 10:00:00",
		"nobody,5002,sale,success,7.00,KZT,,"+planted.Day+" 10:00:00",
		"nobody,5003,capture,success,7.00,KZT,,"+planted.Day+" 10:00:00",
		"Total,,,,7.00,KZT,,")
	got := s.tolem(t, "reconcile", report, "--map", how)
	if got.code != 1 {
		t.Fatalf("got %+v, want exit code 1", got)
	}
	contains(t, "text", got.out, "payments credit payment_47", "payments record --operation 5002", "report.csv line 3", "1 line not compared: the map does not list the type capture",
		"0 matched, 1 missing here, 0 missing there, 0 amount differs, 0 currency differs, 1 status differs, 0 refund missing here, 0 refund missing there, 0 duplicated there\n")
	found := decode[struct {
		Counts      map[string]int
		Differences []struct {
			Kind  string
			There struct {
				Line   int
				Amount int64
			}
			Here struct{ Status string }
		}
	}](t, s.tolem(t, "reconcile", report, "--map", how, "--json").out)
	if len(found.Differences) != 2 || found.Counts["status_differs"] != 1 || found.Differences[0].Here.Status != "pending" || found.Differences[1].There.Amount != 700 {
		t.Errorf("--json: got %+v", found)
	}
	book := filepath.Join(s.dir, "differences.xlsx")
	if got := s.tolem(t, "reconcile", report, "--map", how, "--out", book); got.code != 1 || !strings.HasPrefix(got.out, "1 line not compared") {
		t.Errorf("--out: got %+v", got)
	}
	opened, err := excelize.OpenFile(book)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	cells, err := opened.GetRows("differences", excelize.Options{RawCellValue: true})
	if err != nil || len(cells) != 3 || cells[1][0] != "status_differs" || cells[1][4] != "5001" || cells[1][6] != "100" {
		t.Errorf("--out: got %q, %v", cells, err)
	}
	if kind, err := opened.GetCellType("differences", "E2"); err != nil || kind != excelize.CellTypeInlineString && kind != excelize.CellTypeSharedString {
		t.Errorf("an operation is of type %v, %v, want a text", kind, err)
	}
	s.must(t, "payments", "credit", "payment_47", "--reason", "in the report")
	report, how = s.report(t, "payment_47,5001,sale,success,100.00,KZT,,"+planted.Day+" 10:00:00")
	if got := s.must(t, "reconcile", report, "--map", how); !strings.HasSuffix(got, "1 matched, 0 missing here, 0 missing there, 0 amount differs, 0 currency differs, 0 status differs, 0 refund missing here, 0 refund missing there, 0 duplicated there\n") {
		t.Errorf("after the credit: got %s", got)
	}
}

// TestReconcileOfHighHelp: its payments are known by the merchant's own ids.
func TestReconcileOfHighHelp(t *testing.T) {
	s := newShop(t)
	s.must(t, "migrate")
	s.serve(t).end(t)
	report, how := s.report(t, "KZT-VISA-123456,hh-1,sale,success,30.00,KZT,,"+planted.Day+" 10:00:00")
	got := s.tolem(t, "reconcile", report, "--map", how, "--provider", "highhelp")
	if got.code != 1 || !strings.Contains(got.out, "1 status differs") || !strings.Contains(got.out, "serve asks the platform") {
		t.Errorf("got %+v", got)
	}
	s.must(t, "payments", "credit", "KZT-VISA-123456", "--reason", "in the report")
	if got := s.tolem(t, "reconcile", report, "--map", how, "--provider", "highhelp"); got.code != 0 || summaryOf(got.out) != "1 matched"+nothingElse {
		t.Errorf("after the credit: got %+v", got)
	}
}

func TestReconcileGivesNoVerdict(t *testing.T) {
	s := newShop(t)
	s.must(t, "migrate")
	r := s.serve(t)
	r.end(t)
	at := ",KZT,," + planted.Day + " 10:00:00"
	for name, test := range map[string]struct {
		lines []string
		args  []string
		want  []string
	}{
		"bad lines":               {[]string{"p,1,sale,success,1.234" + at, "p,2,sale", "p,3,sale,success,x" + at}, nil, []string{"line 2: Amount has more digits", "line 3: has 3 fields", "line 4: Amount is no amount"}},
		"the same with another":   {[]string{"p,1,sale,success,1.00" + at, "p,1,sale,success,2.00" + at}, nil, []string{"report.csv line 3: operation 1 is there with other content than report.csv line 2"}},
		"other units":             {[]string{"payment_47,1,sale,success,10000.00" + at}, nil, []string{"every sum in the report is a hundred times"}},
		"a map that is not there": {nil, []string{"--map", "nothing"}, []string{"none of the maps that tolem has: halyk-terminal"}},
		"no times":                {[]string{"p,1,sale,success,1.00,KZT,,"}, nil, []string{"the report has no times: give --from and --to"}},
		"--out without an ending": {nil, []string{"--out", "differences"}, []string{"--out must end in .csv or .xlsx"}},
		"another project":         {nil, []string{"--project", "4321"}, []string{"project 4321 of jetpay is not configured"}},
		"days in wrong order":     {nil, []string{"--from", "2026-11-30", "--to", "2026-11-29"}, []string{"--from must not be after --to"}},
	} {
		t.Run(name, func(t *testing.T) {
			report, how := s.report(t, test.lines...)
			out := filepath.Join(s.dir, "differences.csv")
			args := append([]string{"reconcile", report, "--map", how, "--out", out}, test.args...)
			got := s.tolem(t, args...)
			if _, err := os.Stat(out); err == nil {
				t.Error("something was written")
			}
			if got.code != 2 || got.out != "" {
				t.Errorf("got %+v, want exit code 2 and no output", got)
			}
			contains(t, "standard error", got.err, test.want...)
		})
	}
}

// summaryOf is the summary of a comparison.
func summaryOf(out string) string {
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	return lines[len(lines)-1]
}

const nothingElse = ", 0 missing here, 0 missing there, 0 amount differs, 0 currency differs, 0 status differs, 0 refund missing here, 0 refund missing there, 0 duplicated there"

func TestReconcileApply(t *testing.T) {
	const ours = "payment_47,5001,sale,success,100.00,KZT,," + planted.Day + " 10:00:00"
	prepare := func(t *testing.T, lines ...string) *shop {
		s := newShop(t, lines...)
		s.must(t, "migrate")
		s.serve(t).end(t) // with the demo data
		return s
	}
	apply := func(s *shop, t *testing.T, lines ...string) result {
		report, how := s.report(t, lines...)
		return s.tolem(t, "reconcile", report, "--map", how, "--apply", "--reason", "report of 29 November", "--actor", "ayan")
	}
	t.Run("CreditsOnceAndSaysWhy", func(t *testing.T) {
		s := prepare(t)
		got := apply(s, t, ours)
		if got.code != 0 || summaryOf(got.out) != "1 matched"+nothingElse {
			t.Fatalf("got %+v, want exit code 0 and 1 matched", got)
		}
		contains(t, "output", got.out, "to be credited: 1 payment, 100.00 KZT\n", "credited: 1 payment\n")
		shown := s.must(t, "payments", "show", "payment_47", "--json")
		contains(t, "payments show", shown, `"status": "succeeded"`, "report of 29 November; report.csv, SHA-256 ", ", line 2", `"5001"`, "2026-11-29T10:00:00Z")
		again := apply(s, t, ours)
		if again.code != 0 || !strings.Contains(again.out, "to be credited: 0 payments\n") {
			t.Errorf("a second run: got %+v, want nothing to credit", again)
		}
		s.must(t, "ledger", "check")
	})
	t.Run("ALateCallbackPostsNothing", func(t *testing.T) {
		s := prepare(t)
		apply(s, t, ours)
		r := s.serve(t)
		late := platform.NewCallback(platform.OutcomeSuccess, "payment_47", 5001, topup.Money{Amount: 10000, Currency: "KZT"}, time.Date(2026, 11, 29, 10, 0, 1, 0, time.UTC))
		key, err := signing.NewKey("demo-secret")
		if err != nil {
			t.Fatal(err)
		}
		body, err := platform.Project{ID: 1234, Key: key}.Callback(late)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.Post(r.public+"/jetpay", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("got HTTP %d, %v", answer.StatusCode, err)
		}
		r.end(t)
		if got := strings.Count(s.must(t, "ledger", "export", "--format", "jsonl"), "transaction_id"); got != 1 {
			t.Errorf("got %d transactions, want the credit alone", got)
		}
		s.must(t, "ledger", "check")
	})
	for name, lines := range map[string][]string{
		"another sum":                    {"payment_47,5001,sale,success,100.01,KZT,," + planted.Day + " 10:00:00"},
		"another currency":               {"payment_47,5001,sale,success,100.00,KGS,," + planted.Day + " 10:00:00"},
		"declined":                       {"payment_47,5001,sale,decline,100.00,KZT,," + planted.Day + " 10:00:00"},
		"not issued":                     {"payment_48,5001,sale,success,100.00,KZT,," + planted.Day + " 10:00:00"},
		"a refund":                       {"payment_47,5001,refund,success,100.00,KZT,," + planted.Day + " 10:00:00"},
		"no operation":                   {"payment_47,,sale,success,100.00,KZT,," + planted.Day + " 10:00:00"},
		"an operation that is no number": {"payment_47,x5001,sale,success,100.00,KZT,," + planted.Day + " 10:00:00"},
		"two operations":                 {ours, "payment_47,5002,sale,success,100.00,KZT,," + planted.Day + " 10:00:00"},
	} {
		t.Run("NothingElse/"+strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			s := prepare(t)
			apply(s, t, lines...)
			if got := s.must(t, "ledger", "export", "--format", "jsonl"); got != "" {
				t.Errorf("got the journal %s, want none", got)
			}
		})
	}
	t.Run("AClosedPeriodTakesTheFirstOpenDay", func(t *testing.T) {
		s := prepare(t, "books_closed_to: 2026-11-29", "timezone: UTC")
		s.serve(t).end(t)
		if got := apply(s, t, ours); got.code != 0 {
			t.Fatalf("got %+v", got)
		}
		contains(t, "ledger export", s.must(t, "ledger", "export", "--format", "jsonl"), `"effective_at":"2026-11-30T00:00:00Z"`)
		contains(t, "payments show", s.must(t, "payments", "show", "payment_47", "--json"), `"provider_time": "2026-11-29T10:00:00Z"`)
	})
	t.Run("UnderFourEyesItIsOneProposal", func(t *testing.T) {
		s := prepare(t, "four_eyes: [credit]")
		got := apply(s, t, ours)
		if got.code != 1 || !strings.Contains(got.out, "proposed: ") || !strings.Contains(got.out, "credited: 0 payments") {
			t.Fatalf("got %+v, want a proposal", got)
		}
		if got := s.must(t, "ledger", "export", "--format", "jsonl"); got != "" {
			t.Errorf("got the journal %s, want none", got)
		}
		id := strings.SplitN(strings.SplitN(got.out, "proposed: ", 2)[1], ":", 2)[0]
		token := testkit.WriteFile(t, s.dir, "token", "demo-admin-token")
		s.must(t, "approvals", "approve", id, "--token-file", token)
		contains(t, "ledger export", s.must(t, "ledger", "export", "--format", "jsonl"), "manual_credit")
	})
	t.Run("NeedsAReason", func(t *testing.T) {
		s := prepare(t)
		report, how := s.report(t, ours)
		if got := s.tolem(t, "reconcile", report, "--map", how, "--apply"); got.code != 2 {
			t.Errorf("got %+v, want exit code 2", got)
		}
	})
}

// withDataAPI configures JetPay's Data API, which is played.
func withDataAPI(t *testing.T) (*shop, *platform.DataAPI) {
	t.Helper()
	api, err := platform.NewDataAPI("token-of-thirty-characters-0000", "data-secret")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /v1/operations/get", api)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s := newShop(t)
	s.env = append(s.env, "TOLEM_JETPAY__DATA_URL="+server.URL+"/v1",
		"TOLEM_JETPAY__DATA_TOKEN_FILE="+testkit.WriteFile(t, s.dir, "data-token", "token-of-thirty-characters-0000\n"),
		"TOLEM_JETPAY__DATA_SECRET_FILE="+testkit.WriteFile(t, s.dir, "data-secret", "data-secret\n"))
	s.must(t, "migrate")
	s.serve(t).end(t)
	return s, api
}

func TestReconcileAsksTheDataAPI(t *testing.T) {
	sum := topup.Money{Amount: 10000, Currency: "KZT"}
	day := time.Now().Add(-30 * time.Hour).UTC().Truncate(time.Hour)
	date := day.In(time.FixedZone("Almaty", 5*3600)).Format(time.DateOnly)
	sale := platform.DataOperation{ProjectID: 1234, Operation: "5001", PaymentID: "payment_47", Sum: sum, CompletedAt: day}
	ask := []string{"reconcile", "--from", date, "--to", date}

	t.Run("ComparesAndApplies", func(t *testing.T) {
		s, api := withDataAPI(t)
		changed := sale
		changed.ChangedAt = day.Add(5 * time.Hour) // after its day, when a refund was made
		api.Put(changed)
		got := s.tolem(t, ask...)
		if got.code != 1 || !strings.Contains(summaryOf(got.out), "0 matched, 0 missing here, 0 missing there, 0 amount differs, 0 currency differs, 1 status differs") {
			t.Fatalf("got %+v", got)
		}
		got = s.tolem(t, append(ask, "--apply", "--reason", "day closed")...)
		if got.code != 0 || summaryOf(got.out) != "1 matched"+nothingElse {
			t.Fatalf("--apply: got %+v", got)
		}
		contains(t, "payments show", s.must(t, "payments", "show", "payment_47", "--json"), "day closed; Data API, hour from ", "operation 5001")
	})
	t.Run("WhatHasJustChangedIsNotMissing", func(t *testing.T) {
		s, api := withDataAPI(t)
		api.Put(sale)
		if got := s.tolem(t, append(ask, "--apply", "--reason", "day closed")...); got.code != 0 {
			t.Fatalf("--apply: got %+v", got)
		}
		changed := sale
		changed.ChangedAt = time.Now() // a refund was made; no hour that can be read has it
		api.Put(changed)
		api.Put(platform.DataOperation{ProjectID: 1234, Operation: "5002", PaymentID: "of today", Sum: sum, CompletedAt: time.Now()})
		if got := s.tolem(t, ask...); got.code != 0 || summaryOf(got.out) != "1 matched"+nothingElse {
			t.Errorf("got %+v, want 1 matched", got)
		}
	})
	t.Run("NoVerdictWithoutASignature", func(t *testing.T) {
		s, api := withDataAPI(t)
		api.Put(sale)
		api.Spoil(func(answer []byte) []byte { return bytes.Replace(answer, []byte("10000"), []byte("10001"), 1) })
		got := s.tolem(t, append(ask, "--apply", "--reason", "day closed")...)
		if got.code != 2 || got.out != "" || !strings.Contains(got.err, "cannot be verified") {
			t.Errorf("got %+v, want exit code 2 and no verdict", got)
		}
	})
	t.Run("OnlyWhatItConfirmsIsCredited", func(t *testing.T) {
		for name, test := range map[string]struct {
			there *platform.DataOperation
			want  string
		}{
			"nothing":       {nil, "the Data API has no such operation"},
			"another sum":   {&platform.DataOperation{ProjectID: 1234, Operation: "5001", PaymentID: "payment_47", Sum: topup.Money{Amount: 1, Currency: "KZT"}, CompletedAt: day}, "the Data API has 0.01 KZT"},
			"declined":      {&platform.DataOperation{ProjectID: 1234, Operation: "5001", PaymentID: "payment_47", Status: "decline", Sum: sum, CompletedAt: day}, "does not call it paid: decline"},
			"other payment": {&platform.DataOperation{ProjectID: 1234, Operation: "5001", PaymentID: "payment_1", Sum: sum, CompletedAt: day}, "has it for payment payment_1"},
			"the same":      {&sale, ""},
		} {
			s, api := withDataAPI(t)
			if test.there != nil {
				api.Put(*test.there)
			}
			report, how := s.report(t, "payment_47,5001,sale,success,100.00,KZT,,"+day.Format(time.DateTime))
			got := s.tolem(t, "reconcile", report, "--map", how, "--apply", "--reason", "r")
			if test.want == "" {
				if got.code != 0 {
					t.Errorf("%s: got %+v", name, got)
				}
				continue
			}
			if got.code != 1 || !strings.Contains(got.out, "not credited: report.csv line 2: payment payment_47: ") || !strings.Contains(got.out, test.want) {
				t.Errorf("%s: got %+v, want %s", name, got, test.want)
			}
		}
	})
	t.Run("TheGateConfirmsToo", func(t *testing.T) {
		for name, test := range map[string]struct{ answer, want string }{
			"the same":          {`{"status":"success","payment":{"id":"payment_47","status":"success","sum":{"amount":10000,"currency":"KZT"}},"operations":[{"id":5001,"type":"sale","status":"success","sum_initial":{"amount":10000,"currency":"KZT"}}]}`, ""},
			"another operation": {`{"status":"success","payment":{"id":"payment_47","status":"success","sum":{"amount":10000,"currency":"KZT"}},"operations":[{"id":5002,"type":"sale","status":"success","sum_initial":{"amount":10000,"currency":"KZT"}}]}`, "the Gate has operation 5002"},
			"declined":          {`{"status":"success","payment":{"id":"payment_47","status":"decline","sum":{"amount":10000,"currency":"KZT"}}}`, "the Gate does not call it paid"},
		} {
			gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(test.answer)) }))
			s := newShop(t)
			s.env = append(s.env, "TOLEM_JETPAY__GATE_URL="+gate.URL)
			s.must(t, "migrate")
			s.serve(t).end(t)
			report, how := s.report(t, "payment_47,5001,sale,success,100.00,KZT,,"+day.Format(time.DateTime))
			got := s.tolem(t, "reconcile", report, "--map", how, "--apply", "--reason", "r")
			gate.Close()
			if test.want == "" && got.code != 0 || test.want != "" && (got.code != 1 || !strings.Contains(got.out, test.want)) {
				t.Errorf("%s: got %+v, want %s", name, got, test.want)
			}
		}
	})
	t.Run("WithoutAFileAndWithoutItsURL", func(t *testing.T) {
		s := newShop(t)
		s.must(t, "migrate")
		if got := s.tolem(t, ask...); got.code != 2 || !strings.Contains(got.err, "jetpay.data_url") {
			t.Errorf("got %+v, want exit code 2", got)
		}
	})
}
