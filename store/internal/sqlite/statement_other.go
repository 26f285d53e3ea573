//go:build !cgo

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
)

// direct is for the C driver alone: without it, every statement goes through
// the driver.
type direct struct{}

func newDirect(driver.Stmt) *direct { return nil }

func (*direct) one(places, args []any) (bool, error) { return false, errors.ErrUnsupported }
func (*direct) run(args []any) (int64, error)        { return 0, errors.ErrUnsupported }
func (*direct) integers(context.Context, int, func([]int64) error, []any) error {
	return errors.ErrUnsupported
}
