package topup_test

import (
	"fmt"
	"strings"
	"testing"

	"tolem/topup"
)

func TestDecideRecord(t *testing.T) {
	account := &topup.Account{CustomerID: "7", Currency: "KZT", Contracts: []topup.Contract{{ID: "1"}}}
	jetpay := topup.RecordRequest{Provider: "jetpay", Project: "1", CustomerID: "7", ContractID: "1", Money: topup.Money{Amount: 500, Currency: "KZT"}, Operation: "28"}
	highhelp := jetpay
	highhelp.Provider, highhelp.Operation, highhelp.Reference = topup.PayinProvider, "", "theirs"
	byReference, byOperation := highhelp, jetpay
	byReference.Provider, byOperation.Provider = jetpay.Provider, highhelp.Provider
	anyway := jetpay
	anyway.Anyway = true
	with := func(r topup.RecordRequest, change func(*topup.RecordRequest)) topup.RecordRequest {
		change(&r)
		return r
	}
	known := func(change func(*topup.Payment)) *topup.Payment {
		p := &topup.Payment{ID: "p", CustomerID: "7", ContractID: "1", Recorded: true, Credit: &topup.Credit{Reversed: true}}
		change(p)
		return p
	}
	const (
		credited       = "manual_credit 500 settlement to own; is the one credit"
		creditedJetpay = "manual_credit 500 settlement:jetpay:1 to own; is the one credit"
	)
	for _, row := range []struct {
		sentence      string
		request       topup.RecordRequest
		state         topup.RecordState
		step, refused string
	}{
		{"an operation that no message told of is credited, and counts as posted", jetpay, topup.RecordState{Account: account}, creditedJetpay + "; by operation 28", ""},
		{"so is a reference, whose success can be bound to it", highhelp, topup.RecordState{Account: account}, credited, ""},
		{"not an operation that has posted", jetpay, topup.RecordState{Account: account, Posted: &topup.PostedOperation{}}, "", "operation 28 has posted already"},
		{"not while a payment of the same contract and sum waits", jetpay, topup.RecordState{Account: account, Waiting: "p9"}, "", "payment p9 of the same contract and sum waits"},
		{"unless the operator says that it is another", anyway, topup.RecordState{Account: account, Waiting: "p9"}, creditedJetpay + "; by operation 28", ""},
		{"not a reference that we issued", highhelp, topup.RecordState{Account: account, Known: known(func(p *topup.Payment) { p.Recorded, p.Credit = false, nil })}, "", "use payments credit"},
		{"not a reference under which money came", highhelp, topup.RecordState{Account: account, Known: known(func(p *topup.Payment) { p.CustomerID, p.Credit, p.InSuspense = "", nil, 1 })}, "", "has posted already: see payments show p"},
		{"not one that was recorded", highhelp, topup.RecordState{Account: account, Known: known(func(p *topup.Payment) { p.Credit.Reversed = false })}, "", "has posted already"},
		{"but one whose record was reversed", highhelp, topup.RecordState{Account: account, Known: known(func(*topup.Payment) {})}, credited, ""},
		{"not while money under it lies in suspense", highhelp, topup.RecordState{Account: account, Known: known(func(p *topup.Payment) { p.InSuspense = 1 })}, "", "has posted already"},
		{"not when its success is stored: that is suspended", highhelp, topup.RecordState{Account: account, Known: known(func(p *topup.Payment) { p.Credit.Operation = "theirs" })}, "", "use messages suspend"},
		{"not by a reference, where payments have several movements", byReference, topup.RecordState{Account: account}, "", "operation must be given"},
		{"not by an operation, where movements have no ids", byOperation, topup.RecordState{Account: account}, "", "reference must be given"},
		{"the smallest sum", with(jetpay, func(r *topup.RecordRequest) { r.Money.Amount = 1 }), topup.RecordState{Account: account}, "manual_credit 1 settlement:jetpay:1 to own; is the one credit; by operation 28", ""},
		{"the greatest sum", with(jetpay, func(r *topup.RecordRequest) { r.Money.Amount = topup.MaxAmount }), topup.RecordState{Account: account},
			fmt.Sprintf("manual_credit %d settlement:jetpay:1 to own; is the one credit; by operation 28", topup.MaxAmount), ""},
		{"not nothing", with(jetpay, func(r *topup.RecordRequest) { r.Money.Amount = 0 }), topup.RecordState{Account: account}, "", "amount must be between 1 and"},
		{"not more than any sum", with(jetpay, func(r *topup.RecordRequest) { r.Money.Amount = topup.MaxAmount + 1 }), topup.RecordState{Account: account}, "", "amount must be between 1 and"},
		{"an operation of 19 digits", with(jetpay, func(r *topup.RecordRequest) { r.Operation = strings.Repeat("9", 19) }), topup.RecordState{Account: account}, creditedJetpay + "; by operation " + strings.Repeat("9", 19), ""},
		{"none of 20", with(jetpay, func(r *topup.RecordRequest) { r.Operation = strings.Repeat("9", 20) }), topup.RecordState{Account: account}, "", "operation must be"},
		{"a reference of 255 bytes", with(highhelp, func(r *topup.RecordRequest) { r.Reference = strings.Repeat("r", 255) }), topup.RecordState{Account: account}, credited, ""},
		{"none of 256", with(highhelp, func(r *topup.RecordRequest) { r.Reference = strings.Repeat("r", 256) }), topup.RecordState{Account: account}, "", "reference must be at most 255 bytes"},
		{"nor one that is no text", with(highhelp, func(r *topup.RecordRequest) { r.Reference = "a\xff" }), topup.RecordState{Account: account}, "", "reference must be at most 255 bytes"},
		{"not for an account that does not exist", jetpay, topup.RecordState{}, "", "account does not exist"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			got, err := stepOf(topup.DecideRecord(row.request, row.state))
			if row.refused != "" {
				wantRefusal(t, err, row.refused)
			} else if err != nil || got != row.step {
				t.Errorf("got %s, %v; want %s", got, err, row.step)
			}
		})
	}
}

