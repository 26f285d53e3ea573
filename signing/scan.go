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
//
// Where the reading has come to is handed from function to function and back:
// in a register it is there at once for the next step, which in a field would
// have to wait until it was stored and loaded again.
func (b *Body) scan(data []byte) error {
	b.arena = append(b.arena, data...)
	b.src = b.arena
	err := b.document()
	b.src = nil
	return err
}

func (b *Body) document() error {
	b.nodes = append(b.nodes, node{})
	pos, c := b.token(0)
	b.openBrace = pos
	pos, err := b.value(root, pos, c, 0)
	if err != nil {
		return err
	}
	if pos, _ = b.token(pos); pos < len(b.src) {
		return malformed(pos, "data after the JSON value")
	}
	return nil
}

// malformed reports where, and never what stands there.
func malformed(pos int, what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrMalformed, what, pos)
}

// peek is the byte at pos, or NUL at the end. NUL is nowhere valid, so the two
// need no telling apart.
func (b *Body) peek(pos int) byte {
	if pos < len(b.src) {
		return b.src[pos]
	}
	return 0
}

// token is where the next token begins, at pos or behind the white space that
// stands there, and its first byte.
func (b *Body) token(pos int) (int, byte) {
	if c := b.peek(pos); c > ' ' {
		return pos, c
	}
	return b.skipSpace(pos)
}

func (b *Body) skipSpace(pos int) (int, byte) {
	for {
		switch c := b.peek(pos); c {
		case ' ', '\n', '\r', '\t':
			pos++
		default:
			return pos, c
		}
	}
}

// value reads the value of a node, which begins with c at pos, and returns where
// it ends. depth counts the containers around it.
func (b *Body) value(id uint32, pos int, c byte, depth int) (int, error) {
	switch {
	case c == '"':
		if stop := asciiRun(b.src, pos+1); b.peek(stop) == '"' {
			b.setText(id, KindString, uint32(pos+1), uint32(stop), true)
			return stop + 1, nil
		}
		return b.stringValue(id, pos)
	case c == '{':
		return b.object(id, pos, depth+1)
	case c == '[':
		return b.array(id, pos, depth+1)
	case c == '-' || isDigit(c):
		return b.number(id, pos)
	case c == 't':
		return b.word(id, pos, KindBool, "true")
	case c == 'f':
		return b.word(id, pos, KindBool, "false")
	case c == 'n':
		return b.word(id, pos, KindNull, "null")
	}
	if pos >= len(b.src) {
		return 0, malformed(pos, "the body ends where a value should stand")
	}
	return 0, malformed(pos, "no JSON value")
}

func (b *Body) object(self uint32, pos, depth int) (int, error) {
	if depth > MaxDepth {
		return 0, malformed(pos, tooDeep)
	}
	b.nodes[self].kind = KindObject
	pos, c := b.token(pos + 1)
	if c == '}' {
		return pos + 1, nil
	}
	above := len(b.siblings)
	for {
		if c != '"' {
			return 0, malformed(pos, "no name")
		}
		id, next, err := b.member(self, pos)
		if err != nil {
			return 0, err
		}
		if pos, c = b.token(next); c != ':' {
			return 0, malformed(pos, "no ':' after a name")
		}
		start, first := b.token(pos + 1)
		if pos, err = b.value(id, start, first, depth); err != nil {
			return 0, err
		}
		if self == root {
			b.noteTopLevel(id, start, pos)
		}
		switch pos, c = b.token(pos); c {
		case ',':
			pos, c = b.token(pos + 1)
		case '}':
			if !b.link(self, above) {
				return 0, malformed(pos, "a name stands twice in the object that ends")
			}
			return pos + 1, nil
		default:
			return 0, malformed(pos, "no ',' or '}' after a member")
		}
	}
}

// tooDeep is the same text for objects and arrays.
var tooDeep = "more than " + strconv.Itoa(MaxDepth) + " nested containers"

