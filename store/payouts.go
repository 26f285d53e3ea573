package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tolem/store/internal/payouts"
	"tolem/store/migrations"
	"tolem/topup"
)

const (
	// MaxPayoutLines bounds the lines of all payouts that are entered at once.
	MaxPayoutLines = 300_000
	// MaxPayouts bounds the payouts that are entered at once.
	MaxPayouts = 1000

	// linesPerWrite is how many lines are written by one statement, in a write of
	// its own: others write between.
	linesPerWrite = 400
	// keysPerQuery is how many ids are looked up at once.
	keysPerQuery = payouts.KeysPerQuery
	// stagedFor is how long the payouts of an import that has ended without a word
	// stay in the database, where nobody sees them.
	stagedFor = time.Hour
	// publishTries is how often an import is checked anew because payouts have
	// changed meanwhile.
	publishTries = 20
)

// NewPayout is a payout to be entered, as a draft.
type NewPayout struct {
	topup.Payout
	Day   Day // the day of Date, in the time zone of the books
	Bank  topup.BankAccountOf
	Lines []topup.PayoutLine // none for one that is entered by hand
	// File is the name of the register that it came from, and SHA256 the hash of its
	// content, hexadecimal; both may be empty.
	File, SHA256 string
}

// PayoutImport is what became of payouts that were entered.
type PayoutImport struct {
	Created   []PayoutRef
	Unchanged []PayoutRef // they were there, with the same content
}

// PayoutError is a refusal of one of several payouts, or of a line of it.
type PayoutError struct {
	ID   string // of the payout
	Line int    // in the register, 0 for the payout itself
	Err  error
}

func (e *PayoutError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d, payout %s: %v", e.Line, e.ID, e.Err)
	}
	return fmt.Sprintf("payout %s: %v", e.ID, e.Err)
}
func (e *PayoutError) Unwrap() error { return e.Err }

// maxPayoutErrors bounds the refusals that are joined.
const maxPayoutErrors = 1000

// AddPayout enters a payout as a draft; see ImportPayouts.
func (s *Store) AddPayout(ctx context.Context, p NewPayout, by By) (PayoutImport, error) {
	return s.ImportPayouts(ctx, []NewPayout{p}, by, false)
}

// ImportPayouts enters payouts as drafts, all or nothing. One that is there with the
// same content changes nothing. Of by only the actor, and what makes it happen once,
// are needed. A dry run checks and writes nothing.
//
// The audit has each payout that was entered, an import that changed nothing, and
// one that was refused: of payouts that are entered by hand only KindConflict, as of
// other steps.
//
// When any is refused the error joins a [*PayoutError] for each: KindInvalid for
// what breaks a rule; KindConflict for an id that is there with other content, and
// for a line that is in another payout.
func (s *Store) ImportPayouts(ctx context.Context, list []NewPayout, by By, dryRun bool) (PayoutImport, error) {
	if strings.TrimSpace(by.Reason) == "" {
		by.Reason = "entered"
	}
	if err := by.check(); err != nil {
		return PayoutImport{}, err
	}
	i := payoutImport{s: s, list: list, by: by}
	err := i.run(ctx, dryRun)
	switch {
	case err == nil:
		return i.report(), nil
	case dryRun:
		return PayoutImport{}, err
	case i.isRegister():
		return PayoutImport{}, s.auditRefusedImport(ctx, by, ActionPayoutAdd, i.object(), err)
	}
	return PayoutImport{}, s.auditRefusal(ctx, by, ActionPayoutAdd, i.object(), err)
}

// run enters the payouts, or only looks whether they can be.
func (i *payoutImport) run(ctx context.Context, dryRun bool) error {
	if err := i.check(); err != nil {
		return err
	}
	if _, err := i.compare(ctx); err != nil || dryRun {
		return err
	}
	if len(i.created) == 0 && i.by.Once == nil {
		return i.s.Audit(ctx, i.by, i.unchanged())
	}
	err := i.write(ctx)
	if err != nil {
		i.unstage(context.WithoutCancel(ctx))
	}
	return err
}

// isRegister reports whether the payouts are those of a file.
func (i *payoutImport) isRegister() bool { return len(i.list) > 0 && i.list[0].File != "" }

// object is what the audit calls the import as a whole.
func (i *payoutImport) object() string {
	switch {
	case i.isRegister():
		return i.list[0].File
	case len(i.list) == 1:
		return i.list[0].ID
	}
	return "payouts"
}

// unchanged is what the audit has of an import of payouts that were all there.
func (i *payoutImport) unchanged() Audited {
	return Audited{ActionPayoutAdd, i.object(), ResultDone, fmt.Sprintf("%d payouts, all there already with the same content", len(i.list))}
}

