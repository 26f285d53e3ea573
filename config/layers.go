package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

const (
	maxFile      = 1 << 20 // bytes of a configuration file, and of one variable
	maxJSONDepth = 32
	envPrefix    = "TOLEM_"
	envLevel     = "__"
)

// notConfiguration are the variables that commands read themselves.
var notConfiguration = []string{"TOLEM_CONFIG", "TOLEM_ACTOR"}

// readBounded reads at most limit bytes. Its errors say why, without the path and without the content.
func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, reason(err)
	}
	if int64(len(data)) > limit {
		return nil, errTooLarge(limit)
	}
	return data, nil
}

func reason(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return fmt.Errorf("cannot be read: %w", path.Err)
	}
	return fmt.Errorf("cannot be read: %w", err)
}

// file is the koanf parser of the file's layer.
type file struct {
	name       string
	reader     *reader
	unreadable bool // as a whole, so that no rule can be applied
}

// Unmarshal gives what is well-formed of a YAML document and reports the rest.
func (f *file) Unmarshal(data []byte) (map[string]any, error) {
	document, ok := f.parse(data)
	if !ok || document.ShortTag() == "!!null" {
		return nil, nil
	}
	values, ok := f.reader.value("", document, reflect.TypeFor[Config](), "")
	if !ok {
		f.unreadable = true
		return nil, nil
	}
	return values.(map[string]any), nil
}

// Marshal completes koanf's interface. See [Config.Effective].
func (f *file) Marshal(map[string]any) ([]byte, error) { return nil, errors.ErrUnsupported }

// parse gives the root of the only document, if there is one.
func (f *file) parse(data []byte) (*yaml.Node, bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, false // nothing but comments: all defaults
	case err != nil:
		f.problem(syntaxProblem(err))
		return nil, false
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		f.problem("holds more than one YAML document; remove the line --- and what follows it", "")
		return nil, false
	}
	return document.Content[0], true
}

func (f *file) problem(text, where string) {
	f.unreadable = true
	f.reader.problems.add(Problem{Key: f.name, Text: text, Where: where})
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d{1,7}): `)

// syntaxProblem keeps the line of a YAML error and drops its text, which may quote the file.
func syntaxProblem(err error) (text, where string) {
	text = "is not valid YAML; look for a missing quote, bracket, colon or space, or a tab"
	if line := yamlLine.FindStringSubmatch(err.Error()); line != nil {
		where = "near line " + line[1]
	}
	return text, where
}

// variable is a key that can be set by an environment variable: a scalar or a whole list.
type variable struct {
	key  string
	typ  reflect.Type
	tag  reflect.StructTag
	name string
}

// variables lists what a section has, in the order of its fields.
func variables(prefix string, typ reflect.Type) []variable {
	var all []variable
	for field := range keyFields(typ) {
		key := join(prefix, keyOf(field))
		if isSection(field.Type) {
			all = append(all, variables(key, field.Type)...)
			continue
		}
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", envLevel))
		all = append(all, variable{key, field.Type, field.Tag, name})
	}
	return all
}

// environment reads the layer of the TOLEM_ variables, one variable at a time.
type environment struct {
	known    []variable
	reader   *reader
	warnings []string
}

// read is koanf's transform function: the key of a setting and its value, or no key.
func (e *environment) read(name, text string) (string, any) {
	i := slices.IndexFunc(e.known, func(v variable) bool { return v.name == name })
	if i < 0 {
		e.unknown(name)
		return "", nil
	}
	v := e.known[i]
	e.reader.source = source{variable: name}
	for key := range e.reader.origins {
		if within(key, v.key) {
			delete(e.reader.origins, key) // what the file said there no longer counts
		}
	}
	node, err := nodeOf(v.typ, text)
	if err != nil {
		e.reader.problem(v.key, err.Error(), node)
		return "", nil
	}
	value, ok := e.reader.value(v.key, node, v.typ, v.tag)
	if !ok {
		return "", nil
	}
	return v.key, value
}

func (e *environment) unknown(name string) {
	if slices.Contains(notConfiguration, name) {
		return
	}
	if !plainName.MatchString(name) {
		name = strconv.Quote(name[:min(len(name), 64)])
	}
	e.warnings = append(e.warnings, name+": unknown variable, it has no effect; a key is "+envPrefix+" and its name in upper case, with "+envLevel+" between levels")
}

// nodeOf gives a variable's text the shape that the same value has in the file: scalars as they are, lists from JSON.
func nodeOf(typ reflect.Type, text string) (*yaml.Node, error) {
	scalar := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	switch {
	case len(text) > maxFile:
		return scalar, fmt.Errorf("is larger than %d bytes", maxFile)
	case typ.Kind() == reflect.Slice:
		return jsonNode(text)
	case typ.Kind() == reflect.Bool:
		scalar.Tag = "!!bool"
	case typ.Kind() == reflect.Int64 && typ != durationType:
		scalar.Tag = "!!int"
	}
	return scalar, nil
}

// jsonNode reads one JSON value. Its errors give a place, never content.
func jsonNode(text string) (*yaml.Node, error) {
	// Repeated names are let through here: the reader reports them with their key.
	decoder := jsontext.NewDecoder(strings.NewReader(text), jsontext.AllowDuplicateNames(true))
	node, err := jsonValue(decoder)
	if err == nil {
		if _, err = decoder.ReadToken(); errors.Is(err, io.EOF) {
			return node, nil
		}
	}
	return &yaml.Node{}, fmt.Errorf(`must be a list in JSON, such as [{"id":1,"secrets":["…"]}] for projects; it cannot be read at byte %d`, decoder.InputOffset())
}

var errTooDeep = errors.New("too deep")

func jsonValue(decoder *jsontext.Decoder) (*yaml.Node, error) {
	token, err := decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	if decoder.StackDepth() > maxJSONDepth {
		return nil, errTooDeep
	}
	switch token.Kind() {
	case '{':
		return jsonChildren(decoder, yaml.MappingNode, '}')
	case '[':
		return jsonChildren(decoder, yaml.SequenceNode, ']')
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: jsonTag(token), Value: token.String()}, nil
	}
}

func jsonChildren(decoder *jsontext.Decoder, kind yaml.Kind, end jsontext.Kind) (*yaml.Node, error) {
	parent := &yaml.Node{Kind: kind}
	for decoder.PeekKind() != end {
		child, err := jsonValue(decoder)
		if err != nil {
			return nil, err
		}
		parent.Content = append(parent.Content, child)
	}
	_, err := decoder.ReadToken()
	return parent, err
}

// jsonTag is the YAML kind of a JSON scalar. The reader checks a number again, digit by digit.
func jsonTag(token jsontext.Token) string {
	switch token.Kind() {
	case '"':
		return "!!str"
	case '0':
		return "!!int"
	case 'n':
		return "!!null"
	default:
		return "!!bool"
	}
}
