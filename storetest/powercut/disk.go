package powercut

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Disk replays a record. Between its steps the power can fail.
type Disk struct {
	steps []record
	next  int

	files map[uint64]*file
	// names are those that programs see, durable those that are on disk; changes are
	// the ones in between, in order.
	names, durable map[string]*file
	changes        []change
	syncing        map[int64]int // for each sync of the folder that runs, how many changes it covers
	lies           map[string]bool
	said           [][]byte
}

// A change of names: one is removed, one appears, or both at once.
type change struct {
	remove, add string
	file        *file
}

// A file is what is on disk of it, and what was done to it since.
type file struct {
	content []byte
	pending []edit
	syncing map[int64]int // for each sync that runs, how many edits it covers
}

// An edit writes data, or, if it truncates, sets the size.
type edit struct {
	at       int64
	data     []byte
	truncate bool
}

// Open reads a record. The folder was empty when it began.
func Open(log string) (*Disk, error) {
	steps, err := readLog(log)
	if err != nil {
		return nil, err
	}
	return (&Disk{steps: steps}).Again(), nil
}

// Again is the disk of the same record, at its beginning.
func (d *Disk) Again() *Disk {
	return &Disk{
		steps: d.steps, files: map[uint64]*file{}, names: map[string]*file{}, durable: map[string]*file{},
		syncing: map[int64]int{}, lies: map[string]bool{},
	}
}

// Lie lets the syncs of a file succeed and do nothing, as a disk does that ignores
// flushes. Lie(".") lets those of the folder.
func (d *Disk) Lie(name string) { d.lies[name] = true }

// Steps is how many steps the record has.
func (d *Disk) Steps() int { return len(d.steps) }

// Said is all that the test had said when the power failed.
func (d *Disk) Said() [][]byte { return d.said }

// Counts are the steps of a record by their kinds.
func (d *Disk) Counts() (writes, syncs int) {
	for _, s := range d.steps {
		switch s.op {
		case opWrite, opTruncate:
			writes++
		case opSynced, opSyncedName:
			syncs++
		}
	}
	return writes, syncs
}

// Advance carries out the steps before step n.
func (d *Disk) Advance(n int) {
	for ; d.next < n; d.next++ {
		d.step(d.steps[d.next])
	}
}

func (d *Disk) step(s record) {
	f := d.files[s.file]
	switch s.op {
	case opOpen:
		name := string(s.data)
		if d.names[name] != nil && d.names[name] == f {
			return
		}
		f = &file{syncing: map[int64]int{}}
		d.files[s.file], d.names[name] = f, f
		d.changes = append(d.changes, change{add: name, file: f})
	case opWrite:
		f.pending = append(f.pending, edit{at: s.at, data: s.data})
	case opTruncate:
		f.pending = append(f.pending, edit{at: s.at, truncate: true})
	case opSync:
		f.syncing[s.at] = len(f.pending)
	case opSynced:
		d.synced(f, s.at)
	case opSyncNames:
		d.syncing[s.at] = len(d.changes)
	case opSyncedName:
		n := covered(d.syncing, s.at, !d.lies["."])
		for _, c := range d.changes[:n] {
			c.apply(d.durable)
		}
		d.changes = d.changes[n:]
	case opRemove:
		name := string(s.data)
		delete(d.names, name)
		d.changes = append(d.changes, change{remove: name})
	case opRename:
		from, to, _ := strings.Cut(string(s.data), "\x00")
		d.names[to] = d.names[from]
		delete(d.names, from)
		d.changes = append(d.changes, change{remove: from, add: to, file: d.names[to]})
	case opSay:
		d.said = append(d.said, s.data)
	}
}

// synced puts on disk what the sync covers that has ended.
func (d *Disk) synced(f *file, sync int64) {
	n := covered(f.syncing, sync, !d.lies[d.nameOf(f)])
	for _, e := range f.pending[:n] {
		f.content = e.apply(f.content)
	}
	f.pending = f.pending[n:]
}

// covered ends a sync and returns how much of what is pending it has put on disk,
// which the other syncs that run need not.
func covered(running map[int64]int, sync int64, honest bool) (n int) {
	n = running[sync]
	delete(running, sync)
	if !honest {
		return 0
	}
	for other := range running {
		running[other] = max(0, running[other]-n)
	}
	return n
}

func (d *Disk) nameOf(f *file) string {
	for name, named := range d.names {
		if named == f {
			return name
		}
	}
	return ""
}

