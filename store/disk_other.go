//go:build !linux && !darwin

package store

// freeBytes is what an ordinary user may still write to the folder's file
// system. known is false where the system cannot be asked.
func freeBytes(string) (free uint64, known bool, err error) { return 0, false, nil }
