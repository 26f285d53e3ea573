//go:build linux || darwin

package sqlite

import "golang.org/x/sys/unix"

// FreeBytes is what an ordinary user may still write to the folder's file
// system. known is false where the system cannot be asked.
func FreeBytes(folder string) (free uint64, known bool, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return 0, true, err
	}
	return stat.Bavail * uint64(stat.Bsize), true, nil
}
