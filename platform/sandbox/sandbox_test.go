package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tolem/platform/sandbox"
	"tolem/signing"
	"tolem/testkit"
)

// payer is what a payer does who pays with the given method.
type payer struct{ currency, widget string }

var payers = map[string]payer{
	"KZ bank":   {"KZT", "payin-p2p-card-international"},
	"KZ mobile": {"KZT", "payin-ecom-mobile"},
	"KG bank":   {"KGS", "payin-p2p-card"},
	"TJ bank":   {"TJS", "payin-p2p-phone"},
}

// pay pays all that is asked, or another amount.
func (r *rig) pay(t *testing.T, id string, p payer, amount int64) {
	t.Helper()
	if p.widget != "payin-ecom-mobile" {
		r.act(t, id, sandbox.Action{Do: sandbox.DoPay, Amount: amount})
		return
	}
	r.enterPhone(t, id)
	r.act(t, id, sandbox.Action{Do: sandbox.DoCode, Code: r.view(t, id).Code, Amount: amount})
}

func (r *rig) enterPhone(t *testing.T, id string) {
	t.Helper()
	r.act(t, id, sandbox.Action{Do: sandbox.DoPhone, Bank: "KCELL", Phone: "+7 701 111 22 33"})
}

func TestAPaymentOfEachMethodTellsTheMerchantEveryStep(t *testing.T) {
	bank := "/internal processing:awaiting_confirm\n/internal processing:paid\n/success success"
	wants := map[string]string{
		"KZ bank": bank, "KG bank": bank, "TJ bank": bank,
		"KZ mobile": "/internal processing:requisites\n/internal processing:awaiting_3ds_result\n/internal processing:sent_verification\n/internal processing:paid\n/success success",
	}
	for name, p := range payers {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.open(t, "p1", p.currency, p.widget)
			r.pay(t, "p1", p, 0)
			if got := r.told(t); got != wants[name] {
				t.Errorf("got\n%s\nwant\n%s", got, wants[name])
			}
		})
	}
}

func TestWhatWasReallyReceivedIsInTheSuccess(t *testing.T) {
	for name, p := range payers {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.open(t, "p1", p.currency, p.widget)
			r.pay(t, "p1", p, 700000)
			alerts := r.received(t)
			contains(t, "success", alerts[len(alerts)-1].body, `"status":"success"`,
				`"amount":700000,"old_amount":1500000,"initial_amount":1500000`, fmt.Sprintf(`"currency":%q`, p.currency))
		})
	}
}

