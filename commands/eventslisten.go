package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/zap"

	"tolem/commands/internal/console"
	"tolem/commands/internal/server"
	"tolem/config"
	"tolem/handlers"
)

// maxNotification bounds a notification in bytes.
const maxNotification = 1 << 20

// eventsListenCommand receives notifications.
type eventsListenCommand struct {
	Listen string `default:"127.0.0.1:8095" placeholder:"ADDRESS" help:"The address to listen on. Default: ${default}."`
	Secret string `required:"" placeholder:"whsec_…" help:"The endpoint's secret, as notify in the configuration has it."`
}

// Validate is called by kong.
func (c eventsListenCommand) Validate() error {
	if !config.IsHostPort(c.Listen) {
		return errors.New("--listen must be host:port, such as 127.0.0.1:8095")
	}
	if _, err := standardwebhooks.NewWebhook(c.Secret); err != nil || c.Secret == "" {
		return errors.New("--secret must be whsec_ and base64")
	}
	return nil
}

// Help is shown by --help.
func (eventsListenCommand) Help() string {
	return `Prints each notification with its webhook-id, and answers 204; a signature that does not verify, or a time more than five minutes off, is answered 400. It needs no configuration.

Example:

  tolem events listen --secret whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM=`
}

// Run listens until ctx ends.
func (c *eventsListenCommand) Run(ctx context.Context, p *console.Program) error {
	verifier, err := standardwebhooks.NewWebhook(c.Secret)
	if err != nil {
		return errors.New("--secret must be whsec_ and base64")
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %s cannot be opened: %w; %s", c.Listen, err, server.ListenAdvice(err, "give another --listen"))
	}
	server := handlers.NewHTTPServer(&listening{program: p, verifier: verifier}, config.DefaultIdleTimeout, zap.NewNop())
	fmt.Fprintf(p.Stdio.Err, "listening on http://%s\n", listener.Addr())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case <-ctx.Done():
		return server.Close()
	case err := <-failed:
		return fmt.Errorf("listen: %w", err)
	}
}

// listening answers notifications.
type listening struct {
	program  *console.Program
	verifier *standardwebhooks.Webhook
	mu       sync.Mutex // one notification is printed at a time
}

func (l *listening) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "post notifications here", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNotification))
	if err != nil {
		http.Error(w, "the body is too large, or did not arrive", http.StatusBadRequest)
		return
	}
	if err := l.verifier.Verify(body, r.Header); err != nil {
		fmt.Fprintf(l.program.Stdio.Err, "refused: %s\n", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	line, err := json.Marshal(struct {
		ID   string          `json:"webhook_id"`
		Body json.RawMessage `json:"body"`
	}{r.Header.Get(standardwebhooks.HeaderWebhookID), body})
	if err != nil {
		http.Error(w, "the body is not JSON", http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	err = l.program.Println(string(line))
	l.mu.Unlock()
	if err != nil { // it is not shown, so it must come again
		http.Error(w, "cannot be printed", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
