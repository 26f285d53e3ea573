package store

import (
	"context"
	"fmt"
	"time"

	"tolem/store/internal/payouts"
	"tolem/store/migrations"
	"tolem/topup"
)

// PostPayoutStep books a draft. It counts on the payout's day, or, where that is
// closed, on the first open one, unless the step names a day. The rules are those
// of [topup.DecidePostPayout].
//
// Errors: KindNotFound when there is no such payout; KindInvalid when its id is
// ambiguous; KindConflict when it cannot be posted.
type PostPayoutStep struct{ PayoutRef }

func (PostPayoutStep) Action() Action     { return ActionPayout }
func (PostPayoutStep) kind() string       { return "payout" }
func (s PostPayoutStep) Object() string   { return s.ID }
func (s PostPayoutStep) describe() string { return "post payout " + s.ID }
func (s PostPayoutStep) run(r stepRun) ([]posted, error) {
	p, err := r.payout(s.PayoutRef)
	if err != nil {
		return nil, err
	}
	step, err := topup.DecidePostPayout(p.Payout)
	if err != nil {
		return nil, err
	}
	effective, err := r.dateOfPayout(r.by, p.Day)
	if err != nil {
		return nil, err
	}
	return one(r.bookPayout(p, step, topup.PayoutPosted, effective, 0, r.by))
}

// PostPayout is [Store.Do] of a [PostPayoutStep].
func (s *Store) PostPayout(ctx context.Context, ref PayoutRef, by By) (topup.Transaction, error) {
	return s.doOne(ctx, PostPayoutStep{ref}, by)
}

// DiscardPayoutStep gives a draft up, which frees its id and its lines.
//
// Errors: as for PostPayoutStep.
type DiscardPayoutStep struct{ PayoutRef }

func (DiscardPayoutStep) Action() Action     { return ActionPayoutDiscard }
func (DiscardPayoutStep) kind() string       { return "payout_discard" }
func (s DiscardPayoutStep) Object() string   { return s.ID }
func (s DiscardPayoutStep) describe() string { return "discard payout " + s.ID }
func (s DiscardPayoutStep) run(r stepRun) ([]posted, error) {
	p, err := r.payout(s.PayoutRef)
	if err != nil {
		return nil, err
	}
	if err := topup.DecideDiscardPayout(p.Payout); err != nil {
		return nil, err
	}
	if _, err := r.effectiveAt(r.by, time.Time{}); err != nil {
		return nil, err
	}
	return nil, r.movePayout(p, topup.PayoutDiscarded, 0, r.by)
}

// changed is the payout as it is now: the newest of its id, since none holds it.
func (s DiscardPayoutStep) changed(r stepRun) (any, error) { return payouts.Find(r.raw, s.PayoutRef) }

// DiscardPayout is [Store.Do] of a [DiscardPayoutStep].
func (s *Store) DiscardPayout(ctx context.Context, ref PayoutRef, by By) error {
	_, err := s.Do(ctx, DiscardPayoutStep{ref}, by)
	return err
}

// payout reads a payout inside a write. From here on nobody else changes one.
func (tx *wtx) payout(ref PayoutRef) (*Payout, error) {
	if err := payouts.Lock(tx.Tx); err != nil {
		return nil, err
	}
	return payouts.Find(tx.raw, ref)
}

// dateOfPayout is [topup.StepDate.OfPayout] in this database.
func (tx *wtx) dateOfPayout(by By, day Day) (time.Time, error) {
	closed, err := tx.closedPeriod()
	if err != nil {
		return time.Time{}, err
	}
	return topup.StepDate{
		Now: tx.now(), DayStart: by.Effective.Start, DayEnd: by.Effective.End, ClosedDay: closed.Day, ClosedUntil: closed.Until,
	}.OfPayout(day.Start, day.End)
}

