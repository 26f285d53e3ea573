package deploy_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tolem/testkit"
)

// site is nginx/tolem.conf as a test runs it.
type site struct {
	folder, config string
	tls            string // its address
}

// newSite writes nginx/tolem.conf with free ports, a certificate and other places for its files, in front of a server.
func newSite(t *testing.T, public, admin, addresses string) site {
	t.Helper()
	folder := t.TempDir()
	s := site{folder: folder, tls: testkit.FreeAddress(t)}
	text := read(t, "nginx/tolem.conf")
	text = regexp.MustCompile(`(?m)^ *listen \[::\]:.*\n`).ReplaceAllString(text, "")
	text = replaced(t, text, "listen 443 ssl;", "listen "+s.tls+" ssl;")
	text = replaced(t, text, "listen 80;", "listen "+testkit.FreeAddress(t)+";")
	text = replaced(t, text, "server 127.0.0.1:8080;", "server "+strings.TrimPrefix(public, "http://")+";")
	text = replaced(t, text, "server 127.0.0.1:8081;", "server "+strings.TrimPrefix(admin, "http://")+";")
	text = replaced(t, text, "/etc/nginx/tolem/", folder+"/")
	text = replaced(t, text, "/etc/ssl/tolem/", folder+"/")
	text = replaced(t, text, "/var/log/nginx/", folder+"/")
	write(t, filepath.Join(folder, "platform-addresses.conf"), addresses)
	for _, name := range []string{"pay.example.kz", "tolem.example.kz"} {
		certify(t, filepath.Join(folder, name))
	}
	write(t, filepath.Join(folder, "site.conf"), text)
	main := "daemon off;\npid " + folder + "/nginx.pid;\nevents {}\nhttp {\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += kind + "_temp_path " + filepath.Join(folder, kind) + ";\n"
	}
	s.config = write(t, filepath.Join(folder, "nginx.conf"), main+"include "+folder+"/site.conf;\n}\n")
	return s
}

// certify writes a certificate and its key.
func certify(t *testing.T, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{filepath.Base(path)}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	write(t, path+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// start runs nginx until the test ends.
func (s site) start(t *testing.T) {
	t.Helper()
	var said bytes.Buffer
	command := exec.Command("nginx", "-c", s.config, "-e", filepath.Join(s.folder, "start.log"))
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := exec.Command("nginx", "-c", s.config, "-e", filepath.Join(s.folder, "start.log"), "-s", "quit").Run(); err != nil {
			_ = command.Process.Kill()
		}
		if err := command.Wait(); err != nil {
			t.Errorf("nginx: %v\n%s", err, said.String())
		}
	})
	testkit.Eventually(t, "nginx", func() bool {
		connection, err := net.Dial("tcp", s.tls)
		if err == nil {
			connection.Close()
		}
		return err == nil
	})
}

