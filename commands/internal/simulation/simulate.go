// Package simulation has the commands that act as a provider: they sign and verify its
// messages, send them, replay recorded ones, and run a sandbox.
package simulation

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"tolem/accountfile"
	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/platform"
	"tolem/topup"
)

const (
	maxShown   = 160 // bytes of one member's value that are printed
	listedPage = 200 // payments asked for at once
)

// SimulateCommands simulate platforms.
type SimulateCommands struct {
	Kaspi simulateKaspiCommand `cmd:"" help:"Top up a contract as JetPay does for Kaspi: verify, check_deposit, callback."`
}

// serverFlags say which running server is meant.
type serverFlags struct {
	URL      string `name:"url" placeholder:"URL" help:"The server's public listener. Default: listen of the configuration."`
	AdminURL string `name:"admin-url" placeholder:"URL" help:"The server's admin listener, for the ledger. Default: admin.listen of the configuration."`
}

// simulateKaspiCommand simulates JetPay.
type simulateKaspiCommand struct {
	serverFlags
	Customer    string `placeholder:"C" help:"The customer's id, as the payer would type it. Required, with --entity, unless --accounts is given."`
	Entity      string `placeholder:"E" help:"The contract's id."`
	Accounts    string `placeholder:"FILE" help:"Top up the open contracts of a file of account records, one after another."`
	Amount      int64  `required:"" placeholder:"N" help:"In minor units: 10000 is 100.00 tenge."`
	Outcome     string `enum:"success,decline" default:"success" help:"How the payment ends: ${enum}."`
	Project     string `placeholder:"ID" help:"The project to simulate. Not needed when only one is configured."`
	Count       int    `default:"0" placeholder:"N" help:"Simulate N top-ups and measure them. Default with --accounts: one for each contract."`
	Concurrency int    `default:"0" placeholder:"N" help:"With --count or --accounts: how many run at once."`
}

// Help is shown by --help.
func (simulateKaspiCommand) Help() string {
	return `Signs with the configured secret of the project. Prints the three exchanges and then the state of the ledger, which it reads from the admin API with the first configured token of role admin or read. Exits 1 when the outcome is not the requested one.

With --count it is a load generator: a summary with the rate, the median and the 99th percentile of the answer times and the errors, and at the end how many of the acknowledged callbacks are booked. All of them must be. The same applies to --accounts, whose contracts are topped up one after another, beginning again with the first when --count is larger.

Example:

  tolem simulate kaspi --customer 7123456789 --entity 12345 --amount 100000
  tolem simulate kaspi --customer 7123456789 --entity 12345 --amount 100000 --count 10000 --concurrency 32
  tolem simulate kaspi --accounts accounts.jsonl --amount 100000 --concurrency 32`
}

// Validate is called by kong.
func (c *simulateKaspiCommand) Validate() error {
	switch {
	case c.Accounts == "" && (c.Customer == "" || c.Entity == ""):
		return errors.New("--customer and --entity are needed, or --accounts")
	case c.Accounts != "" && (c.Customer != "" || c.Entity != ""):
		return errors.New("--accounts names the contracts: leave out --customer and --entity")
	case c.Amount < 1 || c.Amount > topup.MaxAmount:
		return fmt.Errorf("--amount must be between 1 and %d minor units", topup.MaxAmount)
	case c.Count < 0 || c.Concurrency < 0:
		return errors.New("--count and --concurrency must not be negative")
	case c.Concurrency > 0 && c.Count == 0 && c.Accounts == "":
		return errors.New("--concurrency needs --count or --accounts")
	}
	return nil
}

// Run runs the simulation.
func (c *simulateKaspiCommand) Run(ctx context.Context, p *console.Program) error {
	cfg, err := p.Config(config.ProviderKeys | config.AdminTokens)
	if err != nil {
		return err
	}
	keys := keyFlags{Provider: "jetpay", Project: c.Project}
	project, err := keys.project(cfg)
	if err != nil {
		return err
	}
	signers, err := keysOf(project)
	if err != nil {
		return err
	}
	contracts, err := c.contracts(cfg)
	if err != nil {
		return err
	}
	base, err := c.publicURL(cfg)
	if err != nil {
		return err
	}
	client, err := platform.NewClient(base, platform.ClientOptions{Connections: max(c.Concurrency, 1)})
	if err != nil {
		return console.WrongUsage("--url: %w", err)
	}
	defer client.Close()
	s := &simulation{
		Program:   p,
		command:   c,
		base:      base,
		contracts: contracts,
		player: &platform.Player{
			Client: client, Project: platform.Project{ID: project.ID, Key: signers[0]},
			Now: time.Now, Random: rand.Reader,
		},
	}
	if s.admin, err = c.adminClient(ctx, p, cfg); err != nil {
		return err
	}
	if s.admin != nil {
		defer s.admin.Close()
	}
	if c.Count > 0 || len(contracts) > 0 {
		return s.load(ctx)
	}
	return s.one(ctx)
}

