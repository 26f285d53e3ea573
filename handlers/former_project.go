package handlers

import (
	"sync/atomic"

	"tolem/highhelp"
	"tolem/store"
)

// formerProjects are the projects that the books know and the configuration does
// not: taken out of it too early, or never put in after a move. A message that
// names one is refused like any other, but it may be the platform's.
type formerProjects struct {
	known atomic.Pointer[map[projectName]bool]
}

type projectName struct{ provider, id string }

func (f *formerProjects) has(provider, id string) bool {
	known := f.known.Load()
	return known != nil && (*known)[projectName{provider, id}]
}

// reason is why a message is refused that names no configured project.
func (f *formerProjects) reason(provider, id string) signatureReason {
	if f.has(provider, id) {
		return reasonNotConfigured
	}
	return reasonUnknownProject
}

// NoteProjects takes the projects that the books know, and returns those that are
// not configured. Refusals of their messages are from now on counted apart from
// those of projects that were never here; their answers are the same.
func (s *Server) NoteProjects(known []store.Project) (former []store.Project) {
	names := make(map[projectName]bool)
	for _, p := range known {
		configured := p.Provider == provider && s.projects.byID[p.ID] != nil ||
			p.Provider == highhelp.Provider && s.highhelp.projects[p.ID] != nil
		if !configured {
			names[projectName{p.Provider, p.ID}] = true
			former = append(former, p)
		}
	}
	s.former.known.Store(&names)
	return former
}
