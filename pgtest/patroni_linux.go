package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v3"
)

// PatroniNodes is how many nodes a cluster of Patroni has.
const PatroniNodes = 3

const (
	// patroniPoll is how often a cluster is asked about its state.
	patroniPoll = 100 * time.Millisecond
	// patroniAsk bounds one question: who is cut off does not answer.
	patroniAsk = 2 * time.Second

	etcdPort, etcdPeerPort, patroniPort = "2379", "2380", "8008"
	patroniPassword                     = "of-the-tests"
)

// Patroni is a cluster of three PostgreSQL servers under Patroni, with etcd, each in a
// network namespace of its own. This process and what it starts are outside of these
// and reach all three by their addresses. It ends with this process, however that ends.
//
// Its methods are not for several goroutines at once, except URL.
type Patroni struct {
	network  *network
	folder   string
	guard    *guard
	who      *syscall.Credential
	nodes    []*patroniNode
	programs map[string]string
	client   *http.Client
}

// patroniNode is what one of the three machines would be.
type patroniNode struct {
	name    string
	host    netip.Addr
	folder  string
	patroni *exec.Cmd
	ended   chan struct{} // closed when Patroni has ended
	cut     bool
}

// PatroniOptions are a cluster's.
type PatroniOptions struct {
	// Config is Patroni's configuration, in YAML. Names, addresses, folders, passwords
	// and what belongs to the machine are replaced by those of the tests.
	Config []byte
	// DCS are values for its section bootstrap.dcs.
	DCS map[string]any
}

