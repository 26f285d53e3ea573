package signing

import "bytes"

// The scheme joins names and values without escaping the values, so two
// different bodies can have one string to sign. Whoever can have a text of his
// own signed, an account number that he typed, say, can have lines signed in it
// and cut the signed string anew. What follows lets a caller see it.

// SignedBeginsWith reports whether the string whose signature was verified
// begins with a line whose first name is this one. It is false before a
// successful Verify.
func (b *Body) SignedBeginsWith(name string) bool {
	rest, ok := bytes.CutPrefix(b.signed, []byte(name))
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
