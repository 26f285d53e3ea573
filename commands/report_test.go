package commands_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	s := newShop(t, "bank: [{name: halyk, currency: KZT}]")
	r := s.serve(t)
	for _, contract := range []string{"12345", "12345", "67890"} {
		if got := s.simulate(t, r, "--customer", "7123456789", "--entity", contract, "--amount", "100050"); got.code != 0 {
			t.Fatalf("top up: got %+v", got)
		}
	}
	r.end(t)
	t.Run("Table", func(t *testing.T) {
		got := strings.Split(strings.TrimSpace(s.must(t, "report", "--by", "contract")), "\n")
		for i, want := range []string{
			"CONTRACT CURRENCY COUNT CREDITED REFUNDED FEES NET",
			"7123456789 12345 KZT 2 2001.00 0.00 - 2001.00",
			"7123456789 67890 KZT 1 1000.50 0.00 - 1000.50",
			"total KZT 3 3001.50 0.00 - 3001.50",
		} {
			if i >= len(got) || strings.Join(strings.Fields(got[i]), " ") != want {
				t.Fatalf("got %q, want %q in line %d", got, want, i)
			}
		}
	})
	t.Run("Files", func(t *testing.T) {
		machine := csvRows(t, s.must(t, "report", "--by", "project,month", "--format", "csv"))
		people := spreadsheet(t, s.must(t, "report", "--by", "project,month", "--format", "xlsx"))
		if len(machine) != 2 || len(people) != 2 || !slices.Equal(machine[0], people[0]) {
			t.Fatalf("got %q and %q", machine, people)
		}
		for heading, want := range map[string][2]string{
			"provider": {"jetpay", "jetpay"}, "project_id": {"1234", "1234"}, "count": {"3", "3"},
			"credited": {"300150", "3001.5"}, "fees": {"0", "0"}, "net": {"300150", "3001.5"},
		} {
			if got := [2]string{cellOf(t, machine, 1, heading), cellOf(t, people, 1, heading)}; got != want {
				t.Errorf("%s: got %q, want %q", heading, got, want)
			}
		}
	})
	t.Run("JSON", func(t *testing.T) {
		type row struct {
			EntityID string `json:"entity_id"`
			Currency string
			Count    int
			Credited int64
			Fees     *int64
		}
		got := decode[struct {
			By           []string
			Timezone     string
			Rows, Totals []row
		}](t, s.must(t, "report", "--by", "contract", "--json"))
		if len(got.Rows) != 2 || got.Rows[1] != (row{"67890", "KZT", 1, 100050, nil}) || len(got.Totals) != 1 || got.Totals[0].Credited != 300150 || got.Timezone != "Asia/Almaty" {
			t.Errorf("got %+v", got)
		}
		none := decode[map[string]any](t, s.must(t, "report", "--by", "day", "--to", "2020-01-01", "--json"))
		if len(none["rows"].([]any)) != 0 || len(none["totals"].([]any)) != 0 {
			t.Errorf("got %v", none)
		}
	})
	t.Run("RefundsAndFees", func(t *testing.T) {
		payments := csvRows(t, s.must(t, "payments", "list", "--format", "csv", "--status", "succeeded"))
		id := cellOf(t, payments, 1, "payment_id")
		refund := decode[map[string]any](t, s.must(t, "payments", "refund", id, "--amount", "50", "--reason", "half a tenge back", "--json"))
		s.must(t, "payments", "refund", id, "--amount", "1000", "--reason", "ten more")
		s.must(t, "ledger", "reverse", refund["transaction_id"].(string), "--reason", "was wrong")
		s.must(t, "payouts", "add", "--provider", "jetpay", "--project", "1234", "--bank", "halyk", "--id", "po_1", "--date", time.Now().UTC().Add(-24*time.Hour).Format(time.DateOnly),
			"--currency", "KZT", "--gross", "300150", "--refunds", "1000", "--fees", "3000", "--net", "296150")
		s.must(t, "payouts", "post", "po_1", "--reason", "on the statement")
		rows := csvRows(t, s.must(t, "report", "--by", "project", "--format", "csv"))
		for heading, want := range map[string]string{"count": "3", "credited": "300150", "refunded": "1000", "fees": "3000", "net": "296150"} {
			if got := cellOf(t, rows, 1, heading); len(rows) != 2 || got != want {
				t.Errorf("%s: got %s, want %s in %q", heading, got, want, rows)
			}
		}
		rows = csvRows(t, s.must(t, "report", "--by", "method", "--format", "csv"))
		if got := cellOf(t, rows, 1, "refunded"); got != "1000" || cellOf(t, rows, 1, "fees") != "" {
			t.Errorf("by method: got %q", rows)
		}
	})
	for _, args := range [][]string{{"--by", "week"}, {"--by", "day", "--from", "now"}, {"--by", "day", "--from", "2026-11-02", "--to", "2026-11-01"}, {"--by", ""}} {
		if got := s.tolem(t, append([]string{"report"}, args...)...); got.code != 2 {
			t.Errorf("%v: got %+v", args, got)
		}
	}
}
