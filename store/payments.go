package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/topup"
)

// paymentPrefix begins the ids of payments.
const paymentPrefix = "p_"

// NewPayment is what check_deposit has accepted.
type NewPayment struct {
	Provider, Project      string
	CustomerID, ContractID string
	ContractNumber         string
	Money                  topup.Money
	Method                 string
	ExpiresAfter           time.Duration // 0: never
}

// Issue stores a pending payment under a fresh id and returns the id once the
// payment is on disk. An id is never handed out twice.
func (s *Store) Issue(ctx context.Context, n NewPayment) (string, error) {
	var id string
	err := s.writer.Wait(ctx, &engine.Write{Kind: engine.Issue, Run: func(tx *engine.Tx) (err error) {
		id, err = s.writer.in(tx).issue(n)
		return err
	}})
	if err != nil {
		return "", fmt.Errorf("issue a payment id: %w", err)
	}
	return id, nil
}

func (tx *wtx) issue(n NewPayment) (string, error) {
	p := topup.Payment{
		Provider: n.Provider, Project: n.Project, CustomerID: n.CustomerID, ContractID: n.ContractID,
		ContractNumber: n.ContractNumber, Money: n.Money, Method: n.Method,
		Status: topup.StatusPending, CreatedAt: tx.now(),
	}
	if n.ExpiresAfter > 0 {
		p.ExpiresAt = p.CreatedAt.Add(n.ExpiresAfter)
	}
	return tx.openPayment(&p)
}

// Deposit shows accept the account of a customer and stores the pending payment
// that it returns, as Issue does. The id is normalised first. What accept has
// seen holds until the payment is on disk: nobody closes the account, or changes
// its currency, in between. accept may be asked several times; its error refuses
// the deposit, and the error is of KindNotFound when there is no account.
func (s *Store) Deposit(ctx context.Context, customerID string, accept func(*topup.Account) (NewPayment, error)) (string, error) {
	op := &engine.Write{Kind: engine.Issue, Customer: s.normalize.Apply(customerID)}
	var id string
	op.Run = func(tx *engine.Tx) error {
		account, err := tx.Account(op.Customer)
		if err != nil {
			return fmt.Errorf("read an account: %w", err)
		}
		if account == nil {
			return topup.NotFound("account does not exist")
		}
		n, err := accept(account)
		if err != nil {
			return err
		}
		id, err = s.writer.in(tx).issue(n)
		return err
	}
	if err := s.writer.Wait(ctx, op); err != nil {
		return "", fmt.Errorf("take a deposit: %w", err)
	}
	return id, nil
}

// openPayment inserts a payment, under a fresh id unless it has one.
func (tx *wtx) openPayment(p *topup.Payment) (string, error) {
	if p.ID == "" {
		id, err := newID(paymentPrefix, p.CreatedAt, tx.entropy)
		if err != nil {
			return "", err
		}
		p.ID = id
	}
	err := tx.InsertPayment(p)
	if err != nil {
		return "", fmt.Errorf("insert payment: %w", err)
	}
	return p.ID, nil
}

// savePayment writes everything about a payment that can change. The caller
// has read it in this transaction.
func (tx *wtx) savePayment(p *topup.Payment) error { return tx.savePaymentAs(p, "") }

// savePaymentAs is savePayment for an operator's step whose notification
// has a type of its own.
func (tx *wtx) savePaymentAs(p *topup.Payment, as topup.EventType) error {
	err := tx.UpdatePayment(p)
	if err != nil {
		return fmt.Errorf("update payment %s: %w", p.ID, err)
	}
	return tx.notifySaved(p, as)
}

func nullText(text string) sql.NullString { return database.NullText(text) }
