package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"tolem/topup"
)

const (
	// keyLifetime is how long an idempotency key is kept.
	keyLifetime = 7 * 24 * time.Hour
	sweepBatch  = 300

	// requestPrefix begins what stands for the payment's id with the key of a
	// request that opens no payment.
	requestPrefix = "r_"
)

// IdempotencyKey names a request, so that it has its effect once. The zero
// value names none.
type IdempotencyKey struct {
	Token string // the name of the token that the key belongs to
	Key   string
	// Hash is equal for two requests exactly when they ask for the same.
	Hash []byte
}

// IsZero reports whether the request has no key.
func (k IdempotencyKey) IsZero() bool { return k.Key == "" }

// Answer is what the caller of a request received. It is stored with the
// idempotency key; one without a body is not repeated.
type Answer struct {
	Status int // of HTTP
	Body   []byte
}

// Prior is what came of an earlier request with the same key and content.
type Prior struct {
	PaymentID string // of the pay-in that it opened, empty for none
	// Running: it has not been answered yet, as far as can be known.
	Running bool
	// Answer has no body when there is none to repeat: the outcome at the
	// provider was unknown, or the server died before it could answer.
	Answer Answer
}

// Once makes an operator's step happen once: the step, its key and its answer are
// one write.
type Once struct {
	// Key names the request. The zero key is not stored.
	Key IdempotencyKey
	// Answer makes the answer from what the step has done: its ledger transactions
	// ([]topup.Transaction), or the payment (*topup.Payment) or message
	// (*StoredMessage) of a step that has none; a *ProposedError, when it was
	// proposed; of a rejection the proposal (*Approval). It is called inside the
	// write, perhaps several times, and the last call counts.
	Answer func(done any) (Answer, error)
}

// AnsweredError says that the request was made before under its key. Nothing was
// done now.
type AnsweredError struct{ Prior Prior }

func (e *AnsweredError) Error() string {
	return "the request was made before under its Idempotency-Key; nothing was done now"
}

const priorSQL = `SELECT payment_id, request_hash, running_until, created_at, http_status, answer FROM idempotency WHERE token = ? AND key = ? AND created_at > ?`

// scanPrior judges an earlier request under the same key. One that was made
// before the only server of this database started is not running any more,
// whatever it had hoped for. Where there may be several servers, started is
// zero: then it counts as running for as long as it had hoped for.
func scanPrior(row *sql.Row, k IdempotencyKey, now, started time.Time) (*Prior, error) {
	var (
		prior            Prior
		hash             []byte
		running, created int64
	)
	err := row.Scan(&prior.PaymentID, &hash, &running, &created, &prior.Answer.Status, &prior.Answer.Body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the idempotency key: %w", err)
	case !bytes.Equal(hash, k.Hash):
		return nil, topup.Invalid("Idempotency-Key", "was used for another request; use a fresh key for a fresh request")
	}
	if strings.HasPrefix(prior.PaymentID, requestPrefix) {
		prior.PaymentID = ""
	}
	prior.Running = prior.Answer.Status == 0 && micros(now) < running && created >= micros(started)
	return &prior, nil
}

// PriorRequest returns what came of an earlier request under the key, nil when
// there was none. The error is of KindInvalid when it asked for something else.
func (s *Store) PriorRequest(ctx context.Context, k IdempotencyKey) (*Prior, error) {
	if k.IsZero() {
		return nil, nil
	}
	now := s.now()
	row := s.raw(ctx, priorSQL, k.Token, k.Key, micros(now.Add(-keyLifetime))).Row()
	return scanPrior(row, k, now, s.servedSince)
}

// prior is PriorRequest inside a write, from when on nobody else works under the
// key. It is the first lock that a write takes.
func (tx *wtx) prior(k IdempotencyKey, started time.Time) (*Prior, error) {
	if k.IsZero() {
		return nil, nil
	}
	if err := tx.lockKey(k.Token, k.Key); err != nil {
		return nil, err
	}
	now := tx.now()
	return scanPrior(tx.raw(priorSQL, k.Token, k.Key, micros(now.Add(-keyLifetime))).Row(), k, now, started)
}

// keep stores a key, for the payment that its request opens or for an id that
// stands for the request. Without an answer the request is running until then.
func (tx *wtx) keep(k IdempotencyKey, id string, runningUntil time.Time, a Answer) error {
	if k.IsZero() {
		return nil
	}
	// A key that is older than its lifetime, and not swept yet, is free again.
	err := tx.gorm().Exec(`INSERT INTO idempotency (token, key, request_hash, payment_id, running_until, http_status, answer, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (token, key) DO UPDATE SET request_hash = excluded.request_hash, payment_id = excluded.payment_id,
		running_until = excluded.running_until, http_status = excluded.http_status, answer = excluded.answer, created_at = excluded.created_at`,
		k.Token, k.Key, k.Hash, id, micros(runningUntil), a.Status, a.Body, micros(tx.now())).Error
	if err != nil {
		return fmt.Errorf("insert idempotency key: %w", err)
	}
	return nil
}

