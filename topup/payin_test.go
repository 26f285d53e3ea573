package topup_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tolem/topup"
)

var (
	payinOpened = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	payinPoll   = payinOpened.Add(time.Hour)
)

// payinOf makes a pay-in from its state, the status and flags of its payment,
// and what else is so:
//
//	polled     the provider is polled about it
//	shows x    the payment shows the status value x
//	suspense   money of it lies in suspense
func payinOf(t *testing.T, text string) topup.Payin {
	t.Helper()
	words := strings.Fields(text)
	p := &topup.Payment{ID: "p", CustomerID: "7", Status: topup.Status(words[1])}
	y := topup.Payin{Payment: p, State: topup.PayinState(words[0]), CreatedAt: payinOpened, LifetimeEnds: payinOpened.Add(5 * time.Minute)}
	for i := 2; i < len(words); i++ {
		switch words[i] {
		case "polled":
			y.Polled = true
		case "suspense":
			p.InSuspense = 1
		case "shows":
			i++
			p.ProviderStatus, p.ProviderCode = words[i], "1"
		default:
			flag, err := topup.ParseFlag(words[i])
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			p.Flags |= flag
		}
	}
	return y
}

// payinShown is a pay-in after a decision, as payinOf reads it; its state is
// "follows" where it is left to the payment's status.
func payinShown(y topup.Payin, d topup.PayinDecision) string {
	d.Apply(y.Payment)
	p := y.Payment
	words := []string{"follows", string(p.Status)}
	if d.State != "" {
		words[0] = string(d.State)
		if d.NextPollAt.Equal(payinPoll) {
			words = append(words, "polled")
		}
	}
	words = append(words, p.Flags.Names()...)
	if p.ProviderStatus != "" {
		words = append(words, "shows", p.ProviderStatus)
	}
	return strings.Join(words, " ")
}