func TestDecideSuspend(t *testing.T) {
	money := func(amount int64) topup.Money { return topup.Money{Amount: amount, Currency: "KZT"} }
	movement := topup.Event{Provider: "highhelp", Project: "1", Reference: "r", Operation: "28", Outcome: topup.OutcomePaid, Sum: money(10000)}
	success := movement
	success.ReportsState, success.Operation = true, "r"
	with := func(e topup.Event, change func(*topup.Event)) topup.Event { change(&e); return e }
	byEye := topup.SuspendRequest{Amount: 500, Currency: "KZT"}
	posted, entered := &topup.PostedOperation{}, &topup.PostedOperation{ByOperator: true}
	for _, row := range []struct {
		sentence, book string
		event          topup.Event
		request        topup.SuspendRequest
		state          topup.SuspendState
		step, refused  string
	}{
		{sentence: "what a movement tells of", event: movement, step: "suspense 10000 by 28 of r"},
		{sentence: "a part of it", event: movement, request: byEye, step: "suspense 500 by 28 of r"},
		{sentence: "not more than it", event: movement, request: topup.SuspendRequest{Amount: 10001}, refused: "must be at most 10000"},
		{sentence: "not other money", event: movement, request: topup.SuspendRequest{Amount: 1, Currency: "KGS"}, refused: "currency is KZT in this message"},
		{sentence: "a sum that the operator has read", event: with(movement, func(e *topup.Event) { e.Sum = topup.Money{} }), request: byEye, step: "suspense 500 by 28 of r"},
		{sentence: "however small", event: with(movement, func(e *topup.Event) { e.Sum = topup.Money{} }), request: topup.SuspendRequest{Amount: 1, Currency: "KZT"}, step: "suspense 1 by 28 of r"},
		{sentence: "or great", event: with(movement, func(e *topup.Event) { e.Sum = topup.Money{} }), request: topup.SuspendRequest{Amount: topup.MaxAmount, Currency: "KZT"},
			step: fmt.Sprintf("suspense %d by 28 of r", topup.MaxAmount)},
		{sentence: "but not beyond all sums", event: with(movement, func(e *topup.Event) { e.Sum = topup.Money{} }), request: topup.SuspendRequest{Amount: topup.MaxAmount + 1, Currency: "KZT"}, refused: "amount must be given"},
		{sentence: "which must be given", event: with(movement, func(e *topup.Event) { e.Sum = topup.Money{} }), refused: "amount must be given"},
		{sentence: "an operation that the operator has read", event: with(movement, func(e *topup.Event) { e.Operation, e.Reference = "", "" }),
			request: topup.SuspendRequest{Operation: "30"}, step: "suspense 10000 by 30 of operation 30"},
		{sentence: "which must be given too", event: with(movement, func(e *topup.Event) { e.Operation = "" }), refused: "operation must be given"},
		{sentence: "and not be another than the message has", event: movement, request: topup.SuspendRequest{Operation: "29"}, refused: "operation is another in this message"},
		{sentence: "a reference that the operator has read", event: with(success, func(e *topup.Event) { e.Operation, e.Reference = "", "" }),
			request: topup.SuspendRequest{Reference: "r2"}, step: "suspense 10000 by r2 of r2"},
		{sentence: "which must be given as well", event: with(success, func(e *topup.Event) { e.Operation, e.Reference = "", "" }), refused: "reference must be given"},
		{sentence: "never what may be cut from other signed text", event: with(movement, func(e *topup.Event) { e.MaybeCut = true }), request: byEye, refused: "payments record"},
		{sentence: "nothing of a message that tells of no money", event: with(movement, func(e *topup.Event) { e.Outcome = topup.OutcomeDeclined }), refused: "no money that was paid"},
		{sentence: "nothing of a repeat", event: movement, state: topup.SuspendState{Disposition: topup.DispositionRepeat}, refused: "suspend that one"},
		{sentence: "nothing of what was credited when it came", event: movement, state: topup.SuspendState{Disposition: topup.DispositionCredited}, refused: "has posted"},
		{sentence: "nothing twice", event: movement, state: topup.SuspendState{Suspended: true}, refused: "already"},
		{sentence: "nothing of an operation that has posted", event: movement, state: topup.SuspendState{Posted: posted}, refused: "operation 28 has posted already"},
		{sentence: "nor of one that an operator entered", event: movement, state: topup.SuspendState{Posted: entered}, refused: "reverse that step first"},

		{sentence: "nothing that an operator has credited ahead of it", book: "manual", event: movement, refused: "dismiss the message"},
		{sentence: "but another sum than that", book: "manual", event: with(movement, func(e *topup.Event) { e.Sum = money(9000) }), step: "suspense 9000 by 28 of r"},

		{sentence: "HighHelp: its sum, when nothing has posted", book: "pending", event: success, step: "suspense 10000 by r of r"},
		{sentence: "HighHelp: what it adds to a credit", book: "credit 7000", event: success, state: topup.SuspendState{Posted: posted, Message: 9}, step: "suspense 3000 by r#9 of r"},
		{sentence: "HighHelp: and to what lies, or lay, in suspense", book: "suspense 4000, suspense 1000, return t2", event: success, state: topup.SuspendState{Posted: posted, Message: 9}, step: "suspense 5000 by r#9 of r"},
		{sentence: "HighHelp: and to what was suspended before", book: "credit 7000, suspended 2000", event: success, state: topup.SuspendState{Posted: posted, Message: 9}, step: "suspense 1000 by r#9 of r"},
		{sentence: "HighHelp: but not to a suspension that was reversed", book: "credit 7000, suspended 2000, reverse t2", event: success, state: topup.SuspendState{Posted: posted, Message: 9}, step: "suspense 3000 by r#9 of r"},
		{sentence: "HighHelp: a bound credit counts", book: "bound", event: success, state: topup.SuspendState{Posted: posted}, refused: "have posted 100.00 KZT already"},
		{sentence: "HighHelp: not a bound one that was reversed", book: "bound, reverse t1", event: success, step: "suspense 10000 by r of r"},
		{sentence: "HighHelp: nor one to which nothing is bound", book: "manual", event: success, step: "suspense 10000 by r of r"},
		{sentence: "HighHelp: a recall takes nothing off what was posted", book: "credit, recall t1, return t2", event: success, state: topup.SuspendState{Posted: posted}, refused: "which is all that this message tells of"},
		{sentence: "HighHelp: nothing at all when less was told of", book: "credit 12000", event: success, state: topup.SuspendState{Posted: posted}, refused: "have posted 120.00 KZT already"},
		{sentence: "HighHelp: at most what it adds", book: "credit 7000", event: success, request: topup.SuspendRequest{Amount: 3001}, state: topup.SuspendState{Posted: posted}, refused: "must be at most 3000"},
		{sentence: "HighHelp: other money is counted by itself", book: "credit 7000", event: with(success, func(e *topup.Event) { e.Sum.Currency = "KGS" }), state: topup.SuspendState{Posted: posted, Message: 9}, step: "suspense 10000 by r#9 of r"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			if row.book != "" {
				row.state.Book = written(t, row.book)
			}
			s, err := topup.DecideSuspend(row.request, row.request.Requested(row.event), row.state)
			if row.refused != "" {
				wantRefusal(t, err, row.refused)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s %d by %s of %s", s.Kind, s.Postings[0].Amount, s.Operation, s.Reference)
			if got != row.step || s.Open != (row.book == "") {
				t.Errorf("got %s, opens %t; want %s", got, s.Open, row.step)
			}
		})
	}
}

