package engine

const (
	lastEventSQL   = `SELECT coalesce(max(id), 0) FROM events`
	insertEventSQL = `INSERT INTO events (id, event_id, type, at, payment_id, payout_id, seq, contract, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertDeliverySQL = `INSERT INTO event_deliveries (endpoint, id, contract, state, open, next_at) VALUES (?, ?, ?, 'pending', 1, ?)`
	// saveDeliverySQL leaves a delivery alone that was skipped meanwhile.
	saveDeliverySQL = `UPDATE event_deliveries SET state = ?, open = ?, attempts = attempts + 1, next_at = ?, first_at = ?, last_at = ?, status = ?, error = ?
		WHERE endpoint = ? AND id = ? AND state = 'pending'`
)
