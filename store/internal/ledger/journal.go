package ledger

import (
	"context"
	"fmt"

	"tolem/topup"
)

// journalPage is how many transactions an export reads at a time.
const journalPage = 500

// Journal passes every ledger transaction of the period to yield, in feed
// order, and stops at its first error. It sees the journal as it was when it
// began. Memory does not grow with the journal, and since it reads page by
// page, a slow yield holds nothing up.
func (l *Ledger) Journal(ctx context.Context, period Period, yield func(topup.Transaction) error) error {
	condition, args, err := period.Where()
	if err != nil {
		return err
	}
	last, err := l.LastFinal(ctx)
	if err != nil {
		return err
	}
	for after := int64(0); ; {
		page, err := l.Find(ctx, journalPage, `t.seq > ? AND t.seq <= ? AND `+condition, append([]any{after, last}, args...)...)
		if err != nil {
			return err
		}
		for _, t := range page {
			if err := yield(t); err != nil {
				return err
			}
		}
		if len(page) < journalPage {
			return nil
		}
		after = page[len(page)-1].Seq
	}
}

// LastFinal is the newest place in the feed that no other can come before, 0
// when there is none.
func (l *Ledger) LastFinal(ctx context.Context) (int64, error) {
	end, err := l.FeedEnd(ctx)
	if err != nil {
		return 0, err
	}
	var last int64
	err = l.reader.Raw(ctx, `SELECT coalesce(max(seq), 0) FROM transactions WHERE seq < ?`, end).Row().Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("read the last place in the feed: %w", err)
	}
	return last, nil
}
