package signing

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

const (
	nodeSize    = int(unsafe.Sizeof(node{}))
	siblingSize = int(unsafe.Sizeof(sibling{}))
)

// root is the index of the first node. No member or element is the root, so 0
// also stands for "no node".
const root = 0

// scan reads the whole of a body into nodes. It reads from its own copy, so
// that names and texts need not be copied one by one.
func (b *Body) scan(data []byte) error {
	b.arena = append(b.arena, data...)
	b.src, b.pos = b.arena, 0
	err := b.document()
	b.src = nil
	return err
}

func (b *Body) document() error {
	b.nodes = append(b.nodes, node{})
	b.space()
	b.openBrace = b.pos
	if err := b.value(root, 0); err != nil {
		return err
	}
	b.space()
	if b.pos < len(b.src) {
		return b.malformed("data after the JSON value")
	}
	return nil
}

// malformed reports where, and never what stands there.
func (b *Body) malformed(what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrMalformed, what, b.pos)
}

// peek is the next byte, or NUL at the end. NUL is nowhere valid, so the two
// need no telling apart.
func (b *Body) peek() byte {
	if b.pos < len(b.src) {
		return b.src[b.pos]
	}
	return 0
}

func (b *Body) space() {
	for b.pos < len(b.src) {
		c := b.src[b.pos]
		if c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return
		}
		b.pos++
	}
}

// value reads the value of a node. depth counts the containers around it.
func (b *Body) value(id uint32, depth int) error {
	switch c := b.peek(); {
	case c == '"':
		return b.stringValue(id)
	case c == '{':
		return b.object(id, depth+1)
	case c == '[':
		return b.array(id, depth+1)
	case c == '-' || isDigit(c):
		return b.number(id)
	case c == 't':
		return b.word(id, KindBool, "true")
	case c == 'f':
		return b.word(id, KindBool, "false")
	case c == 'n':
		return b.word(id, KindNull, "null")
	}
	if b.pos >= len(b.src) {
		return b.malformed("the body ends where a value should stand")
	}
	return b.malformed("no JSON value")
}

func (b *Body) object(self uint32, depth int) error {
	if depth > MaxDepth {
		return b.malformed(tooDeep)
	}
	b.nodes[self].kind = KindObject
	b.pos++
	b.space()
	if b.peek() == '}' {
		b.pos++
		return nil
	}
	first := len(b.siblings)
	for {
		id, err := b.member(self)
		if err != nil {
			return err
		}
		b.space()
		if b.peek() != ':' {
			return b.malformed("no ':' after a name")
		}
		b.pos++
		b.space()
		start := b.pos
		if err := b.value(id, depth); err != nil {
			return err
		}
		if self == root {
			b.noteTopLevel(id, start)
		}
		b.space()
		switch b.peek() {
		case ',':
			b.pos++
			b.space()
		case '}':
			if !b.link(self, first) {
				return b.malformed("a name stands twice in the object that ends")
			}
			b.pos++
			return nil
		default:
			return b.malformed("no ',' or '}' after a member")
		}
	}
}

// tooDeep is the same text for objects and arrays.
var tooDeep = "more than " + strconv.Itoa(MaxDepth) + " nested containers"

// noteTopLevel remembers where Embed has to write.
func (b *Body) noteTopLevel(id uint32, start int) {
	b.lastEnd = b.pos
	if id == b.topSig {
		b.sigStart, b.sigEnd = start, b.pos
	}
}

func (b *Body) array(self uint32, depth int) error {
	if depth > MaxDepth {
		return b.malformed(tooDeep)
	}
	b.nodes[self].kind = KindArray
	b.pos++
	b.space()
	if b.peek() == ']' {
		b.pos++
		return nil
	}
	last := uint32(root)
	for index := 0; ; index++ {
		name := uint32(len(b.arena))
		b.arena = strconv.AppendInt(b.arena, int64(index), 10)
		id, err := b.child(self, name, uint32(len(b.arena)))
		if err != nil {
			return err
		}
		if last == root {
			b.nodes[self].first = id
		} else {
			b.nodes[last].next = id
		}
		last = id
		if err := b.value(id, depth); err != nil {
			return err
		}
		b.space()
		switch b.peek() {
		case ',':
			b.pos++
			b.space()
		case ']':
			b.pos++
			return nil
		default:
			return b.malformed("no ',' or ']' after an element")
		}
	}
}

