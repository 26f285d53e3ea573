package database

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// A machine that is cut off closes no connection. Without these a statement would wait
	// for its deadline, and one without a deadline for a quarter of an hour, until TCP
	// gives up (tcp_retries2). What is answered late is not closed: the machine's kernel
	// acknowledges for a server that is busy.
	keepaliveIdle     = 4 * time.Second
	keepaliveInterval = time.Second
	// unacknowledged is how long what was sent may stay unacknowledged.
	unacknowledged = 5 * time.Second
)

// dial lets the connections of a configuration end within seconds when the server's
// machine does not answer any more.
func dial(config *pgx.ConnConfig) {
	dialer := &net.Dialer{
		Timeout: config.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: keepaliveIdle, Interval: keepaliveInterval, Count: int(unacknowledged / keepaliveInterval),
		},
		Control: limitUnacknowledged,
	}
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}
}
