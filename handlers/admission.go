package handlers

import "tolem/topup"

// maxUnderWay is how many messages of providers are worked on at the same time:
// a batch of the writer, so that one can fill while another is brought to the
// disk, and a burst of two hundred copies is let in whole. More would not be
// faster, they would only wait longer, and a platform that is told at once to
// come again is better served than one that waits until it gives up.
const maxUnderWay = 256

// errBusy refuses a message before it is looked at: no work is lost, and the
// answer comes quickly.
var errBusy = topup.Unavailable("too many requests are under way")

// enter lets a provider's message in, unless as many as the server can carry are
// under way; leave follows either way. It comes after the body has been read:
// who sends slowly keeps nobody out.
func (s *Server) enter() bool { return s.underWay.Add(1) <= maxUnderWay }

func (s *Server) leave() { s.underWay.Add(-1) }
