package store

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"time"

	"tolem/topup"
)

const (
	// approversKey is where meta keeps whose tokens can approve.
	approversKey = "approvers"
	// A token is long and random, so that few iterations are enough to keep it from
	// being found in a backup.
	tokenIterations = 20_000
	maxTokenBytes   = 4 << 10
)

// Approver is a token whose bearer can be a second person.
type Approver struct {
	Name, Role string
	Token      string
	Until      time.Time // when it can no longer be used; the zero time: never
}

// approverRow is an approver in meta: the token's hash instead of the token.
type approverRow struct {
	Name  string `json:"name"`
	Role  string `json:"role"`
	Salt  []byte `json:"salt"`
	Hash  []byte `json:"hash"`
	Until int64  `json:"until,omitempty"` // Unix microseconds
}

func tokenHash(token string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, token, salt, tokenIterations, sha256.Size)
}

// SetApprovers says whose tokens can approve, for every process that works on the
// database. Their hashes are kept.
func (s *Store) SetApprovers(ctx context.Context, list []Approver) error {
	rows := make([]approverRow, 0, len(list))
	for _, a := range list {
		row := approverRow{Name: a.Name, Role: a.Role, Salt: make([]byte, 16), Until: micros(a.Until)}
		_, _ = rand.Read(row.Salt) // it never fails
		var err error
		if row.Hash, err = tokenHash(a.Token, row.Salt); err != nil {
			return fmt.Errorf("write who can approve: %w", err)
		}
		rows = append(rows, row)
	}
	value, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("write who can approve: %w", err)
	}
	err = s.writer.do(ctx, func(tx *wtx) error {
		return tx.gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, approversKey, string(value)).Error
	})
	if err != nil {
		return fmt.Errorf("write who can approve: %w", err)
	}
	return nil
}

// ApproveWithToken is [Store.Approve] by the bearer of a token; by is who presents
// it, for the audit of a refusal.
func (s *Store) ApproveWithToken(ctx context.Context, id, token string, by By) ([]topup.Transaction, error) {
	bearer, err := s.Bearer(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("approve %s: %w", id, s.auditRefusal(ctx, by, ActionApprove, id, err))
	}
	bearer.OSUser, bearer.RequestID, bearer.Once = by.OSUser, by.RequestID, by.Once
	return s.Approve(ctx, id, bearer)
}

// Bearer is who presents a token, for [Store.Approve]. It is compared with those
// that serve has written into the database, whatever the caller's own
// configuration says. The error is of KindForbidden when it is none of them.
func (s *Store) Bearer(ctx context.Context, token string) (By, error) {
	value, err := s.metaValue(ctx, approversKey)
	if err != nil {
		return By{}, err
	}
	if value == "" {
		return By{}, topup.Forbidden("no token is known to this database yet: serve writes them")
	}
	var rows []approverRow
	if err := json.Unmarshal([]byte(value), &rows); err != nil {
		return By{}, fmt.Errorf("read who can approve: %w", err)
	}
	var found *approverRow
	for i := range rows {
		hash, err := tokenHash(token[:min(len(token), maxTokenBytes)], rows[i].Salt)
		if err != nil {
			return By{}, fmt.Errorf("compare the token: %w", err)
		}
		if subtle.ConstantTimeCompare(hash, rows[i].Hash) == 1 {
			found = &rows[i]
		}
	}
	switch {
	case found == nil || token == "":
		return By{}, topup.Forbidden("the token is none of admin.tokens of the server")
	case found.Until != 0 && micros(s.now()) >= found.Until:
		return By{}, topup.Forbidden("the token of %s has expired", found.Name)
	}
	return By{Actor: found.Name, Role: found.Role, Token: true}, nil
}
