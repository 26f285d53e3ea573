package handlers_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
)

// The handlers alone, without a network: what one message costs beside an
// empty Echo handler. make bench has the ratios over loopback.
func BenchmarkHandlers(b *testing.B) {
	r := newRig(b)
	empty := echo.New()
	empty.POST("/jetpay", func(c echo.Context) error { return c.JSONBlob(http.StatusOK, []byte("{}")) })
	verify := []byte(signed(b, verifyBody, demoSecret))
	deposit := []byte(signed(b, depositBody, demoSecret))
	repeat := []byte(signed(b, callbackFor(b, r.issue(), "1"), demoSecret))
	for _, bench := range []struct {
		name    string
		handler http.Handler
		body    func(i int) []byte
	}{
		{"empty", empty, func(int) []byte { return verify }},
		{"verify", r.server.Public(), func(int) []byte { return verify }},
		{"refused", r.server.Public(), func(int) []byte { return repeat[:len(repeat)-1] }},
		{"check_deposit", r.server.Public(), func(int) []byte { return deposit }},
		{"repeat", r.server.Public(), func(int) []byte { return repeat }},
		{"unknown payment", r.server.Public(), func(i int) []byte {
			return []byte(signed(b, callbackFor(b, fmt.Sprint("x", i), fmt.Sprint(1000+i)), demoSecret))
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			bodies := make([][]byte, b.N)
			for i := range bodies {
				bodies[i] = bench.body(i)
			}
			b.ResetTimer()
			for i := range b.N {
				request := httptest.NewRequest(http.MethodPost, "/jetpay", bytes.NewReader(bodies[i]))
				recorder := httptest.NewRecorder()
				bench.handler.ServeHTTP(recorder, request)
				if bench.name != "refused" && recorder.Code != http.StatusOK {
					b.Fatalf("got %d %s", recorder.Code, recorder.Body)
				}
			}
		})
	}
}
