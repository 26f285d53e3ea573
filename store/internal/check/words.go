package check

import (
	"slices"
	"strconv"
	"strings"

	"tolem/topup"
)

// domainWords are the names in braces by which queries call the domain's kinds,
// flags and states, each with its SQL: {kinds.credit} stands for the list of all
// kinds that credit. So a query repeats no rule of the domain, and a new kind is
// told in topup alone.
var domainWords = map[string]string{
	// the table whose rows a rule walks over: see ordinary.go
	"each.transaction": "transactions",
	"each.entry":       "entries",
	"each.operation":   "operations",
	"each.payment":     "payments",
	"each.message":     "messages",

	"kinds.by_message":      sqlList(topup.KindsByMessage),
	"kinds.by_operation":    sqlList(topup.KindsByOperation),
	"kinds.entered":         sqlList(topup.KindsEntered),
	"kinds.credit":          sqlList(topup.KindsThatCredit),
	"kinds.credit_own":      sqlList(topup.KindsThatCreditOwn),
	"kinds.open_items":      sqlList(topup.KindsThatOpenItems),
	"kinds.resolve":         sqlList(topup.KindsThatResolve),
	"kinds.from_settlement": sqlList(topup.KindsFromSettlement),
	"kinds.to_settlement":   sqlList(topup.KindsToSettlement),
	"kinds.of_payouts":      sqlList(topup.KindsOfPayouts),
	"kinds.pay_back":        sqlList(topup.KindsThatPayBack),
	"kinds.take":            sqlList(topup.KindsThatTake),
	"kinds.reverse":         sqlList(topup.KindsThatReverse),

	"kind.credit":        sqlText(topup.KindCredit),
	"kind.suspense":      sqlText(topup.KindSuspense),
	"kind.manual_credit": sqlText(topup.KindManualCredit),
	"kind.assignment":    sqlText(topup.KindAssignment),
	"kind.refund":        sqlText(topup.KindRefund),
	"kind.return":        sqlText(topup.KindReturn),

	"item.open":     sqlText(topup.ItemOpen),
	"item.returned": sqlText(topup.ItemReturned),
	"item.reversed": sqlText(topup.ItemReversed),
	// the state in which transaction t leaves the item that it resolves
	"t.resolved": sqlCase("t.kind", topup.KindsThatResolve, topup.TransactionKind.Resolved),
	// the kind of transaction to which message m belongs
	"m.made": sqlCase("m.disposition", slices.DeleteFunc(slices.Clone(topup.Dispositions), func(d topup.Disposition) bool { return d.Made() == "" }), topup.Disposition.Made),

	"disposition.bound":    sqlText(topup.DispositionBound),
	"disposition.credited": sqlText(topup.DispositionCredited),

	"status.succeeded": sqlText(topup.StatusSucceeded),
	"status.review":    sqlText(topup.StatusReview),

	"flag.refunded":             sqlFlags(topup.FlagRefunded),
	"flag.reversed":             sqlFlags(topup.FlagReversed),
	"flags.bound_other_sum":     sqlFlags(topup.FlagsBoundOtherSum),
	"flag.credited_other_sum":   sqlFlags(topup.FlagCreditedOtherSum),
	"provider.credits_received": sqlText(topup.ReceivingProvider),
}

// inWords puts the domain's words into a query. A name that is not one of them
// stays, braces and all, which no database accepts.
func inWords(query string) string {
	pairs := make([]string, 0, 2*len(domainWords))
	for name, sql := range domainWords {
		pairs = append(pairs, "{"+name+"}", sql)
	}
	return strings.NewReplacer(pairs...).Replace(query)
}

func sqlText[T ~string](value T) string { return "'" + string(value) + "'" }

func sqlFlags(f topup.Flags) string { return strconv.FormatUint(uint64(f), 10) }

func sqlList[T ~string](values []T) string {
	list := make([]string, len(values))
	for i, value := range values {
		list[i] = sqlText(value)
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// sqlCase is the SQL of a function from values of a column to texts.
func sqlCase[T, U ~string](column string, values []T, of func(T) U) string {
	var text strings.Builder
	text.WriteString("CASE " + column)
	for _, value := range values {
		text.WriteString(" WHEN " + sqlText(value) + " THEN " + sqlText(of(value)))
	}
	text.WriteString(" END")
	return text.String()
}
