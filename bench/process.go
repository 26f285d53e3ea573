//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"tolem/commands"
)

const (
	route = "/jetpay"
	// startTimeout bounds how long a server may take to its first answer.
	startTimeout = 2 * time.Minute
	// stopTimeout is longer than a server takes to drain and checkpoint.
	stopTimeout = 2 * time.Minute
)

// process is a server in a process of its own, so that its processor time and
// memory are its own, and the generator's garbage is not collected on its
// account.
type process struct {
	command *exec.Cmd
	address string        // of the public listener
	admin   string        // of the admin listener, tolem only
	started time.Duration // from exec to the first answer
	ended   chan error
	log     string
}

// build makes the program that is measured.
func build(ctx context.Context, folder string) (program string, err error) {
	program = filepath.Join(folder, "tolem")
	command := exec.CommandContext(ctx, "go", "build", "-o", program, "tolem")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build tolem: %w\n%s", err, out)
	}
	return program, nil
}

// configuration is that of a production server, but for the project's secret.
const configuration = `
listen: %q
admin: {listen: %q, tokens: [{name: bench, role: admin, token: %s}]}
database: {driver: %s, dsn: %q}
jetpay: {projects: [{id: %d, secrets: [%s]}]}
log: {level: info, format: json}
`

// startTolem starts tolem serve on a database, as operators do: one log line a
// request, written to a file. more are lines of its configuration. With a profile,
// this program takes its part.
func startTolem(ctx context.Context, program, folder string, d database, more, profile string) (*process, error) {
	public, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(folder, strings.ReplaceAll(public, ":", "-")+".yaml")
	text := fmt.Sprintf(configuration, public, admin, adminToken, d.driver, d.dsn, project, secret) + more + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	command := exec.Command(program, "serve", "--config", config)
	if profile != "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		command = exec.Command(self, profiledPart, profile, config)
	}
	p := &process{command: command, address: public, admin: admin, log: filepath.Join(folder, "log.jsonl")}
	return p, p.start(ctx)
}

// startEmpty starts an Echo server that answers {}: as much of a server as a
// handler in Go can have, and so the yardstick.
func startEmpty(ctx context.Context, folder string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.Command(self, emptyPart, address), address: address, log: filepath.Join(folder, "empty.log")}
	return p, p.start(ctx)
}

// The parts that this program takes as a child of its own.
const (
	emptyPart      = "-serve-empty"
	profiledPart   = "-serve-profiled"
	stallMeterPart = "-measure-stalls"
)

// child takes such a part, if the arguments say so.
func child(args []string) (taken bool, err error) {
	switch {
	case len(args) == 1 && args[0] == stallMeterPart:
		return true, measureStalls(os.Stdin, os.Stdout)
	case len(args) == 2 && args[0] == emptyPart:
		e := echo.New()
		e.POST(route, func(c echo.Context) error { return c.JSONBlob(http.StatusOK, []byte(`{}`)) })
		e.GET("/healthz", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
		return true, (&http.Server{Addr: args[1], Handler: e, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe()
	case len(args) == 3 && args[0] == profiledPart:
		return true, profiled(args[1], func() error {
			ctx, stop := interruptible()
			defer stop()
			return commands.Run(ctx, []string{"serve", "--config", args[2]}, os.Environ(), commands.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
		})
	}
	return false, nil
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// start starts the process and waits for its first answer.
func (p *process) start(ctx context.Context) (err error) {
	sink, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	p.command.Stdout, p.command.Stderr = sink, sink
	// It does not outlive this program.
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := time.Now()
	if err := p.command.Start(); err != nil {
		return err
	}
	p.ended = make(chan error, 1)
	go func() { p.ended <- p.command.Wait() }()
	for !answers(p.address) {
		select {
		case err := <-p.ended:
			text, _ := os.ReadFile(p.log)
			return fmt.Errorf("the server ended instead of serving: %v\n%s", err, text)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), p.stop())
		case <-time.After(time.Millisecond):
		}
		if time.Since(started) > startTimeout {
			return errors.Join(fmt.Errorf("the server did not answer within %v", startTimeout), p.stop())
		}
	}
	p.started = time.Since(started)
	return nil
}

// answers reports whether a server answers at an address.
func answers(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	if err := conn.Close(); err != nil {
		return false
	}
	client := http.Client{Timeout: startTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/healthz")
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// stop signals the server to end, and waits for that. A second stop does
// nothing.
func (p *process) stop() error {
	if p == nil || p.ended == nil {
		return nil
	}
	defer func() { p.ended = nil }()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-p.ended:
		if p.admin == "" { // the empty one does not know how
			return nil
		}
		return err
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("the server did not end within %v", stopTimeout), p.command.Process.Kill())
	}
}

// processor is the time that the server has spent on processors, to 10 ms.
func (p *process) processor() (time.Duration, error) {
	text, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may hold anything; user and system time are the
	// 12th and 13th fields behind it (proc_pid_stat(5)).
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s: %q", p.proc("stat"), text)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	const ticks = 100 // a second: USER_HZ
	return time.Duration(user+system) * time.Second / ticks, errors.Join(err1, err2)
}

// memory is what the server has resident now, and the most that it ever had,
// in bytes.
func (p *process) memory() (now, most int64, err error) {
	text, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(text) {
		name, value, _ := strings.Cut(string(line), ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch {
		case name != "VmRSS" && name != "VmHWM":
		case err != nil:
			return 0, 0, fmt.Errorf("%s: %q", p.proc("status"), line)
		case name == "VmRSS":
			now = kib << 10
		default:
			most = kib << 10
		}
	}
	return now, most, nil
}

// files is how many file handles the server has open.
func (p *process) files() (int, error) {
	entries, err := os.ReadDir(p.proc("fd"))
	return len(entries), err
}

func (p *process) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.command.Process.Pid), name)
}

// metric reads a metric without labels from the server.
func (p *process) metric(ctx context.Context, name string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		return 0, err
	}
	for line := range strings.Lines(text.String()) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("the server has no metric %s", name)
}