// TestPayin is, in Decisions, the table of what becomes of a pay-in, as docs/highhelp.md
// tells it.
func TestPayin(t *testing.T) {
	t.Run("Decisions", func(t *testing.T) {
		created := func(y topup.Payin) topup.PayinDecision {
			return topup.DecidePayinCreated(y, "processing", payinPoll)
		}
		refused := func(y topup.Payin) topup.PayinDecision {
			return topup.DecidePayinRefused(y, topup.ProviderText{Status: "error", Code: "HTTP 400", Message: "no"})
		}
		unknown := func(y topup.Payin) topup.PayinDecision { return topup.DecidePayinUnknown(y, payinPoll) }
		known := func(y topup.Payin) topup.PayinDecision { return topup.DecidePayinPolled(y, true, payinPoll) }
		silent := func(y topup.Payin) topup.PayinDecision { return topup.DecidePayinPolled(y, false, payinPoll) }
		last := func(y topup.Payin) topup.PayinDecision { return topup.DecidePayinPolled(y, true, time.Time{}) }
		for _, c := range []struct {
			what   string
			decide func(topup.Payin) topup.PayinDecision
			before string
			after  string
		}{
			{"created", created, "creating pending polled", "open pending polled shows processing"},
			{"created, after its outcome was unknown", created, "unknown pending polled outcome_unknown", "open pending polled shows processing"},
			{"created, after an alert without a result", created, "creating pending polled shows awaiting", "open pending polled shows awaiting"},
			{"created, after an alert with a success", created, "done succeeded shows success", "done succeeded shows success"},
			{"created, after an alert with an error", created, "open declined polled shows error", "open declined polled shows error"},
			{"created, after an alert with a decline", created, "done declined shows decline", "done declined shows decline"},
			{"created, after it was given up", created, "refused declined", "open pending polled shows processing"},
			{"created, in review", created, "done review outcome_unknown", "done review shows processing"},

			{"refused", refused, "creating pending polled", "refused declined shows error"},
			{"refused, after its outcome was unknown", refused, "unknown pending polled outcome_unknown", "refused declined shows error"},
			{"refused, in review for its age", refused, "done review outcome_unknown", "refused declined shows error"},
			{"refused, in review with money in suspense", refused, "done review suspense outcome_unknown", "follows review"},
			{"refused, in review for what a message told", refused, "done review refund", "follows review refund"},
			{"refused, after a success", refused, "done succeeded shows success outcome_unknown", "follows succeeded shows success"},
			{"refused, after a decline", refused, "done declined shows decline", "follows declined shows decline"},

			{"without an answer", unknown, "creating pending polled", "unknown pending polled outcome_unknown"},
			{"without an answer, after an alert without a result", unknown, "creating pending polled shows awaiting", "open pending polled shows awaiting"},
			{"without an answer, after a success", unknown, "done succeeded shows success", "done succeeded shows success"},
			{"without an answer, after an error", unknown, "open declined polled shows error", "open declined polled shows error"},

			{"polled, and known", known, "unknown pending polled outcome_unknown", "open pending polled"},
			{"polled, and known to have a result", known, "done succeeded shows success", "done succeeded shows success"},
			{"polled, and an error still", known, "open declined polled shows error", "open declined polled shows error"},
			{"polled, and an error for too long", last, "open declined polled shows error", "done declined shows error"},
			{"polled, in review", known, "done review outcome_unknown", "done review"},
			{"polled, and no answer", silent, "unknown pending polled outcome_unknown", "unknown pending polled outcome_unknown"},
			{"polled, and no answer, after a success", silent, "done succeeded shows success", "done succeeded shows success"},

			{"overdue", topup.DecidePayinOverdue, "open pending polled", "follows review"},
			{"overdue, outcome unknown", topup.DecidePayinOverdue, "unknown pending polled outcome_unknown", "follows review outcome_unknown"},
			{"overdue, and declined meanwhile", topup.DecidePayinOverdue, "done declined shows decline", "follows declined shows decline"},
		} {
			t.Run(c.what, func(t *testing.T) {
				y := payinOf(t, c.before)
				d := c.decide(y)
				if again := payinOf(t, c.before); *again.Payment != *y.Payment {
					t.Fatal("deciding has changed the payment")
				}
				if got := payinShown(y, d); got != c.after {
					t.Errorf("%s: got %q, want %q", c.before, got, c.after)
				}
				if y.Payment.ProviderCode == "HTTP 400" && y.Payment.ProviderMessage != "no" {
					t.Error("the refusal's text is not shown")
				}
			})
		}
	})

	t.Run("IsPolledInItsTime", func(t *testing.T) {
		at := func(d time.Duration) time.Time { return payinOpened.Add(d) }
		open, declined := payinOf(t, "open pending polled"), payinOf(t, "open declined polled")
		for i, c := range []struct{ got, want time.Time }{
			{open.FirstPollAt(at(time.Second), time.Hour, true), at(5 * time.Minute)},
			{open.FirstPollAt(at(time.Second), time.Minute, true), at(time.Minute)},
			{open.FirstPollAt(at(time.Second), time.Hour, false), at(time.Second)},
			{open.PollAgainAt(at(time.Minute), time.Second, time.Hour, true), at(5 * time.Minute)},
			{open.PollAgainAt(at(time.Minute), time.Second, time.Hour, false), at(61 * time.Second)},
			{open.PollAgainAt(at(10*time.Minute), time.Minute, time.Hour, true), at(11 * time.Minute)},
			{open.PollAgainAt(at(10*time.Minute), time.Hour, time.Hour, true), at(time.Hour)},
			{open.PollAgainAt(at(2*time.Hour), time.Minute, time.Hour, true), at(2*time.Hour + time.Minute)},
			{declined.PollAgainAt(at(10*time.Minute), time.Minute, time.Hour, true), at(11 * time.Minute)},
			{declined.PollAgainAt(at(time.Hour), time.Minute, time.Hour, true), time.Time{}},
		} {
			if !c.got.Equal(c.want) {
				t.Errorf("case %d: polled at %s, want %s", i+1, c.got, c.want)
			}
		}
	})

	t.Run("WasNeverCreated", func(t *testing.T) {
		for _, c := range []struct {
			payin string
			age   time.Duration
			want  bool
		}{
			{"creating pending polled", time.Minute, true},
			{"creating pending polled", time.Minute - 1, false},
			{"unknown pending polled outcome_unknown", time.Minute, true},
			{"done review outcome_unknown", time.Hour, true},
			{"open pending polled", time.Hour, false},
			{"unknown pending polled outcome_unknown shows awaiting", time.Hour, false},
		} {
			if got := payinOf(t, c.payin).NeverCreated(payinOpened.Add(c.age)); got != c.want {
				t.Errorf("%s after %s: got %v", c.payin, c.age, got)
			}
		}
	})

	t.Run("IsOverdueWhileItIsPending", func(t *testing.T) {
		for _, status := range topup.Statuses {
			for age, old := range map[time.Duration]bool{time.Hour - 1: false, time.Hour: true} {
				y := payinOf(t, fmt.Sprint("open ", status))
				if got := y.Overdue(payinOpened.Add(age), time.Hour); got != (old && status == topup.StatusPending) {
					t.Errorf("%s after %s: got %v", status, age, got)
				}
			}
		}
	})

	t.Run("RepeatsADecline", func(t *testing.T) {
		p := payinOf(t, "open declined polled shows error").Payment
		same := topup.Event{Outcome: topup.OutcomeDeclined, Status: "error", Reference: "p"}
		other := map[string]topup.Event{
			"another status value": {Outcome: topup.OutcomeDeclined, Status: "decline", Reference: "p"},
			"another payment":      {Outcome: topup.OutcomeDeclined, Status: "error", Reference: "q"},
			"a success":            {Outcome: topup.OutcomePaid, Status: "error", Reference: "p"},
		}
		if !p.RepeatsDecline(same) {
			t.Error("the same is not a repeat")
		}
		for what, e := range other {
			if p.RepeatsDecline(e) {
				t.Errorf("%s is a repeat", what)
			}
		}
		if pending := payinOf(t, "open pending shows error").Payment; pending.RepeatsDecline(same) {
			t.Error("a pending payment repeats its decline")
		}
	})
}

