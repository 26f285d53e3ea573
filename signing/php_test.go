package signing_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestCanonicalStringIsPHPs lets PHP's own ksort(SORT_NATURAL) judge thousands
// of random bodies made of what natural order is peculiar about.
func TestCanonicalStringIsPHPs(t *testing.T) {
	php := phpBinary(t)
	bodies := make([]string, 0, 20000)
	for seed := range cap(bodies) {
		bodies = append(bodies, newGenerator(uint64(seed)).body())
	}
	collisions := 0
	for i, answer := range askPHP(t, php, bodies) {
		if answer == "collision" {
			collisions++
			continue
		}
		want, err := base64.StdEncoding.DecodeString(answer)
		if err != nil {
			t.Fatalf("PHP answered %q for %s", answer, bodies[i])
		}
		if got := mustParse(t, bodies[i]).Canonical(); got != string(want) {
			t.Fatalf("body %s\n got %q\nPHP  %q", bodies[i], got, want)
		}
	}
	if collisions > len(bodies)/10 {
		t.Errorf("%d of %d bodies could not be compared, too many for a test", collisions, len(bodies))
	}
}

// phpBinary finds PHP. Without it the test is skipped, but never in CI.
func phpBinary(t *testing.T) string {
	t.Helper()
	php, err := exec.LookPath("php")
	if err == nil {
		return php
	}
	const missing = "php is not installed (Debian package php-cli): natural order is not compared with PHP's own"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// askPHP runs one PHP process over all bodies and returns an answer for each.
func askPHP(t *testing.T, php string, bodies []string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), php, "-n", "testdata/canonical.php")
	cmd.Stdin = strings.NewReader(strings.Join(bodies, "\n") + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run php: %v: %s", err, stderr.String())
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != len(bodies) {
		t.Fatalf("php answered %d of %d bodies; its last words: %.200q", len(answers), len(bodies), out[max(0, len(out)-200):])
	}
	return answers
}

// generator makes random bodies of the kinds that the orders differ on.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 7))} }

func (g generator) body() string {
	var out strings.Builder
	g.object(&out, 1+g.IntN(14), 0)
	return out.String()
}

func (g generator) object(out *strings.Builder, members, depth int) {
	out.WriteByte('{')
	used := map[string]bool{}
	style := g.IntN(len(styles))
	for range members {
		name := styles[style](g)
		if g.IntN(6) == 0 {
			name = styles[g.IntN(len(styles))](g)
		}
		if used[name] {
			continue
		}
		if len(used) > 0 {
			out.WriteByte(',')
		}
		used[name] = true
		out.WriteString(quote(name))
		out.WriteByte(':')
		g.value(out, depth)
	}
	out.WriteByte('}')
}

// styles are ways to name things that belong together.
var styles = []func(generator) string{
	func(g generator) string { return "p" + strconv.Itoa(g.IntN(120)) },
	func(g generator) string {
		return []string{"a", "A", "b", "aa", "ab", "a-b", "a_b", "Auth", "auth", "é", "ц"}[g.IntN(11)]
	},
	func(g generator) string { return strconv.Itoa(g.IntN(1200)) },
	func(g generator) string {
		return strings.Repeat("0", g.IntN(4)) + strconv.Itoa(g.IntN(20)) + []string{"", "x", ".5"}[g.IntN(3)]
	},
	func(g generator) string {
		return []string{"signature", "frame_mode", "general", "payment", "sum", "Signature"}[g.IntN(6)]
	},
	func(g generator) string { return g.letters(g.IntN(5), "01 a:") },
	func(g generator) string { return g.letters(g.IntN(6), "0012 9aAb:-.\t\n\v\x00\x01~é") },
	func(g generator) string { return "v" + g.letters(1+g.IntN(4), "0019.") },
	func(g generator) string { return strconv.FormatUint(g.Uint64(), 10) },
	func(g generator) string { return strconv.FormatInt(-g.Int64N(30), 10) },
}

func (g generator) letters(n int, alphabet string) string {
	runes := []rune(alphabet)
	var out strings.Builder
	for range n {
		out.WriteRune(runes[g.IntN(len(runes))])
	}
	return out.String()
}

func (g generator) value(out *strings.Builder, depth int) {
	kinds := 12
	if depth >= 3 {
		kinds = 9
	}
	switch g.IntN(kinds) {
	case 0:
		out.WriteString("null")
	case 1:
		out.WriteString([]string{"true", "false"}[g.IntN(2)])
	case 2:
		out.WriteString([]string{`""`, `" x "`, `"a;b:c"`, `"Привет"`, `"\/\u0041\ud83d\ude00"`}[g.IntN(5)])
	case 3:
		out.WriteString(strconv.FormatInt(g.Int64(), 10))
	case 4:
		out.WriteString("123456789012345678901234567890"[:1+g.IntN(30)])
	case 5:
		fmt.Fprintf(out, "%d.%d", g.IntN(100000), g.IntN(1000))
	case 6:
		fmt.Fprintf(out, "%de%d", 1+g.IntN(9), g.IntN(5))
	case 7:
		out.WriteString(strconv.Itoa(g.IntN(1000)))
	case 8:
		out.WriteString([]string{"0", "-0", "-0.0", "-0e5", "-0.00E-3", "-1e-400", "0e0", "-7", "-0.5"}[g.IntN(9)])
	case 9:
		g.object(out, g.IntN(5), depth+1)
	case 10:
		g.object(out, 1+g.IntN(14), depth+1)
	case 11:
		out.WriteByte('[')
		for i := range g.IntN(14) {
			if i > 0 {
				out.WriteByte(',')
			}
			g.value(out, depth+1)
		}
		out.WriteByte(']')
	}
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}
