// The schema is the structs of config.go. What is here reads a YAML file by them, and
// says which of its keys and values they do not have.

package config

import (
	"fmt"
	"iter"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()

	// plainName is an unknown key that may be shown. Among secrets it must be a plainWord, so that a misplaced secret is
	// not taken for a misspelt key.
	plainWord   = regexp.MustCompile(`^[A-Za-z_]{1,32}$`)
	plainName   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
)

// source describes the layer from which values are read.
type source struct {
	variable string // its name; empty for the file, whose nodes know their lines
}

func (s source) where(node *yaml.Node) string {
	if s.variable != "" {
		return s.variable
	}
	return fmt.Sprintf("line %d", node.Line)
}

// reader checks values against the structs of this package before anything is decoded: unknown and repeated keys,
// kinds, and what YAML would change silently (0123 is 83). Decoders cannot do this: they stop early, round, and quote
// values in their errors.
type reader struct {
	source   source
	problems *Problems
	origins  map[string]string // full key -> the source of its value, for problems that rules find later
}

func (r *reader) problem(key, text string, node *yaml.Node) {
	r.problems.add(Problem{Key: key, Text: text, Where: r.source.where(node)})
}

// value turns a node into plain Go values that fit typ. ok is false for what is absent or has been reported.
func (r *reader) value(key string, node *yaml.Node, typ reflect.Type, tag reflect.StructTag) (value any, ok bool) {
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		r.problem(key, "anchors (&) and aliases (*) are not read; write the value out, in quotes if it is a text", node)
		return nil, false
	}
	r.origins[key] = r.source.where(node)
	switch {
	case isSection(typ):
		return r.section(key, node, typ)
	case typ.Kind() == reflect.Slice:
		return r.list(key, node, typ)
	case node.Kind != yaml.ScalarNode:
		r.problem(key, "must be a single value, not a list or a section", node)
	case node.ShortTag() == "!!null" && (node.Value == "" || node.Value != tag.Get("alsonull")):
		r.problem(key, "has no value; write one, or remove the key", node)
	default:
		return r.scalar(key, node, typ, tag)
	}
	return nil, false
}

func isSection(typ reflect.Type) bool { return typ.Kind() == reflect.Struct && typ != secretType }

func (r *reader) section(key string, node *yaml.Node, typ reflect.Type) (any, bool) {
	if node.ShortTag() == "!!null" {
		return nil, false // a section whose keys are all commented out
	}
	if node.Kind != yaml.MappingNode {
		r.problem(orRoot(key), "must be a section of keys and values: "+knownKeys(typ), node)
		return nil, false
	}
	values, seen := map[string]any{}, map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, member := node.Content[i], node.Content[i+1]
		field, known := fieldByKey(typ, name)
		if !known {
			r.unknown(key, name, member, typ)
			continue
		}
		full := join(key, name.Value)
		if first, twice := seen[name.Value]; twice {
			r.problem(full, "is given twice; keep one"+firstLine(first), name)
			continue
		}
		seen[name.Value] = name.Line
		if value, ok := r.value(full, member, field.Type, field.Tag); ok {
			values[name.Value] = value
		}
	}
	return values, true
}

func firstLine(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(", the first is in line %d", line)
}

// unknown reports a key that the schema does not have. A key that may be a misplaced secret is not shown.
func (r *reader) unknown(key string, name, member *yaml.Node, typ reflect.Type) {
	shown := name.Kind == yaml.ScalarNode && plainName.MatchString(name.Value)
	if holdsSecrets(typ) {
		shown = shown && plainWord.MatchString(name.Value) && member.ShortTag() != "!!null"
	}
	if !shown {
		r.problem(orRoot(key), "has an unknown key, not shown because it may be a secret; remove it; "+knownKeys(typ), name)
		return
	}
	r.problem(join(key, name.Value), "unknown key; correct or remove it; "+knownKeys(typ), name)
}

func (r *reader) list(key string, node *yaml.Node, typ reflect.Type) (any, bool) {
	if node.ShortTag() == "!!null" {
		return nil, false
	}
	if node.Kind != yaml.SequenceNode {
		r.problem(key, "must be a list", node)
		return nil, false
	}
	values := make([]any, len(node.Content))
	for i, element := range node.Content {
		at := fmt.Sprintf("%s[%d]", key, i)
		values[i] = empty(typ.Elem()) // a bad element keeps its place, so that the others keep their index
		if element.ShortTag() == "!!null" {
			r.problem(at, "is empty; write a value, or remove the element", element)
			continue
		}
		if value, ok := r.value(at, element, typ.Elem(), ""); ok {
			values[i] = value
		}
	}
	return values, true
}

func empty(typ reflect.Type) any {
	if isSection(typ) {
		return map[string]any{}
	}
	return ""
}

func (r *reader) scalar(key string, node *yaml.Node, typ reflect.Type, tag reflect.StructTag) (any, bool) {
	kind := node.ShortTag()
	isText := kind == "!!str"
	switch {
	case typ == durationType:
		if duration, err := time.ParseDuration(node.Value); isText && err == nil {
			return duration, true
		}
		r.problem(key, "must be a duration such as 288h or 10s", node)
	case typ.Kind() == reflect.Int64:
		if number, err := strconv.ParseInt(node.Value, 10, 64); kind == "!!int" && plainNumber.MatchString(node.Value) && err == nil {
			return number, true
		}
		r.problem(key, "must be a whole number in plain decimal digits, not in quotes", node)
	case typ.Kind() == reflect.Bool:
		if kind == "!!bool" && (node.Value == "true" || node.Value == "false") {
			return node.Value == "true", true
		}
		r.problem(key, "must be true or false", node)
	case isText, kind == "!!int" && node.Value == tag.Get("alsonumber"), kind == "!!timestamp" && tag.Get("alsodate") != "", kind == "!!null": // only an explicit null gets here
		return node.Value, true
	default:
		r.problem(key, "must be a text; put it in quotes, so that it is read as it is written", node)
	}
	return nil, false
}

// keyOf is the name a field has in the file.
func keyOf(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return name
}

// keyFields are the fields that have a key. The others are filled in by rules.
func keyFields(typ reflect.Type) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		for field := range typ.Fields() {
			if keyOf(field) != "-" && !yield(field) {
				return
			}
		}
	}
}

func fieldByKey(typ reflect.Type, name *yaml.Node) (reflect.StructField, bool) {
	if name.Kind != yaml.ScalarNode || name.ShortTag() != "!!str" {
		return reflect.StructField{}, false
	}
	for field := range keyFields(typ) {
		if keyOf(field) == name.Value {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

func knownKeys(typ reflect.Type) string {
	var names []string
	for field := range keyFields(typ) {
		names = append(names, keyOf(field))
	}
	return "known here: " + strings.Join(names, ", ")
}

// holdsSecrets reports whether one of the keys of a section is a secret.
func holdsSecrets(typ reflect.Type) bool {
	return slices.ContainsFunc(reflect.VisibleFields(typ), func(field reflect.StructField) bool {
		return field.Type == secretType || field.Type.Kind() == reflect.Slice && field.Type.Elem() == secretType
	})
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// orRoot names what has no key: the whole file.
func orRoot(key string) string {
	if key == "" {
		return "configuration"
	}
	return key
}