// ask sends a request to one of the names. Redirects are not followed.
func (s site) ask(t *testing.T, method, host, path, body string) (*http.Response, string) {
	t.Helper()
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{ServerName: host, InsecureSkipVerify: true}, // the test's own certificate
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.tls+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

func TestNginx(t *testing.T) {
	need(t, "nginx", "nginx-light")
	const platforms, people = "pay.example.kz", "tolem.example.kz"
	asDelivered := read(t, "nginx/platform-addresses.conf")
	t.Run("AcceptsTheSite", func(t *testing.T) {
		s := newSite(t, "http://127.0.0.1:8080", "http://127.0.0.1:8081", asDelivered)
		accepts(t, "nginx", "-t", "-c", s.config, "-e", filepath.Join(s.folder, "start.log"))
	})
	t.Run("LetsThroughWhatEachNameIsFor", func(t *testing.T) {
		tolem := serve(t)
		s := newSite(t, tolem.public, tolem.admin, asDelivered)
		s.start(t)
		for _, tc := range []struct {
			method, host, path string
			status             int
		}{
			{http.MethodPost, platforms, "/jetpay", 200}, // code 400 of the protocol: it is not signed
			{http.MethodPost, platforms, "/jetpay/callback", 200},
			{http.MethodPost, platforms, "/highhelp/alerts", 401},
			{http.MethodGet, platforms, "/healthz", 200},
			{http.MethodGet, platforms, "/metrics", 404},
			{http.MethodGet, platforms, "/api/v1/payments", 404},
			{http.MethodGet, platforms, "/login", 404},
			{http.MethodGet, people, "/login", 200},
			{http.MethodGet, people, "/", 302},
			{http.MethodGet, people, "/api/v1/payments", 401},
			{http.MethodGet, people, "/metrics", 404},
			{http.MethodGet, people, "/readyz", 404},
			{http.MethodGet, people, "/livez", 404},
		} {
			response, body := s.ask(t, tc.method, tc.host, tc.path, `{"type":"verify","customer_id":"1"}`)
			if response.StatusCode != tc.status {
				t.Errorf("%s %s%s: got %d %s, want %d", tc.method, tc.host, tc.path, response.StatusCode, body, tc.status)
			}
			if tc.path == "/login" && tc.host == people {
				cookies := response.Cookies()
				if len(cookies) == 0 || !cookies[0].Secure || response.Header.Get("Strict-Transport-Security") == "" {
					t.Errorf("the cookie of %s is not Secure, or TLS is not insisted on: %v", people, response.Header)
				}
			}
		}
	})
	t.Run("LogsNeitherPathNorQuery", func(t *testing.T) {
		answers := true
		backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !answers {
				panic(http.ErrAbortHandler) // nginx logs the failure
			}
			if r.Host != people {
				t.Errorf("got host %q, want it unchanged", r.Host)
			}
			w.Header().Set("X-Request-Id", "the-id-of-the-request")
		}))
		defer backend.Close()
		s := newSite(t, backend.URL, backend.URL, asDelivered)
		s.start(t)
		s.ask(t, http.MethodGet, people, "/accounts/77011234567?q=Ivanov", "")
		answers = false
		s.ask(t, http.MethodGet, people, "/accounts/77011234567?q=Ivanov", "")
		// A body that cannot be buffered is a failure of level crit.
		if err := os.RemoveAll(filepath.Join(s.folder, "client_body")); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(s.folder, "client_body"), "")
		if response, _ := s.ask(t, http.MethodPost, people, "/accounts/77011234567?q=Ivanov", strings.Repeat("x", 1<<20)); response.StatusCode != 500 {
			t.Errorf("got %d, want 500, or this proves nothing", response.StatusCode)
		}
		for range 200 { // refused by the rate limit, which is logged as an error
			s.ask(t, http.MethodPost, people, "/login?next=/accounts/77011234567", "")
		}
		var log string
		testkit.Eventually(t, "the log", func() bool {
			log = read(t, filepath.Join(s.folder, "tolem.log"))
			return strings.Count(log, "\n") == 203
		})
		if !strings.Contains(log, people+" GET 200 ") || !strings.Contains(log, "the-id-of-the-request") {
			t.Errorf("the log does not say what it should:\n%s", log)
		}
		for _, file := range []string{"tolem.log", "tolem-errors.log", "tolem-people-errors.log"} {
			for _, secret := range []string{"77011234567", "accounts", "Ivanov", "login"} {
				if strings.Contains(read(t, filepath.Join(s.folder, file)), secret) {
					t.Errorf("%s has %s", file, secret)
				}
			}
		}
	})
	t.Run("RefusesWhatIsTooMuch", func(t *testing.T) {
		backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		defer backend.Close()
		s := newSite(t, backend.URL, backend.URL, asDelivered)
		// Slower, so that a slow machine sends too much too.
		text := replaced(t, read(t, filepath.Join(s.folder, "site.conf")), "rate=300r/s", "rate=1r/m")
		write(t, filepath.Join(s.folder, "site.conf"), text)
		s.start(t)
		counts := func(n int, method, host, path string) map[int]int {
			got := map[int]int{}
			for range n {
				response, _ := s.ask(t, method, host, path, "")
				got[response.StatusCode]++
			}
			return got
		}
		if got := counts(650, http.MethodPost, platforms, "/jetpay"); got[200] < 601 || got[200] > 610 || got[503] != 650-got[200] {
			t.Errorf("messages: got %v, want a burst of 600 and one, and 503 for the rest", got)
		}
		if got := counts(50, http.MethodPost, people, "/login"); got[200] < 11 || got[503] == 0 {
			t.Errorf("sign-ins: got %v", got)
		}
		if got := counts(50, http.MethodGet, people, "/login"); got[200] != 50 {
			t.Errorf("the form of the sign-in: got %v, want it always", got)
		}
	})
	t.Run("RefusesOtherAddressesOnceThePlatformsAreFilledIn", func(t *testing.T) {
		backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		defer backend.Close()
		filledIn := regexp.MustCompile(`(?m)^#(allow|deny)`).ReplaceAllString(asDelivered, "$1")
		if filledIn == asDelivered {
			t.Fatal("there is nothing to fill in")
		}
		for addresses, want := range map[string]int{filledIn: 403, "allow 127.0.0.1;\n" + filledIn: 200, asDelivered: 200} {
			t.Run(fmt.Sprint(want), func(t *testing.T) {
				s := newSite(t, backend.URL, backend.URL, addresses)
				s.start(t)
				for _, path := range []string{"/jetpay", "/jetpay/callback", "/highhelp/alerts"} {
					if response, _ := s.ask(t, http.MethodPost, platforms, path, ""); response.StatusCode != want {
						t.Errorf("%s: got %d, want %d", path, response.StatusCode, want)
					}
				}
			})
		}
	})
}
