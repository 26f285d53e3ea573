package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tolem/accountfile"
	"tolem/store/internal/accounts"
	"tolem/topup"
)

const (
	// demoKey is where meta keeps that, and when, demo data were put into this
	// database. It stays for ever: production refuses such a database.
	demoKey = "demo"
	// maxDemoRecords bounds demo data, which are written in one transaction.
	maxDemoRecords = 10_000
)

// demoPayment is a line of the demo payments.
type demoPayment struct {
	PaymentID  string         `json:"payment_id"`
	Provider   string         `json:"provider"`
	Project    jsontext.Value `json:"project_id"`
	CustomerID string         `json:"customer_id"`
	ContractID string         `json:"entity_id"`
	Amount     int64          `json:"amount"`
	Currency   string         `json:"currency"`
	Method     string         `json:"payment_method"`
}

// SeedDemo fills an empty database with demo accounts and pending payments for
// them, both JSON lines, in one transaction, and marks the database for ever.
// The payments expire after the given time, never if it is 0; those of pay-ins
// never do. It reports false,
// having done nothing, when the database has accounts or payments. Either
// reader may be nil.
func (s *Store) SeedDemo(ctx context.Context, customers, payments io.Reader, expiresAfter time.Duration) (seeded bool, err error) {
	demo := demoData{normalize: s.normalize, byCustomer: make(map[string]*topup.Account)}
	if err := demo.readAccounts(customers); err != nil {
		return false, fmt.Errorf("demo accounts: %w", err)
	}
	if err := demo.readPayments(payments); err != nil {
		return false, fmt.Errorf("demo payments: %w", err)
	}
	var done bool
	err = s.writer.do(ctx, func(tx *wtx) (err error) {
		done, err = tx.seed(demo, s.normalize, expiresAfter)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("seed demo data: %w", err)
	}
	return done, nil
}

// DemoSeeded reports whether demo data were ever put into this database.
func (s *Store) DemoSeeded(ctx context.Context) (bool, error) {
	at, err := s.metaValue(ctx, demoKey)
	return at != "", err
}

// demoData are checked demo accounts and payments.
type demoData struct {
	normalize  topup.Normalizer
	accounts   []*topup.Account
	byCustomer map[string]*topup.Account
	payments   []topup.Payment
}

func (d *demoData) readAccounts(file io.Reader) error {
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

func (d *demoData) addAccount(r *accountfile.Record) error {
	r.Verify(d.normalize)
	if len(r.Problems) > 0 {
		return r.Problems[0]
	}
	if d.byCustomer[r.Account.CustomerID] != nil {
		return accountfile.LineError{Line: r.Line, Err: topup.Invalid("customer_id", "must not appear twice")}
	}
	if len(d.accounts) == maxDemoRecords {
		return fmt.Errorf("must be at most %d", maxDemoRecords)
	}
	d.accounts = append(d.accounts, &r.Account)
	d.byCustomer[r.Account.CustomerID] = &r.Account
	return nil
}

func (d *demoData) readPayments(file io.Reader) error {
	if file == nil {
		return nil
	}
	dec := jsontext.NewDecoder(file)
	for n := 1; ; n++ {
		var line demoPayment
		err := jsonv2.UnmarshalDecode(dec, &line, jsonv2.RejectUnknownMembers(true))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("payment %d: %w", n, err)
		}
		if n > maxDemoRecords {
			return fmt.Errorf("must be at most %d", maxDemoRecords)
		}
		if err := d.addPayment(line); err != nil {
			return fmt.Errorf("payment %d: %w", n, err)
		}
	}
}

func (d *demoData) addPayment(line demoPayment) error {
	if err := topup.CheckID(line.PaymentID); err != nil {
		return topup.Invalid("payment_id", "%s", err)
	}
	for _, p := range d.payments {
		if p.ID == line.PaymentID {
			return topup.Invalid("payment_id", "must not appear twice")
		}
	}
	project, err := demoProject(line.Project)
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
	d.payments = append(d.payments, topup.Payment{
		ID: line.PaymentID, Provider: line.Provider, Project: project,
		CustomerID: account.CustomerID, ContractID: contract.ID, ContractNumber: contract.Number,
		Money: topup.Money{Amount: line.Amount, Currency: line.Currency}, Method: line.Method, Status: topup.StatusPending,
	})
	return nil
}

// demoProject reads a project's id, which is a number for some providers and
// a string for others.
func demoProject(value jsontext.Value) (string, error) {
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

// seed writes demo data into an empty database.
func (tx *wtx) seed(d demoData, n topup.Normalizer, expiresAfter time.Duration) (bool, error) {
	if err := tx.lockCatalogue(); err != nil {
		return false, err
	}
	if err := accounts.CheckNormalizer(tx.Tx, n); err != nil {
		return false, err
	}
	_, filled, err := accounts.SettledNormalizer(tx.Tx)
	if err != nil || filled {
		return false, err
	}
	for _, account := range d.accounts {
		if _, err := accounts.Put(tx.Tx, account, n, accounts.SourceDemo); err != nil {
			return false, err
		}
	}
	now := tx.now()
	for _, p := range d.payments {
		p.CreatedAt = now
		if expiresAfter > 0 && p.Provider != topup.PayinProvider { // pay-ins do not expire
			p.ExpiresAt = now.Add(expiresAfter)
		}
		if _, err := tx.openPayment(&p); err != nil {
			return false, err
		}
	}
	err = tx.gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?)`, demoKey, now.UTC().Format(time.RFC3339)).Error
	if err != nil {
		return false, fmt.Errorf("mark the database: %w", err)
	}
	return true, nil
}
