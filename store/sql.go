package store

import (
	"context"
	"errors"
	"strings"
	"tolem/store/internal/database"
	"tolem/store/migrations"

	"gorm.io/gorm"
)

// raw is a cold query: SQL through GORM, which turns each ? into what the
// database calls it.
func (s *Store) raw(ctx context.Context, query string, args ...any) *gorm.DB {
	return s.read.WithContext(ctx).Raw(query, args...)
}

// raw is a cold query inside a write.
func (tx *wtx) raw(query string, args ...any) *gorm.DB {
	_ = tx.sync() // its failure fails the transaction
	return tx.orm.WithContext(tx.ctx).Raw(query, args...)
}

// balancesTable is where the running totals of ledger accounts are read.
const balancesTable = migrations.BalancesTable

// The locks below are for databases whose writes run side by side. SQLite's
// writes run one after another, and take none. Who needs several takes them in
// the order in which they stand here. They are held until the write has ended.

// lockCatalogue makes this the only write that changes accounts, and waits for
// the payments that are being issued.
func (tx *wtx) lockCatalogue() error { return tx.lock(database.LockAccounts, 0) }

// shareCatalogue lets a payment be issued beside others, and lets who changes
// accounts wait until it is there to be seen.
func (tx *wtx) shareCatalogue() error {
	if _, alone := tx.work.(*sqliteWork); alone {
		return nil
	}
	return tx.orm.WithContext(tx.ctx).Exec(`SELECT pg_advisory_xact_lock_shared(CAST(? AS INTEGER), 0)`, database.LockAccounts).Error
}

// lockKey makes this the only write that works on what the parts name.
func (tx *wtx) lockKey(parts ...string) error {
	return tx.lock(database.LockKey, int32(hash32(parts...)))
}

func (tx *wtx) lock(what, which int32) error {
	if _, alone := tx.work.(*sqliteWork); alone {
		return nil
	}
	return tx.orm.WithContext(tx.ctx).Exec(`SELECT pg_advisory_xact_lock(CAST(? AS INTEGER), CAST(? AS INTEGER))`, what, which).Error
}

// body is a raw message as the database holds it: bytes, or text.
func (tx *wtx) body(raw []byte) any {
	if _, alone := tx.work.(*sqliteWork); alone {
		return raw
	}
	return database.Storable(string(raw))
}

// lockPayment makes this the only write that changes the payment. There need
// not be one.
func (tx *wtx) lockPayment(paymentID string) error {
	if _, alone := tx.work.(*sqliteWork); alone {
		return nil
	}
	return tx.orm.WithContext(tx.ctx).Exec(`SELECT 1 FROM payments p WHERE p.payment_id = ? FOR UPDATE`, paymentID).Error
}

// hotRead is one of the reads that every request needs.
type hotRead int

const (
	readAccount hotRead = iota
	readOffer
	readPayment
	hotReads
)

// hotReadSQL are the texts of the hot reads.
var hotReadSQL = [hotReads]string{readAccount: accountSQL, readOffer: offerSQL, readPayment: paymentSQL}

// readOne reads at most one row into places, and reports whether there was one.
func (s *Store) readOne(ctx context.Context, read hotRead, places []any, args ...any) (found bool, err error) {
	if err := s.files.Lost(); err != nil {
		return false, database.Unavailable(err)
	}
	if s.readers != nil {
		r, err := s.readers.Borrow(ctx)
		if err != nil {
			return false, database.Unavailable(err)
		}
		defer s.readers.Return(r)
		return r.Statements[read].QueryRow(places, args...)
	}
	rows, err := s.readPool.QueryContext(ctx, strings.Replace(hotReadSQL[read], "?", "$1", 1), database.StorableArgs(args)...)
	if err != nil {
		return false, database.Unavailable(err)
	}
	defer func() {
		if err = errors.Join(err, rows.Close()); err != nil {
			err = database.Unavailable(err)
		}
	}()
	if !rows.Next() {
		return false, rows.Err()
	}
	return true, rows.Scan(places...)
}

// query is a cold query, inside a write (wtx.raw) or outside.
type query func(sql string, args ...any) *gorm.DB

// outside are queries outside of a write.
func (s *Store) outside(ctx context.Context) query {
	return func(sql string, args ...any) *gorm.DB { return s.raw(ctx, sql, args...) }
}
