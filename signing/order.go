package signing

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"unsafe"
)

// line is a scalar's line in Body.written: its path, then ':' and the value.
type line struct{ path, pathEnd, end uint32 }

const lineSize = int(unsafe.Sizeof(line{}))

// order compares the lines x and y, which stand in text.
type order func(text []byte, x, y line) int

// naturally is PHP's ksort with SORT_NATURAL on the paths: what the reference
// SDK signs in.
func naturally(text []byte, x, y line) int {
	return compareNatural(text[x.path:x.pathEnd], text[y.path:y.pathEnd])
}

// byPath is the byte order of the paths: Python's SDK.
func byPath(text []byte, x, y line) int {
	return bytes.Compare(text[x.path:x.pathEnd], text[y.path:y.pathEnd])
}

// byLine is the byte order of whole lines: JetPay's SDKs in Go and Java, and
// HighHelp.
func byLine(text []byte, x, y line) int {
	return bytes.Compare(text[x.path:x.end], text[y.path:y.end])
}

// Canonical is the string to sign: the lines in natural order of their paths,
// joined with ';'. A body without lines gives "".
//
// Lines whose paths are the same in natural order ("a 1" and "a1", "01" and
// "1") keep the order of the document, as PHP's stable sort does. Two different
// structures can join to one path ({"a":{"":{"b":1}}} and {"a:b":1}); inside
// one body both lines are kept, in the order of the document. PHP would keep
// the last value only, which would leave the first one unsigned.
func (b *Body) Canonical() string { return string(b.canonical()) }

func (b *Body) canonical() []byte {
	if b.ready {
		return b.joined
	}
	b.ready = true
	if b.simple {
		b.prefix = b.prefix[:0]
		b.joined = trimSeparator(b.writeChain(b.joined[:0], root))
		return b.joined
	}
	b.writeLines(&b.rules)
	b.orders[0] = b.sortLines(b.orders[0], naturally)
	b.joined = b.join(b.joined[:0], b.orders[0])
	return b.joined
}

// writeChain appends the lines below a node, each with a ';' behind it, in the
// order in which link has chained them.
func (b *Body) writeChain(dst []byte, id uint32) []byte {
	for id = b.nodes[id].first; id != 0; id = b.nodes[id].next {
		n := &b.nodes[id]
		switch {
		case n.omitted:
		case n.first != 0:
			above := len(b.prefix)
			b.prefix = append(b.prefix, b.arena[n.name:n.nameEnd]...)
			b.prefix = append(b.prefix, ':')
			dst = b.writeChain(dst, id)
			b.prefix = b.prefix[:above]
		case n.verbatim:
			dst = appendShort(dst, b.prefix)
			dst = append(appendShort(dst, b.arena[n.name:n.nameEnd]), ':')
			dst = append(appendShort(dst, b.arena[n.text:n.textEnd]), ';')
		case n.kind < KindObject:
			dst = append(dst, b.prefix...)
			dst = append(append(dst, b.arena[n.name:n.nameEnd]...), ':')
			dst = append(b.rules.render(dst, n.kind, b.arena[n.text:n.textEnd]), ';')
		}
	}
	return dst
}

// appendShort is append, faster for the few bytes that names and values have:
// it copies 16 at once, also what stands behind a shorter text.
func appendShort(dst, text []byte) []byte {
	n, size := len(dst), len(text)
	if size > 16 || cap(dst)-n < 16 || cap(text) < 16 {
		return append(dst, text...)
	}
	to, from := dst[n:n+16], text[:16]
	binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from))
	binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(from[8:]))
	return dst[:n+size]
}

// writeLines writes all lines in full, as r has them, in the order of the
// document. Only the orders that compare paths or lines as a whole need it.
func (b *Body) writeLines(r *rules) {
	out := b.written[:0]
	b.lines = b.lines[:0]
	for i := 1; i < len(b.nodes); i++ {
		n := &b.nodes[i]
		if n.omitted && r.omits != nil {
			continue
		}
		n.path = uint32(len(out))
		if n.parent != root {
			p := &b.nodes[n.parent]
			out = append(out, out[p.path:p.path+p.pathLen]...)
			out = append(out, ':')
		}
		out = b.appendName(out, n, r)
		n.pathLen = uint32(len(out)) - n.path // a name is shorter where its colons are not doubled
		if n.kind >= KindObject || n.kind == KindNull && r.skipNull {
			continue
		}
		l := line{path: n.path, pathEnd: uint32(len(out))}
		out = append(out, ':')
		if text := b.arena[n.text:n.textEnd]; n.verbatim {
			out = append(out, text...)
		} else {
			out = r.render(out, n.kind, text)
		}
		l.end = uint32(len(out))
		b.lines = append(b.lines, l)
	}
	b.written = out
}

