package simulation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"go.uber.org/zap"

	"tolem/accountfile"
	"tolem/commands/internal/console"
	"tolem/commands/internal/server"
	"tolem/config"
	"tolem/fixtures"
	"tolem/handlers"
	"tolem/highhelp"
	"tolem/platform"
	"tolem/platform/sandbox"
	"tolem/signing"
	"tolem/topup"
)

// sandboxDrain bounds how long a stopping sandbox waits for alerts.
const sandboxDrain = 5 * time.Second

// SandboxCommand simulates the providers.
type SandboxCommand struct {
	Listen   string `default:"127.0.0.1:8090" placeholder:"ADDRESS" help:"The address to listen on; highhelp.base_url must name it. Default: ${default}."`
	Chaos    bool   `help:"Post every alert up to three times, and in random order."`
	URL      string `name:"url" placeholder:"URL" help:"The server's public listener, for the kiosk. Default: listen of the configuration."`
	AlertKey string `placeholder:"FILE" help:"PEM of the private key that signs alerts. Default: the demo key, if the configuration verifies alerts with the demo key."`
}

// Validate is called by kong.
func (c SandboxCommand) Validate() error {
	if !config.IsHostPort(c.Listen) {
		return errors.New("--listen must be host:port, such as 127.0.0.1:8090")
	}
	return nil
}

// Help is shown by --help.
func (SandboxCommand) Help() string {
	return `Simulates HighHelp over HTTP for the configured projects, if there are any: checks the signatures of requests, keeps pay-ins in memory, shows the payment page, and posts signed alerts to the URLs that a request names. Its page /kaspi simulates the kiosk of Kaspi Bank: enter an account, choose a contract, pay. With accounts.source: http, it is an example of the merchant's billing too, under /billing/accounts/{customer_id}, with the accounts of demo.accounts; PUT /control/billing/{ok|slow|dead|garbled|endless|currency} changes how that answers. With jetpay.data_url, such as http://127.0.0.1:8090/data, it is JetPay's Data API with the operations of the kiosk; reconcile reads hours that ended at least an hour ago.

For development: everybody who can reach it decides what was paid. Its start page lists what it simulates, and what not. Parts of alert_dialect that are auto are signed as requests are by default. An HMAC alert_key needs no --alert-key.

Example:

  tolem serve
  tolem sandbox            # and open http://127.0.0.1:8090/`
}

// Run serves the sandbox until ctx ends.
func (c *SandboxCommand) Run(ctx context.Context, p *console.Program) error {
	cfg, err := p.Config(config.ProviderKeys | config.WebhookSecrets | config.DataAPIKeys)
	if err != nil {
		return err
	}
	if cfg.Environment == config.Production {
		return errors.New("the sandbox is for development, and the environment is production: name another configuration with --config")
	}
	merchant, err := serverFlags{URL: c.URL}.publicURL(cfg)
	if err != nil {
		return err
	}
	o := sandbox.Options{MerchantURL: merchant, Chaos: c.Chaos, Log: server.NewLogger(cfg.Log, p.Stdio.Err), Now: time.Now, Random: rand.Reader}
	if o.Projects, err = sandboxProjects(p, cfg, c.AlertKey); err != nil {
		return err
	}
	if len(cfg.JetPay.Projects) > 0 {
		project := &cfg.JetPay.Projects[0]
		keys, err := keysOf(project)
		if err != nil {
			return err
		}
		o.Kiosk = platform.Project{ID: project.ID, Key: keys[0]}
	}
	if o.Billing, err = exampleBilling(cfg); err != nil {
		return err
	}
	if cfg.JetPay.DataURL != "" {
		if o.DataAPI, err = platform.NewDataAPI(cfg.JetPay.DataToken.Reveal(), cfg.JetPay.DataSecret.Reveal()); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %s cannot be opened: %w; %s", c.Listen, err, server.ListenAdvice(err, "give another --listen"))
	}
	if address, ok := listener.Addr().(*net.TCPAddr); ok && !address.IP.IsLoopback() {
		p.Warn("the sandbox listens beyond this computer: whoever reaches it decides what was paid")
	}
	return play(ctx, o, listener, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
}

// exampleBilling has the accounts of demo.accounts; nil where accounts do not come
// from a billing.
func exampleBilling(cfg *config.Config) (*platform.Billing, error) {
	if cfg.Accounts.Source != config.SourceHTTP {
		return nil, nil
	}
	billing, err := platform.NewBilling(cfg.Accounts.HTTP.Secret.Reveal())
	if err != nil || cfg.Demo.Accounts == "" {
		return billing, err
	}
	file, err := accountfile.OnDisk(cfg.Demo.Accounts)
	if err != nil {
		return nil, err
	}
	for account, err := range file.Accounts(topup.Normalizer(cfg.Accounts.Normalize)) {
		if err != nil {
			return nil, fmt.Errorf("demo.accounts: %w", err)
		}
		billing.Put(*account)
	}
	return billing, nil
}

// play runs a sandbox on a listener while work lasts. The work's context ends
// when the sandbox cannot go on.
func play(ctx context.Context, o sandbox.Options, listener net.Listener, work func(context.Context) error) error {
	s, err := sandbox.New(o)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := handlers.NewHTTPServer(s.Handler(), config.DefaultIdleTimeout, o.Log)
	server.WriteTimeout = 0 // it may be told to answer slowly
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	o.Log.Info("playing", zap.String("url", "http://"+listener.Addr().String()), zap.String("merchant_url", o.MerchantURL), zap.Bool("chaos", o.Chaos))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- work(ctx) }()
	select {
	case err = <-ended:
	case err = <-failed:
		stop()
		err = errors.Join(fmt.Errorf("sandbox: %w", err), <-ended)
	}
	// Alerts are all that is worth waiting for; requests are cut off.
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), sandboxDrain)
	defer cancel()
	if dropped := s.Close(waiting); dropped != nil {
		o.Log.Warn("alerts were dropped", zap.Error(dropped))
	}
	return errors.Join(err, server.Close())
}