func TestAPayInEndsInEveryOtherWay(t *testing.T) {
	do := func(d sandbox.Do) sandbox.Action { return sandbox.Action{Do: d} }
	tests := []struct {
		name, payer string
		actions     []sandbox.Action
		want        string
	}{
		{"declined", "KZ bank", []sandbox.Action{do(sandbox.DoDecline)}, "/decline decline"},
		{"lapsed", "KG bank", []sandbox.Action{do(sandbox.DoLapse)}, "/internal dispute:no_payment"},
		{"lapsed and found", "KG bank", []sandbox.Action{do(sandbox.DoLapse), do(sandbox.DoFinish)}, "/internal dispute:no_payment\n/success success"},
		{"lapsed, mobile", "KZ mobile", []sandbox.Action{do(sandbox.DoLapse)}, "/decline decline"},
		{"disputed and settled", "TJ bank", []sandbox.Action{{Do: sandbox.DoDispute, Amount: 1000}, do(sandbox.DoFinish)}, "/internal dispute:different_amount\n/success success"},
		{"disputed and settled, mobile", "KZ mobile", []sandbox.Action{do(sandbox.DoDispute), do(sandbox.DoFinish)}, "/internal dispute:different_amount\n/success success"},
		{"disputed and declined", "KZ bank", []sandbox.Action{{Do: sandbox.DoDispute, Reason: "confirm_timeout"}, do(sandbox.DoDecline)}, "/internal dispute:confirm_timeout\n/decline decline"},
		{"an error, informative", "KZ bank", []sandbox.Action{do(sandbox.DoError)}, "/internal error"},
		{"an error, as a decline", "TJ bank", []sandbox.Action{do(sandbox.DoError)}, "/decline error"},
		{"held and settled", "KZ bank", []sandbox.Action{{Do: sandbox.DoPay, Hold: true}, do(sandbox.DoFinish)}, "/internal processing:awaiting_confirm\n/internal processing:paid\n/success success"},
		{"told twice", "KZ bank", []sandbox.Action{do(sandbox.DoDecline), do(sandbox.DoRepeat)}, "/decline decline\n/decline decline"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.open(t, "p1", payers[tt.payer].currency, payers[tt.payer].widget)
			r.act(t, "p1", tt.actions...)
			if got := r.told(t); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

const (
	sent    = "/internal processing:sent_verification\n"
	invalid = "/internal processing:invalid_verification\n"
	asked   = "/internal processing:awaiting_3ds_result\n"
)

func TestCodesMayBeWrongTwice(t *testing.T) {
	tests := []struct {
		name  string
		wrong int
		want  string
	}{
		{"twice", 2, "/internal processing:requisites\n" + asked + sent + invalid + sent + invalid + sent + "/internal processing:paid\n/success success"},
		{"three times", 3, "/internal processing:requisites\n" + asked + sent + invalid + sent + invalid + sent + invalid + "/decline decline"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.open(t, "p1", "KZT", "payin-ecom-mobile")
			r.enterPhone(t, "p1")
			for range tt.wrong {
				r.act(t, "p1", sandbox.Action{Do: sandbox.DoCode, Code: "wrong"})
			}
			err := r.Act("p1", sandbox.Action{Do: sandbox.DoCode, Code: r.view(t, "p1").Code})
			if declined := tt.wrong == 3; errors.Is(err, sandbox.ErrNotNow) != declined {
				t.Errorf("the right code: got %v", err)
			}
			if got := r.told(t); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestTheThirdRequestForAnotherCodeDeclines(t *testing.T) {
	r := newRig(t)
	r.open(t, "p1", "KZT", "payin-ecom-mobile")
	r.enterPhone(t, "p1")
	first := r.view(t, "p1").Code
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoResend})
	if second := r.view(t, "p1").Code; second == first {
		t.Errorf("got the same code %s again", second)
	}
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoResend}, sandbox.Action{Do: sandbox.DoResend})
	want := "/internal processing:requisites\n" + asked + asked + asked + "/decline decline"
	if got := r.told(t); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTheMerchantConfirmsAndCancelsMobilePayments(t *testing.T) {
	for call, want := range map[string]string{"confirm": "success", "cancel": "decline"} {
		t.Run(call, func(t *testing.T) {
			r := newRig(t)
			r.open(t, "p1", "KZT", "payin-ecom-mobile")
			r.enterPhone(t, "p1")
			r.act(t, "p1", sandbox.Action{Do: sandbox.DoCode, Code: r.view(t, "p1").Code, Hold: true})
			got := r.call(t, call, named("p1"))
			if got.status != http.StatusOK || got.Status != "processing" || got.Sub != "paid" || got.Form.URL != "" {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if got := r.view(t, "p1").Status; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if again := r.call(t, call, named("p1")); again.status != http.StatusConflict {
				t.Errorf("again: got %d %s", again.status, again.body)
			}
		})
	}
}

func TestConfirmAndCancelAreRefusedWhereThereIsNothingToDo(t *testing.T) {
	r := newRig(t)
	r.open(t, "bank", "KZT", "payin-p2p-card-international")
	r.open(t, "mobile", "KZT", "payin-ecom-mobile")
	r.act(t, "mobile", sandbox.Action{Do: sandbox.DoDecline})
	for _, tt := range []struct{ call, id string }{{"confirm", "bank"}, {"cancel", "bank"}, {"confirm", "mobile"}, {"cancel", "mobile"}} {
		if got := r.call(t, tt.call, named(tt.id)); got.status != http.StatusConflict || got.Status != "error" || got.Why == "" {
			t.Errorf("%s %s: got %d %s", tt.call, tt.id, got.status, got.body)
		}
	}
	if got := r.told(t); got != "/decline decline" {
		t.Errorf("the merchant was told %s", got)
	}
}

func TestWhatIsConfirmedBeforeItIsPaidIsNotHeld(t *testing.T) {
	r := newRig(t)
	r.open(t, "p1", "KZT", "payin-ecom-mobile")
	if got := r.call(t, "confirm", named("p1")); got.status != http.StatusOK || got.Sub != "new" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	r.enterPhone(t, "p1")
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoCode, Code: r.view(t, "p1").Code, Hold: true})
	if got := r.view(t, "p1").Status; got != "success" {
		t.Errorf("got %s, want success", got)
	}
}

func TestThePayerChoosesTheMethodThatTheRequestLeftOut(t *testing.T) {
	r := newRig(t)
	a := r.call(t, "", strings.Replace(r.body("p1", "KZT", ""), `,"widget_method":""`, "", 1))
	if a.status != http.StatusOK || a.Sub != "new" {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if err := r.Act("p1", sandbox.Action{Do: sandbox.DoMethod, Method: "payin-qr-link-p2p"}); !errors.Is(err, sandbox.ErrInput) {
		t.Errorf("another country's method: got %v", err)
	}
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoMethod, Method: "payin-ecom-mobile"})
	r.pay(t, "p1", payer{"KZT", "payin-ecom-mobile"}, 0)
	contains(t, "alerts", r.told(t), "/success success")
}

func TestAlertsAreSignedInTheConfiguredDialect(t *testing.T) {
	for _, dialect := range []signing.Dialect{
		{NullAs: signing.NullNone, Padding: signing.PaddingOn, Digest: signing.DigestTwice},
		{NullAs: signing.NullSkip, Padding: signing.PaddingOff, Digest: signing.DigestOnce},
	} {
		t.Run(dialect.String(), func(t *testing.T) {
			r := newRig(t, func(o *sandbox.Options) { o.Projects[0].AlertDialect = dialect })
			r.open(t, "p1", "KGS", "payin-p2p-card")
			r.act(t, "p1", sandbox.Action{Do: sandbox.DoPay})
			for _, a := range r.received(t) {
				if a.dialect.NullAs != dialect.NullAs || a.dialect.Digest != dialect.Digest {
					t.Errorf("got %s, want %s", a.dialect, dialect)
				}
			}
		})
	}
}

func TestAlertsAreSentUntilTheyAreAnswered200(t *testing.T) {
	r := newRig(t)
	r.merchant.refuse = 3
	r.open(t, "p1", "TJS", "payin-p2p-card")
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoDecline})
	if got := r.told(t); got != "/decline decline" {
		t.Errorf("got %s", got)
	}
}

