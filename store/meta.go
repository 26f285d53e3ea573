package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// metaValue returns a fact about this database, "" when it is not recorded.
func (s *Store) metaValue(ctx context.Context, key string) (string, error) {
	var value string
	err := s.raw(ctx, `SELECT value FROM meta WHERE key = ?`, key).Row().Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read %s of the database: %w", key, err)
	}
	return value, nil
}
