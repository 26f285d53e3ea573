package server

import (
	"errors"
	"net"
	"syscall"
)

// ListenAdvice is what to do about an address that cannot be listened on.
func ListenAdvice(err error, change string) string {
	unknown := (*net.DNSError)(nil)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there, perhaps another one of these: stop it, or " + change
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "a port below 1024 needs the right to it (CAP_NET_BIND_SERVICE): " + change + ", and let the proxy have that port"
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.As(err, &unknown):
		return "this machine has no such address: " + change
	}
	return change
}
