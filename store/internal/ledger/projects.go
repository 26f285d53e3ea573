package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Project is a project of a provider that the books know.
type Project struct {
	Provider string
	ID       string
	Open     int64 // payments that wait for their result, or for a person
}

// Projects lists the projects that have open payments, or had money posted, in
// the order of provider and id. It reads every open payment.
func (l *Ledger) Projects(ctx context.Context) ([]Project, error) {
	var list []Project
	err := l.reader.Raw(ctx, `SELECT provider, project AS id, count(*) AS open FROM payments
		WHERE status <> 'succeeded' AND status IN ('pending', 'review') GROUP BY provider, project`).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("count the open payments of each project: %w", err)
	}
	var names []string
	for _, kind := range []string{"settlement:", "suspense:"} {
		var some []string
		if err := l.reader.Raw(ctx, `SELECT DISTINCT name FROM ledger_accounts WHERE name >= ? AND name < ?`, kind, PrefixEnd(kind)).Scan(&some).Error; err != nil {
			return nil, fmt.Errorf("list the projects of the ledger: %w", err)
		}
		names = append(names, some...)
	}
	for _, name := range names {
		parts := strings.Split(name, ":") // topup.SettlementAccount, topup.SuspenseAccount
		if len(parts) != 3 {
			continue
		}
		if !slices.ContainsFunc(list, func(p Project) bool { return p.Provider == parts[1] && p.ID == parts[2] }) {
			list = append(list, Project{Provider: parts[1], ID: parts[2]})
		}
	}
	slices.SortFunc(list, func(a, b Project) int {
		return strings.Compare(a.Provider+":"+a.ID, b.Provider+":"+b.ID)
	})
	return list, nil
}

// Created returns when the database was made: when its first table was. A backup
// that was restored keeps that time. On PostgreSQL it is off by the difference
// if the role's time zone was another one then.
func (l *Ledger) Created(ctx context.Context) (time.Time, error) {
	var seconds int64
	if err := l.reader.Raw(ctx, l.reader.Dialect.Created).Row().Scan(&seconds); err != nil {
		return time.Time{}, fmt.Errorf("read when the database was created: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