// contracts reads the open contracts of --accounts.
func (c *simulateKaspiCommand) contracts(cfg *config.Config) (list []platform.Contract, err error) {
	if c.Accounts == "" {
		return nil, nil
	}
	file, err := accountfile.OnDisk(c.Accounts)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	for account, err := range file.Accounts(topup.Normalizer(cfg.Accounts.Normalize)) {
		if err != nil {
			return nil, fmt.Errorf("read accounts: %s: %w", c.Accounts, err)
		}
		for _, contract := range account.Contracts {
			if !account.Closed && !contract.Closed {
				list = append(list, platform.Contract{CustomerID: account.CustomerID, EntityID: contract.ID, Currency: account.Currency})
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("read accounts: %s has no open contract", c.Accounts)
	}
	return list, nil
}

// publicURL is where the server's public listener is.
func (f serverFlags) publicURL(cfg *config.Config) (string, error) {
	if f.URL != "" {
		return f.URL, nil
	}
	address, err := console.Reachable(cfg.Listen)
	return "http://" + address, err
}

// adminClient makes a client for the server's admin API and tries it. When its
// address was not given and it cannot be reached, one warning is printed and
// the client is nil: the ledger is not compared.
func (f serverFlags) adminClient(ctx context.Context, p *console.Program, cfg *config.Config) (*platform.AdminClient, error) {
	client, err := f.tryAdmin(ctx, cfg)
	if err == nil {
		return client, nil
	}
	if f.AdminURL != "" {
		return nil, err
	}
	p.Warn(fmt.Sprintf("effects on the ledger are not checked: %v; name the admin listener with --admin-url", err))
	return nil, nil
}

func (f serverFlags) tryAdmin(ctx context.Context, cfg *config.Config) (*platform.AdminClient, error) {
	base := f.AdminURL
	if base == "" {
		address, err := console.Reachable(cfg.Admin.Listen)
		if err != nil {
			return nil, fmt.Errorf("admin.%w", err)
		}
		base = "http://" + address
	}
	token, err := console.AdminToken(cfg)
	if err != nil {
		return nil, err
	}
	client, err := platform.NewAdminClient(base, token, platform.ClientOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := client.Transactions(ctx, 0, 1); err != nil {
		client.Close()
		return nil, fmt.Errorf("admin API at %s: %w", base, err)
	}
	return client, nil
}

// simulation is one run of a simulate command.
type simulation struct {
	*console.Program
	command   *simulateKaspiCommand
	base      string
	contracts []platform.Contract // of --accounts
	player    *platform.Player
	admin     *platform.AdminClient // nil: the ledger cannot be asked
}

func (s *simulation) topUp(currency string) platform.TopUp {
	c := s.command
	return platform.TopUp{
		CustomerID: c.Customer, EntityID: c.Entity, Amount: c.Amount, Currency: currency, Outcome: platform.Outcome(c.Outcome),
	}
}

// one simulates a single top-up and prints every exchange.
func (s *simulation) one(ctx context.Context) error {
	before, err := s.balance(ctx)
	if err != nil {
		return err
	}
	exchanges, paymentID, playing := s.player.TopUp(ctx, s.topUp(""))
	for i, x := range exchanges {
		s.show(i+1, x)
	}
	if paymentID != "" && s.admin != nil {
		if err := s.showLedger(ctx, paymentID, before); err != nil {
			return errors.Join(playing, err)
		}
	}
	return playing
}

// show prints one exchange: the request, its address and the answer.
func (s *simulation) show(n int, x platform.Exchange) {
	out := s.Stdio.Out
	fmt.Fprintf(out, "%d. %s: POST %s%s\n%s\n", n, x.Message, s.base, platform.Path, short(x.Request))
	if x.Answer.Status == 0 {
		fmt.Fprintf(out, "   no answer\n\n")
		return
	}
	fmt.Fprintf(out, "   answered HTTP %d in %s\n%s\n\n", x.Answer.Status, shortly(x.Answer.Took), short(x.Answer.Body))
}

// short prints a JSON object with a line for each of its members. What is too
// long to be read is cut.
func short(body []byte) string {
	const margin = "   "
	decoder := json.NewDecoder(bytes.NewReader(body))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return margin + cut(console.Printable(string(body)))
	}
	var lines []string
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		if err == nil {
			err = decoder.Decode(&value)
		}
		if err != nil {
			return margin + cut(console.Printable(string(body)))
		}
		if name == "signature" && len(value) > 20 {
			value = append(value[:14:14], `…"`...)
		}
		lines = append(lines, fmt.Sprintf("%s  %q: %s", margin, name, cut(console.Printable(string(value)))))
	}
	return margin + "{\n" + strings.Join(lines, ",\n") + "\n" + margin + "}"
}

func cut(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "…"
}

// shortly shows a duration with about three digits.
func shortly(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// balance is what has been credited to the contract so far, in minor units.
func (s *simulation) balance(ctx context.Context) (int64, error) {
	if s.admin == nil {
		return 0, nil
	}
	account, err := s.admin.Account(ctx, s.command.Customer)
	if err != nil && !platform.IsNotFound(err) {
		return 0, err
	}
	for _, entity := range account.Entities {
		if entity.ID == s.command.Entity {
			return entity.Balance, nil
		}
	}
	return 0, nil
}

// showLedger prints what became of the payment, and judges it.
func (s *simulation) showLedger(ctx context.Context, paymentID string, before int64) error {
	payment, err := s.admin.Payment(ctx, paymentID)
	if platform.IsNotFound(err) && s.command.AdminURL == "" {
		s.Warn("the admin API does not know the payment, so it belongs to another server; name the right one with --admin-url")
		return nil
	}
	if err != nil {
		return err
	}
	after, err := s.balance(ctx)
	if err != nil {
		return err
	}
	shown := func(amount int64) string { return topup.Money{Amount: amount, Currency: payment.Currency}.String() }
	fmt.Fprintf(s.Stdio.Out, "The ledger says:\n   payment %s: %s%s\n", payment.PaymentID, payment.Status, flagList(payment.Flags))
	if payment.Credited != nil {
		fmt.Fprintf(s.Stdio.Out, "   credited %s by transaction %s\n", shown(payment.Credited.Amount), payment.Credited.TransactionID)
	}
	fmt.Fprintf(s.Stdio.Out, "   contract %s: %s before, %s after\n", s.command.Entity, shown(before), shown(after))
	return s.judge(payment)
}

func flagList(flags []string) string {
	if len(flags) == 0 {
		return ""
	}
	return " (" + strings.Join(flags, ", ") + ")"
}

// judge compares a payment with the request.
func (s *simulation) judge(payment platform.PaymentView) error {
	credited := payment.Credited != nil && payment.Credited.Amount == s.command.Amount && payment.Status == topup.StatusSucceeded
	refused := payment.Credited == nil && payment.Status == topup.StatusDeclined
	if s.command.Outcome == string(platform.OutcomeSuccess) && !credited {
		return fmt.Errorf("payment %s is %s and not credited as asked for", payment.PaymentID, payment.Status)
	}
	if s.command.Outcome == string(platform.OutcomeDecline) && !refused {
		return fmt.Errorf("payment %s is %s and not declined as asked for", payment.PaymentID, payment.Status)
	}
	return nil
}

// load simulates many top-ups, measures them, and compares what was
// acknowledged with what is booked.
func (s *simulation) load(ctx context.Context) error {
	options := platform.LoadOptions{
		TopUp: s.topUp(""), Contracts: s.contracts, Count: cmp.Or(s.command.Count, len(s.contracts)), Concurrency: max(s.command.Concurrency, 1),
	}
	var before int64
	if len(s.contracts) == 0 {
		var err error
		if options.TopUp.Currency, err = s.currency(ctx); err != nil {
			return err
		}
		if before, err = s.balance(ctx); err != nil {
			return err
		}
	}
	begun := time.Now()
	finish := s.showProgress(&options)
	summary, err := s.player.Load(ctx, options)
	finish()
	if err != nil {
		return err
	}
	s.showSummary(summary)
	var failure error
	if failed := summary.Count - summary.Done; failed > 0 {
		failure = fmt.Errorf("%d of %d top-ups failed", failed, summary.Count)
	}
	if s.admin == nil {
		return failure
	}
	// The clocks of the two machines may differ by a little.
	return errors.Join(failure, s.compare(ctx, summary.Acknowledged, begun.Add(-time.Hour), before, options.TopUp.Currency))
}

// currency reads the account's currency from the server's answer to verify, as
// the platform would.
func (s *simulation) currency(ctx context.Context) (string, error) {
	body, err := s.player.Project.Verify(s.command.Customer)
	if err != nil {
		return "", err
	}
	answer, err := s.player.Client.Post(ctx, platform.Path, body)
	if err != nil {
		return "", err
	}
	var found struct {
		Code     *int
		Currency string
		Message  string
	}
	if err := json.Unmarshal(answer.Body, &found); err != nil || found.Code == nil {
		return "", fmt.Errorf("verify: HTTP %d and no code that can be read", answer.Status)
	}
	if *found.Code != 0 || found.Currency == "" {
		return "", fmt.Errorf("verify: code %d: %s", *found.Code, found.Message)
	}
	return found.Currency, nil
}

// showProgress draws a bar while the load runs, on a terminal only.
func (s *simulation) showProgress(o *platform.LoadOptions) (finish func()) {
	if !s.Terminal() {
		return func() {}
	}
	bar := progressbar.NewOptions(o.Count,
		progressbar.OptionSetWriter(s.Stdio.Err), progressbar.OptionSetDescription("top-ups"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish())
	o.Progress = func(done int) { _ = bar.Set(done) } // only drawing can fail
	return func() { _ = bar.Finish() }
}

func (s *simulation) showSummary(summary platform.Summary) {
	fmt.Fprintf(s.Stdio.Out, "%d messages in %s, %.0f a second, %d at once\n",
		summary.Messages, shortly(summary.Elapsed), summary.Rate, max(s.command.Concurrency, 1))
	t := s.Table("message", "count", "p50", "p99", "max")
	for _, message := range []string{platform.MessageVerify, platform.MessageCheckDeposit, platform.MessageCallback} {
		latency(t, message, summary.Latency[message])
	}
	latency(t, "all", summary.Overall)
	_ = t.Flush()
	fmt.Fprintf(s.Stdio.Out, "top-ups: %d started, %d done, %d errors\n", summary.Count, summary.Done, summary.ErrorCount())
	for _, kind := range slices.Sorted(maps.Keys(summary.Errors)) {
		fmt.Fprintf(s.Stdio.Out, "   %d × %s\n", summary.Errors[kind], kind)
	}
}

func latency(t *console.Table, name string, l platform.Latency) {
	t.Row(name, strconv.Itoa(l.Count), shortly(l.P50), shortly(l.P99), shortly(l.Max))
}

// compare searches every acknowledged callback in the books.
func (s *simulation) compare(ctx context.Context, acknowledged []string, since time.Time, before int64, currency string) error {
	missing := make(map[string]bool, len(acknowledged))
	for _, id := range acknowledged {
		missing[id] = true
	}
	query := url.Values{"from": {since.UTC().Format(time.RFC3339)}, "limit": {strconv.Itoa(listedPage)}}
	if s.command.Customer != "" {
		query.Set("customer_id", s.command.Customer)
	}
	for len(missing) > 0 {
		page, err := s.admin.Payments(ctx, query)
		if err != nil {
			return err
		}
		for _, payment := range page.Payments {
			if missing[payment.PaymentID] && s.judge(payment) == nil {
				delete(missing, payment.PaymentID)
			}
		}
		if page.NextCursor == "" {
			break
		}
		query.Set("cursor", page.NextCursor)
	}
	booked := fmt.Sprintf("acknowledged %d, booked as %s %d", len(acknowledged), s.command.Outcome, len(acknowledged)-len(missing))
	if s.command.Customer != "" {
		after, err := s.balance(ctx)
		if err != nil {
			return err
		}
		booked += "; the contract got " + topup.Money{Amount: after - before, Currency: currency}.String()
	}
	fmt.Fprintln(s.Stdio.Out, booked)
	if len(missing) > 0 {
		return fmt.Errorf("%d acknowledged callbacks are not booked", len(missing))
	}
	return nil
}