func TestAlertsAreGivenUpAfterTheLastAttempt(t *testing.T) {
	r := newRig(t)
	r.merchant.refuse = 1000
	r.open(t, "p1", "TJS", "payin-p2p-card")
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoDecline})
	if got := r.told(t); got != "" {
		t.Errorf("got %s", got)
	}
	if got, want := 1000-r.merchant.refuse, 5; got != want {
		t.Errorf("got %d attempts, want %d", got, want)
	}
	_, page := r.get(t, r.formPath(t, "p1"))
	contains(t, "page", page, "HTTP 500, attempt 5; given up")
}

func TestAnAlertThatIsRefusedDoesNotHoldUpTheNext(t *testing.T) {
	r := newRig(t)
	r.merchant.refuse = 1
	r.open(t, "p1", "TJS", "payin-p2p-card")
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoPay})
	got := strings.Split(r.told(t), "\n")
	if len(got) != 3 {
		t.Errorf("got %s, want all three", got)
	}
}

func TestChaosRepeatsAndReordersButInventsNothing(t *testing.T) {
	r := newRig(t, func(o *sandbox.Options) { o.Chaos = true })
	for i := range 20 {
		id := fmt.Sprint("p", i)
		r.open(t, id, "KZT", "payin-p2p-card-international")
		r.act(t, id, sandbox.Action{Do: sandbox.DoPay})
	}
	alerts := r.received(t)
	seen, repeats := map[string]bool{}, 0
	for _, a := range alerts {
		if seen[a.body] {
			repeats++
		}
		seen[a.body] = true
	}
	if len(seen) != 3*20 || repeats == 0 {
		t.Errorf("got %d different alerts and %d repeats, want 60 and some", len(seen), repeats)
	}
}

