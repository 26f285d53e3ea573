package console

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tolem/sheet"
)

// OutFlag is shared by the commands that can write a file.
type OutFlag struct {
	Out Condition `placeholder:"FILE" help:"Write into this file instead of standard output. It appears when it is complete, and replaces an older one of that name."`
}

// Output runs a command whose output goes into the file that --out names, or to
// standard output. What is binary is not written to a terminal.
func (o OutFlag) Output(p *Program, binary bool, work func(*Program) error) error {
	if o.Out != "" {
		return WriteFile(string(o.Out), func(file io.Writer) error { return p.printingTo(file, work) })
	}
	if binary && IsTerminal(p.Stdio.Out) {
		return WrongUsage("this format is not for a terminal: give --out FILE, or redirect standard output into a file")
	}
	return p.printingTo(p.Stdio.Out, work)
}

// printingTo runs a command that prints to out, in large pieces.
func (p *Program) printingTo(out io.Writer, work func(*Program) error) error {
	buffer := bufio.NewWriterSize(out, 64<<10)
	other := *p
	other.Stdio.Out = buffer
	if err := work(&other); err != nil {
		// What was printed before the error is shown, as without a buffer.
		return errors.Join(err, buffer.Flush())
	}
	return buffer.Flush()
}

// WriteFile writes a file that becomes visible only when it is complete, and then
// replaces one of that name. It may contain personal data, so only its owner may
// read it.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	draft, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.draft")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(draft.Name()))
		}
	}()
	if err := write(draft); err != nil {
		return errors.Join(err, draft.Close())
	}
	if err := errors.Join(draft.Sync(), draft.Close()); err != nil {
		return err
	}
	return os.Rename(draft.Name(), path)
}

// WriteNew is [WriteFile] for a file that must not exist.
func WriteNew(path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists and is not overwritten", path)
	}
	return WriteFile(path, write)
}

// FormatFlags are shared by the commands that print a table of records in the
// form that is asked for.
type FormatFlags struct {
	OutFlag
	Format string `enum:"table,csv,xlsx,json" default:"table" help:"One of ${enum}. table is for people at a terminal, xlsx for a spreadsheet, csv and json for programs."`
	JSON   bool   `name:"json" help:"The same as --format json: one array, whose members are those of the admin API."`
}

// AfterApply is called by kong once the flags are read.
func (f *FormatFlags) AfterApply() error {
	if !f.JSON {
		return nil
	}
	if f.Format != "table" && f.Format != "json" {
		return errors.New("--json and --format " + f.Format + " exclude each other")
	}
	f.Format = "json"
	return nil
}

// Records is how a command passes the records that it has found, one by one.
type Records[R any] func(yield func(R) error) error

// PrintRecords prints records: as a table of the file format that is asked for, or with
// show, which prints them for people or as JSON.
func PrintRecords[R any](p *Program, f FormatFlags, table sheet.Table[R], found Records[R], show func(p *Program, asJSON bool) error) error {
	switch f.Format {
	case "csv", "xlsx":
		return f.Output(p, f.Format == "xlsx", func(p *Program) error {
			return table.Write(p.Stdio.Out, sheet.Format(f.Format), found)
		})
	}
	return f.Output(p, false, func(p *Program) error { return show(p, f.Format == "json") })
}
