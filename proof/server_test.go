package proof_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tolem/commands"
	"tolem/platform"
	"tolem/store"
	"tolem/storetest"
)

const (
	project  = 1234
	hhID     = "57aff4db-b45d-42bf-bc5f-b7a499a01782"
	token    = "demo-admin-token"
	asServer = "PROOF_RUNS_AS_THE_PROGRAM"
	// programFile names a program that is built already; without it the binary of the
	// test is the program, when it runs with asServer. So a test needs no second build,
	// and a fault that was planted into the test is in the program.
	programFile = "TOLEM_PROOF_PROGRAM"
)

func TestMain(m *testing.M) {
	if os.Getenv(asServer) == "" {
		os.Exit(m.Run())
	}
	// As main does.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(commands.ExitCode(commands.Run(ctx, os.Args[1:], os.Environ(), commands.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})))
}

// program is the command line of tolem.
func program(args ...string) *exec.Cmd {
	file := os.Getenv(programFile)
	if file == "" {
		file = os.Args[0]
	}
	command := exec.Command(file, args...)
	own := slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "TOLEM_") })
	command.Env = append(own, asServer+"=1")
	return command
}

// provider plays HighHelp's API: it answers as the next call is to be answered, and
// reports nothing when it is asked.
type provider struct {
	*httptest.Server
	next atomic.Value // ok, refused or silent
}

func newProvider(t *testing.T) *provider {
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			General struct {
				PaymentID string `json:"payment_id"`
			}
		}
		_ = json.NewDecoder(r.Body).Decode(&asked)
		mode, _ := p.next.Load().(string)
		switch {
		case !strings.HasSuffix(r.URL.Path, "/payin") || mode == "silent":
			w.WriteHeader(http.StatusInternalServerError)
		case mode == "refused":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"status":"error","status_description":"no"}`)
		default:
			fmt.Fprintf(w, `{"status":"processing","sub_status":"new","status_description":null,"request_id":"r-1","project_id":%q,"payment_id":%q,"integration":{"form_url":"https://pay.example.kz/form","redirect_url":null}}`, hhID, asked.General.PaymentID)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// server is the program as a process, on a database of its own.
type server struct {
	config   string
	provider *provider
	process  *exec.Cmd
	log      *tail
	public   string
	admin    string
	client   *http.Client
}

// newServer writes a configuration; nothing runs yet.
func newServer(t testing.TB, database store.Options, p *provider) (*server, error) {
	fixtures, err := filepath.Abs("../fixtures")
	if err != nil {
		return nil, err
	}
	text := storetest.Config(database) + fmt.Sprintf(`
listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0", tokens: [{name: demo, role: admin, token: %s}]}
demo: {accounts: %q}
bank: [{name: halyk, currency: KZT}]
notify: [{name: billing, url: "http://127.0.0.1:1/", secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}]
jetpay: {projects: [{id: %d, secrets: [demo-secret]}]}
public_url: "http://127.0.0.1:1"
watch: {interval: 24h}
log: {level: info}
highhelp:
  base_url: %q
  timeout: 5s
  projects:
    - id: %s
      request_key: {algorithm: rsa, private_key_file: %q}
      alert_key: {algorithm: rsa, public_key_file: %q}
`, token, fixtures+"/accounts.jsonl", project, p.URL, hhID, fixtures+"/highhelp/keys/request.pem", fixtures+"/highhelp/keys/alerts.pem")
	s := &server{config: filepath.Join(t.TempDir(), "config.yaml"), provider: p, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
	return s, os.WriteFile(s.config, []byte(text), 0o600)
}

// tail keeps the end of what a process prints.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if extra := len(l.text) - 8000; extra > 0 {
		l.text = bytes.Clone(l.text[extra:])
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(l.text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-6):], []byte("\n")))
}

// start starts the process and waits until it serves. expiry is how long a payment
// id waits for its result.
func (s *server) start(expiry time.Duration) error {
	s.process, s.log = program("serve", "--config", s.config), &tail{}
	s.process.Env = append(s.process.Env, "TOLEM_JETPAY__PAYMENT_EXPIRY="+expiry.String())
	said, err := s.process.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(io.TeeReader(said, s.log))
	for lines.Scan() {
		var line struct {
			Msg, Listen string
			Admin       string `json:"admin_listen"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			s.public, s.admin = "http://"+line.Listen, "http://"+line.Admin
			go func() {
				for lines.Scan() {
				}
				_, _ = io.Copy(io.Discard, said)
			}()
			return nil
		}
	}
	return fmt.Errorf("the server ended instead of serving: %v\n%s", s.process.Wait(), s.log)
}

// kill is kill -9.
func (s *server) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
	s.process = nil
	s.client.CloseIdleConnections()
}

// stop lets the server drain.
func (s *server) stop() error {
	if err := s.process.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	err := s.process.Wait()
	s.process = nil
	s.client.CloseIdleConnections()
	return err
}

// answer is what came back.
type answer struct {
	status int
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("HTTP %d %s", a.status, bytes.TrimSpace(a.body)) }

func (s *server) post(url string, header http.Header, body []byte) (answer, error) {
	return s.ask(http.MethodPost, url, header, body)
}

func (s *server) ask(method, url string, header http.Header, body []byte) (answer, error) {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, platform.MaxAnswer))
	return answer{response.StatusCode, text}, err
}

// api asks the admin API.
func (s *server) api(method, path string, body any) (answer, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return answer{}, err
		}
	}
	header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
	return s.ask(method, s.admin+path, header, text)
}

// read reads JSON of the admin API.
func (s *server) read(path string, into any) error {
	got, err := s.api(http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if got.status != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, got)
	}
	return json.Unmarshal(got.body, into)
}

// command runs a command beside the server.
func (s *server) command(args ...string) (code int, out string, err error) {
	c := program(append(args, "--config", s.config)...)
	text, err := c.CombinedOutput()
	if c.ProcessState == nil {
		return -1, "", err
	}
	return c.ProcessState.ExitCode(), string(text), nil
}