// bookPayout posts a step of a payout, and leaves the payout in a state.
func (tx *wtx) bookPayout(p *Payout, step topup.Step, state topup.PayoutState, effective time.Time, reverses int64, by By) (posted, error) {
	made, err := tx.post(entry{
		kind: step.Kind, reverses: reverses, actor: by.Actor, reason: by.Reason, effectiveAt: effective, postings: step.Postings,
	})
	if err != nil {
		return posted{}, err
	}
	if err := tx.movePayout(p, state, made.seq, by); err != nil {
		return posted{}, err
	}
	if state == topup.PayoutPosted && reverses == 0 {
		return made, tx.notifyPayout(p, made)
	}
	return made, nil
}

// movePayout brings a payout into a state and writes down who did it. seq is the
// transaction that was made with it, 0 for none.
func (tx *wtx) movePayout(p *Payout, state topup.PayoutState, seq int64, by By) error {
	done := tx.gorm().Exec(`UPDATE payouts SET state = ? WHERE id = ? AND state = ?`, string(state), p.Row, string(p.State))
	if done.Error != nil {
		return fmt.Errorf("move the payout: %w", done.Error)
	}
	if done.RowsAffected != 1 {
		return fmt.Errorf("move the payout: it is not %s", p.State)
	}
	p.State = state
	if err := tx.notePayout(p.Row, state, seq, by); err != nil {
		return err
	}
	return payouts.RaiseVersion(tx.Tx)
}

func (tx *wtx) notePayout(row int64, state topup.PayoutState, seq int64, by By) error {
	err := tx.gorm().Exec(`INSERT INTO payout_steps (payout, at, state, seq, actor, reason) VALUES (?, ?, ?, ?, ?, ?)`,
		row, micros(tx.now()), string(state), nullID(seq), by.Actor, by.Reason).Error
	if err != nil {
		return fmt.Errorf("write down the step of a payout: %w", err)
	}
	return nil
}

// reversePayout mirrors a transaction of a payout: its posting, or a reversal
// behind that.
func (tx *wtx) reversePayout(target topup.Transaction, by By) (posted, error) {
	if err := payouts.Lock(tx.Tx); err != nil {
		return posted{}, err
	}
	const ofPayout = `SELECT s.payout FROM payout_steps s WHERE s.seq = ?`
	list, err := payouts.Read(tx.raw, `o.id = (`+ofPayout+`)`, target.Seq)
	if err != nil {
		return posted{}, err
	}
	if len(list) != 1 {
		return posted{}, fmt.Errorf("the payout of transaction %s is not on record", target.ID)
	}
	p := &list[0]
	book := topup.PayoutBook{Payout: p.Payout}
	book.Transactions, err = tx.transactions(`t.seq IN (SELECT c.seq FROM payout_steps c WHERE c.payout = ?)`, p.Row, maxBook)
	if err != nil {
		return posted{}, err
	}
	if p.State == topup.PayoutReversed {
		if book.Taken, err = tx.takenAgain(p); err != nil {
			return posted{}, err
		}
	}
	step, state, err := topup.DecideReversePayout(book, target.ID)
	if err != nil {
		return posted{}, err
	}
	effective, err := tx.effectiveAt(by, step.Earliest)
	if err != nil {
		return posted{}, err
	}
	return tx.bookPayout(p, step, state, effective, target.Seq, by)
}

// takenAgain says what of that which a payout held is held by another one, empty
// for nothing.
func (tx *wtx) takenAgain(p *Payout) (string, error) {
	held, err := payouts.Read(tx.raw, `o.payout_id = ? AND o.provider = ? AND o.project = ? AND `+migrations.HeldPayoutSQL, p.ID, p.Provider, p.Project)
	if err != nil {
		return "", err
	}
	if len(held) > 0 {
		return fmt.Sprintf("payout %s has been entered again", p.ID), nil
	}
	other, err := payouts.Read(tx.raw, migrations.HeldPayoutSQL+` AND o.provider = ? AND o.project = ? AND o.id IN (
		SELECT k.payout FROM payout_lines l JOIN payout_lines k ON k.key = l.key AND k.key <> '' WHERE l.payout = ? AND l.key <> '')
		ORDER BY o.id LIMIT 1`, p.Provider, p.Project, p.Row)
	if err != nil {
		return "", err
	}
	if len(other) == 0 {
		return payouts.BankLineTaken(tx.raw, p)
	}
	return fmt.Sprintf("lines of it are in payout %s", other[0].ID), nil
}
