package engine

import (
	"database/sql"
	"strings"

	"tolem/store/internal/database"
	"tolem/topup"
)

// paymentColumn is a column of the table payments: how it is read, and, if it is,
// written. All SQL that names the columns of a payment is made from the one list,
// for both databases.
type paymentColumn struct {
	name    string
	kind    columnKind
	written columnWritten
	place   func(*PaymentRow) any // where it is scanned to
}

// columnWritten is when a column is written.
type columnWritten byte

const (
	neverWritten columnWritten = 0
	onInsert     columnWritten = 1 << iota
	onUpdate
)

const paymentColumnCount = 32

var paymentTable = [paymentColumnCount]paymentColumn{
	{"id", colInt, neverWritten, func(r *PaymentRow) any { return &r.RowID }},
	{"payment_id", colText, onInsert, func(r *PaymentRow) any { return &r.payment.ID }},
	{"provider", colText, onInsert, func(r *PaymentRow) any { return &r.payment.Provider }},
	{"project", colText, onInsert, func(r *PaymentRow) any { return &r.payment.Project }},
	{"customer_id", colText, onInsert, func(r *PaymentRow) any { return &r.payment.CustomerID }},
	{"entity_id", colText, onInsert, func(r *PaymentRow) any { return &r.payment.ContractID }},
	{"contract_number", colText, onInsert, func(r *PaymentRow) any { return &r.payment.ContractNumber }},
	{"amount", colInt, onInsert, func(r *PaymentRow) any { return &r.payment.Money.Amount }},
	{"currency", colText, onInsert, func(r *PaymentRow) any { return &r.payment.Money.Currency }},
	{"method", colText, onInsert, func(r *PaymentRow) any { return &r.payment.Method }},
	{"status", colText, onInsert | onUpdate, func(r *PaymentRow) any { return (*string)(&r.payment.Status) }},
	{"flags", colInt, onInsert | onUpdate, func(r *PaymentRow) any { return (*uint32)(&r.payment.Flags) }},
	{"created_at", colInt, onInsert, func(r *PaymentRow) any { return &r.CreatedAt }},
	{"expires_at", colSomeInt, onInsert, func(r *PaymentRow) any { return &r.expiresAt }},
	{"provider_status", colText, onUpdate, func(r *PaymentRow) any { return &r.payment.ProviderStatus }},
	{"provider_code", colText, onUpdate, func(r *PaymentRow) any { return &r.payment.ProviderCode }},
	{"provider_message", colText, onUpdate, func(r *PaymentRow) any { return &r.payment.ProviderMessage }},
	{"provider_reference", colText, onInsert, func(r *PaymentRow) any { return &r.payment.ProviderReference }},
	{"provider_payment_id", colSomeText, onUpdate, func(r *PaymentRow) any { return &r.receipt }},
	{"operation_id", colText, onUpdate, func(r *PaymentRow) any { return &r.payment.OperationID }},
	{"provider_time", colSomeInt, onUpdate, func(r *PaymentRow) any { return &r.time }},
	{"credit_seq", colSomeInt, onUpdate, func(r *PaymentRow) any { return &r.creditSeq }},
	{"credit_transaction", colSomeText, onUpdate, func(r *PaymentRow) any { return &r.creditTransaction }},
	{"credit_amount", colSomeInt, onUpdate, func(r *PaymentRow) any { return &r.creditAmount }},
	{"credit_currency", colSomeText, onUpdate, func(r *PaymentRow) any { return &r.creditCurrency }},
	{"credit_at", colSomeInt, onUpdate, func(r *PaymentRow) any { return &r.creditAt }},
	{"credit_by_operator", colInt, onUpdate, func(r *PaymentRow) any { return &r.creditByOperator }},
	{"credit_operation", colText, onUpdate, func(r *PaymentRow) any { return &r.creditOperation }},
	{"credit_reversed", colInt, onUpdate, func(r *PaymentRow) any { return &r.creditReversed }},
	{"open_items", colInt, onUpdate, func(r *PaymentRow) any { return &r.payment.InSuspense }},
	{"recorded", colInt, onInsert, func(r *PaymentRow) any { return &r.recorded }},
	{"moved", colInt, onUpdate, func(r *PaymentRow) any { return &r.moved }},
}

// InsertPayment writes a new payment.
func (tx *Tx) InsertPayment(p *topup.Payment) error {
	return tx.putPayment(tx.Statements.insertPayment, insertedColumns, p)
}

// UpdatePayment writes everything about a payment that can change. The caller has
// read it in this transaction.
func (tx *Tx) UpdatePayment(p *topup.Payment) error {
	return tx.putPayment(tx.Statements.updatePayment, updatedColumns, p)
}

