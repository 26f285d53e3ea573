package pgtest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// longestMessage bounds what the proxy reads as one message, in bytes.
const longestMessage = 64 << 20

// Proxy forwards between a client and a PostgreSQL server and can break the
// connection: at once, with the next statement that begins in a certain way
// before the server sees it, or after the server has done it and before the
// client learns that. It listens on TCP on the loopback.
//
// It reads the protocol, so the connection must not be encrypted.
type Proxy struct {
	listener net.Listener
	through  *url.URL // what clients connect to
	network  string   // of the server
	address  string

	mu       sync.Mutex // for what follows
	open     map[net.Conn]struct{}
	refusing bool
	request  *trap
	answer   *trap
}

// trap waits for a text in what passes by.
type trap struct {
	text   string // in lower case
	sprung chan struct{}
}

// NewProxy makes a proxy in front of the server of a database's URL. It ends
// with the test.
func NewProxy(t testing.TB, rawURL string) *Proxy {
	t.Helper()
	u, err := parseURL(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, open: map[net.Conn]struct{}{}}
	p.network, p.address = address(u)
	p.through = throughHost(u, listener.Addr().String())
	var accepting sync.WaitGroup
	accepting.Go(p.accept)
	t.Cleanup(func() {
		p.listener.Close()
		p.Refuse(true)
		accepting.Wait()
	})
	return p
}

// address is where a URL's server listens.
func address(u *url.URL) (network, address string) {
	query := u.Query()
	host := cmp.Or(query.Get("host"), u.Hostname(), "localhost")
	number := cmp.Or(query.Get("port"), u.Port(), "5432")
	if strings.HasPrefix(host, "/") {
		return "unix", host + "/.s.PGSQL." + number
	}
	return "tcp", net.JoinHostPort(host, number)
}

// throughHost is a URL with another host, unencrypted.
func throughHost(u *url.URL, host string) *url.URL {
	query := u.Query()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	other := *u
	other.Host, other.RawQuery = host, query.Encode()
	return &other
}

// URL is the URL of the database through the proxy.
func (p *Proxy) URL() string { return p.through.String() }

// Cut breaks every connection. New ones are taken.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAll()
}

// Refuse breaks every connection and new ones too, as when the server is away,
// until it is called with false.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = refuse
	if refuse {
		p.cutAll()
	}
}

func (p *Proxy) cutAll() {
	for conn := range p.open {
		conn.Close()
	}
}

// LoseRequest breaks the connection of the next client that runs SQL that
// begins with the text, in upper or lower case. The server does not get it. The
// channel is closed when that has happened.
func (p *Proxy) LoseRequest(text string) <-chan struct{} {
	return p.set(&p.request, text)
}

// LoseAnswer breaks the connection of the next client to which the server says
// that a command was done, by its tag: "COMMIT", "INSERT 0 1" or the beginning
// of it. It was done; the client does not learn that. The channel is closed when
// that has happened.
func (p *Proxy) LoseAnswer(tag string) <-chan struct{} {
	return p.set(&p.answer, tag)
}

func (p *Proxy) set(which **trap, text string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	*which = &trap{text: strings.ToLower(text), sprung: make(chan struct{})}
	return (*which).sprung
}

// catches reports whether a trap is set for the text. A trap is used once.
func (p *Proxy) catches(which **trap, text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if *which == nil || !strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), (*which).text) {
		return false
	}
	close((*which).sprung)
	*which = nil
	return true
}

func (p *Proxy) accept() {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		serving.Go(func() { p.serve(client) })
	}
}

// serve passes messages on in both directions until one side ends.
func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial(p.network, p.address)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.enter(client) {
		return
	}
	defer p.leave(client)
	var answers sync.WaitGroup
	answers.Go(func() {
		// The other direction waits for the client: this wakes it up.
		defer client.Close()
		_ = p.passAnswers(server, client)
	})
	_ = p.passRequests(client, server)
	client.Close()
	server.Close()
	answers.Wait()
}

func (p *Proxy) enter(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.refusing {
		p.open[conn] = struct{}{}
	}
	return !p.refusing
}

func (p *Proxy) leave(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
}

var errLost = errors.New("the connection is lost on purpose")

// passRequests passes on what the client says, until it is caught. A prepared
// statement is caught when it is run, not when it is prepared.
func (p *Proxy) passRequests(client io.Reader, server io.Writer) error {
	first, err := readMessage(client, 0)
	if err != nil {
		return err
	}
	if _, err := server.Write(first); err != nil {
		return err
	}
	prepared := map[string]string{}
	for {
		message, err := readMessage(client, 1)
		if err != nil {
			return err
		}
		if p.catches(&p.request, sqlOf(message, prepared)) {
			return errLost
		}
		if _, err := server.Write(message); err != nil {
			return err
		}
	}
}

// sqlOf is the SQL that a client's message runs, or "".
func sqlOf(message []byte, prepared map[string]string) string {
	body := message[5:]
	switch message[0] {
	case 'Q': // the SQL
		sql, _ := text(body)
		return sql
	case 'P': // the statement's name, its SQL
		name, rest := text(body)
		prepared[name], _ = text(rest)
	case 'B': // the portal's name, the statement's name
		_, rest := text(body)
		name, _ := text(rest)
		return prepared[name]
	}
	return ""
}

// passAnswers passes on what the server says, until it is caught.
func (p *Proxy) passAnswers(server io.Reader, client io.Writer) error {
	for {
		message, err := readMessage(server, 1)
		if err != nil {
			return err
		}
		if tag, _ := text(message[5:]); message[0] == 'C' && p.catches(&p.answer, tag) {
			return errLost
		}
		if _, err := client.Write(message); err != nil {
			return err
		}
	}
}

// text is a message's text up to its zero byte, and what follows.
func text(body []byte) (string, []byte) {
	before, after, _ := bytes.Cut(body, []byte{0})
	return string(before), after
}

// readMessage reads one message of PostgreSQL's protocol: a type of so many
// bytes (the very first message has none), four bytes of length, the rest.
func readMessage(r io.Reader, kind int) ([]byte, error) {
	head := make([]byte, kind+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[kind:])
	if length < 4 || length > longestMessage {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	message := make([]byte, kind+int(length))
	copy(message, head)
	_, err := io.ReadFull(r, message[len(head):])
	return message, err
}
