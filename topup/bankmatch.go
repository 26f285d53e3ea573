package topup

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMatchWindow is the largest window in which a payout may arrive, in days.
const MaxMatchWindow = 31

// ExpectedPayout is a payout that a line of its bank account is looked for.
type ExpectedPayout struct {
	Key  int64 // the caller's
	ID   string
	Bank string
	Date int   // its day, counted from any day
	Net  int64 // what arrives, in minor units; negative: what is taken
}

// BookedLine is a line of a bank account without a payout.
type BookedLine struct {
	Key                        int64 // the caller's
	Bank                       string
	Day                        int   // of booking, counted from the same day
	Amount                     int64 // in minor units; negative: it went
	Number, Reference, Purpose string
}

// BankMatch is a payout and its line.
type BankMatch struct {
	Payout, Line int64 // keys
	// Named says that the line names the payout; else sum, direction and day fit, and
	// nothing else does.
	Named bool
}

// BankGroup are payouts and lines whose sums fit together, but not one to one.
// They are shown to a person and never matched.
type BankGroup struct{ Payouts, Lines []int64 }

// BankAmbiguity is a payout with more than one line that fits, or whose line fits
// other payouts too.
type BankAmbiguity struct {
	Payout int64
	Lines  []int64
}

// BankProposal is what is to be said of payouts and lines.
type BankProposal struct {
	Matches   []BankMatch
	Ambiguous []BankAmbiguity
	Groups    []BankGroup
	Open      []int64 // payouts for which nothing fits
}

// maxBankGroups bounds the groups that are shown.
const maxBankGroups = 100

// MatchBank looks for the line of each payout: on its bank account, with its net
// in its direction, and booked on the payout's day or at most window days later. A
// match is one to one: the payout has one such line, and the line one such payout.
// Where several fit, a line that names one of the payouts (as its number, its
// reference, or a word of its purpose) is that payout's, and no other's. A name
// without the sum, the direction and the day is nothing.
func MatchBank(payouts []ExpectedPayout, lines []BookedLine, window int) BankProposal {
	m := bankMatcher{payouts: payouts, lines: lines, window: window, fits: make([][]int, len(payouts)), names: map[[2]int]bool{}}
	m.candidates()
	return m.propose()
}

type bankMatcher struct {
	payouts []ExpectedPayout
	lines   []BookedLine
	window  int
	fits    [][]int         // the lines that fit each payout
	names   map[[2]int]bool // of those, the pairs in which the line names the payout
}

func (m *bankMatcher) inWindow(p ExpectedPayout, l BookedLine) bool {
	return p.Bank == l.Bank && l.Day >= p.Date && l.Day-p.Date <= m.window
}

// candidates finds what fits, and then drops what a name decides.
func (m *bankMatcher) candidates() {
	type key struct {
		bank   string
		amount int64
	}
	byAmount := map[key][]int{}
	for j, l := range m.lines {
		byAmount[key{l.Bank, l.Amount}] = append(byAmount[key{l.Bank, l.Amount}], j)
	}
	named := map[int]bool{} // lines that name a payout that they fit
	for i, p := range m.payouts {
		if p.Net == 0 {
			continue // nothing arrives
		}
		for _, j := range byAmount[key{p.Bank, p.Net}] {
			if !m.inWindow(p, m.lines[j]) {
				continue
			}
			m.fits[i] = append(m.fits[i], j)
			if m.lines[j].namesPayout(p.ID) {
				m.names[[2]int{i, j}], named[j] = true, true
			}
		}
	}
	for i := range m.fits {
		own := slices.ContainsFunc(m.fits[i], func(j int) bool { return m.names[[2]int{i, j}] })
		m.fits[i] = slices.DeleteFunc(m.fits[i], func(j int) bool {
			// Of a payout that is named elsewhere, or a line that names another.
			return !m.names[[2]int{i, j}] && (own || named[j])
		})
	}
}