// noteTopLevel remembers where Embed has to write.
func (b *Body) noteTopLevel(id uint32, start, end int) {
	b.lastEnd = end
	if id == b.topSig {
		b.sigStart, b.sigEnd = start, end
	}
}

func (b *Body) array(self uint32, pos, depth int) (int, error) {
	if depth > MaxDepth {
		return 0, malformed(pos, tooDeep)
	}
	b.nodes[self].kind = KindArray
	pos, c := b.token(pos + 1)
	if c == ']' {
		return pos + 1, nil
	}
	last := uint32(root)
	for index := 0; ; index++ {
		name := uint32(len(b.arena))
		b.arena = strconv.AppendInt(b.arena, int64(index), 10)
		id := b.child(self, name, uint32(len(b.arena)))
		if b.unfolded > maxUnfolded {
			return 0, unfoldsTooFar(pos)
		}
		if last == root {
			b.nodes[self].first = id
		} else {
			b.nodes[last].next = id
		}
		last = id
		var err error
		if pos, err = b.value(id, pos, c, depth); err != nil {
			return 0, err
		}
		switch pos, c = b.token(pos); c {
		case ',':
			pos, c = b.token(pos + 1)
		case ']':
			return pos + 1, nil
		default:
			return 0, malformed(pos, "no ',' or ']' after an element")
		}
	}
}

// child adds a node under parent, whose name stands in the arena. The caller
// looks at what is unfolded then.
func (b *Body) child(parent, name, nameEnd uint32) uint32 {
	id := len(b.nodes)
	if id == cap(b.nodes) {
		b.nodes = slices.Grow(b.nodes, 1)
	}
	b.nodes = b.nodes[:id+1]
	p := &b.nodes[parent]
	pathLen := nameEnd - name
	if parent != root {
		pathLen += p.pathLen + 1
	}
	b.unfolded += int(pathLen) + perMember
	// Field by field: a literal would be built aside and copied, at the price
	// of a stall on bytes that are still on their way to memory. The other
	// fields are zero, since reset leaves them so.
	n := &b.nodes[id]
	n.name, n.nameEnd = name, nameEnd
	n.parent, n.pathLen = parent, pathLen
	n.omitted = p.omitted
	return uint32(id)
}

func unfoldsTooFar(pos int) error {
	return fmt.Errorf("%w: its members unfold to more than %d bytes, at byte %d", ErrTooLarge, maxUnfolded, pos)
}

// member reads the name whose opening quote stands at pos, adds its node, and
// returns where the name ends.
func (b *Body) member(parent uint32, pos int) (id uint32, next int, err error) {
	stop := simpleRun(b.src, pos+1)
	start, end, next := uint32(pos+1), uint32(stop), stop+1
	if b.peek(stop) != '"' {
		if start, end, next, err = b.strangeName(pos); err != nil {
			return 0, 0, err
		}
	}
	id = b.child(parent, start, end)
	if b.unfolded > maxUnfolded {
		return 0, 0, unfoldsTooFar(next)
	}
	first := head(b.arena, start, end)
	if b.rules.notes(first) {
		b.note(id, parent, b.arena[start:end])
	}
	b.siblings = append(b.siblings, sibling{head: first, id: id})
	return id, next, nil
}

// strangeName reads a name that simpleRun cannot. It says where in the arena it
// stands as paths have it, and where what follows it begins.
func (b *Body) strangeName(pos int) (start, end uint32, next int, err error) {
	if start, end, next, err = b.text(pos); err != nil {
		return 0, 0, 0, err
	}
	if !isSimple(b.arena[start:end]) {
		b.simple = false
		start, end = b.escapeColons(start, end)
	}
	return start, end, next, nil
}

