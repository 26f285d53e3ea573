package server

import (
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// writeBackEvery is how many bytes of a log are left to the system before it is
// asked to write them.
const writeBackEvery = 256 << 10

// evenly returns w, or, when w is a file, a writer to it that has the system bring
// the log to the disk bit by bit. Left alone, Linux keeps what is written to a file
// for half a minute and then writes all of it, and a commit that comes then waits:
// 50 ms at 5,000 log lines a second. Like a file, it is for one caller at a time.
func evenly(w io.Writer) io.Writer {
	file, ok := w.(*os.File)
	if !ok {
		return w
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return w
	}
	return &logFile{File: file, writeBack: func() error { return beginWriteBack(file) }}
}

// WritesBack reports whether evenly does anything for w.
func WritesBack(w io.Writer) bool {
	_, does := evenly(w).(*logFile)
	return does
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
