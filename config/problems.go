package config

import (
	"fmt"
	"slices"
	"strings"
)

// maxProblems bounds the number of reported problems.
const maxProblems = 100

// Problem is one thing that is wrong with a configuration. It never holds a value from the configuration.
type Problem struct {
	Key   string // the full key, e.g. jetpay.projects[0].secrets; the file's name if the file as a whole is meant
	Text  string // what is wrong and what to do
	Where string // "line 12", the name of a variable, or empty
}

// String is the problem on one line, starting with its key.
func (p Problem) String() string {
	if p.Where == "" {
		return p.Key + ": " + p.Text
	}
	return p.Key + ": " + p.Text + " (" + p.Where + ")"
}

// Problems is everything that is wrong with a configuration, and the error of [Load].
type Problems struct {
	List []Problem
	More int // how many were found beyond those listed
}

// Error gives one line per problem.
func (p *Problems) Error() string {
	lines := make([]string, 0, len(p.List)+1)
	for _, problem := range p.List {
		lines = append(lines, problem.String())
	}
	if p.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more problems", p.More))
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(problem Problem) {
	if len(p.List) == maxProblems {
		p.More++
		return
	}
	p.List = append(p.List, problem)
}

// touch reports whether a problem is already known for key, for a member of it, or for a section around it. Problems
// that follow from a known one are not reported.
func (p *Problems) touch(key string) bool {
	return slices.ContainsFunc(p.List, func(known Problem) bool {
		return within(known.Key, key) || within(key, known.Key)
	})
}

// within reports whether inner is outer or one of its members or elements.
func within(inner, outer string) bool {
	rest, ok := strings.CutPrefix(inner, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// orNil keeps an empty list from becoming an error.
func (p *Problems) orNil() error {
	if len(p.List) == 0 {
		return nil
	}
	return p
}
