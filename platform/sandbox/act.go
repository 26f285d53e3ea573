package sandbox

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// Do names what happens to a pay-in.
type Do string

// What can happen. Everything but DoCode, DoPhone and DoResend concerns all
// methods; these concern mobile commerce.
const (
	DoMethod  Do = "method"  // the payer chooses Action.Method, if the request named none
	DoBank    Do = "bank"    // the payer chooses Action.Bank and is shown where to send the money
	DoPay     Do = "pay"     // the money arrives: Action.Amount, or the requested sum if it is 0
	DoPhone   Do = "phone"   // the payer enters Action.Phone and chooses the operator Action.Bank
	DoCode    Do = "code"    // the payer enters Action.Code; the right one pays as DoPay does
	DoResend  Do = "resend"  // the payer requests another code
	DoDispute Do = "dispute" // the provider is in doubt, for Action.Reason
	DoFinish  Do = "finish"  // what was held or disputed ends in success, with Action.Amount if it is not 0
	DoDecline Do = "decline"
	DoError   Do = "error"
	DoLapse   Do = "lapse"  // the lifetime is over
	DoRepeat  Do = "repeat" // all alerts so far are posted once more
)

// Action is something that happens to a pay-in. Fields that Do does not need
// are ignored.
type Action struct {
	Do     Do
	Method string // a widget method
	Bank   string // a bank or an operator
	Phone  string // checked, and not kept
	Code   string
	Amount int64  // minor units
	Reason string // of a dispute: no_payment, different_amount (default), confirm_timeout
	// Hold stops at processing:paid, until DoFinish, DoDecline, or, for mobile
	// commerce, the merchant's confirm or cancel.
	Hold bool
}

// The reasons why an action is refused. They are wrapped with details.
var (
	ErrUnknown = errors.New("no such pay-in")
	ErrNotNow  = errors.New("cannot happen now")
	ErrInput   = errors.New("unusable input")
)

// OTP rules (HighHelp, "OTP Processing Rules").
const (
	maxWrong   = 3
	maxResends = 3
)

// View is what a test sees of a pay-in.
type View struct {
	ProjectID, PaymentID string
	Status               string // status, or status:sub_status
	Amount               int64  // minor units
	Currency             string
	FormURL              string
	Code                 string // the one-time code that is right now
}

// Act lets something happen to a pay-in, as the payment page does. It returns
// ErrUnknown, ErrNotNow or ErrInput; then nothing has happened.
func (s *Sandbox) Act(paymentID string, a Action) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(paymentID)
	if err != nil {
		return err
	}
	return s.transact(p, func(t *transition) error { return t.act(a) })
}

// View shows a pay-in. It returns ErrUnknown.
func (s *Sandbox) View(paymentID string) (View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(paymentID)
	if err != nil {
		return View{}, err
	}
	return View{
		ProjectID: p.project.ID, PaymentID: paymentID, Status: p.statusText(),
		Amount: p.amount, Currency: p.currency, FormURL: p.formURL, Code: p.code,
	}, nil
}

// find finds a pay-in by its payment_id, which may be taken once per project.
func (s *Sandbox) find(paymentID string) (*payin, error) {
	var found *payin
	for id := range s.projects {
		p := s.payins[key{id, paymentID}]
		if p != nil && found != nil {
			return nil, fmt.Errorf("%w: two projects have one of that id", ErrUnknown)
		}
		if p != nil {
			found = p
		}
	}
	if found == nil {
		return nil, ErrUnknown
	}
	return found, nil
}

// transition is one state transition of a pay-in, and the alerts that it causes.
type transition struct {
	*payin
	now    time.Time
	random io.Reader
	mute   bool
	alerts []*delivery
}

// transact carries out a state transition: all of it or, if it is refused, nothing.
// The lock is held.
func (s *Sandbox) transact(p *payin, do func(*transition) error) error {
	if s.closed {
		return fmt.Errorf("%w: the sandbox is being closed", ErrNotNow)
	}
	t := &transition{payin: p, now: s.o.Now(), random: s.o.Random, mute: s.faults.Mute}
	if err := do(t); err != nil {
		return err
	}
	s.courier.send(t.alerts)
	return nil
}

