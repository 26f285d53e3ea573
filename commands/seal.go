package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"tolem/commands/internal/console"
	"tolem/store"
)

// sealJSON is a seal as it is printed, logged and read.
type sealJSON struct {
	Seq    int64     `json:"seq"`
	SHA256 string    `json:"sha256"`
	At     time.Time `json:"at"`
}

// ledgerSealCommand seals the journal.
type ledgerSealCommand struct{}

// Help is shown by --help.
func (ledgerSealCommand) Help() string {
	return `Continues a hash chain over the journal (transactions, entries, operations) to its end, and prints the head of the chain, as JSON on one line. Keep it where nobody who can write to the database can change it: ledger check --seal FILE then proves that everything up to it is as it was. The server seals once a day too, and logs it. It can run beside the server; only what is new since the last seal is read.

Example:

  tolem ledger seal >/mnt/elsewhere/seal-$(date +%F).json`
}

// Run seals.
func (ledgerSealCommand) Run(ctx context.Context, p *console.Program) error {
	return p.WithBooks(ctx, func(b console.Books) error {
		sealed, err := b.SealJournal(ctx)
		if err != nil {
			return err
		}
		if sealed.At.IsZero() {
			sealed.At = time.Now() // of an empty journal
		}
		line, err := json.Marshal(sealJSON{sealed.Seq, sealed.SHA256, sealed.At.UTC()})
		if err != nil {
			return fmt.Errorf("print the seal: %w", err)
		}
		return p.Println(string(line))
	})
}

// checkSeal verifies the seal in a file.
func checkSeal(ctx context.Context, p *console.Program, path string, recent bool) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--seal: %w", err)
	}
	defer file.Close()
	sealed, err := readSeal(file)
	if err != nil {
		return fmt.Errorf("--seal: %s: %w", path, err)
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		report, err := b.VerifySeal(ctx, sealed, recent)
		if err != nil {
			return err
		}
		counted := fmt.Sprintf("%d transactions read, %d seals of the database verified", report.Transactions, report.Seals)
		if len(report.Problems) > 0 {
			for _, problem := range report.Problems {
				fmt.Fprintln(p.Stdio.Err, console.Printable(problem))
			}
			return fmt.Errorf("the journal is not what was sealed: %d problems, %s", len(report.Problems), counted)
		}
		if recent {
			return p.Println(fmt.Sprintf("the seal of seq %d is that of this database, and what was sealed since is unchanged: %s; the rows up to it were not read", sealed.Seq, counted))
		}
		return p.Println(fmt.Sprintf("the journal up to seq %d is as it was sealed: %s", sealed.Seq, counted))
	})
}

// maxSealFile is far more than a seal has, in bytes.
const maxSealFile = 4 << 10

// readSeal reads what ledger seal has printed, or the line that the server has
// logged: a JSON object which may have other members. The error says what is wrong.
func readSeal(r io.Reader) (store.Seal, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSealFile+1))
	if err != nil {
		return store.Seal{}, err
	}
	if len(data) > maxSealFile {
		return store.Seal{}, errors.New("it is larger than a seal: it must be what ledger seal has printed")
	}
	var read struct {
		Seq    *int64     `json:"seq"`
		SHA256 *string    `json:"sha256"`
		At     *time.Time `json:"at"`
	}
	if err := json.Unmarshal(data, &read); err != nil {
		return store.Seal{}, fmt.Errorf("it must be what ledger seal has printed: %w", err)
	}
	if read.Seq == nil || read.SHA256 == nil || read.At == nil {
		return store.Seal{}, errors.New("it must be what ledger seal has printed: a JSON object with seq, sha256 and at")
	}
	sealed := store.Seal{Seq: *read.Seq, SHA256: strings.ToLower(*read.SHA256), At: *read.At}
	return sealed, sealed.Valid()
}
