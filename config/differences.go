package config

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Difference is a key at which two effective configurations differ. A value is empty where there is none.
type Difference struct{ Key, One, Other string }

// Differences compares two results of [Config.Effective], in the order of the keys. Secrets are hidden in both, so they
// are not compared.
func Differences(one, other []byte) ([]Difference, error) {
	ones, err := flatten(one)
	if err != nil {
		return nil, err
	}
	others, err := flatten(other)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(ones)
	maps.Copy(all, others)
	var list []Difference
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if ones[key] != others[key] {
			list = append(list, Difference{key, ones[key], others[key]})
		}
	}
	return list, nil
}

// flatten gives each scalar its full key.
func flatten(text []byte) (map[string]string, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("read an effective configuration: %w", err)
	}
	values := map[string]string{}
	flattenInto(values, "", &document)
	return values, nil
}

func flattenInto(values map[string]string, key string, node *yaml.Node) {
	switch node.Kind {
	case yaml.DocumentNode:
		flattenInto(values, key, node.Content[0])
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			flattenInto(values, join(key, node.Content[i].Value), node.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, element := range node.Content {
			flattenInto(values, fmt.Sprintf("%s[%d]", key, i), element)
		}
	default:
		values[key] = node.Value
	}
}
