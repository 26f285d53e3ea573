//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine says what the figures were measured on, in one line.
func machine() string {
	model, kernel := "unknown processor", "unknown kernel"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range bytes.Lines(text) {
			if name, value, found := strings.Cut(string(line), ":"); found && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = strings.TrimSpace(string(text))
	}
	return fmt.Sprintf("%s, %d cores of %s, Linux %s, %s", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), model, kernel, runtime.Version())
}

// syncRate is how often a second 4 KiB in place can be brought to the disk
// that holds the folder, one after another.
func syncRate(folder string, duration time.Duration) (rate float64, err error) {
	file, err := os.Create(filepath.Join(folder, "sync"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	block := make([]byte, 4096)
	write := func(fill byte) error {
		block[0] = fill
		if _, err := file.WriteAt(block, 0); err != nil {
			return err
		}
		return unix.Fdatasync(int(file.Fd()))
	}
	if err := write(0); err != nil { // from here on in place
		return 0, err
	}
	n, started := 0, time.Now()
	for ; time.Since(started) < duration; n++ {
		if err := write(byte(n)); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(started).Seconds(), nil
}

// freeBytes is the room that is left on the disk that holds the folder.
func freeBytes(folder string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", folder, err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}
