package platform_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tolem/platform"
)

// admin is an admin API with fixed answers by request URI.
func admin(t *testing.T, answers map[string]string) *platform.AdminClient {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer, ok := answers[r.URL.RequestURI()]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"status":404,"title":"Not Found","detail":"nothing at ` + r.URL.RequestURI() + `"}`
		}
		_, _ = fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	client, err := platform.NewAdminClient(server.URL, "s3cret", platform.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

const onePayment = `{"payment_id":"p/1 %","status":"succeeded","flags":["late"],"credited":{"amount":5,"currency":"KZT","transaction_id":"t","at":"2025-03-25T11:08:45Z"},
	"amount":5,"currency":"KZT","customer_id":"c","entity_id":"e","new_member":1,"transactions":[{"seq":3,"kind":"credit","postings":[{"account":"a","amount":5,"currency":"KZT"}]}]}`

func TestTheAdminClientReadsPayments(t *testing.T) {
	client := admin(t, map[string]string{
		"/api/v1/payments/p%2F1%20%25":  onePayment,
		"/api/v1/payments?limit=1&q=x+": `{"payments":[` + onePayment + `],"next_cursor":"more"}`,
		"/api/v1/payments":              `{"payments":[],"next_cursor":null}`,
		"/api/v1/payments/odd":          `{"payment_id":1}`,
		"/api/v1/payments?q=odd":        `{"payments":[{"payment_id":1}]}`,
	})
	p, err := client.Payment(t.Context(), "p/1 %")
	if err != nil {
		t.Fatal(err)
	}
	if p.PaymentID != "p/1 %" || p.Status != "succeeded" || p.Credited == nil || p.Credited.Amount != 5 || len(p.Transactions) != 1 || p.Transactions[0].Postings[0].Amount != 5 {
		t.Errorf("got %+v", p)
	}
	if !strings.Contains(string(p.Raw), "new_member") {
		t.Errorf("the rest is lost: %s", p.Raw)
	}
	page, err := client.Payments(t.Context(), url.Values{"q": {"x "}, "limit": {"1"}})
	if err != nil || len(page.Payments) != 1 || page.NextCursor != "more" || len(page.Payments[0].Raw) == 0 {
		t.Errorf("got %+v, %v", page, err)
	}
	page, err = client.Payments(t.Context(), nil)
	if err != nil || len(page.Payments) != 0 || page.NextCursor != "" {
		t.Errorf("got %+v, %v", page, err)
	}
	if _, err := client.Payment(t.Context(), "odd"); err == nil {
		t.Error("an answer of another shape is read")
	}
	if _, err := client.Payments(t.Context(), url.Values{"q": {"odd"}}); err == nil {
		t.Error("a page of another shape is read")
	}
	_, err = client.Payment(t.Context(), "gone")
	if !platform.IsNotFound(err) || !strings.Contains(err.Error(), "HTTP 404: nothing at") {
		t.Errorf("got %v", err)
	}
}

func TestTheAdminClientReadsAccountsBalancesAndTheFeed(t *testing.T) {
	client := admin(t, map[string]string{
		"/api/v1/accounts/7123456789":                            `{"customer_id":"7123456789","currency":"KZT","entities":[{"id":"1","balance":7}]}`,
		"/api/v1/ledger/balances?prefix=customers%3A":            `{"accounts":[{"account":"customers:a:b","currency":"KZT","debits":0,"credits":7}],"next_cursor":"c2","total":{"KZT":0}}`,
		"/api/v1/ledger/balances?cursor=c2&prefix=customers%3A":  `{"accounts":[{"account":"customers:a:c","currency":"KZT","debits":1,"credits":2}],"next_cursor":null,"total":{"KZT":0}}`,
		"/api/v1/ledger/transactions?after=41&limit=2":           `{"transactions":[{"seq":42,"payment_id":"p"},{"seq":43}]}`,
		"/api/v1/ledger/transactions?after=43":                   `{"transactions":[]}`,
		"/api/v1/accounts/%D3%98%D0%BB%D0%B8%D1%8F%2F%3Fx=1%231": `{"customer_id":"x"}`,
	})
	account, err := client.Account(t.Context(), "7123456789")
	if err != nil || account.Entities[0].Balance != 7 {
		t.Errorf("got %+v, %v", account, err)
	}
	if account, err := client.Account(t.Context(), "Әлия/?x=1#1"); err != nil || account.CustomerID != "x" {
		t.Errorf("got %+v, %v", account, err)
	}
	balances, total, err := client.Balances(t.Context(), "customers:")
	if err != nil || len(balances) != 2 || balances[1].Credits != 2 || total["KZT"] != 0 || len(total) != 1 {
		t.Errorf("got %+v, %v, %v", balances, total, err)
	}
	feed, err := client.Transactions(t.Context(), 41, 2)
	if err != nil || len(feed) != 2 || feed[0].Seq != 42 || feed[0].PaymentID != "p" {
		t.Errorf("got %+v, %v", feed, err)
	}
	if feed, err = client.Transactions(t.Context(), 43, 0); err != nil || len(feed) != 0 {
		t.Errorf("got %+v, %v", feed, err)
	}
	for name, err := range map[string]error{
		"account": func() error { _, err := client.Account(t.Context(), "x"); return err }(),
		"balances": func() error {
			_, _, err := client.Balances(t.Context(), "x")
			return err
		}(),
		"feed": func() error { _, err := client.Transactions(t.Context(), 1, 1); return err }(),
	} {
		if !platform.IsNotFound(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheAdminClientSaysWhatTheServerSaid(t *testing.T) {
	for answer, want := range map[string]string{
		`{"title":"Forbidden"}`: "HTTP 403: Forbidden",
		`oops`:                  "HTTP 403",
		`{"status":"x"}`:        "HTTP 403",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, answer)
		}))
		client, err := platform.NewAdminClient(server.URL, "t", platform.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = client.Account(t.Context(), "x"); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", answer, err, want)
		}
		server.Close()
	}
}

func TestNeitherTokenNorCustomerIsInAnError(t *testing.T) {
	client, err := platform.NewAdminClient("http://127.0.0.1:1", "s3cret", platform.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Account(t.Context(), "7123456789")
	if err == nil || strings.Contains(err.Error(), "7123456789") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", client, client, *client); strings.Contains(text, "s3cret") {
		t.Errorf("the token is printed: %s", text)
	}
}
