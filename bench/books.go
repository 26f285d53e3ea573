//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"tolem/accountfile"
	"tolem/store"
)

// database says where a server's books are.
type database struct {
	driver string
	dsn    string // a path, or a URL
}

// The databases, as the configuration names them.
const (
	driverSQLite   = "sqlite"
	driverPostgres = "postgres"
)

func sqliteIn(folder, name string) database {
	return database{driverSQLite, filepath.Join(folder, name)}
}

// options open the database beside its server.
func (d database) options() store.Options {
	if d.driver == driverPostgres {
		return store.Options{Postgres: d.dsn}
	}
	return store.Options{Path: d.dsn}
}

// connect opens a connection that has nothing to do with the store.
func (d database) connect() (*sql.DB, error) {
	if d.driver == driverPostgres {
		return sql.Open("pgx", d.dsn)
	}
	return sql.Open(store.DriverName, store.DSN(d.dsn))
}

// dialector is the database for GORM alone, as durable as the store's.
func (d database) dialector() gorm.Dialector {
	if d.driver == driverPostgres {
		return postgres.Open(d.dsn)
	}
	return sqlite.Dialector{DriverName: store.DriverName, DSN: store.DSN(d.dsn)}
}

// tally is a set of ids as their number and the sum of their hashes: two sets
// of any size are compared in no memory, and two that differ pass for equal
// once in 2^64 times.
type tally struct {
	count int64
	sum   uint64
}

var tallySeed = maphash.MakeSeed()

func (t *tally) add(id string) {
	t.count++
	t.sum += maphash.String(tallySeed, id)
}

// acknowledged is what a server has acknowledged: the payments that it issued,
// and those whose callback it answered with 200.
type acknowledged struct {
	mu              sync.Mutex
	issued, credits tally
}

func (a *acknowledged) issue(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.issued.add(id)
}

func (a *acknowledged) credit(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.credits.add(id)
}

// booked reads what is in the books, through a connection of its own.
func booked(ctx context.Context, d database) (issued, credits tally, err error) {
	db, err := d.connect()
	if err != nil {
		return issued, credits, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := read(ctx, db, &issued, `SELECT payment_id FROM payments WHERE customer_id <> ''`); err != nil {
		return issued, credits, err
	}
	return issued, credits, read(ctx, db, &credits, `SELECT payment_id FROM transactions WHERE slot = 0`)
}

func read(ctx context.Context, db *sql.DB, into *tally, query string) (err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id sql.RawBytes
		if err := rows.Scan(&id); err != nil {
			return err
		}
		into.add(string(id))
	}
	return rows.Err()
}

// compare holds what was acknowledged against what is booked, payment by
// payment, and lets the ledger check itself. Any difference is an error.
func (a *acknowledged) compare(ctx context.Context, d database) (string, error) {
	issued, credits, err := booked(ctx, d)
	if err != nil {
		return "", fmt.Errorf("read what is booked: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if issued != a.issued || credits != a.credits {
		return "", fmt.Errorf("acknowledged %d payment ids and %d credits, booked %d and %d: they are not the same",
			a.issued.count, a.credits.count, issued.count, credits.count)
	}
	if err := check(ctx, d); err != nil {
		return "", err
	}
	return fmt.Sprintf("acknowledged %d payment ids and %d credits; booked the same; ledger check passed", issued.count, credits.count), nil
}

// check is tolem ledger check.
func check(ctx context.Context, d database) (err error) {
	o := d.options()
	o.Existing = true
	s, err := store.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	report, err := s.Check(ctx)
	if err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return fmt.Errorf("the books are broken: %s", strings.Join(report.Problems, "; "))
	}
	return nil
}

// open makes a database with that many customers, of two contracts each.
func (d database) open(ctx context.Context, folder string, customers int) (err error) {
	name := filepath.Join(folder, "accounts.jsonl")
	if err := writeAccounts(name, customers); err != nil {
		return err
	}
	file, err := accountfile.OnDisk(name)
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, d.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	_, err = s.ImportAccounts(ctx, store.ImportOptions{}, file)
	return err
}

func writeAccounts(name string, customers int) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := &strings.Builder{}
	for n := range customers {
		contractOf := func(id string) string {
			return fmt.Sprintf(`{"id":%q,"number":%q,"min_payment":10000,"payment":100000,"info":{"total_debt":500000,"monthly_payment":100000,"customer_name":"John Doe"}}`,
				id, contractNumber(n, id))
		}
		fmt.Fprintf(out, `{"customer_id":%q,"additional_customer_id":"A%d","currency":%q,"entities":[%s,%s]}`+"\n",
			customerID(n), n, currency, contractOf(contract), contractOf("c2"))
		if out.Len() > 1<<20 || n == customers-1 {
			if _, err := file.WriteString(out.String()); err != nil {
				return err
			}
			out.Reset()
		}
	}
	return nil
}

// contractNumber is what people call a contract.
func contractNumber(customer int, id string) string {
	return fmt.Sprintf("%07d_ABC/01-01-2025/%s", customer, id)
}
