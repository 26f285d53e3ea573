package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// SQLite writes on to the files that it has open, wherever their names lead by
// now. What is committed to a file that was moved away, or that has no name any
// more, is not found after a restart. So the files that are open are compared
// with those that have their names: after every commit and before its answers,
// ten times a second while nothing is written, and before a connection is
// opened. Once they differ nothing is acknowledged any more, until a restart.

// LostFilesError says that the files of the database are not those that are
// open. It stays until the store is opened again.
type LostFilesError struct {
	// What happened, and what to do about it.
	What, Advice string

	kind lossKind
}

func (e *LostFilesError) Error() string {
	return e.What + "; nothing is accepted until the server is started again: " + e.Advice
}

// lossKind is what can still be trusted.
type lossKind uint8

const (
	// lostMain: the open files are whole, but the name of the database leads elsewhere.
	lostMain lossKind = iota
	// lostWAL: the database is in its place, its WAL is not.
	lostWAL
	// lostSHM: database and WAL are in their places; who else opens them does not
	// see what this process does with them.
	lostSHM
	// lostContent: somebody has written into the database. The pages in the WAL do
	// not belong to the others any more.
	lostContent
)

const (
	adviceMoved = "stop the server, put the database with its -wal in this place again, or else restore a backup (docs/operations.md, Backup and restore), then start it"
	adviceAgain = "stop the server, find out who removes files there, then start it"
)

// FilesOptions name the files of a database, and say who is told what becomes of
// them.
type FilesOptions struct {
	// Name is the database's name as it was configured, which may lead through
	// symbolic links that change; Path if empty.
	Name string
	// Path is the database's own name.
	Path string
	// MarkContent is set by a server, which alone marks the content as its own.
	MarkContent bool
	// Report, if set, is called once with a *LostFilesError, and once more with
	// what was done to save their content.
	Report func(error)
	// Refuse, if set, makes of a *LostFilesError what a connection is refused with.
	Refuse func(error) error
}

// Files are the files of an open SQLite database. A nil *Files is of no
// database, and never lost.
type Files struct {
	name string // as it was configured: may lead through symbolic links that change
	path string

	main, wal, shm   fileState // as they are open
	walName, shmName string
	watched          bool // between BeginCheck and EndCheck

	mu     sync.Mutex
	lost   atomic.Pointer[LostFilesError]
	report func(error)
	refuse func(error) error

	// Of the server, which alone marks the content.

	file   *os.File  // main, for its header
	own    uint32    // the application id of this start
	given  uint32    // the last user version
	seen   uint32    // the highest of them in the file, 0 before own is there
	state  fileState // of main, when its content was last found to be ours
	passed bool      // that it is not looked at again before it changes
}

// OpenFiles takes note of the database's main file, before SQLite opens it. For
// the server it holds the file open; it is closed after all connections are,
// because that ends the locks which SQLite has on it.
func OpenFiles(o FilesOptions) (f *Files, err error) {
	f = &Files{name: o.Name, path: o.Path, walName: o.Path + "-wal", shmName: o.Path + "-shm", report: o.Report, refuse: o.Refuse}
	if f.name == "" {
		f.name = f.path
	}
	if f.report == nil {
		f.report = func(error) {}
	}
	if f.refuse == nil {
		f.refuse = func(err error) error { return err }
	}
	if !o.MarkContent {
		if f.main, err = statFile(f.path); err != nil {
			return nil, fmt.Errorf("database file: %w", err)
		}
		return f, nil
	}
	if f.file, err = os.Open(f.path); err != nil {
		return nil, fmt.Errorf("database file: %w", err)
	}
	if f.main, err = statOpen(f.file); err != nil {
		return nil, errors.Join(fmt.Errorf("database file: %w", err), f.file.Close())
	}
	return f, nil
}

// Path is the database's own name.
func (f *Files) Path() string { return f.path }

// BeginCheck starts the comparison, once SQLite has its files open.
func (f *Files) BeginCheck() error {
	wal, err := statFile(f.walName)
	if err != nil {
		return fmt.Errorf("write-ahead log: %w", err)
	}
	shm, err := statFile(f.shmName)
	if err != nil {
		return fmt.Errorf("index of the write-ahead log: %w", err)
	}
	f.mu.Lock()
	f.wal, f.shm, f.watched = wal, shm, true
	f.mu.Unlock()
	return f.Check()
}

// EndCheck ends the comparison: SQLite itself removes its files when it closes them.
func (f *Files) EndCheck() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watched = false
}

// Lost returns a *LostFilesError if the files were lost before. It does not
// compare them.
func (f *Files) Lost() error {
	if f == nil {
		return nil
	}
	if lost := f.lost.Load(); lost != nil {
		return lost
	}
	return nil
}