// child adds a node under parent, whose name stands in the arena.
func (b *Body) child(parent, name, nameEnd uint32) (uint32, error) {
	p := &b.nodes[parent]
	pathLen := nameEnd - name
	if parent != root {
		pathLen += p.pathLen + 1
	}
	b.unfolded += int(pathLen) + 2
	if b.unfolded > maxUnfolded {
		return 0, fmt.Errorf("%w: its lines unfold to more than %d bytes, at byte %d", ErrTooLarge, maxUnfolded, b.pos)
	}
	omitted := p.omitted
	id := len(b.nodes)
	if id < cap(b.nodes) {
		b.nodes = b.nodes[:id+1]
	} else {
		b.nodes = append(b.nodes, node{})
	}
	// Field by field: a literal would be built aside and copied, at the price
	// of a stall on bytes that are still on their way to memory.
	n := &b.nodes[id]
	n.name, n.nameEnd = name, nameEnd
	n.text, n.textEnd = 0, 0
	n.parent, n.pathLen = parent, pathLen
	n.first, n.next = 0, 0
	n.kind, n.verbatim, n.omitted = KindNull, false, omitted
	return uint32(id), nil
}

// member reads a name and adds its node.
func (b *Body) member(parent uint32) (uint32, error) {
	if b.peek() != '"' {
		return 0, b.malformed("no name")
	}
	start, end, err := b.text()
	if err != nil {
		return 0, err
	}
	name := b.arena[start:end]
	omitted := b.rules.omits(name)
	b.noteSignature(uint32(len(b.nodes)), parent, name)
	first := head(b.arena, start, end)
	if !isSimple(name, first) {
		b.simple = false
		start, end = b.escapeColons(start, end)
		first = head(b.arena, start, end)
	}
	id, err := b.child(parent, start, end)
	if err != nil {
		return 0, err
	}
	if omitted {
		b.nodes[id].omitted = true
	}
	b.siblings = append(b.siblings, sibling{head: first, id: id})
	return id, nil
}

// noteSignature remembers the members in which a signature may stand.
func (b *Body) noteSignature(id, parent uint32, name []byte) {
	if parent != root && parent != b.general {
		return
	}
	switch {
	case string(name) == "signature" && parent == root:
		b.topSig = id
	case string(name) == "signature":
		b.generalSig = id
	case string(name) == "general" && parent == root:
		b.general = id
	}
}

// isSimple says whether a name is made of bytes behind ':' only, as nearly all
// names are: letters, '_', anything not ASCII. See [Body.link] for what it
// buys. head is the head of the name.
func isSimple(name []byte, head uint64) bool {
	size := len(name)
	if size < 8 {
		return !upToColon(head | 1<<(64-8*size) - 1)
	}
	for i := 0; i+8 <= size; i += 8 {
		if upToColon(word(name, i)) {
			return false
		}
	}
	return !upToColon(word(name, size-8))
}

// upToColon says whether a byte of w is ':' or one before it.
func upToColon(w uint64) bool { return (w-ones*(':'+1))&^w&highs != 0 }

// escapeColons is where the name that stands in the arena from start to end
// stands as paths have it.
func (b *Body) escapeColons(start, end uint32) (uint32, uint32) {
	name := b.arena[start:end]
	if !b.rules.doubleColons || bytes.IndexByte(name, ':') < 0 {
		return start, end
	}
	start = uint32(len(b.arena))
	for _, c := range name {
		b.arena = append(b.arena, c)
		if c == ':' {
			b.arena = append(b.arena, c)
		}
	}
	return start, uint32(len(b.arena))
}

// sibling is a member of an object that is still being read.
type sibling struct {
	head uint64 // the first bytes of its name: decides nearly every comparison
	id   uint32
}

