package topup_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tolem/topup"
)

func figures(gross, refunds, fees, reserve, adjustments, net int64) topup.PayoutFigures {
	return topup.PayoutFigures{Gross: gross, Refunds: refunds, Fees: fees, Reserve: reserve, Adjustments: adjustments, Net: net}
}

func TestPayoutFigures(t *testing.T) {
	const most = topup.MaxFigure
	for _, tt := range []struct {
		name string
		f    topup.PayoutFigures
		want string // empty: they are sound
	}{
		{"AllPositive", figures(10000, 1000, 200, 500, 100, 8200), ""},
		{"FeesAlone", figures(0, 0, 300, 0, 0, -300), ""},
		{"FeesOfTheWholeGross", figures(300, 0, 300, 0, 0, 0), ""},
		{"ReserveReleased", figures(0, 0, 0, -500, 0, 500), ""},
		{"FeesGivenBack", figures(1000, 1000, -20, 0, 0, 20), ""},
		{"AdjustmentInOurFavour", figures(0, 0, 0, 0, -70, 70), ""},
		{"MoreRefundsThanGross", figures(100, 400, 0, 0, 0, -300), ""},
		{"AllZero", figures(0, 0, 0, 0, 0, 0), ""},
		{"TheMost", figures(most, 0, 0, 0, 0, most), ""},
		{"NetOfOneTooMuch", figures(10000, 0, 200, 0, 0, 9801), "net must be gross − refunds − fees − reserve − adjustments: 10000 − 0 − 200 − 0 − 0 is 9800, not 9801"},
		{"FeeWithTheWrongSign", figures(10000, 0, -200, 0, 0, 9800), "net must be"},
		{"OutOfBounds", figures(most+1, 0, 0, 0, 0, most+1), "gross must be between -999999999999999 and 999999999999999 minor units"},
		{"OutOfBoundsBelow", figures(0, 0, 0, -most-1, 0, most+1), "reserve must be between"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.f.Check()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func payout(f topup.PayoutFigures, change ...func(*topup.Payout)) topup.Payout {
	p := topup.Payout{ID: "po-1", Provider: "jetpay", Project: "1234", Bank: "halyk", Date: "2026-11-20", Currency: "KZT", PayoutFigures: f, State: topup.PayoutDraft}
	for _, c := range change {
		c(&p)
	}
	return p
}

func TestPayoutCheck(t *testing.T) {
	bank := topup.BankAccountOf{Name: "halyk", Currency: "KZT"}
	for _, tt := range []struct {
		name   string
		change func(*topup.Payout)
		want   string
	}{
		{"OK", func(*topup.Payout) {}, ""},
		{"NoID", func(p *topup.Payout) { p.ID = "" }, "id must not be empty"},
		{"IDWithColon", func(p *topup.Payout) { p.ID = "a:b" }, "id must contain only visible characters"},
		{"IDWithBlank", func(p *topup.Payout) { p.ID = "a b" }, "id must contain only visible characters"},
		{"NoDay", func(p *topup.Payout) { p.Date = "20.11.2026" }, "date must be a day such as 2026-11-29"},
		{"NoSuchDay", func(p *topup.Payout) { p.Date = "2026-02-30" }, "date must be a day"},
		{"NoCurrency", func(p *topup.Payout) { p.Currency = "kzt" }, "currency must be a currency of ISO 4217"},
		{"AnotherCurrencyThanTheBanks", func(p *topup.Payout) { p.Currency = "KGS" }, "currency of the payout is KGS; the bank account halyk is in KZT"},
		{"FiguresThatDoNotAddUp", func(p *topup.Payout) { p.Net++ }, "net must be"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := payout(figures(100, 0, 0, 0, 0, 100), tt.change).Check(bank)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestPayoutPostings(t *testing.T) {
	leg := func(account string, amount int64) topup.Posting {
		return topup.Posting{Account: account, Amount: amount, Currency: "KZT"}
	}
	const bank, fees, reserve, adjustments, settlement = "bank:halyk", "fees:jetpay:1234", "reserve:jetpay:1234", "adjustments:jetpay:1234", "settlement:jetpay:1234"
	for _, tt := range []struct {
		name string
		f    topup.PayoutFigures
		want []topup.Posting
	}{
		{"Whole", figures(10000, 1000, 200, 500, 100, 8200), []topup.Posting{leg(bank, 8200), leg(fees, 200), leg(reserve, 500), leg(adjustments, 100), leg(settlement, -9000)}},
		{"LegsOfZeroAreLeftOut", figures(10000, 0, 200, 0, 0, 9800), []topup.Posting{leg(bank, 9800), leg(fees, 200), leg(settlement, -10000)}},
		{"FeesAlone", figures(0, 0, 300, 0, 0, -300), []topup.Posting{leg(bank, -300), leg(fees, 300)}},
		{"NothingArrives", figures(300, 0, 300, 0, 0, 0), []topup.Posting{leg(fees, 300), leg(settlement, -300)}},
		{"RefundsOfTheWholeGross", figures(500, 500, 0, -20, 0, 20), []topup.Posting{leg(bank, 20), leg(reserve, -20)}},
		{"ReserveReleased", figures(0, 0, 0, -500, 0, 500), []topup.Posting{leg(bank, 500), leg(reserve, -500)}},
		{"APayoutThatTakes", figures(100, 400, 0, 0, 0, -300), []topup.Posting{leg(bank, -300), leg(settlement, 300)}},
		{"AllZero", figures(0, 0, 0, 0, 0, 0), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := payout(tt.f).Postings()
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if len(got) > 0 {
				if err := topup.CheckPostings(got); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("WhateverTheFiguresTheyBalance", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			amount := rapid.Int64Range(-1000, 1000)
			f := figures(amount.Draw(r, "gross"), amount.Draw(r, "refunds"), amount.Draw(r, "fees"), amount.Draw(r, "reserve"), amount.Draw(r, "adjustments"), 0)
			f.Net = f.Gross - f.Refunds - f.Fees - f.Reserve - f.Adjustments
			if err := f.Check(); err != nil {
				r.Fatal(err)
			}
			if legs := payout(f).Postings(); len(legs) > 0 {
				if err := topup.CheckPostings(legs); err != nil {
					r.Fatal(err)
				}
			}
		})
	})
}

func TestDecidePayout(t *testing.T) {
	some := figures(100, 0, 0, 0, 0, 100)
	in := func(state topup.PayoutState) topup.Payout {
		return payout(some, func(p *topup.Payout) { p.State = state })
	}
	for _, tt := range []struct {
		name          string
		p             topup.Payout
		post, discard string // what each is refused with; empty: it is done
	}{
		{"Draft", in(topup.PayoutDraft), "", ""},
		{"Posted", in(topup.PayoutPosted), "the payout has been posted; if that was wrong, use ledger reverse on its transaction", "the payout has been posted: use ledger reverse on its transaction"},
		{"Discarded", in(topup.PayoutDiscarded), "the payout is discarded: enter it again with payouts import or payouts add", "the payout is already discarded"},
		{"Reversed", in(topup.PayoutReversed), "the payout is reversed: enter it again with payouts import or payouts add", "the payout is already reversed"},
		{"AllZero", payout(topup.PayoutFigures{}), "all figures of the payout are zero: there is nothing to post; use payouts discard", ""},
		{"FiguresThatDoNotAddUp", payout(figures(100, 0, 0, 0, 0, 99)), "net must be gross − refunds − fees − reserve − adjustments: 100 − 0 − 0 − 0 − 0 is 100, not 99", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			step, err := topup.DecidePostPayout(tt.p)
			if message(err) != tt.post {
				t.Errorf("post: got %v, want %q", err, tt.post)
			}
			if err == nil && (step.Kind != topup.KindPayout || len(step.Postings) != 2) {
				t.Errorf("post: got %+v", step)
			}
			if err := topup.DecideDiscardPayout(tt.p); message(err) != tt.discard {
				t.Errorf("discard: got %v, want %q", err, tt.discard)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestDecideReversePayout(t *testing.T) {
	p := payout(figures(100, 0, 10, 0, 0, 90))
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	posting := topup.Transaction{Seq: 1, ID: "t1", Kind: topup.KindPayout, Postings: p.Postings(), EffectiveAt: at}
	reversal := topup.Transaction{Seq: 2, ID: "t2", Kind: topup.KindReversal, Reverses: "t1", Postings: topup.Mirror(p.Postings()), EffectiveAt: at.Add(time.Hour)}
	again := topup.Transaction{Seq: 3, ID: "t3", Kind: topup.KindReversal, Reverses: "t2", Postings: p.Postings(), EffectiveAt: at.Add(2 * time.Hour)}
	for _, tt := range []struct {
		name        string
		journal     []topup.Transaction
		transaction string
		taken       string
		state       topup.PayoutState
		refused     string
	}{
		{"ThePosting", []topup.Transaction{posting}, "t1", "", topup.PayoutReversed, ""},
		{"ThePostingWhateverIsTaken", []topup.Transaction{posting}, "t1", "x", topup.PayoutReversed, ""},
		{"ThePostingTwice", []topup.Transaction{posting, reversal}, "t1", "", "", "this transaction has been reversed; the last reversal is t2: reverse that one to change it back"},
		{"TheReversal", []topup.Transaction{posting, reversal}, "t2", "", topup.PayoutPosted, ""},
		{"TheReversalWhenTheIDIsTaken", []topup.Transaction{posting, reversal}, "t2", "payout po-1 has been entered again", "", "payout po-1 has been entered again since the payout was reversed: discard or reverse that first"},
		{"TheReversalOfTheReversal", []topup.Transaction{posting, reversal, again}, "t3", "", topup.PayoutReversed, ""},
		{"AnotherTransaction", []topup.Transaction{posting}, "t9", "", "", "ledger transaction does not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			step, state, err := topup.DecideReversePayout(topup.PayoutBook{Payout: p, Transactions: tt.journal, Taken: tt.taken}, tt.transaction)
			if message(err) != tt.refused || state != tt.state {
				t.Fatalf("got %s, %v; want %s, %q", state, err, tt.state, tt.refused)
			}
			if err != nil {
				return
			}
			last := tt.journal[len(tt.journal)-1]
			if step.Kind != topup.KindReversal || step.Reverses != last.ID || !slices.Equal(step.Postings, topup.Mirror(last.Postings)) || !step.Earliest.Equal(last.EffectiveAt) {
				t.Errorf("got %+v", step)
			}
		})
	}
}

func TestPayoutDate(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 19, 0, 0, 0, time.UTC) } // days begin at 19:00
	now := day(21).Add(3 * time.Hour)
	for _, tt := range []struct {
		name    string
		d       topup.StepDate
		of      int // the payout's day
		want    time.Time
		refused string
	}{
		{"ADayOfThePast", topup.StepDate{}, 19, day(19), ""},
		{"Today", topup.StepDate{}, 21, now, ""},
		{"Tomorrow", topup.StepDate{}, 22, time.Time{}, "the payout is dated in the future: post it on its day, or give an earlier effective day"},
		{"InAClosedPeriod", topup.StepDate{ClosedDay: "2026-11-20", ClosedUntil: day(20)}, 19, day(20), ""},
		{"OnTheFirstOpenDay", topup.StepDate{ClosedDay: "2026-11-20", ClosedUntil: day(20)}, 20, day(20), ""},
		{"ClosedIntoTheFuture", topup.StepDate{ClosedDay: "2026-11-23", ClosedUntil: day(23)}, 19, time.Time{}, "the books are closed to 2026-11-23"},
		{"ADayThatWasGiven", topup.StepDate{DayStart: day(20), DayEnd: day(21)}, 19, day(20), ""},
		{"ADayThatWasGivenInAClosedPeriod", topup.StepDate{DayStart: day(18), DayEnd: day(19), ClosedDay: "2026-11-20", ClosedUntil: day(20)}, 19, time.Time{},
			"the books are closed to 2026-11-20: give a later effective day, or none for today"},
		{"ADayOfTheFuture", topup.StepDate{DayStart: day(22), DayEnd: day(23)}, 19, time.Time{}, "effective must not be in the future"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.d.Now = now
			got, err := tt.d.OfPayout(day(tt.of), day(tt.of+1))
			if message(err) != tt.refused || (err == nil && !got.Equal(tt.want)) {
				t.Errorf("got %v, %v; want %v, %q", got, err, tt.want, tt.refused)
			}
		})
	}
}

func TestPayoutLine(t *testing.T) {
	line := func(kind topup.PayoutLineType, change ...func(*topup.PayoutLine)) topup.PayoutLine {
		l := topup.PayoutLine{Line: 2, Type: kind, Payment: "p_1", Operation: "28", Amount: 1000}
		for _, c := range change {
			c(&l)
		}
		return l
	}
	withFee := func(l *topup.PayoutLine) { l.Fee, l.Reserve, l.Adjustment = 30, 5, -2 }
	t.Run("Figures", func(t *testing.T) {
		for _, tt := range []struct {
			l    topup.PayoutLine
			want topup.PayoutFigures
		}{
			{line(topup.LinePayment, withFee), figures(1000, 0, 30, 5, -2, 967)},
			{line(topup.LineRefund, withFee), figures(0, 1000, 30, 5, -2, -1033)},
			{line(topup.LineChargeback), figures(0, 1000, 0, 0, 0, -1000)},
			{line(topup.LineRefundReversal), figures(0, -1000, 0, 0, 0, 1000)},
			{line(topup.LineFee, withFee), figures(0, 0, 1030, 5, -2, -1033)},
			{line(topup.LineReserve), figures(0, 0, 0, 1000, 0, -1000)},
			{line(topup.LineAdjustment), figures(0, 0, 0, 0, 1000, -1000)},
		} {
			got, err := tt.l.Figures()
			if err != nil || got != tt.want {
				t.Errorf("%s: got %+v, %v; want %+v", tt.l.Type, got, err, tt.want)
			}
			if err := got.Check(); err != nil {
				t.Errorf("%s: %v", tt.l.Type, err)
			}
		}
	})
	t.Run("Check", func(t *testing.T) {
		for _, tt := range []struct {
			name string
			l    topup.PayoutLine
			want string
		}{
			{"OK", line(topup.LinePayment), ""},
			{"OfNothing", line(topup.LinePayment, func(l *topup.PayoutLine) { l.Payment, l.Operation = "", "" }), "payment must be given, or the operation: a payment belongs to a payment"},
			{"FeeOfNothing", line(topup.LineFee, func(l *topup.PayoutLine) { l.Payment, l.Operation = "", "" }), ""},
			{"Negative", line(topup.LineRefund, func(l *topup.PayoutLine) { l.Amount = -1 }), "amount of a refund must not be negative"},
			{"FeeGivenBack", line(topup.LineFee, func(l *topup.PayoutLine) { l.Amount = -1 }), ""},
			{"TooMuch", line(topup.LinePayment, func(l *topup.PayoutLine) { l.Fee = topup.MaxFigure + 1 }), "amount must be between"},
			{"ControlCharacter", line(topup.LinePayment, func(l *topup.PayoutLine) { l.Payment = "a\nb" }), "payment must be at most 255 bytes of UTF-8 without control characters"},
			{"UnknownType", line("gift"), "type must be that of a line of a payout"},
		} {
			if err := tt.l.Check(); tt.want == "" && err != nil || tt.want != "" && !strings.HasPrefix(message(err), tt.want) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
		}
	})
	t.Run("Key", func(t *testing.T) {
		without := func(l *topup.PayoutLine) { l.Operation = "" }
		for _, tt := range []struct {
			l    topup.PayoutLine
			want string
		}{
			{line(topup.LinePayment), "payment 28"},
			{line(topup.LineFee), "fee 28"}, // the fee of an operation is a line of its own
			{line(topup.LinePayment, without), "payment:p_1"},
			{line(topup.LineRefund, without), ""}, // there may be several of a payment
			{line(topup.LineFee, without), ""},
		} {
			if got := tt.l.Key(); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.l, got, tt.want)
			}
		}
	})
	t.Run("Difference", func(t *testing.T) {
		for _, tt := range []struct {
			name string
			l    topup.PayoutLine
			s    topup.LineState
			want topup.LineDifference
		}{
			{"Agrees", line(topup.LinePayment), topup.LineState{Known: true, Currency: "KZT", Received: 1000, All: 1000, Listed: 1000}, ""},
			{"OneOfTwoOperations", line(topup.LinePayment), topup.LineState{Known: true, Currency: "KZT", Received: 1000, All: 2000, Listed: 2000}, ""},
			{"ListedTwice", line(topup.LinePayment), topup.LineState{Known: true, Currency: "KZT", Received: 1000, All: 1000, Listed: 2000}, topup.LineListedTwice},
			{"Unknown", line(topup.LinePayment), topup.LineState{}, topup.LinePaymentUnknown},
			{"NothingReceived", line(topup.LinePayment), topup.LineState{Known: true}, topup.LineNotReceived},
			{"AnotherSum", line(topup.LinePayment), topup.LineState{Known: true, Currency: "KZT", Received: 999}, topup.LineAmountDiffers},
			{"AnotherCurrency", line(topup.LinePayment), topup.LineState{Known: true, Currency: "KGS", Received: 1000}, topup.LineCurrencyDiffers},
			{"RefundBooked", line(topup.LineRefund), topup.LineState{Known: true, Refunded: 1000, Listed: 1000}, ""},
			{"RefundNotBooked", line(topup.LineRefund), topup.LineState{Known: true, Refunded: 999, Listed: 1000}, topup.LineRefundNotBooked},
			{"SecondRefundNotBooked", line(topup.LineRefund), topup.LineState{Known: true, Refunded: 1000, Listed: 2000}, topup.LineRefundNotBooked},
			{"ChargebackNotBooked", line(topup.LineChargeback), topup.LineState{Known: true, Listed: 1000}, topup.LineRefundNotBooked},
			{"RefundOfUnknown", line(topup.LineRefund), topup.LineState{}, topup.LinePaymentUnknown},
			{"Fee", line(topup.LineFee), topup.LineState{}, ""},
		} {
			if got := tt.l.Difference("KZT", tt.s); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		}
	})
}

func TestPayoutDifferencesNameWhatIsElse(t *testing.T) {
	was := payout(figures(10000, 0, 200, 0, 0, 9800))
	is := payout(figures(10000, 0, 300, 0, 0, 9700), func(p *topup.Payout) { p.Date = "2026-11-21" })
	want := []string{"date is 2026-11-21, and was 2026-11-20", "fees is 3.00 KZT, and was 2.00 KZT", "net is 97.00 KZT, and was 98.00 KZT"}
	if got := was.Differences(is); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := was.Differences(was); len(got) > 0 {
		t.Errorf("of itself: got %q", got)
	}
}

// TestPayoutBounds: the greatest figures of either sign, and ids as long as may be.
func TestPayoutBounds(t *testing.T) {
	const most = topup.MaxFigure
	for _, f := range []topup.PayoutFigures{figures(most, 0, 0, 0, 0, most), figures(-most, 0, 0, 0, 0, -most), figures(0, 0, most, 0, 0, -most)} {
		if err := f.Check(); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
	}
	for _, f := range []topup.PayoutFigures{figures(most+1, 0, 0, 0, 0, most+1), figures(-most-1, 0, 0, 0, 0, -most-1)} {
		if err := f.Check(); err == nil {
			t.Errorf("%+v: no error", f)
		}
	}
	for _, c := range []struct {
		what string
		line topup.PayoutLine
		ok   bool
	}{
		{"nothing", topup.PayoutLine{Type: topup.LinePayment, Payment: "p"}, true},
		{"an operation alone", topup.PayoutLine{Type: topup.LinePayment, Operation: "28"}, true},
		{"most", topup.PayoutLine{Type: topup.LinePayment, Payment: "p", Amount: most, Fee: -most}, true},
		{"more", topup.PayoutLine{Type: topup.LinePayment, Payment: "p", Fee: -most - 1}, false},
		{"a long id", topup.PayoutLine{Type: topup.LinePayment, Payment: strings.Repeat("p", topup.MaxIDBytes)}, true},
		{"too long an id", topup.PayoutLine{Type: topup.LinePayment, Payment: strings.Repeat("p", topup.MaxIDBytes+1)}, false},
	} {
		if err := c.line.Check(); (err == nil) != c.ok {
			t.Errorf("%s: got %v", c.what, err)
		}
	}
}

func TestPayoutFiguresPlus(t *testing.T) {
	got, err := figures(1, 2, 3, 4, 5, 6).Plus(figures(10, 20, 30, 40, 50, 60))
	if want := figures(11, 22, 33, 44, 55, 66); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := figures(math.MaxInt64, 0, 0, 0, 0, 0).Plus(figures(1, 0, 0, 0, 0, 0)); err == nil {
		t.Error("a sum that overflows: no error")
	}
}

func TestPayoutStates(t *testing.T) {
	for _, state := range topup.PayoutStates {
		if got, err := topup.ParsePayoutState(string(state)); err != nil || got != state {
			t.Errorf("%s: got %q, %v", state, got, err)
		}
		if got, want := state.Holds(), state == topup.PayoutDraft || state == topup.PayoutPosted; got != want {
			t.Errorf("%s: holds its lines: got %v", state, got)
		}
	}
	if _, err := topup.ParsePayoutState("paid"); err == nil {
		t.Error("an unknown state: no error")
	}
}

func TestPayoutLineIsShown(t *testing.T) {
	for want, l := range map[string]topup.PayoutLine{
		"payment":                    {Type: topup.LinePayment},
		"payment, p_1":               {Type: topup.LinePayment, Payment: "p_1"},
		"refund, operation 28":       {Type: topup.LineRefund, Operation: "28"},
		"payment, p_1, operation 28": {Type: topup.LinePayment, Payment: "p_1", Operation: "28"},
	} {
		if got := l.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := l.OfPayment(); got != (l.Type == topup.LinePayment) {
			t.Errorf("%s brings a payer's money: got %v", want, got)
		}
	}
}
