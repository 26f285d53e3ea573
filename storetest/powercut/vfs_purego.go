//go:build !cgo && linux && (amd64 || arm64)

package powercut

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// NeedsLibrary says that a process is recorded by [Library], and not by [Record].
const NeedsLibrary = false

// Record puts a recorder between SQLite and its files, in this process, for the
// folder and the record that the variables name. It is called before the first
// connection is opened.
func Record() error {
	log, err := Append()
	if err != nil {
		return err
	}
	name, err := libc.CString("powercut")
	if err != nil {
		return err
	}
	tls := libc.NewTLS()
	defer tls.Close()
	real := sqlite3.Xsqlite3_vfs_find(tls, 0)
	if real == 0 {
		return errors.New("SQLite has no VFS")
	}
	layer.log, layer.folder, layer.real = log, os.Getenv(FolderVariable), at[sqlite3.Tsqlite3_vfs](real)
	layer.vfs = *layer.real
	layer.vfs.FpNext, layer.vfs.FzName = 0, name
	layer.vfs.FxOpen = pointer(recordOpen)
	layer.vfs.FxDelete = pointer(recordDelete)
	directory, err := libc.CString("openDirectory")
	if err != nil {
		return err
	}
	layer.openDirectory = call[func(*libc.TLS, uintptr, uintptr) uintptr](layer.real.FxGetSystemCall)(tls, real, directory)
	set := call[func(*libc.TLS, uintptr, uintptr, uintptr) int32](layer.real.FxSetSystemCall)
	if rc := set(tls, real, directory, pointer(recordOpenDirectory)); rc != sqlite3.SQLITE_OK {
		return errors.New("SQLite's system call openDirectory cannot be set")
	}
	if rc := sqlite3.Xsqlite3_vfs_register(tls, uintptr(unsafe.Pointer(&layer.vfs)), 1); rc != sqlite3.SQLITE_OK {
		return errors.New("SQLite refuses the VFS")
	}
	return nil
}

// layer is of the process, as SQLite's list of VFSs is.
var layer struct {
	mu            sync.Mutex
	log           *Log
	folder        string
	real          *sqlite3.Tsqlite3_vfs
	vfs           sqlite3.Tsqlite3_vfs
	openDirectory uintptr
	files         map[uintptr]*recorded // by SQLite's object
	syncs         int64                 // the number of the last one
	syncing       map[*libc.TLS]int64   // of threads that have opened the folder to sync it
}

// recorded is an open file.
type recorded struct {
	inode   uint64
	real    *sqlite3.Tsqlite3_io_methods
	methods sqlite3.Tsqlite3_io_methods
}

// at is the object at an address of SQLite's, which the garbage collector does not
// move.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// call makes a function of a pointer of SQLite's to one, and pointer the reverse.
func call[F any](address uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{address})) }

func pointer(function any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&function))[1] }

func note(r record) {
	if err := layer.log.add(r); err != nil {
		panic(err)
	}
}

// nameOf is the name of a file in the folder, or "".
func nameOf(path uintptr) string {
	if path == 0 {
		return "" // a temporary file
	}
	full := libc.GoString(path)
	if filepath.Dir(full) != layer.folder || strings.HasSuffix(full, "-shm") {
		return ""
	}
	return filepath.Base(full)
}

