package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// Page is the description for people: HTML that needs nothing else.
var Page = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	if err := template.Must(template.New("page").Parse(pageHTML)).Execute(&out, pageOf(document())); err != nil {
		panic(fmt.Sprintf("page.html: %v", err))
	}
	return out.Bytes()
})

// PagePolicy is the Content-Security-Policy of the page: its style, and nothing
// else.
var PagePolicy = sync.OnceValue(func() string {
	hash := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})

type page struct {
	Title, Summary string
	Style          template.CSS
	Paragraphs     []string
	Groups         []group
	Schemas        []schema
}

type group struct {
	Name       string
	Operations []operation
}

type operation struct {
	ID, Method, Path, Summary, Description, Roles, Listeners string
	Parameters                                               []parameter
	Body                                                     *typ
	Answers                                                  []answer
}

type parameter struct {
	Name, In, Description string
	Required              bool
	Type                  typ
}

type answer struct {
	Status, Description string
	Type                typ
}

type schema struct {
	Name, Description string
	Type              typ
	Members           []parameter
}

// typ is a kind of value: a record of that name with text around it, or text alone.
type typ struct{ Ref, Text string }

// object is a JSON object of the description. Absent members read as empty.
type object map[string]any

func (o object) text(name string) string {
	text, _ := o[name].(string)
	return text
}

func (o object) object(name string) object {
	member, _ := o[name].(map[string]any)
	return member
}

func (o object) list(name string) []any {
	list, _ := o[name].([]any)
	return list
}

func (o object) texts(name string) (texts []string) {
	for _, element := range o.list(name) {
		if text, ok := element.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

var methods = []string{"get", "head", "put", "post", "delete"}

func pageOf(document map[string]any) page {
	d := object(document)
	info := d.object("info")
	p := page{Title: info.text("title"), Summary: info.text("summary"), Style: template.CSS(pageCSS)}
	for _, paragraph := range strings.Split(strings.TrimSpace(info.text("description")), "\n\n") {
		p.Paragraphs = append(p.Paragraphs, plain(paragraph))
	}
	for _, tag := range d.list("tags") {
		g := group{Name: object(tag.(map[string]any)).text("name")}
		paths := d.object("paths")
		for _, path := range slices.Sorted(maps.Keys(paths)) {
			item := paths.object(path)
			for _, method := range methods {
				if o := item.object(method); slices.Contains(o.texts("tags"), g.Name) {
					g.Operations = append(g.Operations, d.operation(path, method, item, o))
				}
			}
		}
		p.Groups = append(p.Groups, g)
	}
	schemas := d.object("components").object("schemas")
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		s := schemas.object(name)
		p.Schemas = append(p.Schemas, schema{name, plain(s.text("description")), d.typeOf(s), d.members(s)})
	}
	return p
}

func (d object) operation(path, method string, item, o object) operation {
	out := operation{
		ID: o.text("operationId"), Method: strings.ToUpper(method), Path: path,
		Summary: plain(o.text("summary")), Description: plain(o.text("description")),
		Roles: strings.Join(o.texts("x-roles"), ", "), Listeners: strings.Join(o.texts("x-listeners"), ", "),
	}
	for _, given := range slices.Concat(item.list("parameters"), o.list("parameters")) {
		p := d.resolve(given)
		required, _ := p["required"].(bool)
		out.Parameters = append(out.Parameters, parameter{p.text("name"), p.text("in"), plain(p.text("description")), required, d.typeOf(p.object("schema"))})
	}
	if body := d.resolve(o["requestBody"]); body != nil {
		t := d.content(body)
		out.Body = &t
	}
	responses := o.object("responses")
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		r := d.resolve(responses[status])
		out.Answers = append(out.Answers, answer{status, plain(r.text("description")), d.content(r)})
	}
	return out
}

// resolve follows a reference.
func (d object) resolve(value any) object {
	o, _ := value.(map[string]any)
	at := object(o)
	reference := at.text("$ref")
	if reference == "" {
		return at
	}
	at = d
	for _, name := range strings.Split(strings.TrimPrefix(reference, "#/"), "/") {
		at = at.object(name)
	}
	return at
}

func (d object) content(o object) typ {
	for _, media := range slices.Sorted(maps.Keys(o.object("content"))) {
		return d.typeOf(o.object("content").object(media).object("schema"))
	}
	return typ{}
}

func (d object) members(s object) (members []parameter) {
	required := s.texts("required")
	properties := s.object("properties")
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p := properties.object(name)
		members = append(members, parameter{Name: name, Description: plain(p.text("description")), Required: slices.Contains(required, name), Type: d.typeOf(p)})
	}
	return members
}

// typeOf names the kind of value that a schema is for.
func (d object) typeOf(s object) typ {
	if reference := s.text("$ref"); reference != "" {
		return typ{Ref: reference[strings.LastIndexByte(reference, '/')+1:]}
	}
	if items := s.object("items"); items != nil {
		t := d.typeOf(items)
		return typ{t.Ref, t.Text + "[]"}
	}
	if options := s.list("oneOf"); options != nil {
		var out typ
		var names []string
		for _, option := range options {
			t := d.typeOf(option.(map[string]any))
			if t.Ref != "" {
				out.Ref = t.Ref
				continue
			}
			names = append(names, t.Text)
		}
		if out.Text = strings.Join(names, " or "); out.Ref != "" {
			out.Text = " or " + out.Text
		}
		return out
	}
	text := s.text("type")
	if list := s.texts("type"); list != nil {
		text = strings.Join(list, " or ")
	}
	if words := s.texts("enum"); words != nil {
		text = strings.Join(words, ", ")
	}
	if format := s.text("format"); format != "" && format != "int64" {
		text = format
	}
	if members := s.object("properties"); members != nil {
		text = "{" + strings.Join(slices.Sorted(maps.Keys(members)), ", ") + "}"
	}
	least, hasLeast := s["minimum"]
	most, hasMost := s["maximum"]
	switch {
	case hasLeast && hasMost:
		text += fmt.Sprintf(" from %v to %v", least, most)
	case hasLeast:
		text += fmt.Sprintf(" from %v on", least)
	}
	if usual, ok := s["default"]; ok {
		text += fmt.Sprintf(", default %v", usual)
	}
	return typ{Text: text}
}

// plain is a text without Markdown's marks for code.
func plain(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "`", "")
}
