package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tolem/config"
)

// routePublic lists the routes of the public listener.
func (s *Server) routePublic(e *echo.Echo) {
	e.Use(s.observe(listener{name: "public"}))

	e.POST("/jetpay", s.jetpay)
	e.POST("/jetpay/callback", s.jetpay)
	e.GET("/healthz", s.alive)
}

// routeAdmin lists the routes of the admin listener.
func (s *Server) routeAdmin(e *echo.Echo) {
	e.Use(s.observe(listener{name: "admin", trustsRequestID: true}), s.authenticate)

	e.GET("/livez", s.alive)
	e.GET("/readyz", s.ready)
	e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError,
	})))

	e.GET("/api/v1/accounts/:customer_id", s.getAccount)
	e.PUT("/api/v1/accounts/:customer_id", s.putAccount)
	e.GET("/api/v1/payments", s.listPayments)
	e.GET("/api/v1/payments/:payment_id", s.getPayment)
	e.GET("/api/v1/ledger/balances", s.ledgerBalances)
	e.GET("/api/v1/ledger/transactions", s.ledgerTransactions)
}

// isProvider reports whether a route template speaks a provider's protocol, in
// which every failure has an answer of that protocol.
func isProvider(route string) bool {
	return route == "/jetpay" || route == "/jetpay/callback"
}

// isOpen reports whether a route template of the admin listener is served
// without a token.
func isOpen(route string) bool {
	return route == "/livez" || route == "/readyz" || route == "/metrics"
}

// mayUse reports whether a role may send such a request to the admin API. The
// role merchant has no route of its own in this version.
func mayUse(role, method string) bool {
	switch role {
	case config.RoleAdmin:
		return true
	case config.RoleRead:
		return method == http.MethodGet || method == http.MethodHead
	}
	return false
}
