package database

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAConnectionToAMachineThatIsGoneEnds looks at what the kernel was told; TestFailover
// of ./commands cuts a machine off.
func TestAConnectionToAMachineThatIsGoneEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, url := range map[string]string{
		"plain": "postgres://tolem@127.0.0.1/tolem",
		"with a time to connect, and several hosts": "postgres://tolem@127.0.0.1,127.0.0.2/tolem?connect_timeout=2&target_session_attrs=read-write",
	} {
		t.Run(name, func(t *testing.T) {
			config, err := parsePostgres(url)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := config.Copy().DialFunc(t.Context(), "tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			raw, err := conn.(syscall.Conn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			for _, option := range []struct {
				name        string
				level, what int
				want        int
			}{
				{"TCP_USER_TIMEOUT, ms", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 5000},
				{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
				{"TCP_KEEPIDLE, s", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 4},
				{"TCP_KEEPINTVL, s", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1},
			} {
				var got int
				var failed error
				if err := raw.Control(func(fd uintptr) { got, failed = unix.GetsockoptInt(int(fd), option.level, option.what) }); err != nil {
					t.Fatal(err)
				}
				if failed != nil || got != option.want {
					t.Errorf("%s: got %d, %v, want %d", option.name, got, failed, option.want)
				}
			}
		})
	}
}
