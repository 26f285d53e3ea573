// Package powercut simulates power failures for a test of SQLite. A recorder notes
// what a process does to the files in one folder: what it writes, what it syncs, and
// what it has acknowledged. From that record a [Disk] makes the folder as a power
// failure at any moment could have left it: all that was synced, and of the rest any
// part, down to single sectors.
//
// There are two recorders, of one format. In a build without C it is a VFS of
// SQLite's, between SQLite and its own files. In one with C it is a library that
// stands before the C library of the process ([Library]), so that it is also below
// whatever the program itself puts between SQLite and the files.
package powercut

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

const (
	// FolderVariable names the folder that is recorded, LogVariable the file with
	// the record, which is outside of it.
	FolderVariable = "TOLEM_TEST_POWERCUT_FOLDER"
	LogVariable    = "TOLEM_TEST_POWERCUT_LOG"
)

// op is what was done.
type op byte

const (
	opOpen       op = 'o' // data: the name. The file exists now, perhaps since then
	opWrite      op = 'w' // data, at
	opTruncate   op = 't' // at: the new size
	opSync       op = 'f' // a sync begins, which covers what was written before; at: its number
	opSynced     op = 'F' // and has succeeded; at: its number
	opSyncNames  op = 'd' // the same of the folder
	opSyncedName op = 'D'
	opRemove     op = 'u' // data: the name
	opRename     op = 'r' // data: the old name, 0, the new one
	opSay        op = 'a' // data: what the test said
)

// A record is one step of the recorded process. Numbers are little-endian: the op in
// eight bytes, the inode, the place, the length of the data.
type record struct {
	op   op
	file uint64 // inode
	at   int64
	data []byte
}

const headerSize = 32

func (r record) encode() []byte {
	b := make([]byte, headerSize, headerSize+len(r.data))
	b[0] = byte(r.op)
	binary.LittleEndian.PutUint64(b[8:], r.file)
	binary.LittleEndian.PutUint64(b[16:], uint64(r.at))
	binary.LittleEndian.PutUint64(b[24:], uint64(len(r.data)))
	return append(b, r.data...)
}

// Log is a record, as a file that several write to. Each step is appended in one
// piece.
type Log struct{ file *os.File }

// Append opens the record that [LogVariable] names.
func Append() (*Log, error) {
	file, err := os.OpenFile(os.Getenv(LogVariable), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the record of a disk: %w", err)
	}
	return &Log{file}, nil
}

// Say notes what the test knows at this moment, such as an acknowledgement.
func (l *Log) Say(text []byte) error { return l.add(record{op: opSay, data: text}) }

func (l *Log) add(r record) error {
	_, err := l.file.Write(r.encode())
	return err
}

// readLog reads a record whole.
func readLog(name string) (steps []record, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("the record of a disk: %w", err)
	}
	for len(b) > 0 {
		if len(b) < headerSize {
			return nil, io.ErrUnexpectedEOF
		}
		length := binary.LittleEndian.Uint64(b[24:])
		if uint64(len(b)-headerSize) < length {
			return nil, io.ErrUnexpectedEOF
		}
		steps = append(steps, record{
			op: op(b[0]), file: binary.LittleEndian.Uint64(b[8:]), at: int64(binary.LittleEndian.Uint64(b[16:])),
			data: b[headerSize : headerSize+length],
		})
		b = b[headerSize+length:]
	}
	return steps, nil
}
