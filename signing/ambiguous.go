package signing

import "bytes"

// The schemes join names and values without escaping the values, so two
// different bodies can have one string to sign. Whoever can have a text of his
// own signed, an account number that he typed, say, can have lines signed in it
// and cut the signed string anew. What follows lets a caller see it.
//
// Where a line of his is read in the place of one that was signed, the latter
// must have gone elsewhere, for no object has a name twice. Either it stands in
// the middle of a line, and then a name or a text hides it; or it is a line still,
// and then its names are cut otherwise. The Gate doubles a ':' in a name, so that
// its lines have one cut only, up to the value. HighHelp does not.

// SignedBeginsWith reports whether the string whose signature was verified
// begins with a line whose first name is this one. Of a body whose signature was
// not verified here, a stored message, it reports whether the string does in any
// of the orders in which it may have been signed.
func (b *Body) SignedBeginsWith(name string) bool {
	if b.signed != nil {
		return beginsWith(b.signed, name)
	}
	b.writeLines(&b.rules)
	for _, by := range [...]order{naturally, byPath, byLine} {
		if lines := b.sortLines(nil, by); len(lines) > 0 && beginsWith(b.written[lines[0].path:lines[0].end], name) {
			return true
		}
	}
	return false
}

func beginsWith(text []byte, name string) bool {
	rest, ok := bytes.CutPrefix(text, []byte(name))
	return ok && len(rest) > 0 && rest[0] == ':'
}

// HidesLine reports whether a name or a text of the body holds a line of one of
// these names: where lines were cut anew, those that stood there before are
// hidden in a value.
func (b *Body) HidesLine(names ...string) bool {
	for i := 1; i < len(b.nodes); i++ {
		n := &b.nodes[i]
		if hidesLine(b.arena[n.name:n.nameEnd], names) || hidesLine(b.arena[n.text:n.textEnd], names) {
			return true
		}
	}
	return false
}

// HasColonInName reports whether a name in the body holds a ':'. HighHelp signs
// {"a:b":1} and {"a":{"b":1}} as one line: with such a name, a line that was
// signed is put out of the way of another one.
func (b *Body) HasColonInName() bool {
	for i := 1; i < len(b.nodes); i++ {
		n := &b.nodes[i]
		if bytes.IndexByte(b.arena[n.name:n.nameEnd], ':') >= 0 {
			return true
		}
	}
	return false
}

func hidesLine(text []byte, names []string) bool {
	for {
		_, after, found := bytes.Cut(text, []byte(";"))
		if !found {
			return false
		}
		for _, name := range names {
			if rest, ok := bytes.CutPrefix(after, []byte(name)); ok && (len(rest) == 0 || rest[0] == ':') {
				return true
			}
		}
		text = after
	}
}
