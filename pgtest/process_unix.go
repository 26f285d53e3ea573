//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// The signals that PostgreSQL's first process understands.
const (
	fast      = syscall.SIGINT  // ends the sessions, writes everything out, ends
	immediate = syscall.SIGQUIT // ends at once, as a crash: the next start recovers
)

// The signals that no process can refuse.
const (
	suspend = syscall.SIGSTOP
	resume  = syscall.SIGCONT
)

// account is who runs the server: nil is who runs the tests, unless that is
// root, whom PostgreSQL refuses.
func account() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("the user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody to run it")
}

// own gives a file or folder to who runs the server.
func own(path string, who *syscall.Credential) error {
	if who == nil {
		return nil
	}
	return os.Chown(path, int(who.Uid), int(who.Gid))
}

// as makes a command run as another user, unaffected by the terminal's Ctrl-C:
// the tests end first, then their server.
func as(command *exec.Cmd, who *syscall.Credential) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who}
}
