package bankfile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tolem/bankfile"
	"tolem/calendar"
)

func dayOf(text string) calendar.Day {
	day, err := calendar.ParseDay("2026-11-" + text)
	if err != nil {
		panic(err)
	}
	return day
}

// lineOf makes a line of "day in|out amount purpose".
func lineOf(text string) bankfile.Line {
	f := strings.Fields(text)
	var amount int64
	fmt.Sscan(f[2], &amount)
	return bankfile.Line{Day: dayOf(f[0]), Direction: bankfile.Direction(f[1]), Amount: amount, Purpose: f[3]}
}

func TestCompare(t *testing.T) {
	for _, tc := range []struct {
		name                          string
		stored, file                  []string
		from, to                      string
		fresh, known, changed, vanish string
	}{
		{"First", nil, []string{"10 in 1 a", "11 out 2 b"}, "10", "11", "1a 2b", "0", "", ""},
		{"Again", []string{"10 in 1 a", "11 out 2 b"}, []string{"10 in 1 a", "11 out 2 b"}, "10", "11", "", "2", "", ""},
		{"EqualLinesAreTwo", nil, []string{"10 in 1 a", "10 in 1 a"}, "10", "10", "1a 1a", "0", "", ""},
		{"TheSameTwo", []string{"10 in 1 a", "10 in 1 a"}, []string{"10 in 1 a", "10 in 1 a"}, "10", "10", "", "2", "", ""},
		{"AThirdOfThem", []string{"10 in 1 a", "10 in 1 a"}, []string{"10 in 1 a", "10 in 1 a", "10 in 1 a"}, "10", "10", "1a", "2", "", ""},
		{"Overlap", []string{"10 in 1 a", "11 in 1 a"}, []string{"11 in 1 a", "12 in 1 a"}, "11", "12", "1a", "1", "", ""},
		{"Changed", []string{"10 in 1 a"}, []string{"10 in 1 b"}, "10", "10", "", "0", "1a>1b", ""},
		{"ChangedOnceOnly", []string{"10 in 1 a"}, []string{"10 in 1 b", "10 in 1 c"}, "10", "10", "1c", "0", "1a>1b", ""},
		{"AnotherDirectionIsNew", []string{"10 in 1 a"}, []string{"10 out 1 b", "10 in 1 a"}, "10", "10", "1b", "1", "", ""},
		{"AnotherAmountVanishes", []string{"10 in 1 a"}, []string{"10 in 2 a"}, "10", "10", "2a", "0", "", "1a"},
		{"Vanished", []string{"10 in 1 a", "10 in 1 a"}, []string{"10 in 1 a"}, "10", "10", "", "1", "", "1a"},
		{"NotOfACoveredDay", []string{"09 in 1 a"}, []string{"10 in 1 a"}, "10", "10", "1a", "0", "", ""},
		{"DatedOutsideItsStatement", []string{"09 in 1 a"}, []string{"09 in 1 a"}, "10", "10", "", "1", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			keyed := func(list []string) []bankfile.Keyed {
				s := bankfile.Statement{From: dayOf(tc.from), To: dayOf(tc.to)}
				for _, text := range list {
					s.Lines = append(s.Lines, lineOf(text))
				}
				return bankfile.Identify(tenge, []bankfile.Statement{s})
			}
			var stored []bankfile.Stored
			for i, k := range keyed(tc.stored) {
				stored = append(stored, bankfile.Stored{ID: int64(i + 1), Key: k.Key, Line: k.Line})
			}
			got := bankfile.Compare(stored, keyed(tc.file), []bankfile.Statement{{From: dayOf(tc.from), To: dayOf(tc.to)}})
			var fresh, changed, vanished []string
			for _, l := range got.New {
				fresh = append(fresh, fmt.Sprint(l.Amount, l.Purpose))
			}
			for _, c := range got.Changed {
				changed = append(changed, fmt.Sprint(c.Stored.Amount, c.Stored.Purpose, ">", c.Now.Amount, c.Now.Purpose))
			}
			for _, l := range got.Vanished {
				vanished = append(vanished, fmt.Sprint(l.Amount, l.Purpose))
			}
			is := []string{strings.ReplaceAll(strings.Join(fresh, " "), " ", ""), fmt.Sprint(got.Known), strings.ReplaceAll(strings.Join(changed, ","), " ", ""), strings.Join(vanished, ",")}
			want := []string{strings.ReplaceAll(tc.fresh, " ", ""), tc.known, tc.changed, tc.vanish}
			if !slices.Equal(is, want) {
				t.Errorf("got %q, want %q", is, want)
			}
		})
	}
}

// What makes a line another one, and what does not.
func TestIdentify(t *testing.T) {
	whole := bankfile.Line{Day: dayOf("10"), ValueDay: dayOf("11"), Direction: bankfile.In, Amount: 1, Number: "1", BankReference: "r", CounterpartyAccount: "KZ1", CounterpartyName: "n", Purpose: "p", Row: 5}
	key := func(change func(*bankfile.Line), account bankfile.Account) bankfile.Key {
		l := whole
		change(&l)
		return bankfile.Identify(account, []bankfile.Statement{{Lines: []bankfile.Line{l}}})[0].Key
	}
	same := key(func(*bankfile.Line) {}, tenge)
	for name, change := range map[string]func(*bankfile.Line){
		"Row": func(l *bankfile.Line) { l.Row = 9 }, "ValueDay": func(l *bankfile.Line) { l.ValueDay = calendar.Day{} }, "Name": func(l *bankfile.Line) { l.CounterpartyName = "m" },
	} {
		if key(change, tenge) != same {
			t.Errorf("%s makes another line of it", name)
		}
	}
	for name, change := range map[string]func(*bankfile.Line){
		"Day": func(l *bankfile.Line) { l.Day = dayOf("11") }, "Direction": func(l *bankfile.Line) { l.Direction = bankfile.Out }, "Amount": func(l *bankfile.Line) { l.Amount = 2 },
		"Number": func(l *bankfile.Line) { l.Number = "2" }, "Reference": func(l *bankfile.Line) { l.BankReference = "" }, "Account": func(l *bankfile.Line) { l.CounterpartyAccount = "" },
		"Purpose": func(l *bankfile.Line) { l.Purpose = "" }, "Shifted": func(l *bankfile.Line) { l.Number, l.BankReference = "1r", "" },
	} {
		if key(change, tenge) == same {
			t.Errorf("%s makes no other line of it", name)
		}
	}
	if key(func(*bankfile.Line) {}, rouble) == same {
		t.Error("another account makes no other line of it")
	}
}
