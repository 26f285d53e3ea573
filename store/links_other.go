//go:build !linux && !darwin

package store

import "os"

// links is how many names a file has: here an open file cannot lose its last one,
// or nobody can tell.
func links(os.FileInfo) uint64 { return 1 }
