package store

import (
	"context"
	"fmt"
	"slices"

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
	FROM payout_lines l JOIN payouts o ON o.id = l.payout AND ` + heldSQL + `
	WHERE l.payment_id IS NULL AND (l.payment <> '' OR l.operation <> '') AND (l.payout, l.n) > (?, ?) ORDER BY l.payout, l.n LIMIT ?`

// linkLines links the lines of payouts to payments that have become known since
// they were entered, such as one that an operator has recorded. It reports false
// when another process was faster. The sums must have come to at.
func (s *Store) linkLines(ctx context.Context, at progress) (done bool, err error) {
	var payout, n int64
	for {
		page, err := s.unknownLines(ctx, payout, n)
		if err != nil || len(page) == 0 {
			return err == nil, err
		}
		last := page[len(page)-1]
		payout, n = last.payout, last.n
		found := slices.DeleteFunc(slices.Clone(page), func(l unknownLine) bool { return l.payment == "" })
		if len(found) > 0 {
			if done, err := s.link(ctx, at, found); err != nil || !done {
				return false, err
			}
			at.version++
		}
		if len(page) < keysPerQuery {
			return true, nil
		}
	}
}

// unknownLines are the next lines after a place, with the payments that are known
// by now.
func (s *Store) unknownLines(ctx context.Context, payout, n int64) (page []unknownLine, err error) {
	rows, err := s.raw(ctx, unknownLinesSQL, payout, n, keysPerQuery).Rows()
	if err != nil {
		return nil, fmt.Errorf("read lines of unknown payments: %w", err)
	}
	err = eachRow(rows, func() error {
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
		payments, err := s.paymentsOfLines(ctx, page[from].provider, page[from].project, lines)
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
func (s *Store) link(ctx context.Context, at progress, lines []unknownLine) (done bool, err error) {
	err = s.writer.do(ctx, func(tx *wtx) error {
		done = false
		if err := tx.lockPayouts(); err != nil {
			return err
		}
		now, err := readProgress(tx.raw)
		if err != nil || now != at {
			return err
		}
		fresh := map[int64][]string{} // payments that a payout has not named before
		for _, l := range lines {
			var named bool
			err := tx.raw(`SELECT EXISTS (SELECT 1 FROM payout_lines l WHERE l.payment_id = ? AND l.payout = ? AND l.type = 'payment')`, l.payment, l.payout).Row().Scan(&named)
			if err != nil {
				return fmt.Errorf("link a line: %w", err)
			}
			if !named && l.line.OfPayment() {
				fresh[l.payout] = append(fresh[l.payout], l.payment)
			}
			if err := tx.gorm().Exec(`UPDATE payout_lines SET payment_id = ? WHERE payout = ? AND n = ? AND payment_id IS NULL`, l.payment, l.payout, l.n).Error; err != nil {
				return fmt.Errorf("link a line: %w", err)
			}
		}
		for payout, payments := range fresh {
			add, err := namedBy(tx.raw, payout, at.seq, payments)
			if err != nil {
				return err
			}
			if err := tx.writeSums(add); err != nil {
				return err
			}
		}
		done = true
		return tx.raiseSettlementVersion()
	})
	return done, err
}