// payoutImport enters payouts: it compares them with what is there, stages the new
// ones with their lines in many small writes, and publishes them in one.
type payoutImport struct {
	s       *Store
	list    []NewPayout
	by      By
	created []int // places in list of those that are not there
	rows    []int64
}

func (i *payoutImport) report() (r PayoutImport) {
	for n, p := range i.list {
		ref := PayoutRef{ID: p.ID, Provider: p.Provider, Project: p.Project}
		if slices.Contains(i.created, n) {
			r.Created = append(r.Created, ref)
		} else {
			r.Unchanged = append(r.Unchanged, ref)
		}
	}
	return r
}

// refusals collects what is refused.
type refusals struct{ list []error }

func (r *refusals) add(id string, line int, err error) {
	switch {
	case len(r.list) < maxPayoutErrors:
		r.list = append(r.list, &PayoutError{id, line, err})
	case len(r.list) == maxPayoutErrors:
		r.list = append(r.list, topup.Invalid("lines", "have more problems than these"))
	}
}

func (r *refusals) err() error { return errors.Join(r.list...) }

// check verifies what can be verified without the database.
func (i *payoutImport) check() error {
	if len(i.list) > MaxPayouts {
		return topup.Invalid("payouts", "must be at most %d at once: split the register", MaxPayouts)
	}
	lines := 0
	var refused refusals
	ids := map[PayoutRef]bool{}
	type place struct {
		payout string
		line   topup.PayoutLine
	}
	keys := map[[3]string]place{}
	for n := range i.list {
		p := &i.list[n]
		if lines += len(p.Lines); lines > MaxPayoutLines {
			return topup.Invalid("lines", "must be at most %d at once: split the register", MaxPayoutLines)
		}
		if err := p.Check(p.Bank); err != nil {
			refused.add(p.ID, 0, err)
		}
		p.Payout.Bank = p.Bank.Name
		if ref := (PayoutRef{ID: p.ID, Provider: p.Provider, Project: p.Project}); ids[ref] {
			refused.add(p.ID, 0, topup.Invalid("id", "is given twice"))
		} else {
			ids[ref] = true
		}
		var total topup.PayoutFigures
		sound := true
		for _, l := range p.Lines {
			f, err := l.Figures()
			if err == nil {
				err = l.Check()
			}
			if err == nil {
				total, err = total.Plus(f)
			}
			if err == nil && l.Key() != "" {
				key := [3]string{p.Provider, p.Project, l.Key()}
				if first, twice := keys[key]; twice {
					err = topup.Conflict("%s is in line %d, of payout %s, too", l, first.line.Line, first.payout)
				}
				keys[key] = place{p.ID, l}
			}
			if err != nil {
				sound = false
				refused.add(p.ID, l.Line, err)
			}
		}
		if len(p.Lines) > 0 && sound && total != p.PayoutFigures {
			refused.add(p.ID, 0, topup.Invalid("figures", "must be the sums of its lines: %s",
				strings.Join(p.Payout.Differences(topup.Payout{Bank: p.Payout.Bank, Date: p.Date, Currency: p.Currency, PayoutFigures: total}), "; ")))
		}
	}
	return refused.err()
}

// compare looks for what is there: payouts of the same id, and lines that are in
// another payout. What it finds holds as long as the returned progress does.
func (i *payoutImport) compare(ctx context.Context) (payouts.Progress, error) {
	at, err := payouts.ReadProgress(i.s.outside(ctx))
	if err != nil {
		return at, err
	}
	i.created = i.created[:0]
	var refused refusals
	for n := range i.list {
		p := &i.list[n]
		held, err := payouts.Read(i.s.outside(ctx), `o.payout_id = ? AND o.provider = ? AND o.project = ? AND `+migrations.HeldPayoutSQL, p.ID, p.Provider, p.Project)
		if err != nil {
			return at, err
		}
		if len(held) > 0 {
			differences, err := i.differences(ctx, &held[0], p)
			if err != nil {
				return at, err
			}
			if len(differences) > 0 {
				refused.add(p.ID, 0, topup.Conflict("it is there, %s, with other content: %s; if the register is right, %s, and import it again",
					held[0].State, strings.Join(differences, "; "), howToFree(held[0].State)))
			}
			continue
		}
		i.created = append(i.created, n)
		if err := i.takenLines(ctx, p, &refused); err != nil {
			return at, err
		}
	}
	return at, refused.err()
}

// howToFree says how a payout gives back its id and lines.
func howToFree(state topup.PayoutState) string {
	if state == topup.PayoutPosted {
		return "use ledger reverse on its transaction"
	}
	return "use payouts discard"
}

