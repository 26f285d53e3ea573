package sandbox

import (
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
)

// payin is one payment. The sandbox's lock guards it.
type payin struct {
	token     string // of the payment page's URL
	requestID string // the provider's own id
	project   *Project
	general   general // ids and URLs as the merchant named them

	formURL     string
	redirectURL string

	scenario *scenario
	method   method // the zero value until it is chosen

	currency             string
	initial, old, amount int64 // minor units: asked, before the last change, now
	lifetime             int64 // seconds

	created, updated, expires time.Time

	status, sub, description string

	bank      string // or the operator
	code      string // the right one-time code
	wrong     int    // codes entered
	resends   int    // further codes requested
	confirmed bool   // by the merchant

	steps []*step
	timer *time.Timer // lets it lapse
}

// step is one status that a pay-in had.
type step struct {
	At       time.Time
	Status   string
	delivery *delivery // nil: no alert
}

func (p *payin) key() key { return key{p.project.ID, p.general.PaymentID} }

// newPayin makes a pay-in of a checked request.
func (s *Sandbox) newPayin(project *Project, r *request, base string) (*payin, error) {
	var drawn [36]byte
	if _, err := io.ReadFull(s.o.Random, drawn[:]); err != nil {
		return nil, fmt.Errorf("draw ids: %w", err)
	}
	now := s.o.Now()
	p := &payin{
		token: hex.EncodeToString(drawn[:20]), requestID: hex.EncodeToString(drawn[20:]),
		project: project, general: *r.General, redirectURL: r.General.RedirectURL,
		scenario: scenariosOf(r.Payment.Currency)[0], currency: r.Payment.Currency,
		initial: r.Payment.Amount, old: r.Payment.Amount, amount: r.Payment.Amount,
		lifetime: defaultLifetime, created: now, updated: now,
		status: statusProcessing, sub: subNew,
	}
	if r.Payment.Lifetime != nil {
		p.lifetime = *r.Payment.Lifetime
	}
	if r.Sender != nil {
		p.bank = r.Sender.BankSymbol
	}
	if p.redirectURL == "" {
		p.redirectURL = base + "/" // the cash register's own setting
	}
	p.formURL = base + "/widget/" + p.token
	p.expires = now.Add(time.Duration(p.lifetime) * time.Second)
	return p, nil
}

// play settles the method before anything else has happened.
func (p *payin) play(played *scenario, chosen method) {
	p.scenario, p.method, p.sub = played, chosen, played.created
	if !played.compactID {
		id := p.requestID
		p.requestID = id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
	}
}

// keep stores a new pay-in, and forgets the oldest if there are too many. The
// lock is held.
func (s *Sandbox) keep(p *payin) {
	if len(s.order) == maxPayins {
		s.forget(s.order[0])
		s.order = s.order[1:]
	}
	s.payins[p.key()], s.byToken[p.token] = p, p
	s.order = append(s.order, p)
	p.steps = []*step{{At: p.created, Status: p.statusText()}}
	p.timer = time.AfterFunc(time.Duration(p.lifetime)*time.Second, func() { s.lapse(p) })
	s.o.Log.Info("pay-in", zap.String("payment_id", p.general.PaymentID), zap.String("form_url", p.formURL))
}

func (s *Sandbox) forget(p *payin) {
	p.timer.Stop()
	delete(s.payins, p.key())
	delete(s.byToken, p.token)
}

// lapse ends the lifetime of a pay-in that still waits for its payer.
func (s *Sandbox) lapse(p *payin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.transact(p, (*transition).lapse); err != nil {
		s.o.Log.Debug("nothing lapses", zap.String("payment_id", p.general.PaymentID), zap.Error(err))
	}
}

// statusText is the status as one string.
func (p *payin) statusText() string {
	if p.sub == "" {
		return p.status
	}
	return p.status + ":" + p.sub
}

// final reports whether nothing can happen any more.
func (p *payin) final() bool {
	return p.status == statusSuccess || p.status == statusDecline || p.status == statusError
}

// is reports whether it is processed and at one of the steps.
func (p *payin) is(subs ...string) bool {
	for _, sub := range subs {
		if p.status == statusProcessing && p.sub == sub {
			return true
		}
	}
	return false
}

func (p *payin) integration() *integration {
	return &integration{FormURL: p.formURL, RedirectURL: p.redirectURL}
}

func (p *payin) answer() answer {
	return answer{
		Status: p.status, SubStatus: orNull(p.sub), Description: orNull(p.description), RequestID: &p.requestID,
		ProjectID: p.project.ID, PaymentID: p.general.PaymentID, Integration: p.integration(),
	}
}

func (p *payin) paymentInfo(inAlert bool) *paymentInfo {
	info := &paymentInfo{
		Amount: p.amount, OldAmount: p.old, InitialAmount: p.initial, Currency: p.currency,
		Lifetime: p.lifetime, Expiration: p.expires.Unix(),
		Method: orNull(p.method.Code), WidgetMethod: orNull(p.method.Widget), Type: "payin",
	}
	if inAlert {
		info.Updated, info.Created = p.updated.Unix(), p.created.Unix()
	}
	return info
}

// alert is the alert about the status as it now is.
func (p *payin) alert() alert {
	a := alert{ProjectID: p.project.ID, PaymentInfo: *p.paymentInfo(true)}
	a.General.RequestID, a.General.PaymentID = p.requestID, p.general.PaymentID
	a.Status.Status, a.Status.SubStatus, a.Status.Description = p.status, orNull(p.sub), orNull(p.description)
	if p.scenario.nullRequisite && !p.final() {
		a.Requisites = jsonNull
	}
	if p.is(subAwaiting, subPaid) && !p.scenario.Mobile {
		a.Requisites = p.requisites()
	}
	if !p.scenario.Mobile && (p.scenario.endsWithForm || !p.final()) {
		a.Integration = p.integration()
	}
	if p.status == statusDecline && p.scenario.hidesMethod {
		a.PaymentInfo.Method, a.PaymentInfo.WidgetMethod, a.PaymentInfo.PaymentSystem = nil, nil, jsonNull
	}
	return a
}

// requisites are fictitious.
func (p *payin) requisites() *requisites {
	return &requisites{
		PAN: "2202****6980", CardHolder: "Sa****ox", BankName: p.bank,
		BankCountry: p.scenario.country, Currency: p.currency,
	}
}

// alertURL is the address for the alert about the present status; empty if the
// merchant named none.
func (p *payin) alertURL() string {
	switch {
	case p.status == statusSuccess:
		return p.general.SuccessURL
	case p.status == statusDecline, p.status == statusError && p.scenario.errorDeclines:
		return p.general.DeclineURL
	}
	return p.general.CallbackURL
}
