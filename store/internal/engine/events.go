package engine

const (
	// lastEventSQL gives no place that was spread, though its notification may be deleted.
	lastEventSQL   = `SELECT max(coalesce((SELECT max(id) FROM events), 0), (SELECT spread FROM event_progress))`
	insertEventSQL = `INSERT INTO events (id, event_id, type, at, payment_id, payout_id, seq, contract, receivers, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	// insertDeliverySQL leaves alone what an operator has sent again or skipped.
	insertDeliverySQL = `INSERT INTO event_deliveries (endpoint, id, contract, state, open, next_at) VALUES (?, ?, ?, 'pending', 1, ?) ON CONFLICT DO NOTHING`
	// saveDeliverySQL leaves a delivery alone that was skipped meanwhile.
	saveDeliverySQL = `UPDATE event_deliveries SET state = ?, open = ?, attempts = attempts + 1, next_at = ?, first_at = ?, last_at = ?, status = ?, error = ?
		WHERE endpoint = ? AND id = ? AND state = 'pending'`
)