// note marks a member that the rules leave out, and remembers those in which a
// signature may stand.
func (b *Body) note(id, parent uint32, name []byte) {
	if b.rules.omits(name) {
		b.nodes[id].omitted = true
	}
	switch {
	case parent == root && string(name) == "signature":
		b.topSig = id
	case parent == root && string(name) == "general":
		b.general = id
	case parent == b.general && string(name) == "signature":
		b.generalSig = id
	}
}

// isSimple says whether a name is made of bytes behind ':' only, as nearly all
// names are: letters, '_', anything not ASCII. See [Body.link] for what it
// buys.
func isSimple(name []byte) bool {
	for _, c := range name {
		if c <= ':' {
			return false
		}
	}
	return true
}

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

func (b *Body) stringValue(id uint32, pos int) (int, error) {
	start, end, next, err := b.text(pos)
	if err != nil {
		return 0, err
	}
	b.setText(id, KindString, start, end, true)
	return next, nil
}

func (b *Body) setText(id uint32, kind Kind, start, end uint32, verbatim bool) {
	n := &b.nodes[id]
	n.kind, n.verbatim = kind, verbatim
	n.text, n.textEnd = start, end
}

// word reads true, false or null; the last has no text.
func (b *Body) word(id uint32, pos int, kind Kind, word string) (int, error) {
	next := pos + len(word)
	if next > len(b.src) || string(b.src[pos:next]) != word {
		return 0, malformed(pos, "no JSON value")
	}
	end := next
	if kind == KindNull {
		end = pos
	}
	b.setText(id, kind, uint32(pos), uint32(end), false)
	return next, nil
}

// number reads a number. An integer stands in its line as it does in the body;
// of others the rules decide.
func (b *Body) number(id uint32, pos int) (int, error) {
	end, integer, err := b.skipNumber(pos)
	if err != nil {
		return 0, err
	}
	b.setText(id, KindNumber, uint32(pos), uint32(end), integer)
	return end, nil
}

// skipNumber is where the number at pos ends, by the grammar of RFC 8259. An
// integer is one without fraction and exponent, other than -0: which integer
// that is, the rules decide.
func (b *Body) skipNumber(pos int) (end int, integer bool, err error) {
	negative := b.peek(pos) == '-'
	if negative {
		pos++
	}
	integer = true
	end = b.digits(pos)
	if b.peek(pos) == '0' {
		end = pos + 1
		integer = !negative
	}
	if end > pos && b.peek(end) == '.' {
		integer = false
		pos = end + 1
		end = b.digits(pos)
	}
	if c := b.peek(end); end > pos && (c == 'e' || c == 'E') {
		integer = false
		pos = end + 1
		if c := b.peek(pos); c == '+' || c == '-' {
			pos++
		}
		end = b.digits(pos)
	}
	if end == pos {
		return 0, false, malformed(pos, "a number lacks a digit")
	}
	return end, integer, nil
}

// digits is where the digits end that stand at pos.
func (b *Body) digits(pos int) int {
	for isDigit(b.peek(pos)) {
		pos++
	}
	return pos
}

// text reads the string whose opening quote stands at pos. It says where in the
// arena it stands decoded, in the body itself if there is no escape in it, and
// where what follows it begins.
func (b *Body) text(pos int) (start, end uint32, next int, err error) {
	stop, ascii := plainRun(b.src, pos+1)
	if stop < len(b.src) && b.src[stop] == '"' && (ascii || utf8.Valid(b.src[pos+1:stop])) {
		return uint32(pos + 1), uint32(stop), stop + 1, nil
	}
	return b.decode(pos)
}

