package handlers

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"tolem/topup"
)

// alive answers as long as the process can serve at all.
func (s *Server) alive(c echo.Context) error {
	return c.String(http.StatusOK, "ok")
}

// ready answers whether requests should be sent here: the database can be
// written to as durably as promised, and the server is not draining. The
// reason why not is in the log.
func (s *Server) ready(c echo.Context) error {
	if s.draining.Load() {
		return errDraining
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), storeTimeout)
	defer cancel()
	if err := s.store.Ready(ctx); err != nil {
		return errors.Join(topup.Unavailable("not ready, the log says why"), err)
	}
	return c.String(http.StatusOK, "ok")
}
