package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"tolem/topup"
)

// AdminClient reads the merchant's own side: the admin API of the server. It
// is safe for concurrent use, and its token cannot be printed.
type AdminClient struct {
	base      string
	http      *http.Client
	authorize func(*http.Request)
}

// NewAdminClient makes a client for the admin listener at an http or https URL.
func NewAdminClient(baseURL, token string, o ClientOptions) (*AdminClient, error) {
	base, err := checkBase(baseURL)
	if err != nil {
		return nil, fmt.Errorf("admin API: %w", err)
	}
	if token == "" {
		return nil, errors.New("admin API: a token is needed")
	}
	authorize := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	return &AdminClient{base: base, http: newHTTP(o), authorize: authorize}, nil
}

// Close closes the connections that are kept open.
func (a *AdminClient) Close() { a.http.CloseIdleConnections() }

// APIError is a "no" of the admin API (RFC 9457).
type APIError struct {
	Status int
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// Error says what the server said.
func (e *APIError) Error() string {
	switch {
	case e.Detail != "":
		return fmt.Sprintf("HTTP %d: %s", e.Status, e.Detail)
	case e.Title != "":
		return fmt.Sprintf("HTTP %d: %s", e.Status, e.Title)
	}
	return fmt.Sprintf("HTTP %d", e.Status)
}

// IsNotFound reports whether the requested record does not exist.
func IsNotFound(err error) bool {
	var refused *APIError
	return errors.As(err, &refused) && refused.Status == http.StatusNotFound
}

// PaymentView is a payment as the admin API shows it.
type PaymentView struct {
	PaymentID         string            `json:"payment_id"`
	CustomerID        string            `json:"customer_id"`
	EntityID          string            `json:"entity_id"`
	Amount            int64             `json:"amount"` // minor units
	Currency          string            `json:"currency"`
	Status            topup.Status      `json:"status"`
	Flags             []string          `json:"flags"`
	Credited          *CreditView       `json:"credited"`
	ProviderReference string            `json:"provider_reference"`
	OperationID       string            `json:"operation_id"`
	Transactions      []TransactionView `json:"transactions"` // of a single payment only
	Raw               json.RawMessage   `json:"-"`            // all of it
}

// CreditView is the credit of a payment.
type CreditView struct {
	Amount        int64     `json:"amount"` // minor units
	Currency      string    `json:"currency"`
	TransactionID string    `json:"transaction_id"`
	At            time.Time `json:"at"`
}

// TransactionView is a ledger transaction.
type TransactionView struct {
	Seq           int64         `json:"seq"`
	TransactionID string        `json:"transaction_id"`
	PaymentID     string        `json:"payment_id"` // in the feed only
	Kind          string        `json:"kind"`
	Postings      []PostingView `json:"postings"`
	EffectiveAt   time.Time     `json:"effective_at"`
	RecordedAt    time.Time     `json:"recorded_at"`
}

// PostingView is one line of a ledger transaction: minor units, a debit
// positive, a credit negative.
type PostingView struct {
	Account  string `json:"account"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// AccountView is an account with what was credited to its contracts.
type AccountView struct {
	CustomerID           string       `json:"customer_id"`
	AdditionalCustomerID string       `json:"additional_customer_id"`
	Currency             string       `json:"currency"`
	Closed               bool         `json:"closed"`
	Entities             []EntityView `json:"entities"`
}

// EntityView is one contract of an account.
type EntityView struct {
	ID      string `json:"id"`
	Number  string `json:"number"`
	Closed  bool   `json:"closed"`
	Balance int64  `json:"balance"` // what has been credited, minor units
}

// BalanceView is the running total of one ledger account, in minor units.
type BalanceView struct {
	Account  string `json:"account"`
	Currency string `json:"currency"`
	Debits   int64  `json:"debits"`
	Credits  int64  `json:"credits"`
}

// PaymentsPage is one page of a list of payments, newest first.
type PaymentsPage struct {
	Payments   []PaymentView
	NextCursor string // empty: there is no further page
}

// Payment reads one payment with its ledger transactions; see IsNotFound.
func (a *AdminClient) Payment(ctx context.Context, paymentID string) (PaymentView, error) {
	var raw json.RawMessage
	if err := a.get(ctx, "/api/v1/payments/"+url.PathEscape(paymentID), nil, &raw); err != nil {
		return PaymentView{}, fmt.Errorf("read payment %s: %w", paymentID, err)
	}
	view, err := paymentView(raw)
	if err != nil {
		return PaymentView{}, fmt.Errorf("read payment %s: %w", paymentID, err)
	}
	return view, nil
}

// Config reads the configuration that the server runs with, as YAML with secrets
// hidden.
func (a *AdminClient) Config(ctx context.Context) (string, error) {
	var answer struct {
		Configuration string `json:"configuration"`
	}
	if err := a.get(ctx, "/api/v1/config", nil, &answer); err != nil {
		return "", fmt.Errorf("read the server's configuration: %w", err)
	}
	return answer.Configuration, nil
}

// Payments reads a page of payments; the query's names are those of the API
// (status, flag, customer_id, q, amount, from, to, limit, cursor).
func (a *AdminClient) Payments(ctx context.Context, query url.Values) (PaymentsPage, error) {
	var answer struct {
		Payments   []json.RawMessage `json:"payments"`
		NextCursor *string           `json:"next_cursor"`
	}
	if err := a.get(ctx, "/api/v1/payments", query, &answer); err != nil {
		return PaymentsPage{}, fmt.Errorf("list payments: %w", err)
	}
	page := PaymentsPage{Payments: make([]PaymentView, 0, len(answer.Payments))}
	for _, raw := range answer.Payments {
		view, err := paymentView(raw)
		if err != nil {
			return PaymentsPage{}, fmt.Errorf("list payments: %w", err)
		}
		page.Payments = append(page.Payments, view)
	}
	if answer.NextCursor != nil {
		page.NextCursor = *answer.NextCursor
	}
	return page, nil
}

func paymentView(raw json.RawMessage) (PaymentView, error) {
	view := PaymentView{Raw: raw}
	if err := json.Unmarshal(raw, &view); err != nil {
		return PaymentView{}, err
	}
	return view, nil
}

// Account reads one account; see IsNotFound.
func (a *AdminClient) Account(ctx context.Context, customerID string) (AccountView, error) {
	var view AccountView
	if err := a.get(ctx, "/api/v1/accounts/"+url.PathEscape(customerID), nil, &view); err != nil {
		return AccountView{}, fmt.Errorf("read the account: %w", err)
	}
	return view, nil
}

// Balances reads all ledger accounts whose names begin with a prefix, page by
// page, and the total of the whole book by currency.
func (a *AdminClient) Balances(ctx context.Context, prefix string) (balances []BalanceView, total map[string]int64, err error) {
	query := url.Values{"prefix": {prefix}}
	for {
		var page struct {
			Accounts   []BalanceView    `json:"accounts"`
			NextCursor *string          `json:"next_cursor"`
			Total      map[string]int64 `json:"total"`
		}
		if err := a.get(ctx, "/api/v1/ledger/balances", query, &page); err != nil {
			return nil, nil, fmt.Errorf("read balances: %w", err)
		}
		balances = append(balances, page.Accounts...)
		if page.NextCursor == nil || *page.NextCursor == "" {
			return balances, page.Total, nil
		}
		query.Set("cursor", *page.NextCursor)
	}
}

// Transactions reads the feed from behind a seq, in commit order, at most
// limit of them (0: as many as the server gives).
func (a *AdminClient) Transactions(ctx context.Context, after int64, limit int) ([]TransactionView, error) {
	query := url.Values{"after": {strconv.FormatInt(after, 10)}}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	var page struct {
		Transactions []TransactionView `json:"transactions"`
	}
	if err := a.get(ctx, "/api/v1/ledger/transactions", query, &page); err != nil {
		return nil, fmt.Errorf("read the feed: %w", err)
	}
	return page.Transactions, nil
}

func (a *AdminClient) get(ctx context.Context, path string, query url.Values, into any) error {
	address := a.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	a.authorize(request)
	answer, err := do(a.http, request)
	if err != nil {
		return withoutAddress(err)
	}
	if answer.Status != http.StatusOK {
		refused := &APIError{Status: answer.Status}
		_ = json.Unmarshal(answer.Body, refused) // the status says enough
		refused.Status = answer.Status
		return refused
	}
	if err := json.Unmarshal(answer.Body, into); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	return nil
}

// withoutAddress drops the URL from a transport error: it may contain a
// customer's id.
func withoutAddress(err error) error {
	var transport *url.Error
	if errors.As(err, &transport) {
		return fmt.Errorf("get: %w", transport.Err)
	}
	return err
}
