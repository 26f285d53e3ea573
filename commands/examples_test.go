package commands_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheExamplesOfTheHelpNameFilesThatExist: they are there to be tried.
func TestTheExamplesOfTheHelpNameFilesThatExist(t *testing.T) {
	for _, command := range append(leaves, "sandbox") {
		_, examples, _ := strings.Cut(tolem(t, nil, "", append(strings.Fields(command), "--help")...).out, "Example:")
		for _, name := range regexp.MustCompile(`\bfixtures/[A-Za-z0-9_./-]*`).FindAllString(examples, -1) {
			if _, err := os.Stat(filepath.Join("..", name)); err != nil {
				t.Errorf("%s: %v", command, err)
			}
		}
	}
	t.Chdir("..")
	signed := tolem(t, nil, "", "sign", "--project", "1234", "fixtures/jetpay/credit/01-verify.request.json")
	if signed.code != 0 || signed.out != readFile(t, "fixtures/jetpay/credit/01-verify.request.json") {
		t.Errorf("the example of sign: got %+v", signed)
	}
	if got := tolem(t, nil, "", "verify", "--project", "1234", "fixtures/jetpay/credit/01-verify.request.json"); got.out != "valid\n" {
		t.Errorf("the example of verify: got %+v", got)
	}
}

// TestWhatCommandsOfTheDocumentationWriteIsIgnored: whoever tries them in a clone
// has no untracked files afterwards.
func TestWhatCommandsOfTheDocumentationWriteIsIgnored(t *testing.T) {
	need(t, "git")
	if err := exec.CommandContext(t.Context(), "git", "-C", "..", "rev-parse").Run(); err != nil {
		t.Skip("not in a git repository")
	}
	texts := []string{readFile(t, "../README.md")}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		texts = append(texts, readFile(t, page))
	}
	for _, command := range append(leaves, "sandbox") {
		texts = append(texts, tolem(t, nil, "", append(strings.Fields(command), "--help")...).out)
	}
	written := regexp.MustCompile(`(?:[^=]>>?|\bbackup|\s-o|\s-out|\s-keyout|--out|--junit)[ =]([A-Za-z][\w-]*\.?[\w.-]*)`)
	found := 0
	for _, match := range written.FindAllStringSubmatch(strings.Join(texts, "\n"), -1) {
		name := match[1]
		if name != "tolem" && !strings.Contains(strings.TrimSuffix(name, "."), ".") {
			continue // a word of a sentence
		}
		found++
		if err := exec.CommandContext(t.Context(), "git", "-C", "..", "check-ignore", "--quiet", name).Run(); err != nil {
			t.Errorf("%s would be left as an untracked file: %v", match[0], err)
		}
	}
	if found < 4 {
		t.Errorf("found %d files, so this test finds none", found)
	}
}

func TestAnAddressThatCannotBeListenedOnGetsTheAdviceForThat(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, want := range map[string]string{
		taken.Addr().String(): "another program listens there",
		"192.0.2.77:0":        "this machine has no such address",
		"nowhere.invalid:0":   "this machine has no such address",
	} {
		s := newShop(t)
		s.env = append(s.env, "TOLEM_LISTEN="+address)
		contains(t, "serve on "+address, s.tolem(t, "serve").err, want, "change listen in the configuration")
		contains(t, "sandbox on "+address, s.tolem(t, "sandbox", "--url", "http://127.0.0.1:1", "--listen", address).err, want, "give another --listen")
	}
	got := tolem(t, nil, "", "sandbox", "--listen", "foo")
	if strings.Contains(got.err, "running") {
		t.Errorf("foo: got %s", got.err)
	}
	contains(t, "foo", got.err, "--listen must be host:port, such as 127.0.0.1:8090")
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
