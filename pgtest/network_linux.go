package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// network is a switch with a machine at each port, each in a network namespace of its own,
// the switch too: no rule of this machine's firewall is about them. A link leads from the
// switch to this machine's own namespace.
type network struct {
	id     string // in every name that others can see
	names  []string
	subnet byte // 198.18.subnet.0/24, of the addresses that are for measuring networks (RFC 2544)
}

func planNetwork(id string, names []string) *network {
	n := &network{id: id, names: names}
	for {
		n.subnet = byte(rand.N(256))
		if !isOurs(n.address(0)) {
			return n
		}
	}
}

// isOurs reports whether an address is in a network that this machine is in.
func isOurs(address netip.Addr) bool {
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Contains(address) {
			return true
		}
	}
	return false
}

func (n *network) hub() string                  { return "tolem-" + n.id }
func (n *network) namespace(name string) string { return n.hub() + "-" + name }
func (n *network) device() string               { return "tolem" + n.id } // at most 15 characters
func (n *network) address(machine int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18, n.subnet, byte(11 + machine)})
}

func (n *network) namespaces() []string {
	list := []string{n.hub()}
	for _, name := range n.names {
		list = append(list, n.namespace(name))
	}
	return list
}

// make makes the namespaces and the links between them.
func (n *network) make() error {
	hub := n.hub()
	steps := [][]string{
		{"netns", "add", hub},
		{"-n", hub, "link", "add", "switch", "type", "bridge"},
		{"-n", hub, "link", "set", "switch", "up"},
		{"link", "add", n.device(), "type", "veth", "peer", "name", "out", "netns", hub},
		{"-n", hub, "link", "set", "out", "master", "switch", "up"},
		{"address", "add", fmt.Sprintf("198.18.%d.1/24", n.subnet), "dev", n.device()},
		{"link", "set", n.device(), "up"},
	}
	for i, name := range n.names {
		own, hardware := n.namespace(name), fmt.Sprintf("02:00:00:00:%02x:%02x", n.subnet, 11+i)
		steps = append(steps, [][]string{
			{"netns", "add", own},
			{"-n", hub, "link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", own},
			{"-n", hub, "link", "set", "dev", name, "master", "switch", "up"},
			{"-n", own, "link", "set", "eth0", "address", hardware},
			{"-n", own, "address", "add", n.address(i).String() + "/24", "dev", "eth0"},
			{"-n", own, "link", "set", "lo", "up"},
			{"-n", own, "link", "set", "eth0", "up"},
			// As behind a router: nobody is told that a machine does not answer.
			{"neigh", "replace", n.address(i).String(), "lladdr", hardware, "dev", n.device(), "nud", "permanent"},
		}...)
	}
	for _, step := range steps {
		if err := ip(step...); err != nil {
			return err
		}
	}
	return nil
}

// link sets a machine's port at the switch up or down.
func (n *network) link(name, state string) error {
	return ip("-n", n.hub(), "link", "set", "dev", name, state)
}

// blackhole adds or deletes a route on which what a machine sends to an address is lost.
func (n *network) blackhole(what, name string, address netip.Addr) error {
	return ip("-n", n.namespace(name), "route", what, "blackhole", address.String()+"/32")
}

// in runs fn, which starts a process, on a thread in the machine's namespace: the process is in it, too.
func (n *network) in(name string, fn func() error) error {
	return inNamespace("/run/netns/"+n.namespace(name), fn)
}

func inNamespace(path string, fn func() error) (err error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	other, err := os.Open(path)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer other.Close()
	if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter the network namespace: %w", err)
	}
	err = fn()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// canMakeNetworks makes a network namespace and removes it.
func canMakeNetworks() error {
	name := fmt.Sprintf("tolem-try-%08x", rand.Uint32())
	if err := ip("netns", "add", name); err != nil {
		return err
	}
	return ip("netns", "del", name)
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
