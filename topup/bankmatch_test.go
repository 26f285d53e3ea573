package topup_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tolem/topup"
)

func TestMatchBank(t *testing.T) {
	// A payout is "id day net", a line "day amount purpose…"; both of bank b. They are
	// numbered from 1.
	for _, tc := range []struct {
		name    string
		payouts []string
		lines   []string
		want    string
	}{
		{"SumAndDay", []string{"A 10 985"}, []string{"11 985 settlement"}, "A=1"},
		{"Named", []string{"A 10 985"}, []string{"11 985 register A, fee 15"}, "A=1 named"},
		{"SameDay", []string{"A 10 985"}, []string{"10 985 x"}, "A=1"},
		{"LastDayOfTheWindow", []string{"A 10 985"}, []string{"17 985 x"}, "A=1"},
		{"BehindTheWindow", []string{"A 10 985"}, []string{"18 985 A"}, "open A"},
		{"BeforeItsDay", []string{"A 10 985"}, []string{"9 985 A"}, "open A"},
		{"ADebitIsNoIncomingPayout", []string{"A 10 985"}, []string{"10 -985 A"}, "open A"},
		{"APayoutThatTakes", []string{"A 10 -985"}, []string{"10 -985 x"}, "A=1"},
		{"APurposeAloneNeverSuffices", []string{"A 10 985"}, []string{"10 984 register A"}, "open A"},
		{"NothingArrives", []string{"A 10 0"}, []string{"10 985 A"}, ""},
		{"TwoEqualDays", []string{"A 10 985", "B 11 985"}, []string{"11 985 x", "12 985 y"}, "ambiguous A:1,2 ambiguous B:1,2"},
		{"TwoEqualDaysWithNames", []string{"A 10 985", "B 11 985"}, []string{"11 985 for B", "12 985 for A"}, "A=2 named B=1 named"},
		{"OneOfTwoIsNamed", []string{"A 10 985", "B 10 985"}, []string{"11 985 for A", "12 985 y"}, "A=1 named B=2"},
		{"ANamedLineIsNoOthers", []string{"A 10 985", "B 10 985"}, []string{"11 985 for A"}, "A=1 named open B"},
		{"OneLineForTwoPayouts", []string{"A 10 985", "B 10 985"}, []string{"11 985 x"}, "ambiguous A:1 ambiguous B:1"},
		{"TwoLinesForOnePayout", []string{"A 10 985"}, []string{"11 985 x", "12 985 y"}, "ambiguous A:1,2"},
		{"NamedTwice", []string{"A 10 985"}, []string{"11 985 A", "12 985 A"}, "ambiguous A:1,2"},
		{"APartOfAWordIsNoName", []string{"po_1 10 985", "po_10 10 985"}, []string{"11 985 register po_10", "12 985 register po_1."}, "po_1=2 named po_10=1 named"},
		{"TwoPayoutsInOneLine", []string{"A 10 600", "B 11 385"}, []string{"12 985 x"}, "open A open B group A+B:1"},
		{"OnePayoutInTwoLines", []string{"A 10 985"}, []string{"11 600 x", "12 385 y"}, "open A group A:1+2"},
		{"GroupsAreOfTheWindow", []string{"A 10 985"}, []string{"11 600 x", "19 385 y"}, "open A"},
		{"WhatIsMatchedIsInNoGroup", []string{"A 10 600", "B 10 385", "C 10 985"}, []string{"11 985 C"}, "C=1 named open A open B"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ids := map[int64]string{}
			var payouts []topup.ExpectedPayout
			for i, text := range tc.payouts {
				p := topup.ExpectedPayout{Key: int64(i + 1), Bank: "b"}
				fmt.Sscan(text, &p.ID, &p.Date, &p.Net)
				payouts, ids[p.Key] = append(payouts, p), p.ID
			}
			var lines []topup.BookedLine
			for i, text := range tc.lines {
				l := topup.BookedLine{Key: int64(i + 1), Bank: "b"}
				fmt.Sscan(text, &l.Day, &l.Amount)
				l.Purpose = strings.SplitN(text, " ", 3)[2]
				lines = append(lines, l)
			}
			// Lines of another account never fit.
			for _, l := range slices.Clone(lines) {
				l.Key, l.Bank = l.Key+100, "other"
				lines = append(lines, l)
			}
			got := topup.MatchBank(payouts, lines, 7)
			var said []string
			join := func(keys []int64, sep string, name func(int64) string) string {
				var list []string
				for _, k := range keys {
					list = append(list, name(k))
				}
				return strings.Join(list, sep)
			}
			id := func(k int64) string { return ids[k] }
			number := func(k int64) string { return fmt.Sprint(k) }
			for _, m := range got.Matches {
				text := fmt.Sprintf("%s=%d", ids[m.Payout], m.Line)
				if m.Named {
					text += " named"
				}
				said = append(said, text)
			}
			for _, a := range got.Ambiguous {
				said = append(said, "ambiguous "+ids[a.Payout]+":"+join(a.Lines, ",", number))
			}
			for _, o := range got.Open {
				said = append(said, "open "+ids[o])
			}
			for _, g := range got.Groups {
				said = append(said, "group "+join(g.Payouts, "+", id)+":"+join(g.Lines, "+", number))
			}
			if text := strings.Join(said, " "); text != tc.want {
				t.Errorf("got %q, want %q", text, tc.want)
			}
		})
	}
}

