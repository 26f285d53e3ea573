package server

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestALogFileIsWrittenToTheDiskBitByBit(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log, ok := evenly(file).(*logFile)
	if !ok {
		t.Fatal("a file is a writer like any other")
	}
	if err := log.writeBack(); err != nil {
		t.Errorf("the system does not begin to write: %v", err)
	}

	asked, answer := make(chan struct{}), make(chan error)
	log.writeBack = func() error {
		asked <- struct{}{}
		return <-answer
	}
	line := append(bytes.Repeat([]byte("x"), 1023), '\n')
	write := func(lines int) {
		t.Helper()
		for range lines {
			if n, err := log.Write(line); n != len(line) || err != nil {
				t.Fatalf("%d bytes are written: %v", n, err)
			}
		}
	}
	const enough = writeBackEvery / 1024
	write(enough - 1)
	if log.busy.Load() {
		t.Error("the disk is asked too early")
	}
	write(1)
	<-asked
	write(5 * enough) // nobody waits for a busy disk, and it is not asked again
	answer <- errors.New("failed")
	for log.busy.Load() {
		runtime.Gosched()
	}
	write(1) // but then at once
	<-asked
	answer <- nil

	written, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if want := bytes.Repeat(line, 6*enough+1); !bytes.Equal(written, want) {
		t.Errorf("%d bytes are in the file, want %d", len(written), len(want))
	}
}

func TestWhatIsNoFileIsWrittenToAsItIs(t *testing.T) {
	reader, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer pipe.Close()
	if w := evenly(pipe); w != pipe {
		t.Errorf("a pipe became %T", w)
	}
	var buffer bytes.Buffer
	if w := evenly(&buffer); w != &buffer {
		t.Errorf("a buffer became %T", w)
	}
}