// move gives the pay-in another status, and makes the alert about it.
func (t *transition) move(status, sub, description string) {
	t.status, t.sub, t.description, t.updated = status, sub, description, t.now
	made := &step{At: t.now, Status: t.statusText()}
	t.steps = append(t.steps, made)
	if t.final() {
		t.timer.Stop()
	}
	if url := t.alertURL(); url != "" && !t.mute {
		made.delivery = &delivery{project: t.project, url: url, about: made.Status, alert: t.alert()}
		t.alerts = append(t.alerts, made.delivery)
	}
}

func notNow(text string) error { return fmt.Errorf("%w: %s", ErrNotNow, text) }
func input(text string) error  { return fmt.Errorf("%w: %s", ErrInput, text) }

func (t *transition) act(a Action) error {
	if a.Amount < 0 || a.Amount > maxAmount {
		return input("the amount must be between 0.01 and 100000000000.00")
	}
	switch a.Do {
	case DoMethod:
		return t.chooseMethod(a.Method)
	case DoBank:
		return t.chooseBank(a.Bank)
	case DoPay:
		return t.transfer(a)
	case DoPhone:
		return t.enterPhone(a)
	case DoCode:
		return t.enterCode(a)
	case DoResend:
		return t.resend()
	case DoDispute:
		return t.dispute(a)
	case DoFinish:
		return t.finish(a.Amount)
	case DoDecline:
		return t.decline()
	case DoError:
		return t.fail()
	case DoLapse:
		return t.lapse()
	case DoRepeat:
		return t.repeat()
	}
	return input("no such action: " + string(a.Do))
}

func (t *transition) chooseMethod(widget string) error {
	if t.method != (method{}) {
		return notNow("the method is chosen")
	}
	if t.final() || t.status == statusDispute {
		return notNow("it is " + t.statusText())
	}
	played, chosen, ok := choose(t.currency, widget)
	if !ok || !slices.Contains(played.methods, chosen) {
		return input("choose one of the methods")
	}
	t.play(played, chosen)
	if t.sub != subNew {
		t.move(statusProcessing, t.sub, "")
	}
	return nil
}

func (t *transition) chooseBank(bank string) error {
	if t.scenario.Mobile || !t.is(subRequisites) {
		return notNow("it is " + t.statusText())
	}
	if !slices.ContainsFunc(t.banks(), func(o option) bool { return o.Code == bank }) {
		return input("choose one of the banks")
	}
	t.bank = bank
	t.move(statusProcessing, subAwaiting, "")
	return nil
}

// banks are those of the scenario, and the one that the merchant preselected.
func (p *payin) banks() []option {
	banks := p.scenario.Banks
	if p.bank == "" || slices.ContainsFunc(banks, func(o option) bool { return o.Code == p.bank }) {
		return banks
	}
	return append([]option{{p.bank, p.bank}}, banks...)
}

// transfer is the money's arrival. A payer who has not chosen a bank yet, has
// by then.
func (t *transition) transfer(a Action) error {
	if t.scenario.Mobile || !t.is(subRequisites, subAwaiting) {
		return notNow("it is " + t.statusText())
	}
	if t.is(subRequisites) {
		bank := t.bank
		if bank == "" {
			bank = t.scenario.Banks[0].Code
		}
		if err := t.chooseBank(bank); err != nil {
			return err
		}
	}
	t.paid(a)
	return nil
}

// paid is that the money was seen and, unless it is held, settled.
func (t *transition) paid(a Action) {
	t.receive(a.Amount)
	t.move(statusProcessing, subPaid, "")
	if !a.Hold || t.confirmed {
		t.move(statusSuccess, "", "")
	}
}

// receive notes the received sum; 0: the expected one.
func (t *transition) receive(amount int64) {
	if amount > 0 && amount != t.amount {
		t.old, t.amount = t.amount, amount
	}
}

var phoneNumber = regexp.MustCompile(`^\+?[0-9][0-9 ()-]{8,18}$`)

