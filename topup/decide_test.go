package topup_test

import (
	"testing"

	"tolem/topup"
)

var (
	asked  = topup.Money{Amount: 10000, Currency: "KZT"}
	more   = topup.Money{Amount: 10001, Currency: "KZT"}
	most   = topup.Money{Amount: 100000, Currency: "KZT"} // that is credited as received
	absurd = topup.Money{Amount: 100001, Currency: "KZT"}
	rubel  = topup.Money{Amount: 10000, Currency: "RUB"}
)

// payment is one that was issued to the project, in the given status.
func payment(status topup.Status, change ...func(*topup.Payment)) *topup.Payment {
	p := &topup.Payment{
		ID: "p_1", Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "12345",
		Money: asked, Status: status,
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func credited(p *topup.Payment) { p.Credit = &topup.Credit{Money: asked, Operation: "27"} }
func creditedByOperator(p *topup.Payment) {
	p.Credit = &topup.Credit{Money: asked, ByOperator: true}
}
func boundAlready(p *topup.Payment) {
	p.Credit = &topup.Credit{Money: asked, ByOperator: true, Operation: "27"}
}
func creditReversed(p *topup.Payment) {
	p.Credit = &topup.Credit{Money: asked, ByOperator: true, Reversed: true}
}

// movedToSuspense is a provider's credit whose money an operator put back into
// suspense.
func movedToSuspense(p *topup.Payment) {
	credited(p)
	p.InSuspense = 1
}
func inSuspense(p *topup.Payment) { p.InSuspense = 1 }

func flagged(flags topup.Flags) func(*topup.Payment) {
	return func(p *topup.Payment) { p.Flags |= flags }
}

// opened is a payment of our own id, for money under an id we never issued.
func opened(p *topup.Payment) {
	p.CustomerID, p.ContractID = "", ""
	p.Flags = topup.FlagUnknownPayment
	p.InSuspense = 1
}

// movement is a callback that says that the payment's money has moved.
func movement(change ...func(*topup.Event)) topup.Event {
	e := topup.Event{
		Provider: "jetpay", Project: "1234", Reference: "p_1", Operation: "28",
		Outcome: topup.OutcomePaid, Sum: asked, Initial: asked, Complete: true, TopUp: true,
	}
	for _, c := range change {
		c(&e)
	}
	return e
}

func outcome(o topup.Outcome) func(*topup.Event) {
	return func(e *topup.Event) { e.Outcome = o }
}
func sum(m topup.Money) func(*topup.Event)     { return func(e *topup.Event) { e.Sum = m } }
func initial(m topup.Money) func(*topup.Event) { return func(e *topup.Event) { e.Initial = m } }
func reference(r string) func(*topup.Event)    { return func(e *topup.Event) { e.Reference = r } }
func foreignMethod(e *topup.Event)             { e.TopUp = false }
func unreadable(e *topup.Event)                { e.Complete = false }

func posted() *topup.PostedOperation {
	return &topup.PostedOperation{Reference: "p_1", Sum: asked, Initial: asked}
}

func enteredByOperator() *topup.PostedOperation {
	p := posted()
	p.ByOperator = true
	return p
}

// bookedRefund is an operation by which an operator has refunded what was asked.
func bookedRefund() *topup.PostedOperation {
	back := topup.Money{Amount: -asked.Amount, Currency: asked.Currency}
	return &topup.PostedOperation{Reference: "p_1", Sum: back, Initial: back, ByOperator: true}
}

// refund is a message that the operation gave so much back.
func refund(back topup.Money) topup.Event {
	return movement(outcome(topup.OutcomeRefunded), initial(back), func(e *topup.Event) { e.OwnOperation = true })
}

// TestRulesForMoney reads like the provider's rules: what a message meets,
// what arrives, what is done.
func TestRulesForMoney(t *testing.T) {
	const (
		pending, succeeded, declined  = topup.StatusPending, topup.StatusSucceeded, topup.StatusDeclined
		expired, review               = topup.StatusExpired, topup.StatusReview
		noStatus                      = topup.Status("")
		noFlags                       = topup.Flags(0)
		repeat, noted, alreadyPosted  = topup.DispositionRepeat, topup.DispositionNoted, topup.DispositionPosted
		credit, suspended, bound      = topup.DispositionCredited, topup.DispositionSuspended, topup.DispositionBound
		foreign, unreadableDispositon = topup.DispositionForeign, topup.DispositionUnreadable
	)
	tests := []struct {
		name   string
		state  topup.State
		event  topup.Event
		what   topup.Disposition
		status topup.Status
		flags  topup.Flags
		open   bool
		clears topup.Flags
	}{
		// Rule 3: a repeat has no effect, whatever it says.
		{"a repeat of a movement changes nothing", topup.State{Repeat: true, Payment: payment(succeeded, credited), Posted: posted()}, movement(), repeat, succeeded, noFlags, false, noFlags},
		{"a repeat of a decline changes nothing", topup.State{Repeat: true, Payment: payment(pending)}, movement(outcome(topup.OutcomeDeclined)), repeat, pending, noFlags, false, noFlags},
		{"a repeat about nothing of ours changes nothing", topup.State{Repeat: true}, movement(), repeat, noStatus, noFlags, false, noFlags},
		{"what was foreign and still is, is a repeat", topup.State{RepeatsForeign: true}, movement(foreignMethod), repeat, noStatus, noFlags, false, noFlags},
		{"a status that was foreign and still is, is a repeat", topup.State{RepeatsForeign: true}, movement(foreignMethod, outcome(topup.OutcomeDeclined)), repeat, noStatus, noFlags, false, noFlags},
		{"money that was foreign under other settings is judged anew", topup.State{RepeatsForeign: true}, movement(), suspended, review, topup.FlagUnknownPayment, true, noFlags},

		// A movement on a payment that was issued to the project.
		{"the asked sum is credited", topup.State{Payment: payment(pending)}, movement(), credit, succeeded, noFlags, false, noFlags},
		{"after a decline it is credited late", topup.State{Payment: payment(declined)}, movement(), credit, succeeded, topup.FlagLate, false, noFlags},
		{"after the expiry it is credited late", topup.State{Payment: payment(expired)}, movement(), credit, succeeded, topup.FlagLate, false, noFlags},
		{"out of review it is credited", topup.State{Payment: payment(review, inSuspense)}, movement(), credit, succeeded, noFlags, false, noFlags},
		{"a credit ends that the outcome is unknown", topup.State{Payment: payment(review, flagged(topup.FlagOutcomeUnknown))}, movement(), credit, succeeded, noFlags, false, topup.FlagOutcomeUnknown},
		{"after a refund it is credited, and the flag of the refund stays", topup.State{Payment: payment(review, flagged(topup.FlagRefund))}, movement(), credit, succeeded, noFlags, false, noFlags},
		{"after a reversal it is credited, and the flag of the reversal stays", topup.State{Payment: payment(review, flagged(topup.FlagReversal))}, movement(), credit, succeeded, noFlags, false, noFlags},
		{"credit does not ask for the payment's method", topup.State{Payment: payment(pending)}, movement(foreignMethod), credit, succeeded, noFlags, false, noFlags},

		// Rule 1: an operation posts once.
		{"an operation that has posted posts nothing", topup.State{Payment: payment(succeeded, credited), Posted: posted()}, movement(), alreadyPosted, succeeded, noFlags, false, noFlags},
		{"the same operation with another sum is a conflict", topup.State{Payment: payment(succeeded, credited), Posted: posted()}, movement(sum(more)), alreadyPosted, succeeded, topup.FlagConflict, false, noFlags},
		{"the same operation with another initial sum is a conflict", topup.State{Payment: payment(succeeded, credited), Posted: posted()}, movement(initial(more)), alreadyPosted, succeeded, topup.FlagConflict, false, noFlags},
		{"the same operation for another payment is a conflict on that one", topup.State{Payment: payment(pending), Posted: posted()}, movement(reference("p_2")), alreadyPosted, pending, topup.FlagConflict, false, noFlags},
		{"the same operation for nothing of ours is only stored", topup.State{Posted: posted()}, movement(reference("x")), alreadyPosted, noStatus, noFlags, false, noFlags},
		{"what an operator entered as it was posts nothing", topup.State{Payment: payment(pending), Posted: enteredByOperator()}, movement(), alreadyPosted, pending, noFlags, false, noFlags},
		{"what an operator entered for another payment puts this one into review", topup.State{Payment: payment(pending), Posted: enteredByOperator()}, movement(reference("p_2")), alreadyPosted, review, topup.FlagConflict, false, noFlags},
		{"what an operator entered with another sum puts the payment into review", topup.State{Payment: payment(declined), Posted: enteredByOperator()}, movement(sum(more)), alreadyPosted, review, topup.FlagConflict, false, noFlags},
		{"what an operator entered does not touch a credit", topup.State{Payment: payment(succeeded, credited), Posted: enteredByOperator()}, movement(sum(more)), alreadyPosted, succeeded, topup.FlagConflict, false, noFlags},

		// Money under an id that was not issued to this project.
		{"unknown id, our method: suspense under an id of our own", topup.State{}, movement(), suspended, review, topup.FlagUnknownPayment, true, noFlags},
		{"a further operation under that id joins it", topup.State{Payment: payment(review, opened)}, movement(), suspended, review, topup.FlagUnknownPayment, false, noFlags},
		{"a further operation after the first was assigned joins it and does not undo it", topup.State{Payment: payment(succeeded, opened)}, movement(), suspended, succeeded, topup.FlagUnknownPayment, false, noFlags},
		{"unknown id, another method: foreign", topup.State{}, movement(foreignMethod), foreign, noStatus, noFlags, false, noFlags},

		// Rule 2: a payment is credited once, whoever does it.
		{"an operator's credit takes the operation that comes later", topup.State{Payment: payment(succeeded, creditedByOperator)}, movement(), bound, succeeded, noFlags, false, noFlags},
		{"an operator's credit whose money he moved into suspense still takes the operation", topup.State{Payment: payment(review, creditedByOperator, inSuspense)}, movement(), bound, review, noFlags, false, noFlags},
		{"an operator's credit does not take another sum", topup.State{Payment: payment(succeeded, creditedByOperator)}, movement(sum(more)), suspended, succeeded, topup.FlagSecondOperation, false, noFlags},
		{"an operator's credit takes one operation only", topup.State{Payment: payment(succeeded, boundAlready)}, movement(), suspended, succeeded, topup.FlagSecondOperation, false, noFlags},
		{"an operator's credit that was reversed takes none: the money is kept", topup.State{Payment: payment(succeeded, creditReversed)}, movement(), suspended, succeeded, topup.FlagSecondOperation, false, noFlags},
		{"a second operation goes to suspense", topup.State{Payment: payment(succeeded, credited)}, movement(), suspended, succeeded, topup.FlagSecondOperation, false, noFlags},
		{"a second operation after the first credit was moved into suspense joins it there", topup.State{Payment: payment(review, movedToSuspense)}, movement(), suspended, review, topup.FlagSecondOperation, false, noFlags},
		{"money of a payment that was closed after its credit was reversed puts it into review", topup.State{Payment: payment(declined, creditReversed)}, movement(), suspended, review, topup.FlagSecondOperation, false, noFlags},

		// Everything else is kept and looked at.
		{"another sum goes to suspense", topup.State{Payment: payment(pending)}, movement(sum(more)), suspended, review, topup.FlagAmountDiffers, false, noFlags},
		{"another initial sum goes to suspense", topup.State{Payment: payment(pending)}, movement(initial(more)), suspended, review, topup.FlagAmountDiffers, false, noFlags},
		{"another currency goes to suspense", topup.State{Payment: payment(pending)}, movement(sum(rubel)), suspended, review, topup.FlagCurrencyDiffers, false, noFlags},
		{"another initial currency goes to suspense", topup.State{Payment: payment(pending)}, movement(initial(rubel)), suspended, review, topup.FlagCurrencyDiffers, false, noFlags},
		{"another sum after a decline goes to suspense and to review", topup.State{Payment: payment(declined)}, movement(sum(more)), suspended, review, topup.FlagAmountDiffers, false, noFlags},
		{"money in suspense ends that the outcome is unknown", topup.State{Payment: payment(pending, flagged(topup.FlagOutcomeUnknown))}, movement(sum(more)), suspended, review, topup.FlagAmountDiffers, false, topup.FlagOutcomeUnknown},

		// Rule 5: unreadable movements.
		{"an unreadable movement puts its payment into review", topup.State{Payment: payment(pending)}, movement(unreadable), unreadableDispositon, review, topup.FlagUnreadable, false, noFlags},
		{"an unreadable movement does not touch a credit", topup.State{Payment: payment(succeeded, credited)}, movement(unreadable), unreadableDispositon, succeeded, topup.FlagUnreadable, false, noFlags},
		{"an unreadable movement about nothing of ours is only stored", topup.State{}, movement(unreadable), unreadableDispositon, noStatus, noFlags, false, noFlags},
		{"an unreadable movement is not a conflict", topup.State{Payment: payment(pending), Posted: posted()}, movement(unreadable, sum(topup.Money{})), unreadableDispositon, review, topup.FlagUnreadable, false, noFlags},
		{"an unreadable movement does not end that the outcome is unknown", topup.State{Payment: payment(review, flagged(topup.FlagOutcomeUnknown))}, movement(unreadable), unreadableDispositon, review, topup.FlagUnreadable, false, noFlags},

		// Rule 5: paid without a movement.
		{"paid without a movement: pending goes to review", topup.State{Payment: payment(pending)}, movement(outcome(topup.OutcomePaidStatus)), noted, review, topup.FlagOutcomeUnknown, false, noFlags},
		{"paid without a movement: declined goes to review", topup.State{Payment: payment(declined)}, movement(outcome(topup.OutcomePaidStatus)), noted, review, topup.FlagOutcomeUnknown, false, noFlags},
		{"paid without a movement: expired goes to review", topup.State{Payment: payment(expired)}, movement(outcome(topup.OutcomePaidStatus)), noted, review, topup.FlagOutcomeUnknown, false, noFlags},
		{"paid without a movement says nothing new of a credit", topup.State{Payment: payment(succeeded, credited)}, movement(outcome(topup.OutcomePaidStatus)), noted, succeeded, noFlags, false, noFlags},
		{"paid without a movement says nothing new of money under an unknown id", topup.State{Payment: payment(review, opened)}, movement(outcome(topup.OutcomePaidStatus)), noted, review, noFlags, false, noFlags},
		{"paid without a movement about nothing of ours is stored", topup.State{}, movement(outcome(topup.OutcomePaidStatus)), noted, noStatus, noFlags, false, noFlags},

		// The status table.
		{"decline: pending becomes declined", topup.State{Payment: payment(pending)}, movement(outcome(topup.OutcomeDeclined)), noted, declined, noFlags, false, noFlags},
		{"decline: expired becomes declined", topup.State{Payment: payment(expired)}, movement(outcome(topup.OutcomeDeclined)), noted, declined, noFlags, false, noFlags},
		{"decline: succeeded stays", topup.State{Payment: payment(succeeded, credited)}, movement(outcome(topup.OutcomeDeclined)), noted, succeeded, noFlags, false, noFlags},
		{"decline: review stays while money is in suspense", topup.State{Payment: payment(review, inSuspense)}, movement(outcome(topup.OutcomeDeclined)), noted, review, noFlags, false, noFlags},
		{"decline: review stays after a movement that could not be read", topup.State{Payment: payment(review, flagged(topup.FlagUnreadable))}, movement(outcome(topup.OutcomeDeclined)), noted, review, noFlags, false, noFlags},
		{"decline: review stays after a refund", topup.State{Payment: payment(review, flagged(topup.FlagRefund))}, movement(outcome(topup.OutcomeDeclined)), noted, review, noFlags, false, noFlags},
		{"decline: review stays after a reversal", topup.State{Payment: payment(review, flagged(topup.FlagReversal))}, movement(outcome(topup.OutcomeDeclined)), noted, review, noFlags, false, noFlags},
		{"decline: review stays beside a credit", topup.State{Payment: payment(review, creditReversed)}, movement(outcome(topup.OutcomeDeclined)), noted, review, noFlags, false, noFlags},
		{"decline with an incomplete body still declines", topup.State{Payment: payment(pending)}, movement(outcome(topup.OutcomeDeclined), unreadable), noted, declined, noFlags, false, noFlags},
		{"refund of a credit is flagged", topup.State{Payment: payment(succeeded, credited)}, movement(outcome(topup.OutcomeRefunded)), noted, succeeded, topup.FlagRefund, false, noFlags},
		{"refund of what was never credited goes to review", topup.State{Payment: payment(pending)}, movement(outcome(topup.OutcomeRefunded)), noted, review, topup.FlagRefund, false, noFlags},
		{"reversal of a credit is flagged", topup.State{Payment: payment(succeeded, credited)}, movement(outcome(topup.OutcomeReversed)), noted, succeeded, topup.FlagReversal, false, noFlags},
		{"reversal of what was never credited goes to review", topup.State{Payment: payment(declined)}, movement(outcome(topup.OutcomeReversed)), noted, review, topup.FlagReversal, false, noFlags},
		{"decline: review stays after paid without a movement, and the outcome is known", topup.State{Payment: payment(review, flagged(topup.FlagOutcomeUnknown))}, movement(outcome(topup.OutcomeDeclined)), noted, review, noFlags, false, topup.FlagOutcomeUnknown},
		{"decline ends that the outcome is unknown", topup.State{Payment: payment(pending, flagged(topup.FlagOutcomeUnknown))}, movement(outcome(topup.OutcomeDeclined)), noted, declined, noFlags, false, topup.FlagOutcomeUnknown},
		{"processing does not end that the outcome is unknown", topup.State{Payment: payment(pending, flagged(topup.FlagOutcomeUnknown))}, movement(outcome(topup.OutcomeOpen)), noted, pending, noFlags, false, noFlags},
		{"a refund does not end that the outcome is unknown", topup.State{Payment: payment(pending, flagged(topup.FlagOutcomeUnknown))}, movement(outcome(topup.OutcomeRefunded)), noted, review, topup.FlagRefund, false, noFlags},
		{"processing leaves pending", topup.State{Payment: payment(pending)}, movement(outcome(topup.OutcomeOpen)), noted, pending, noFlags, false, noFlags},
		{"processing leaves declined", topup.State{Payment: payment(declined)}, movement(outcome(topup.OutcomeOpen)), noted, declined, noFlags, false, noFlags},
		{"a status about an unknown id is stored", topup.State{}, movement(outcome(topup.OutcomeDeclined)), noted, noStatus, noFlags, false, noFlags},
		{"a status about another method is foreign", topup.State{}, movement(outcome(topup.OutcomeDeclined), foreignMethod), foreign, noStatus, noFlags, false, noFlags},
		{"a status of an operation that has posted is judged as a status", topup.State{Payment: payment(succeeded, credited), Posted: posted()}, movement(outcome(topup.OutcomeRefunded)), noted, succeeded, topup.FlagRefund, false, noFlags},

		{"a refund that an operator has booked is not flagged", topup.State{Payment: payment(succeeded, credited), Posted: bookedRefund()}, refund(asked), alreadyPosted, succeeded, noFlags, false, noFlags},
		{"nor one whose sum cannot be read", topup.State{Payment: payment(succeeded, credited), Posted: bookedRefund()}, refund(topup.Money{}), alreadyPosted, succeeded, noFlags, false, noFlags},
		{"nor one whose message is of another operation than the refund's own", topup.State{Payment: payment(succeeded, credited), Posted: bookedRefund()}, movement(outcome(topup.OutcomeReversed), initial(more)), alreadyPosted, succeeded, noFlags, false, noFlags},
		{"one of another sum is a conflict", topup.State{Payment: payment(succeeded, credited), Posted: bookedRefund()}, refund(more), alreadyPosted, succeeded, topup.FlagConflict, false, noFlags},
		{"one of another payment is a conflict on that one", topup.State{Payment: payment(pending), Posted: bookedRefund()}, movement(outcome(topup.OutcomeRefunded), reference("p_2")), alreadyPosted, review, topup.FlagConflict, false, noFlags},
		{"one of nothing of ours is only stored", topup.State{Posted: bookedRefund()}, movement(outcome(topup.OutcomeRefunded), reference("x")), alreadyPosted, noStatus, noFlags, false, noFlags},
		{"a movement whose operation an operator booked as a refund is a conflict", topup.State{Payment: payment(pending), Posted: bookedRefund()}, movement(), alreadyPosted, review, topup.FlagConflict, false, noFlags},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := topup.Decide(tt.state, tt.event)
			want := topup.Decision{
				Disposition: tt.what, Open: tt.open, Status: tt.status, Flags: tt.flags, Settled: tt.clears,
				Contradicts: tt.what == topup.DispositionPosted && tt.flags.Has(topup.FlagConflict),
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// alert is a success of HighHelp, whose operation is the payment itself.
func alert(change ...func(*topup.Event)) topup.Event {
	e := movement(func(e *topup.Event) {
		e.Provider, e.Project, e.Operation = "highhelp", "57aff4db", "p_1"
		e.Amounts, e.MaxOver, e.ReportsState = topup.AmountReceived, 10, true
	})
	for _, c := range change {
		c(&e)
	}
	e.Initial = e.Sum
	return e
}

// TestReceivedAmountsAreCredited are the rules for a provider whose payer may
// send another sum than was asked (HighHelp, "Alerts").
func TestReceivedAmountsAreCredited(t *testing.T) {
	kzt := func(amount int64) func(*topup.Event) { return sum(topup.Money{Amount: amount, Currency: "KZT"}) }
	before := &topup.PostedOperation{Reference: "p_1", Sum: asked, Initial: asked}
	tests := []struct {
		name  string
		state topup.State
		event topup.Event
		want  topup.Decision
	}{
		{"the asked sum", topup.State{Payment: payment(topup.StatusPending)}, alert(),
			topup.Decision{Disposition: topup.DispositionCredited, Status: topup.StatusSucceeded}},
		{"less is credited and flagged", topup.State{Payment: payment(topup.StatusPending)}, alert(kzt(1)),
			topup.Decision{Disposition: topup.DispositionCredited, Status: topup.StatusSucceeded, Flags: topup.FlagAmountDiffers}},
		{"ten times as much is credited and flagged", topup.State{Payment: payment(topup.StatusPending)}, alert(kzt(100000)),
			topup.Decision{Disposition: topup.DispositionCredited, Status: topup.StatusSucceeded, Flags: topup.FlagAmountDiffers}},
		{"more than that is absurd", topup.State{Payment: payment(topup.StatusPending)}, alert(kzt(100001)),
			topup.Decision{Disposition: topup.DispositionSuspended, Status: topup.StatusReview, Flags: topup.FlagAmountDiffers}},
		{"another currency", topup.State{Payment: payment(topup.StatusPending)}, alert(sum(rubel)),
			topup.Decision{Disposition: topup.DispositionSuspended, Status: topup.StatusReview, Flags: topup.FlagCurrencyDiffers}},
		{"after a decline, another sum", topup.State{Payment: payment(topup.StatusDeclined)}, alert(kzt(9000)),
			topup.Decision{Disposition: topup.DispositionCredited, Status: topup.StatusSucceeded, Flags: topup.FlagLate | topup.FlagAmountDiffers}},
		{"a second success with another sum is a conflict", topup.State{Payment: payment(topup.StatusSucceeded, credited), Posted: before}, alert(kzt(9000)),
			topup.Decision{Disposition: topup.DispositionPosted, Status: topup.StatusSucceeded, Flags: topup.FlagConflict}},
		{"an operator's credit takes the success that comes later", topup.State{Payment: payment(topup.StatusSucceeded, creditedByOperator)}, alert(),
			topup.Decision{Disposition: topup.DispositionBound, Status: topup.StatusSucceeded}},
		{"what was received beside another sum that an operator credited is kept", topup.State{Payment: payment(topup.StatusSucceeded, creditedByOperator)}, alert(kzt(9000)),
			topup.Decision{Disposition: topup.DispositionSuspended, Status: topup.StatusSucceeded, Flags: topup.FlagAmountDiffers | topup.FlagConflict}},
		{"so is an absurd sum", topup.State{Payment: payment(topup.StatusSucceeded, creditedByOperator)}, alert(kzt(100001)),
			topup.Decision{Disposition: topup.DispositionSuspended, Status: topup.StatusSucceeded, Flags: topup.FlagAmountDiffers | topup.FlagConflict}},
		{"so is another currency", topup.State{Payment: payment(topup.StatusSucceeded, creditedByOperator)}, alert(sum(rubel)),
			topup.Decision{Disposition: topup.DispositionSuspended, Status: topup.StatusSucceeded, Flags: topup.FlagCurrencyDiffers | topup.FlagConflict}},
		{"an operator's credit that was reversed takes no success", topup.State{Payment: payment(topup.StatusReview, creditReversed)}, alert(kzt(9000)),
			topup.Decision{Disposition: topup.DispositionSuspended, Status: topup.StatusReview, Flags: topup.FlagSecondOperation}},
		{"an unknown payment", topup.State{}, alert(),
			topup.Decision{Disposition: topup.DispositionSuspended, Open: true, Status: topup.StatusReview, Flags: topup.FlagUnknownPayment}},
		{"a dispute may still be paid", topup.State{Payment: payment(topup.StatusPending)}, alert(outcome(topup.OutcomeDisputed)),
			topup.Decision{Disposition: topup.DispositionNoted, Status: topup.StatusPending, Flags: topup.FlagDispute}},
		{"a dispute reopens what was declined", topup.State{Payment: payment(topup.StatusDeclined)}, alert(outcome(topup.OutcomeDisputed)),
			topup.Decision{Disposition: topup.DispositionNoted, Status: topup.StatusPending, Flags: topup.FlagDispute}},
		{"a dispute does not touch a credit", topup.State{Payment: payment(topup.StatusSucceeded, credited)}, alert(outcome(topup.OutcomeDisputed)),
			topup.Decision{Disposition: topup.DispositionNoted, Status: topup.StatusSucceeded, Flags: topup.FlagDispute}},
		{"a decline ends a review for age alone", topup.State{Payment: payment(topup.StatusReview)}, alert(outcome(topup.OutcomeDeclined)),
			topup.Decision{Disposition: topup.DispositionNoted, Status: topup.StatusDeclined}},
		{"a decline ends it after a dispute, too", topup.State{Payment: payment(topup.StatusReview, flagged(topup.FlagDispute))}, alert(outcome(topup.OutcomeDeclined)),
			topup.Decision{Disposition: topup.DispositionNoted, Status: topup.StatusDeclined}},
		{"a decline ends it where the outcome was unknown, too", topup.State{Payment: payment(topup.StatusReview, flagged(topup.FlagOutcomeUnknown))}, alert(outcome(topup.OutcomeDeclined)),
			topup.Decision{Disposition: topup.DispositionNoted, Status: topup.StatusDeclined, Settled: topup.FlagOutcomeUnknown}},
		{"processing leaves a review", topup.State{Payment: payment(topup.StatusReview)}, alert(outcome(topup.OutcomeOpen)),
			topup.Decision{Disposition: topup.DispositionNoted, Status: topup.StatusReview}},
		{"a dispute leaves a review", topup.State{Payment: payment(topup.StatusReview)}, alert(outcome(topup.OutcomeDisputed)),
			topup.Decision{Disposition: topup.DispositionNoted, Status: topup.StatusReview, Flags: topup.FlagDispute}},
		{"processing after a decline leaves it declined", topup.State{Payment: payment(topup.StatusDeclined)}, alert(outcome(topup.OutcomeOpen)),
			topup.Decision{Disposition: topup.DispositionNoted, Status: topup.StatusDeclined}},
		{"any message shows that the provider has the payment, which was unknown", topup.State{Payment: payment(topup.StatusPending, flagged(topup.FlagOutcomeUnknown))}, alert(outcome(topup.OutcomeOpen)),
			topup.Decision{Disposition: topup.DispositionNoted, Status: topup.StatusPending, Settled: topup.FlagOutcomeUnknown}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Contradicts = tt.want.Disposition == topup.DispositionPosted && tt.want.Flags.Has(topup.FlagConflict)
			if got := topup.Decide(tt.state, tt.event); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestDecideNeverInventsMoney walks every combination of what a message can
// meet, and states what holds for all of them.
func TestDecideNeverInventsMoney(t *testing.T) {
	payments := []*topup.Payment{nil}
	for _, status := range topup.Statuses {
		for _, change := range []func(*topup.Payment){func(*topup.Payment) {}, credited, creditedByOperator, boundAlready, creditReversed, movedToSuspense, inSuspense, opened} {
			payments = append(payments, payment(status, change))
		}
	}
	outcomes := []topup.Outcome{topup.OutcomePaid, topup.OutcomeDeclined, topup.OutcomeRefunded, topup.OutcomeReversed, topup.OutcomeDisputed, topup.OutcomePaidStatus, topup.OutcomeOpen, "a new word"}
	judged := 0
	for _, p := range payments {
		for _, repeat := range []topup.State{{}, {Repeat: true}, {RepeatsForeign: true}} {
			for _, before := range []*topup.PostedOperation{nil, posted(), enteredByOperator()} {
				for _, o := range outcomes {
					for _, m := range []topup.Money{asked, more, most, absurd, rubel, {}} {
						for _, complete := range []bool{false, true} {
							for _, ours := range []bool{false, true} {
								s := topup.State{Repeat: repeat.Repeat, RepeatsForeign: repeat.RepeatsForeign, Payment: p, Posted: before}
								so := func(e *topup.Event) { e.Outcome, e.Sum, e.Complete, e.TopUp = o, m, complete, ours }
								for _, e := range []topup.Event{movement(so), alert(so)} {
									checkDecision(t, s, e, topup.Decide(s, e))
									judged++
								}
							}
						}
					}
				}
			}
		}
	}
	if judged < 20000 {
		t.Errorf("judged only %d combinations", judged)
	}
}

// mayBeCredited says of which sums a credit can be.
func mayBeCredited(e topup.Event, asked topup.Money) bool {
	if e.Amounts == topup.AmountReceived {
		return e.Sum.Currency == asked.Currency && e.Sum.Amount <= 10*asked.Amount
	}
	return e.Sum == asked && e.Initial == asked
}

func checkDecision(t *testing.T, s topup.State, e topup.Event, d topup.Decision) {
	t.Helper()
	moves := d.Disposition == topup.DispositionCredited || d.Disposition == topup.DispositionSuspended
	takes := moves || d.Disposition == topup.DispositionBound
	fresh := !s.Repeat && s.Posted == nil && e.Complete && e.Outcome == topup.OutcomePaid
	switch {
	case takes && !fresh:
		t.Errorf("%+v meets %+v: money moved for a message that is not a fresh, readable movement: %+v", e, s, d)
	case d.Disposition == topup.DispositionCredited && (s.Payment.Credit != nil || !mayBeCredited(e, s.Payment.Money) || !s.Payment.Issued()):
		t.Errorf("%+v meets %+v: a wrong credit: %+v", e, s, d)
	case fresh && s.Payment != nil && s.Payment.Issued() && !takes:
		t.Errorf("%+v meets %+v: money of a payment of ours was lost: %+v", e, s, d)
	case fresh && e.TopUp && !takes:
		t.Errorf("%+v meets %+v: money of our method was lost: %+v", e, s, d)
	case s.Payment != nil && s.Payment.Status == topup.StatusSucceeded && d.Status != topup.StatusSucceeded:
		t.Errorf("%+v meets %+v: succeeded changed: %+v", e, s, d)
	case s.Payment != nil && d.Status == "":
		t.Errorf("%+v meets %+v: the payment lost its status: %+v", e, s, d)
	case moves && d.Status != topup.StatusSucceeded && d.Status != topup.StatusReview:
		t.Errorf("%+v meets %+v: money that nobody looks at: %+v", e, s, d)
	case d.Flags.Has(topup.FlagOutcomeUnknown) && d.Status != topup.StatusReview:
		t.Errorf("%+v meets %+v: an unknown outcome that nobody looks at: %+v", e, s, d)
	case d.Open && s.Payment != nil:
		t.Errorf("%+v meets %+v: a second payment was opened: %+v", e, s, d)
	}
}
