package accounts

import (
	"context"
	"fmt"

	"tolem/store/internal/engine"
	"tolem/topup"
)

// currencyTakenSQL tells whether an account whose currency the import changes
// has got a payment, or a ledger account, after the given ones.
const currencyTakenSQL = `SELECT EXISTS (SELECT 1 FROM (
		SELECT customer_id FROM payments WHERE id > ? AND customer_id <> ''
		UNION SELECT substr(name, 11, %s(substr(name, 11), ':') - 1) FROM ledger_accounts
		WHERE id > ? AND name >= 'customers:' AND name < 'customers;'
	) t JOIN accounts s ON s.customer_id = t.customer_id AND s.revision = ?
	JOIN accounts v ON v.customer_id = t.customer_id AND v.revision = (
		SELECT max(x.revision) FROM accounts x WHERE x.customer_id = t.customer_id AND x.revision <> ?)
	WHERE v.revision < ? AND v.currency <> s.currency),
	coalesce((SELECT max(id) FROM payments), 0), coalesce((SELECT max(id) FROM ledger_accounts), 0)`

// publish makes all that is staged visible at once. Payments issued since the
// import began are looked at before, so that in the write itself there are
// next to none left to look at.
func (im *importer) publish(ctx context.Context) error {
	if err := im.checkTaken(im.c.reader.Query(ctx)); err != nil {
		return err
	}
	tried := false
	return im.write(ctx, func(tx *engine.Tx) error {
		c, err := readCatalogue(tx)
		if err != nil {
			return err
		}
		if tried && c.claim == im.claim && !c.staging.Valid {
			return nil // the first try was committed, and its answer lost
		}
		tried = true
		if c.claim != im.claim || c.staging.Int64 != im.revision {
			return errTakenOver
		}
		if err := im.checkTaken(tx.Raw); err != nil {
			return err
		}
		// Before the catalogue: a trigger adds the row of a program that does not
		// know of it.
		if err := insertChange(tx, im.revision, im.by, "", im.o.Replace, im.report); err != nil {
			return err
		}
		err = tx.Gorm().Exec(`UPDATE catalogue SET staging = NULL, heartbeat_at = NULL,
			closed_below = CASE WHEN ? THEN staging ELSE closed_below END WHERE id = 1`, im.o.Replace).Error
		if err != nil {
			return fmt.Errorf("make the import visible: %w", err)
		}
		return im.c.imported(tx, im.about())
	})
}

// checkTaken refuses to change the currency of an account that has got a
// payment since the import began, and moves that mark on.
func (im *importer) checkTaken(ask engine.Query) error {
	var taken bool
	var payments, ledgerAccounts int64
	err := ask(fmt.Sprintf(currencyTakenSQL, im.c.reader.Dialect.Position),
		im.payments, im.ledgerAccounts, im.revision, im.revision, im.revision).Row().Scan(&taken, &payments, &ledgerAccounts)
	if err != nil {
		return fmt.Errorf("look for payments issued meanwhile: %w", err)
	}
	if taken {
		return topup.Conflict("an account whose currency the file changes was used for a payment meanwhile; nothing was imported: import again")
	}
	im.payments, im.ledgerAccounts = payments, ledgerAccounts
	return nil
}
