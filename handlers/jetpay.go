package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"tolem/jetpay"
	"tolem/signing"
	"tolem/store"
	"tolem/topup"
)

// jetpay serves the three messages of JetPay Gate, whose kind follows from their
// content. Content-Type is ignored: it is not documented.
func (s *Server) jetpay(c echo.Context) error {
	x := c.(*exchange)
	body, err := s.receive(x)
	if err != nil {
		return err
	}
	defer s.dismiss(body)
	m := jetpay.Read(body)
	x.kind = kindOf(m.Kind)
	if x.project, err = x.settings.projects.Verify(m); err != nil {
		return s.unproven(x, jetpay.Provider, m.ProjectID(), err)
	}
	x.named = x.project.ID

	switch m.Kind {
	case jetpay.KindCallback:
		return s.callback(x, m)
	case jetpay.KindVerify:
		return s.verify(x, m)
	case jetpay.KindCheckDeposit:
		return s.checkDeposit(x, m)
	}
	return jetpay.ErrUnknownType
}

// receive reads a provider's message, bounded and strictly, and counts it as under
// way. The caller ends that with dismiss; nothing of the message is believed before
// its signature is verified.
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

// dismiss ends the work on a message that receive has returned.
func (s *Server) dismiss(body *signing.Body) {
	body.Release()
	s.leave()
}

// kindOf names a message of JetPay in the log and the metrics.
func kindOf(k jetpay.Kind) kind {
	switch k {
	case jetpay.KindCallback:
		return kindCallback
	case jetpay.KindVerify:
		return kindVerify
	case jetpay.KindCheckDeposit:
		return kindCheckDeposit
	}
	return kindOther
}

// verify answers whether the account exists and which contracts it has. It has
// no side effects.
func (s *Server) verify(x *exchange, m jetpay.Message) error {
	customerID, err := m.VerifyRequest(s.normalize)
	if err != nil {
		return err
	}
	ctx, cancel := x.deadline()
	defer cancel()
	if err := s.refresh(ctx, customerID); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	offer, err := s.store.Offer(ctx, customerID)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	x.answer = jetpay.AppendOffer(x.answer[:0], jetpay.Offer{
		Currency: offer.Currency, Entities: offer.Entities, AdditionalCustomerID: offer.AdditionalCustomerID,
	})
	return s.done(x, outcomeOK)
}

// checkDeposit issues a payment id. The platform's retry cannot be distinguished
// from a second top-up of the same sum, so the id is always a fresh one: two real
// payments under one id would lose money.
func (s *Server) checkDeposit(x *exchange, m jetpay.Message) error {
	customerID, deposit, err := m.DepositRequest(s.normalize)
	if err != nil {
		return err
	}
	ctx, cancel := x.deadline()
	defer cancel()
	if err := s.refresh(ctx, customerID); err != nil {
		return fmt.Errorf("check_deposit: %w", err)
	}
	// Not x.project: the writer may call this after the request has been given up.
	project, settings := x.project, x.settings
	rules := topup.DepositRules{Methods: project.PaymentMethods, MaxAmount: settings.maxAmount}
	x.paymentID, err = s.store.Deposit(ctx, customerID, func(account *topup.Account) (store.NewPayment, error) {
		contract, err := topup.CheckDeposit(account, deposit, rules)
		if err != nil {
			return store.NewPayment{}, err
		}
		return store.NewPayment{
			Provider:       jetpay.Provider,
			Project:        project.ID,
			CustomerID:     account.CustomerID,
			ContractID:     contract.ID,
			ContractNumber: contract.Number,
			Money:          deposit.Money,
			Method:         deposit.Method,
			ExpiresAfter:   settings.expiry,
		}, nil
	})
	if err != nil {
		return fmt.Errorf("check_deposit: %w", err)
	}
	settings.counters[project.Index].issued.Inc()
	x.answer = jetpay.AppendIssued(x.answer[:0], x.paymentID)
	return s.done(x, outcomeOK)
}

// callback records a result. With a valid signature nothing is refused: what
// cannot be read is stored all the same. The answer acknowledges that it is on
// disk.
func (s *Server) callback(x *exchange, m jetpay.Message) error {
	event := m.Event(x.project)
	ctx, cancel := x.deadline()
	defer cancel()
	recorded, err := s.store.Record(ctx, event, x.body)
	if err != nil {
		return fmt.Errorf("callback: %w", err)
	}
	x.paymentID = recorded.PaymentID
	x.settings.counters[x.project.Index].recorded(recorded)
	x.answer = jetpay.AppendStored(x.answer[:0])
	return s.done(x, outcomeOfDisposition(recorded.Disposition))
}

// unproven prepares the refusal of a message whose sender is not proven. The log
// names its project only if that is or was configured, since anybody may write
// anything into a message.
func (s *Server) unproven(x *exchange, provider, project string, err error) error {
	former := s.former.has(provider, project)
	if former || s.isConfigured(provider, project) {
		x.named = project
	}
	if refused := (*signing.SenderError)(nil); former && errors.As(err, &refused) && refused.Reason == signing.ReasonUnknownProject {
		return &signing.SenderError{Reason: signing.ReasonNotConfigured}
	}
	return err
}

// done sends the answer of a message that was carried out.
func (s *Server) done(x *exchange, o outcome) error {
	x.outcome = o
	if err := s.reply(x, http.StatusOK); err != nil {
		x.fail(fmt.Errorf("send the answer: %w", err))
	}
	return nil // it was carried out, also if the answer does not arrive
}

// reply sends x.answer, signed if that is configured and the request was.
func (s *Server) reply(x *exchange, status int) error {
	if x.settings.sign && x.project != nil {
		signed, err := x.project.SignAnswer(x.answer)
		if err != nil {
			// Never nothing: net/http would make a 200 of it.
			x.Response().Header().Set(echo.HeaderRetryAfter, retryAfterSeconds)
			x.outcome = outcomeUnavailable
			sent := x.Blob(http.StatusServiceUnavailable, echo.MIMEApplicationJSON, jetpay.AppendError(nil, jetpay.CodeGeneral, textUnavailable))
			return errors.Join(fmt.Errorf("sign the answer: %w", err), sent)
		}
		x.answer = signed
	}
	return x.Blob(status, echo.MIMEApplicationJSON, x.answer)
}
