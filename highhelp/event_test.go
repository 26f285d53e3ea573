package highhelp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tolem/config"
	"tolem/highhelp"
	"tolem/signing"
	"tolem/topup"
)

var paidUp = highhelp.Report{ProjectID: "p", PaymentID: "id", Status: "success", Amount: 700, Currency: "KGS", Method: "payin-p2p-card", Type: "payin", At: time.Unix(1721647251, 0)}

func said(change func(*highhelp.Report)) topup.Event {
	s := paidUp
	change(&s)
	return s.Event(topup.SourceAlert, 10)
}

func TestWhatIsSaidInNeutralTerms(t *testing.T) {
	e := said(func(*highhelp.Report) {})
	sum := topup.Money{Amount: 700, Currency: "KGS"}
	if e.Provider != "highhelp" || e.Project != "p" || e.Reference != "id" || e.Operation != "id" || e.Outcome != topup.OutcomePaid || e.Sum != sum || e.Initial != sum ||
		e.Amounts != topup.AmountReceived || e.MaxOver != 10 || !e.Complete || !e.TopUp || e.Status != "success" || e.Method != "payin-p2p-card" || !e.EffectiveAt.Equal(paidUp.At) {
		t.Errorf("got %+v", e)
	}
	for name, tc := range map[string]struct {
		change   func(*highhelp.Report)
		outcome  topup.Outcome
		complete bool
		topUp    bool
	}{
		"no status":    {func(s *highhelp.Report) { s.Status = "" }, topup.OutcomePaid, false, true},
		"no payment":   {func(s *highhelp.Report) { s.PaymentID = "" }, topup.OutcomePaid, false, true},
		"a huge name":  {func(s *highhelp.Report) { s.PaymentID = strings.Repeat("a", 256) }, topup.OutcomePaid, false, true},
		"no amount":    {func(s *highhelp.Report) { s.Amount = 0 }, topup.OutcomePaid, false, true},
		"too much":     {func(s *highhelp.Report) { s.Amount = topup.MaxAmount + 1 }, topup.OutcomePaid, false, true},
		"no currency":  {func(s *highhelp.Report) { s.Currency = "" }, topup.OutcomePaid, false, true},
		"a payout":     {func(s *highhelp.Report) { s.Type = "payout" }, topup.OutcomePaid, false, false},
		"no type":      {func(s *highhelp.Report) { s.Type = "" }, topup.OutcomePaid, true, true},
		"a dispute":    {func(s *highhelp.Report) { s.Status = "dispute" }, topup.OutcomeDisputed, false, true},
		"a decline":    {func(s *highhelp.Report) { s.Status = "decline" }, topup.OutcomeDeclined, false, true},
		"an error":     {func(s *highhelp.Report) { s.Status = "error" }, topup.OutcomeDeclined, false, true},
		"something":    {func(s *highhelp.Report) { s.Status = "new word" }, topup.OutcomeOpen, false, true},
		"paid, nearly": {func(s *highhelp.Report) { s.Status, s.SubStatus = "processing", "paid" }, topup.OutcomeOpen, false, true},
	} {
		e := said(tc.change)
		if e.Outcome != tc.outcome || e.Complete != tc.complete || e.TopUp != tc.topUp {
			t.Errorf("%s: got %s complete %v top-up %v", name, e.Outcome, e.Complete, e.TopUp)
		}
		if e.Outcome == topup.OutcomePaid && !e.Complete && e.Fingerprint != nil {
			t.Errorf("%s: can be a repeat", name)
		}
	}
	if low, high := paidUp.Event(topup.SourceInfo, 0).MaxOver, paidUp.Event(topup.SourceInfo, 1<<40).MaxOver; low != 1 || high != topup.MaxOverLimit {
		t.Errorf("max_over: got %d and %d", low, high)
	}
}

func TestWhatMakesARepeat(t *testing.T) {
	processing := func(s *highhelp.Report) { s.Status, s.SubStatus = "processing", "paid" }
	first, sent := said(func(*highhelp.Report) {}), said(processing)
	for name, tc := range map[string]struct {
		of     topup.Event
		change func(*highhelp.Report)
		repeat bool
	}{
		"a success, later":              {first, func(s *highhelp.Report) { s.At, s.Description, s.Method = time.Time{}, "x", "y" }, true},
		"a success with a sub_status":   {first, func(s *highhelp.Report) { s.SubStatus = "x" }, true},
		"a success of another sum":      {first, func(s *highhelp.Report) { s.Amount++ }, false},
		"a success in another currency": {first, func(s *highhelp.Report) { s.Currency = "KZT" }, false},
		"a success of another payment":  {first, func(s *highhelp.Report) { s.PaymentID = "other" }, false},
		"a success of another project":  {first, func(s *highhelp.Report) { s.ProjectID = "other" }, false},
		"a step of another sum":         {sent, func(s *highhelp.Report) { processing(s); s.Amount++ }, true},
		"another step":                  {sent, func(s *highhelp.Report) { processing(s); s.SubStatus = "new" }, false},
		"words cut elsewhere":           {sent, func(s *highhelp.Report) { s.Status, s.SubStatus = "processingp", "aid" }, false},
	} {
		if got := bytes.Equal(said(tc.change).Fingerprint, tc.of.Fingerprint); got != tc.repeat {
			t.Errorf("%s: got %v, want %v", name, got, tc.repeat)
		}
	}
}

func TestACallHasOneOfFewOutcomes(t *testing.T) {
	for want, err := range map[string]error{
		highhelp.CallOK: nil, highhelp.CallRefused: &highhelp.Error{HTTPStatus: 400}, highhelp.CallUnsent: &highhelp.Error{},
		highhelp.CallUnknown: &highhelp.Error{Unknown: true, HTTPStatus: 500},
	} {
		if got := highhelp.CallOutcome(err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := highhelp.CallOutcome(errors.New("x")); got != highhelp.CallUnknown {
		t.Errorf("got %s", got)
	}
}

func TestInfoGivesTheAnswerAsItCame(t *testing.T) {
	answer := ` {"status":"success","payment_id":"id","new":1,"payment_info":{"amount":700,"currency":"KGS","method":"card-p2p"}}` + "\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	t.Cleanup(server.Close)
	signer, err := signing.NewHMACSigner("secret")
	if err != nil {
		t.Fatal(err)
	}
	client, err := highhelp.NewClient(highhelp.Options{Environment: config.Development, BaseURL: server.URL, ProjectID: "p", Signer: signer, Dialect: signing.DefaultRequestDialect()})
	if err != nil {
		t.Fatal(err)
	}
	info, raw, err := client.Info(context.Background(), "id")
	if err != nil || string(raw) != answer {
		t.Fatalf("got %q %v", raw, err)
	}
	if s := highhelp.ReportOf("p", info, paidUp.At); s.Amount != 700 || s.Method != "card-p2p" || s.ProjectID != "p" || s.PaymentID != "id" || !s.At.Equal(paidUp.At) {
		t.Errorf("got %+v", s)
	}
	server.Close()
	if _, raw, err := client.Info(context.Background(), "id"); err == nil || raw != nil {
		t.Errorf("got %q %v", raw, err)
	}
}