// differences names what differs from the payout that is there.
func (i *payoutImport) differences(ctx context.Context, there *Payout, p *NewPayout) ([]string, error) {
	list := there.Differences(p.Payout)
	if there.Lines != int64(len(p.Lines)) {
		return append(list, fmt.Sprintf("it has %d lines, and had %d", len(p.Lines), there.Lines)), nil
	}
	for n := 0; n < len(p.Lines); n += maxPage {
		stored, err := i.s.StoredLines(ctx, there.Row, int64(n), maxPage)
		if err != nil {
			return nil, err
		}
		for k, l := range stored {
			mine := p.Lines[n+k]
			mine.At = mine.At.UTC().Truncate(time.Microsecond)
			if mine.String() == l.PayoutLine.String() && !l.PayoutLine.Same(mine) {
				return append(list, fmt.Sprintf("line %d (%s): %s", mine.Line, mine, strings.Join(l.PayoutLine.Differences(mine, p.Currency), "; "))), nil
			}
			if !l.PayoutLine.Same(mine) {
				return append(list, fmt.Sprintf("line %d (%s) is another one than line %d was (%s)", mine.Line, mine, l.Line, l.PayoutLine)), nil
			}
		}
	}
	return list, nil
}

// takenLines refuses lines that are in another payout.
func (i *payoutImport) takenLines(ctx context.Context, p *NewPayout, refused *refusals) error {
	for part := range slices.Chunk(p.Lines, keysPerQuery) {
		byKey := make(map[string]topup.PayoutLine, len(part))
		var keys []string
		for _, l := range part {
			if key := l.Key(); key != "" {
				byKey[key], keys = l, append(keys, key)
			}
		}
		if len(keys) == 0 {
			continue
		}
		rows, err := i.s.raw(ctx, `SELECT l.key, o.payout_id FROM payout_lines l JOIN payouts o ON o.id = l.payout AND `+migrations.HeldPayoutSQL+`
			WHERE l.key IN ? AND l.key <> '' AND o.provider = ? AND o.project = ? ORDER BY l.payout, l.n`, keys, p.Provider, p.Project).Rows()
		if err != nil {
			return fmt.Errorf("look for lines in other payouts: %w", err)
		}
		err = payouts.EachRow(rows, func() error {
			var key, other string
			if err := rows.Scan(&key, &other); err != nil {
				return err
			}
			l := byKey[key]
			refused.add(p.ID, l.Line, topup.Conflict("%s is in payout %s: a line is in one payout at most", l, other))
			return nil
		})
		if err != nil {
			return fmt.Errorf("look for lines in other payouts: %w", err)
		}
	}
	return nil
}

// write stages the new payouts and publishes them.
func (i *payoutImport) write(ctx context.Context) error {
	if err := i.sweepStaged(ctx); err != nil {
		return err
	}
	staged := map[int]int64{}
	for range publishTries {
		for _, n := range i.created {
			if staged[n] == 0 {
				row, err := i.stage(ctx, &i.list[n])
				if err != nil {
					return err
				}
				staged[n] = row
			}
		}
		if err := i.s.SumSettlement(ctx); err != nil {
			return err
		}
		at, err := i.compare(ctx) // again: staging takes its time
		if err != nil {
			return err
		}
		var rows []int64
		for _, n := range i.created {
			rows = append(rows, staged[n])
		}
		if slices.Contains(rows, 0) {
			continue // one was discarded meanwhile, and is new now
		}
		add := payouts.NewSums()
		for _, row := range rows {
			named, err := payouts.NamedBy(i.s.outside(ctx), row, at.Seq, nil)
			if err != nil {
				return err
			}
			add.CopyNamed(named)
		}
		done, err := i.publish(ctx, at, rows, add)
		if err != nil {
			return err
		}
		if done {
			return nil
		}
	}
	return errUnavailable(errors.New("payouts are being changed by others all the time"))
}

