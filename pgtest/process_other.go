//go:build !unix

package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

const (
	fast      = syscall.SIGINT
	immediate = syscall.SIGQUIT
	suspend   = syscall.SIGINT // never sent: no server is started
	resume    = syscall.SIGINT
)

type credential struct{}

// account refuses: servers are started on Unix alone.
func account() (*credential, error) {
	return nil, errors.New("a PostgreSQL server is started on Unix only; set " + Variable + " to the URL of one")
}

func own(string, *credential) error { return os.ErrInvalid }

func as(*exec.Cmd, *credential) {}
