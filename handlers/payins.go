package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tolem/config"
	"tolem/highhelp"
	"tolem/store"
	"tolem/topup"
)

// askAgain is when the provider is asked about a pay-in whose request brought
// no answer: not at once, since the request may still be on its way.
const askAgain = 5 * time.Second

// createPayin opens a payment and asks HighHelp for its form. The payment and
// the idempotency key are on disk before the request leaves.
func (s *Server) createPayin(c echo.Context) error {
	x := c.(*exchange)
	if s.draining.Load() {
		return errDraining
	}
	if err := x.readBody(nil); err != nil {
		return err
	}
	asked, err := bodyOf[payinRequest](x.body)
	if err != nil {
		return err
	}
	project, err := s.settings.Load().highhelp.projectOf(asked.ProjectID)
	if err != nil {
		return err
	}
	x.named, asked.ProjectID = project.id, project.id
	asked.CustomerID = s.normalize.Apply(asked.CustomerID)
	key, err := idempotencyKey(x, asked)
	if err != nil {
		return err
	}
	s.allowTime(x)
	ctx, cancel := x.deadline()
	defer cancel()
	// What was answered before is answered again, whatever has become of the
	// account since.
	if prior, err := s.store.PriorRequest(ctx, key); err != nil || prior != nil {
		return s.answerPrior(x, prior, err)
	}
	request, err := s.checkPayin(asked)
	if err != nil {
		return err
	}
	id, prior, err := s.store.OpenPayin(ctx, asked.CustomerID, key, func(account *topup.Account) (store.NewPayin, error) {
		return s.acceptPayin(account, asked, request.Payment.Lifetime)
	})
	if err != nil || prior != nil {
		return s.answerPrior(x, prior, err)
	}
	x.paymentID = id
	project.counters.issued.Inc()
	request.General.PaymentID = id
	return s.askForPayin(x, project, request)
}

// checkPayin applies the rules of the provider and its methods, which can be
// checked before anybody looks at the account. The request lacks the payment's id.
func (s *Server) checkPayin(asked payinRequest) (highhelp.PayinRequest, error) {
	for field, id := range map[string]string{"customer_id": asked.CustomerID, "entity_id": asked.EntityID} {
		if err := topup.CheckID(id); err != nil {
			return highhelp.PayinRequest{}, topup.Invalid(field, "%s", err)
		}
	}
	return s.settings.Load().highhelp.catalogue.Check(asked.forProvider(s.settings.Load().highhelp.alertsURL))
}

// acceptPayin applies the rules of the account. The writer asks it, perhaps after
// the request has been given up.
func (s *Server) acceptPayin(account *topup.Account, asked payinRequest, lifetime int64) (store.NewPayin, error) {
	if account.Payable() && account.Contract(asked.EntityID) == nil {
		return store.NewPayin{}, topup.NotFound("contract does not exist in this account")
	}
	money := topup.Money{Amount: asked.Amount, Currency: asked.Currency}
	contract, err := topup.CheckDeposit(account, topup.Deposit{ContractID: asked.EntityID, Money: money, Method: asked.WidgetMethod},
		topup.DepositRules{Methods: []string{asked.WidgetMethod}, MaxAmount: s.settings.Load().maxAmount})
	if err != nil {
		return store.NewPayin{}, err
	}
	return store.NewPayin{
		Project: asked.ProjectID, CustomerID: account.CustomerID, ContractID: contract.ID, ContractNumber: contract.Number,
		Money: money, WidgetMethod: asked.WidgetMethod, Method: s.settings.Load().highhelp.methodName(asked), RedirectURL: asked.RedirectURL,
		Lifetime: time.Duration(lifetime) * time.Second, AnsweredWithin: s.settings.Load().highhelp.timeout + storeTimeout,
	}, nil
}

// projectOf finds the project that is asked for; it may be left out when there
// is one.
func (h *highhelpSide) projectOf(id string) (*highhelpProject, error) {
	if id == "" && h.only != nil {
		return h.only, nil
	}
	if p := h.projects[id]; p != nil {
		return p, nil
	}
	if id == "" && len(h.projects) > 0 {
		return nil, topup.Invalid("project_id", "must be given: several projects are configured")
	}
	return nil, topup.Invalid("project_id", "does not name a configured HighHelp project")
}

// methodName is the name of the method that is asked for, empty where the
// customer chooses between several.
func (h *highhelpSide) methodName(asked payinRequest) string {
	fitting := h.catalogue.Fitting(asked.Currency, asked.Payer.Country, asked.WidgetMethod)
	if len(fitting) != 1 {
		return ""
	}
	return fitting[0].Name
}

