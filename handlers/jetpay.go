package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"tolem/signing"
	"tolem/store"
	"tolem/topup"
)

// provider is the name of the platform in payments and ledger accounts.
const provider = "jetpay"

// jetpay serves the three messages of JetPay Gate, which are told apart by
// their content. Content-Type is not looked at: it is not documented.
func (s *Server) jetpay(c echo.Context) error {
	x := c.(*exchange)
	body, err := s.receive(x)
	if err != nil {
		return err
	}
	defer s.dismiss(body)
	x.kind = kindOf(body)
	claim := claimOf(body)
	x.named = s.projects.nameOf(claim)
	if x.project, err = s.projects.verify(body, claim); err != nil {
		return err
	}
	x.named = x.project.id

	switch x.kind {
	case kindCallback:
		return s.callback(x, body, claim)
	case kindVerify:
		return s.verify(x, body, claim)
	case kindCheckDeposit:
		return s.checkDeposit(x, body, claim)
	}
	return topup.Invalid("type", "must be verify or check_deposit")
}

// receive reads a provider's message, bounded and strictly, and lets it in. The
// caller dismisses it in the end; nothing of it is believed before its
// signature is verified.
func (s *Server) receive(x *exchange) (*signing.Body, error) {
	if s.draining.Load() {
		return nil, errDraining
	}
	if isEncoded(x.Request().Header) {
		return nil, errEncoded
	}
	if err := x.readBody(func() bool { return s.enterLarge(x) }); err != nil {
		return nil, err
	}
	if !s.enter() {
		s.leave()
		return nil, errBusy
	}
	body, err := signing.Parse(x.body)
	if err != nil {
		s.leave()
	}
	return body, err
}

