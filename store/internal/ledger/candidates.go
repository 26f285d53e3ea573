package ledger

import (
	"context"
	"fmt"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/topup"
)

const (
	// maxCandidates bounds the payments that are proposed for an amount, and
	// candidatesExamined those that are looked at for them.
	maxCandidates      = 5
	candidatesExamined = 5000
)

// OpenPaymentsLike returns payments that were issued in the time from, which is
// part of it, to to, which is not, for exactly this sum, and have not succeeded:
// the newest five. They are what money that came without a contract may have been
// meant for. The index of times has the amount in it; of very many payments only
// the last 5000 before to are looked at.
func (l *Ledger) OpenPaymentsLike(ctx context.Context, m topup.Money, from, to time.Time) ([]*topup.Payment, error) {
	end, err := l.examinedTo(ctx, PaymentFilter{From: from, To: to, Examine: candidatesExamined})
	if err != nil {
		return nil, fmt.Errorf("look for payments of a sum: %w", err)
	}
	rows, err := l.reader.ORM.WithContext(ctx).Table("payments AS p").Select(engine.PaymentColumns).
		Where("p.created_at >= ? AND p.created_at < ? AND p.amount = ?", max(database.Micros(from), end.createdAt), database.Micros(to), m.Amount).
		Where("p.currency = ? AND p.customer_id <> '' AND p.status <> 'succeeded'", m.Currency).
		Order("p.created_at DESC, p.id DESC").Limit(maxCandidates).Rows()
	if err != nil {
		return nil, fmt.Errorf("look for payments of a sum: %w", err)
	}
	found, err := ScanPayments(rows)
	if err != nil {
		return nil, fmt.Errorf("look for payments of a sum: %w", err)
	}
	list := make([]*topup.Payment, len(found))
	for i, row := range found {
		list[i] = row.Value()
	}
	return list, nil
}
