package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"tolem/config"
	"tolem/jetpay/dataapi"
	"tolem/platform"
	"tolem/platform/sandbox"
	"tolem/signing"
)

// TestTheKiosksPaymentsAreInTheDataAPI pays at the kiosk and asks for the hour as
// reconcile does.
func TestTheKiosksPaymentsAreInTheDataAPI(t *testing.T) {
	api, err := platform.NewDataAPI("token", "secret")
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.NewKey("demo-secret")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(o *sandbox.Options) {
		o.Kiosk, o.DataAPI = platform.Project{ID: 1234, Key: key}, api
		server := httptest.NewServer(http.HandlerFunc(shop))
		t.Cleanup(server.Close)
		o.MerchantURL = server.URL
	})
	for _, outcome := range []string{"success", "decline"} {
		r.post(t, "/kaspi", url.Values{"account": {"7123456789"}, "contract": {"12345"}, "amount": {"1000"}, "outcome": {outcome}})
	}
	client, err := dataapi.New(config.JetPay{DataURL: r.url + "/data", DataToken: config.NewSecret("token"), DataSecret: config.NewSecret("secret")},
		func() time.Time { return at.Add(5 * time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answer, err := client.Operations(t.Context(), []string{"1234"}, at.Truncate(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "the hour", string(answer), `"payment_id":"p_1"`, `"operation_status":"success"`, `"operation_status":"decline"`, `"amount":100000`)
}
