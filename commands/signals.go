package commands

import (
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"
)

// outlive keeps a server running through the signals that end other programs by
// default and ask nothing of a server, until stop is called. SIGPIPE comes when
// whoever reads the log ends: the server then has no log, and answers all the
// same. SIGHUP comes when a terminal is closed, and from those who expect the
// configuration to be read again.
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
