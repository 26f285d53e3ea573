package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// port is part of the socket's name only: nothing listens on TCP.
	port = "5432"
	// longestSocket is what every system's socket names have room for.
	longestSocket = 103
	// stopTime is how long a server may take to write everything out.
	stopTime = time.Minute
	// tail is how much of the server's log an error includes, in bytes.
	tail = 2000
)

// Options are a server's. The zero value has PostgreSQL's defaults, with room
// for 200 connections.
type Options struct {
	// Settings are handed over as -c name=value.
	Settings map[string]string
	// Folder is where the server's own folder is made; the default is the
	// system's folder for temporary files. A benchmark wants the disk that it
	// measures.
	Folder string
}

// Server is a PostgreSQL server of our own, on a socket of its own. It ends
// with this process, however that ends, and its folder with it.
//
// Its methods are not for several goroutines at once, except URL.
type Server struct {
	options  Options
	programs string
	folder   string
	run      func(name string, args ...string) *exec.Cmd
	guard    *guard

	process   *exec.Cmd
	ended     chan struct{} // closed when process has ended
	stopped   bool
	suspended []int // the processes that Suspend has stopped
}

// Start makes a new, empty server and waits until it answers. The context
// limits the start alone. ErrNotInstalled: there is nothing to start.
func Start(ctx context.Context, options Options) (*Server, error) {
	programs, err := Programs()
	if err != nil {
		return nil, err
	}
	s := &Server{options: options, programs: programs}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := s.initialise(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// URL is the URL of a database of this server; "postgres" is always there.
func (s *Server) URL(database string) string {
	query := url.Values{"host": {s.folder}, "port": {port}, "sslmode": {"disable"}, "connect_timeout": {"10"}}
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

// Stop ends the server, fast but cleanly, and removes its folder. A second call
// does nothing.
func (s *Server) Stop() error {
	if s.stopped {
		return nil
	}
	s.stopped = true
	err := s.end(fast)
	return errors.Join(err, s.guard.release())
}

// Kill ends the server as a crash does: nothing is written out, every
// connection breaks. Restart recovers it.
func (s *Server) Kill() error {
	return s.end(immediate)
}

// Suspend stops all of the server's processes, as a machine that hangs does:
// connections stay, new ones are taken by the kernel, and nothing is answered,
// until Resume.
func (s *Server) Suspend(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	// The first process is stopped first, so that no other begins meanwhile.
	if err := s.signal(suspend, s.process.Process.Pid); err != nil {
		return err
	}
	s.suspended = []int{s.process.Process.Pid}
	rows, err := conn.Query(ctx, `SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()`)
	if err != nil {
		return err
	}
	others, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return err
	}
	s.suspended = append(s.suspended, others...)
	return errors.Join(s.signal(suspend, others...), conn.Close(ctx))
}

// Resume lets the server go on after Suspend.
func (s *Server) Resume() error {
	stopped := s.suspended
	s.suspended = nil
	return s.signal(resume, stopped...)
}

func (s *Server) signal(signal os.Signal, processes ...int) (err error) {
	for _, pid := range processes {
		process, found := os.FindProcess(pid)
		if found != nil {
			return found
		}
		if failed := process.Signal(signal); failed != nil && !errors.Is(failed, os.ErrProcessDone) {
			err = errors.Join(err, fmt.Errorf("%v to process %d of PostgreSQL: %w", signal, pid, failed))
		}
	}
	return err
}

// Restart starts the server again, and ends it cleanly before that where it
// still runs. Its URLs stay as they are.
func (s *Server) Restart(ctx context.Context) error {
	if s.stopped {
		return errors.New("restart PostgreSQL: it was stopped, and its folder is gone")
	}
	if err := s.end(fast); err != nil {
		return err
	}
	return s.start(ctx)
}

// prepare makes the server's folder, for the user that will run it.
func (s *Server) prepare() error {
	who, err := account()
	if err != nil {
		return err
	}
	s.folder, err = os.MkdirTemp(s.options.Folder, "tolem-pg-")
	if err != nil {
		return err
	}
	if s.folder, err = filepath.Abs(s.folder); err != nil {
		return err
	}
	s.run = func(name string, args ...string) *exec.Cmd {
		command := exec.Command(filepath.Join(s.programs, name), args...)
		command.Dir = s.folder
		// Nothing of PGDATA, PGOPTIONS or the user's language.
		command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
		as(command, who)
		return command
	}
	if s.guard, err = watch(s.folder, "data/postmaster.pid", "QUIT"); err != nil {
		return errors.Join(err, os.RemoveAll(s.folder))
	}
	if len(s.socket()) > longestSocket {
		return errors.Join(fmt.Errorf("the folder %s is too deep for a socket; set TMPDIR to a shorter one", s.folder), s.guard.release())
	}
	if err := own(s.folder, who); err != nil {
		return errors.Join(err, s.guard.release())
	}
	return nil
}

func (s *Server) data() string    { return filepath.Join(s.folder, "data") }
func (s *Server) logFile() string { return filepath.Join(s.folder, "log") }
func (s *Server) socket() string  { return filepath.Join(s.folder, ".s.PGSQL."+port) }

// initialise makes the server's files. Text sorts as in English where the server
// can do that without the system's help: a column that must sort by bytes and
// does not say so is then found by a test.
func (s *Server) initialise(ctx context.Context) error {
	english := []string{"--locale-provider=icu", "--icu-locale=en"}
	err := s.initdb(ctx, english...)
	if err != nil && ctx.Err() == nil {
		err = s.initdb(ctx) // before PostgreSQL 15, or built without ICU
	}
	return err
}

func (s *Server) initdb(ctx context.Context, more ...string) error {
	// --no-sync is about the files of the empty server, not about what is
	// written to it later.
	args := append([]string{"--pgdata", s.data(), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"}, more...)
	command := s.run("initdb", args...)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	err := command.Start()
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("initdb: %w: the user that runs PostgreSQL must be able to enter %s; set TMPDIR to a folder that is open to all", err, filepath.Dir(s.folder))
	}
	if err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = command.Process.Kill() })()
	if err := command.Wait(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// start starts the server on its files, and waits until it answers.
func (s *Server) start(ctx context.Context) error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer log.Close()
	s.process = s.run("postgres", s.arguments()...)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.process = nil
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.ended = make(chan struct{})
	go s.wait(s.process, s.ended)
	return s.answers(ctx)
}

// wait keeps s, and so the guard's pipe, from the garbage collector for as long
// as the server runs.
func (s *Server) wait(process *exec.Cmd, ended chan struct{}) {
	_ = process.Wait()
	close(ended)
	runtime.KeepAlive(s)
}

func (s *Server) arguments() []string {
	args := []string{"-D", s.data(), "-k", s.folder, "-p", port, "-c", "listen_addresses=", "-c", "max_connections=200"}
	for name, value := range s.options.Settings {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

// answers waits until the server takes connections.
func (s *Server) answers(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.ended:
			return fmt.Errorf("start PostgreSQL: it ended at once\n%s", s.lastWords())
		default:
		}
		if !pause(ctx, retryEvery) {
			return fmt.Errorf("start PostgreSQL: it does not answer: %w\n%s", err, s.lastWords())
		}
	}
}

// lastWords is the end of the server's log.
func (s *Server) lastWords() []byte {
	log, err := os.ReadFile(s.logFile())
	if err != nil {
		return nil
	}
	return bytes.TrimSpace(log[max(0, len(log)-tail):])
}

// end ends a running server by a signal, and harder where that takes too long.
func (s *Server) end(signal os.Signal) error {
	if s.process == nil {
		return nil
	}
	defer func() { s.process = nil }()
	if err := s.Resume(); err != nil {
		return err
	}
	for _, next := range []os.Signal{signal, immediate, os.Kill} {
		if err := s.process.Process.Signal(next); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop PostgreSQL: %w", err)
		}
		timer := time.NewTimer(stopTime)
		defer timer.Stop()
		select {
		case <-s.ended:
			return nil
		case <-timer.C:
		}
	}
	return errors.New("stop PostgreSQL: it does not end")
}

// guard is a shell that ends a program and removes its folder when this process
// has gone, whatever became of it: a pipe's end is closed by the kernel.
type guard struct {
	shell *exec.Cmd
	pipe  io.WriteCloser
}

// guardScript waits for the end of the pipe. After Stop there is no file with the
// program's process id, and it only tidies up.
const guardScript = `
trap '' HUP INT TERM
read -r _
if read -r pid 2>/dev/null <"$1/$2" && kill "-$3" "$pid" 2>/dev/null; then
	turns=0
	while [ -e "$1/$2" ] && [ "$turns" -lt 100 ]; do
		sleep 0.1
		turns=$((turns + 1))
	done
fi
rm -rf "$1"
`

// watch guards the folder of a program that writes its process id into pidFile
// there, and ends at once, removing that file, at the signal.
func watch(folder, pidFile, signal string) (*guard, error) {
	return newGuard(guardScript, folder, pidFile, signal)
}

// newGuard starts a shell that reads to the end of its input before it does anything.
func newGuard(script string, args ...string) (*guard, error) {
	g := &guard{shell: exec.Command("/bin/sh", append([]string{"-c", script, "sh"}, args...)...)}
	as(g.shell, nil)
	pipe, err := g.shell.StdinPipe()
	if err != nil {
		return nil, err
	}
	g.pipe = pipe
	return g, g.shell.Start()
}

// release lets the shell remove the folder, and waits for that.
func (g *guard) release() error {
	if err := errors.Join(g.pipe.Close(), g.shell.Wait()); err != nil {
		return fmt.Errorf("remove the folder: %w", err)
	}
	return nil
}