// appendName appends a name as it stands in paths under r. Names are kept with
// their colons doubled; halving them gives back what stood in the body.
func (b *Body) appendName(dst []byte, n *node, r *rules) []byte {
	name := b.arena[n.name:n.nameEnd]
	if b.simple || r.doubleColons == b.rules.doubleColons {
		return append(dst, name...)
	}
	for i := 0; i < len(name); i++ {
		dst = append(dst, name[i])
		if name[i] == ':' {
			i++
		}
	}
	return dst
}

// sortLines writes the lines over dst, sorted. What compares equal keeps the
// order of the document, so the result does not depend on the algorithm.
func (b *Body) sortLines(dst []line, by order) []line {
	dst = append(dst[:0], b.lines...)
	slices.SortFunc(dst, func(x, y line) int {
		if c := by(b.written, x, y); c != 0 {
			return c
		}
		return cmp.Compare(x.path, y.path)
	})
	return dst
}

// join appends the lines, joined with ';'.
func (b *Body) join(dst []byte, lines []line) []byte {
	for _, l := range lines {
		dst = append(dst, b.written[l.path:l.end]...)
		dst = append(dst, ';')
	}
	return trimSeparator(dst)
}

func trimSeparator(joined []byte) []byte {
	if len(joined) == 0 {
		return joined
	}
	return joined[:len(joined)-1]
}

// compareNatural orders two strings as PHP 8's strnatcmp does, with case.
func compareNatural(a, b []byte) int {
	// Equal text up to a ':' leaves the comparison in a clean state, neither
	// inside a number nor after a blank, so it can be skipped at full speed.
	// It also bounds the work on hostile bodies with long common names.
	if at := bytes.LastIndexByte(a[:commonPrefix(a, b)], ':') + 1; at > 0 {
		return naturalTail(a, b, at, at)
	}
	if len(a) == 0 || len(b) == 0 {
		return cmp.Compare(len(a), len(b))
	}
	return naturalTail(a, b, leadingZeros(a), leadingZeros(b))
}

// leadingZeros counts the zeros that stand before another digit at the very
// beginning; PHP ignores those, there and nowhere else.
func leadingZeros(s []byte) int {
	i := 0
	for i+1 < len(s) && s[i] == '0' && isDigit(s[i+1]) {
		i++
	}
	return i
}

// naturalTail compares a from i with b from j. Past the end a string reads as
// NUL, as it does in PHP: "a " and "a\x00" are the same to it.
func naturalTail(a, b []byte, i, j int) int {
	if i >= len(a) || j >= len(b) {
		return ended(i >= len(a), j >= len(b))
	}
	for {
		i, j = skipBlanks(a, i), skipBlanks(b, j)
		x, y := at(a, i), at(b, j)
		if isDigit(x) && isDigit(y) {
			var c int
			if i, j, c = compareDigits(a, b, i, j); c != 0 {
				return c
			}
			if i == len(a) || j == len(b) {
				return ended(i == len(a), j == len(b))
			}
			// A blank right after a number is compared, not skipped.
			x, y = a[i], b[j]
		}
		if x != y {
			return cmp.Compare(x, y)
		}
		i++
		j++
		if i >= len(a) || j >= len(b) {
			return ended(i >= len(a), j >= len(b))
		}
	}
}

// ended decides when at least one of the strings has ended: the one that has
// is the smaller.
func ended(a, b bool) int {
	switch {
	case a && b:
		return 0
	case a:
		return -1
	}
	return 1
}

// compareDigits compares the runs of digits at a[i] and b[j] and returns where
// they end. If either begins with a zero they are fractions: the first
// different digit decides. Otherwise the longer run is the greater.
func compareDigits(a, b []byte, i, j int) (int, int, int) {
	fraction := a[i] == '0' || b[j] == '0'
	bias := 0
	for ; ; i, j = i+1, j+1 {
		x, y := isDigit(at(a, i)), isDigit(at(b, j))
		switch {
		case !x && !y:
			return i, j, bias
		case !x:
			return i, j, -1
		case !y:
			return i, j, 1
		}
		if bias == 0 {
			bias = cmp.Compare(a[i], b[j])
		}
		if fraction && bias != 0 {
			return i, j, bias
		}
	}
}

func skipBlanks(s []byte, i int) int {
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	return i
}

func at(s []byte, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isBlank is C's isspace in the C locale.
func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+8 <= n && word(a, i) == word(b, i) {
		i += 8
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}