// head is the first eight bytes of the name that stands in text from start to
// end, as a number, so that numbers compare as the names do.
func head(text []byte, start, end uint32) uint64 {
	if int(start)+8 > len(text) {
		var head uint64
		for i, c := range text[start:end] {
			head |= uint64(c) << (56 - 8*i)
		}
		return head
	}
	head := binary.BigEndian.Uint64(text[start:])
	if size := end - start; size < 8 {
		beyond := 64 - 8*size
		head = head >> beyond << beyond
	}
	return head
}

// link sorts the members of an object, from b.siblings[first] on, by the bytes
// of their names, and chains them in that order. It is false if a name stands
// there twice: sorted, the two are neighbours. However hostile the names, that
// is n log n.
//
// If all names of the body are simple, the chains walked depth first are the
// natural order of paths, and no path needs to be compared as a whole: without
// digits and blanks natural order is byte order; no byte of a name is smaller
// than the ':' that ends it, so that a name sorts before the longer ones that
// begin with it, and all below it too; and the indices of an array are in
// natural order as they stand.
func (b *Body) link(self uint32, first int) bool {
	members := b.siblings[first:]
	if len(members) > fewMembers || !sortByHead(members) {
		slices.SortFunc(members, b.compareNames)
	}
	last := members[0]
	b.nodes[self].first = last.id
	for _, m := range members[1:] {
		if m.head == last.head && b.compareNames(m, last) == 0 {
			return false
		}
		b.nodes[last.id].next = m.id
		last = m
	}
	b.siblings = b.siblings[:first]
	return true
}

// fewMembers is up to where insertion is the faster way to sort.
const fewMembers = 24

// sortByHead sorts members by the heads of their names. It is false if two
// heads are equal, and the whole names must be compared.
func sortByHead(members []sibling) bool {
	differ := true
	for i := 1; i < len(members); i++ {
		m := members[i]
		j := i
		for ; j > 0 && m.head < members[j-1].head; j-- {
			members[j] = members[j-1]
		}
		members[j] = m
		if j > 0 && members[j-1].head == m.head {
			differ = false
		}
	}
	return differ
}

func (b *Body) compareNames(x, y sibling) int {
	if x.head != y.head {
		return cmp.Compare(x.head, y.head)
	}
	n, o := &b.nodes[x.id], &b.nodes[y.id]
	return bytes.Compare(b.arena[n.name:n.nameEnd], b.arena[o.name:o.nameEnd])
}

func (b *Body) stringValue(id uint32) error {
	start, end, err := b.text()
	if err != nil {
		return err
	}
	b.setText(id, KindString, start, end, true)
	return nil
}

func (b *Body) setText(id uint32, kind Kind, start, end uint32, verbatim bool) {
	n := &b.nodes[id]
	n.kind, n.verbatim = kind, verbatim
	n.text, n.textEnd = start, end
}

// word reads true, false or null; the last has no text.
func (b *Body) word(id uint32, kind Kind, word string) error {
	start := b.pos
	if len(b.src)-start < len(word) || string(b.src[start:start+len(word)]) != word {
		return b.malformed("no JSON value")
	}
	b.pos += len(word)
	end := b.pos
	if kind == KindNull {
		end = start
	}
	b.setText(id, kind, uint32(start), uint32(end), false)
	return nil
}

// number reads a number. An integer stands in its line as it does in the body;
// of others the rules decide.
func (b *Body) number(id uint32) error {
	start := b.pos
	integer, err := b.skipNumber()
	if err != nil {
		return err
	}
	b.setText(id, KindNumber, uint32(start), uint32(b.pos), integer)
	return nil
}

// skipNumber moves past a number, by the grammar of RFC 8259. An integer is one
// without fraction and exponent.
func (b *Body) skipNumber() (integer bool, err error) {
	if b.peek() == '-' {
		b.pos++
	}
	if b.peek() == '0' {
		b.pos++
	} else if err := b.digits(); err != nil {
		return false, err
	}
	integer = true
	if b.peek() == '.' {
		integer = false
		b.pos++
		if err := b.digits(); err != nil {
			return false, err
		}
	}
	if c := b.peek(); c == 'e' || c == 'E' {
		b.pos++
		if c := b.peek(); c == '+' || c == '-' {
			b.pos++
		}
		return false, b.digits()
	}
	return integer, nil
}

