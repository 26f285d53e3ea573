package commands_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tolem/commands"
	"tolem/testkit"
	"tolem/topup"
)

// TestTheSandboxIsAnExampleBilling: with HighHelp's projects, and for a merchant who
// has none.
func TestTheSandboxIsAnExampleBilling(t *testing.T) {
	accounts, err := filepath.Abs("../fixtures/accounts.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for name, highhelp := range map[string]string{"with HighHelp": highhelpLines("http://127.0.0.1:1", "http://127.0.0.1:1"), "with JetPay alone": ""} {
		t.Run(name, func(t *testing.T) {
			address := testkit.FreeAddress(t)
			base := "http://" + address
			config := testkit.WriteFile(t, t.TempDir(), "config.yaml", highhelp+fmt.Sprintf(`
demo: {accounts: %q}
accounts: {source: http, http: {url: "%s/billing/accounts/{customer_id}", secret: %s}}
jetpay: {projects: [{id: 1234, secrets: [demo-secret]}]}
`, accounts, base, eventSecret))
			lines, ended := newLogLines(), make(chan error, 1)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			go func() {
				ended <- commands.Run(ctx, []string{"sandbox", "--listen", address, "--config", config}, nil, commands.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: lines})
				lines.close()
			}()
			if _, ok := lines.wait("playing"); !ok {
				t.Fatalf("it ended instead: %v\n%s", <-ended, lines)
			}
			signer, err := standardwebhooks.NewWebhook(eventSecret)
			if err != nil {
				t.Fatal(err)
			}
			ask := func(method, path string) (int, string) {
				t.Helper()
				request, err := http.NewRequestWithContext(ctx, method, base+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				now := time.Now()
				signature, err := signer.Sign("msg_1", now, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("webhook-id", "msg_1")
				request.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
				request.Header.Set("webhook-signature", signature)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				return response.StatusCode, string(body)
			}
			status, body := ask(http.MethodGet, "/billing/accounts/7123456789")
			if account, problems := topup.ParseRecord([]byte(body)); status != http.StatusOK || len(problems) > 0 || account.CustomerID != "7123456789" || len(account.Contracts) != 2 {
				t.Errorf("got HTTP %d %s, want the account record", status, body)
			}
			if status, body := ask(http.MethodGet, "/billing/accounts/nobody"); status != http.StatusNotFound {
				t.Errorf("of an unknown customer: got HTTP %d %s", status, body)
			}
			if status, body := ask(http.MethodPut, "/control/billing/dead"); status != http.StatusOK {
				t.Errorf("its control: got HTTP %d %s", status, body)
			}
			if status, body := ask(http.MethodGet, "/billing/accounts/7123456789"); status != http.StatusServiceUnavailable {
				t.Errorf("dead: got HTTP %d %s", status, body)
			}
			if status, page := ask(http.MethodGet, "/"); status != http.StatusOK || !strings.Contains(page, "/kaspi") || strings.Contains(page, "pay through HighHelp") != (highhelp != "") {
				t.Errorf("the start page: got HTTP %d %s", status, page)
			}
			stop()
			if err := <-ended; err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
