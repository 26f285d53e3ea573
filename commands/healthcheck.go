package commands

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"tolem/commands/internal/console"
	"tolem/config"
)

// healthcheckTime bounds the whole check; container engines kill a health check
// that takes longer than their own timeout.
const healthcheckTime = 3 * time.Second

// healthcheckCommand checks the health of a running server.
type healthcheckCommand struct{}

// Help is shown by --help.
func (healthcheckCommand) Help() string {
	return `Requests GET /healthz from the configured public listener, for container engines and scripts. Exits 0 when the server answers that it can serve, otherwise 1. A listener on all addresses is called on the loopback address.

It checks whether the process is alive, not whether it is ready: with a full disk, or a database that was moved or is unavailable, it still answers ok, because a restart fixes none of these, and after a moved database it would create an empty one. Use GET /readyz of admin.listen to decide whether messages should be sent to the server; the alerts are in docs/metrics.md.

Example:

  tolem healthcheck && echo up`
}

// Run asks.
func (healthcheckCommand) Run(ctx context.Context, p *console.Program) error {
	cfg, err := p.Config(config.NoSecrets)
	if err != nil {
		return err
	}
	address, err := console.Reachable(cfg.Listen)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 256))
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: %s answered %s: %q", address, response.Status, body)
	}
	return p.Println("ok")
}
