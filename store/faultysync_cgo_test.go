//go:build cgo && linux

package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"tolem/store"
	"tolem/testkit"
)

// faultySync names the database whose file the child of this test cannot sync.
const faultySync = "TOLEM_TEST_FAULTY_SYNC"

// failOnce stands before the C library: the first fsync of a file that is named
// like the database fails, and all others succeed, as after an error of a disk
// that Linux tells but once.
const failOnce = `
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int fsync(int fd) {
	static int failed;
	char link[64], name[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, name, sizeof name - 1);
	if (n > 11 && !memcmp(name + n - 11, "/failing.db", 11) && !failed) {
		failed = 1;
		errno = EIO;
		return -1;
	}
	return fdatasync(fd);
}
`

// TestAFailedSyncOfTheDatabaseIsNeverForgotten: Linux forgets what it could not
// write and calls the next sync a success. The WAL must not start afresh then:
// it has the only copy.
func TestAFailedSyncOfTheDatabaseIsNeverForgotten(t *testing.T) {
	if path := os.Getenv(faultySync); path != "" {
		serveOnAFaultyDisk(t, path)
		return
	}
	if onPostgres {
		t.Skip("its disk is its own")
	}
	folder := t.TempDir()
	source, library := filepath.Join(folder, "fail.c"), filepath.Join(folder, "fail.so")
	if err := os.WriteFile(source, []byte(failOnce), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	path := filepath.Join(folder, "failing.db")
	made, err := store.Open(context.Background(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	text := childOf(t, faultySync+"="+path, "LD_PRELOAD="+library)
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		t.Errorf("the WAL is gone: %v", err)
	}
	s := mustOpen(t, fileAt(path))
	if n := mustHaveIssued(t, s, text); n != 20 {
		t.Errorf("%d payments were acknowledged:\n%s", n, text)
	}
}

// serveOnAFaultyDisk issues payments, waits until a checkpoint has failed, and
// closes.
func serveOnAFaultyDisk(t *testing.T, path string) {
	s, err := store.Open(context.Background(), store.Options{Path: path, Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		fmt.Println("issued", mustIssue(t, s))
	}
	testkit.Eventually(t, "a checkpoint to fail", func() bool { return s.AssertDurable(context.Background()) != nil })
	if err := s.Close(); err == nil {
		t.Error("the last checkpoint calls itself a success")
	}
}
