package accountfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"tolem/topup"
)

// Format is how a file writes account records.
type Format string

const (
	// JSONLines is one JSON object a line; blank lines are passed over.
	JSONLines Format = "jsonl"
	// CSV is a header and one row a contract. The rows of a customer are next to
	// each other and agree in what is the customer's. Fields are separated by
	// commas, semicolons or tabs, as the header has them.
	CSV Format = "csv"
)

// maxRecordBytes bounds a line of JSON and a row of CSV.
const maxRecordBytes = 1 << 20

// File is a file of account records. An import reads it twice.
type File struct {
	Name   string // without folders, for the accounts' history
	Format Format
	Open   func() (io.ReadCloser, error)
	// Size is the file's length in bytes for the progress, 0 if unknown.
	Size int64
}

// Checksum is the SHA-256 of a file's bytes.
type Checksum [sha256.Size]byte

// FormatOf tells the format of a file by the ending of its name, .jsonl or .csv.
func FormatOf(path string) (Format, error) {
	format := Format(strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), "."))
	if format != JSONLines && format != CSV {
		return "", fmt.Errorf("%s: the name must end in .jsonl or .csv", path)
	}
	return format, nil
}

func errFormat(format Format) error {
	return fmt.Errorf("format %q: must be %s or %s", format, JSONLines, CSV)
}

// OnDisk returns the file with that path, whose ending tells its format.
func OnDisk(path string) (File, error) {
	format, err := FormatOf(path)
	if err != nil {
		return File{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() {
		return File{}, fmt.Errorf("%s: must be a regular file, because it is read twice", path)
	}
	open := func() (io.ReadCloser, error) { return os.Open(path) }
	return File{Name: filepath.Base(path), Format: format, Open: open, Size: info.Size()}, nil
}

// Each reads the file from its start, hands each record to visit with how many
// bytes have been read, and returns the checksum of the file. An error of visit
// ends it.
func (f File) Each(ctx context.Context, visit func(r *Record, read int64) error) (sum Checksum, err error) {
	file, err := f.Open()
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	counted := &countingReader{file: io.TeeReader(file, hash)}
	records, err := NewReader(f.Format, counted)
	if err != nil {
		return sum, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		record, err := records.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sum, fmt.Errorf("read the file: %w", err)
		}
		if err := visit(record, counted.n); err != nil {
			return sum, err
		}
	}
	// What a reader has left unread belongs to the file too.
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return sum, fmt.Errorf("read the file: %w", err)
	}
	hash.Sum(sum[:0])
	return sum, nil
}

// countingReader counts what is read.
type countingReader struct {
	file io.Reader
	n    int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	r.n += int64(n)
	return n, err
}

// Accounts reads the file record by record, as an import would, and ends at the
// first that an import would refuse: the error is a [LineError]. Customer ids
// are normalised. The accounts may be kept.
func (f File) Accounts(n topup.Normalizer) iter.Seq2[*topup.Account, error] {
	return func(yield func(*topup.Account, error) bool) {
		if err := f.accounts(n, func(account *topup.Account) bool { return yield(account, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

func (f File) accounts(n topup.Normalizer, yield func(*topup.Account) bool) (err error) {
	file, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	records, err := NewReader(f.Format, file)
	if err != nil {
		return err
	}
	for {
		record, err := records.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		record.Verify(n)
		if len(record.Problems) > 0 {
			return record.Problems[0]
		}
		if !yield(&record.Account) {
			return nil
		}
	}
}