func (c change) apply(names map[string]*file) {
	if c.remove != "" {
		delete(names, c.remove)
	}
	if c.add != "" {
		names[c.add] = c.file
	}
}

func (e edit) apply(content []byte) []byte {
	if e.truncate {
		return resize(content, e.at)
	}
	if end := e.at + int64(len(e.data)); end > int64(len(content)) {
		content = resize(content, end)
	}
	copy(content[e.at:], e.data)
	return content
}

func resize(content []byte, size int64) []byte {
	if size <= int64(len(content)) {
		clear(content[size:])
		return content[:size]
	}
	return append(content, make([]byte, size-int64(len(content)))...)
}

// A Fate is what became of the edits that were not synced.
type Fate string

// The fates. Every file of a folder has one of its own.
const (
	Dropped Fate = "dropped"       // none is on disk
	Kept    Fate = "kept"          // all are
	Prefix  Fate = "prefix"        // the first ones are
	Pages   Fate = "pages of 4096" // of each page of 4096 bytes any state that it had
	Sectors Fate = "torn in 512"   // of each sector of 512 bytes any state that it had
)

var fates = []Fate{Dropped, Kept, Prefix, Pages, Sectors}

// Cut fails the power: it writes into the empty folder what is found there when it
// is back, and returns which fates there were for the files that had edits. The
// index of the write-ahead log, which is never synced, is not there, or garbage.
func (d *Disk) Cut(folder string, random *rand.Rand) (met []Fate, err error) {
	names := make(map[string]*file, len(d.durable))
	for name, f := range d.durable {
		names[name] = f
	}
	for _, c := range d.changes {
		if random.IntN(2) == 0 {
			c.apply(names)
		}
	}
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		fate := fates[random.IntN(len(fates))]
		if f := names[name]; len(f.pending) > 0 {
			met = append(met, fate)
		}
		if err := os.WriteFile(filepath.Join(folder, name), names[name].after(fate, random), 0o600); err != nil {
			return nil, fmt.Errorf("the disk after a power failure: %w", err)
		}
		if !strings.HasSuffix(name, "-wal") || random.IntN(2) == 0 {
			continue
		}
		garbage := make([]byte, 32<<10)
		for i := range garbage {
			garbage[i] = byte(random.Uint32())
		}
		if err := os.WriteFile(filepath.Join(folder, strings.TrimSuffix(name, "-wal")+"-shm"), garbage, 0o600); err != nil {
			return nil, fmt.Errorf("the disk after a power failure: %w", err)
		}
	}
	return met, nil
}

// after is the content of the file, with that fate of its edits.
func (f *file) after(fate Fate, random *rand.Rand) []byte {
	content := bytes.Clone(f.content)
	switch fate {
	case Kept:
		return applied(content, f.pending)
	case Prefix:
		return applied(content, f.pending[:random.IntN(len(f.pending)+1)])
	case Pages:
		return f.torn(content, 4096, random)
	case Sectors:
		return f.torn(content, 512, random)
	default:
		return content
	}
}

func applied(content []byte, edits []edit) []byte {
	for _, e := range edits {
		content = e.apply(content)
	}
	return content
}

// torn gives each sector one of the states that it had since the last sync: a disk
// writes sectors whole and in any order, and the size of the file is written apart
// from them.
func (f *file) torn(content []byte, sector int64, random *rand.Rand) []byte {
	longest := int64(len(content))
	sizes := []int64{longest}
	for _, e := range f.pending {
		size := max(sizes[len(sizes)-1], e.at+int64(len(e.data)))
		if e.truncate {
			size = e.at
		}
		sizes = append(sizes, size)
		longest = max(longest, size)
	}
	content = resize(content, longest)
	// until is, for each sector, the edit before which it was written.
	until := make([]int, (longest+sector-1)/sector)
	for i := range until {
		until[i] = random.IntN(len(f.pending) + 1)
	}
	for i, e := range f.pending {
		from, to, data := e.at, e.at+int64(len(e.data)), e.data
		if e.truncate {
			to = max(longest, from)
			data = make([]byte, to-from)
		}
		for at := from; at < to; {
			n := at / sector
			end := min((n+1)*sector, to)
			if i < until[n] {
				copy(content[at:end], data[at-from:])
			}
			at = end
		}
	}
	return content[:sizes[random.IntN(len(sizes))]]
}
