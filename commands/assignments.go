package commands

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"tolem/accountfile"
	"tolem/commands/internal/console"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// maxAssignmentFile bounds a file of assignments: its 250 rows need far less.
const maxAssignmentFile = 1 << 20

// assignmentColumns are the columns of the file, in any order.
var assignmentColumns = []string{"item", "customer_id", "entity_id"}

// assignment is a row of the file.
type assignment struct {
	store.Assignment
	line int
}

func (c *suspenseAssignCommand) assignFile(ctx context.Context, p *console.Program) error {
	rows, err := readAssignments(c.File)
	if err != nil {
		return err
	}
	list := make([]store.Assignment, len(rows))
	for i, row := range rows {
		list[i] = row.Assignment
	}
	return p.AsOperator(ctx, c.Operator, func(b console.Books, by store.By) error {
		made, err := b.AssignAll(ctx, list, by)
		if proposed := (*store.ProposedError)(nil); errors.As(err, &proposed) {
			return reportProposed(ctx, p, b, proposed, c.JSON)
		}
		if err != nil {
			return reportAssignments(p, c.File, rows, err)
		}
		out := p.List(c.JSON, "ITEM", "TRANSACTION", "AMOUNT", "CONTRACT")
		for i, t := range made {
			account, money := creditOf(t)
			if err := out.Add(view.TransactionOf(t), rows[i].Item, t.ID, money.String(), account); err != nil {
				return err
			}
		}
		return out.End()
	})
}

func creditOf(t topup.Transaction) (account string, money topup.Money) {
	for _, posting := range t.Postings {
		if posting.Amount < 0 {
			return posting.Account, topup.Money{Amount: -posting.Amount, Currency: posting.Currency}
		}
	}
	return "", topup.Money{}
}

// reportAssignments prints a line for each row that was refused.
func reportAssignments(p *console.Program, file string, rows []assignment, err error) error {
	refusals := assignErrors(err)
	if len(refusals) == 0 {
		return err
	}
	for _, refusal := range refusals {
		fmt.Fprintf(p.Stdio.Err, "line %d: %s\n", rows[refusal.Index].line, console.Printable(refusal.Err.Error()))
	}
	return fmt.Errorf("%s: %d of %d rows were refused; nothing was assigned", file, len(refusals), len(rows))
}

// assignErrors are all refusals in an error, however they were joined.
func assignErrors(err error) []store.AssignError {
	switch e := err.(type) {
	case store.AssignError:
		return []store.AssignError{e}
	case interface{ Unwrap() []error }:
		var list []store.AssignError
		for _, one := range e.Unwrap() {
			list = append(list, assignErrors(one)...)
		}
		return list
	case interface{ Unwrap() error }:
		return assignErrors(e.Unwrap())
	}
	return nil
}

// readAssignments reads the file and reports every line that cannot be one.
func readAssignments(path string) ([]assignment, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := accountfile.PlainText(io.LimitReader(file, maxAssignmentFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxAssignmentFile {
		return nil, fmt.Errorf("%s has more than %d bytes: split it", path, maxAssignmentFile)
	}
	rows, problems := parseAssignments(data)
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s: nothing was assigned:\n%w", path, errors.Join(problems...))
	}
	return rows, nil
}

func parseAssignments(data []byte) (rows []assignment, problems []error) {
	separator, rest := accountfile.Separator(data)
	skipped := bytes.Count(data[:len(data)-len(rest)], []byte("\n")) // lines
	reader := csv.NewReader(bytes.NewReader(rest))
	reader.FieldsPerRecord = -1
	reader.Comma = separator
	header, err := reader.Read()
	if err != nil {
		return nil, []error{errors.New("the first line must be item,customer_id,entity_id")}
	}
	place := make(map[string]int)
	for i, name := range header {
		place[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range assignmentColumns {
		if _, there := place[name]; !there {
			return nil, []error{fmt.Errorf("line 1: column %s is missing: the columns are %s", name, strings.Join(assignmentColumns, ","))}
		}
	}
	if len(place) != len(assignmentColumns) || len(header) != len(assignmentColumns) {
		return nil, []error{fmt.Errorf("line 1: the columns are %s, each once, and no others", strings.Join(assignmentColumns, ","))}
	}
	seen := make(map[string]int)
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, append(problems, err)
		}
		line, _ := reader.FieldPos(0)
		line += skipped
		if !slices.ContainsFunc(record, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue
		}
		if len(record) != len(assignmentColumns) {
			problems = append(problems, fmt.Errorf("line %d: has %d fields, must have %d", line, len(record), len(assignmentColumns)))
			continue
		}
		row := assignment{line: line}
		row.Item = strings.TrimSpace(record[place["item"]])
		row.CustomerID = strings.TrimSpace(record[place["customer_id"]])
		row.ContractID = strings.TrimSpace(record[place["entity_id"]])
		switch before, twice := seen[row.Item]; {
		case row.Item == "" || row.CustomerID == "" || row.ContractID == "":
			problems = append(problems, fmt.Errorf("line %d: item, customer_id and entity_id must not be empty", line))
		case twice:
			problems = append(problems, fmt.Errorf("line %d: the item is that of line %d", line, before))
		}
		seen[row.Item] = line
		rows = append(rows, row)
	}
	if len(rows) == 0 && len(problems) == 0 {
		problems = append(problems, errors.New("there is no row"))
	}
	if len(rows) > store.MaxAssignments {
		problems = append(problems, fmt.Errorf("%d rows are too many: at most %d in a file, split it", len(rows), store.MaxAssignments))
	}
	return rows, problems
}
