package backup

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// A draft is a file that becomes a backup once it is whole, under a hidden name
// in the folder of the backup. Beside it is a file that is locked for as long as
// the process lives: when that is killed, the next backup to the folder removes
// both. A process id would not do: another machine or container may share the
// folder.
type draft struct {
	path string
	lock *flock.Flock // nil where the folder's file system has no locks
}

const (
	lockEnding  = ".lock"
	trialEnding = ".trial"
	// staleDraft is after how long a draft that has no lock counts as left behind:
	// programs before this had none. A copy is written to all the time.
	staleDraft = 24 * time.Hour
)

// draftName is how drafts are called, see newDraft.
var draftName = regexp.MustCompile(`^\..+\.[A-Z2-7]{8}\.part$`)

// newDraft removes what killed backups have left in the target's folder, and gives
// out a name there.
func newDraft(target string) (*draft, error) {
	if err := removeDead(filepath.Dir(target)); err != nil {
		return nil, err
	}
	d := &draft{path: filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+"."+rand.Text()[:8]+".part")}
	lock := flock.New(d.path + lockEnding)
	if held, err := lock.TryLock(); err != nil || !held {
		return d, removeAll(d.path + lockEnding)
	}
	d.lock = lock
	return d, nil
}

// discard removes what is left of the draft.
func (d *draft) discard() error {
	err := removeAll(partsOf(d.path)...)
	if d.lock == nil {
		return err
	}
	return errors.Join(err, d.lock.Unlock(), removeAll(d.path+lockEnding))
}

// partsOf are the files that a draft may consist of.
func partsOf(path string) (parts []string) {
	for _, file := range []string{path, path + trialEnding} {
		parts = append(parts, file, file+"-journal", file+"-wal", file+"-shm")
	}
	return parts
}

// removeAll removes the files that are there.
func removeAll(names ...string) error {
	var errs []error
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// removeDead removes the drafts in a folder whose processes do not live any more.
func removeDead(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("backup folder: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		name, locked := strings.CutSuffix(entry.Name(), lockEnding)
		path := filepath.Join(folder, name)
		switch {
		case !draftName.MatchString(name):
		case locked:
			errs = append(errs, removeUnlocked(path))
		default:
			if _, err := os.Lstat(path + lockEnding); errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, removeStale(entry, path))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove what a killed backup has left behind: %w", err)
	}
	return nil
}

// removeUnlocked removes a draft if nobody holds its lock.
func removeUnlocked(path string) error {
	lock := flock.New(path + lockEnding)
	if held, err := lock.TryLock(); err != nil || !held {
		return nil // in use, or nobody can tell
	}
	err := removeAll(partsOf(path)...)
	return errors.Join(err, lock.Unlock(), removeAll(path+lockEnding))
}

func removeStale(entry fs.DirEntry, path string) error {
	info, err := entry.Info()
	if err != nil || time.Since(info.ModTime()) < staleDraft {
		return nil // it is gone meanwhile, or may be in use
	}
	return removeAll(partsOf(path)...)
}