func TestMatchBank_NamesByNumberAndReference(t *testing.T) {
	for _, l := range []topup.BookedLine{{Number: "A"}, {Reference: "A"}, {Purpose: "№A;"}} {
		l.Key, l.Day, l.Amount = 1, 1, 5
		got := topup.MatchBank([]topup.ExpectedPayout{{Key: 1, ID: "A", Date: 1, Net: 5}}, []topup.BookedLine{l}, 0)
		if len(got.Matches) != 1 || !got.Matches[0].Named {
			t.Errorf("%+v: got %+v", l, got)
		}
	}
}

// Whatever there is, a match fits in sum, direction, day and account, and is one to
// one; each payout is in one list.
func TestMatchBank_IsOneToOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		payouts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) topup.ExpectedPayout {
			return topup.ExpectedPayout{
				ID:   rapid.SampledFrom([]string{"A", "B", "C"}).Draw(rt, "id"),
				Date: rapid.IntRange(0, 5).Draw(rt, "date"), Net: rapid.Int64Range(-2, 3).Draw(rt, "net"),
			}
		}), 0, 6).Draw(rt, "payouts")
		lines := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) topup.BookedLine {
			return topup.BookedLine{
				Day: rapid.IntRange(0, 8).Draw(rt, "day"), Amount: rapid.Int64Range(-2, 6).Draw(rt, "amount"),
				Purpose: rapid.SampledFrom([]string{"", "A", "B", "for A and B"}).Draw(rt, "purpose"),
			}
		}), 0, 6).Draw(rt, "lines")
		for i := range payouts {
			payouts[i].Key = int64(i)
		}
		for i := range lines {
			lines[i].Key = int64(i)
		}
		got := topup.MatchBank(payouts, lines, 3)
		listed, used := map[int64]int{}, map[int64]bool{}
		for _, m := range got.Matches {
			p, l := payouts[m.Payout], lines[m.Line]
			if p.Net != l.Amount || l.Day < p.Date || l.Day > p.Date+3 || used[m.Line] {
				rt.Fatalf("%+v and %+v are no match", p, l)
			}
			used[m.Line] = true
			listed[m.Payout]++
		}
		for _, a := range got.Ambiguous {
			listed[a.Payout]++
		}
		for _, o := range got.Open {
			listed[o]++
		}
		for _, p := range payouts {
			want := 1
			if p.Net == 0 {
				want = 0
			}
			if listed[p.Key] != want {
				rt.Fatalf("%+v is in %d lists", p, listed[p.Key])
			}
		}
		for _, g := range got.Groups {
			var owed, came int64
			for _, k := range g.Payouts {
				owed += payouts[k].Net
			}
			for _, k := range g.Lines {
				came += lines[k].Amount
			}
			if owed != came || len(g.Payouts)+len(g.Lines) != 3 {
				rt.Fatalf("%+v is no group", g)
			}
		}
	})
}
