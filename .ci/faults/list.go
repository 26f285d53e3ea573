package main

// A fault is a plausible mistake in the code, and the test that must notice it.
type fault struct {
	name  string
	edits []edit
	// pkg and test are what is run; the test's name is as in go test -run, without ^$.
	pkg, test string
}

// An edit replaces text that occurs once in a file.
type edit struct{ file, old, new string }

func one(name, pkg, test, file, old, new string) fault {
	return fault{name, []edit{{file, old, new}}, pkg, test}
}

// faults are planted one at a time. Each compiles.
var faults = []fault{
	// The rules for money.
	one("a refund of more than is left of the credit", "./topup", "TestDecideRefund", "topup/refund.go",
		"if r.Amount > from.Left.Amount {", "if r.Amount > MaxAmount {"),
	one("a return of more than is left of the item", "./topup", "TestDecideReturnOfAPart", "topup/refund.go",
		"case r.Amount > i.Left.Amount:", "case r.Amount > MaxAmount:"),
	one("a payout whose postings do not balance", "./topup", "TestPayoutPostings", "topup/payout.go",
		"{FeesAccount(p.Provider, p.Project), p.Fees, p.Currency},", "{FeesAccount(p.Provider, p.Project), 2 * p.Fees, p.Currency},"),
	one("a payout whose figures do not add up", "./topup", "TestPayoutFigures", "topup/payout.go",
		"if left != f.Net {", "if left > f.Net {"),
	one("a payout posted twice", "./topup", "TestDecidePayout", "topup/payout.go",
		"	case PayoutDraft:\n	case PayoutPosted:\n", "	case PayoutDraft, PayoutPosted:\n	case \"\":\n"),
	one("a late decline hides a credit", "./topup", "TestRulesForMoney", "topup/decide.go",
		"if d.Status != StatusSucceeded && (d.Status != StatusReview || over) {", "if d.Status != StatusReview || over {"),
	one("an operation that has posted posts again", "./topup", "TestRulesForMoney", "topup/decide.go",
		"	case s.Posted != nil:\n		return decidePosted(s, e)", "	case s.Posted != nil && s.Posted.ByOperator:\n		return decidePosted(s, e)"),
	one("a second operation credits the payment again", "./topup", "TestRulesForMoney", "topup/decide.go",
		"case s.Payment.Credit != nil:", "case s.Payment.Credit != nil && s.Payment.Credit.ByOperator:"),
	one("a credit of another sum than was issued", "./topup", "TestRulesForMoney", "topup/decide.go",
		"case e.Sum == p.Money && e.Initial == p.Money, e.credits(p.Money):", "case e.Sum.Currency == p.Money.Currency, e.credits(p.Money):"),
	one("money is bound to a credit that was reversed", "./topup", "TestRulesForMoney", "topup/decide.go",
		"c.ByOperator && c.Operation == \"\" && !c.Reversed", "c.ByOperator && c.Operation == \"\""),
	one("an operator's credit beside money in suspense", "./topup", "TestDecideCredit", "topup/steps.go",
		"	case p.InSuspense > 0:\n		// A credit ahead", "	case p.InSuspense < 0:\n		// A credit ahead"),
	one("an assignment to another contract takes the credit", "./topup", "TestDecideAssign", "topup/steps.go",
		"if b.own(to) && b.Payment.Credit == nil {", "if b.Payment.Credit == nil {"),
	one("a transaction is reversed twice", "./topup", "TestDecideReverse", "topup/steps.go",
		"	if err := b.refuseReversed(t); err != nil {\n		return Step{}, err\n	}\n	root,", "	root,"),
	one("a sum that overflows", "./topup", "TestAddRefusesToOverflow", "topup/money.go",
		"(b > 0 && a > math.MaxInt64-b) || ", "(b > 0 && a == math.MaxInt64) || "),
	one("a recall of more than is left of the credit", "./topup", "TestDecideRecall", "topup/steps.go",
		"SuspenseAccount(p.Provider, p.Project), s.Left),", "SuspenseAccount(p.Provider, p.Project), p.Money),"),
	one("a provider's own credit is reversed", "./topup", "TestDecideReverse", "topup/steps.go",
		"	case root.Kind == KindCredit:\n", "	case root.Kind == KindCredit && !root.ByProvider():\n"),
	one("a suspense item is assigned twice", "./topup", "TestDecideAssign", "topup/steps.go",
		"	case ItemOpen:\n	case ItemReversed:", "	case ItemOpen, ItemAssigned:\n	case ItemReversed:"),
	one("a payout counts again whose lines another one has", "./topup", "TestDecideReversePayout", "topup/payout.go",
		"if b.Taken != \"\" {", "if b.Taken == \"everything\" {"),
	one("a movement that cannot be read whole is credited", "./topup", "TestRulesForMoney", "topup/decide.go",
		"case e.Outcome == OutcomePaid && !e.Complete:", "case e.Outcome == OutcomePaid && !e.Complete && !e.TopUp:"),

	// Signatures and messages.
	one("the canonical string sorted by whole lines instead of paths", "./signing", "TestCanonicalStringIsTheNaiveOne", "signing/order.go",
		"b.orders[0] = b.sortLines(b.orders[0], naturally)", "b.orders[0] = b.sortLines(b.orders[0], byLine)"),
	one("an alert's lines sorted in natural order", "./signing", "TestHighHelpCanonicalStringIsTheNaiveOne", "signing/highhelp.go",
		"b.orders[0] = b.sortLines(b.orders[0], byLine)", "b.orders[0] = b.sortLines(b.orders[0], naturally)"),
	one("any signature passes while secrets are rotated", "./signing", "TestVerifyTellsWhichKeySigned", "signing/verify.go",
		"if k.matches(message, signature) {", "if k.matches(message, signature) || len(keys) > 1 {"),
	one("a status is read in any case", "./jetpay", "TestTheStatusTable", "jetpay/event.go",
		"m.operationType.StringValue(), m.paymentStatus.StringValue(), m", "m.operationType.StringValue(), strings.ToLower(m.paymentStatus.StringValue()), m"),
	one("a part that was refunded goes unseen", "./jetpay", "TestTheStatusTable", "jetpay/event.go",
		"status == \"refunded\", status == \"partially refunded\", refund", "status == \"refunded\", refund"),
	one("a decline that may still be paid is final", "./jetpay", "TestTheStatusTable", "jetpay/event.go",
		"case isDecline(status) && !leavesOpen(m.code):", "case isDecline(status) && !refund:"),
	one("two operations are taken for a repeat", "./jetpay", "TestARepeatIsWhatTheRulesCallOne", "jetpay/event.go",
		"m.paymentID, m.paymentStatus, m.operationID, m.operationStatus,", "m.paymentID, m.paymentStatus, m.operationStatus,"),

	// What is written, and when it is acknowledged.
	{"NORMAL instead of FULL, and nobody asserts it", []edit{
		{"store/internal/sqlite/driver_purego.go", `"synchronous(FULL)"`, `"synchronous(NORMAL)"`},
		{"store/internal/sqlite/driver_cgo.go", `"_synchronous":  {"FULL"}`, `"_synchronous":  {"NORMAL"}`},
		{"store/internal/sqlite/connection.go", `{"synchronous", "2"}`, `{"synchronous", "1"}`},
	}, "./store", "TestPowerCut/LosesNothingThatWasAcknowledged"},
	one("an import of a short file closes everybody", "./store", "TestImportOfAShortFileDoesNotCloseEverybody", "store/internal/accounts/limit.go",
		"closed <= open/100*l.Percent+open%100*l.Percent/100 ||", "closed <= open ||"),

	// The whole program beside the model.
	one("another sum than was asked is credited", "./proof", "TestTheServerDoesWhatTheModelDoes", "topup/decide.go",
		"case e.Sum == p.Money && e.Initial == p.Money, e.credits(p.Money):", "case e.Sum.Currency == p.Money.Currency, e.credits(p.Money):"),
	one("a forged callback is taken", "./proof", "TestTheServerDoesWhatTheModelDoes", "signing/verify.go",
		"if k.matches(message, signature) {", "if k.matches(message, signature) || len(keys) > 0 {"),
	one("what an operator credits has not succeeded", "./proof", "TestTheServerDoesWhatTheModelDoes", "topup/book.go",
		"		p.Status = StatusSucceeded\n		p.Flags &^= FlagOutcomeUnknown // an operator knows it\n", "		p.Flags &^= FlagOutcomeUnknown // an operator knows it\n"),
	one("nobody is notified of a review", "./proof", "TestTheServerDoesWhatTheModelDoes", "topup/notification.go",
		"	case StatusReview:\n		return EventReview\n", "	case StatusReview:\n		return \"\"\n"),
}
