package commands

import (
	"strings"
	"time"

	"tolem/calendar"
	"tolem/sheet"
	"tolem/store"
	"tolem/topup"
)

// posting is a line of the journal as a table has it.
type posting struct {
	of  topup.Transaction
	day calendar.Day // on which it counts
	topup.Posting
}

// journalTable are the postings of the journal.
func journalTable(zone *time.Location) sheet.Table[posting] {
	return sheet.Table[posting]{Name: "journal", Zone: zone, Columns: []sheet.Column[posting]{
		{Heading: "seq", Width: 12, Of: func(p posting) sheet.Value { return sheet.Count(p.of.Seq) }},
		{Heading: "date", Width: 12, Of: func(p posting) sheet.Value { return sheet.Day(p.day) }},
		sheet.TextColumn("transaction_id", 30, func(p posting) string { return p.of.ID }),
		sheet.TextColumn("kind", 14, func(p posting) string { return string(p.of.Kind) }),
		sheet.TextColumn("payment_id", 30, func(p posting) string { return p.of.PaymentID }),
		sheet.TimeColumn("effective_at", func(p posting) time.Time { return p.of.EffectiveAt }),
		sheet.TimeColumn("recorded_at", func(p posting) time.Time { return p.of.RecordedAt }),
		sheet.TextColumn("account", 36, func(p posting) string { return p.Account }),
		{Heading: "amount", Width: 16, Of: func(p posting) sheet.Value { return sheet.Amount(p.Amount, p.Currency) }},
		sheet.TextColumn("currency", 9, func(p posting) string { return p.Currency }),
		{Heading: "amount_major", CSVOnly: true, Of: func(p posting) sheet.Value { return sheet.Major(p.Amount, p.Currency) }},
		sheet.TextColumn("actor", 14, func(p posting) string { return p.of.Actor }),
		sheet.TextColumn("reason", 40, func(p posting) string { return p.of.Reason }),
		sheet.TextColumn("reverses", 30, func(p posting) string { return p.of.Reverses }),
		sheet.TextColumn("resolves", 30, func(p posting) string { return p.of.Resolves }),
		sheet.TextColumn("approved_by", 14, func(p posting) string { return p.of.ApprovedBy }),
		sheet.TextColumn("payout_id", 20, func(p posting) string { return p.of.PayoutID }),
	}}
}

// paymentTable are payments.
func paymentTable(zone *time.Location) sheet.Table[*topup.Payment] {
	type payment = *topup.Payment
	credited := func(of func(topup.Credited) sheet.Value) func(payment) sheet.Value {
		return func(p payment) sheet.Value {
			if p.Credited == nil {
				return sheet.Value{}
			}
			return of(*p.Credited)
		}
	}
	return sheet.Table[payment]{Name: "payments", Zone: zone, Columns: []sheet.Column[payment]{
		sheet.TextColumn("payment_id", 30, func(p payment) string { return p.ID }),
		sheet.TimeColumn("created_at", func(p payment) time.Time { return p.CreatedAt }),
		sheet.TextColumn("status", 11, func(p payment) string { return string(p.Status) }),
		sheet.TextColumn("flags", 16, func(p payment) string { return strings.Join(p.Flags.Names(), " ") }),
		sheet.TextColumn("customer_id", 18, func(p payment) string { return p.CustomerID }),
		sheet.TextColumn("entity_id", 14, func(p payment) string { return p.ContractID }),
		sheet.TextColumn("entity_number", 30, func(p payment) string { return p.ContractNumber }),
		{Heading: "amount", Width: 16, Of: func(p payment) sheet.Value { return sheet.Amount(p.Money.Amount, p.Money.Currency) }},
		sheet.TextColumn("currency", 9, func(p payment) string { return p.Money.Currency }),
		{Heading: "amount_major", CSVOnly: true, Of: func(p payment) sheet.Value { return sheet.Major(p.Money.Amount, p.Money.Currency) }},
		{Heading: "credited", Width: 16, Of: credited(func(c topup.Credited) sheet.Value { return sheet.Amount(c.Money.Amount, c.Money.Currency) })},
		{Heading: "credited_currency", Width: 9, Of: credited(func(c topup.Credited) sheet.Value { return sheet.Text(c.Money.Currency) })},
		{Heading: "credited_at", Of: credited(func(c topup.Credited) sheet.Value { return sheet.Time(c.At) })},
		{Heading: "refunded", Width: 16, Of: func(p payment) sheet.Value {
			if p.Refunded.IsZero() {
				return sheet.Value{}
			}
			return sheet.Amount(p.Refunded.Amount, p.Refunded.Currency)
		}},
		sheet.TextColumn("payout_id", 20, func(p payment) string { return p.PayoutID }),
		sheet.TextColumn("provider", 10, func(p payment) string { return p.Provider }),
		sheet.TextColumn("project_id", 12, func(p payment) string { return p.Project }),
		sheet.TextColumn("payment_method", 18, func(p payment) string { return p.Method }),
		sheet.TextColumn("operation_id", 22, func(p payment) string { return p.OperationID }),
		sheet.TextColumn("provider_payment_id", 22, func(p payment) string { return p.ProviderPaymentID }),
		sheet.TextColumn("provider_reference", 22, func(p payment) string { return p.ProviderReference }),
		sheet.TextColumn("provider_status", 16, func(p payment) string { return p.ProviderStatus }),
		sheet.TimeColumn("provider_time", func(p payment) time.Time { return p.ProviderTime }),
	}}
}

