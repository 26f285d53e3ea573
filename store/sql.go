package store

import (
	"context"

	"gorm.io/gorm"

	"tolem/store/internal/engine"
)

// raw is a query: SQL through GORM, which turns each ? into what the database calls
// it.
func (s *Store) raw(ctx context.Context, query string, args ...any) *gorm.DB {
	return s.reader.Raw(ctx, query, args...)
}

// query is a query, inside a write or outside.
type query = engine.Query

// outside are queries outside of a write.
func (s *Store) outside(ctx context.Context) query { return s.reader.Query(ctx) }

// metaValue returns a fact about this database, "" when it is not recorded.
func (s *Store) metaValue(ctx context.Context, key string) (string, error) {
	return s.reader.Meta(ctx, key)
}
