package config

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Effective is the configuration as YAML, complete and with secrets as [hidden]. What was read from a file is shown as
// the file's name.
func (c *Config) Effective() ([]byte, error) {
	var document yaml.Node
	if err := document.Encode(c.asWritten()); err != nil {
		return nil, fmt.Errorf("encode the effective configuration: %w", err)
	}
	shortDurations(&document, reflect.TypeFor[Config]())
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, fmt.Errorf("encode the effective configuration: %w", err)
	}
	return out.Bytes(), nil
}

// asWritten is a copy without the secrets that came from files, so that its YAML can be a configuration again.
func (c *Config) asWritten() *Config {
	written := *c
	if c.Database.DSNFile != "" {
		written.Database.DSN = ""
	}
	if c.Accounts.HTTP.SecretFile != "" {
		written.Accounts.HTTP.Secret = Secret{}
	}
	written.Admin.Tokens = slices.Clone(c.Admin.Tokens)
	for i, token := range c.Admin.Tokens {
		if token.TokenFile != "" {
			written.Admin.Tokens[i].Token = Secret{}
		}
	}
	written.JetPay.Projects = slices.Clone(c.JetPay.Projects)
	for i, project := range c.JetPay.Projects {
		written.JetPay.Projects[i].Secrets = project.Secrets[:max(0, len(project.Secrets)-len(project.SecretFiles))]
	}
	written.Notify = slices.Clone(c.Notify)
	for i, endpoint := range c.Notify {
		written.Notify[i].Secrets = endpoint.Secrets[:max(0, len(endpoint.Secrets)-len(endpoint.SecretFiles))]
	}
	written.HighHelp.Projects = slices.Clone(c.HighHelp.Projects)
	for i := range c.HighHelp.Projects {
		project := &written.HighHelp.Projects[i]
		if project.RequestKey.SecretFile != "" {
			project.RequestKey.Secret = Secret{}
		}
		if project.AlertKey.SecretFile != "" {
			project.AlertKey.Secret = Secret{}
		}
	}
	return &written
}

// shortDurations writes 288h where Go writes 288h0m0s.
func shortDurations(section *yaml.Node, typ reflect.Type) {
	for i := 0; i+1 < len(section.Content); i += 2 {
		field, _ := fieldByKey(typ, section.Content[i])
		value := section.Content[i+1]
		switch {
		case field.Type == durationType:
			value.Value = shortDuration(value.Value)
		case isSection(field.Type):
			shortDurations(value, field.Type)
		case field.Type.Kind() == reflect.Slice && isSection(field.Type.Elem()):
			for _, element := range value.Content {
				shortDurations(element, field.Type.Elem())
			}
		}
	}
}

func shortDuration(text string) string {
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
