package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"tolem/store/internal/check"
	"tolem/store/internal/database"
)

// ProblemsAfter runs the rules of a check on a PostgreSQL database that is
// damaged for as long as they run: with triggers and foreign keys at rest, in a
// transaction that is rolled back.
func (s *Store) ProblemsAfter(ctx context.Context, damage ...string) (problems []string, err error) {
	pool, orm, err := database.OpenPostgresPool(s.postgres.Session(nil), 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close() // and with the pool its connection, which rolls back
	db := database.Bound(orm, conn).WithContext(ctx)
	for _, table := range []string{"transactions", "entries", "operations", "freed_operations", "operator_steps", "approvals", "approval_decisions", "approved_transactions", "ledger_accounts", "ledger_totals",
		"payouts", "payout_lines", "payout_steps", "bank_lines", "bank_matches"} {
		damage = append([]string{`ALTER TABLE ` + table + ` DISABLE TRIGGER ALL`}, damage...)
	}
	for _, query := range append([]string{`BEGIN`, `SET LOCAL session_replication_role = replica`}, damage...) {
		if err := db.Exec(query).Error; err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
	}
	report, err := check.Book(ctx, &database.Postgres, db)
	return report.Problems, err
}

// BrokenRules runs the rules of a check alone, without a look at the schema, which
// takes longer than all of them on a small book.
func (s *Store) BrokenRules(ctx context.Context) (problems []string, err error) {
	err = database.Snapshot(ctx, s.dialect, s.reader.ORM, func(db *gorm.DB) error {
		applying, err := check.RulesFor(s.dialect, db)
		if err != nil {
			return err
		}
		for _, r := range applying {
			found, err := r.Problems(db)
			if err != nil {
				return fmt.Errorf("%s: %w", r.Holds, err)
			}
			problems = append(problems, found...)
		}
		return nil
	})
	return problems, err
}

// RulesEverywhere are the sentences that a check verifies on both databases.
func RulesEverywhere() (holds []string) {
	for _, r := range check.Everywhere {
		holds = append(holds, r.Holds)
	}
	return holds
}

// CheckBothWays runs the rules of a check on a connection to a SQLite file: as a check
// does, which proves most of them together, and one by one.
func (s *Store) CheckBothWays(ctx context.Context, conn *sql.Conn) (checked, oneByOne []string, err error) {
	db := database.Bound(s.reader.ORM, conn).WithContext(ctx)
	report, err := check.Book(ctx, &database.SQLite, db)
	if err != nil {
		return nil, nil, err
	}
	applying, err := check.RulesFor(&database.SQLite, db)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range applying {
		found, err := r.Problems(db)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", r.Holds, err)
		}
		oneByOne = append(oneByOne, found...)
	}
	return report.Problems, oneByOne, nil
}

// ProvenTogether are the rules that a check of a SQLite file has proven together.
func (s *Store) ProvenTogether(ctx context.Context) (holds map[string]bool, err error) {
	err = database.Snapshot(ctx, s.dialect, s.reader.ORM, func(db *gorm.DB) error {
		applying, err := check.RulesFor(s.dialect, db)
		if err != nil {
			return err
		}
		holds, err = check.Proven(db, applying)
		return err
	})
	return holds, err
}
