// Package deploy_test judges the files of this folder: each with the program that reads it, where that is installed, and
// all of them against the real server.
package deploy_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tolem/commands"
	"tolem/testkit"
)

// need skips a test for a program that is not installed, and fails it where everything must be.
func need(t *testing.T, program, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: install the Debian package %s", program, debianPackage)
	}
	t.Skipf("%s is missing (Debian: %s)", program, debianPackage)
}

// accepts runs a program that judges a file.
func accepts(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// replaced is text with something else in the place of old, which it must have.
func replaced(t *testing.T, text, old, with string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("there is no %q to replace", old)
	}
	return strings.ReplaceAll(text, old, with)
}

// files are the files of this folder, but for the tests, and docs/deploy.md.
func files(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{"../docs/deploy.md": read(t, "../docs/deploy.md")}
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Name() == "secrets" {
			return filepath.SkipDir
		}
		if err == nil && !entry.IsDir() && !strings.HasSuffix(path, ".go") {
			found[path] = read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 15 {
		t.Fatalf("found only %d files", len(found))
	}
	return found
}

// run is the program: its output, and whether it succeeded.
func run(t *testing.T, env []string, args ...string) (string, bool) {
	t.Helper()
	var out strings.Builder
	err := commands.Run(t.Context(), args, env, commands.Stdio{In: strings.NewReader(""), Out: &out, Err: &out})
	return out.String(), err == nil
}

// server is a running tolem serve.
type server struct{ public, admin string } // URLs

// serve starts a server with deploy/config.yaml on a new database and free ports.
func serve(t *testing.T) server {
	t.Helper()
	folder := install(t)
	env := []string{
		"TOLEM_CONFIG=" + filepath.Join(folder, "config.yaml"), "TOLEM_DATABASE__DSN=" + filepath.Join(folder, "tolem.db"),
		"TOLEM_LISTEN=127.0.0.1:0", "TOLEM_ADMIN__LISTEN=127.0.0.1:0",
		// So that every metric is there; nothing is sent, because nothing happens.
		`TOLEM_NOTIFY=[{"name":"billing","url":"https://billing.example.kz/","secrets":["whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM="]}]`,
	}
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := commands.Run(t.Context(), []string{"serve"}, env, commands.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: writer})
		writer.Close()
		ended <- err
	}()
	t.Cleanup(func() { // the context of the test has ended
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	var said strings.Builder
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		var line struct {
			Message string `json:"msg"`
			Listen  string `json:"listen"`
			Admin   string `json:"admin_listen"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "serving" {
			go func() { _, _ = io.Copy(io.Discard, reader) }()
			return server{public: "http://" + line.Listen, admin: "http://" + line.Admin}
		}
	}
	t.Fatalf("it did not serve:\n%s", said.String())
	return server{}
}

// install lays out what docs/deploy.md has under /etc/tolem, with secrets of the right form. It returns the folder.
func install(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "config.yaml"), read(t, "config.yaml"))
	for name, secret := range map[string]string{
		"admin-token":   "the-token-of-operations-in-production",
		"jetpay-112233": "the-secret-of-a-project-in-production",
		"database":      "postgres://tolem:a-password@/tolem?host=/var/run/postgresql",
	} {
		write(t, filepath.Join(folder, "secrets", name), secret+"\n")
	}
	return folder
}

// series are the series of a server, by name: the labels of each.
func series(t *testing.T, s server) map[string][]map[string]string {
	t.Helper()
	var text string
	testkit.Eventually(t, "the gauges of the database", func() bool {
		_, text = testkit.Get(t, s.admin+"/metrics")
		return strings.Contains(text, "\ntolem_database_gauges_up 1")
	})
	found := map[string][]map[string]string{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name := metricName.FindString(line)
		labels := map[string]string{}
		for _, m := range oneLabel.FindAllStringSubmatch(line, -1) {
			labels[m[1]] = m[2]
		}
		found[name] = append(found[name], labels)
	}
	return found
}

var (
	metricName = regexp.MustCompile(`^\w+`)
	oneLabel   = regexp.MustCompile(`(\w+)="([^"]*)"`)
)
