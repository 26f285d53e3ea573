package handlers

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tolem/signing"
)

// finish counts the request and writes its one line: what happened in words of
// ours. Never a path, a body, a secret, a token or a customer's id, which is
// personal data; errors of our own making are told in full, for the operator.
func (s *Server) finish(l listener, x *exchange) {
	took := s.now().Sub(x.started)
	status := x.Response().Status
	route := x.Path()
	if route == "" {
		route = "unmatched"
	}
	if x.outcome == outcomeNone {
		x.outcome = outcomeOfStatus(status)
	}
	s.metrics.request(route, x.kind, x.outcome, took)
	if x.reason != signing.ReasonNone {
		s.metrics.signatureFailure(x.reason)
	}

	entry := s.requests.Check(x.level(), "request")
	if entry == nil {
		return
	}
	f := append(x.fields[:0],
		zap.String("request_id", x.id),
		zap.String("listener", l.name),
		zap.String("route", route),
		zap.String("outcome", x.outcome.String()),
		zap.Int("status", status),
		zap.Duration("duration", took),
	)
	if x.kind != kindNone {
		f = append(f, zap.String("kind", x.kind.String()))
	}
	if x.named != "" {
		f = append(f, zap.String("project", x.named))
	}
	if x.paymentID != "" {
		f = append(f, zap.String("payment_id", x.paymentID))
	}
	if x.client != "" {
		f = append(f, zap.String("token_name", x.client))
	}
	if x.reason != signing.ReasonNone {
		f = append(f, zap.String("reason", x.reason.String()))
	}
	if x.unread != "" {
		f = append(f, zap.String("reason", x.unread))
	}
	if x.failure != nil {
		f = append(f, zap.String("error", x.failure.Error()))
	}
	x.fields = f
	entry.Write(f...)
}

// level: what an operator must look at stands out. A refusal is an answer, not
// a failure.
func (x *exchange) level() zapcore.Level {
	switch {
	case x.failure != nil:
		return zapcore.ErrorLevel
	case x.reason != signing.ReasonNone, x.unread != "":
		return zapcore.WarnLevel
	}
	return zapcore.InfoLevel
}
