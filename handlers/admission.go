package handlers

import "tolem/topup"

// maxUnderWay is how many messages of providers are worked on at the same time:
// a batch of the writer, so that one can fill while another is brought to the
// disk, and a burst of two hundred copies is let in whole. More would not be
// faster, they would only wait longer, and a platform that is told at once to
// come again is better served than one that waits until it gives up.
const maxUnderWay = 256

// maxLarge is how many messages of more than largeBody bytes are read and worked
// on at the same time. An honest one has two thousand; one of 1 MiB takes many
// times its size, and a tenth of a second of computing before its signature is
// found wrong, and anybody can send it.
const (
	maxLarge  = 4
	largeBody = maxPooled
)

// errBusy refuses a message before it is looked at: no work is lost, and the
// answer comes quickly.
var errBusy = topup.Unavailable("too many requests are under way")

// enter lets a provider's message in, unless as many as the server can carry are
// under way; leave follows either way. It comes after the body has been read:
// who sends slowly keeps nobody out.
func (s *Server) enter() bool { return s.underWay.Add(1) <= maxUnderWay }

func (s *Server) leave() { s.underWay.Add(-1) }

// enterLarge lets a message be larger than largeBody, unless as many large ones
// as the server can carry are under way. It comes before the rest of the body is
// read; giveBack ends it.
func (s *Server) enterLarge(x *exchange) bool {
	x.large = s.largeUnderWay.Add(1) <= maxLarge
	if !x.large {
		s.largeUnderWay.Add(-1)
	}
	return x.large
}