// amountColumn is a column of amounts.
func amountColumn[R any](heading string, of func(R) (int64, string)) sheet.Column[R] {
	return sheet.Column[R]{Heading: heading, Width: 16, Of: func(r R) sheet.Value { return sheet.Amount(of(r)) }}
}

// payoutTable are payouts without their lines.
func payoutTable(zone *time.Location) sheet.Table[*store.Payout] {
	type payout = *store.Payout
	amount := func(heading string, of func(payout) int64) sheet.Column[payout] {
		return amountColumn(heading, func(p payout) (int64, string) { return of(p), p.Currency })
	}
	return sheet.Table[payout]{Name: "payouts", Zone: zone, Columns: []sheet.Column[payout]{
		sheet.TextColumn("payout_id", 20, func(p payout) string { return p.ID }),
		sheet.TextColumn("status", 11, func(p payout) string { return string(p.State) }),
		{Heading: "date", Width: 12, Of: func(p payout) sheet.Value { return dayValue(p.Date) }},
		sheet.TextColumn("provider", 10, func(p payout) string { return p.Provider }),
		sheet.TextColumn("project_id", 12, func(p payout) string { return p.Project }),
		sheet.TextColumn("bank", 14, func(p payout) string { return p.Bank }),
		amount("gross", func(p payout) int64 { return p.Gross }),
		amount("refunds", func(p payout) int64 { return p.Refunds }),
		amount("fees", func(p payout) int64 { return p.Fees }),
		amount("reserve", func(p payout) int64 { return p.Reserve }),
		amount("adjustments", func(p payout) int64 { return p.Adjustments }),
		amount("net", func(p payout) int64 { return p.Net }),
		sheet.TextColumn("currency", 9, func(p payout) string { return p.Currency }),
		{Heading: "line_count", Width: 10, Of: func(p payout) sheet.Value { return sheet.Count(p.Lines) }},
		sheet.TextColumn("file", 24, func(p payout) string { return p.File }),
		sheet.TimeColumn("created_at", func(p payout) time.Time { return p.CreatedAt }),
	}}
}

// dayValue is a day that is kept as a text.
func dayValue(text string) sheet.Value {
	day, err := calendar.ParseDay(text)
	if err != nil {
		return sheet.Text(text)
	}
	return sheet.Day(day)
}

// settlementTable is what platforms owe, with what no payout has named by its age.
func settlementTable(zone *time.Location) sheet.Table[*store.Settlement] {
	type row = *store.Settlement
	amount := func(heading string, of func(row) int64) sheet.Column[row] {
		return amountColumn(heading, func(s row) (int64, string) { return of(s), s.Currency })
	}
	columns := []sheet.Column[row]{
		sheet.TextColumn("provider", 10, func(s row) string { return s.Provider }),
		sheet.TextColumn("project_id", 12, func(s row) string { return s.Project }),
		sheet.TextColumn("currency", 9, func(s row) string { return s.Currency }),
		amount("credited", func(s row) int64 { return s.Credited }),
		amount("refunded", func(s row) int64 { return s.Refunded }),
		amount("paid_out", func(s row) int64 { return s.PaidOut }),
		amount("fees", func(s row) int64 { return s.Fees }),
		amount("reserve", func(s row) int64 { return s.Reserve }),
		amount("adjustments", func(s row) int64 { return s.Adjustments }),
		amount("owed", func(s row) int64 { return s.Owed }),
		amount("suspense", func(s row) int64 { return s.Suspense }),
	}
	for i, age := range store.UnpaidAges {
		columns = append(columns,
			sheet.Column[row]{Heading: "unpaid_count_" + age, Width: 12, Of: func(s row) sheet.Value { return sheet.Count(int64(s.Unpaid[i].Count)) }},
			amount("unpaid_"+age, func(s row) int64 { return s.Unpaid[i].Sum }))
	}
	return sheet.Table[row]{Name: "settlement", Zone: zone, Columns: columns}
}
