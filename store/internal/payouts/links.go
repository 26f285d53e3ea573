package payouts

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tolem/store/internal/engine"
	"tolem/store/migrations"
	"tolem/topup"
)

// unknownLine is a line of a payout that named no payment of ours when it was
// entered.
type unknownLine struct {
	payout, n         int64
	provider, project string
	line              topup.PayoutLine
	payment           string // that it names, as is known now
}

const unknownLinesSQL = `SELECT l.payout, l.n, o.provider, o.project, l.type, l.payment, l.operation
	FROM payout_lines l JOIN payouts o ON o.id = l.payout AND ` + migrations.HeldPayoutSQL + `
	WHERE l.payment_id IS NULL AND (l.payment <> '' OR l.operation <> '') AND (l.payout, l.n) > (?, ?) ORDER BY l.payout, l.n LIMIT ?`

// linkLines links the lines of payouts to payments that have become known since
// they were entered, such as one that an operator has recorded. It reports false
// when another process was faster. The sums must have come to at.
func (b *Register) linkLines(ctx context.Context, at Progress) (done bool, err error) {
	var payout, n int64
	for {
		page, err := b.unknownLines(ctx, payout, n)
		if err != nil || len(page) == 0 {
			return err == nil, err
		}
		last := page[len(page)-1]
		payout, n = last.payout, last.n
		found := slices.DeleteFunc(slices.Clone(page), func(l unknownLine) bool { return l.payment == "" })
		if len(found) > 0 {
			if done, err := b.link(ctx, at, found); err != nil || !done {
				return false, err
			}
			at.Version++
		}
		if len(page) < KeysPerQuery {
			return true, nil
		}
	}
}

// unknownLines are the next lines after a place, with the payments that are known
// by now.
func (b *Register) unknownLines(ctx context.Context, payout, n int64) (page []unknownLine, err error) {
	rows, err := b.reader.Raw(ctx, unknownLinesSQL, payout, n, KeysPerQuery).Rows()
	if err != nil {
		return nil, fmt.Errorf("read lines of unknown payments: %w", err)
	}
	err = EachRow(rows, func() error {
		var l unknownLine
		if err := rows.Scan(&l.payout, &l.n, &l.provider, &l.project, (*string)(&l.line.Type), &l.line.Payment, &l.line.Operation); err != nil {
			return err
		}
		page = append(page, l)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read lines of unknown payments: %w", err)
	}
	for from := 0; from < len(page); {
		to := from
		var lines []topup.PayoutLine
		for ; to < len(page) && page[to].payout == page[from].payout; to++ {
			lines = append(lines, page[to].line)
		}
		payments, err := b.PaymentsOfLines(ctx, page[from].provider, page[from].project, lines)
		if err != nil {
			return nil, err
		}
		for i, payment := range payments {
			page[from+i].payment = payment
		}
		from = to
	}
	return page, nil
}

// link writes the payments of lines, and adds what was received for them to the
// sums, if nothing has changed since at.
func (b *Register) link(ctx context.Context, at Progress, lines []unknownLine) (done bool, err error) {
	err = b.writer.Do(ctx, func(tx *engine.Tx) error {
		done = false
		if err := Lock(tx); err != nil {
			return err
		}
		now, err := ReadProgress(tx.Raw)
		if err != nil || now != at {
			return err
		}
		fresh := map[int64][]string{} // payments that a payout has not named before
		for _, l := range lines {
			var named bool
			err := tx.Raw(`SELECT EXISTS (SELECT 1 FROM payout_lines l WHERE l.payment_id = ? AND l.payout = ? AND l.type = 'payment')`, l.payment, l.payout).Row().Scan(&named)
			if err != nil {
				return fmt.Errorf("link a line: %w", err)
			}
			if !named && l.line.OfPayment() {
				fresh[l.payout] = append(fresh[l.payout], l.payment)
			}
			if err := tx.Gorm().Exec(`UPDATE payout_lines SET payment_id = ? WHERE payout = ? AND n = ? AND payment_id IS NULL`, l.payment, l.payout, l.n).Error; err != nil {
				return fmt.Errorf("link a line: %w", err)
			}
		}
		for payout, payments := range fresh {
			add, err := NamedBy(tx.Raw, payout, at.Seq, payments)
			if err != nil {
				return err
			}
			if err := WriteSums(tx, add); err != nil {
				return err
			}
		}
		done = true
		return RaiseVersion(tx)
	})
	return done, err
}

// PaymentsOfLines finds our payment of each line: by its operation, else by the
// payment's id, ours or the platform's. Empty for those that we do not know.
func (b *Register) PaymentsOfLines(ctx context.Context, provider, project string, lines []topup.PayoutLine) ([]string, error) {
	var operations, ids []string
	for _, l := range lines {
		if l.Operation != "" {
			operations = append(operations, l.Operation)
		}
		if l.Payment != "" {
			ids = append(ids, l.Payment)
		}
	}
	byOperation, err := b.pairs(ctx, `SELECT o.operation, t.payment_id FROM operations o JOIN transactions t ON t.seq = o.seq
		WHERE o.operation IN ? AND o.provider = ? AND o.project = ?`, operations, provider, project)
	if err != nil {
		return nil, err
	}
	byID, err := b.pairs(ctx, `SELECT p.payment_id, p.payment_id FROM payments p WHERE p.payment_id IN ? AND p.provider = ? AND p.project = ?`, ids, provider, project)
	if err != nil {
		return nil, err
	}
	byReference, err := b.pairs(ctx, `SELECT p.provider_reference, p.payment_id FROM payments p
		WHERE p.provider_reference <> '' AND p.customer_id <> '' AND p.provider_reference IN ? AND p.provider = ? AND p.project = ?`, ids, provider, project)
	if err != nil {
		return nil, err
	}
	unknown, err := b.pairs(ctx, `SELECT p.provider_reference, p.payment_id FROM payments p
		WHERE p.customer_id = '' AND p.provider_reference IN ? AND p.provider = ? AND p.project = ?`, ids, provider, project)
	if err != nil {
		return nil, err
	}
	found := make([]string, len(lines))
	for i, l := range lines {
		found[i] = cmp.Or(byOperation[l.Operation], byID[l.Payment], byReference[l.Payment], unknown[l.Payment])
	}
	return found, nil
}

// pairs reads a query of two texts; its first argument is a list.
func (b *Register) pairs(ctx context.Context, query string, list []string, args ...any) (map[string]string, error) {
	found := map[string]string{}
	if len(list) == 0 {
		return found, nil
	}
	rows, err := b.reader.Raw(ctx, query, append([]any{list}, args...)...).Rows()
	if err != nil {
		return nil, fmt.Errorf("look for the payments of lines: %w", err)
	}
	err = EachRow(rows, func() error {
		var name, payment string
		if err := rows.Scan(&name, &payment); err != nil {
			return err
		}
		found[name] = payment
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for the payments of lines: %w", err)
	}
	return found, nil
}

// KeysPerQuery is how many ids are looked up at once.
const KeysPerQuery = 500
