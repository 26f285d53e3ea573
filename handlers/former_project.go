package handlers

import (
	"sync/atomic"

	"tolem/highhelp"
	"tolem/jetpay"
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

// isConfigured reports whether a provider's project is in the configuration.
func (s *Server) isConfigured(provider, id string) bool {
	now := s.settings.Load()
	return provider == jetpay.Provider && now.projects.Has(id) ||
		provider == highhelp.Provider && now.highhelp.projects[id] != nil
}

// NoteProjects takes the projects that the books know, and returns those that are
// not configured. Refusals of their messages are from now on counted apart from
// those of projects that were never here; their answers are the same.
func (s *Server) NoteProjects(known []store.Project) (former []store.Project) {
	names := make(map[projectName]bool)
	for _, p := range known {
		if !s.isConfigured(p.Provider, p.ID) {
			names[projectName{p.Provider, p.ID}] = true
			former = append(former, p)
		}
	}
	s.former.known.Store(&names)
	return former
}
