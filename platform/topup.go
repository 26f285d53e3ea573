package platform

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"tolem/topup"
)

// Player plays the platform for one project against one server.
type Player struct {
	Client  *Client
	Project Project
	Now     func() time.Time
	// Random is the source of operation ids. Load reads it from one goroutine
	// at a time.
	Random io.Reader
	// CallbackPath is where callbacks go; empty: Path.
	CallbackPath string
}

// TopUp is one top-up of one contract.
type TopUp struct {
	CustomerID string
	EntityID   string
	Amount     int64  // minor units
	Currency   string // empty: as verify answers
	Outcome    Outcome
}

// Names of the three messages of a top-up.
const (
	MessageVerify       = "verify"
	MessageCheckDeposit = "check_deposit"
	MessageCallback     = "callback"
)

// Exchange is one message and its answer.
type Exchange struct {
	Message string // MessageVerify, MessageCheckDeposit or MessageCallback
	Request []byte
	Answer  Answer
}

// RefusedError is an answer by which the merchant says no.
type RefusedError struct {
	Message string // which message was refused
	Status  int    // HTTP
	Code    int    // in the body; -1 when there is none that can be read
	Reason  string // the answer's message
}

// Error says what was refused, and why.
func (e *RefusedError) Error() string {
	if e.Code < 0 {
		return fmt.Sprintf("%s: HTTP %d and no code that can be read", e.Message, e.Status)
	}
	return fmt.Sprintf("%s: HTTP %d, code %d: %s", e.Message, e.Status, e.Code, e.Reason)
}

// TopUp runs verify, check_deposit and the callback, and returns every
// exchange that took place, also when it fails; the error is a *RefusedError
// when the merchant said no. The payment id is empty until one was issued.
func (p *Player) TopUp(ctx context.Context, t TopUp) (exchanges []Exchange, paymentID string, err error) {
	if _, err := ParseOutcome(string(t.Outcome)); err != nil {
		return nil, "", err
	}
	verified, x, err := p.verify(ctx, t.CustomerID)
	exchanges = append(exchanges, x)
	if err != nil {
		return exchanges, "", err
	}
	if t.Currency == "" {
		t.Currency = verified.Currency
	}
	money := topup.Money{Amount: t.Amount, Currency: t.Currency}
	issued, x, err := p.checkDeposit(ctx, Deposit{CustomerID: t.CustomerID, EntityID: t.EntityID, Money: money})
	exchanges = append(exchanges, x)
	if err != nil {
		return exchanges, "", err
	}
	operation, err := OperationID(p.Random)
	if err != nil {
		return exchanges, issued.PaymentID, err
	}
	x, err = p.callback(ctx, NewCallback(t.Outcome, issued.PaymentID, operation, money, p.Now()))
	return append(exchanges, x), issued.PaymentID, err
}

// OperationID draws an operation id of 16 digits, so that two runs do not use
// the same one.
func OperationID(random io.Reader) (int64, error) {
	var bytes [8]byte
	if _, err := io.ReadFull(random, bytes[:]); err != nil {
		return 0, fmt.Errorf("draw an operation id: %w", err)
	}
	const least = 1_000_000_000_000_000
	return int64(least + binary.BigEndian.Uint64(bytes[:])%(9*least)), nil
}

// reply is what any answer of the merchant's may carry.
type reply struct {
	Code      *int   `json:"code"`
	Message   string `json:"message"`
	Currency  string `json:"currency"`
	PaymentID string `json:"payment_id"`
}

func (p *Player) verify(ctx context.Context, customerID string) (reply, Exchange, error) {
	body, err := p.Project.Verify(customerID)
	if err != nil {
		return reply{}, Exchange{Message: MessageVerify}, err
	}
	return p.exchange(ctx, MessageVerify, body)
}

func (p *Player) checkDeposit(ctx context.Context, d Deposit) (reply, Exchange, error) {
	body, err := p.Project.CheckDeposit(d)
	if err != nil {
		return reply{}, Exchange{Message: MessageCheckDeposit}, err
	}
	r, x, err := p.exchange(ctx, MessageCheckDeposit, body)
	if err == nil && r.PaymentID == "" {
		err = fmt.Errorf("%s: accepted without a payment_id", MessageCheckDeposit)
	}
	return r, x, err
}

func (p *Player) callback(ctx context.Context, c Callback) (Exchange, error) {
	body, err := p.Project.Callback(c)
	if err != nil {
		return Exchange{Message: MessageCallback}, err
	}
	return p.deliver(ctx, body)
}

// deliver posts a callback. Delivered means HTTP 200 and nothing else (JetPay
// Gate, "Callbacks").
func (p *Player) deliver(ctx context.Context, body []byte) (Exchange, error) {
	path := p.CallbackPath
	if path == "" {
		path = Path
	}
	answer, err := p.Client.Post(ctx, path, body)
	x := Exchange{Message: MessageCallback, Request: body, Answer: answer}
	if err != nil {
		return x, err
	}
	if answer.Status != http.StatusOK {
		_, err = read(MessageCallback, answer)
	}
	return x, err
}

func (p *Player) exchange(ctx context.Context, message string, body []byte) (reply, Exchange, error) {
	answer, err := p.Client.Post(ctx, Path, body)
	x := Exchange{Message: message, Request: body, Answer: answer}
	if err != nil {
		return reply{}, x, err
	}
	r, err := read(message, answer)
	return r, x, err
}

// read takes an answer for success only when all of it says so.
func read(message string, answer Answer) (reply, error) {
	var r reply
	if err := json.Unmarshal(answer.Body, &r); err != nil || r.Code == nil {
		return r, &RefusedError{Message: message, Status: answer.Status, Code: -1}
	}
	if *r.Code != 0 || answer.Status != http.StatusOK {
		return r, &RefusedError{Message: message, Status: answer.Status, Code: *r.Code, Reason: r.Message}
	}
	return r, nil
}