func TestDecideDismiss(t *testing.T) {
	wantRefusal(t, topup.DecideDismiss(""), "nothing about this message is open")
	for _, told := range []topup.Told{topup.ToldUnreadable, topup.ToldRefund, topup.ToldReversal, topup.ToldConflict} {
		if err := topup.DecideDismiss(told); err != nil {
			t.Errorf("%s: got %v", told, err)
		}
	}
}

// TestToldBy: what a message leaves open, by what became of it.
func TestToldBy(t *testing.T) {
	dispositions := []topup.Disposition{topup.DispositionCredited, topup.DispositionSuspended, topup.DispositionBound, topup.DispositionRepeat,
		topup.DispositionNoted, topup.DispositionPosted, topup.DispositionUnreadable}
	for _, d := range dispositions {
		for _, c := range []struct {
			decision topup.Decision
			of       topup.Disposition // that leaves it open
			want     topup.Told
		}{
			{topup.Decision{}, "", ""},
			{topup.Decision{Flags: topup.FlagRefund}, topup.DispositionNoted, topup.ToldRefund},
			{topup.Decision{Flags: topup.FlagReversal}, topup.DispositionNoted, topup.ToldReversal},
			{topup.Decision{Contradicts: true}, topup.DispositionPosted, topup.ToldConflict},
		} {
			c.decision.Disposition = d
			want := topup.Told("")
			switch {
			case d == topup.DispositionUnreadable:
				want = topup.ToldUnreadable
			case d == c.of:
				want = c.want
			}
			if got := topup.ToldBy(topup.Event{}, c.decision); got != want {
				t.Errorf("%s, %v, contradicts %v: got %q, want %q", d, c.decision.Flags.Names(), c.decision.Contradicts, got, want)
			}
		}
	}
}
