//go:build cgo || !linux || !(amd64 || arm64)

package powercut

import "errors"

// NeedsLibrary says that a process is recorded by [Library], and not by [Record].
const NeedsLibrary = true

// Record is for builds without C; those with C are recorded by [Library].
func Record() error { return errors.ErrUnsupported }
