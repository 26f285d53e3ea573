package commands

import (
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// writeBackEvery is the size of an extent: the number of bytes after which
// write-back is requested.
const writeBackEvery = 256 << 10

// inExtents returns w, or, when w is a file, a writer to it that requests
// write-back in small extents. By default Linux keeps dirty pages for half a
// minute and then writes all of them, and a commit at that time waits: 50 ms at
// 5,000 log lines a second. Like a file, the writer is for one caller at a
// time.
func inExtents(w io.Writer) io.Writer {
	file, ok := w.(*os.File)
	if !ok {
		return w
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return w
	}
	return &logFile{File: file, writeBack: func() error { return beginWriteBack(file) }}
}

type logFile struct {
	*os.File
	writeBack func() error
	left      int // bytes that were left to the system
	busy      atomic.Bool
}

// Write writes to the file. It does not wait for the disk.
func (f *logFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	if f.left += n; f.left >= writeBackEvery && f.busy.CompareAndSwap(false, true) {
		f.left = 0
		go func() {
			defer f.busy.Store(false)
			_ = f.writeBack() // where that fails, all is as it would be without
		}()
	}
	return n, err
}

// beginWriteBack has the system begin to write what it holds of a file. It waits
// when the disk has much to do already.
func beginWriteBack(file *os.File) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var began error
	err = conn.Control(func(fd uintptr) { began = unix.SyncFileRange(int(fd), 0, 0, unix.SYNC_FILE_RANGE_WRITE) })
	if err != nil {
		return err
	}
	return began
}
