// Package testkit is what the tests of several packages need: a clock, waiting,
// files, addresses, signers of the demo keys. Databases are in storetest and pgtest,
// and what the platforms send is in platform and fixtures.
package testkit

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/signing"
)

// Clock is a time that a test sets. It stands still.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows a time.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now returns what it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add puts it forward.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const (
	// patience is so long that it ends only on a machine that hangs.
	patience = 10 * time.Minute
	// lookEvery is how often a condition is looked at.
	lookEvery = time.Millisecond
)

// Eventually waits until a condition holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(lookEvery) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s", patience, what)
		}
	}
}

// Get asks for a URL and returns the status and the body.
func Get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(read)
}

// FreeAddress is an address on loopback that nobody listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// WriteFile writes a file, with the folders that it needs, and returns its path.
func WriteFile(t testing.TB, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Edit replaces parts of a text, each of which must be there: old, new, old, new…
func Edit(t testing.TB, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%q is not in the text", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// JetPayCallback is the sample of the provider's page (Gate, "Callbacks").
const JetPayCallback = `{"project_id":1234,"payment":{"id":"payment_47","type":"purchase","status":"success","date":"2022-03-25T11:08:45+0000","method":"kaspi","sum":{"amount":10000,"currency":"KZT"},"description":""},
"account":{"number":"1234567890"},"customer":{"id":"customer_123"},
"operation":{"id":28,"type":"sale","status":"success","date":"2022-03-25T11:08:46+0000","created_date":"2022-03-25T11:08:05+0000","request_id":"9e32835f","sum_initial":{"amount":10000,"currency":"KZT"},"sum_converted":{"amount":10000,"currency":"KZT"},"code":"0","message":"Success","provider":{"id":12345,"payment_id":"123abc123-321","auth_code":""}}}`

// DemoSigner reads a demo key of HighHelp's, which is a file of fixtures/highhelp/keys.
// root is the folder of the repository.
func DemoSigner(t testing.TB, root, name string) signing.Signer {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(root, "fixtures/highhelp/keys", name))
	if err != nil {
		t.Fatal(err)
	}
	return signerOf(t, key)
}

// RSASigner signs with a new key.
func RSASigner(t testing.TB) signing.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signerOf(t, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func signerOf(t testing.TB, key []byte) signing.Signer {
	t.Helper()
	signer, err := signing.NewRSASigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}