// sandboxProjects are the configured projects, as the provider sees them.
func sandboxProjects(p *console.Program, cfg *config.Config, alertKeyFile string) ([]sandbox.Project, error) {
	var projects []sandbox.Project
	for i := range cfg.HighHelp.Projects {
		configured := &cfg.HighHelp.Projects[i]
		requests, alerts, err := highhelpKeys(p, configured, alertKeyFile)
		if err != nil {
			return nil, fmt.Errorf("highhelp.projects[%d]: %w", i, err)
		}
		token := configured.AccessToken.Reveal()
		if token == "" {
			token = requests.Signer.AccessToken()
		}
		projects = append(projects, sandbox.Project{
			ID: configured.ID, MerchantID: configured.MerchantID, AccessToken: token,
			Requests: requests.Signer.AlertKey(), RequestDialect: requests.Dialect,
			Alerts: alerts.Signer, AlertDialect: alerts.Dialect,
			SignatureHeader: configured.AlertHeaders.Signature, TimestampHeader: configured.AlertHeaders.Timestamp,
		})
	}
	return projects, nil
}

// highhelpKeys sign for a project, as the merchant and as the provider.
func highhelpKeys(p *console.Program, project *config.HighHelpProject, alertKeyFile string) (requests, alerts fixtures.HeaderKey, err error) {
	requests.Dialect = highhelp.RequestDialectOf(project.RequestDialect)
	if requests.Signer, err = highhelp.SignerOf(project.RequestKey); err != nil {
		return requests, alerts, fmt.Errorf("request_key: %w", err)
	}
	alerts.Dialect = pinned(highhelp.AlertDialectOf(project.AlertDialect))
	if alerts.Signer, err = alertSigner(project.AlertKey, alertKeyFile); err != nil {
		return requests, alerts, fmt.Errorf("alert_key: %w", err)
	}
	if !project.AlertKey.Configured() {
		p.Warn("project " + project.ID + " has no alert_key: its alerts are refused")
		return requests, alerts, nil
	}
	verifier, err := highhelp.AlertKeyOf(project.AlertKey)
	if err != nil {
		return requests, alerts, fmt.Errorf("alert_key: %w", err)
	}
	if !fits(alerts, verifier) {
		return requests, alerts, errors.New("alert_key: the private key that belongs to it is needed to sign alerts; give its PEM file with --alert-key")
	}
	return requests, alerts, nil
}

// alertSigner is the provider's own key.
func alertSigner(key config.AlertKey, file string) (signing.Signer, error) {
	if key.Algorithm == config.AlgorithmHMAC {
		return signing.NewHMACSigner(key.Secret.Reveal())
	}
	if file == "" {
		pem, err := fixtures.DemoKey(fixtures.DemoAlertPrivateKey)
		if err != nil {
			return signing.Signer{}, err
		}
		return signing.NewRSASigner(pem)
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return signing.Signer{}, err
	}
	return signing.NewRSASigner(pem)
}

// pinned settles the parts of a dialect that are auto.
func pinned(d signing.Dialect) signing.Dialect {
	standard := signing.DefaultRequestDialect()
	if d.NullAs == signing.NullAuto {
		d.NullAs = standard.NullAs
	}
	if d.Padding == signing.PaddingAuto {
		d.Padding = standard.Padding
	}
	if d.Digest == signing.DigestAuto {
		d.Digest = standard.Digest
	}
	return d
}

// fits reports whether the one key checks what the other signs.
func fits(key fixtures.HeaderKey, verifier signing.AlertKey) bool {
	const timestamp = "1721647251" // any
	probe := []byte(`{"a":1}`)
	signature, err := key.Signer.Sign(probe, timestamp, key.Dialect)
	if err != nil {
		return false
	}
	body, err := signing.Parse(probe)
	if err != nil {
		return false
	}
	defer body.Release()
	_, err = body.VerifyHighHelp(verifier, signature, timestamp, key.Dialect)
	return err == nil
}

// sandboxAt makes a client for the sandbox at an address, nil if there is none:
// samples are never posted to a real provider.
func sandboxAt(ctx context.Context, base string) *platform.Client {
	u, err := url.Parse(base)
	if err != nil {
		return nil
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && !ip.IsLoopback() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/healthz", nil)
	if err != nil {
		return nil
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil
	}
	_ = response.Body.Close() // that it answers is all that counts
	client, err := platform.NewClient(base, platform.ClientOptions{})
	if err != nil {
		return nil
	}
	return client
}