// askForPayin sends the request and notes what came of it. From here on the
// caller's going away changes nothing: the outcome is to be known.
func (s *Server) askForPayin(x *exchange, project *highhelpProject, request highhelp.PayinRequest) error {
	ctx := context.WithoutCancel(x.Request().Context())
	started := time.Now()
	answer, err := project.client.Payin(ctx, request)
	s.metrics.call(highhelp.Provider, "payin", highhelp.CallOutcome(err), time.Since(started))
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var failed *highhelp.Error
	switch {
	case err == nil:
		return s.payinCreated(ctx, x, answer)
	case errors.As(err, &failed) && !failed.Unknown:
		return s.payinRefused(ctx, x, failed)
	}
	unknown := outcomeUnknown(x.paymentID, "ask for the payment, or send the same request with its Idempotency-Key", err)
	return withNote(unknown, s.store.PayinOutcomeUnknown(ctx, x.paymentID, s.now().Add(askAgain), err.Error()))
}

// payinCreated answers with the form. The very bytes of the answer are stored
// with the idempotency key.
func (s *Server) payinCreated(ctx context.Context, x *exchange, answer highhelp.Answer) error {
	y, err := s.store.Payin(ctx, x.paymentID)
	if err != nil {
		return s.notNoted(x, err)
	}
	created := store.CreatedPayin{
		Known:      store.Known{FormURL: answer.FormURL, RequestID: answer.RequestID},
		Status:     topup.Shown(highhelp.StatusText(answer.Status, answer.SubStatus)),
		NextPollAt: y.FirstPollAt(s.now(), s.settings.Load().highhelp.maxAge, answer.FormURL != ""),
	}
	shown := *y
	payment := *y.Payment
	shown.Payment, shown.FormURL, shown.State = &payment, answer.FormURL, topup.PayinOpen
	payment.ProviderReference = answer.RequestID
	if payment.ProviderStatus == "" {
		payment.ProviderStatus = created.Status
	}
	body, err := marshal(payinJSONOf(&shown))
	if err != nil {
		return s.notNoted(x, err)
	}
	if err := s.store.PayinCreated(ctx, x.paymentID, created, store.Answer{Status: http.StatusCreated, Body: body}); err != nil {
		return s.notNoted(x, err)
	}
	return x.Blob(http.StatusCreated, echo.MIMEApplicationJSON, body)
}

// notNoted answers when the provider has the pay-in and the store could not
// note it. The payment waits, and the watch will learn the rest.
func (s *Server) notNoted(x *exchange, err error) error {
	return &providerFailure{http.StatusServiceUnavailable, x.paymentID,
		"the pay-in was asked for, but what came of it could not be stored; ask for the payment, or send the same request with its Idempotency-Key, later", err}
}

// payinRefused answers when there is no pay-in. A request that may succeed
// later can be sent again under the same idempotency key.
func (s *Server) payinRefused(ctx context.Context, x *exchange, failed *highhelp.Error) error {
	refusal := refusedByProvider(x.paymentID, failed)
	body, err := marshal(problemOf(refusal))
	if err != nil {
		return withNote(refusal, err)
	}
	return withNote(refusal, s.store.PayinRefused(ctx, x.paymentID, store.RefusedPayin{
		ProviderText: topup.ProviderText{
			Status: topup.Shown(highhelp.StatusText(failed.Status, failed.SubStatus)), Code: codeOf(failed),
			Message: topup.Shown(messageOf(failed)),
		},
		FreesKey: failed.Temporary,
	}, store.Answer{Status: refusal.status, Body: body}))
}

// codeOf is what a payment shows as the provider's code: the HTTP status.
func codeOf(failed *highhelp.Error) string {
	if failed.HTTPStatus == 0 {
		return ""
	}
	return fmt.Sprintf("HTTP %d", failed.HTTPStatus)
}

func messageOf(failed *highhelp.Error) string {
	switch {
	case failed.Description != "":
		return failed.Description
	case failed.HTTPStatus == 0:
		return "nothing was sent: the provider could not be reached"
	}
	return ""
}

var errStillRunning = errors.New("the first request with this key has not been answered")

// answerPrior answers a request that was sent before under the same key: with
// what was answered then, or, if that was never settled, with the payment as it
// now is.
func (s *Server) answerPrior(x *exchange, prior *store.Prior, err error) error {
	if err != nil {
		return err
	}
	x.paymentID = prior.PaymentID
	if prior.Running {
		return &providerFailure{http.StatusConflict, prior.PaymentID,
			"a request with this Idempotency-Key is still running; ask again when it is answered", errStillRunning}
	}
	if len(prior.Answer.Body) == 0 {
		x.Response().Header().Set("Idempotency-Replayed", "true")
		return s.answerPayin(x, http.StatusOK, prior.PaymentID, true)
	}
	return repeat(x, prior.Answer)
}

