package commands_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tolem/reconcile"
	"tolem/reconcile/planted"
	"tolem/storetest"
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
	return file.Name(), writeFile(t, s.dir, "map.yaml", planted.Map)
}

// TestReconcile/EveryKindIsFoundAndNoOther plants every kind of difference: in a
// million lines, unless tests are short.
func TestReconcile(t *testing.T) {
	t.Run("EveryKindIsFoundAndNoOther", func(t *testing.T) {
		n := 1_000_000
		if testing.Short() || storetest.OnPostgres() {
			n = 5_000
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
	return writeFile(t, s.dir, "report.csv", header+strings.Join(lines, "\n")+"\n"), writeFile(t, s.dir, "map.yaml", planted.Map)
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
	var found struct {
		Counts      map[string]int
		Differences []struct {
			Kind  string
			There struct {
				Line   int
				Amount int64
			}
			Here struct{ Status string }
		}
	}
	found = decode[struct {
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
	s.must(t, "payments", "credit", "payment_47", "--reason", "in the report")
	report, how = s.report(t, "payment_47,5001,sale,success,100.00,KZT,,"+planted.Day+" 10:00:00")
	if got := s.must(t, "reconcile", report, "--map", how); !strings.HasSuffix(got, "1 matched, 0 missing here, 0 missing there, 0 amount differs, 0 currency differs, 0 status differs, 0 refund missing here, 0 refund missing there, 0 duplicated there\n") {
		t.Errorf("after the credit: got %s", got)
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
			args := append([]string{"reconcile", report, "--map", how}, test.args...)
			got := s.tolem(t, args...)
			if got.code != 2 || got.out != "" {
				t.Errorf("got %+v, want exit code 2 and no output", got)
			}
			contains(t, "standard error", got.err, test.want...)
		})
	}
}
