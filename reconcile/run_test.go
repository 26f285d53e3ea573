package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/reconcile"
	"tolem/reportfile"
)

// books are books in memory.
type books struct {
	entries  []reconcile.Entry
	payments map[string]reconcile.Payment
}

func (b books) Entries(_ context.Context, in reconcile.Span, yield func(reconcile.Entry) error) error {
	for _, e := range b.entries {
		if e.At.Before(in.From) || !e.At.Before(in.To) {
			continue
		}
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

func (b books) Find(_ context.Context, operations, payments []string) (map[string]reconcile.Entry, map[string]reconcile.Payment, error) {
	entries := map[string]reconcile.Entry{}
	for _, e := range b.entries {
		if e.Operation != "" && slices.Contains(operations, e.Operation) {
			entries[e.Operation] = e
		}
	}
	return entries, b.payments, nil
}

var day = reconcile.Span{From: at("2026-11-29 00:00"), To: at("2026-11-30 00:00")}

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

// line is a line of a report as a text: "payment operation type amount", with
// more words for a status, a currency and a time of that day.
func line(t *testing.T, n int, text string) reconcile.Line {
	l := reconcile.Line{Line: n, Currency: "KZT", Status: reportfile.Paid, At: at("2026-11-29 12:00")}
	words := strings.Fields(text)
	l.Payment, l.Operation, l.Type = strings.Trim(words[0], "-"), strings.Trim(words[1], "-"), reportfile.Type(words[2])
	if l.Type == "sale" {
		l.Type = reportfile.Payment
	}
	if _, err := fmt.Sscan(words[3], &l.Amount); err != nil {
		t.Fatal(err)
	}
	for _, word := range words[4:] {
		switch {
		case word == "other":
			l.Status = ""
		case word == "file2":
			l.File = 1
		case word == "declined" || word == "pending":
			l.Status = reportfile.Status(word)
		case len(word) == 3:
			l.Currency = word
		default:
			l.At = at(strings.Replace(word, "T", " ", 1))
		}
	}
	return l
}

// entry is an entry of the books as a text: "payment operation sale|refund amount".
func entry(t *testing.T, text string) reconcile.Entry {
	l := line(t, 0, text)
	return reconcile.Entry{Refund: l.Type == reportfile.Refund, Payment: l.Payment, PaymentID: l.Payment, Operation: l.Operation, TransactionID: "t_" + l.Payment + l.Operation, Amount: l.Amount, Currency: l.Currency, At: l.At, Bypass: l.File == 1}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	issued := func(id, status string, amount int64) reconcile.Payment {
		return reconcile.Payment{PaymentID: id, Status: status, Amount: amount, Currency: "KZT"}
	}
	credited := func(id, operation string, amount int64) reconcile.Payment {
		p := issued(id, "succeeded", amount)
		p.Credit, p.CreditOperation, p.Taken = reconcile.Money{Amount: amount, Currency: "KZT"}, operation, true
		return p
	}
	for name, test := range map[string]struct {
		lines, entries []string
		payments       []reconcile.Payment
		want           []string // kind and what it names
		matched        int
	}{
		"by operation":                       {[]string{"p1 1 sale 100"}, []string{"p1 1 sale 100"}, nil, nil, 1},
		"by operation, other payment":        {[]string{"x 1 sale 100", "- 2 sale 5"}, []string{"p1 1 sale 100", "p2 2 sale 5"}, nil, nil, 2},
		"by payment, no operations there":    {[]string{"p1 - sale 100", "p2 - sale 100"}, []string{"p1 1 sale 100", "p2 2 sale 100"}, nil, nil, 2},
		"by payment, credited by hand":       {[]string{"p1 1 sale 100"}, []string{"p1 - sale 100"}, nil, nil, 1},
		"missing here":                       {[]string{"p1 1 sale 100"}, nil, nil, []string{"missing_here 1"}, 0},
		"missing here: a second operation":   {[]string{"p1 1 sale 100", "p1 2 sale 100"}, []string{"p1 1 sale 100"}, []reconcile.Payment{credited("p1", "1", 100)}, []string{"missing_here 2"}, 1},
		"missing here: equal lines":          {[]string{"p1 - sale 100", "p1 - sale 100"}, []string{"p1 1 sale 100"}, nil, []string{"missing_here 2"}, 1},
		"missing there":                      {nil, []string{"p1 1 sale 100"}, nil, []string{"missing_there p1"}, 0},
		"missing there, not in the interval": {nil, []string{"p1 1 sale 100 2026-11-30T00:00", "p2 2 sale 1 2026-11-28T23:59"}, nil, nil, 0},
		"days of another zone":               {[]string{"p1 1 sale 100 2026-11-29T23:59"}, []string{"p1 1 sale 100 2026-11-30T00:00"}, nil, nil, 1},
		"a line of days ago":                 {[]string{"p1 1 sale 100"}, []string{"p1 1 sale 100 2026-11-20T00:00"}, nil, nil, 1},
		"a line out of the interval":         {[]string{"p1 1 sale 100 2026-11-27T00:00"}, nil, nil, nil, 0},
		"amount differs":                     {[]string{"p1 1 sale 101", "p2 2 sale 5"}, []string{"p1 1 sale 100", "p2 2 sale 5"}, nil, []string{"amount_differs 1"}, 1},
		"currency differs":                   {[]string{"p1 1 sale 100 USD"}, []string{"p1 1 sale 100"}, nil, []string{"currency_differs 1"}, 0},
		"paid there, pending here":           {[]string{"p1 1 sale 100"}, nil, []reconcile.Payment{issued("p1", "pending", 100)}, []string{"status_differs 1"}, 0},
		"paid there, another sum here":       {[]string{"p1 1 sale 90"}, nil, []reconcile.Payment{issued("p1", "pending", 100)}, []string{"amount_differs 1"}, 0},
		"declined on both sides":             {[]string{"p1 1 sale 100 declined"}, nil, []reconcile.Payment{issued("p1", "declined", 100)}, nil, 1},
		"declined there, credited here":      {[]string{"p1 1 sale 100 declined"}, []string{"p1 1 sale 100"}, nil, []string{"status_differs 1"}, 0},
		"declined there, credited by hand":   {[]string{"p1 1 sale 100 declined"}, []string{"p1 - sale 100"}, nil, []string{"status_differs 1"}, 0},
		"pending there, credited here":       {[]string{"p1 1 sale 100 pending"}, []string{"p1 1 sale 100"}, nil, []string{"status_differs 1"}, 0},
		"a declined attempt, then paid":      {[]string{"p1 1 sale 100 declined", "p1 2 sale 100"}, []string{"p1 2 sale 100"}, []reconcile.Payment{credited("p1", "2", 100)}, nil, 2},
		"declined and unknown":               {[]string{"p1 1 sale 100 declined"}, nil, nil, nil, 0},
		"a status that is not listed":        {[]string{"p1 1 sale 100 other"}, nil, []reconcile.Payment{issued("p1", "pending", 100)}, nil, 0},
		"a refund instead of a payment":      {[]string{"p1 1 refund 100"}, []string{"p1 1 sale 100"}, nil, []string{"status_differs 1"}, 0},
		"partial refunds":                    {[]string{"p1 1 sale 100", "p1 2 refund 30", "p1 3 refund -20"}, []string{"p1 1 sale 100", "p1 2 refund 30", "p1 - refund 20"}, nil, nil, 3},
		"refund missing here":                {[]string{"p1 1 sale 100", "p1 2 refund 30"}, []string{"p1 1 sale 100"}, []reconcile.Payment{credited("p1", "1", 100)}, []string{"refund_missing_here 2"}, 1},
		"refund missing there":               {[]string{"p1 1 sale 100"}, []string{"p1 1 sale 100", "p1 - refund 30"}, nil, []string{"refund_missing_there p1"}, 1},
		"a refund from the bank":             {[]string{"p1 1 sale 100"}, []string{"p1 1 sale 100", "p1 - refund 30 file2"}, nil, nil, 1},
		"a refund of another sum":            {[]string{"p1 2 refund 30"}, []string{"p1 2 refund 20"}, nil, []string{"amount_differs 1"}, 0},
		"a refund that was declined":         {[]string{"p1 2 refund 30 declined"}, nil, nil, nil, 0},
		"a chargeback":                       {[]string{"p1 2 chargeback 100", "p2 3 chargeback 5"}, []string{"p2 3 refund 5"}, []reconcile.Payment{credited("p1", "1", 100)}, []string{"refund_missing_here 1"}, 1},
		"a refund cancelled, nothing here":   {[]string{"p1 2 refund 30", "p1 3 refund_reversal 30"}, nil, nil, nil, 0},
		"a refund cancelled, booked here":    {[]string{"p1 2 refund 30", "p1 3 refund_reversal 30"}, []string{"p1 2 refund 30"}, nil, []string{"refund_missing_there 2"}, 0},
		"cancelled under its own operation":  {[]string{"p1 2 refund 30", "p1 2 refund_reversal 30"}, []string{"p1 2 refund 30"}, nil, []string{"refund_missing_there 2"}, 0},
		"of two refunds one is cancelled":    {[]string{"p1 2 refund 30", "p1 3 refund 30", "p1 4 refund_reversal 30"}, []string{"p1 2 refund 30"}, nil, []string{"refund_missing_there 3", "refund_missing_here 2"}, 0},
		"declined there, returned here":      {[]string{"p1 1 sale 100 declined"}, []string{"p1 1 sale 100", "p1 - refund 100"}, nil, nil, 1},
		"not there, returned here":           {nil, []string{"p1 1 sale 100", "p1 - refund 100"}, nil, nil, 0},
		"paid there, returned here":          {[]string{"p1 1 sale 100"}, []string{"p1 1 sale 100", "p1 - refund 100"}, nil, []string{"refund_missing_there p1"}, 1},
		"declined there under another id":    {[]string{"x 1 sale 100 declined"}, []string{"p1 1 sale 100"}, nil, []string{"status_differs 1"}, 0},
		"duplicated there":                   {[]string{"p1 1 sale 100", "p1 1 sale 100", "p1 1 sale 100"}, []string{"p1 1 sale 100"}, nil, []string{"duplicated_there 2", "duplicated_there 3"}, 1},
		"files that overlap":                 {[]string{"p1 1 sale 100", "p1 1 sale 100 file2"}, []string{"p1 1 sale 100"}, nil, nil, 1},
		"a later file with the result":       {[]string{"p1 1 sale 100 pending", "p1 1 sale 100 file2"}, []string{"p1 1 sale 100"}, nil, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := books{payments: map[string]reconcile.Payment{}}
			for _, text := range test.entries {
				b.entries = append(b.entries, entry(t, text))
			}
			for _, p := range test.payments {
				b.payments[p.PaymentID] = p
			}
			run := reconcile.New(reconcile.Options{Provider: "jetpay", Folder: t.TempDir()})
			defer run.Close()
			for i, text := range test.lines {
				if err := run.Add(line(t, i+1, text)); err != nil {
					t.Fatal(err)
				}
			}
			if err := run.Compare(t.Context(), b, day, day); err != nil {
				t.Fatal(err)
			}
			var got []string
			counts := reconcile.Counts{reconcile.Matched: test.matched}
			err := run.Each(func(d reconcile.Difference) error {
				counts[d.Kind]++
				name := ""
				switch {
				case d.Line != nil:
					name = fmt.Sprint(d.Line.Line)
				default:
					name = d.Entry.PaymentID
				}
				got = append(got, string(d.Kind)+" "+name)
				if d.Next == "" {
					t.Errorf("%s %s: nothing is said about what to do", d.Kind, name)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(test.want))
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if got, want := run.Counts().String(), counts.String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestWhatPeopleCopyIsOneWord: a report is a stranger's text.
func TestWhatPeopleCopyIsOneWord(t *testing.T) {
	t.Parallel()
	run := reconcile.New(reconcile.Options{Provider: "jetpay"})
	defer run.Close()
	for i, operation := range []string{"5001", "1;reboot", "$(reboot)", "it's", "--help", ""} {
		l := line(t, i+1, "p"+fmt.Sprint(i)+" x sale 100")
		l.Operation = operation
		if err := run.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Compare(t.Context(), books{}, day, day); err != nil {
		t.Fatal(err)
	}
	want := []string{"5001", "'1;reboot'", "'$(reboot)'", `'it'\''s'`, "'--help'", "ID, which the report does not say"}
	err := run.Each(func(d reconcile.Difference) error {
		if !strings.HasSuffix(d.Next, " --operation "+want[d.Line.Line-1]) {
			t.Errorf("got %s, want it to end with %s", d.Next, want[d.Line.Line-1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAStatusThatIsNotListedSaysNothing: nobody is told to take money back because a
// map lacks a word.
func TestAStatusThatIsNotListedSaysNothing(t *testing.T) {
	t.Parallel()
	run := reconcile.New(reconcile.Options{Provider: "jetpay"})
	defer run.Close()
	if err := run.Add(line(t, 1, "p1 1 sale 100 other")); err != nil {
		t.Fatal(err)
	}
	if err := run.Compare(t.Context(), books{entries: []reconcile.Entry{entry(t, "p1 1 sale 100")}}, day, day); err != nil {
		t.Fatal(err)
	}
	err := run.Each(func(d reconcile.Difference) error {
		if want := "the map does not list its status: add it to statuses, and compare again"; d.Next != want {
			t.Errorf("got %s, want %s", d.Next, want)
		}
		return nil
	})
	if err != nil || run.Counts()[reconcile.StatusDiffers] != 1 {
		t.Errorf("got %v, %v", run.Counts(), err)
	}
}

func TestEdgesOfTheInterval(t *testing.T) {
	t.Parallel()
	almaty := reconcile.Span{From: at("2026-11-28 19:00"), To: at("2026-11-29 19:00")}
	b := books{entries: []reconcile.Entry{entry(t, "p1 1 sale 100 2026-11-28T20:00"), entry(t, "p2 2 sale 5 2026-11-29T10:00"), entry(t, "p3 3 sale 5 2026-11-29T20:00")}}
	run := reconcile.New(reconcile.Options{Provider: "jetpay"})
	defer run.Close()
	if err := run.Compare(t.Context(), b, almaty, day); err != nil {
		t.Fatal(err)
	}
	if got := run.Counts()[reconcile.MissingThere]; got != 1 {
		t.Errorf("got %d missing there, want p2 alone", got)
	}
	if got := run.Edge(); got != 1 {
		t.Errorf("got %d at the edge, want p1: the report of the day before would have it", got)
	}
}

func TestAReportInOtherUnitsIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lines []string
		want  string
	}{
		"a hundred times": {[]string{"p1 1 sale 10000", "p2 2 sale 500"}, "every sum in the report is a hundred times that in the books: correct amounts in the map (major or minor)"},
		"a hundredth":     {[]string{"p1 1 sale 1"}, "every sum in the report is a hundredth of that in the books: correct amounts in the map (major or minor)"},
		"one of them":     {[]string{"p1 1 sale 10000", "p2 2 sale 5"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			run := reconcile.New(reconcile.Options{Provider: "jetpay"})
			defer run.Close()
			for i, text := range test.lines {
				if err := run.Add(line(t, i+1, text)); err != nil {
					t.Fatal(err)
				}
			}
			err := run.Compare(t.Context(), books{entries: []reconcile.Entry{entry(t, "p1 1 sale 100"), entry(t, "p2 2 sale 5")}}, day, day)
			if got := fmt.Sprint(err); (test.want == "") != (err == nil) || err != nil && got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAnOperationWithOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	for _, second := range []string{"p1 1 sale 101", "p2 1 sale 100", "p1 1 refund 100", "p1 1 sale 100 USD", "p1 1 sale 100 declined"} {
		run := reconcile.New(reconcile.Options{Provider: "jetpay"})
		for i, text := range []string{"p1 1 sale 100", second} {
			if err := run.Add(line(t, i+1, text)); err != nil {
				t.Fatal(err)
			}
		}
		conflict := (*reconcile.ConflictError)(nil)
		if err := run.Compare(t.Context(), books{}, day, day); !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Conflicts[0].Second.Line != 2 {
			t.Errorf("%s: got %v, want a conflict of line 2", second, err)
		}
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestNothingIsLeftBehind sorts more than is held in memory.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	run := reconcile.New(reconcile.Options{Provider: "jetpay", Folder: folder})
	const n = 200_000
	b := books{}
	for i := range n {
		l := line(t, i+1, fmt.Sprintf("payment-with-a-long-id-%d operation-%d sale %d", i*7919%n, i*7919%n, i+1))
		if err := run.Add(l); err != nil {
			t.Fatal(err)
		}
		b.entries = append(b.entries, reconcile.Entry{Payment: l.Payment, Operation: l.Operation, Amount: l.Amount, Currency: "KZT", At: l.At})
	}
	if err := run.Compare(t.Context(), b, day, day); err != nil {
		t.Fatal(err)
	}
	if got := run.Counts(); got[reconcile.Matched] != n || got.Differ() {
		t.Errorf("got %s, want %d matched", got, n)
	}
	if err := run.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v left in the folder, want nothing", left, err)
	}
}
