//go:build !cgo

package store

import "net/url"

// vfs is for the C driver alone: see wal_cgo.go.
func vfs() url.Values { return nil }