// isEncoded reports whether the body is compressed, or says so: what was signed is
// inside, and only after the whole of an unbounded decompression.
func isEncoded(h http.Header) bool {
	for _, value := range h["Content-Encoding"] {
		for coding := range strings.SplitSeq(value, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}

// dismiss ends the work on a message that receive has let in.
func (s *Server) dismiss(body *signing.Body) {
	body.Release()
	s.leave()
}

// kindOf tells the messages apart. A body with a payment object is a callback,
// else one with a type is a synchronous request; anything else is taken as a
// callback.
func kindOf(b *signing.Body) kind {
	if payment, ok := b.Lookup("payment"); ok && payment.Kind() == signing.KindObject {
		return kindCallback
	}
	typ, ok := b.Lookup("type")
	if !ok {
		return kindCallback
	}
	if typ.Kind() != signing.KindString {
		return kindOther
	}
	switch string(typ.Bytes()) {
	case "verify":
		return kindVerify
	case "check_deposit":
		return kindCheckDeposit
	}
	return kindOther
}

// verify answers whether the account exists and which contracts it has. It has
// no side effects.
func (s *Server) verify(x *exchange, b *signing.Body, claim claim) error {
	if err := claim.check(); err != nil {
		return err
	}
	customerID, err := s.customerID(b)
	if err != nil {
		return err
	}
	ctx, cancel := x.patience()
	defer cancel()
	offer, err := s.store.Offer(ctx, customerID)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	a := append(x.answer[:0], `{"code":0,"currency":`...)
	a = appendText(a, offer.Currency)
	a = append(a, `,"entities":`...)
	a = append(a, offer.Entities...)
	a = append(a, `,"additional_customer_id":`...)
	a = appendText(a, offer.AdditionalCustomerID)
	x.answer = append(a, '}')
	return s.done(x, outcomeOK)
}

// checkDeposit gives out a payment id. Nothing tells the platform's retry from
// a second top-up of the same sum, so the id is always a fresh one: two real
// payments under one id would lose money.
func (s *Server) checkDeposit(x *exchange, b *signing.Body, claim claim) error {
	if err := claim.check(); err != nil {
		return err
	}
	customerID, deposit, err := s.depositOf(b)
	if err != nil {
		return err
	}
	ctx, cancel := x.patience()
	defer cancel()
	// Not x.project: the writer may ask after this request has been given up.
	project := x.project
	rules := topup.DepositRules{Methods: project.paymentMethods, MaxAmount: s.maxAmount}
	x.paymentID, err = s.store.Deposit(ctx, customerID, func(account *topup.Account) (store.NewPayment, error) {
		contract, err := topup.CheckDeposit(account, deposit, rules)
		if err != nil {
			return store.NewPayment{}, err
		}
		return store.NewPayment{
			Provider:       provider,
			Project:        project.id,
			CustomerID:     account.CustomerID,
			ContractID:     contract.ID,
			ContractNumber: contract.Number,
			Money:          deposit.Money,
			Method:         deposit.Method,
			ExpiresAfter:   s.expiry,
		}, nil
	})
	if err != nil {
		return fmt.Errorf("check_deposit: %w", err)
	}
	x.project.counters.issued.Inc()
	a := append(x.answer[:0], `{"code":0,"payment_id":`...)
	a = appendText(a, x.paymentID)
	x.answer = append(a, `,"description":"Success"}`...)
	return s.done(x, outcomeOK)
}

// callback records what the platform says. With a valid signature nothing is
// refused: what cannot be read is stored all the same. The answer says that it
// is on disk.
func (s *Server) callback(x *exchange, b *signing.Body, claim claim) error {
	event := eventOf(b, x.project, claim)
	ctx, cancel := x.patience()
	defer cancel()
	recorded, err := s.store.Record(ctx, event, x.body)
	if err != nil {
		// The writer may still be at work on these bytes.
		x.body = nil
		return fmt.Errorf("callback: %w", err)
	}
	x.paymentID = recorded.PaymentID
	x.project.counters.recorded(recorded)
	x.answer = append(x.answer[:0], `{"code":0}`...)
	return s.done(x, outcomeOfDisposition(recorded.Disposition))
}

// done sends the answer of a message that was carried out.
func (s *Server) done(x *exchange, o outcome) error {
	x.outcome = o
	if err := s.reply(x, http.StatusOK); err != nil {
		x.fail(fmt.Errorf("send the answer: %w", err))
	}
	return nil // what was done is done, also when nobody hears of it
}

// reply sends x.answer, signed if that is configured and the request was.
func (s *Server) reply(x *exchange, status int) error {
	if s.sign && x.project != nil {
		signed, err := signing.Embed(x.answer, x.project.keys[0])
		if err != nil {
			// Never nothing: net/http would make a 200 of it.
			x.Response().Header().Set(echo.HeaderRetryAfter, retryAfterSeconds)
			x.outcome = outcomeUnavailable
			sent := x.Blob(http.StatusServiceUnavailable, echo.MIMEApplicationJSON, []byte(`{"code":500,"message":"temporarily unavailable"}`))
			return errors.Join(fmt.Errorf("sign the answer: %w", err), sent)
		}
		x.answer = signed
	}
	return x.Blob(status, echo.MIMEApplicationJSON, x.answer)
}

// customerID reads the member of that name, in the form in which ids are
// stored.
func (s *Server) customerID(b *signing.Body) (string, error) {
	id, err := text(b, "customer_id")
	if err != nil {
		return "", err
	}
	id = s.normalize.Apply(id)
	if err := topup.CheckID(id); err != nil {
		return "", topup.Invalid("customer_id", "%s", err)
	}
	return id, nil
}

// depositOf reads a check_deposit, strictly.
func (s *Server) depositOf(b *signing.Body) (customerID string, d topup.Deposit, err error) {
	if customerID, err = s.customerID(b); err != nil {
		return "", d, err
	}
	if d.ContractID, err = text(b, "entity_id"); err != nil {
		return "", d, err
	}
	if err := topup.CheckID(d.ContractID); err != nil {
		return "", d, topup.Invalid("entity_id", "%s", err)
	}
	if d.Money.Amount, err = amount(b, "amount"); err != nil {
		return "", d, err
	}
	if d.Money.Currency, err = plainText(b, "currency"); err != nil {
		return "", d, err
	}
	if !isCurrencyCode(d.Money.Currency) {
		return "", d, topup.Invalid("currency", "must be a code of three capital letters such as KZT")
	}
	if d.Method, err = plainText(b, "payment_method"); err != nil {
		return "", d, err
	}
	return customerID, d, nil
}

// text reads a member that is documented as a string. An integer is taken as
// its digits: the platform's own SDKs send both, and the signature cannot tell
// them apart (JetPay Gate, "Types").
func text(b *signing.Body, name string) (string, error) {
	v, ok := b.Lookup(name)
	if !ok {
		return "", topup.Invalid(name, "is missing")
	}
	if id, ok := idOf(v); ok {
		return id, nil
	}
	return "", topup.Invalid(name, "must be a string")
}

// plainText reads a member that can only be a string.
func plainText(b *signing.Body, name string) (string, error) {
	v, ok := b.Lookup(name)
	if !ok {
		return "", topup.Invalid(name, "is missing")
	}
	if v.Kind() != signing.KindString {
		return "", topup.Invalid(name, "must be a string")
	}
	return v.Text(), nil
}

// amount reads minor units, between 1 and [topup.MaxAmount].
func amount(b *signing.Body, name string) (int64, error) {
	v, ok := b.Lookup(name)
	if !ok {
		return 0, topup.Invalid(name, "is missing")
	}
	if !isDigits(v) {
		return 0, topup.Invalid(name, "must be a whole number of minor units")
	}
	n, ok := amountOf(v)
	if !ok {
		return 0, topup.Invalid(name, "must be between 1 and %d minor units", topup.MaxAmount)
	}
	return n, nil
}

// maxDigits is how many digits a number that we keep may have.
const maxDigits = 19

// idOf returns a string, or the digits of an integer.
func idOf(v signing.Value) (string, bool) {
	if v.Kind() == signing.KindString || v.Kind() == signing.KindNumber && isDigits(v) {
		return v.Text(), true
	}
	return "", false
}

// isDigits reports whether the value is a whole number that is not negative:
// an integer, or a string of digits, of 1 to 19 digits without a leading zero.
func isDigits(v signing.Value) bool {
	if v.Kind() != signing.KindNumber && v.Kind() != signing.KindString {
		return false
	}
	digits := v.Bytes()
	if len(digits) == 0 || len(digits) > maxDigits || digits[0] == '0' && len(digits) > 1 {
		return false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return false
		}
	}
	return true
}

// amountOf returns the value as an amount that a message may carry.
func amountOf(v signing.Value) (int64, bool) {
	if !isDigits(v) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v.Bytes()), 10, 64)
	return n, err == nil && n >= 1 && n <= topup.MaxAmount
}

func isCurrencyCode(code string) bool {
	if len(code) != 3 {
		return false
	}
	for i := range 3 {
		if code[i] < 'A' || code[i] > 'Z' {
			return false
		}
	}
	return true
}
