package store

import (
	"database/sql"
	"errors"
	"fmt"

	"tolem/store/internal/accounts"
	"tolem/topup"
)

// waitingSQL finds a payment of a contract and a sum that is not credited.
const waitingSQL = `SELECT p.payment_id FROM payments p
	WHERE p.customer_id <> '' AND p.customer_id = ? AND p.entity_id = ? AND p.amount = ? AND p.currency = ? AND p.provider = ? AND p.project = ?
		AND p.credit_seq IS NULL AND p.status <> 'succeeded'
	ORDER BY p.created_at DESC LIMIT 1`

func (tx *wtx) recordPayment(r topup.RecordRequest, about *topup.Event, by By) (posted, error) {
	state, err := tx.recordState(r, about)
	if err != nil {
		return posted{}, err
	}
	step, err := topup.DecideRecord(r, state)
	if err != nil {
		return posted{}, err
	}
	if _, err := tx.effectiveAt(by, step.Earliest); err != nil {
		return posted{}, err
	}
	p := r.Opened(state.Account, tx.now())
	if _, err := tx.openPayment(p); err != nil {
		return posted{}, err
	}
	made, err := tx.carryOut(topup.Book{Payment: p}, step, by)
	if err != nil {
		return posted{}, err
	}
	if r.Operation != "" {
		err = tx.claim(claim{
			operation: r.Operation, provider: r.Provider, project: r.Project, seq: made.seq, reference: p.ID,
			sum: r.Money, initial: r.Money, entered: true,
		})
		if err != nil {
			return posted{}, err
		}
	}
	return made, tx.noteStep(stepNote{action: stepRecord, payment: p.ID, seq: made.seq, operation: r.Operation}, by)
}

func (tx *wtx) recordState(r topup.RecordRequest, about *topup.Event) (topup.RecordState, error) {
	var state topup.RecordState
	if err := tx.lockCatalogue(); err != nil {
		return state, err
	}
	account, err := accounts.Customer(tx.Tx, r.CustomerID)
	switch {
	case err == nil:
		state.Account = account
	case kindOfRefusal(err) != topup.KindNotFound:
		return state, err
	}
	meets, err := tx.State(about)
	if err != nil {
		return state, fmt.Errorf("read what the platform's id concerns: %w", err)
	}
	state.Posted, state.Known = meets.Posted, meets.Payment
	err = tx.raw(waitingSQL, r.CustomerID, r.ContractID, r.Money.Amount, r.Money.Currency, r.Provider, r.Project).Row().Scan(&state.Waiting)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return state, fmt.Errorf("look for a waiting payment: %w", err)
	}
	return state, nil
}
