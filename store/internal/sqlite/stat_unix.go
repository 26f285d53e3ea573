//go:build linux || darwin

package sqlite

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// fileState is what tells files apart, and a file from what it was before. It is
// asked for after every commit, so it is not an os.FileInfo, which costs twice as much.
type fileState struct {
	device, inode, links uint64
	size                 int64
	modified             time.Time
}

func statFile(name string) (fileState, error) {
	var s unix.Stat_t
	err := unix.Stat(name, &s)
	for errors.Is(err, unix.EINTR) {
		err = unix.Stat(name, &s)
	}
	if err != nil {
		return fileState{}, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return stateOf(&s), nil
}

func statOpen(file *os.File) (fileState, error) {
	var s unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &s); err != nil {
		return fileState{}, &os.PathError{Op: "stat", Path: file.Name(), Err: err}
	}
	return stateOf(&s), nil
}

func stateOf(s *unix.Stat_t) fileState {
	return fileState{uint64(s.Dev), uint64(s.Ino), uint64(s.Nlink), s.Size, time.Unix(s.Mtim.Unix())} //nolint:unconvert // their types differ between systems
}

func (s fileState) same(t fileState) bool { return s.device == t.device && s.inode == t.inode }

// unnamed reports whether no name leads to the file any more.
func (s fileState) unnamed() bool { return s.links == 0 }
