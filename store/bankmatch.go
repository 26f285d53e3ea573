package store

import (
	"context"
	"fmt"
	"strconv"

	"tolem/store/internal/payouts"
)

// ActionBankMatch is the matching of payouts with bank lines, in the audit.
const ActionBankMatch Action = "bank_match"

// What bank accounts and payouts have to do with each other: see there.
type (
	BankLine      = payouts.BankLine
	BankProposal  = payouts.BankProposal
	BankMatch     = payouts.BankMatch
	BankAmbiguity = payouts.BankAmbiguity
	BankGroup     = payouts.BankGroup
)

// ApplyBankMatches writes down the matches that it proposes at the moment, and
// nothing else, and returns the proposal. It moves no money.
func (s *Store) ApplyBankMatches(ctx context.Context, window int, by By) (BankProposal, error) {
	var found BankProposal
	if err := by.check(); err != nil {
		return found, err
	}
	err := s.writer.do(ctx, func(tx *wtx) (err error) {
		if err := payouts.Lock(tx.Tx); err != nil {
			return err
		}
		if found, err = payouts.ProposeMatches(tx.raw, window); err != nil {
			return err
		}
		for _, m := range found.Matches {
			err := tx.gorm().Exec(`INSERT INTO bank_matches (payout, line, at, actor, reason) VALUES (?, ?, ?, ?, ?)`,
				m.Payout.Row, m.Line.ID, micros(tx.now()), by.Actor, by.Reason).Error
			if err != nil {
				return err
			}
		}
		return tx.audit(by, Audited{ActionBankMatch, "payouts", ResultDone, strconv.Itoa(len(found.Matches)) + " matches"})
	})
	if err != nil {
		return found, fmt.Errorf("match payouts with bank lines: %w", err)
	}
	return found, nil
}