// Check compares the open files with their names. A *LostFilesError is for good,
// any other error for this time.
func (f *Files) Check() error {
	if f == nil {
		return nil
	}
	if err := f.Lost(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.watched {
		return nil // it is still being opened, or being closed
	}
	err := f.compare()
	if lost := (*LostFilesError)(nil); errors.As(err, &lost) && f.lost.CompareAndSwap(nil, lost) {
		f.report(lost)
	}
	return err
}

func (f *Files) compare() error {
	now, err := f.same(f.path, f.main, lostMain, adviceMoved)
	if err != nil {
		return err
	}
	if f.name != f.path {
		if _, err := f.same(f.name, f.main, lostMain, adviceMoved); err != nil {
			return err
		}
	}
	if _, err := f.same(f.walName, f.wal, lostWAL, adviceAgain); err != nil {
		return err
	}
	if _, err := f.same(f.shmName, f.shm, lostSHM, adviceAgain); err != nil {
		return err
	}
	return f.content(now)
}

// same wants the name to lead to the file that is open.
func (f *Files) same(name string, open fileState, kind lossKind, advice string) (fileState, error) {
	now, err := statFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return now, &LostFilesError{fmt.Sprintf("the file %s, which the server has open, was moved or removed", name), advice, kind}
	case err != nil:
		return now, fmt.Errorf("the file that is open is compared with its name: %w", err)
	case !open.same(now):
		return now, &LostFilesError{fmt.Sprintf("the file %s is another one than the server has open: it was replaced", name), advice, kind}
	}
	return now, nil
}

// SQLite keeps two numbers in the header of a file for whoever uses it
// (https://sqlite.org/fileformat2.html#the_database_header). By them the content
// that this server has made is told from any other that is written over it: the
// application id is another one at every start of a server, and absent from
// backups; the user version rises before every checkpoint, and checkpoints alone
// change the file, so that an older copy of the same file has a lower one.
const (
	headerLength  = 100
	versionOffset = 60
	idOffset      = 68
)

var headerMagic = []byte("SQLite format 3\x00")

// FirstMark is what a server executes, once it has the database open.
func (f *Files) FirstMark() []string {
	f.own, f.given = rand.Uint32N(1<<31-1)+1, 1
	return []string{fmt.Sprintf("PRAGMA application_id = %d", f.own), fmt.Sprintf("PRAGMA user_version = %d", f.given)}
}

// nextMark is what it executes before every checkpoint, "" for others.
func (f *Files) nextMark() string {
	if f.own == 0 {
		return ""
	}
	f.given++
	return fmt.Sprintf("PRAGMA user_version = %d", f.given)
}

// RemoveMarks takes the server's mark off a copy, which nobody has open.
func RemoveMarks(copied *os.File) error {
	for _, offset := range []int64{versionOffset, idOffset} {
		if _, err := copied.WriteAt(make([]byte, 4), offset); err != nil {
			return fmt.Errorf("finish the header of the copy: %w", err)
		}
	}
	return nil
}

// coarse is how long the time of a file's last change may stay the same although
// it is changed again: file systems count ticks of the kernel's clock.
const coarse = 100 * time.Millisecond

// content looks for the mark, whenever the file has changed.
func (f *Files) content(now fileState) error {
	if f.own == 0 || f.passed && now.size == f.state.size && now.modified.Equal(f.state.modified) {
		return nil
	}
	f.passed = false
	var err error
	for range 5 { // a checkpoint may be writing these bytes
		if err = f.readMark(); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return err
	}
	f.state, f.passed = now, time.Since(now.modified) > coarse
	return nil
}

func (f *Files) readMark() error {
	overwritten := &LostFilesError{fmt.Sprintf("the file %s, which the server has open, was overwritten", f.path),
		"stop the server, move the database and its -wal aside, restore a backup (docs/operations.md, Backup and restore), start it, and compare with the platform what was acknowledged since", lostContent}
	var header [headerLength]byte
	switch _, err := f.file.ReadAt(header[:], 0); {
	case errors.Is(err, io.EOF):
		return overwritten
	case err != nil:
		return fmt.Errorf("read the header of the database file: %w", err)
	case !bytes.HasPrefix(header[:], headerMagic):
		return overwritten
	}
	id, version := binary.BigEndian.Uint32(header[idOffset:]), binary.BigEndian.Uint32(header[versionOffset:])
	switch {
	case id == f.own && version >= f.seen:
		f.seen = version
	case f.seen > 0: // before, the mark of an earlier server may be there still
		return overwritten
	}
	return nil
}

// isOverwritten reports whether the content of the open file is not ours.
func (f *Files) isOverwritten() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	overwritten := (*LostFilesError)(nil)
	return errors.As(f.readMark(), &overwritten)
}

// unnamed reports whether the open database has no name any more, so that it is
// gone for good when this process ends.
func (f *Files) unnamed() bool {
	now, err := statOpen(f.file)
	return err == nil && now.unnamed()
}

// setAsideWAL gives the open WAL another name, if it has its own still: with it
// the next to open the database would write its pages into the foreign database.
func (f *Files) setAsideWAL(as string) (bool, error) {
	now, err := statFile(f.walName)
	if err != nil || !f.wal.same(now) || now.size == 0 {
		return false, nil // nothing that could be taken for this database's
	}
	return true, os.Rename(f.walName, as)
}

// Close is called when no connection is open any more.
func (f *Files) Close() error {
	if f == nil || f.file == nil {
		return nil
	}
	return f.file.Close()
}
