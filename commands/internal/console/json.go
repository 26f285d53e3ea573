package console

import (
	"encoding/json"
	"fmt"
)

// JSONFlag is shared by the commands that print records.
type JSONFlag struct {
	JSON bool `name:"json" help:"Print JSON instead of a table for people; a list is one array. The members are those of the admin API."`
}

// PrintJSON prints one JSON document on several lines.
func (p *Program) PrintJSON(value any) error {
	encoder := json.NewEncoder(p.Stdio.Out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
