// Server runs a command with a PostgreSQL server for its tests:
//
//	go run ./pgtest/server -- go test ./store
//
// starts a server, runs the command with its URL in TOLEM_TEST_POSTGRES, stops
// the server and exits as the command did. With -folder the server's files are in
// a folder below that one, and not below the system's for temporary files. Where TOLEM_TEST_POSTGRES is set
// already, or no server is installed, it just runs the command, whose tests
// know what to do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"tolem/pgtest"
)

func main() {
	code, err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest/server:", err)
	}
	os.Exit(code)
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int, err error) {
	flags := flag.NewFlagSet("pgtest/server", flag.ContinueOnError)
	flags.SetOutput(stderr)
	folder := flags.String("folder", "", "where the server's folder is made")
	if err := flags.Parse(args); err != nil {
		return 2, err
	}
	if args = flags.Args(); len(args) == 0 {
		return 2, errors.New("name the command to run: go run ./pgtest/server -- go test ./store")
	}
	// Ctrl-C reaches the command too; it ends first, and the server after it.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)

	command := exec.Command(args[0], args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = stdin, stdout, stderr
	if os.Getenv(pgtest.Variable) == "" {
		server, startErr := pgtest.Start(ctx, pgtest.Options{Folder: *folder})
		switch {
		case errors.Is(startErr, pgtest.ErrNotInstalled):
			fmt.Fprintln(stderr, startErr)
		case startErr != nil:
			return 1, startErr
		default:
			defer func() { err = errors.Join(err, server.Stop()) }()
			command.Env = append(os.Environ(), pgtest.Variable+"="+server.URL("postgres"))
		}
	}
	return runCommand(command, signals)
}

// runCommand runs a command to its end, and passes SIGTERM on: unlike Ctrl-C it
// reaches this process alone.
func runCommand(command *exec.Cmd, signals <-chan os.Signal) (int, error) {
	if err := command.Start(); err != nil {
		return 127, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGTERM {
				_ = command.Process.Signal(s)
			}
		case err := <-ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return max(1, exit.ExitCode()), nil
			}
			if err != nil {
				return 1, err
			}
			return 0, nil
		}
	}
}
