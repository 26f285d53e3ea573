//go:build !linux && !darwin

package sqlite

// FreeBytes is what an ordinary user may still write to the folder's file
// system. known is false where the system cannot be asked.
func FreeBytes(string) (free uint64, known bool, err error) { return 0, false, nil }
