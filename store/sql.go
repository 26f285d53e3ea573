package store

import (
	"context"
	"errors"
	"strings"
	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/migrations"

	"gorm.io/gorm"
)

// raw is a cold query: SQL through GORM, which turns each ? into what the
// database calls it.
func (s *Store) raw(ctx context.Context, query string, args ...any) *gorm.DB {
	return s.read.WithContext(ctx).Raw(query, args...)
}

// balancesTable is where the running totals of ledger accounts are read.
const balancesTable = migrations.BalancesTable

// hotRead is one of the reads that every request needs.
type hotRead int

const (
	readAccount hotRead = iota
	readOffer
	readPayment
	hotReads
)

// hotReadSQL are the texts of the hot reads.
var hotReadSQL = [hotReads]string{readAccount: engine.AccountSQL, readOffer: offerSQL, readPayment: paymentSQL}

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