func recordOpen(tls *libc.TLS, vfs, path, object uintptr, flags int32, out uintptr) int32 {
	rc := call[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](layer.real.FxOpen)(tls, vfs, path, object, flags, out)
	name := nameOf(path)
	if rc != sqlite3.SQLITE_OK || name == "" {
		return rc
	}
	layer.mu.Lock()
	defer layer.mu.Unlock()
	info, err := os.Stat(libc.GoString(path))
	if err != nil {
		panic(err)
	}
	methods := at[uintptr](object) // the first member of a file
	f := &recorded{inode: info.Sys().(*syscall.Stat_t).Ino, real: at[sqlite3.Tsqlite3_io_methods](*methods)}
	f.methods = *f.real
	f.methods.FxClose, f.methods.FxWrite = pointer(recordClose), pointer(recordWrite)
	f.methods.FxTruncate, f.methods.FxSync = pointer(recordTruncate), pointer(recordSync)
	if layer.files == nil {
		layer.files, layer.syncing = map[uintptr]*recorded{}, map[*libc.TLS]int64{}
	}
	layer.files[object] = f // which keeps it, and its methods, in place
	*methods = uintptr(unsafe.Pointer(&f.methods))
	note(record{op: opOpen, file: f.inode, data: []byte(name)})
	return rc
}

func opened(object uintptr) *recorded {
	layer.mu.Lock()
	defer layer.mu.Unlock()
	return layer.files[object]
}

func recordClose(tls *libc.TLS, object uintptr) int32 {
	f := opened(object)
	layer.mu.Lock()
	delete(layer.files, object)
	layer.mu.Unlock()
	return call[func(*libc.TLS, uintptr) int32](f.real.FxClose)(tls, object)
}

func recordWrite(tls *libc.TLS, object, data uintptr, length int32, place int64) int32 {
	f := opened(object)
	layer.mu.Lock()
	defer layer.mu.Unlock()
	rc := call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.real.FxWrite)(tls, object, data, length, place)
	if rc == sqlite3.SQLITE_OK {
		note(record{opWrite, f.inode, place, unsafe.Slice(at[byte](data), length)})
	}
	return rc
}

func recordTruncate(tls *libc.TLS, object uintptr, size int64) int32 {
	f := opened(object)
	layer.mu.Lock()
	defer layer.mu.Unlock()
	rc := call[func(*libc.TLS, uintptr, int64) int32](f.real.FxTruncate)(tls, object, size)
	if rc == sqlite3.SQLITE_OK {
		note(record{op: opTruncate, file: f.inode, at: size})
	}
	return rc
}

func recordSync(tls *libc.TLS, object uintptr, flags int32) int32 {
	f := opened(object)
	number := nextSync()
	note(record{op: opSync, file: f.inode, at: number})
	rc := call[func(*libc.TLS, uintptr, int32) int32](f.real.FxSync)(tls, object, flags)
	if rc == sqlite3.SQLITE_OK {
		note(record{op: opSynced, file: f.inode, at: number})
		folderSynced(tls)
	}
	return rc
}

func nextSync() int64 {
	layer.mu.Lock()
	defer layer.mu.Unlock()
	layer.syncs++
	return layer.syncs
}

// recordDelete notes the removal before it is made: SQLite may sync the folder in it.
func recordDelete(tls *libc.TLS, vfs, path uintptr, sync int32) int32 {
	if name := nameOf(path); name != "" {
		if _, err := os.Stat(libc.GoString(path)); err == nil {
			note(record{op: opRemove, data: []byte(name)})
		}
	}
	rc := call[func(*libc.TLS, uintptr, uintptr, int32) int32](layer.real.FxDelete)(tls, vfs, path, sync)
	if rc == sqlite3.SQLITE_OK {
		folderSynced(tls)
	}
	return rc
}

// recordOpenDirectory is called before SQLite syncs the folder, in a sync of a file
// that it has created, or when it has removed one.
func recordOpenDirectory(tls *libc.TLS, path, fd uintptr) int32 {
	number := nextSync()
	layer.mu.Lock()
	layer.syncing[tls] = number
	layer.mu.Unlock()
	note(record{op: opSyncNames, at: number})
	return call[func(*libc.TLS, uintptr, uintptr) int32](layer.openDirectory)(tls, path, fd)
}

func folderSynced(tls *libc.TLS) {
	layer.mu.Lock()
	number, is := layer.syncing[tls]
	delete(layer.syncing, tls)
	layer.mu.Unlock()
	if is {
		note(record{op: opSyncedName, at: number})
	}
}