// namesPayout reports whether the line has a payout's id as a whole word.
func (l BookedLine) namesPayout(id string) bool {
	if l.Number == id || l.Reference == id {
		return true
	}
	for text := l.Purpose; ; {
		at := strings.Index(text, id)
		if at < 0 || id == "" {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(id):])
		if !isWord(before, at == 0) && !isWord(after, at+len(id) == len(text)) {
			return true
		}
		text = text[at+len(id):]
	}
}

// isWord reports whether a character beside an id makes it a part of another one.
func isWord(r rune, edge bool) bool {
	return !edge && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-')
}

// propose matches what is one to one, and lists the rest.
func (m *bankMatcher) propose() BankProposal {
	var out BankProposal
	wanted := map[int]int{} // how many payouts a line fits
	for _, fits := range m.fits {
		for _, j := range fits {
			wanted[j]++
		}
	}
	taken := map[int]bool{}
	var free []int
	for i, fits := range m.fits {
		switch {
		case m.payouts[i].Net == 0:
		case len(fits) == 1 && wanted[fits[0]] == 1:
			j := fits[0]
			taken[j] = true
			out.Matches = append(out.Matches, BankMatch{m.payouts[i].Key, m.lines[j].Key, m.names[[2]int{i, j}]})
		case len(fits) > 0:
			ambiguity := BankAmbiguity{Payout: m.payouts[i].Key}
			for _, j := range fits {
				taken[j] = true
				ambiguity.Lines = append(ambiguity.Lines, m.lines[j].Key)
			}
			out.Ambiguous = append(out.Ambiguous, ambiguity)
		default:
			free = append(free, i)
			out.Open = append(out.Open, m.payouts[i].Key)
		}
	}
	m.groups(&out, free, taken)
	return out
}

// groups looks for two payouts in one line, and one payout in two lines.
func (m *bankMatcher) groups(out *BankProposal, free []int, taken map[int]bool) {
	var lines []int
	for j := range m.lines {
		if !taken[j] {
			lines = append(lines, j)
		}
	}
	slices.SortStableFunc(lines, func(a, b int) int { return cmp.Compare(m.lines[a].Day, m.lines[b].Day) })
	// near are the lines that may be a payout's.
	near := func(p ExpectedPayout) []int {
		from, _ := slices.BinarySearchFunc(lines, p.Date, func(j, day int) int { return cmp.Compare(m.lines[j].Day, day) })
		to, _ := slices.BinarySearchFunc(lines, p.Date+m.window+1, func(j, day int) int { return cmp.Compare(m.lines[j].Day, day) })
		return slices.DeleteFunc(slices.Clone(lines[from:to]), func(j int) bool { return m.lines[j].Bank != p.Bank })
	}
	add := func(g BankGroup) {
		if len(out.Groups) < maxBankGroups {
			out.Groups = append(out.Groups, g)
		}
	}
	for n, i := range free {
		p := m.payouts[i]
		around := near(p)
		byAmount := map[int64][]int{} // that stand before, so that a pair is found once
		for _, j := range around {
			rest, err := Add(p.Net, -m.lines[j].Amount)
			if err != nil {
				continue
			}
			for _, k := range byAmount[rest] {
				add(BankGroup{[]int64{p.Key}, []int64{m.lines[k].Key, m.lines[j].Key}})
			}
			byAmount[m.lines[j].Amount] = append(byAmount[m.lines[j].Amount], j)
		}
		for _, other := range free[n+1:] {
			q := m.payouts[other]
			sum, err := Add(p.Net, q.Net)
			if err != nil || q.Bank != p.Bank {
				continue
			}
			for _, j := range around {
				if m.lines[j].Amount == sum && m.inWindow(q, m.lines[j]) {
					add(BankGroup{[]int64{p.Key, q.Key}, []int64{m.lines[j].Key}})
				}
			}
		}
	}
}