func TestAlertsGoToTheMerchantOnly(t *testing.T) {
	r := newRig(t)
	body := strings.ReplaceAll(r.body("p1", "KZT", "payin-p2p-card-international"), r.merchant.URL, "https://your-callback-domain.com")
	if a := r.call(t, "", body); a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoDecline})
	r.told(t)
	_, page := r.get(t, r.formPath(t, "p1"))
	contains(t, "page", page, "not posted")
}

func TestCloseSaysWhatItDrops(t *testing.T) {
	r := newRig(t, func(o *sandbox.Options) { o.Retry.Pause = time.Hour })
	r.merchant.refuse = 1
	r.open(t, "p1", "TJS", "payin-p2p-card")
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoDecline})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Close(ctx); err == nil || !strings.Contains(err.Error(), "1 alerts") {
		t.Errorf("got %v", err)
	}
	if err := r.Act("p1", sandbox.Action{Do: sandbox.DoRepeat}); !errors.Is(err, sandbox.ErrNotNow) {
		t.Errorf("after the close: got %v", err)
	}
}

func TestNothingHappensAfterTheEnd(t *testing.T) {
	r := newRig(t)
	r.open(t, "p1", "KZT", "payin-p2p-card-international")
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoDecline})
	for _, d := range []sandbox.Do{sandbox.DoPay, sandbox.DoDecline, sandbox.DoLapse, sandbox.DoDispute, sandbox.DoError, sandbox.DoFinish, sandbox.DoBank, sandbox.DoCode, sandbox.DoPhone, sandbox.DoResend, sandbox.DoMethod} {
		if err := r.Act("p1", sandbox.Action{Do: d}); !errors.Is(err, sandbox.ErrNotNow) {
			t.Errorf("%s: got %v, want %v", d, err, sandbox.ErrNotNow)
		}
	}
	if got := r.told(t); got != "/decline decline" {
		t.Errorf("got %s", got)
	}
	if err := r.Act("nobody", sandbox.Action{Do: sandbox.DoPay}); !errors.Is(err, sandbox.ErrUnknown) {
		t.Errorf("got %v, want %v", err, sandbox.ErrUnknown)
	}
}

func TestUnusableOptionsAreRefused(t *testing.T) {
	key := testkit.DemoSigner(t, "../..", "alerts.private.pem")
	good := sandbox.Project{ID: project, Requests: key.AlertKey(), Alerts: key}
	auto, keyless := good, good
	auto.AlertDialect = signing.DefaultAlertDialect()
	keyless.Alerts = signing.Signer{}
	for name, o := range map[string]sandbox.Options{
		"no project":   {},
		"twice":        {Projects: []sandbox.Project{good, good}},
		"auto":         {Projects: []sandbox.Project{auto}},
		"no key":       {Projects: []sandbox.Project{keyless}},
		"merchant URL": {Projects: []sandbox.Project{good}, MerchantURL: "here"},
	} {
		if _, err := sandbox.New(o); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}
