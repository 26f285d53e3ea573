package accounts

import (
	"context"
	"fmt"

	"tolem/store/internal/engine"
)

// sweepWindow is how many account rows are looked at in one read.
const sweepWindow = 5000

const (
	// supersededSQL is true for a record that a visible one has replaced. What
	// it is true for, it stays true for.
	supersededSQL = `EXISTS (SELECT 1 FROM accounts n, catalogue c WHERE c.id = 1
		AND n.customer_id = a.customer_id AND n.revision > a.revision AND n.revision IS DISTINCT FROM c.staging)`
	// abandonedSQL is true for what an import has staged; to be asked by who
	// has taken its place.
	abandonedSQL = `a.revision = (SELECT staging FROM catalogue WHERE id = 1)`
)

// sweep deletes the records for which the condition is true, in short writes,
// and looks for them outside of these.
func (im *importer) sweep(ctx context.Context, phase ImportPhase, condition string) error {
	var last, done int64
	if err := im.c.reader.Raw(ctx, `SELECT coalesce(max(id), 0) FROM accounts`).Row().Scan(&last); err != nil {
		return fmt.Errorf("look for older records: %w", err)
	}
	for after := int64(0); after < last; after += sweepWindow {
		ids, err := im.matching(ctx, condition, after)
		if err != nil {
			return fmt.Errorf("look for older records: %w", err)
		}
		for len(ids) > 0 {
			n := min(im.rows, len(ids))
			if err := im.delete(ctx, phase, condition, ids[:n]); err != nil {
				return fmt.Errorf("remove older records: %w", err)
			}
			ids = ids[n:]
			done += int64(n)
			im.o.Progress(ImportProgress{phase, done, 0})
		}
	}
	return nil
}

func (im *importer) matching(ctx context.Context, condition string, after int64) ([]int64, error) {
	rows, err := im.c.reader.Raw(ctx, `SELECT a.id FROM accounts a WHERE a.id > ? AND a.id <= ? AND `+condition, after, after+sweepWindow).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// delete removes records by id. The condition is asked again: an id may be a
// newer record's by now.
func (im *importer) delete(ctx context.Context, phase ImportPhase, condition string, ids []int64) error {
	return im.write(ctx, func(tx *engine.Tx) error {
		if phase == PhaseClear {
			if _, err := im.renew(tx); err != nil {
				return err
			}
		}
		return tx.Gorm().Exec(`DELETE FROM accounts AS a WHERE a.id IN ? AND `+condition, ids).Error
	})
}