// answerPayin answers with a pay-in as it now is. If its outcome is unknown and
// ask is set, the provider is asked first; that this brings nothing is no
// failure, nor is a caller that has gone away.
func (s *Server) answerPayin(x *exchange, status int, paymentID string, ask bool) error {
	ctx := context.WithoutCancel(x.Request().Context())
	y, err := s.payin(ctx, paymentID)
	if err != nil {
		return err
	}
	if ask && y.Unconfirmed() {
		if _, err := s.look(ctx, y); err == nil {
			if y, err = s.payin(ctx, paymentID); err != nil {
				return err
			}
		}
	}
	return writeJSON(x, status, payinJSONOf(y))
}

// payin reads a pay-in, for as long as a request waits for the store.
func (s *Server) payin(ctx context.Context, paymentID string) (*store.Payin, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.store.Payin(ctx, paymentID)
}

// look asks the provider about a pay-in, and records what it says, also when the
// caller goes away meanwhile.
func (s *Server) look(ctx context.Context, y *store.Payin) (store.Recorded, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settings.Load().highhelp.timeout+storeTimeout)
	defer cancel()
	return s.watcher.Poll(ctx, y)
}

// getPayin answers with a pay-in, refresh=true with one that the provider was
// just asked about.
func (s *Server) getPayin(c echo.Context) error {
	x := c.(*exchange)
	paymentID, err := pathParam(c, "payment_id")
	if err != nil {
		return err
	}
	q := queryOf(c, "refresh")
	refresh := q.truth("refresh")
	if len(q.problems) > 0 {
		return q.problems
	}
	y, err := s.payin(x.Request().Context(), paymentID)
	if err != nil {
		return err
	}
	x.paymentID, x.named = y.Payment.ID, y.Payment.Project
	if !refresh || y.Payment.Status == topup.StatusSucceeded {
		return writeJSON(c, http.StatusOK, payinJSONOf(y))
	}
	if x.role == config.RoleRead {
		return errForbidden // it may credit
	}
	s.allowTime(x)
	if _, err := s.look(x.Request().Context(), y); err != nil {
		return providerError(x.paymentID, err)
	}
	return s.answerPayin(x, http.StatusOK, paymentID, false)
}

func (s *Server) confirmPayin(c echo.Context) error {
	return s.steerPayin(c.(*exchange), "confirm", (*highhelp.Client).Confirm)
}

func (s *Server) cancelPayin(c echo.Context) error {
	return s.steerPayin(c.(*exchange), "cancel", (*highhelp.Client).Cancel)
}

// steerPayin passes a confirm or cancel on. What HighHelp answers is an
// acknowledgement: the result comes as an alert, and nothing changes until then.
func (s *Server) steerPayin(x *exchange, op string, send func(*highhelp.Client, context.Context, string) (highhelp.Answer, error)) error {
	if s.draining.Load() {
		return errDraining
	}
	paymentID, err := pathParam(x, "payment_id")
	if err != nil {
		return err
	}
	y, err := s.payin(x.Request().Context(), paymentID)
	if err != nil {
		return err
	}
	p := y.Payment
	x.paymentID, x.named = p.ID, p.Project
	key, err := idempotencyKey(x, asked{Route: x.Path(), ID: p.ID})
	if err != nil {
		return err
	}
	// What was answered before is answered again, whatever has become of the pay-in.
	if prior, err := s.priorRequest(x, key); err != nil || prior != nil {
		return s.answerSteered(x, prior, err)
	}
	side := x.settings.highhelp
	project := side.projects[p.Project]
	switch {
	case project == nil:
		return topup.Conflict("the project of this pay-in is not configured any more")
	case !side.catalogue.CanConfirm(p.Money.Currency, p.Method):
		return topup.Conflict("the method of this pay-in has no %s", op)
	}
	if err := topup.DecideSteer(p, op); err != nil {
		return err
	}
	request, prior, err := s.openRequest(x, key, side.timeout+2*storeTimeout)
	if err != nil || prior != nil {
		return s.answerSteered(x, prior, err)
	}
	s.allowTime(x)
	started := time.Now()
	ctx := context.WithoutCancel(x.Request().Context())
	_, err = send(project.client, ctx, p.ID)
	s.metrics.call(highhelp.Provider, op, highhelp.CallOutcome(err), time.Since(started))
	return s.noteSteered(ctx, x, request, err)
}

