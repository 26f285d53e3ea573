package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tolem/openapi"
)

// getDescription answers with the description of the API. It is the same for
// everybody, and tells nothing of this server.
func (s *Server) getDescription(c echo.Context) error {
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, openapi.JSON())
}

// getDocs answers with the description as a page.
func (s *Server) getDocs(c echo.Context) error {
	header := c.Response().Header()
	header.Set(echo.HeaderContentSecurityPolicy, openapi.PagePolicy())
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set(echo.HeaderReferrerPolicy, "no-referrer")
	return c.HTMLBlob(http.StatusOK, openapi.Page())
}