// putPayment writes some columns of a payment: insertedColumns or updatedColumns.
// The values are in the order of paymentTable, and stand in arrays here, so that
// the compiler leaves them on the stack: a callback would cost fifteen
// allocations more.
func (tx *Tx) putPayment(stmt Statement, columns []int, p *topup.Payment) error {
	var c topup.Credit
	taken := p.Credit != nil
	if taken {
		c = *p.Credit
	}
	values := [paymentColumnCount]any{
		nil,                                    // id
		p.ID,                                   // payment_id
		p.Provider,                             // provider
		p.Project,                              // project
		p.CustomerID,                           // customer_id
		p.ContractID,                           // entity_id
		p.ContractNumber,                       // contract_number
		p.Money.Amount,                         // amount
		p.Money.Currency,                       // currency
		p.Method,                               // method
		string(p.Status),                       // status
		uint32(p.Flags),                        // flags
		database.Micros(p.CreatedAt),           // created_at
		database.NullMicros(p.ExpiresAt),       // expires_at
		p.ProviderStatus,                       // provider_status
		p.ProviderCode,                         // provider_code
		p.ProviderMessage,                      // provider_message
		p.ProviderReference,                    // provider_reference
		database.NullText(p.ProviderPaymentID), // provider_payment_id
		p.OperationID,                          // operation_id
		database.NullMicros(p.ProviderTime),    // provider_time
		database.NullID(c.Seq),                 // credit_seq
		sql.NullString{String: c.TransactionID, Valid: taken},     // credit_transaction
		sql.NullInt64{Int64: c.Money.Amount, Valid: taken},        // credit_amount
		sql.NullString{String: c.Money.Currency, Valid: taken},    // credit_currency
		sql.NullInt64{Int64: database.Micros(c.At), Valid: taken}, // credit_at
		c.ByOperator, // credit_by_operator
		c.Operation,  // credit_operation
		c.Reversed,   // credit_reversed
		p.InSuspense, // open_items
		p.Recorded,   // recorded
		p.Moved,      // moved
	}
	var args [paymentColumnCount]any
	for n, i := range columns {
		args[n] = values[i]
	}
	return tx.Put(stmt, args[:len(columns)]...)
}

var (
	insertedColumns = columnsWritten(onInsert)
	updatedColumns  = append(columnsWritten(onUpdate), paymentKey) // the last one is the key

	// PaymentColumns are all columns of a payment p, in the order of
	// [PaymentRow.Places].
	PaymentColumns = listColumns(allColumns(), ", ", func(name string) string { return "p." + name })

	insertPaymentSQL = `INSERT INTO payments (` + namesOf(insertedColumns) + `) VALUES (` +
		listColumns(insertedColumns, ", ", func(string) string { return "?" }) + `)`
	updatePaymentSQL = `UPDATE payments SET ` +
		listColumns(updatedColumns[:len(updatedColumns)-1], ", ", func(name string) string { return name + " = ?" }) + ` WHERE payment_id = ?`
)

// newBulkInsertPayment and newBulkUpdatePayment make the same statements for many
// payments at once.
func newBulkInsertPayment() *bulk {
	return newBulk(kindsOf(insertedColumns), `INSERT INTO payments (`+namesOf(insertedColumns)+`) SELECT * FROM %s ON CONFLICT DO NOTHING`)
}

func newBulkUpdatePayment() *bulk {
	return newBulk(kindsOf(updatedColumns), `UPDATE payments p SET `+
		listColumns(updatedColumns[:len(updatedColumns)-1], ", ", func(name string) string { return name + " = u." + name })+
		` FROM %s AS u (`+namesOf(updatedColumns)+`) WHERE p.payment_id = u.payment_id`)
}

// paymentKey is the place of payment_id in paymentTable.
const paymentKey = 1

// Columns are named by their places in paymentTable.
func allColumns() (all []int) {
	for i := range paymentTable {
		all = append(all, i)
	}
	return all
}

func columnsWritten(when columnWritten) (written []int) {
	for i, c := range paymentTable {
		if c.written&when != 0 {
			written = append(written, i)
		}
	}
	return written
}

func listColumns(columns []int, between string, write func(name string) string) string {
	list := make([]string, len(columns))
	for n, i := range columns {
		list[n] = write(paymentTable[i].name)
	}
	return strings.Join(list, between)
}

func namesOf(columns []int) string {
	return listColumns(columns, ", ", func(name string) string { return name })
}

func kindsOf(columns []int) string {
	kinds := make([]byte, len(columns))
	for n, i := range columns {
		kinds[n] = byte(paymentTable[i].kind)
	}
	return string(kinds)
}

// PaymentRow is a payment as its columns are scanned.
type PaymentRow struct {
	RowID     int64
	payment   topup.Payment
	CreatedAt int64
	expiresAt sql.NullInt64
	receipt   sql.NullString
	time      sql.NullInt64

	creditSeq         sql.NullInt64
	creditTransaction sql.NullString
	creditAmount      sql.NullInt64
	creditCurrency    sql.NullString
	creditAt          sql.NullInt64
	creditOperation   string
	// Both databases keep these as integers.
	creditByOperator, creditReversed int64
	recorded, moved                  int64
}

// Places are where PaymentColumns are scanned to, in their order.
func (r *PaymentRow) Places() []any {
	places := make([]any, len(paymentTable))
	for i := range paymentTable {
		places[i] = paymentTable[i].place(r)
	}
	return places
}

// Value returns the scanned payment.
func (r *PaymentRow) Value() *topup.Payment {
	p := &r.payment
	p.Stored = p.Status
	p.CreatedAt = database.FromMicros(r.CreatedAt)
	p.ExpiresAt = database.FromMicros(r.expiresAt.Int64)
	p.ProviderPaymentID = r.receipt.String
	p.ProviderTime = database.FromMicros(r.time.Int64)
	p.Recorded, p.Moved = r.recorded != 0, r.moved != 0
	if r.creditTransaction.Valid {
		p.Credit = &topup.Credit{
			Seq:           r.creditSeq.Int64,
			TransactionID: r.creditTransaction.String,
			Money:         topup.Money{Amount: r.creditAmount.Int64, Currency: r.creditCurrency.String},
			At:            database.FromMicros(r.creditAt.Int64),
			ByOperator:    r.creditByOperator != 0,
			Operation:     r.creditOperation,
			Reversed:      r.creditReversed != 0,
		}
		if !p.Credit.Reversed {
			p.Credited = &topup.Credited{Money: p.Credit.Money, TransactionID: p.Credit.TransactionID, At: p.Credit.At}
		}
	}
	return p
}
