package commands

import (
	"os"
	"os/signal"
	"syscall"
)

// outlive ignores SIGPIPE, which ends other programs by default, until stop is
// called: it is sent when the reader of the log ends; the server then has no log,
// and still answers. It returns the SIGHUPs, several that arrive before the first
// is worked on as one: they ask for the configuration to be read again.
func outlive() (hangups <-chan os.Signal, stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	return signals, func() {
		signal.Stop(signals)
		signal.Reset(syscall.SIGPIPE)
	}
}
