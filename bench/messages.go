//go:build linux

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"tolem/platform"
	"tolem/signing"
	"tolem/topup"
)

const (
	provider = "jetpay"
	project  = 1234
	secret   = "bench-secret"
	currency = "KZT"
	contract = "c1" // every customer has this one, and c2
)

// The amounts of top-ups, in minor units.
const (
	leastAmount = 100_00
	mostAmount  = 50_000_00
)

// customerID is the n-th customer of a merchant, from 0.
func customerID(n int) string { return strconv.Itoa(7_000_000_000 + n) }

// sender makes the platform's messages, for random ones of some customers.
type sender struct {
	project   platform.Project
	customers int
	apart     int        // only every so many-th of all customers is one of them
	random    *rand.Rand // one goroutine at a time
	host      string

	operation atomic.Int64 // the last that was made up
}

func newSender(address string, customers int) (*sender, error) {
	key, err := signing.NewKey(secret)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	// Operations of one run count upwards, as the platform's do, from where no
	// earlier run on the same database has been.
	s := &sender{project: platform.Project{ID: project, Key: key}, customers: customers, apart: 1, random: random, host: address}
	s.operation.Store(time.Now().UnixMicro())
	return s, nil
}

func (s *sender) post(kind, id string, body []byte, err error) (*request, error) {
	if err != nil {
		return nil, err
	}
	wire := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", route, s.host, len(body))
	head := len(wire)
	wire = append(wire, body...)
	return &request{wire: wire, body: wire[head:], kind: kind, id: id}, nil
}

// anyCustomer is one of the customers.
func (s *sender) anyCustomer() string { return customerID(s.random.IntN(s.customers) * s.apart) }

func (s *sender) verify() (*request, error) {
	body, err := s.project.Verify(s.anyCustomer())
	return s.post(platform.MessageVerify, "", body, err)
}

func (s *sender) deposit() (*request, error) {
	body, err := s.project.CheckDeposit(platform.Deposit{
		CustomerID: s.anyCustomer(), EntityID: contract, Money: amountOf(0),
	})
	return s.post(platform.MessageCheckDeposit, "", body, err)
}

// callback says that a payment was paid. Unlike the others it may be called at
// once by several.
func (s *sender) callback(paymentID string) (*request, error) {
	body, err := s.project.Callback(platform.NewCallback(platform.OutcomeSuccess, paymentID, s.operation.Add(1), amountOf(0), time.Now()))
	return s.post(platform.MessageCallback, paymentID, body, err)
}

func (s *sender) callbacks(ids []string) ([]*request, error) {
	all := make([]*request, len(ids))
	for i, id := range ids {
		var err error
		if all[i], err = s.callback(id); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// many makes n requests.
func many(n int, one func() (*request, error)) ([]*request, error) {
	all := make([]*request, n)
	for i := range all {
		var err error
		if all[i], err = one(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// amountOf is the sum of the n-th top-up.
func amountOf(n int64) topup.Money {
	return topup.Money{Amount: leastAmount + n*7919%(mostAmount-leastAmount), Currency: currency}
}

// issued is the payment id in the answer to a check_deposit.
func issued(a answer) (string, error) {
	_, rest, found := bytes.Cut(a.body, []byte(`"payment_id":"`))
	id, _, closed := bytes.Cut(rest, []byte(`"`))
	if !found || !closed || len(id) == 0 {
		return "", fmt.Errorf("a check_deposit was answered %q", a.body)
	}
	return string(id), nil
}

// fingerprintOf is that of a callback, as the server makes it.
func fingerprintOf(c platform.Callback) []byte {
	text := func(n int64) string { return strconv.FormatInt(n, 10) }
	var f topup.Fingerprint
	for _, part := range [...]string{
		provider, text(project), c.Payment.ID, c.Payment.Status, text(c.Operation.ID), c.Operation.Status, c.Operation.Type,
		text(c.Payment.Sum.Amount), c.Payment.Sum.Currency, text(c.Operation.SumInitial.Amount), c.Operation.SumInitial.Currency,
	} {
		f.AddText(part)
	}
	return f.Sum()
}