func (b *Body) digits() error {
	start := b.pos
	for isDigit(b.peek()) {
		b.pos++
	}
	if b.pos == start {
		return b.malformed("a number lacks a digit")
	}
	return nil
}

// text reads a string, from quote to quote, and says where in the arena it
// stands decoded: in the body itself if there is no escape in it.
func (b *Body) text() (uint32, uint32, error) {
	start := b.pos + 1
	end, ascii := plainRun(b.src, start)
	if end < len(b.src) && b.src[end] == '"' && (ascii || utf8.Valid(b.src[start:end])) {
		b.pos = end + 1
		return uint32(start), uint32(end), nil
	}
	return b.decode()
}

// decode is text for strings with escapes, and finds what is wrong with those
// that are none. It appends the decoded text to the arena.
func (b *Body) decode() (uint32, uint32, error) {
	begin := len(b.arena)
	b.pos++
	for {
		end, ascii := plainRun(b.src, b.pos)
		run := b.src[b.pos:end]
		if !ascii && !utf8.Valid(run) {
			return 0, 0, b.malformed("invalid UTF-8 in the string")
		}
		b.arena = append(b.arena, run...)
		b.pos = end
		switch c := b.peek(); {
		case c == '"':
			b.pos++
			return uint32(begin), uint32(len(b.arena)), nil
		case c == '\\':
			if err := b.escape(); err != nil {
				return 0, 0, err
			}
		case end >= len(b.src):
			return 0, 0, b.malformed("the body ends inside a string")
		default:
			return 0, 0, b.malformed("a control character in a string")
		}
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainRun finds the end of the bytes from start on that stand for themselves,
// eight at a time: the next quote, backslash, control character, or the end.
// ascii says that none of them is above 0x7f.
func plainRun(src []byte, start int) (end int, ascii bool) {
	i := start
	var seen uint64
	for ; i+8 <= len(src); i += 8 {
		w := word(src, i)
		if stop := special(w); stop != 0 {
			k := bits.TrailingZeros64(stop) / 8
			seen |= w & (1<<(8*k) - 1)
			return i + k, seen&highs == 0
		}
		seen |= w
	}
	for ; i < len(src); i++ {
		c := src[i]
		if c == '"' || c == '\\' || c < 0x20 {
			break
		}
		seen |= uint64(c)
	}
	return i, seen&highs == 0
}

// special marks the first byte of w, in the order of memory, that is a quote, a
// backslash or a control character. Only the lowest bit that is set counts:
// the ones above it may be false.
func special(w uint64) uint64 {
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & highs
}

func word(s []byte, i int) uint64 { return binary.LittleEndian.Uint64(s[i:]) }

// escape decodes the escape at pos to the end of the arena.
func (b *Body) escape() error {
	if b.pos+1 >= len(b.src) {
		return b.malformed("the body ends inside a string")
	}
	c := b.src[b.pos+1]
	if c == 'u' {
		return b.unicodeEscape()
	}
	plain := unescaped(c)
	if plain == 0 {
		return b.malformed("an unknown escape in a string")
	}
	b.pos += 2
	b.arena = append(b.arena, plain)
	return nil
}

// unescaped is the character that a one-letter escape stands for, or 0.
func unescaped(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

func (b *Body) unicodeEscape() error {
	high, ok := b.hex(b.pos)
	if !ok {
		return b.malformed("a bad \\u escape in a string")
	}
	if high < 0xd800 || high > 0xdfff {
		b.pos += 6
		b.arena = utf8.AppendRune(b.arena, high)
		return nil
	}
	low, ok := b.hex(b.pos + 6)
	if !ok || high > 0xdbff || low < 0xdc00 || low > 0xdfff {
		return b.malformed("a lone surrogate in a string")
	}
	b.pos += 12
	b.arena = utf8.AppendRune(b.arena, 0x10000+(high-0xd800)<<10+(low-0xdc00))
	return nil
}

// hex reads the escape at i, \u and four hexadecimal digits.
func (b *Body) hex(i int) (rune, bool) {
	if i+6 > len(b.src) || b.src[i] != '\\' || b.src[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b.src[i+2 : i+6] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
