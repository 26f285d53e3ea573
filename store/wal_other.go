//go:build !cgo

package store

import "errors"

// logVFS is for the C driver alone.
const logVFS = ""

func registerLogVFS() bool { return false }

func (*hot) syncDatabase() error { return errors.ErrUnsupported }