// publish makes staged payouts drafts, if nothing has changed since at.
func (i *payoutImport) publish(ctx context.Context, at payouts.Progress, rows []int64, add *payouts.Sums) (done bool, err error) {
	err = i.s.stepOnce(ctx, i.by, nil, func(tx *wtx) (any, error) {
		done = false
		if err := payouts.Lock(tx.Tx); err != nil {
			return nil, err
		}
		now, err := payouts.ReadProgress(tx.raw)
		if err != nil {
			return nil, err
		}
		if now != at {
			return nil, errPayoutsChanged
		}
		for _, row := range rows {
			if err := tx.gorm().Exec(`UPDATE payouts SET state = 'draft' WHERE id = ? AND state = 'staged'`, row).Error; err != nil {
				return nil, fmt.Errorf("publish a payout: %w", err)
			}
			if err := tx.notePayout(row, topup.PayoutDraft, 0, i.by); err != nil {
				return nil, err
			}
		}
		for _, n := range i.created {
			if err := tx.audit(i.by, Audited{ActionPayoutAdd, i.list[n].ID, ResultDone, i.list[n].File}); err != nil {
				return nil, err
			}
		}
		if len(i.created) == 0 {
			if err := tx.audit(i.by, i.unchanged()); err != nil {
				return nil, err
			}
		}
		if err := payouts.WriteSums(tx.Tx, add); err != nil {
			return nil, err
		}
		done = true
		return i.report(), payouts.RaiseVersion(tx.Tx)
	})
	if errors.Is(err, errPayoutsChanged) {
		return false, nil
	}
	return done, err
}

// errPayoutsChanged says that what an import was checked against has changed. It is a
// refusal, so that the write ends without having done anything.
var errPayoutsChanged error = topup.Conflict("payouts have changed meanwhile: try again")

// stage writes a payout with its lines where nobody sees it.
func (i *payoutImport) stage(ctx context.Context, p *NewPayout) (int64, error) {
	var row int64
	err := i.s.writer.do(ctx, func(tx *wtx) error {
		err := tx.gorm().Raw(`INSERT INTO payouts (payout_id, provider, project, bank, date, day_start, day_end, currency,
				gross, refunds, fees, reserve, adjustments, net, lines, file, sha256, created_at, state)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'staged') RETURNING id`,
			p.ID, p.Provider, p.Project, p.Payout.Bank, p.Date, micros(p.Day.Start), micros(p.Day.End), p.Currency,
			p.Gross, p.Refunds, p.Fees, p.Reserve, p.Adjustments, p.Net, len(p.Lines), p.File, p.SHA256, micros(tx.now())).Row().Scan(&row)
		if err != nil {
			return fmt.Errorf("stage a payout: %w", err)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	i.rows = append(i.rows, row)
	n := 0
	for part := range slices.Chunk(p.Lines, linesPerWrite) {
		payments, err := i.s.PaymentsOfLines(ctx, p.Provider, p.Project, part)
		if err != nil {
			return 0, err
		}
		args := make([]any, 0, 13*len(part))
		for k, l := range part {
			n++
			args = append(args, row, n, l.Line, string(l.Type), l.Payment, l.Operation, l.Amount, l.Fee, l.Reserve, l.Adjustment,
				nullMicros(l.At), l.Key(), nullText(payments[k]))
		}
		err = i.s.writer.do(ctx, func(tx *wtx) error {
			err := tx.gorm().Exec(`INSERT INTO payout_lines (payout, n, line, type, payment, operation, amount, fee, reserve, adjustment, at, key, payment_id)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+strings.Repeat(`, (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, len(part)-1), args...).Error
			if err != nil {
				return fmt.Errorf("stage the lines of a payout: %w", err)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return row, nil
}

// unstage deletes what this import has staged and not published.
func (i *payoutImport) unstage(ctx context.Context) {
	for _, row := range i.rows {
		if err := i.s.deleteStaged(ctx, row); err != nil {
			return // the next import sweeps it
		}
	}
}

// sweepStaged deletes what imports have left that ended without a word.
func (i *payoutImport) sweepStaged(ctx context.Context) error {
	var rows []int64
	err := i.s.raw(ctx, `SELECT o.id FROM payouts o WHERE o.state = 'staged' AND o.created_at < ?`, micros(i.s.now().Add(-stagedFor))).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("look for staged payouts: %w", err)
	}
	for _, row := range rows {
		if err := i.s.deleteStaged(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// deleteStaged deletes a staged payout in small writes.
func (s *Store) deleteStaged(ctx context.Context, row int64) error {
	const linesAtOnce = 5000
	for more := true; more; {
		err := s.writer.do(ctx, func(tx *wtx) error {
			done := tx.gorm().Exec(`DELETE FROM payout_lines WHERE payout = ? AND n IN (
				SELECT l.n FROM payout_lines l JOIN payouts o ON o.id = l.payout AND o.state = 'staged' WHERE l.payout = ? ORDER BY l.n LIMIT ?)`, row, row, linesAtOnce)
			if more = done.RowsAffected == linesAtOnce; more || done.Error != nil {
				return done.Error
			}
			return tx.gorm().Exec(`DELETE FROM payouts WHERE id = ? AND state = 'staged'`, row).Error
		})
		if err != nil {
			return fmt.Errorf("delete a staged payout: %w", err)
		}
	}
	return nil
}
