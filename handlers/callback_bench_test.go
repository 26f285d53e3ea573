package handlers_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkCredit is a callback that credits a payment, one at a time and
// without a network: the whole way from bytes to the answer.
func BenchmarkCredit(b *testing.B) {
	r := newRig(b)
	bodies := make([][]byte, b.N)
	for i := range bodies {
		bodies[i] = []byte(signed(b, callbackFor(b, r.issue(), fmt.Sprint(1000+i)), demoSecret))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		recorder := httptest.NewRecorder()
		r.server.Public().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/jetpay", bytes.NewReader(bodies[i])))
		if recorder.Code != http.StatusOK {
			b.Fatalf("got %d %s", recorder.Code, recorder.Body)
		}
	}
}
