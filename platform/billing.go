package platform

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tolem/topup"
)

// BillingMode is how an example billing answers.
type BillingMode string

// The modes of an example billing.
const (
	BillingOK       BillingMode = "ok"
	BillingSlow     BillingMode = "slow"     // after longer than anybody waits
	BillingDead     BillingMode = "dead"     // HTTP 503
	BillingGarbled  BillingMode = "garbled"  // HTTP 200, and no account record
	BillingEndless  BillingMode = "endless"  // an answer that does not end
	BillingCurrency BillingMode = "currency" // every account in another currency
)

// Billing is an example of the merchant's billing, for accounts.source: http: it
// answers GET with the account record of the last part of the path. It verifies the
// signature as a billing should. It is safe for concurrent use.
type Billing struct {
	verifier *standardwebhooks.Webhook

	mu       sync.Mutex
	accounts map[string]topup.Account
	mode     BillingMode
	requests int
}

// NewBilling makes one without accounts. The secret is that of accounts.http.
func NewBilling(secret string) (*Billing, error) {
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, fmt.Errorf("the example billing: %w", err)
	}
	return &Billing{verifier: verifier, accounts: map[string]topup.Account{}, mode: BillingOK}, nil
}

// Put adds an account, or replaces it.
func (b *Billing) Put(account topup.Account) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts[account.CustomerID] = account
}

// Remove makes billing not know a customer any more.
func (b *Billing) Remove(customerID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.accounts, customerID)
}

// SetMode changes how it answers from now on. An unknown mode is an error.
func (b *Billing) SetMode(mode BillingMode) error {
	switch mode {
	case BillingOK, BillingSlow, BillingDead, BillingGarbled, BillingEndless, BillingCurrency:
	default:
		return fmt.Errorf("unknown mode %s", strconv.Quote(string(mode)))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mode = mode
	return nil
}

// Requests is how many requests with a valid signature have arrived.
func (b *Billing) Requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests
}

// ServeHTTP answers GET /…/{customer_id}; the route must name customer_id.
func (b *Billing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := b.verifier.Verify(nil, r.Header); err != nil {
		http.Error(w, "the signature is not valid", http.StatusUnauthorized)
		return
	}
	b.mu.Lock()
	b.requests++
	account, known := b.accounts[r.PathValue("customer_id")]
	mode := b.mode
	b.mu.Unlock()
	switch mode {
	case BillingSlow:
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
		return
	case BillingDead:
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	case BillingGarbled:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"customer_id":"` + account.CustomerID + `","balance":`))
		return
	case BillingEndless:
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
		return
	case BillingCurrency:
		if account.Currency = "USD"; !known {
			account.Currency = ""
		}
	}
	if !known {
		http.Error(w, "unknown customer", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(account)
}
