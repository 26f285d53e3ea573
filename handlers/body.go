package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tolem/topup"
)

// bodyOf reads the JSON object of a request, strictly: unknown and repeated
// members, and values of another type, are problems. Every unknown member of the
// object itself is named, of an object inside it the first one.
func bodyOf[T any](body []byte) (T, error) {
	var asked T
	if !json.Valid(body) {
		return asked, &notJSON{"the body must be one JSON object"}
	}
	known := membersOf(reflect.TypeFor[T]())
	if unknown := unknownMembers(body, known); len(unknown) > 0 {
		return asked, unknown
	}
	err := jsonv2.Unmarshal(body, &asked, jsonv2.RejectUnknownMembers(true))
	if err == nil {
		return asked, nil
	}
	var (
		typed  *jsonv2.SemanticError
		syntax *jsontext.SyntacticError
	)
	switch {
	case errors.As(err, &typed) && errors.Is(err, jsonv2.ErrUnknownName):
		return asked, topup.Invalid(fieldOf(typed.JSONPointer), "is not known")
	case errors.As(err, &typed):
		return asked, topup.Invalid(fieldOf(typed.JSONPointer), "has a value of another type than documented")
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		return asked, topup.Invalid(fieldOf(syntax.JSONPointer), "is given twice")
	}
	return asked, topup.Invalid("body", "must be valid UTF-8, and not nested deeper than documented")
}

// unknownMembers are problems, one for each member of the object that is not
// among the known ones. Broken JSON is for the decoder to report.
func unknownMembers(body []byte, known []string) brokenRules {
	var problems brokenRules
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if dec.PeekKind() != '{' {
		return nil
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil
		}
		if text := name.String(); !slices.Contains(known, text) {
			problems = append(problems, topup.Invalid(shownField(text), "is not known; known are %s", strings.Join(known, ", ")))
		}
		if len(problems) == maxProblems || dec.SkipValue() != nil {
			break
		}
	}
	return problems
}

// maxProblems bounds what an answer lists.
const maxProblems = 20

// membersOf are the names of the members of a struct, those of embedded ones
// included, in their order.
func membersOf(typ reflect.Type) (names []string) {
	for field := range typ.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			names = append(names, membersOf(field.Type)...)
		case name != "" && name != "-":
			names = append(names, name)
		}
	}
	return names
}

var plainField = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,60}$`)

// fieldOf names the member at a pointer: payer.ip_address.
func fieldOf(at jsontext.Pointer) string {
	return shownField(strings.ReplaceAll(strings.TrimPrefix(string(at), "/"), "/", "."))
}

// shownField is a name from outside, which may be of any length and hold anything;
// such a one is not repeated.
func shownField(name string) string {
	if !plainField.MatchString(name) {
		return "body"
	}
	return name
}
