package handlers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tolem/platform"
	"tolem/signing"
	"tolem/topup"
)

// BenchmarkEventOf translates a verified callback into an event, its
// fingerprint included.
func BenchmarkEventOf(b *testing.B) {
	key, err := signing.NewKey("s")
	if err != nil {
		b.Fatal(err)
	}
	sum := topup.Money{Amount: 10000, Currency: "KZT"}
	body, err := platform.Project{ID: 1234, Key: key}.Callback(platform.NewCallback(platform.OutcomeSuccess, "p_01K9ZJ5W3V8Q4R7T2X6Y0ABCDE", 1, sum, time.Now()))
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := signing.Parse(body)
	if err != nil {
		b.Fatal(err)
	}
	defer parsed.Release()
	p := &project{id: "1234", callbackMethods: []string{platform.CallbackMethod}}
	b.ReportAllocs()
	for b.Loop() {
		if e := eventOf(parsed, p, claimOf(parsed)); !e.Complete {
			b.Fatal("the callback cannot be read")
		}
	}
}

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
