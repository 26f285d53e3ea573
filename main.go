// Tolem is the server that a merchant in Kazakhstan puts between a payment
// platform and its own double-entry ledger. See README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tolem/commands"
)

func main() {
	stdio := commands.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	os.Exit(commands.ExitCode(run(context.Background(), os.Args[1:], os.Environ(), stdio)))
}

// run is the whole program: args are without the program's name, env is in the
// form of os.Environ. The first SIGINT or SIGTERM asks it to finish what is
// under way, a second one ends it at once.
func run(ctx context.Context, args, env []string, stdio commands.Stdio) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return commands.Run(ctx, args, env, stdio)
}