func (t *transition) enterPhone(a Action) error {
	if !t.scenario.Mobile || !t.is(subNew) {
		return notNow("it is " + t.statusText())
	}
	if !slices.ContainsFunc(t.scenario.Banks, func(o option) bool { return o.Code == a.Bank }) {
		return input("choose one of the operators")
	}
	if !phoneNumber.MatchString(a.Phone) {
		return input("enter a phone number such as +7 701 111 22 33")
	}
	code, err := drawCode(t.random)
	if err != nil {
		return err
	}
	t.bank, t.code = a.Bank, code
	t.move(statusProcessing, subRequisites, "")
	t.move(statusProcessing, subAwaitingOTP, "")
	return nil
}

// drawCode draws six digits.
func drawCode(random io.Reader) (string, error) {
	var drawn [8]byte
	if _, err := io.ReadFull(random, drawn[:]); err != nil {
		return "", fmt.Errorf("draw a code: %w", err)
	}
	n := new(big.Int).SetBytes(drawn[:])
	return fmt.Sprintf("%06d", n.Mod(n, big.NewInt(1_000_000))), nil
}

func (t *transition) enterCode(a Action) error {
	if !t.is(subAwaitingOTP, subInvalid) {
		return notNow("it is " + t.statusText())
	}
	if a.Code == "" {
		return input("enter the code")
	}
	t.move(statusProcessing, subSent, "")
	if a.Code == t.code {
		t.paid(a)
		return nil
	}
	t.move(statusProcessing, subInvalid, "")
	if t.wrong++; t.wrong == maxWrong {
		t.move(statusDecline, "", t.scenario.declined)
	}
	return nil
}

func (t *transition) resend() error {
	if !t.is(subAwaitingOTP, subInvalid) {
		return notNow("it is " + t.statusText())
	}
	code, err := drawCode(t.random)
	if err != nil {
		return err
	}
	if t.resends++; t.resends == maxResends {
		t.move(statusDecline, "", t.scenario.declined)
		return nil
	}
	t.code = code
	t.move(statusProcessing, subAwaitingOTP, "")
	return nil
}

func (t *transition) dispute(a Action) error {
	if t.final() {
		return notNow("it is " + t.statusText())
	}
	switch a.Reason {
	case "":
		a.Reason = subDifferentAmount
	case subDifferentAmount, subNoPayment, subConfirmTimeout:
	default:
		return input("choose one of the reasons")
	}
	if a.Reason == subDifferentAmount {
		t.receive(a.Amount)
	}
	t.move(statusDispute, a.Reason, "")
	return nil
}

func (t *transition) finish(amount int64) error {
	if t.status != statusDispute && !t.is(subPaid) {
		return notNow("it is " + t.statusText())
	}
	t.receive(amount)
	t.move(statusSuccess, "", "")
	return nil
}

func (t *transition) decline() error {
	if t.final() {
		return notNow("it is " + t.statusText())
	}
	t.move(statusDecline, "", t.scenario.declined)
	return nil
}

func (t *transition) fail() error {
	if t.final() {
		return notNow("it is " + t.statusText())
	}
	t.move(statusError, "", "Payment parameters are wrong")
	return nil
}

// lapse: the payment expires. The page about mobile commerce has no dispute.
func (t *transition) lapse() error {
	if t.status != statusProcessing || t.sub == subPaid {
		return notNow("it is " + t.statusText())
	}
	if t.scenario.Mobile {
		return t.decline()
	}
	t.timer.Stop()
	t.move(statusDispute, subNoPayment, "")
	return nil
}

// repeat posts every alert so far once more, as it was.
func (t *transition) repeat() error {
	for _, made := range t.steps {
		if made.delivery != nil && !t.mute {
			t.alerts = append(t.alerts, made.delivery)
		}
	}
	if len(t.alerts) == 0 {
		return notNow("there was no alert yet")
	}
	return nil
}

// confirm is the merchant's: it settles what is held, and what is not yet paid
// will not be held. The page shows it acknowledged at processing:new.
func (t *transition) confirm() error {
	if t.final() {
		return refuse(http.StatusConflict, "nothing to confirm: it is %s", t.statusText())
	}
	t.confirmed = true
	if t.is(subPaid) {
		t.move(statusSuccess, "", "")
	}
	return nil
}

// cancel is the merchant's: it declines what is open.
func (t *transition) cancel() error {
	if t.final() {
		return refuse(http.StatusConflict, "nothing to cancel: it is %s", t.statusText())
	}
	t.move(statusDecline, "", "Payment canceled")
	return nil
}
