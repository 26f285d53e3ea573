// Package demo reads the accounts and payments that a demonstration begins with.
package demo

import (
	"errors"
	"fmt"
	"io"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tolem/accountfile"
	"tolem/topup"
)

// maxRecords bounds demo data, which are written in one transaction.
const maxRecords = 10_000

// payment is a line of the demo payments.
type payment struct {
	PaymentID  string         `json:"payment_id"`
	Provider   string         `json:"provider"`
	Project    jsontext.Value `json:"project_id"`
	CustomerID string         `json:"customer_id"`
	ContractID string         `json:"entity_id"`
	Amount     int64          `json:"amount"`
	Currency   string         `json:"currency"`
	Method     string         `json:"payment_method"`
}

// Data are checked demo accounts and payments.
type Data struct {
	Accounts []*topup.Account
	Payments []topup.Payment // pending, each of one of the accounts

	normalize  topup.Normalizer
	byCustomer map[string]*topup.Account
}

// Read reads demo accounts and payments for them, both JSON lines. Either reader may
// be nil.
func Read(customers, payments io.Reader, n topup.Normalizer) (Data, error) {
	d := Data{normalize: n, byCustomer: make(map[string]*topup.Account)}
	if err := d.readAccounts(customers); err != nil {
		return d, fmt.Errorf("demo accounts: %w", err)
	}
	if err := d.readPayments(payments); err != nil {
		return d, fmt.Errorf("demo payments: %w", err)
	}
	return d, nil
}

func (d *Data) readAccounts(file io.Reader) error {
	if file == nil {
		return nil
	}
	records, err := accountfile.NewReader(accountfile.JSONLines, file)
	if err != nil {
		return err
	}
	for {
		r, err := records.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := d.addAccount(r); err != nil {
			return err
		}
	}
}

func (d *Data) addAccount(r *accountfile.Record) error {
	r.Verify(d.normalize)
	if len(r.Problems) > 0 {
		return r.Problems[0]
	}
	if d.byCustomer[r.Account.CustomerID] != nil {
		return accountfile.LineError{Line: r.Line, Err: topup.Invalid("customer_id", "must not appear twice")}
	}
	if len(d.Accounts) == maxRecords {
		return fmt.Errorf("must be at most %d", maxRecords)
	}
	d.Accounts = append(d.Accounts, &r.Account)
	d.byCustomer[r.Account.CustomerID] = &r.Account
	return nil
}

func (d *Data) readPayments(file io.Reader) error {
	if file == nil {
		return nil
	}
	dec := jsontext.NewDecoder(file)
	for n := 1; ; n++ {
		var line payment
		err := jsonv2.UnmarshalDecode(dec, &line, jsonv2.RejectUnknownMembers(true))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("payment %d: %w", n, err)
		}
		if n > maxRecords {
			return fmt.Errorf("must be at most %d", maxRecords)
		}
		if err := d.addPayment(line); err != nil {
			return fmt.Errorf("payment %d: %w", n, err)
		}
	}
}

func (d *Data) addPayment(line payment) error {
	if err := topup.CheckID(line.PaymentID); err != nil {
		return topup.Invalid("payment_id", "%s", err)
	}
	for _, p := range d.Payments {
		if p.ID == line.PaymentID {
			return topup.Invalid("payment_id", "must not appear twice")
		}
	}
	project, err := projectOf(line.Project)
	if err != nil {
		return err
	}
	if line.Provider == "" || line.Method == "" {
		return topup.Invalid("provider", "and payment_method must not be empty")
	}
	account := d.byCustomer[d.normalize.Apply(line.CustomerID)]
	if account == nil {
		return topup.Invalid("customer_id", "must be that of a demo account")
	}
	contract := account.Contract(line.ContractID)
	if contract == nil {
		return topup.Invalid("entity_id", "must be a contract of the account")
	}
	if line.Currency != account.Currency {
		return topup.Invalid("currency", "must be %s, the account's", account.Currency)
	}
	if line.Amount < 1 || line.Amount > topup.MaxAmount {
		return topup.Invalid("amount", "must be between 1 and %d minor units", topup.MaxAmount)
	}
	d.Payments = append(d.Payments, topup.Payment{
		ID: line.PaymentID, Provider: line.Provider, Project: project,
		CustomerID: account.CustomerID, ContractID: contract.ID, ContractNumber: contract.Number,
		Money: topup.Money{Amount: line.Amount, Currency: line.Currency}, Method: line.Method, Status: topup.StatusPending,
	})
	return nil
}

// projectOf reads a project's id, which is a number for some providers and
// a string for others.
func projectOf(value jsontext.Value) (string, error) {
	text := string(value)
	if value.Kind() == '"' {
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return "", topup.Invalid("project_id", "must be a string or an integer")
		}
		text = string(unquoted)
	}
	if err := topup.CheckID(text); err != nil || value.Kind() != '"' && value.Kind() != '0' {
		return "", topup.Invalid("project_id", "must be a string or an integer")
	}
	return text, nil
}
