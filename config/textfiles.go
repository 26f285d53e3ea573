package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// errTooLarge: a file is not what it is taken for.
type errTooLarge int64

func (e errTooLarge) Error() string { return fmt.Sprintf("is larger than %d bytes", int64(e)) }

// readText reads a text; what says what it is, for the errors.
func readText(path, what string, limit int64) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("the file %w; %s", reason(err), advice(err, what))
	}
	if !info.Mode().IsRegular() { // a pipe could keep the program waiting for ever
		return "", fmt.Errorf("is not a regular file; name one that holds the %s", what)
	}
	data, err := readBounded(path, limit)
	if err != nil {
		return "", fmt.Errorf("the file %w; %s", err, advice(err, what))
	}
	if line, ended := bytes.CutSuffix(data, []byte("\n")); ended {
		data = bytes.TrimSuffix(line, []byte("\r"))
	}
	if len(data) == 0 {
		return "", fmt.Errorf("the file is empty; a %s must not be", what)
	}
	if fault := encodingFault(data, what); fault != "" {
		return "", errors.New("the file " + fault)
	}
	return string(data), nil
}

// advice is what to do about a file that cannot be read.
func advice(err error, what string) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "let the user that tolem runs as read it, and enter its folder"
	case errors.As(err, new(errTooLarge)):
		return fmt.Sprintf("name one that holds the %s and nothing else", what)
	}
	return "check the path"
}

// encodingFault says what is wrong with a file that is not plain UTF-8, empty if it is.
func encodingFault(data []byte, what string) string {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return "begins with a byte order mark (BOM), which is no part of the " + what + "; save it as UTF-8 without one"
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return "is UTF-16 text, as editors and PowerShell on Windows write it; save it as UTF-8 without a byte order mark"
	case bytes.HasPrefix(data, []byte{0x30, 0x82}):
		return "is binary (DER); convert it to PEM with openssl (-inform DER -outform PEM)"
	case !utf8.Valid(data):
		return "is not UTF-8 text; name one that holds the " + what + " and nothing else"
	}
	return ""
}

// The shapes of what is written around a value, or in its place, for a program that would take it away again. This one
// does not: a file holds the value and nothing else, and a value of the configuration is taken as it is.
var (
	placeholder = regexp.MustCompile(`^(\$\{[^}]*\}|\$\([^)]*\)|\$[A-Z_][A-Z0-9_]*|\{\{.*\}\}|%[A-Z_][A-Z0-9_]*%|<[A-Za-z_ -]+>)$`)
	// Base64 may end in =, so a name needs more than that behind it.
	assignment = regexp.MustCompile(`^(export\s+)?([A-Z][A-Z0-9_]{2,}|(?i:secret|password|passwd|token|key|dsn|url))\s*(=|:\s)\s*[^=\s]`)
	comment    = regexp.MustCompile(`\s#`)
)

// wrapping says what is written around a value that should be alone, empty if nothing does. It shows nothing of the value.
func wrapping(text string) string {
	switch {
	case strings.HasPrefix(text, "\ufeff"):
		return "begins with a byte order mark (BOM)"
	case isQuoted(text):
		return "is in quotes"
	case placeholder.MatchString(text):
		return "is the name of a variable, which nobody replaces here"
	case assignment.MatchString(text):
		return "begins with a name, as in NAME=value"
	case strings.TrimSpace(text) != text:
		return "starts or ends with white space"
	case comment.MatchString(text):
		return "holds a # behind white space, as before a comment"
	case strings.HasSuffix(text, `\n`), strings.HasSuffix(text, `\r`):
		return `ends with \n or \r in two characters`
	case strings.ContainsFunc(text, isInvisible):
		return "holds a character that cannot be seen"
	}
	return ""
}

func isQuoted(text string) bool {
	trimmed := strings.TrimSpace(text)
	if len(trimmed) < 2 {
		return false
	}
	first := trimmed[0]
	return strings.IndexByte("\"'`", first) >= 0 && trimmed[len(trimmed)-1] == first
}

// isInvisible reports whether a character looks like a blank or like nothing, but is neither a blank nor nothing.
func isInvisible(c rune) bool {
	return c != ' ' && (!unicode.IsGraphic(c) || unicode.Is(unicode.Zs, c))
}

// warnOfWrapping reports a secret that is valid but probably a mistake, with which no signature would verify.
func (r *rules) warnOfWrapping(key string, secret Secret) {
	if found := wrapping(secret.Reveal()); found != "" {
		r.warn(key, found+", which is taken as part of the secret")
	}
}

// secretFile reads a secret, if secrets of its kind are needed, and drops one newline at its end, which editors leave
// there. The path is not shown, because it may be the secret itself, written into the wrong key.
func (r *rules) secretFile(kind Secrets, key, path string) Secret {
	if !r.need(kind) {
		return Secret{}
	}
	text, err := readText(path, "secret", maxSecretFile)
	if err != nil {
		r.problem(key, err.Error())
		return Secret{}
	}
	if strings.ContainsAny(text, "\r\n") {
		r.problem(key, "the file holds more than one line; leave the line of the secret alone, and nothing behind it")
		return Secret{}
	}
	return NewSecret(text)
}

// pemFault says what is wrong with a text that should be PEM and is only wrapped in something, empty if it is not.
func pemFault(text string) string {
	begin := strings.Index(text, "-----BEGIN ")
	switch {
	case strings.HasPrefix(text, "LS0tLS1CRUdJTi"):
		return "is Base64 of a PEM, as Kubernetes keeps it; decode it (base64 -d)"
	case placeholder.MatchString(strings.TrimSpace(text)):
		return "holds the name of a variable, which nobody replaces here; write the PEM itself"
	case begin < 0:
		return ""
	case strings.Contains(text, `\n`):
		return `has \n in two characters where lines should end, as environment files do; write real line breaks (printf '%b' "$PEM" > FILE)`
	case begin > 0 && strings.IndexByte("\"'`", text[begin-1]) >= 0:
		return "has quotes around the PEM; remove them"
	case begin > 0 && text[begin-1] == '=':
		return "begins with a name, as in NAME=value; leave the PEM alone"
	case !strings.Contains(strings.TrimSpace(text[begin:]), "\n"):
		return "has the whole PEM on one line; its BEGIN and END lines need line breaks around them"
	}
	return ""
}