// TestPayinState: each state and status, and what follows from it.
func TestPayinState(t *testing.T) {
	now := day(5)
	for _, state := range []topup.PayinState{topup.PayinCreating, topup.PayinOpen, topup.PayinRefused, topup.PayinUnknown, topup.PayinDone} {
		y := topup.Payin{Payment: &topup.Payment{}, State: state, NextPollAt: now}
		if got, want := y.RequestUnderWay(now.Add(-1)), state == topup.PayinCreating; got != want {
			t.Errorf("%s: its request is under way: got %v", state, got)
		}
		if y.RequestUnderWay(now) {
			t.Errorf("%s: its request is under way for ever", state)
		}
		if got, want := y.Unconfirmed(), state == topup.PayinCreating || state == topup.PayinUnknown; got != want {
			t.Errorf("%s: unconfirmed: got %v", state, got)
		}
	}
	for _, status := range topup.Statuses {
		pending := status == topup.StatusPending
		if err := topup.DecideSteer(&topup.Payment{Status: status}, "confirm"); (err == nil) != pending {
			t.Errorf("%s: confirm: got %v", status, err)
		}
		if got := (&topup.Payment{Status: status}).AwaitsResult(); got != pending {
			t.Errorf("%s: awaits its result: got %v", status, got)
		}
		if (&topup.Payment{Status: status, Flags: topup.FlagOutcomeUnknown}).AwaitsResult() {
			t.Errorf("%s, outcome_unknown: awaits its result", status)
		}
	}
}
