package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tolem/topup"
)

const paymentColumns = `p.id, p.payment_id, p.provider, p.project, p.customer_id, p.entity_id, p.contract_number,
	p.amount, p.currency, p.method, p.status, p.flags, p.created_at, p.expires_at,
	p.provider_status, p.provider_code, p.provider_message, p.provider_reference, p.provider_payment_id, p.operation_id, p.provider_time,
	p.credit_seq, p.credit_transaction, p.credit_amount, p.credit_currency, p.credit_at, p.credit_by_operator, p.credit_operation, p.credit_reversed, p.open_items, p.recorded, p.moved`

const paymentSQL = `SELECT ` + paymentColumns + ` FROM payments p WHERE p.payment_id = ?`

const insertPaymentSQL = `INSERT INTO payments (payment_id, provider, project, customer_id, entity_id, contract_number,
	amount, currency, method, status, flags, created_at, expires_at, provider_reference)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const updatePaymentSQL = `UPDATE payments SET status = ?, flags = ?,
	provider_status = ?, provider_code = ?, provider_message = ?, provider_payment_id = ?, operation_id = ?, provider_time = ?,
	credit_seq = ?, credit_transaction = ?, credit_amount = ?, credit_currency = ?, credit_at = ?, credit_by_operator = ?,
	credit_operation = ?, credit_reversed = ?, open_items = ?
	WHERE payment_id = ?`

// paymentRow is a payment as its columns are scanned.
type paymentRow struct {
	rowID     int64
	payment   topup.Payment
	createdAt int64
	expiresAt sql.NullInt64
	receipt   sql.NullString
	time      sql.NullInt64

	creditSeq         sql.NullInt64
	creditTransaction sql.NullString
	creditAmount      sql.NullInt64
	creditCurrency    sql.NullString
	creditAt          sql.NullInt64
	creditByOperator  bool
	creditOperation   string
	creditReversed    bool
	recorded, moved   bool
}

// places are where paymentColumns are scanned to, in their order.
func (r *paymentRow) places() []any {
	p := &r.payment
	return []any{&r.rowID, &p.ID, &p.Provider, &p.Project, &p.CustomerID, &p.ContractID, &p.ContractNumber,
		&p.Money.Amount, &p.Money.Currency, &p.Method, (*string)(&p.Status), (*uint32)(&p.Flags), &r.createdAt, &r.expiresAt,
		&p.ProviderStatus, &p.ProviderCode, &p.ProviderMessage, &p.ProviderReference, &r.receipt, &p.OperationID, &r.time,
		&r.creditSeq, &r.creditTransaction, &r.creditAmount, &r.creditCurrency, &r.creditAt, &r.creditByOperator, &r.creditOperation, &r.creditReversed,
		&p.InSuspense, &r.recorded, &r.moved}
}

// value returns the scanned payment.
func (r *paymentRow) value() *topup.Payment {
	p := &r.payment
	p.CreatedAt = fromMicros(r.createdAt)
	p.ExpiresAt = fromMicros(r.expiresAt.Int64)
	p.ProviderPaymentID = r.receipt.String
	p.ProviderTime = fromMicros(r.time.Int64)
	p.Recorded, p.Moved = r.recorded, r.moved
	if r.creditTransaction.Valid {
		p.Credit = &topup.Credit{
			Seq:           r.creditSeq.Int64,
			TransactionID: r.creditTransaction.String,
			Money:         topup.Money{Amount: r.creditAmount.Int64, Currency: r.creditCurrency.String},
			At:            fromMicros(r.creditAt.Int64),
			ByOperator:    r.creditByOperator,
			Operation:     r.creditOperation,
			Reversed:      r.creditReversed,
		}
		if !r.creditReversed {
			p.Credited = &topup.Credited{Money: p.Credit.Money, TransactionID: p.Credit.TransactionID, At: p.Credit.At}
		}
	}
	return p
}

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
	err := s.writer.wait(ctx, &write{hot: hotIssue, fn: func(tx *wtx) (err error) {
		id, err = tx.issue(n)
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
	op := &write{hot: hotIssue, customer: s.normalize.Apply(customerID)}
	var id string
	op.fn = func(tx *wtx) error {
		account, err := tx.account(tx, op.customer)
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
		id, err = tx.issue(n)
		return err
	}
	if err := s.writer.wait(ctx, op); err != nil {
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
	err := tx.put(tx.stmts.insertPayment, p.ID, p.Provider, p.Project, p.CustomerID, p.ContractID, p.ContractNumber,
		p.Money.Amount, p.Money.Currency, p.Method, string(p.Status), uint32(p.Flags),
		micros(p.CreatedAt), nullMicros(p.ExpiresAt), p.ProviderReference)
	if err != nil {
		return "", fmt.Errorf("insert payment: %w", err)
	}
	return p.ID, nil
}

// savePayment writes everything about a payment that can change. The caller
// has read it in this transaction.
func (tx *wtx) savePayment(p *topup.Payment) error {
	c := topup.Credit{}
	taken := p.Credit != nil
	if taken {
		c = *p.Credit
	}
	err := tx.put(tx.stmts.updatePayment, string(p.Status), uint32(p.Flags),
		p.ProviderStatus, p.ProviderCode, p.ProviderMessage, nullText(p.ProviderPaymentID), p.OperationID, nullMicros(p.ProviderTime),
		nullID(c.Seq), sql.NullString{String: c.TransactionID, Valid: taken}, sql.NullInt64{Int64: c.Money.Amount, Valid: taken},
		sql.NullString{String: c.Money.Currency, Valid: taken}, sql.NullInt64{Int64: micros(c.At), Valid: taken},
		c.ByOperator, c.Operation, c.Reversed, p.InSuspense, p.ID)
	if err != nil {
		return fmt.Errorf("update payment %s: %w", p.ID, err)
	}
	return nil
}

// Payment returns a payment; the error is of KindNotFound when there is none.
func (s *Store) Payment(ctx context.Context, paymentID string) (*topup.Payment, error) {
	var row paymentRow
	found, err := s.readOne(ctx, readPayment, row.places(), paymentID)
	if err != nil {
		// Not the id: what was asked for may be anything, and a log must not tell it.
		return nil, fmt.Errorf("read a payment: %w", err)
	}
	if !found {
		return nil, topup.NotFound("payment does not exist")
	}
	p := row.value()
	if err := s.readCredited(ctx, p); err != nil {
		return nil, err
	}
	return p, nil
}

// readCredited reads, of those payments that need it, what stands of their money
// on their contract now.
func (s *Store) readCredited(ctx context.Context, payments ...*topup.Payment) error {
	books := make(map[string]*topup.Book)
	var ids []string
	for _, p := range payments {
		if p.NeedsBook() {
			books[p.ID], ids = &topup.Book{Payment: p}, append(ids, p.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, err := s.transactions(ctx, maxBook, `t.payment_id IN ?`, ids)
	if err != nil {
		return err
	}
	for _, t := range list {
		b := books[t.PaymentID]
		b.Transactions = append(b.Transactions, t)
	}
	for _, b := range books {
		b.Payment.Credited = b.Credited()
	}
	return nil
}

func nullText(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }
