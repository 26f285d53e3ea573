package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/alecthomas/kong"

	"tolem/commands/internal/console"
	"tolem/commands/internal/server"
	"tolem/config"
	"tolem/fixtures"
	"tolem/platform"
	"tolem/platform/sandbox"
	"tolem/signing"
)

// The secrets that signed the recorded exchanges, and the temporary server's
// only token. Production refuses them.
const (
	demoProject = 1234
	demoSecret  = "demo-secret"
	demoToken   = "demo-admin-token"
)

// ReplayCommand posts recorded exchanges.
type ReplayCommand struct {
	serverFlags
	JUnit   string      `name:"junit" placeholder:"FILE" help:"Also write a JUnit XML report."`
	Shuffle shuffleFlag `placeholder:"SEED" help:"Replay the scenarios in an order that the seed determines; without a seed, in a random one."`
	Paths   []string    `arg:"" name:"path" help:"Folders with fixtures, or *.request.json files."`
}

// Help is shown by --help.
func (ReplayCommand) Help() string {
	return `Posts every recorded exchange below the paths and compares the answer, and then the scenario's own payments in the ledger, with what is expected. It can be repeated against one server. Prints a line for each exchange, and last "N passed, N failed"; exits 1 when something failed.

Without --url the server is a temporary one in this process, with an empty database, the demo data and demo secrets. With --url, messages that must be signed again are signed with the configured secrets, and effects are read from the admin API with the first configured token of role admin or read. If that cannot be reached and --admin-url was not given, effects are not checked.

Exchanges with a provider go to the sandbox that highhelp.base_url names; without --url a temporary one is started too. If there is none on this computer they are skipped, and not counted.

Example:

  tolem replay fixtures
  tolem replay --url http://127.0.0.1:8080 --shuffle fixtures/jetpay`
}

// shuffleFlag is --shuffle or --shuffle=SEED.
type shuffleFlag struct {
	on     bool
	seeded bool
	seed   uint64
}

// IsBool tells kong that the value may be left out.
func (shuffleFlag) IsBool() bool { return true }

// Decode is called by kong.
func (f *shuffleFlag) Decode(ctx *kong.DecodeContext) error {
	f.on = true
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	seed, err := strconv.ParseUint(ctx.Scan.Pop().String(), 10, 64)
	if err != nil {
		return errors.New("the seed must be a number of at most 64 bits")
	}
	f.seeded, f.seed = true, seed
	return nil
}

// Run replays.
func (c *ReplayCommand) Run(ctx context.Context, p *console.Program) error {
	needs := config.NoSecrets // the throw-away server has the demo's
	if c.URL != "" {
		needs = config.ProviderKeys | config.AdminTokens
	}
	cfg, err := p.Config(needs)
	if err != nil {
		return err
	}
	if c.URL == "" && c.AdminURL != "" {
		return console.WrongUsage("--admin-url goes with --url: without it the server is a throw-away one")
	}
	scenarios, err := fixtures.Load(c.Paths...)
	if err != nil {
		return err
	}
	if c.Shuffle.on && !c.Shuffle.seeded {
		c.Shuffle.seed = rand.Uint64()
	}
	if c.Shuffle.on {
		fmt.Fprintf(p.Stdio.Err, "tolem: the order is that of --shuffle=%d\n", c.Shuffle.seed)
	}
	if c.URL != "" {
		return c.replay(ctx, p, cfg, scenarios)
	}
	cfg, err = c.throwAway(cfg)
	if err != nil {
		return err
	}
	return withSandbox(ctx, p, cfg, func(ctx context.Context) error {
		return withServer(ctx, p, cfg, func(s *server.Server) error {
			c.URL, c.AdminURL = "http://"+s.Public.Addr().String(), "http://"+s.Admin.Addr().String()
			return c.replay(ctx, p, cfg, scenarios)
		})
	})
}

// addHighHelp adds to the target what exchanges with HighHelp need.
func (c *ReplayCommand) addHighHelp(ctx context.Context, p *console.Program, cfg *config.Config, target *fixtures.Target) error {
	target.RequestKeys, target.AlertKeys = map[string]fixtures.HeaderKey{}, map[string]fixtures.HeaderKey{}
	for i := range cfg.HighHelp.Projects {
		project := &cfg.HighHelp.Projects[i]
		requests, alerts, err := highhelpKeys(p, project, "")
		if err != nil {
			p.Warn(fmt.Sprintf("alerts of project %s cannot be signed anew: %v", project.ID, err))
			continue
		}
		target.RequestKeys[project.ID], target.AlertKeys[project.ID] = requests, alerts
	}
	if len(cfg.HighHelp.Projects) > 0 {
		target.Provider = sandboxAt(ctx, cfg.HighHelp.BaseURL)
	}
	return nil
}

// replay posts the scenarios to c.URL.
func (c *ReplayCommand) replay(ctx context.Context, p *console.Program, cfg *config.Config, scenarios []*fixtures.Scenario) error {
	client, err := platform.NewClient(c.URL, platform.ClientOptions{})
	if err != nil {
		return console.WrongUsage("--url: %w", err)
	}
	defer client.Close()
	target := fixtures.Target{Client: client, Keys: map[string]*signing.Key{}}
	for i := range cfg.JetPay.Projects {
		project := &cfg.JetPay.Projects[i]
		keys, err := keysOf(project)
		if err != nil {
			return err
		}
		target.Keys[strconv.FormatInt(project.ID, 10)] = keys[0]
	}
	if err := c.addHighHelp(ctx, p, cfg, &target); err != nil {
		return err
	}
	if target.Provider != nil {
		defer target.Provider.Close()
	}
	if target.Admin, err = c.adminClient(ctx, p, cfg); err != nil {
		return err
	}
	if target.Admin != nil {
		defer target.Admin.Close()
	}
	results, summary := fixtures.Replay(ctx, target, scenarios, fixtures.Options{
		Shuffle: c.Shuffle.on, Seed: c.Shuffle.seed, Report: func(r fixtures.Result) { reportFixture(p, r) },
	})
	if err := c.writeJUnit(results); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped before all was replayed: %w", err)
	}
	fmt.Fprintf(p.Stdio.Out, "%d passed, %d failed\n", summary.Passed, summary.Failed)
	if summary.Failed > 0 {
		return console.ErrAnswered
	}
	return nil
}

// reportFixture prints a line for an exchange, and what is wrong with it.
func reportFixture(p *console.Program, r fixtures.Result) {
	word := "ok  "
	switch {
	case !r.Passed():
		word = "FAIL"
	case r.LeftOut:
		word = "skip"
	}
	fmt.Fprintf(p.Stdio.Out, "%s %s/%s (%s)\n", word, r.Scenario, r.Exchange, shortly(r.Took))
	for _, line := range r.Lines() {
		fmt.Fprintf(p.Stdio.Out, "     %s\n", console.Printable(line))
	}
}

func (c *ReplayCommand) writeJUnit(results []fixtures.Result) error {
	if c.JUnit == "" {
		return nil
	}
	file, err := os.Create(c.JUnit)
	if err != nil {
		return fmt.Errorf("write the JUnit report: %w", err)
	}
	return errors.Join(fixtures.WriteJUnit(file, results), file.Close())
}

// throwAway is the configuration of a server of this process: the defaults,
// whatever the given configuration says, with its demo data or else those that
// lie beside the fixtures.
func (c *ReplayCommand) throwAway(given *config.Config) (*config.Config, error) {
	cfg := config.Default()
	cfg.Listen, cfg.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Admin.Tokens = []config.Token{{Name: "replay", Role: config.RoleAdmin, Token: config.NewSecret(demoToken)}}
	cfg.JetPay.Projects = []config.Project{{
		ID: demoProject, Secrets: []config.Secret{config.NewSecret(demoSecret)},
		PaymentMethods: []string{platform.DepositMethod}, CallbackMethods: []string{platform.CallbackMethod},
	}}
	if err := demoHighHelp(cfg); err != nil {
		return nil, err
	}
	cfg.Log = config.Log{Level: "error", Format: config.LogConsole}
	cfg.Demo = given.Demo
	if cfg.Demo.Accounts != "" {
		return cfg, nil
	}
	folder, err := demoFolder(c.Paths)
	if err != nil {
		return nil, err
	}
	cfg.Demo = config.Demo{Accounts: filepath.Join(folder, demoAccounts), Payments: filepath.Join(folder, demoPayments)}
	return cfg, nil
}

// demoHighHelp configures the demo's HighHelp project.
func demoHighHelp(cfg *config.Config) error {
	private, err := fixtures.DemoKey(fixtures.DemoRequestKey)
	if err != nil {
		return err
	}
	public, err := fixtures.DemoKey(fixtures.DemoAlertKey)
	if err != nil {
		return err
	}
	project := config.NewHighHelpProject(fixtures.DemoHighHelpProject)
	project.RequestKey = config.RequestKey{Algorithm: config.AlgorithmRSA, PrivateKey: config.NewSecret(string(private))}
	project.AlertKey = config.AlertKey{Algorithm: config.AlgorithmRSA, PublicKey: string(public)}
	cfg.HighHelp.Projects = []config.HighHelpProject{project}
	cfg.PublicURL = "http://127.0.0.1:8080" // where alerts would go; a replay posts them itself
	return nil
}

// withSandbox runs a sandbox of this process, for cfg, while work lasts.
func withSandbox(ctx context.Context, p *console.Program, cfg *config.Config, work func(context.Context) error) error {
	projects, err := sandboxProjects(p, cfg, "")
	if err != nil {
		return fmt.Errorf("throw-away sandbox: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("throw-away sandbox: %w", err)
	}
	cfg.HighHelp.BaseURL = "http://" + listener.Addr().String()
	o := sandbox.Options{Projects: projects, Log: server.NewLogger(cfg.Log, p.Stdio.Err)}
	return play(ctx, o, listener, work)
}

// Names of the demo data beside the fixtures.
const (
	demoAccounts = "accounts.jsonl"
	demoPayments = "payments.jsonl"
)

// demoFolder is the nearest folder at or above a path that has demo data.
func demoFolder(paths []string) (string, error) {
	for _, path := range paths {
		folder, err := filepath.Abs(path)
		if err != nil {
			return "", fmt.Errorf("find the demo data: %w", err)
		}
		for {
			if _, err := os.Stat(filepath.Join(folder, demoAccounts)); err == nil {
				return folder, nil
			}
			above := filepath.Dir(folder)
			if above == folder {
				break
			}
			folder = above
		}
	}
	return "", fmt.Errorf("there is no %s at or above the paths; set demo.accounts in the configuration, or name a server with --url", demoAccounts)
}

// withServer runs a server of this process on an empty database while work
// lasts, and leaves nothing of it behind.
func withServer(ctx context.Context, p *console.Program, cfg *config.Config, work func(*server.Server) error) (err error) {
	folder, err := os.MkdirTemp("", "tolem-")
	if err != nil {
		return fmt.Errorf("throw-away server: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	cfg.Database.DSN = filepath.Join(folder, "tolem.db")
	s, err := server.Start(ctx, cfg, server.NewLogger(cfg.Log, p.Stdio.Err))
	if err != nil {
		return fmt.Errorf("throw-away server: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx, nil, nil) }()
	err = work(s)
	stop()
	return errors.Join(err, <-stopped)
}