func (s *Server) priorRequest(x *exchange, key store.IdempotencyKey) (*store.Prior, error) {
	ctx, cancel := x.deadline()
	defer cancel()
	return s.store.PriorRequest(ctx, key)
}

func (s *Server) openRequest(x *exchange, key store.IdempotencyKey, within time.Duration) (string, *store.Prior, error) {
	ctx, cancel := x.deadline()
	defer cancel()
	return s.store.OpenRequest(ctx, key, within)
}

// answerSteered answers a confirm or cancel that was sent before under its key.
func (s *Server) answerSteered(x *exchange, prior *store.Prior, err error) error {
	if prior != nil {
		prior.PaymentID = x.paymentID
	}
	return s.answerPrior(x, prior, err)
}

// noteSteered answers a confirm or cancel that was passed on, and stores the answer
// under its key: of an unknown outcome that there was one, of a refusal that may
// not be the last nothing.
func (s *Server) noteSteered(ctx context.Context, x *exchange, request string, err error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err == nil {
		y, err := s.store.Payin(ctx, x.paymentID)
		if err != nil {
			return err
		}
		body, err := marshal(payinJSONOf(y))
		if err != nil {
			return err
		}
		if err := s.store.AnswerRequest(ctx, request, store.Answer{Status: http.StatusAccepted, Body: body}); err != nil {
			return err
		}
		return x.Blob(http.StatusAccepted, echo.MIMEApplicationJSON, body)
	}
	failed := (*highhelp.Error)(nil)
	if !errors.As(err, &failed) {
		return errors.Join(err, s.store.AnswerRequest(ctx, request, store.Answer{}))
	}
	answer := providerError(x.paymentID, err)
	stored := store.Answer{}
	switch {
	case failed.Unknown:
		stored.Status = http.StatusGatewayTimeout
	case !failed.Temporary:
		p := problemOf(answer)
		body, err := marshal(p)
		if err != nil {
			return err
		}
		stored = store.Answer{Status: p.Status, Body: body}
	}
	if err := s.store.AnswerRequest(ctx, request, stored); err != nil {
		return errors.Join(answer, err)
	}
	return answer
}

// allowTime gives the answer the time that a call to the provider may take.
func (s *Server) allowTime(x *exchange) {
	// A connection that cannot do so keeps its own limit.
	_ = http.NewResponseController(x.Response()).SetWriteDeadline(time.Now().Add(s.settings.Load().highhelp.timeout + 2*storeTimeout))
}

// providerFailure is an answer about a call to the provider that did not do
// what was asked. The payment's id is part of it, so that nobody loses sight of
// the payment. Its text is for the log: the detail, which may repeat the
// provider's words, is for the caller alone.
type providerFailure struct {
	status    int
	paymentID string
	detail    string
	cause     error
}

func (e *providerFailure) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *providerFailure) Unwrap() error { return e.cause }

// withNote adds that what came of a call could not be stored.
func withNote(failure *providerFailure, err error) error {
	if err != nil {
		failure.cause = errors.Join(failure.cause, err)
	}
	return failure
}

// providerError is the answer to a failed call about a payment. What is not the
// provider's failure stays what it is.
func providerError(paymentID string, err error) error {
	var failed *highhelp.Error
	switch {
	case !errors.As(err, &failed):
		return err
	case failed.Unknown:
		return outcomeUnknown(paymentID, "ask for the pay-in with refresh=true", err)
	}
	return refusedByProvider(paymentID, failed)
}

// outcomeUnknown tells the caller how to learn the outcome.
func outcomeUnknown(paymentID, learn string, cause error) *providerFailure {
	return &providerFailure{http.StatusGatewayTimeout, paymentID,
		"HighHelp gave no answer that could be read, so that the outcome is unknown; " + learn + ", to learn it", cause}
}

func refusedByProvider(paymentID string, failed *highhelp.Error) *providerFailure {
	refusal := &providerFailure{http.StatusBadGateway, paymentID, "HighHelp refused the request", failed}
	switch {
	case errors.Is(failed, highhelp.ErrBusy):
		refusal.status, refusal.detail = http.StatusServiceUnavailable, "too many requests to HighHelp are under way; nothing was sent; try again"
	case failed.HTTPStatus == 0:
		refusal.detail = "HighHelp could not be reached; nothing was sent; try again"
	case failed.Description != "":
		refusal.detail += ": " + topup.Shown(failed.Description)
	default:
		refusal.detail += fmt.Sprintf(" with HTTP status %d", failed.HTTPStatus)
	}
	return refusal
}
