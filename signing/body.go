package signing

import (
	"fmt"
	"strings"
	"sync"
)

// Body is a message that was read strictly. It belongs to one goroutine, and
// holds no reference to the bytes it was read from.
type Body struct {
	nodes []node // in the order of the document; nodes[0] is the root

	// arena holds all names and texts: first a copy of the body, in which
	// nearly all of them stand as they are, then what had to be decoded.
	arena []byte

	siblings []sibling // the members so far of the objects that are being read, innermost last
	simple   bool      // all names are simple: see link
	unfolded int       // what the members come to, but for their values

	joined  []byte // the string to sign
	ready   bool   // joined holds the natural order
	signed  []byte // the string whose signature was verified, nil before
	prefix  []byte // scratch of writeChain
	written []byte // scratch of writeLines
	lines   []line // the lines in the order of the document, if written
	orders  [3][]line

	rules rules
	src   []byte // the copy of the body in the arena

	general    uint32 // the node of the top-level member general, 0 if absent
	topSig     uint32 // the node of the top-level member signature, 0 if absent
	generalSig uint32 // the node of general.signature, 0 if absent

	sigStart, sigEnd int // where the value of the top-level signature stands in the source
	lastEnd          int // the end of the last top-level member in the source, 0 if there is none
	openBrace        int // where the root begins in the source
	signature        [signatureSize + 2]byte

	live bool
}

// node is one JSON value and where its name and text stand in the arena. The
// name is as it stands in paths, with colons doubled if the rules say so; that
// of an element is its index.
type node struct {
	name, nameEnd uint32
	text, textEnd uint32
	parent        uint32
	first, next   uint32 // the first child, and the next one of the same parent; 0 is none
	pathLen       uint32
	path          uint32 // where writeLines has put the path
	kind          Kind
	verbatim      bool // the text stands in the line as it is; else the rules render it
	omitted       bool // the rules leave it, or something above it, out
}

// Not a cache with an owner: sync.Pool is the standard library's way to share
// scratch memory, and holds nothing that outlives a garbage collection.
var bodies = sync.Pool{New: func() any { return new(Body) }}

// Parse reads one JSON value, strictly. It returns ErrTooLarge or ErrMalformed,
// wrapped with what and where. The data may be reused as soon as it returns.
// Call [Body.Release] when the body and all its values are done with.
func Parse(data []byte) (*Body, error) {
	return parse(data, jetpay)
}

func parse(data []byte, r rules) (*Body, error) {
	if len(data) > MaxBody {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxBody)
	}
	b := bodies.Get().(*Body)
	b.reset(r)
	if err := b.scan(data); err != nil {
		b.Release()
		return nil, err
	}
	return b, nil
}

func (b *Body) reset(r rules) {
	clear(b.nodes)
	b.nodes = b.nodes[:0]
	b.arena = b.arena[:0]
	b.siblings = b.siblings[:0]
	b.simple = true
	b.unfolded = 0
	b.ready = false
	b.signed = nil
	b.rules = r
	b.general, b.topSig, b.generalSig = 0, 0, 0
	b.sigStart, b.sigEnd, b.lastEnd, b.openBrace = 0, 0, 0, 0
	b.live = true
}

// Release gives the body's memory back for the next one. Neither the body nor
// any Value of it may be used afterwards. Releasing nil, or twice in a row,
// does nothing; releasing again after another Parse would free that one's
// body, so let one place own it (defer).
func (b *Body) Release() {
	if b == nil || !b.live {
		return
	}
	b.live = false
	if b.footprint() > maxPooled {
		return // let it go, so that one large body does not hold memory for ever
	}
	bodies.Put(b)
}

// footprint is the memory in bytes that the body's buffers hold.
func (b *Body) footprint() int {
	lines := cap(b.lines)
	for _, o := range b.orders {
		lines += cap(o)
	}
	return nodeSize*cap(b.nodes) + lineSize*lines + siblingSize*cap(b.siblings) +
		cap(b.arena) + cap(b.joined) + cap(b.prefix) + cap(b.written)
}

// Root says what the whole body is; a message is a KindObject.
func (b *Body) Root() Kind { return b.nodes[0].kind }

// Lookup finds the value at a path of names joined with single colons, such as
// "payment:sum:amount"; in an array the zero-based index is the name.
// Containers are found too, also empty ones. What the rules leave out of the
// signature (a signature, frame_mode, and all below them) is not found, since
// nobody has signed it.
//
// A path of plain names (not empty, no ':', not a number) has one possible
// meaning, a chain of nested objects: the path is cut at its colons and each
// name is looked up among the members of the one before. A name that holds a
// ':' is kept with '::' in its place and so equals none of the pieces, an
// empty piece is never found, and an array has only digits for names.
func (b *Body) Lookup(path string) (Value, bool) {
	id := uint32(root)
	for more := true; more; {
		var name string
		name, path, more = strings.Cut(path, ":")
		if id = b.childNamed(id, name); id == 0 {
			return Value{}, false
		}
	}
	n := &b.nodes[id]
	return Value{text: b.arena[n.text:n.textEnd:n.textEnd], kind: n.kind}, true
}

// childNamed is the signed child of that name, or 0.
func (b *Body) childNamed(id uint32, name string) uint32 {
	if name == "" {
		return 0
	}
	for id = b.nodes[id].first; id != 0; id = b.nodes[id].next {
		n := &b.nodes[id]
		if int(n.nameEnd-n.name) == len(name) && string(b.arena[n.name:n.nameEnd]) == name {
			break
		}
	}
	if b.nodes[id].omitted {
		return 0
	}
	return id
}

// Has says whether there is a value, also an empty or null one, at the path.
// It follows the rules of [Body.Lookup].
func (b *Body) Has(path string) bool {
	_, ok := b.Lookup(path)
	return ok
}
