package accounts

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/topup"
)

const (
	// leaseTimeout is how long an import may go without a heartbeat before another
	// takes its place.
	leaseTimeout = time.Minute
	// renewEvery is how often an import that finds nothing to write renews its
	// lease.
	renewEvery = 5 * time.Second
)

// catalogue is the one row that says which records are visible.
type catalogue struct {
	lastRevision int64
	staging      sql.NullInt64
	claim        int64
	heartbeat    sql.NullInt64
}

func readCatalogue(tx *engine.Tx) (c catalogue, err error) {
	err = tx.Raw(`SELECT last_revision, staging, claim, heartbeat_at FROM catalogue WHERE id = 1`).
		Row().Scan(&c.lastRevision, &c.staging, &c.claim, &c.heartbeat)
	if err != nil {
		return c, fmt.Errorf("read the catalogue: %w", err)
	}
	return c, nil
}

// begin takes the lease on the staging and a revision: at once when it is free,
// and from an import whose heartbeat has stopped, once what that one has staged is
// cleared away.
func (im *importer) begin(ctx context.Context) error {
	im.renewed = im.c.now()
	dead := false
	err := im.write(ctx, func(tx *engine.Tx) (err error) {
		dead, err = im.acquire(tx)
		return err
	})
	if err != nil || !dead {
		return err
	}
	if err := im.sweep(ctx, PhaseClear, abandonedSQL); err != nil {
		return fmt.Errorf("clear up after an import that died: %w", err)
	}
	return im.write(ctx, im.startRevision)
}

// acquire takes the lease on the staging. It reports true when there is something
// to clear first; until that is done, it stays hidden as what is being staged.
func (im *importer) acquire(tx *engine.Tx) (dead bool, err error) {
	if err := CheckNormalizer(tx, im.c.normalize); err != nil {
		return false, err
	}
	c, err := readCatalogue(tx)
	if err != nil {
		return false, err
	}
	if im.claim != 0 && c.claim == im.claim { // an earlier try was committed, and its answer lost
		return c.staging.Int64 != im.revision, nil
	}
	if age := im.c.now().Sub(database.FromMicros(c.heartbeat.Int64)).Abs(); c.staging.Valid && age < leaseTimeout {
		return false, topup.Conflict("another import is under way, it was active %d s ago: wait for it", int(age.Seconds()))
	}
	// A step of any length makes it a number that no other import has.
	var step [4]byte
	if _, err := io.ReadFull(tx.Entropy, step[:]); err != nil {
		return false, fmt.Errorf("take the staging: %w", err)
	}
	im.claim, im.revision = c.claim+1+int64(binary.BigEndian.Uint32(step[:])), 0
	err = tx.Gorm().Exec(`UPDATE catalogue SET claim = ?, heartbeat_at = ? WHERE id = 1`, im.claim, database.Micros(im.c.now())).Error
	if err != nil {
		return false, fmt.Errorf("take the staging: %w", err)
	}
	if c.staging.Valid {
		return true, nil
	}
	return false, im.startRevision(tx)
}

// startRevision takes a new revision to stage under. It is higher than that of
// every account that was put until now.
func (im *importer) startRevision(tx *engine.Tx) error {
	im.revision = 0
	c, err := im.renew(tx)
	if err != nil {
		return err
	}
	err = tx.Raw(`SELECT coalesce((SELECT max(id) FROM payments), 0), coalesce((SELECT max(id) FROM ledger_accounts), 0)`).
		Row().Scan(&im.payments, &im.ledgerAccounts)
	if err != nil {
		return fmt.Errorf("read the last payment: %w", err)
	}
	im.revision = c.lastRevision + 1
	err = tx.Gorm().Exec(`UPDATE catalogue SET last_revision = ?, staging = ? WHERE id = 1`, im.revision, im.revision).Error
	if err != nil {
		return fmt.Errorf("take a revision: %w", err)
	}
	return nil
}

// renew refuses to go on when another import has taken the lease, and writes the
// heartbeat otherwise.
func (im *importer) renew(tx *engine.Tx) (catalogue, error) {
	c, err := readCatalogue(tx)
	if err != nil {
		return c, err
	}
	if c.claim != im.claim || (im.revision != 0 && c.staging.Int64 != im.revision) {
		return c, errTakenOver
	}
	err = tx.Gorm().Exec(`UPDATE catalogue SET heartbeat_at = ? WHERE id = 1`, database.Micros(im.c.now())).Error
	if err != nil {
		return c, fmt.Errorf("give a sign of life: %w", err)
	}
	return c, nil
}

// renewIfDue renews the lease, if the import has one and it is time.
func (im *importer) renewIfDue(ctx context.Context) error {
	if im.claim == 0 || im.c.now().Sub(im.renewed) < renewEvery {
		return nil
	}
	err := im.write(ctx, func(tx *engine.Tx) error {
		_, err := im.renew(tx)
		return err
	})
	im.renewed = im.c.now()
	return err
}

// release lets the next import take over at once. The staging is free again if
// nothing was staged; what is staged stays hidden until the next import clears
// it away.
func (im *importer) release(ctx context.Context) error {
	if im.claim == 0 {
		return nil
	}
	unused := im.revision
	if im.staged {
		unused = 0 // no revision
	}
	return im.c.writer.Do(context.WithoutCancel(ctx), func(tx *engine.Tx) error {
		if err := tx.LockCatalogue(); err != nil {
			return err
		}
		return tx.Gorm().Exec(`UPDATE catalogue SET heartbeat_at = 0, staging = nullif(staging, ?)
			WHERE id = 1 AND claim = ? AND staging IS NOT NULL`, unused, im.claim).Error
	})
}
