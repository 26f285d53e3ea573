// Package commands is the command line of tolem: one file per command, and
// shared files.
//
// [Run] is the whole program. Arguments, environment and the three standard
// streams are passed in, so that a test runs any command in its own process.
package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"tolem/commands/internal/console"

	"tolem/commands/internal/server"

	"tolem/commands/internal/simulation"

	"github.com/alecthomas/kong"
)

// Stdio is where a command reads and prints.
type Stdio = console.Stdio

// commonFlags are the flags of every command.
type commonFlags struct {
	Config  string      `placeholder:"FILE" help:"The configuration. Default: the variable TOLEM_CONFIG, else config.yaml."`
	Version versionFlag `help:"Print the version and exit."`
}

// serveLine is the part of the grammar that a server needs. The whole takes a
// megabyte to build, which a process that runs for months would keep.
type serveLine struct {
	commonFlags
	Serve serveCommand `cmd:"" help:"Migrate the database and serve until SIGINT or SIGTERM."`
}

// commandLine is the grammar: a field a command, a tag its help.
type commandLine struct {
	serveLine
	Check       configCommands              `cmd:"" name:"config" help:"Check and print the configuration."`
	Migrate     migrateCommand              `cmd:"" help:"Migrate the database to this program's schema and exit."`
	Healthcheck healthcheckCommand          `cmd:"" help:"Check that the running server is alive."`
	Backup      backupCommand               `cmd:"" help:"Make a consistent copy of the database while it is in use, and verify it."`
	Accounts    accountsCommands            `cmd:"" help:"Import, export and show accounts."`
	Payments    paymentsCommands            `cmd:"" help:"Find payments; credit, record, refund, recall and close them."`
	Suspense    suspenseCommands            `cmd:"" help:"Resolve money that is not allocated to a contract."`
	Messages    messagesCommands            `cmd:"" help:"Show the providers' stored messages; put their unposted money into suspense."`
	Events      eventsCommands              `cmd:"" help:"See what the merchant's own systems were notified of, and send it again."`
	Approvals   approvalsCommands           `cmd:"" help:"Approve or reject steps that need a second person."`
	Audit       auditCommand                `cmd:"" help:"List who did what, when and why, and how it ended."`
	Reconcile   reconcileCommand            `cmd:"" help:"Compare a platform's report with the payments."`
	Payouts     payoutsCommands             `cmd:"" help:"Enter, book and show what the platforms paid to the bank."`
	Settlement  settlementCommand           `cmd:"" help:"Print what each platform owes, and which money no payout has named."`
	Ledger      ledgerCommands              `cmd:"" help:"Check, correct and export the books."`
	Bank        bankCommands                `cmd:"" help:"Import statements of the merchant's bank accounts."`
	Report      reportCommand               `cmd:"" help:"Report the turnover by day, month, contract, project or method."`
	Sign        simulation.SignCommand      `cmd:"" help:"Sign a JetPay body."`
	Verify      simulation.VerifyCommand    `cmd:"" help:"Check the signature of a JetPay body."`
	Replay      simulation.ReplayCommand    `cmd:"" help:"Post recorded fixtures and compare the answers."`
	Simulate    simulation.SimulateCommands `cmd:"" help:"Simulate a payment platform."`
	Sandbox     simulation.SandboxCommand   `cmd:"" help:"Simulate HighHelp and the Kaspi kiosk, with payment pages."`
}

const about = `Takes account top-ups from payment platforms and keeps them in a double-entry ledger that credits exactly once.

Every command reads the configuration (config.yaml unless --config or TOLEM_CONFIG name another); every key of it can be set by a variable too: TOLEM_ and the key in upper case, with __ between levels.

Exit codes: 0 done; 1 the answer is no, or something differs; 2 wrong usage, or a report that gives no verdict.`

// Run runs the program once. args are without the program's name; env is in the
// form of os.Environ. Run prints its errors before it returns; [ExitCode] turns
// the error into the process's exit code.
//
// When ctx ends, serve drains and returns nil, and every other command stops.
func Run(ctx context.Context, args, env []string, stdio Stdio) error {
	finished := false
	line := &commandLine{}
	grammar := any(line)
	if len(args) > 0 && args[0] == "serve" {
		grammar = &line.serveLine
	}
	parser, err := kong.New(grammar,
		kong.Name("tolem"),
		kong.Description(about),
		kong.Writers(stdio.Out, stdio.Err),
		kong.Exit(func(int) { finished = true }), // after --help and --version
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 100}),
	)
	if err != nil {
		return fmt.Errorf("command line: %w", err)
	}
	parser.Model.Name = "tolem"
	parsed, err := parser.Parse(args)
	if finished {
		return nil
	}
	if err != nil {
		return reportUsage(stdio.Err, commandPath(parsed, err), err)
	}
	p := &console.Program{Env: env, Stdio: stdio, ConfigPath: line.Config}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(p)
	if usage := (*console.UsageError)(nil); errors.As(err, &usage) {
		return reportUsage(stdio.Err, parsed.Command(), err)
	}
	if err != nil && !errors.Is(err, console.ErrAnswered) {
		fmt.Fprintf(stdio.Err, "tolem: %v\n", err)
	}
	return err
}

// ExitCode is 0 for no error, 2 for wrong usage and for input that gives no
// verdict, and 1 for everything else.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if usage := (*console.UsageError)(nil); errors.As(err, &usage) {
		return 2
	}
	if unreadable := (*console.NoVerdictError)(nil); errors.As(err, &unreadable) {
		return 2
	}
	return 1
}

// reportUsage prints what is wrong with the command line and where help is.
func reportUsage(w io.Writer, command string, err error) error {
	words := []string{"tolem"}
	for _, word := range strings.Fields(command) {
		if strings.HasPrefix(word, "<") || strings.HasPrefix(word, "[") {
			break
		}
		words = append(words, word)
	}
	fmt.Fprintf(w, "tolem: %v\nRun %q for usage.\n", err, strings.Join(append(words, "--help"), " "))
	if usage := (*console.UsageError)(nil); errors.As(err, &usage) {
		return err
	}
	return console.WrongUsage("%w", err)
}

// commandPath is the command as far as it could be read.
func commandPath(parsed *kong.Context, err error) string {
	if failed := (*kong.ParseError)(nil); errors.As(err, &failed) {
		parsed = failed.Context
	}
	if parsed == nil {
		return ""
	}
	return parsed.Command()
}

// versionFlag prints the version and ends the program.
type versionFlag bool

// kong calls BeforeReset when it parses the flag.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	fmt.Fprintf(app.Stdout, "tolem %s\n", server.Version())
	app.Exit(0)
	return nil
}

// IsBool tells kong that the flag takes no value.
func (versionFlag) IsBool() bool { return true }
