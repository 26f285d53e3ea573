package watch_test

import (
	"strings"
	"testing"
	"time"

	"tolem/highhelp"
	"tolem/store"
	"tolem/topup"
)

const failed = `{"status":"error","sub_status":null,"project_id":"57aff4db","payment_id":"ID"}`

// alert records what HighHelp posts about a pay-in of 1000 KZT.
func (r *rig) alert(id, status string) store.Recorded {
	r.t.Helper()
	e := highhelp.Report{ProjectID: project, PaymentID: id, Status: status, Amount: 1000, Currency: "KZT", At: r.clock.Now()}.Event(topup.SourceAlert, 10)
	recorded, err := r.store.Record(r.t.Context(), e, []byte(`{"alert":"`+status+`"}`))
	if err != nil {
		r.t.Fatal(err)
	}
	return recorded
}

func TestAnErrorIsDeclinedAndAskedAboutUntilItIsOldAllTheSame(t *testing.T) {
	r := newRig(t)
	r.replies(200, failed)
	id := r.created()
	started := r.clock.Now()
	r.alert(id, "error")
	var at []time.Duration
	for range int(2 * maxAge / time.Minute) {
		r.clock.Add(time.Minute)
		r.round()
		for range r.takeAsked() {
			at = append(at, r.clock.Now().Sub(started))
		}
	}
	y := r.payin(id)
	if y.Payment.Status != topup.StatusDeclined || y.Payment.Flags != 0 || y.State != topup.PayinDone {
		t.Errorf("got %s %v %s", y.Payment.Status, y.Payment.Flags.Names(), y.State)
	}
	if len(at) < 70 || len(at) > 90 || at[len(at)-1] != maxAge {
		t.Errorf("asked %d times: %v", len(at), at)
	}
	timeline, err := r.store.Timeline(t.Context(), y.Payment)
	if err != nil || len(timeline) != 2 {
		t.Errorf("%d entries in the timeline, want the issue and the alert (%v)", len(timeline), err)
	}
	if strings.Contains(r.takeSeen(), "review") {
		t.Error("it was handed to a person")
	}
	if n, _, err := r.store.PayinStats(t.Context()); n != 0 || err != nil {
		t.Errorf("%d pay-ins wait for a result, %v", n, err)
	}
	r.checked()
}

func TestWhatComesOfAnErrorIsLearnedByAsking(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		status topup.Status
		state  topup.PayinState
	}{
		"success":         {success, topup.StatusSucceeded, topup.PayinDone},
		"decline":         {decline, topup.StatusDeclined, topup.PayinDone},
		"processing":      {processing, topup.StatusDeclined, topup.PayinOpen},
		"an error, still": {failed, topup.StatusDeclined, topup.PayinOpen},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			id := r.created()
			r.alert(id, "error")
			r.replies(200, tc.body)
			r.round()
			if asked := r.takeAsked(); len(asked) != 1 {
				t.Fatalf("asked about %v", asked)
			}
			y := r.payin(id)
			if y.Payment.Status != tc.status || y.State != tc.state {
				t.Errorf("got %s %s, want %s %s", y.Payment.Status, y.State, tc.status, tc.state)
			}
			if credited := y.Payment.Credit != nil; credited != (tc.status == topup.StatusSucceeded) {
				t.Errorf("credited: %v", y.Payment.Credit)
			}
			r.clock.Add(2 * time.Hour)
			r.round()
			if asked := r.takeAsked(); len(asked) > 0 != (tc.state == topup.PayinOpen) {
				t.Errorf("then asked about %v", asked)
			}
			r.checked()
		})
	}
}

func TestAnErrorThatArrivesBeforeTheAnswerToTheRequestIsAskedAboutToo(t *testing.T) {
	r := newRig(t)
	r.replies(200, success)
	id := r.open()
	r.alert(id, "error")
	if err := r.store.PayinCreated(t.Context(), id, store.CreatedPayin{NextPollAt: r.clock.Now().Add(5 * time.Minute)}, store.Answer{}); err != nil {
		t.Fatal(err)
	}
	r.clock.Add(5 * time.Minute)
	r.round()
	if y := r.payin(id); y.Payment.Status != topup.StatusSucceeded || y.State != topup.PayinDone {
		t.Errorf("got %s %s", y.Payment.Status, y.State)
	}
	r.checked()
}

// TestWhatWasRefusedWithAnErrorIsNotAskedAbout: the provider does not have it.
func TestWhatWasRefusedWithAnErrorIsNotAskedAbout(t *testing.T) {
	r := newRig(t)
	id := r.open()
	if err := r.store.PayinRefused(t.Context(), id, store.RefusedPayin{ProviderText: topup.ProviderText{Status: "error", Message: "no such bank"}}, store.Answer{}); err != nil {
		t.Fatal(err)
	}
	r.clock.Add(time.Hour)
	r.round()
	if asked := r.takeAsked(); len(asked) != 0 || r.payin(id).State != topup.PayinRefused {
		t.Errorf("asked about %v; %s", asked, r.payin(id).State)
	}
}

func TestADeclineAfterAnErrorEndsTheQuestions(t *testing.T) {
	r := newRig(t)
	id := r.created()
	r.alert(id, "error")
	r.clock.Add(time.Second)
	r.alert(id, "decline")
	r.clock.Add(time.Hour)
	r.round()
	if asked := r.takeAsked(); len(asked) != 0 || r.payin(id).State != topup.PayinDone {
		t.Errorf("asked about %v; %s", asked, r.payin(id).State)
	}
}
