// Package seal makes changes of the journal evident. A hash chain runs over its rows
// in the order of the feed; the table seals keeps its head at some places, and a head
// that was kept elsewhere proves what the journal was.
//
// The chain depends on the journal alone, not on the database, on the time, or on
// where seals were made. With || for joining, and H for SHA-256:
//
//	head(0) = H("tolem journal")
//	head(s) = H(head of the place before s || format || s || records of s)
//
// for each place s that has rows. The records are those of transactions, entries (in
// the order of n, with the name and the currency of the ledger account) and operations
// (sorted). Each begins with a letter for its table and ends with its columns, in a
// fixed order: a number has eight bytes, a text its length before it, NULL a zero byte.
package seal

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"hash"
	"math"
)

// Format is how this program writes rows as bytes. Seals say in which format the rows
// before them were written. A column that is added to a table of the journal is in a
// new format only, so that older seals stay as they are.
const Format = 1

type digest = [sha256.Size]byte

// origin is the head of an empty journal.
var origin = sha256.Sum256([]byte("tolem journal"))

// record is a row of the journal as bytes.
type record struct {
	seq   int64
	bytes []byte

	actor   string // of a transaction
	entered bool   // of an operation
}

func (r *record) begin(table byte, seq int64) {
	r.seq, r.bytes = seq, append(r.bytes[:0], table)
}

func (r *record) number(n int64) { r.bytes = binary.BigEndian.AppendUint64(r.bytes, uint64(n)) }

func (r *record) text(s string) {
	r.number(int64(len(s)))
	r.bytes = append(r.bytes, s...)
}

func (r *record) nullNumber(n sql.NullInt64) {
	if !n.Valid {
		r.bytes = append(r.bytes, 0)
		return
	}
	r.bytes = append(r.bytes, 1)
	r.number(n.Int64)
}

func (r *record) nullText(s sql.NullString) {
	if !s.Valid {
		r.bytes = append(r.bytes, 0)
		return
	}
	r.bytes = append(r.bytes, 1)
	r.text(s.String)
}

// chain is a hash chain at a place of the journal.
type chain struct {
	head digest
	hash hash.Hash
}

func newChain(head digest) *chain { return &chain{head: head, hash: sha256.New()} }

// begin starts the link of a place.
func (c *chain) begin(seq int64) {
	var head [len(c.head) + 9]byte
	copy(head[:], c.head[:])
	head[len(c.head)] = Format
	binary.BigEndian.PutUint64(head[len(c.head)+1:], uint64(seq))
	c.hash.Reset()
	c.hash.Write(head[:])
}

func (c *chain) end() { c.hash.Sum(c.head[:0]) }

// end is the place of a stream that has ended.
const end = math.MaxInt64
