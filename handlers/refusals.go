package handlers

import (
	"cmp"
	"net/http"

	"tolem/store"
)

// auditRefusal writes into the audit that a request of somebody who is known was
// refused with 403 or 409, unless the store has done that with the step. When it
// fails, its error is answered instead: no refusal is reported that the audit does
// not have.
func (s *Server) auditRefusal(x *exchange, p problem, refusal error) error {
	if x.client == "" || p.Status != http.StatusForbidden && p.Status != http.StatusConflict || store.IsAudited(refusal) {
		return nil
	}
	ctx, cancel := x.deadline()
	defer cancel()
	by := byToken(x)
	by.Reason = x.why
	return s.store.Audit(ctx, by, store.Audited{
		Action: store.Action(x.Request().Method + " " + cmp.Or(x.Path(), "(no such route)")),
		Object: objectOf(x), Result: store.ResultRefused, Detail: p.Detail,
	})
}

// objectOf is the id in a request's path, for the audit: not a customer's.
func objectOf(x *exchange) string {
	names := x.ParamNames()
	if len(names) != 1 || names[0] == "customer_id" {
		return x.paymentID
	}
	id, err := pathParam(x, names[0])
	if err != nil {
		return x.paymentID
	}
	return id
}
