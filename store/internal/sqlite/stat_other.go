//go:build !linux && !darwin

package sqlite

import (
	"os"
	"time"
)

// fileState is what tells files apart, and a file from what it was before.
type fileState struct {
	info     os.FileInfo
	size     int64
	modified time.Time
}

func statFile(name string) (fileState, error) { return stateOf(os.Stat(name)) }

func statOpen(file *os.File) (fileState, error) { return stateOf(file.Stat()) }

func stateOf(info os.FileInfo, err error) (fileState, error) {
	if err != nil {
		return fileState{}, err
	}
	os.SameFile(info, info) // Windows asks which file it is when this is asked for the first time
	return fileState{info, info.Size(), info.ModTime()}, nil
}

func (s fileState) same(t fileState) bool { return os.SameFile(s.info, t.info) }

// unnamed reports whether no name leads to the file any more. Here a file that is
// open keeps its name, or nobody can tell.
func (s fileState) unnamed() bool { return false }
