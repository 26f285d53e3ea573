package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tolem/config"
	"tolem/highhelp"
)

// routePublic lists the routes of the public listener.
func (s *Server) routePublic(e *echo.Echo) {
	e.Use(s.observe(listener{name: "public"}))

	e.POST("/jetpay", s.jetpay)
	e.POST("/jetpay/callback", s.jetpay)
	e.POST(highhelp.AlertsPath, s.highhelpAlert)
	probe(e, "/healthz", s.alive)
}

// routeAdmin lists the routes of the admin listener.
func (s *Server) routeAdmin(e *echo.Echo) {
	e.Use(s.observe(listener{name: "admin", trustsRequestID: true}), s.authenticate)

	probe(e, "/livez", s.alive)
	probe(e, "/readyz", s.ready)
	probe(e, "/metrics", echo.WrapHandler(promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError,
	})))

	e.GET(descriptionRoute, s.getDescription)
	e.GET(docsRoute, s.getDocs)
	e.GET("/api/v1/config", s.getConfig)
	e.GET("/api/v1/accounts/:customer_id", s.getAccount)
	e.PUT("/api/v1/accounts/:customer_id", s.putAccount)
	e.GET("/api/v1/payments", s.listPayments)
	e.GET("/api/v1/payments/:payment_id", s.getPayment)
	e.POST("/api/v1/payments", s.recordPayment)
	e.POST("/api/v1/payments/:payment_id/credit", s.creditPayment)
	e.POST("/api/v1/payments/:payment_id/refunds", s.refundPayment)
	e.POST("/api/v1/payments/:payment_id/recall", s.recallPayment)
	e.POST("/api/v1/payments/:payment_id/close", s.closePayment)
	e.GET("/api/v1/suspense", s.listSuspense)
	e.POST("/api/v1/suspense/:item/assign", s.assignItem)
	e.POST("/api/v1/suspense/:item/return", s.returnItem)
	e.GET("/api/v1/messages", s.listMessages)
	e.POST("/api/v1/messages/:message_id/suspend", s.suspendMessage)
	e.POST("/api/v1/messages/:message_id/dismiss", s.dismissMessage)
	e.GET("/api/v1/approvals", s.listApprovals)
	e.POST("/api/v1/approvals/:approval_id/approve", s.approve)
	e.POST("/api/v1/approvals/:approval_id/reject", s.reject)
	e.GET("/api/v1/events", s.listEvents)
	e.GET("/api/v1/events/:event_id", s.getEvent)
	e.POST("/api/v1/events/:event_id/resend", s.resendEvent)
	e.POST("/api/v1/events/:event_id/skip", s.skipEvent)
	e.GET("/api/v1/audit", s.listAudit)
	e.GET("/api/v1/ledger/balances", s.ledgerBalances)
	e.GET("/api/v1/ledger/transactions", s.ledgerTransactions)
	e.POST("/api/v1/ledger/transactions/:transaction_id/reverse", s.reverseTransaction)
	e.GET("/api/v1/payouts", s.listPayouts)
	e.GET("/api/v1/payouts/:payout_id", s.getPayout)
	e.POST("/api/v1/payouts", s.addPayout)
	e.POST("/api/v1/payouts/:payout_id/post", s.postPayout)
	e.POST("/api/v1/payouts/:payout_id/discard", s.discardPayout)
	e.GET("/api/v1/settlement", s.getSettlement)
	e.GET("/api/v1/reports", s.reportTurnover)
	s.routePayins(e)
	s.routePages(e)
}

// probe routes what watches a server: balancers and uptime monitors ask with
// HEAD as often as with GET. net/http leaves the body out.
func probe(e *echo.Echo, path string, h echo.HandlerFunc) {
	e.GET(path, h)
	e.HEAD(path, h)
}

// routeMerchant lists the routes of the merchant's own listener.
func (s *Server) routeMerchant(e *echo.Echo) {
	e.Use(s.observe(listener{name: "merchant", trustsRequestID: true}), s.authenticate)

	s.routePayins(e)
}

// payinsRoute begins the route templates that the role merchant may use.
const payinsRoute = "/api/v1/payins"

func (s *Server) routePayins(e *echo.Echo) {
	e.POST(payinsRoute, s.createPayin)
	e.GET(payinsRoute+"/:payment_id", s.getPayin)
	e.POST(payinsRoute+"/:payment_id/confirm", s.confirmPayin)
	e.POST(payinsRoute+"/:payment_id/cancel", s.cancelPayin)
}

// isProvider reports whether a route template speaks a provider's protocol, in
// which every failure has an answer of that protocol.
func isProvider(route string) bool {
	return route == "/jetpay" || route == "/jetpay/callback" || route == highhelp.AlertsPath
}

// isOpen reports whether a route template of the admin listener is served
// without a token.
func isOpen(route string) bool {
	switch route {
	case "/livez", "/readyz", "/metrics", descriptionRoute, docsRoute:
		return true
	}
	return false
}

// What the API is like, as JSON and as a page.
const (
	descriptionRoute = "/api/v1/openapi.json"
	docsRoute        = "/api/docs"
)

// mayUse reports whether a role may send such a request to the admin API.
func mayUse(role, method, route string) bool {
	switch role {
	case config.RoleAdmin:
		return true
	case config.RoleRead:
		return isRead(method)
	case config.RoleMerchant:
		return strings.HasPrefix(route, payinsRoute)
	case config.RoleOperator:
		return isRead(method) || method == http.MethodPost && !strings.HasPrefix(route, payinsRoute)
	}
	return false
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }
