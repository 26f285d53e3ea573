package commands

import (
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"
)

// outlive ignores the signals that end other programs by default and have no
// meaning for a server, until stop is called. SIGPIPE is sent when the reader
// of the log ends: the server then has no log, and still answers. SIGHUP is
// sent when a terminal is closed, and by operators who expect the configuration
// to be read again.
func outlive(log *zap.Logger) (stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-hangups:
				log.Warn("SIGHUP is ignored: the configuration is read at the start only; to change it, restart the server")
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		signal.Reset(syscall.SIGPIPE)
		close(done)
	}
}
