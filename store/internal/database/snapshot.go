package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// Snapshot runs fn on one connection inside one read transaction, so that
// everything it reads is of one moment.
func Snapshot(ctx context.Context, d *Dialect, on *gorm.DB, fn func(*gorm.DB) error) error {
	pool, err := on.DB()
	if err != nil {
		return err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("read connection: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, d.BeginRead); err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	db := on.Session(&gorm.Session{NewDB: true, Context: ctx})
	db.Statement.ConnPool = conn
	if err = d.AssertPrimary(ctx, conn); err == nil {
		err = fn(db)
	}
	if _, end := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); end != nil {
		// A connection that still holds its snapshot must not go back to the pool.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		err = errors.Join(err, fmt.Errorf("end reading: %w", end))
	}
	return err
}

// Bound is GORM on one connection.
func Bound(orm *gorm.DB, conn gorm.ConnPool) *gorm.DB {
	bound := orm.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true})
	bound.Statement.ConnPool = conn
	return bound
}
