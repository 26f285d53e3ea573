// Package platform plays the payment platform (JetPay Gate): it builds, signs
// and posts the messages that a merchant's server gets from it, tops up an
// account in three exchanges, and puts a server under load. It also reads the
// server's admin API, so that what was acknowledged can be compared with what
// is booked.
//
// Simulations, tests and benchmarks use it; the server itself does not.
package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"tolem/signing"
	"tolem/topup"
)

// DateLayout is how the platform writes dates: without a colon in the offset
// (JetPay Gate, "Callbacks").
const DateLayout = "2006-01-02T15:04:05-0700"

// The defaults of a Kaspi top-up.
const (
	DepositMethod  = "terminal/kaspi" // payment_method in check_deposit
	CallbackMethod = "kaspi"          // payment.method in callbacks
)

// Outcome is how a played payment ends.
type Outcome string

// The outcomes that can be played.
const (
	OutcomeSuccess Outcome = "success"
	OutcomeDecline Outcome = "decline"
)

// ParseOutcome returns the outcome of that name.
func ParseOutcome(name string) (Outcome, error) {
	switch o := Outcome(name); o {
	case OutcomeSuccess, OutcomeDecline:
		return o, nil
	}
	return "", fmt.Errorf("outcome %q: must be %s or %s", name, OutcomeSuccess, OutcomeDecline)
}

// Project is one project of the merchant at the platform.
type Project struct {
	ID  int64
	Key *signing.Key
}

// Verify builds a signed verify: does this account exist?
func (p Project) Verify(customerID string) ([]byte, error) {
	return p.sign("verify", verify{Type: "verify", ProjectID: p.ID, CustomerID: customerID})
}

// Deposit is the content of a check_deposit.
type Deposit struct {
	CustomerID string
	EntityID   string
	Money      topup.Money
	Method     string // empty: DepositMethod
}

// CheckDeposit builds a signed check_deposit: give us a payment id for this.
func (p Project) CheckDeposit(d Deposit) ([]byte, error) {
	if d.Method == "" {
		d.Method = DepositMethod
	}
	return p.sign("check_deposit", checkDeposit{
		Type: "check_deposit", ProjectID: p.ID, CustomerID: d.CustomerID, EntityID: d.EntityID,
		Amount: d.Money.Amount, Currency: d.Money.Currency, PaymentMethod: d.Method,
	})
}

// Callback is what the platform says about a payment, with every documented
// field. [NewCallback] fills it; a test then changes what it is about.
type Callback struct {
	Payment   Payment
	Account   string // account.number; matches nothing of the merchant's
	Customer  string // customer.id; matches nothing of the merchant's
	Operation Operation
	// Extra are further top-level members, written after the documented ones
	// in the order of their names. The platform adds members without notice.
	Extra map[string]json.RawMessage
}

// Payment is the callback's member payment.
type Payment struct {
	ID          string // as check_deposit issued it
	Type        string
	Status      string
	Date        time.Time
	Method      string
	Sum         topup.Money
	Description string
}

// Operation is the callback's member operation.
type Operation struct {
	ID           int64
	Type         string
	Status       string
	Date         time.Time
	CreatedDate  time.Time
	RequestID    string
	SumInitial   topup.Money
	SumConverted topup.Money
	Code         string
	Message      string
	Provider     Provider
}

// Provider is the callback's member operation.provider.
type Provider struct {
	ID         int64
	PaymentID  string // the receipt number
	AuthCode   string
	EndpointID string    // left out when empty
	Date       time.Time // left out when zero
}

// NewCallback fills a Kaspi callback about one payment, as the platform's own
// samples show it.
func NewCallback(o Outcome, paymentID string, operation int64, sum topup.Money, at time.Time) Callback {
	c := Callback{
		Payment:  Payment{ID: paymentID, Type: "purchase", Status: string(o), Date: at, Method: CallbackMethod, Sum: sum},
		Account:  "1234567890",
		Customer: "customer_123",
		Operation: Operation{
			ID: operation, Type: "sale", Status: string(o), Date: at, CreatedDate: at.Add(-40 * time.Second),
			RequestID:  fmt.Sprintf("%040x", uint64(operation)),
			SumInitial: sum, SumConverted: sum,
			Code: "0", Message: "Success",
			Provider: Provider{ID: 12345, PaymentID: "kaspi-" + strconv.FormatInt(operation, 10)},
		},
	}
	if o == OutcomeDecline {
		c.Operation.Code, c.Operation.Message = "20000", "General decline"
	}
	return c
}

// Callback builds a signed callback.
func (p Project) Callback(c Callback) ([]byte, error) {
	body, err := encode(newCallback(p.ID, c))
	if err != nil {
		return nil, fmt.Errorf("build callback: %w", err)
	}
	if body, err = withExtra(body, c.Extra); err != nil {
		return nil, fmt.Errorf("build callback: %w", err)
	}
	return p.embed("callback", body)
}

// Sign puts a fresh signature into any JSON object of the project's.
func (p Project) Sign(body []byte) ([]byte, error) { return p.embed("message", body) }

func (p Project) sign(name string, message any) ([]byte, error) {
	body, err := encode(message)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", name, err)
	}
	return p.embed(name, body)
}

func (p Project) embed(name string, body []byte) ([]byte, error) {
	if p.Key == nil {
		return nil, fmt.Errorf("build %s: project %d has no signing key", name, p.ID)
	}
	signed, err := signing.Embed(body, p.Key)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", name, err)
	}
	return signed, nil
}

// encode is json.Marshal that leaves <, > and & as they are, as the platform
// does.
func encode(message any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(message); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// withExtra adds members to an object that has some already.
func withExtra(body []byte, extra map[string]json.RawMessage) ([]byte, error) {
	if len(extra) == 0 {
		return body, nil
	}
	body = body[:len(body)-1]
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if !json.Valid(extra[name]) {
			return nil, fmt.Errorf("extra member %s is not JSON", name)
		}
		quoted, err := encode(name)
		if err != nil {
			return nil, err
		}
		body = append(body, ',')
		body = append(body, quoted...)
		body = append(body, ':')
		body = append(body, extra[name]...)
	}
	return append(body, '}'), nil
}