// decode is text for strings with escapes, and finds what is wrong with those
// that are none. It appends the decoded text to the arena.
func (b *Body) decode(pos int) (start, end uint32, next int, err error) {
	begin := len(b.arena)
	pos++
	for {
		stop, ascii := plainRun(b.src, pos)
		run := b.src[pos:stop]
		if !ascii && !utf8.Valid(run) {
			return 0, 0, 0, malformed(pos, "invalid UTF-8 in the string")
		}
		b.arena = append(b.arena, run...)
		pos = stop
		switch c := b.peek(pos); {
		case c == '"':
			return uint32(begin), uint32(len(b.arena)), pos + 1, nil
		case c == '\\':
			if pos, err = b.escape(pos); err != nil {
				return 0, 0, 0, err
			}
		case pos >= len(b.src):
			return 0, 0, 0, malformed(pos, "the body ends inside a string")
		default:
			return 0, 0, 0, malformed(pos, "a control character in a string")
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
		if stop := special(w) &^ w & highs; stop != 0 {
			seen |= w & (stop ^ (stop - 1)) // up to the byte that is marked, which is ASCII
			return i + lowest(stop), seen&highs == 0
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

// asciiRun is plainRun for what nearly all strings are, and small enough to be
// inlined: it ends also before bytes above 0x7f, and less than eight bytes
// before the end of the body. What ends there with a quote is a string that
// needs no second look.
func asciiRun(src []byte, start int) int {
	i := max(start, 0) // never below; it spares each word the checks of its bounds
	for ; i <= len(src)-8; i += 8 {
		w := word(src, i)
		if stop := (special(w) | w) & highs; stop != 0 {
			return i + lowest(stop)
		}
	}
	return i
}

// simpleRun is asciiRun for names: it ends also before a ':' or a byte before
// it. What ends there with a quote is a name that is simple.
func simpleRun(src []byte, start int) int {
	i := max(start, 0) // as in asciiRun
	for ; i <= len(src)-8; i += 8 {
		w := word(src, i)
		if stop := (notSimple(w) | w) & highs; stop != 0 {
			return i + lowest(stop)
		}
	}
	return i
}

// special marks the first byte of w, in the order of memory, that is a quote, a
// backslash or a control character, if the bytes up to it are ASCII: the high
// bit of each byte that is marked is set. Bytes that are not ASCII may be
// marked too. Of the bytes behind the first one some are marked that should not
// be: a subtraction that goes below zero borrows from them.
func special(w uint64) uint64 {
	return (w - ones*' ') | (w ^ ones*'"' - ones) | (w ^ ones*'\\' - ones)
}

// notSimple marks the first backslash, ':', or byte before that, as special
// marks its ones. A quote and control characters are among them.
func notSimple(w uint64) uint64 {
	return (w - ones*(':'+1)) | (w ^ ones*'\\' - ones)
}

// lowest is the number of the first byte, in the order of memory, that is marked.
func lowest(marks uint64) int { return bits.TrailingZeros64(marks) / 8 }

func word(s []byte, i int) uint64 { return binary.LittleEndian.Uint64(s[i : i+8]) }

// escape decodes the escape at pos to the end of the arena, and returns where
// it ends.
func (b *Body) escape(pos int) (int, error) {
	if pos+1 >= len(b.src) {
		return 0, malformed(pos, "the body ends inside a string")
	}
	c := b.src[pos+1]
	if c == 'u' {
		return b.unicodeEscape(pos)
	}
	plain := unescaped(c)
	if plain == 0 {
		return 0, malformed(pos, "an unknown escape in a string")
	}
	b.arena = append(b.arena, plain)
	return pos + 2, nil
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

func (b *Body) unicodeEscape(pos int) (int, error) {
	high, ok := b.hex(pos)
	if !ok {
		return 0, malformed(pos, "a bad \\u escape in a string")
	}
	if high < 0xd800 || high > 0xdfff {
		b.arena = utf8.AppendRune(b.arena, high)
		return pos + 6, nil
	}
	low, ok := b.hex(pos + 6)
	if !ok || high > 0xdbff || low < 0xdc00 || low > 0xdfff {
		return 0, malformed(pos, "a lone surrogate in a string")
	}
	b.arena = utf8.AppendRune(b.arena, 0x10000+(high-0xd800)<<10+(low-0xdc00))
	return pos + 12, nil
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
