// Package console is what the commands of tolem share: the environment and the
// standard streams, the configuration and its database, flags that mean the same
// everywhere, tables, lists and files of records, progress, and the errors that
// decide the exit code.
package console

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"tolem/config"
)

// Stdio is where a command reads and prints. Answers go to Out; everything
// that is said about the work itself (errors, warnings, progress, logs) to Err.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

// Program has what every command needs: the environment and standard streams,
// and shared functions.
type Program struct {
	Env        []string
	Stdio      Stdio
	ConfigPath string // as given with --config, empty otherwise
}

// Variable is the value of an environment variable, empty when it is not set.
// The last one counts, as in os/exec.
func (p *Program) Variable(name string) string {
	value := ""
	for _, entry := range p.Env {
		if rest, ok := strings.CutPrefix(entry, name+"="); ok {
			value = rest
		}
	}
	return value
}

// ConfigFile is the configuration's file: --config, else TOLEM_CONFIG, else
// config.yaml.
func (p *Program) ConfigFile() string {
	if p.ConfigPath != "" {
		return p.ConfigPath
	}
	if path := p.Variable("TOLEM_CONFIG"); path != "" {
		return path
	}
	return "config.yaml"
}

// Config loads the configuration, with the secrets that the command needs, and
// prints its warnings.
func (p *Program) Config(needs config.Secrets) (*config.Config, error) {
	cfg, warnings, err := config.LoadFor(needs, p.ConfigFile(), p.Env)
	p.Warn(warnings...)
	if err != nil {
		return nil, fmt.Errorf("the configuration is invalid:\n%w", err)
	}
	return cfg, nil
}

// Warn prints a warning: a problem that does not stop the command.
func (p *Program) Warn(warnings ...string) {
	for _, warning := range warnings {
		fmt.Fprintf(p.Stdio.Err, "tolem: warning: %s\n", warning)
	}
}

// Terminal reports whether progress may be drawn on Err.
func (p *Program) Terminal() bool { return IsTerminal(p.Stdio.Err) }

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Println prints a line of the answer.
func (p *Program) Println(line string) error {
	_, err := fmt.Fprintln(p.Stdio.Out, line)
	return err
}
