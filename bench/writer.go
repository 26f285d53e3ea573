//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"tolem/platform"
	"tolem/store"
	"tolem/topup"
)

// rawBody is as long as a callback.
var rawBody = bytes.Repeat([]byte("x"), 800)

// booker books credits by one way of doing it, round by round.
type booker interface {
	// issue makes at least so many payments, or as many as it can in a round.
	issue(ctx context.Context, n int) ([]string, error)
	// credit books the n-th credit.
	credit(id string, n int64) error
}

// tableOfWriter books credits on SQLite, with no HTTP in between.
func (b *bench) tableOfWriter(ctx context.Context, reached goals) (notes []string, err error) {
	folder, remove, err := b.subfolder("writer")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	c, err := b.compareBookers(ctx, "SQLite", sqliteIn(folder, "grouped.db"), sqliteIn(folder, "naive.db"))
	if err != nil {
		return nil, err
	}
	reached.grid.row(c.what, c.rates, fmt.Sprintf("%.2f", c.ratio), "", "")
	return c.notes, nil
}

// comparison is the result of two ways to book the same.
type comparison struct {
	what, rates string
	ratio       float64
	notes       []string
}

// compareBookers books credits alternately through the store, with group
// commit, and through GORM's model API with one transaction per request, each
// in a database of its own.
func (b *bench) compareBookers(ctx context.Context, on string, own, gorms database) (c comparison, err error) {
	ways := []*way{{name: on + ", the writer alone", database: own}, {name: on + ", a GORM transaction a request", database: gorms}}
	s, err := store.Open(ctx, own.options())
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	naive, err := openNaive(ctx, gorms, b.customers)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, naive.close()) }()
	ways[0].booker, ways[1].booker = grouped{b, s}, naive
	for range b.rounds {
		for _, w := range ways {
			if err := w.round(ctx, b); err != nil {
				return c, fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	for _, w := range ways {
		note, err := w.said.compare(ctx, w.database)
		if err != nil {
			return c, fmt.Errorf("%s: %w", w.name, err)
		}
		c.notes = append(c.notes, w.name+": "+note)
	}
	c.what = on + ", credits by the writer alone / one GORM transaction a request"
	c.rates = perSecond(median(ways[0].rates)) + " / " + perSecond(median(ways[1].rates))
	c.ratio = median(ratios(ways[0].rates, ways[1].rates))
	return c, nil
}

// way is a booker with what it has booked.
type way struct {
	booker
	name     string
	database database
	said     acknowledged
	rates    []float64
	done     int64
}

// round issues payments, and measures how fast they are credited by many at once.
func (w *way) round(ctx context.Context, b *bench) error {
	ids, err := w.issue(ctx, int(b.duration.Seconds()*naiveRate))
	if err != nil {
		return fmt.Errorf("issue: %w", err)
	}
	for _, id := range ids {
		w.said.issue(id)
	}
	errUsedUp := errors.New("every payment is credited")
	rate, err := each(ctx, b.duration, b.connections, func(n int64) error {
		if n > int64(len(ids)) {
			return errUsedUp
		}
		if err := w.credit(ids[n-1], w.done+n); err != nil {
			return err
		}
		w.said.credit(ids[n-1])
		return nil
	})
	if err != nil && !errors.Is(err, errUsedUp) {
		return err
	}
	w.done += int64(len(ids))
	w.rates = append(w.rates, rate)
	return nil
}

// event is the movement of the n-th payment.
func event(paymentID string, n int64) topup.Event {
	sum := amountOf(0)
	operation := strconv.FormatInt(n, 10)
	return topup.Event{
		Provider: provider, Project: strconv.Itoa(project), Reference: paymentID, Operation: operation, Source: topup.SourceCallback,
		Outcome: topup.OutcomePaid, Sum: sum, Initial: sum, Complete: true, TopUp: true, Method: platform.CallbackMethod, Status: "success",
		Code: "0", Message: "Success", ReceiptID: "kaspi-" + operation, EffectiveAt: time.Now(),
		Fingerprint: fingerprintOf(platform.NewCallback(platform.OutcomeSuccess, paymentID, n, sum, time.Time{})),
	}
}

// each runs do from several goroutines until the time is over, and returns the
// rate.
func each(ctx context.Context, duration time.Duration, writers int, do func(n int64) error) (rate float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	var (
		next, finished atomic.Int64
		wg             sync.WaitGroup
		errs           = make(chan error, writers)
	)
	started := time.Now()
	for range writers {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := do(next.Add(1)); err != nil {
					errs <- err
					cancel()
					return
				}
				finished.Add(1)
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(started)
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	return float64(finished.Load()) / elapsed.Seconds(), err
}

// grouped books through the store.
type grouped struct {
	b     *bench
	store *store.Store
}

func (g grouped) issue(ctx context.Context, _ int) (ids []string, err error) {
	var mu sync.Mutex
	_, err = each(ctx, g.b.duration, g.b.connections, func(n int64) error {
		customer := int(n) % g.b.customers
		id, err := g.store.Issue(context.Background(), store.NewPayment{
			Provider: provider, Project: strconv.Itoa(project), CustomerID: customerID(customer), ContractID: contract,
			ContractNumber: contractNumber(customer, contract), Money: amountOf(0), Method: platform.DepositMethod, ExpiresAfter: paymentExpiry,
		})
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, id)
		return err
	})
	return ids, err
}

func (g grouped) credit(id string, n int64) error {
	_, err := g.store.Record(context.Background(), event(id, n), rawBody)
	return err
}

// The tables as models of GORM.
type (
	naivePayment struct {
		ID                                             int64 `gorm:"primaryKey"`
		PaymentID, Provider, Project                   string
		CustomerID, EntityID, ContractNumber           string
		Amount                                         int64
		Currency, Method, Status                       string
		Flags, CreatedAt, ExpiresAt                    int64
		ProviderStatus, ProviderReference, OperationID string
		ProviderPaymentID                              *string
		CreditSeq, CreditAmount, CreditAt              *int64
		CreditTransaction, CreditCurrency              *string
		CreditOperation                                string
	}
	naiveMessage struct {
		ID, ReceivedAt               int64
		Provider, Project, Reference string
		Source                       string
		Fingerprint                  []byte
		PaymentID, Disposition       string
		Seq                          int64
		Status, Operation, Code      string
	}
	naiveBody struct {
		MessageID  int64 `gorm:"primaryKey"`
		ReceivedAt int64
		Body       []byte
	}
	naiveTransaction struct {
		Seq                                           int64 `gorm:"primaryKey"`
		TransactionID, Kind, PaymentID, Actor, Reason string
		Slot, EffectiveAt, RecordedAt                 int64
	}
	naiveEntry struct {
		Seq, N, AccountID, Amount int64
	}
	naiveOperation struct {
		Operation, Provider, Project, Reference string
		Seq, SumAmount, InitialAmount           int64
		SumCurrency, InitialCurrency            string
	}
	naiveAccount struct {
		ID             int64 `gorm:"primaryKey"`
		Name, Currency string
	}
)

func (naivePayment) TableName() string     { return "payments" }
func (naiveMessage) TableName() string     { return "messages" }
func (naiveBody) TableName() string        { return "message_bodies" }
func (naiveTransaction) TableName() string { return "transactions" }
func (naiveEntry) TableName() string       { return "entries" }
func (naiveOperation) TableName() string   { return "operations" }
func (naiveAccount) TableName() string     { return "ledger_accounts" }

// naiveRate is more than the naive way books in a second.
const naiveRate = 8000

// naive books the same rows in the same tables, under the same constraints and
// triggers and with the same durability, in the most obvious way.
type naive struct {
	db        *gorm.DB
	totals    string // the table of the running totals, and the column that names their account
	account   string
	customers int
}

func openNaive(ctx context.Context, d database, customers int) (*naive, error) {
	s, err := store.Open(ctx, d.options()) // makes the tables
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	db, err := gorm.Open(d.dialector(), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	const connections = 32
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	n := &naive{db: db, totals: "ledger_accounts", account: "id", customers: customers}
	if d.driver != driverPostgres {
		return n, n.openAccounts()
	}
	// The tables leave it to the program to number these two.
	n.totals, n.account = "ledger_totals", "account_id"
	for _, column := range []string{"transactions ALTER COLUMN seq", "messages ALTER COLUMN id"} {
		if err := db.Exec("ALTER TABLE " + column + " ADD GENERATED BY DEFAULT AS IDENTITY").Error; err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	return n, n.openAccounts()
}

// openAccounts spares the measured transactions the race for opening them.
func (n *naive) openAccounts() error {
	names := []string{topup.SettlementAccount(provider, strconv.Itoa(project))}
	for customer := range n.customers {
		names = append(names, topup.CustomerAccount(customerID(customer), contract))
	}
	accounts := make([]naiveAccount, len(names))
	for i, name := range names {
		accounts[i] = naiveAccount{Name: name, Currency: currency}
	}
	if err := n.db.CreateInBatches(accounts, 500).Error; err != nil || n.account == "id" {
		return err
	}
	totals := make([]map[string]any, len(accounts))
	for i, account := range accounts {
		totals[i] = map[string]any{n.account: account.ID, "shard": 0, "debits": 0, "credits": 0}
	}
	return n.db.Table(n.totals).CreateInBatches(totals, 500).Error
}

func (n *naive) close() error {
	pool, err := n.db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

func (n *naive) issue(_ context.Context, count int) (ids []string, err error) {
	rows := make([]naivePayment, count)
	now := time.Now()
	for i := range rows {
		id, customer := "p_"+ulid.Make().String(), i%n.customers
		ids = append(ids, id)
		rows[i] = naivePayment{PaymentID: id, Provider: provider, Project: strconv.Itoa(project), CustomerID: customerID(customer), EntityID: contract,
			ContractNumber: contractNumber(customer, contract), Amount: amountOf(0).Amount, Currency: currency, Method: platform.DepositMethod, Status: "pending",
			CreatedAt: now.UnixMicro(), ExpiresAt: now.Add(paymentExpiry).UnixMicro()}
	}
	return ids, n.db.CreateInBatches(rows, 500).Error
}

func (n *naive) credit(id string, number int64) error {
	return n.db.Transaction(func(tx *gorm.DB) error { return n.book(tx, event(id, number)) })
}

func (n *naive) book(tx *gorm.DB, e topup.Event) error {
	var p naivePayment
	if err := tx.Where("payment_id = ? AND provider = ? AND project = ?", e.Reference, e.Provider, e.Project).Take(&p).Error; err != nil {
		return err
	}
	var repeats, posted int64
	if err := tx.Model(&naiveMessage{}).Where("reference = ? AND fingerprint = ?", e.Reference, e.Fingerprint).Count(&repeats).Error; err != nil {
		return err
	}
	if err := tx.Model(&naiveOperation{}).Where("operation = ? AND provider = ? AND project = ?", e.Operation, e.Provider, e.Project).Count(&posted).Error; err != nil {
		return err
	}
	if repeats > 0 || posted > 0 {
		return fmt.Errorf("a repeat")
	}
	now := time.Now().UnixMicro()
	t := naiveTransaction{TransactionID: "t_" + ulid.Make().String(), Kind: "credit", PaymentID: p.PaymentID, EffectiveAt: e.EffectiveAt.UnixMicro(), RecordedAt: now}
	if err := tx.Create(&t).Error; err != nil {
		return err
	}
	var entries []naiveEntry
	for i, name := range []string{topup.SettlementAccount(e.Provider, e.Project), topup.CustomerAccount(p.CustomerID, p.EntityID)} {
		account := naiveAccount{}
		if err := tx.Where(naiveAccount{Name: name, Currency: e.Sum.Currency}).Take(&account).Error; err != nil {
			return err
		}
		amount, column := e.Sum.Amount, "debits"
		if i == 1 {
			amount, column = -amount, "credits"
		}
		if err := tx.Table(n.totals).Where(n.account+" = ?", account.ID).Update(column, gorm.Expr(column+" + ?", e.Sum.Amount)).Error; err != nil {
			return err
		}
		entries = append(entries, naiveEntry{Seq: t.Seq, N: int64(i), AccountID: account.ID, Amount: amount})
	}
	operation := naiveOperation{Operation: e.Operation, Provider: e.Provider, Project: e.Project, Reference: e.Reference, Seq: t.Seq,
		SumAmount: e.Sum.Amount, SumCurrency: e.Sum.Currency, InitialAmount: e.Initial.Amount, InitialCurrency: e.Initial.Currency}
	message := naiveMessage{ReceivedAt: now, Source: "callback", Provider: e.Provider, Project: e.Project, Reference: e.Reference, Fingerprint: e.Fingerprint,
		PaymentID: p.PaymentID, Disposition: "credited", Seq: t.Seq, Status: e.Status, Operation: e.Operation, Code: e.Code}
	if err := errors.Join(tx.Create(&entries).Error, tx.Create(&operation).Error, tx.Create(&message).Error,
		tx.Create(&naiveBody{MessageID: message.ID, ReceivedAt: now, Body: rawBody}).Error); err != nil {
		return err
	}
	p.Status, p.ProviderStatus, p.OperationID, p.ProviderPaymentID = "succeeded", e.Status, e.Operation, &e.ReceiptID
	p.CreditSeq, p.CreditTransaction, p.CreditAmount, p.CreditCurrency, p.CreditAt = &t.Seq, &t.TransactionID, &e.Sum.Amount, &e.Sum.Currency, &now
	p.CreditOperation = e.Operation
	return tx.Save(&p).Error
}
