package reconcile

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

const (
	// runBytes is how much is sorted in memory at a time.
	runBytes = 3 << 20
	// maxRuns bounds how many sorted runs are merged at once, each with a buffer.
	maxRuns = 128
	// readBuffer is that of a run while it is merged.
	readBuffer = 64 << 10
)

// spool sorts records of any number by their keys: in memory, and beyond that in
// temporary files, which have no name.
type spool struct {
	folder  string
	buffer  []byte
	records []span // in buffer
	runs    []*os.File
}

// span is where a record is: its key, and its value behind it.
type span struct{ start, key, end uint32 }

func newSpool(folder string) *spool { return &spool{folder: folder} }

func (s *spool) add(key string, value func([]byte) []byte) error {
	if len(s.buffer) >= runBytes {
		if err := s.flush(); err != nil {
			return err
		}
	}
	start := len(s.buffer)
	s.buffer = append(s.buffer, key...)
	middle := len(s.buffer)
	s.buffer = value(s.buffer)
	s.records = append(s.records, span{uint32(start), uint32(middle), uint32(len(s.buffer))})
	return nil
}

func (s *spool) sort() {
	slices.SortFunc(s.records, func(a, b span) int {
		if c := bytes.Compare(s.buffer[a.start:a.key], s.buffer[b.start:b.key]); c != 0 {
			return c
		}
		return int(a.start) - int(b.start) // as they were added
	})
}

// flush writes what is in memory as a sorted run.
func (s *spool) flush() (err error) {
	s.sort()
	file, err := os.CreateTemp(s.folder, "tolem-reconcile-*")
	if err != nil {
		return fmt.Errorf("make a temporary file (its folder is that of TMPDIR): %w", err)
	}
	s.runs = append(s.runs, file)
	if err := os.Remove(file.Name()); err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, readBuffer)
	var head []byte
	for _, r := range s.records {
		head = binary.AppendUvarint(head[:0], uint64(r.key-r.start))
		head = binary.AppendUvarint(head, uint64(r.end-r.key))
		if _, err := out.Write(head); err != nil {
			return err
		}
		if _, err := out.Write(s.buffer[r.start:r.end]); err != nil {
			return err
		}
	}
	s.buffer, s.records = s.buffer[:0], s.records[:0]
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write a temporary file (its folder is that of TMPDIR): %w", err)
	}
	if len(s.runs) >= maxRuns {
		return s.mergeRuns()
	}
	return nil
}

// mergeRuns makes one run of all.
func (s *spool) mergeRuns() error {
	merged := newSpool(s.folder)
	file, err := os.CreateTemp(s.folder, "tolem-reconcile-*")
	if err != nil {
		return err
	}
	merged.runs = []*os.File{file}
	if err := os.Remove(file.Name()); err != nil {
		return errors.Join(err, merged.close())
	}
	out := bufio.NewWriterSize(file, readBuffer)
	var head []byte
	err = s.each(func(key, value []byte) error {
		head = binary.AppendUvarint(head[:0], uint64(len(key)))
		head = binary.AppendUvarint(head, uint64(len(value)))
		if _, err := out.Write(head); err != nil {
			return err
		}
		if _, err := out.Write(key); err != nil {
			return err
		}
		_, err := out.Write(value)
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return errors.Join(err, merged.close())
	}
	if err := s.close(); err != nil {
		return err
	}
	s.runs = merged.runs
	return nil
}

// each passes all records in the order of their keys; those of one key as they
// were added. It may be called several times. Key and value are valid until yield
// returns.
func (s *spool) each(yield func(key, value []byte) error) error {
	s.sort()
	if len(s.runs) == 0 {
		for _, r := range s.records {
			if err := yield(s.buffer[r.start:r.key], s.buffer[r.key:r.end]); err != nil {
				return err
			}
		}
		return nil
	}
	var merge mergeHeap
	for i, file := range s.runs {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		r := &run{order: i, file: bufio.NewReaderSize(file, readBuffer)}
		if err := r.next(); err != nil {
			return err
		}
		merge = append(merge, r)
	}
	merge = append(merge, &run{order: len(s.runs), memory: s, key: nil})
	last := merge[len(merge)-1]
	if err := last.next(); err != nil {
		return err
	}
	merge = slices.DeleteFunc(merge, func(r *run) bool { return r.done })
	heap.Init(&merge)
	for len(merge) > 0 {
		r := merge[0]
		if err := yield(r.key, r.value); err != nil {
			return err
		}
		if err := r.next(); err != nil {
			return err
		}
		if r.done {
			heap.Pop(&merge)
		} else {
			heap.Fix(&merge, 0)
		}
	}
	return nil
}

func (s *spool) close() error {
	var all error
	for _, file := range s.runs {
		all = errors.Join(all, file.Close())
	}
	s.runs, s.buffer, s.records = nil, nil, nil
	return all
}

// run is a sorted run while it is read: of a file, or of what is in memory.
type run struct {
	order      int
	file       *bufio.Reader
	memory     *spool
	at         int
	record     []byte
	key, value []byte
	done       bool
}

func (r *run) next() error {
	if r.memory != nil {
		if r.done = r.at == len(r.memory.records); !r.done {
			span := r.memory.records[r.at]
			r.key, r.value = r.memory.buffer[span.start:span.key], r.memory.buffer[span.key:span.end]
			r.at++
		}
		return nil
	}
	key, err := binary.ReadUvarint(r.file)
	if errors.Is(err, io.EOF) {
		r.done = true
		return nil
	}
	if err != nil {
		return err
	}
	value, err := binary.ReadUvarint(r.file)
	if err != nil || key > runBytes || value > runBytes {
		return errSpool
	}
	r.record = slices.Grow(r.record[:0], int(key+value))[:key+value]
	if _, err := io.ReadFull(r.file, r.record); err != nil {
		return errSpool
	}
	r.key, r.value = r.record[:key], r.record[key:]
	return nil
}

type mergeHeap []*run

func (h mergeHeap) Len() int { return len(h) }
func (h mergeHeap) Less(i, j int) bool {
	if c := bytes.Compare(h[i].key, h[j].key); c != 0 {
		return c < 0
	}
	return h[i].order < h[j].order
}
func (h mergeHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *mergeHeap) Push(x any)   { *h = append(*h, x.(*run)) }
func (h *mergeHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
