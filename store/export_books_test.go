package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"tolem/store/internal/check"
	"tolem/store/internal/ledger"
)

// ExplainPayments is how SQLite would run the query of a filter, a line a step.
func (s *Store) ExplainPayments(ctx context.Context, f PaymentFilter) ([]string, error) {
	q, err := s.PaymentQuery(ctx, f)
	if err != nil {
		return nil, err
	}
	dry := q.Limit(50).Session(&gorm.Session{DryRun: true}).Find(&[]map[string]any{})
	return s.explain(ctx, dry.Statement.SQL.String(), dry.Statement.Vars...)
}

// ExplainOnPostgres is how PostgreSQL would run the queries of a search.
func (s *Store) ExplainOnPostgres(ctx context.Context, f PaymentFilter) (plan []string, err error) {
	q, err := s.PaymentQuery(ctx, f)
	if err != nil {
		return nil, err
	}
	dry := q.Limit(50).Session(&gorm.Session{DryRun: true}).Find(&[]map[string]any{})
	queries := []string{dry.Statement.SQL.String()}
	args := [][]any{dry.Statement.Vars}
	for _, query := range s.NumberQueries() {
		dry := s.raw(ctx, query, "1", "2", "2", ledger.MaxNumbers).Session(&gorm.Session{DryRun: true}).Find(&[]map[string]any{})
		queries, args = append(queries, dry.Statement.SQL.String()), append(args, dry.Statement.Vars)
	}
	for i, query := range queries {
		rows, err := s.reader.Pool.QueryContext(ctx, "EXPLAIN "+query, args[i]...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var step string
			if err := rows.Scan(&step); err != nil {
				return nil, err
			}
			plan = append(plan, step)
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

type explained struct {
	sql  string
	args []any
}

func auditQuery(f AuditFilter) explained {
	sql, args, err := f.query(50)
	if err != nil {
		panic(err)
	}
	return explained{sql, args}
}

// ExplainReads is how SQLite would run the other reads, by their names.
func (s *Store) ExplainReads(ctx context.Context) (map[string][]string, error) {
	plans := map[string][]string{}
	numbers := s.NumberQueries()
	open, _, err := SuspenseFilter{}.Where()
	if err != nil {
		return nil, err
	}
	for name, q := range map[string]explained{
		"contract numbers":             {numbers[0], []any{"1", "2", "2", 1000}},
		"contract numbers with blanks": {numbers[1], []any{"1", "2", "2", 1000}},
		"feed":                         {fmt.Sprintf(transactionsSQL, `t.seq > ?`), []any{1, 100}},
		"payment's transactions":       {fmt.Sprintf(transactionsSQL, `t.payment_id = ?`), []any{"p", 100}},
		"one transaction":              {fmt.Sprintf(transactionsSQL, `t.transaction_id = ?`), []any{"t", 1}},
		"deliveries":                   {messagesSQL, []any{"r", "p", 100}},
		"open items":                   {fmt.Sprintf(ledger.ItemsSQL, open), []any{0, 100}},
		"payment's items":              {fmt.Sprintf(ledger.ItemsSQL, `1 = 1 AND i.payment_id = ?`), []any{0, "p", 100}},
		"statement":                    {ledger.StatementLinesSQL, []any{"c", "a", "b", "a", "b", 1, 2, 100}},
		"statement's sums":             {ledger.StatementSumsSQL, []any{1, 1, 2, 1, 2, "c", "a", "b", "a", "b", "a", "b"}},
		"due payments":                 {dueSQL, []any{1, "jetpay", 100}},
		"audit":                        auditQuery(AuditFilter{From: time.Unix(1, 0), Cursor: encodeCursor("1", "1")}),
		"audit of an actor":            auditQuery(AuditFilter{Actor: "anna", To: time.Unix(1, 0)}),
		"open proposals":               {fmt.Sprintf(approvalsSQL, "1 = 1"+openApprovals), []any{"ap_", 1, 50}},
	} {
		plan, err := s.explain(ctx, q.sql, q.args...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		plans[name] = plan
	}
	return plans, nil
}

func (s *Store) explain(ctx context.Context, query string, args ...any) (plan []string, err error) {
	rows, err := s.reader.Pool.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return nil, err
		}
		plan = append(plan, step)
	}
	return plan, rows.Err()
}

// Rules are the sentences that a check verifies.
func Rules() (holds []string) {
	for _, r := range check.Everywhere {
		holds = append(holds, r.Holds)
	}
	return holds
}

// CheckFree is the disk part of Ready.
func CheckFree(folder string, least uint64) error { return checkFree(folder, least) }

// PrefixEnd is the end of the range of names with a prefix.
func PrefixEnd(prefix string) string { return ledger.PrefixEnd(prefix) }

// ExpireBatch is how many payments expire in one write.
const ExpireBatch = expireBatch

// TriggerNames are the triggers of the schema.
func TriggerNames(ctx context.Context) ([]string, error) { return check.Triggers(ctx) }

// SetPragma changes a setting of the writer's connection, while it rests.
func (s *Store) SetPragma(ctx context.Context, pragma string) error {
	return s.writer.SetPragma(ctx, pragma)
}

// MaxNumbers is how many contract numbers may begin alike.
const MaxNumbers = ledger.MaxNumbers

// StepKinds are the names of the steps that can be proposed.
func StepKinds() []string { return slices.Sorted(maps.Keys(stepKinds)) }
