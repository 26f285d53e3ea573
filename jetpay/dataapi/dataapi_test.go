package dataapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tolem/config"
	"tolem/jetpay/dataapi"
	"tolem/platform"
	"tolem/topup"
)

var (
	hour = time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	now  = time.Date(2026, 11, 30, 14, 30, 0, 0, time.UTC)
)

// api is a Data API with n operations in the hour, and a client of it.
func api(t *testing.T, n int) (*platform.DataAPI, *dataapi.Client) {
	t.Helper()
	d, err := platform.NewDataAPI("token", "secret")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		d.Put(sale(i))
	}
	mux := http.NewServeMux()
	mux.Handle("POST /v1/operations/get", d)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := dataapi.New(config.JetPay{DataURL: server.URL + "/v1", DataToken: config.NewSecret("token"), DataSecret: config.NewSecret("secret")}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return d, c
}

// sale is an operation; a later one is later in its hour.
func sale(n int) platform.DataOperation {
	return platform.DataOperation{
		ProjectID: 1234, Operation: fmt.Sprint(5_000_000 + n), PaymentID: fmt.Sprintf("p%d", n),
		Sum: topup.Money{Amount: int64(n + 1), Currency: "KZT"}, CompletedAt: hour.Add(time.Duration(n) * time.Second),
	}
}

// ids are the operations in an answer.
func ids(t *testing.T, answer []byte) map[string]bool {
	t.Helper()
	var all struct {
		Operations []struct {
			ID string `json:"operation_id"`
		}
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, o := range all.Operations {
		if found[o.ID] {
			t.Errorf("operation %s is there twice", o.ID)
		}
		found[o.ID] = true
	}
	return found
}

func TestAnHourIsReadPageByPageUntilTwoReadingsAgree(t *testing.T) {
	t.Parallel()
	const n = 1234
	d, c := api(t, n)
	d.Put(platform.DataOperation{ProjectID: 99, Operation: "1", PaymentID: "other", Sum: topup.Money{Amount: 1, Currency: "KZT"}, CompletedAt: hour})
	d.Put(platform.DataOperation{ProjectID: 1234, Operation: "2", PaymentID: "next hour", Sum: topup.Money{Amount: 1, Currency: "KZT"}, CompletedAt: hour.Add(time.Hour)})
	answer, err := c.Operations(t.Context(), []string{"1234"}, hour)
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(t, answer); len(got) != n || got["1"] || got["2"] {
		t.Errorf("got %d operations, want the %d of the project in the hour", len(got), n)
	}
	if got, want := d.Requests(), 2*(3+1); got != want {
		t.Errorf("got %d requests, want %d: two readings of three pages and an empty one", got, want)
	}
}

func TestRowsThatMoveWhileTheyAreReadAreNotLost(t *testing.T) {
	t.Parallel()
	const n = 1500
	d, c := api(t, n)
	d.Before(func(d *platform.DataAPI, request int) {
		if request != 2 { // the first page of the first reading was read
			return
		}
		moved := sale(0) // it leaves the hour, and all behind it move up
		moved.ChangedAt = hour.Add(2 * time.Hour)
		d.Put(moved)
	})
	answer, err := c.Operations(t.Context(), nil, hour)
	if err != nil {
		t.Fatal(err)
	}
	got := ids(t, answer)
	if len(got) != n-1 || got["5000000"] {
		t.Errorf("got %d operations, want all %d that stayed", len(got), n-1)
	}
}

func TestAnHourThatDoesNotSettleIsGivenUp(t *testing.T) {
	t.Parallel()
	d, c := api(t, 3)
	d.Before(func(d *platform.DataAPI, request int) {
		changed := sale(1)
		changed.Sum.Amount = int64(request)
		d.Put(changed)
	})
	if _, err := c.Operations(t.Context(), nil, hour); err == nil || !strings.Contains(err.Error(), "no two of 8 readings agree") {
		t.Errorf("got %v, want that no two readings agree", err)
	}
}

func TestWhatCannotBeVerifiedIsAnError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func([]byte) []byte
		want  string
	}{
		"another sum": {func(b []byte) []byte { return bytes.Replace(b, []byte(`"amount":1,`), []byte(`"amount":2,`), 1) }, "cannot be verified"},
		"a row left out": {func(b []byte) []byte {
			return []byte(`{"operations":[],"signature":"` + strings.Repeat("A", 86) + `=="}`)
		}, "cannot be verified"},
		"no signature": {func(b []byte) []byte { return []byte(`{"operations":[]}`) }, "cannot be verified"},
		"cut off":      {func(b []byte) []byte { return b[:len(b)/2] }, "the answer cannot be read"},
		"no JSON":      {func([]byte) []byte { return []byte("<html>") }, "the answer cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			d, c := api(t, 3)
			d.Spoil(test.spoil)
			if _, err := c.Operations(t.Context(), nil, hour); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestTheDataAPIRefuses(t *testing.T) {
	t.Parallel()
	_, c := api(t, 0)
	if _, err := c.Operations(t.Context(), nil, now.Add(-90*time.Minute)); err == nil || !strings.Contains(err.Error(), "too recent") {
		t.Errorf("the last hour: got %v", err)
	}
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"name":"Forbidden","message":"no rights","code":7,"status":403}`))
	}))
	defer refusing.Close()
	c, err := dataapi.New(config.JetPay{DataURL: refusing.URL, DataToken: config.NewSecret("x"), DataSecret: config.NewSecret("y")}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Operations(t.Context(), nil, hour); err == nil || !strings.Contains(err.Error(), "HTTP 403: Forbidden no rights (code 7)") {
		t.Errorf("got %v, want the platform's own words", err)
	}
}
