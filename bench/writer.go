package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"tolem/store"
	"tolem/topup"
)

// benchWriter books credits through the store, which commits what waits
// together, and through GORM's model API with a transaction a request.
func benchWriter(ctx context.Context, folder string, duration time.Duration, writers int) error {
	grouped, err := benchGroupCommit(ctx, filepath.Join(folder, "grouped.db"), duration, writers)
	if err != nil {
		return err
	}
	naive, err := benchNaive(ctx, filepath.Join(folder, "naive.db"), duration, writers)
	if err != nil {
		return err
	}
	fmt.Printf("credits booked durably by %d writers at once: payment, message, ledger transaction\n", writers)
	row("one GORM transaction a request", naive, naive, "itself", "")
	row("group commit", grouped, naive, "GORM a request", "")
	fmt.Println()
	return nil
}

// event is the movement of the n-th payment.
func event(paymentID string, n int64) topup.Event {
	m := topup.Money{Amount: 10000, Currency: "KZT"}
	return topup.Event{
		Provider: "jetpay", Project: "1234", Reference: paymentID, Operation: strconv.FormatInt(n, 10),
		Outcome: topup.OutcomePaid, Sum: m, Initial: m, Complete: true, TopUp: true, Method: "kaspi", Status: "success",
		Code: "0", Message: "Success", ReceiptID: "receipt-" + strconv.FormatInt(n, 10), EffectiveAt: time.Now(),
		Fingerprint: []byte("fingerprint" + strconv.FormatInt(n, 10)),
	}
}

// each runs do from several goroutines until the time is over, and returns the
// rate.
func each(ctx context.Context, duration time.Duration, writers int, do func(n int64) error) (rate float64, done int64, err error) {
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
	return float64(finished.Load()) / elapsed.Seconds(), finished.Load(), err
}

// benchGroupCommit issues payments and then credits them, and counts the
// credits.
func benchGroupCommit(ctx context.Context, path string, duration time.Duration, writers int) (float64, error) {
	s, err := store.Open(ctx, store.Options{Path: path})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	payment := store.NewPayment{
		Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "12345", ContractNumber: "1234_ABC/01-01-2025",
		Money: topup.Money{Amount: 10000, Currency: "KZT"}, Method: "terminal/kaspi", ExpiresAfter: 288 * time.Hour,
	}
	var mu sync.Mutex
	var ids []string
	if _, _, err := each(ctx, duration, writers, func(int64) error {
		id, err := s.Issue(context.Background(), payment)
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, id)
		return err
	}); err != nil {
		return 0, err
	}
	errUsedUp := errors.New("every payment is credited")
	rate, done, err := each(ctx, duration, writers, func(n int64) error {
		if n > int64(len(ids)) {
			return errUsedUp
		}
		_, err := s.Record(context.Background(), event(ids[n-1], n), []byte(callbackBody))
		return err
	})
	if err != nil && !errors.Is(err, errUsedUp) {
		return 0, err
	}
	return rate, compare(path, len(ids), int(done))
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
		ID              int64 `gorm:"primaryKey"`
		Name, Currency  string
		Debits, Credits int64
	}
)

func (naivePayment) TableName() string     { return "payments" }
func (naiveMessage) TableName() string     { return "messages" }
func (naiveBody) TableName() string        { return "message_bodies" }
func (naiveTransaction) TableName() string { return "transactions" }
func (naiveEntry) TableName() string       { return "entries" }
func (naiveOperation) TableName() string   { return "operations" }
func (naiveAccount) TableName() string     { return "ledger_accounts" }

// benchNaive books the same rows in the same tables, under the same triggers
// and with the same durability, the way that comes first to mind.
func benchNaive(ctx context.Context, path string, duration time.Duration, writers int) (float64, error) {
	s, err := store.Open(ctx, store.Options{Path: path}) // makes the tables
	if err != nil {
		return 0, err
	}
	if err := s.Close(); err != nil {
		return 0, err
	}
	db, err := gorm.Open(sqlite.Dialector{DriverName: store.DriverName, DSN: store.DSN(path)}, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return 0, err
	}
	pool, err := db.DB()
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(writers)

	var ids []string
	for range int(duration.Seconds() * 6000) {
		ids = append(ids, "p_"+ulid.Make().String())
	}
	rows := make([]naivePayment, len(ids))
	for i, id := range ids {
		rows[i] = naivePayment{PaymentID: id, Provider: "jetpay", Project: "1234", CustomerID: "7123456789", EntityID: "12345",
			ContractNumber: "1234_ABC/01-01-2025", Amount: 10000, Currency: "KZT", Method: "terminal/kaspi", Status: "pending",
			CreatedAt: time.Now().UnixMicro(), ExpiresAt: time.Now().Add(288 * time.Hour).UnixMicro()}
	}
	if err := db.CreateInBatches(rows, 500).Error; err != nil {
		return 0, err
	}
	errUsedUp := errors.New("every payment is credited")
	rate, done, err := each(ctx, duration, writers, func(n int64) error {
		if n > int64(len(ids)) {
			return errUsedUp
		}
		return db.Transaction(func(tx *gorm.DB) error { return naiveCredit(tx, event(ids[n-1], n)) })
	})
	if err != nil && !errors.Is(err, errUsedUp) {
		return 0, err
	}
	return rate, compare(path, len(ids), int(done))
}

func naiveCredit(tx *gorm.DB, e topup.Event) error {
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
	for n, name := range []string{topup.SettlementAccount(e.Provider, e.Project), topup.CustomerAccount(p.CustomerID, p.EntityID)} {
		account := naiveAccount{}
		if err := tx.Where(naiveAccount{Name: name, Currency: e.Sum.Currency}).FirstOrCreate(&account).Error; err != nil {
			return err
		}
		amount, column := e.Sum.Amount, "debits"
		if n == 1 {
			amount, column = -amount, "credits"
		}
		if err := tx.Model(&account).Update(column, gorm.Expr(column+" + ?", e.Sum.Amount)).Error; err != nil {
			return err
		}
		entries = append(entries, naiveEntry{Seq: t.Seq, N: int64(n), AccountID: account.ID, Amount: amount})
	}
	operation := naiveOperation{Operation: e.Operation, Provider: e.Provider, Project: e.Project, Reference: e.Reference, Seq: t.Seq,
		SumAmount: e.Sum.Amount, SumCurrency: e.Sum.Currency, InitialAmount: e.Initial.Amount, InitialCurrency: e.Initial.Currency}
	message := naiveMessage{ReceivedAt: now, Source: "callback", Provider: e.Provider, Project: e.Project, Reference: e.Reference, Fingerprint: e.Fingerprint,
		PaymentID: p.PaymentID, Disposition: "credited", Seq: t.Seq, Status: e.Status, Operation: e.Operation, Code: e.Code}
	if err := errors.Join(tx.Create(&entries).Error, tx.Create(&operation).Error, tx.Create(&message).Error,
		tx.Create(&naiveBody{MessageID: message.ID, ReceivedAt: now, Body: []byte(callbackBody)}).Error); err != nil {
		return err
	}
	p.Status, p.ProviderStatus, p.OperationID, p.ProviderPaymentID = "succeeded", e.Status, e.Operation, &e.ReceiptID
	p.CreditSeq, p.CreditTransaction, p.CreditAmount, p.CreditCurrency, p.CreditAt = &t.Seq, &t.TransactionID, &e.Sum.Amount, &e.Sum.Currency, &now
	p.CreditOperation = e.Operation
	return tx.Save(&p).Error
}
