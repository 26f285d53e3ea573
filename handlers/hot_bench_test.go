package handlers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// BenchmarkFinish counts a request and writes its line of the log.
func BenchmarkFinish(b *testing.B) {
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.Lock(zapcore.AddSync(io.Discard)), zap.InfoLevel)
	s := &Server{requests: zap.New(core), metrics: NewMetrics(), now: time.Now}
	s.exchanges.New = func() any { return &exchange{} }
	c := newEcho().NewContext(httptest.NewRequest(http.MethodPost, "/jetpay", nil), httptest.NewRecorder())
	c.SetPath("/jetpay")
	b.ReportAllocs()
	for b.Loop() {
		x := s.takeExchange(c)
		x.id, x.kind, x.outcome, x.named, x.paymentID = "0123456789ab-1", kindCallback, outcomeCredited, "1234", "p_01K9ZJ5W3V8Q4R7T2X6Y0ABCDE"
		s.finish(listener{name: "public"}, x)
		s.giveBack(x)
	}
}
