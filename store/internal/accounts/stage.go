package accounts

import (
	"context"
	"fmt"

	"tolem/accountfile"
	"tolem/store/internal/engine"
)

// maxStageBytes bounds what is held for one transaction.
const maxStageBytes = 1 << 20

// stageAll reads the file again and writes its accounts under the import's
// revision, which nobody sees. What an account's record becomes is worked out
// outside of the writes. That is safe: who changes the account meanwhile does
// so under a higher revision and wins, whatever is staged; and a payment that
// is issued meanwhile is looked at before the import is shown.
func (im *importer) stageAll(ctx context.Context, sum accountfile.Checksum) error {
	var done int64
	chunk := &stageChunk{}
	im.rows = firstRows // renewals do not show how long rows take
	again, err := im.file.Each(ctx, func(r *accountfile.Record, _ int64) error {
		if r.Verify(im.c.normalize); len(r.Problems) > 0 {
			return errFileChanged
		}
		record, err := im.settle(ctx, r)
		if err != nil {
			return err
		}
		if record != nil {
			chunk.add(*record, im.revision)
		}
		done++
		if !chunk.full(im.rows) && im.c.now().Sub(im.renewed) < renewEvery {
			return nil
		}
		if err := im.stage(ctx, chunk); err != nil {
			return err
		}
		im.o.Progress(ImportProgress{PhaseStage, done, im.report.Accounts})
		return nil
	})
	if err != nil {
		return err
	}
	if again != sum {
		return errFileChanged
	}
	if err := im.stage(ctx, chunk); err != nil {
		return err
	}
	im.o.Progress(ImportProgress{PhaseStage, done, im.report.Accounts})
	return nil
}

// stageChunk is what goes into one transaction.
type stageChunk struct {
	rows    []*encodedAccount
	history []historyRow
	bytes   int
}

func (c *stageChunk) add(w written, revision int64) {
	row := encodeAccount(w, revision)
	c.rows = append(c.rows, row)
	c.history = append(c.history, w.history...)
	c.bytes += len(row.entities) + len(row.offered.String)
	for _, h := range w.history {
		c.bytes += len(h.events)
	}
}

func (c *stageChunk) full(rows int) bool { return len(c.rows) >= rows || c.bytes >= maxStageBytes }

// stage writes a chunk, renews the lease, and empties the chunk.
func (im *importer) stage(ctx context.Context, chunk *stageChunk) error {
	tried := false
	im.staged = true
	err := im.write(ctx, func(tx *engine.Tx) error {
		if _, err := im.renew(tx); err != nil {
			return err
		}
		if tried && len(chunk.rows) > 0 {
			done, err := isStaged(tx, chunk.rows[0])
			if err != nil || done {
				return err // an earlier try was committed, and its answer lost
			}
		}
		tried = true
		if err := insertAccounts(tx, chunk.rows); err != nil {
			return err
		}
		return insertHistory(tx, chunk.history)
	})
	if err != nil {
		return err
	}
	clear(chunk.rows)
	clear(chunk.history)
	chunk.history = chunk.history[:0]
	chunk.rows, chunk.bytes, im.renewed = chunk.rows[:0], 0, im.c.now()
	return nil
}

// isStaged reports whether an account's record is there: a chunk is staged whole
// or not at all.
func isStaged(tx *engine.Tx, row *encodedAccount) (is bool, err error) {
	err = tx.Raw(`SELECT EXISTS (SELECT 1 FROM accounts WHERE customer_id = ? AND revision = ?)`, row.customerID, row.revision).Row().Scan(&is)
	if err != nil {
		return false, fmt.Errorf("look for staged accounts: %w", err)
	}
	return is, nil
}

func insertAccounts(tx *engine.Tx, rows []*encodedAccount) error {
	for _, row := range rows {
		if err := tx.Put(tx.Statements.InsertAccount, row.values()...); err != nil {
			return fmt.Errorf("stage an account: %w", err)
		}
	}
	return nil
}

// settle decides what a record makes of the account that is there; nil when
// there is nothing to write.
func (im *importer) settle(ctx context.Context, r *accountfile.Record) (*written, error) {
	before, err := im.compare(ctx, r, true)
	if err != nil {
		return nil, err
	}
	switch {
	case len(r.Problems) > 0:
		return nil, &accountfile.LineErrors{Lines: r.Problems}
	case before == nil:
		im.report.Created++
		return &written{account: &r.Account, created: im.revision, changed: im.revision}, nil
	case before.Revision > im.revision:
		im.report.Overtaken++
		return nil, nil
	}
	record, err := merged(before, &r.Account, im.o.Replace)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", r.Line, err)
	}
	w, err := revised(before, record, im.revision, im.closing(ctx))
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", r.Line, err)
	}
	if w.changed == im.revision {
		im.report.Changed++
		return &w, nil
	}
	im.report.Unchanged++
	if im.o.Replace {
		return &w, nil // what is not written anew will count as closed
	}
	return nil, nil
}

// closing finds the import that closed what was last written at a revision. It
// remembers the last answer: accounts of one import are next to each other.
func (im *importer) closing(ctx context.Context) func(int64) (int64, error) {
	return func(at int64) (int64, error) {
		if im.closedAt == at {
			return im.closedBy, nil
		}
		by, err := closingRevision(im.c.reader.Query(ctx), at)
		if err == nil {
			im.closedAt, im.closedBy = at, by
		}
		return by, err
	}
}
