package view

import (
	"tolem/bankfile"
	"tolem/store"
)

// BankImported is what became of a bank statement.
type BankImported struct {
	Bank       string          `json:"bank"`
	SHA256     string          `json:"sha256"`
	Statements []BankStatement `json:"statements"`
	Stored     int             `json:"stored"`
	Known      int             `json:"known"`
	Changed    []BankChange    `json:"changed"`
	Vanished   []BankLine      `json:"vanished"`
	Gaps       []BankGap       `json:"gaps"`
}

// BankStatement is a statement of the file.
type BankStatement struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Opening int64  `json:"opening"`
	Closing int64  `json:"closing"`
	Lines   int    `json:"lines"`
}

// BankLine is a line of a bank statement.
type BankLine struct {
	ID                  int64  `json:"id,omitempty"`       // of a kept line
	Row                 int    `json:"file_row,omitempty"` // of a line in a file
	Bank                string `json:"bank"`
	Day                 string `json:"day"`
	ValueDay            string `json:"value_day,omitempty"`
	Direction           string `json:"direction"` // in or out
	Amount              int64  `json:"amount"`
	Currency            string `json:"currency"`
	Number              string `json:"number,omitempty"`
	Reference           string `json:"reference,omitempty"`
	CounterpartyAccount string `json:"counterparty_account,omitempty"`
	CounterpartyName    string `json:"counterparty_name,omitempty"`
	CounterpartyID      string `json:"counterparty_id,omitempty"`
	PurposeCode         string `json:"purpose_code,omitempty"`
	Purpose             string `json:"purpose,omitempty"`
}

// BankChange is a line that the bank has changed.
type BankChange struct {
	Kept BankLine `json:"kept"`
	Now  BankLine `json:"now"`
}

// BankGap is a jump of the balance between two statements.
type BankGap struct {
	Before  string `json:"before"` // the last day of the one
	After   string `json:"after"`  // the first of the other
	Closing int64  `json:"closing"`
	Opening int64  `json:"opening"`
}

// BankLineOf shows a line of a bank account.
func BankLineOf(bank, currency string, id int64, l bankfile.Line) BankLine {
	return BankLine{
		ID: id, Row: l.Row, Bank: bank, Day: l.Day.String(), ValueDay: l.ValueDay.String(), Direction: string(l.Direction), Amount: l.Amount, Currency: currency,
		Number: l.Number, Reference: l.BankReference, CounterpartyAccount: l.CounterpartyAccount, CounterpartyName: l.CounterpartyName,
		CounterpartyID: l.CounterpartyID, PurposeCode: l.PurposeCode, Purpose: l.Purpose,
	}
}

// BankImportedOf shows what became of a statement.
func BankImportedOf(im store.BankImport, done store.BankImported) BankImported {
	currency := im.Account.Currency
	out := BankImported{
		Bank: im.Bank, SHA256: im.SHA256, Statements: []BankStatement{}, Stored: done.Stored, Known: done.Known,
		Changed: []BankChange{}, Vanished: []BankLine{}, Gaps: []BankGap{},
	}
	for _, s := range im.Statements {
		out.Statements = append(out.Statements, BankStatement{s.From.String(), s.To.String(), s.Opening, s.Closing, len(s.Lines)})
	}
	for _, c := range done.Changed {
		out.Changed = append(out.Changed, BankChange{BankLineOf(im.Bank, currency, c.Stored.ID, c.Stored.Line), BankLineOf(im.Bank, currency, 0, c.Now.Line)})
	}
	for _, l := range done.Vanished {
		out.Vanished = append(out.Vanished, BankLineOf(im.Bank, currency, l.ID, l.Line))
	}
	for _, g := range done.Gaps {
		out.Gaps = append(out.Gaps, BankGap{g.Before.String(), g.After.String(), g.Closing, g.Opening})
	}
	return out
}

// BankProposal is what there is to say of payouts and bank lines without a match.
type BankProposal struct {
	Applied   bool            `json:"applied"` // the matches are written down
	Matches   []BankMatch     `json:"matches"`
	Ambiguous []BankAmbiguity `json:"ambiguous"`
	Groups    []BankSumGroup  `json:"groups"`
	Open      []Payout        `json:"open"` // payouts for which nothing fits
}

// BankMatch is a payout and its line.
type BankMatch struct {
	Payout Payout   `json:"payout"`
	Line   BankLine `json:"line"`
	Named  bool     `json:"named"` // the line names the payout
}

// BankAmbiguity is a payout that several lines fit, or whose line fits others too.
type BankAmbiguity struct {
	Payout Payout     `json:"payout"`
	Lines  []BankLine `json:"lines"`
}

// BankSumGroup are payouts and lines whose sums fit together, but not one to one.
type BankSumGroup struct {
	Payouts []Payout   `json:"payouts"`
	Lines   []BankLine `json:"lines"`
}

// BankProposalOf shows a proposal.
func BankProposalOf(p store.BankProposal, applied bool) BankProposal {
	out := BankProposal{Applied: applied, Matches: []BankMatch{}, Ambiguous: []BankAmbiguity{}, Groups: []BankSumGroup{}, Open: []Payout{}}
	line := func(l store.BankLine) BankLine { return BankLineOf(l.Bank, l.Currency, l.ID, l.Line) }
	all := func(list []store.BankLine) []BankLine {
		shown := make([]BankLine, len(list))
		for i, l := range list {
			shown[i] = line(l)
		}
		return shown
	}
	for i := range p.Matches {
		out.Matches = append(out.Matches, BankMatch{PayoutOf(&p.Matches[i].Payout), line(p.Matches[i].Line), p.Matches[i].Named})
	}
	for i := range p.Ambiguous {
		out.Ambiguous = append(out.Ambiguous, BankAmbiguity{PayoutOf(&p.Ambiguous[i].Payout), all(p.Ambiguous[i].Lines)})
	}
	for _, g := range p.Groups {
		group := BankSumGroup{Lines: all(g.Lines)}
		for i := range g.Payouts {
			group.Payouts = append(group.Payouts, PayoutOf(&g.Payouts[i]))
		}
		out.Groups = append(out.Groups, group)
	}
	for i := range p.Open {
		out.Open = append(out.Open, PayoutOf(&p.Open[i]))
	}
	return out
}