// NewPatroni starts a cluster, with an empty database and a role that owns it, and waits
// until all of its nodes are in it. It ends with the test. The test is skipped, and fails
// under CI=true, where a program is missing or network namespaces cannot be made.
func NewPatroni(t testing.TB, options PatroniOptions) *Patroni {
	t.Helper()
	programs, missing := patroniPrograms()
	if missing != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	p := &Patroni{programs: programs, client: &http.Client{Timeout: patroniAsk, Transport: &http.Transport{DisableKeepAlives: true}}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.lastWords())
		}
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := p.start(options); err != nil {
		t.Fatal(err)
	}
	p.AwaitHealthy(t)
	leader := p.Leader(t)
	conn, err := pgx.Connect(t.Context(), p.address(p.nodes[leader], "postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range []string{
		"CREATE ROLE tolem LOGIN PASSWORD '" + patroniPassword + "'",
		"CREATE DATABASE tolem OWNER tolem ENCODING 'UTF8' TEMPLATE template0",
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// patroniPrograms finds the programs; missing says what is not there.
func patroniPrograms() (programs map[string]string, missing string) {
	programs = map[string]string{}
	for _, p := range []struct{ name, debian string }{{"patroni", "patroni"}, {"etcd", "etcd-server"}, {"ip", "iproute2"}} {
		path, err := exec.LookPath(p.name)
		if err != nil {
			return nil, fmt.Sprintf("no %s is installed: install the Debian package %s", p.name, p.debian)
		}
		programs[p.name] = path
	}
	folder, err := Programs()
	if err != nil {
		return nil, err.Error()
	}
	// Patroni needs more of the programs than PATH may have links to.
	initdb, err := filepath.EvalSymlinks(filepath.Join(folder, "initdb"))
	if err != nil {
		return nil, err.Error()
	}
	programs["postgres"] = filepath.Dir(initdb)
	if err := canMakeNetworks(); err != nil {
		return nil, fmt.Sprintf("no network namespaces can be made (root on Linux can): %v", err)
	}
	return programs, ""
}

func (p *Patroni) start(options PatroniOptions) (err error) {
	if p.who, err = account(); err != nil {
		return err
	}
	if p.folder, err = os.MkdirTemp("", "tolem-ha-"); err != nil {
		return err
	}
	if err := own(p.folder, p.who); err != nil {
		return err
	}
	var id [3]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	names := make([]string, PatroniNodes)
	for i := range names {
		names[i] = string(rune('a' + i))
	}
	p.network = planNetwork(hex.EncodeToString(id[:]), names)
	// From here on the guard removes what there is.
	if p.guard, err = newGuard(patroniGuard, append([]string{p.folder, p.network.device()}, p.network.namespaces()...)...); err != nil {
		return err
	}
	if err := p.network.make(); err != nil {
		return err
	}
	for i, name := range names {
		n := &patroniNode{name: name, host: p.network.address(i), folder: filepath.Join(p.folder, name)}
		if err := errors.Join(os.Mkdir(n.folder, 0o700), own(n.folder, p.who)); err != nil {
			return err
		}
		p.nodes = append(p.nodes, n)
	}
	for _, n := range p.nodes {
		if err := p.startEtcd(n); err != nil {
			return err
		}
	}
	for _, n := range p.nodes {
		if err := p.configure(n, options); err != nil {
			return err
		}
		if err := p.startPatroni(n); err != nil {
			return err
		}
	}
	return nil
}

// patroniGuard ends everything in the namespaces and removes them and the folder when
// this process has gone: Patroni and etcd first, who would start PostgreSQL again, then
// PostgreSQL by its immediate shutdown, which frees its shared memory.
const patroniGuard = `
trap '' HUP INT TERM
read -r _
folder=$1 device=$2
shift 2
inside() { for namespace; do ip netns pids "$namespace" 2>/dev/null; done; }
for pid in $(inside "$@"); do
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = postgres ] || kill -9 "$pid" 2>/dev/null
done
for file in "$folder"/*/data/postmaster.pid; do
	if read -r pid 2>/dev/null <"$file"; then kill -QUIT "$pid" 2>/dev/null; fi
done
turns=0
while [ -n "$(inside "$@")" ] && [ "$turns" -lt 100 ]; do
	sleep 0.1
	turns=$((turns + 1))
done
for pid in $(inside "$@"); do kill -9 "$pid" 2>/dev/null; done
ip link del "$device" 2>/dev/null
for namespace; do ip netns del "$namespace" 2>/dev/null; done
rm -rf "$folder"
`

// stop ends the cluster and removes what it had.
func (p *Patroni) stop() error {
	if p.guard == nil {
		return os.RemoveAll(p.folder)
	}
	return p.guard.release()
}

// run starts a program in a node's namespace, and lets it write its log into the node's folder.
func (p *Patroni) run(n *patroniNode, program string, args ...string) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(n.folder, program+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.Command(p.programs[program], args...)
	command.Dir = n.folder
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + n.folder}
	command.Stdout, command.Stderr = log, log
	as(command, p.who)
	if err := p.network.in(n.name, command.Start); err != nil {
		return nil, fmt.Errorf("start %s of node %s: %w", program, n.name, err)
	}
	return command, nil
}

func (p *Patroni) startEtcd(n *patroniNode) error {
	var members []string
	for _, other := range p.nodes {
		members = append(members, other.name+"=http://"+other.host.String()+":"+etcdPeerPort)
	}
	peer, client := "http://"+n.host.String()+":"+etcdPeerPort, "http://"+n.host.String()+":"+etcdPort
	command, err := p.run(n, "etcd", "--name", n.name, "--data-dir", filepath.Join(n.folder, "etcd"),
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--initial-cluster", strings.Join(members, ","), "--initial-cluster-state", "new", "--enable-v2", "--pre-vote")
	if err != nil {
		return err
	}
	go func() { _ = command.Wait() }()
	return nil
}

// configure writes a node's file: the given one, with what belongs to this node.
func (p *Patroni) configure(n *patroniNode, options PatroniOptions) error {
	var config map[string]any
	if err := yaml.Unmarshal(options.Config, &config); err != nil {
		return fmt.Errorf("read Patroni's configuration: %w", err)
	}
	var hosts []string
	for _, other := range p.nodes {
		hosts = append(hosts, other.host.String()+":"+etcdPort)
	}
	at := func(port string) string { return n.host.String() + ":" + port }
	for path, value := range map[string]any{
		"name": n.name, "etcd.hosts": hosts,
		"restapi.listen": at(patroniPort), "restapi.connect_address": at(patroniPort),
		"postgresql.listen": at(port), "postgresql.connect_address": at(port),
		"postgresql.bin_dir": p.programs["postgres"], "postgresql.data_dir": filepath.Join(n.folder, "data"),
		"postgresql.pgpass":                              filepath.Join(n.folder, "pgpass"),
		"postgresql.authentication.superuser.password":   patroniPassword,
		"postgresql.authentication.replication.password": patroniPassword,
		// Mapped files instead of shared memory, which outlives who is killed.
		"postgresql.parameters": map[string]any{"unix_socket_directories": n.folder, "dynamic_shared_memory_type": "mmap"},
		// It would restart the machine of the tests.
		"watchdog.mode": "off",
	} {
		if err := put(config, path, value); err != nil {
			return err
		}
	}
	for name, value := range options.DCS {
		if err := put(config, "bootstrap.dcs."+name, value); err != nil {
			return err
		}
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	file := p.configuration(n)
	return errors.Join(os.WriteFile(file, text, 0o600), own(file, p.who))
}

func (p *Patroni) configuration(n *patroniNode) string { return filepath.Join(n.folder, "patroni.yml") }

// put sets a value at a path of names with dots between them. The section must be there.
func put(config map[string]any, path string, value any) error {
	section, name, found := strings.Cut(path, ".")
	if !found {
		config[section] = value
		return nil
	}
	below, ok := config[section].(map[string]any)
	if !ok {
		return fmt.Errorf("the configuration of Patroni has no section %s", section)
	}
	return put(below, name, value)
}

func (p *Patroni) startPatroni(n *patroniNode) error {
	command, err := p.run(n, "patroni", p.configuration(n))
	if err != nil {
		return err
	}
	n.patroni, n.ended = command, make(chan struct{})
	go func(ended chan struct{}) {
		_ = command.Wait()
		close(ended)
	}(n.ended)
	return nil
}

// address is the URL of a database on one node.
func (p *Patroni) address(n *patroniNode, user, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, patroniPassword), Host: n.host.String() + ":" + port, Path: "/" + database,
		RawQuery: "sslmode=disable&connect_timeout=2"}
	return u.String()
}

// URL is the URL of the database that has all three nodes in it, as docs/scaling.md says.
// The query is added to it.
func (p *Patroni) URL(query string) string {
	var hosts []string
	for _, n := range p.nodes {
		hosts = append(hosts, n.host.String()+":"+port)
	}
	return "postgres://tolem:" + patroniPassword + "@" + strings.Join(hosts, ",") + "/tolem?target_session_attrs=read-write&sslmode=disable" + query
}

// Addresses are the nodes' addresses.
func (p *Patroni) Addresses() []netip.Addr {
	var list []netip.Addr
	for _, n := range p.nodes {
		list = append(list, n.host)
	}
	return list
}

// Leader is the node that leads, which is waited for.
func (p *Patroni) Leader(t testing.TB) (leader int) {
	t.Helper()
	p.await(t, "a leader", func(ctx context.Context) bool {
		leader = p.leader(ctx)
		return leader >= 0
	})
	return leader
}

// AwaitAnotherLeader waits until another node than the given one leads and takes writes.
func (p *Patroni) AwaitAnotherLeader(t testing.TB, than int) (leader int) {
	t.Helper()
	p.await(t, "another leader than node "+p.nodes[than].name, func(ctx context.Context) bool {
		leader = p.leader(ctx)
		return leader >= 0 && leader != than
	})
	return leader
}

// leader asks the nodes that can be reached which of them is a primary by its own word and
// by its PostgreSQL's; -1: none is, or several are.
func (p *Patroni) leader(ctx context.Context) int {
	found := -1
	for i, n := range p.nodes {
		if n.cut {
			continue
		}
		response, err := p.ask(ctx, http.MethodGet, n, "/primary", nil)
		if err != nil || response != http.StatusOK {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// ask sends a request to a node's Patroni, and returns the status.
func (p *Patroni) ask(ctx context.Context, method string, n *patroniNode, path string, body any) (status int, err error) {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return 0, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+n.host.String()+":"+patroniPort+path, &text)
	if err != nil {
		return 0, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// await waits for a condition.
func (p *Patroni) await(t testing.TB, what string, holds func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	for !holds(ctx) {
		for _, n := range p.nodes {
			select {
			case <-n.ended:
				if n.patroni != nil {
					t.Fatalf("Patroni of node %s has ended by itself; waited for %s", n.name, what)
				}
			default:
			}
		}
		if !pause(ctx, patroniPoll) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// AwaitHealthy waits until the leader has two standbys that stream, one of them
// synchronous if the cluster is.
func (p *Patroni) AwaitHealthy(t testing.TB) {
	t.Helper()
	p.await(t, "a leader with two standbys", func(ctx context.Context) bool {
		leader := p.leader(ctx)
		return leader >= 0 && p.hasStandbys(ctx, p.nodes[leader])
	})
}

func (p *Patroni) hasStandbys(ctx context.Context, leader *patroniNode) bool {
	conn, err := pgx.Connect(ctx, p.address(leader, "postgres", "postgres"))
	if err != nil {
		return false
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var streaming, synchronous int
	var named bool
	err = conn.QueryRow(ctx, `SELECT count(*) FILTER (WHERE state = 'streaming'), count(*) FILTER (WHERE state = 'streaming' AND sync_state <> 'async'),
		current_setting('synchronous_standby_names') <> '' FROM pg_stat_replication WHERE application_name = ANY ($1)`, p.names()).Scan(&streaming, &synchronous, &named)
	// Patroni promotes a synchronous standby only once it has noted in etcd that it is one.
	return err == nil && streaming == PatroniNodes-1 && (!named || synchronous > 0 && p.synchronous(ctx) >= 0)
}

// AwaitAsynchronous waits until commits of the leader wait for no standby.
func (p *Patroni) AwaitAsynchronous(t testing.TB) {
	t.Helper()
	p.await(t, "a leader that waits for no standby", func(ctx context.Context) bool {
		leader := p.leader(ctx)
		if leader < 0 {
			return false
		}
		conn, err := pgx.Connect(ctx, p.address(p.nodes[leader], "postgres", "postgres"))
		if err != nil {
			return false
		}
		defer conn.Close(context.WithoutCancel(ctx))
		var names string
		return conn.QueryRow(ctx, `SELECT current_setting('synchronous_standby_names')`).Scan(&names) == nil && names == ""
	})
}

func (p *Patroni) names() []string {
	var names []string
	for _, n := range p.nodes {
		names = append(names, n.name)
	}
	return names
}

// Synchronous is the standby that has every acknowledged commit.
func (p *Patroni) Synchronous(t testing.TB) (standby int) {
	t.Helper()
	p.await(t, "a synchronous standby", func(ctx context.Context) bool {
		standby = p.synchronous(ctx)
		return standby >= 0
	})
	return standby
}

func (p *Patroni) synchronous(ctx context.Context) int {
	return slices.IndexFunc(p.nodes, func(n *patroniNode) bool {
		if n.cut {
			return false
		}
		status, err := p.ask(ctx, http.MethodGet, n, "/synchronous", nil)
		return err == nil && status == http.StatusOK
	})
}

// Kill ends a node's Patroni and its PostgreSQL by kill -9.
func (p *Patroni) Kill(t testing.TB, node int) {
	t.Helper()
	n := p.nodes[node]
	// Patroni first: it would start PostgreSQL again.
	if err := n.patroni.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-n.ended
	n.patroni = nil
	text, err := os.ReadFile(filepath.Join(n.folder, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// Start starts a node that was killed.
func (p *Patroni) Start(t testing.TB, node int) {
	t.Helper()
	if err := p.startPatroni(p.nodes[node]); err != nil {
		t.Fatal(err)
	}
}

// Cut takes a node's link away: nobody reaches it, and nobody is told so.
func (p *Patroni) Cut(t testing.TB, node int) {
	t.Helper()
	p.nodes[node].cut = true
	if err := p.network.link(p.nodes[node].name, "down"); err != nil {
		t.Fatal(err)
	}
}

// Join undoes Cut.
func (p *Patroni) Join(t testing.TB, node int) {
	t.Helper()
	if err := p.network.link(p.nodes[node].name, "up"); err != nil {
		t.Fatal(err)
	}
	p.nodes[node].cut = false
}

// Isolate cuts a node off from the other nodes. This process reaches it still.
func (p *Patroni) Isolate(t testing.TB, node int) { p.routes(t, node, "add") }

// Reunite undoes Isolate.
func (p *Patroni) Reunite(t testing.TB, node int) { p.routes(t, node, "del") }

func (p *Patroni) routes(t testing.TB, node int, what string) {
	t.Helper()
	for i, other := range p.nodes {
		if i == node {
			continue
		}
		if err := p.network.blackhole(what, p.nodes[node].name, other.host); err != nil {
			t.Fatal(err)
		}
	}
}

// Switchover demotes the leader in favour of its synchronous standby.
func (p *Patroni) Switchover(t testing.TB, leader int) {
	t.Helper()
	slow := *p // it answers when it is done
	slow.client = &http.Client{Timeout: timeout, Transport: p.client.Transport}
	p.await(t, "a switchover", func(ctx context.Context) bool {
		candidate := p.Synchronous(t)
		status, err := slow.ask(ctx, http.MethodPost, p.nodes[leader], "/switchover",
			map[string]string{"leader": p.nodes[leader].name, "candidate": p.nodes[candidate].name})
		return err == nil && status == http.StatusOK || p.leader(ctx) == candidate
	})
}

// Configure changes the cluster's dynamic configuration.
func (p *Patroni) Configure(t testing.TB, change map[string]any) {
	t.Helper()
	status, err := p.ask(t.Context(), http.MethodPatch, p.nodes[p.Leader(t)], "/config", change)
	if err != nil || status != http.StatusOK {
		t.Fatalf("change the configuration: HTTP %d, %v", status, err)
	}
}

// lastWords are the ends of all logs.
func (p *Patroni) lastWords() string {
	var text strings.Builder
	for _, n := range p.nodes {
		files, _ := filepath.Glob(filepath.Join(n.folder, "*.log"))
		slices.Sort(files)
		for _, file := range files {
			log, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			fmt.Fprintf(&text, "--- %s of node %s\n%s\n", filepath.Base(file), n.name, bytes.TrimSpace(log[max(0, len(log)-tail):]))
		}
	}
	return text.String()
}