// once runs a step inside a write, unless its request was made before: then it
// returns what came of that. step returns what it has done, for [Once.Answer].
func (tx *wtx) once(o *Once, started time.Time, step func() (done any, err error)) (*Prior, error) {
	if o == nil {
		_, err := step()
		return nil, err
	}
	prior, err := tx.prior(o.Key, started)
	if err != nil || prior != nil {
		return prior, err
	}
	done, err := step()
	if err != nil {
		return nil, err
	}
	answer, err := o.Answer(done)
	if err != nil {
		return nil, fmt.Errorf("make the answer: %w", err)
	}
	if o.Key.IsZero() {
		return nil, nil
	}
	id, err := newID(requestPrefix, tx.now(), tx.entropy)
	if err != nil {
		return nil, err
	}
	return nil, tx.keep(o.Key, id, tx.now(), answer)
}

// stepOnce runs an operator's step as one write, and once if by says so. about is
// a message whose state the step depends on, nil for none.
func (s *Store) stepOnce(ctx context.Context, by By, about *topup.Event, step func(*wtx) (done any, err error)) error {
	var earlier *Prior
	err := s.writer.wait(ctx, &write{event: about, fn: func(tx *wtx) (err error) {
		earlier, err = tx.once(by.Once, s.servedSince, func() (any, error) { return step(tx) })
		return err
	}})
	if err != nil {
		return err
	}
	if earlier != nil {
		return &AnsweredError{*earlier}
	}
	return nil
}

// OpenRequest stores the key of a request whose effect is elsewhere, before it has
// it: within that time it is running, and an equal one is told so. It returns an id
// for [Store.AnswerRequest], empty without a key, or what came of an earlier
// request. The error is of KindInvalid when that asked for something else.
func (s *Store) OpenRequest(ctx context.Context, key IdempotencyKey, within time.Duration) (id string, prior *Prior, err error) {
	if key.IsZero() {
		return "", nil, nil
	}
	key.Hash = bytes.Clone(key.Hash) // the write may outlive ctx, and with it this call
	var opened string
	var earlier *Prior
	err = s.writer.do(ctx, func(tx *wtx) (err error) {
		opened = ""
		if earlier, err = tx.prior(key, s.servedSince); err != nil || earlier != nil {
			return err
		}
		if opened, err = newID(requestPrefix, tx.now(), tx.entropy); err != nil {
			return err
		}
		return tx.keep(key, opened, tx.now().Add(within), Answer{})
	})
	if err != nil {
		return "", nil, fmt.Errorf("store an idempotency key: %w", err)
	}
	return opened, earlier, nil
}

// AnswerRequest stores the answer to a request that [Store.OpenRequest] has
// opened. An answer without a status frees the key: the same request can be sent
// again under it.
func (s *Store) AnswerRequest(ctx context.Context, id string, a Answer) error {
	if id == "" {
		return nil
	}
	a.Body = bytes.Clone(a.Body) // the write may outlive ctx, and with it this call
	err := s.writer.do(ctx, func(tx *wtx) error {
		if a.Status == 0 {
			return tx.gorm().Exec(`DELETE FROM idempotency WHERE payment_id = ?`, id).Error
		}
		return tx.gorm().Exec(`UPDATE idempotency SET http_status = ?, answer = ? WHERE payment_id = ?`, a.Status, a.Body, id).Error
	})
	if err != nil {
		return fmt.Errorf("store the answer under an idempotency key: %w", err)
	}
	return nil
}

// SweepIdempotency deletes the idempotency keys that are older than seven days,
// and returns how many.
func (s *Store) SweepIdempotency(ctx context.Context) (int, error) {
	before := micros(s.now().Add(-keyLifetime))
	swept := 0
	for {
		var n int64
		err := s.writer.do(ctx, func(tx *wtx) error {
			// The age is asked twice: meanwhile the key may have been taken anew.
			done := tx.gorm().Exec(`DELETE FROM idempotency WHERE created_at <= ? AND (token, key) IN (
				SELECT token, key FROM idempotency WHERE created_at <= ? ORDER BY created_at LIMIT ?)`, before, before, sweepBatch)
			n = done.RowsAffected
			return done.Error
		})
		if err != nil {
			return swept, fmt.Errorf("sweep idempotency keys: %w", err)
		}
		swept += int(n)
		if n < sweepBatch {
			return swept, nil
		}
	}
}
