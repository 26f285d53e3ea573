package accountfile

import (
	"context"
	"crypto/sha256"
	"errors"

	"tolem/topup"
)

// Verdict is what [File.Check] has found in a file.
type Verdict struct {
	Checksum Checksum
	records  int64
	problems LineErrors
}

// Err is why the file is refused, nil if it is not: a *[LineErrors] when lines
// are wrong.
func (v *Verdict) Err() error {
	if len(v.problems.Lines) > 0 {
		return &v.problems
	}
	if v.records == 0 {
		return errors.New("the file has no account records")
	}
	return nil
}

// Check reads the whole file and finds every line that is wrong. Each record,
// checked by itself and its customer's id normalised, is handed to visit, which
// may add problems, with how many bytes have been read. Of what was read, a hash
// of each customer's id is kept, and nothing else. The error is that of reading
// or of visit; what the file is worth is the verdict's.
func (f File) Check(ctx context.Context, n topup.Normalizer, visit func(r *Record, read int64) error) (*Verdict, error) {
	v := &Verdict{}
	seen := make(customers)
	sum, err := f.Each(ctx, func(r *Record, read int64) error {
		r.Verify(n)
		if line, again := seen.add(r); again {
			r.AddProblem(topup.Invalid(customerColumn, "is that of line %d already", line))
		}
		v.records++
		if err := visit(r, read); err != nil {
			return err
		}
		v.problems.add(r)
		return nil
	})
	v.Checksum = sum
	return v, err
}

// customers are the lines of the customers that a file has, by a hash of the id.
type customers map[[16]byte]int32

// add returns the line on which the record's customer was before, if it was.
func (c customers) add(r *Record) (line int32, again bool) {
	if r.Account.CustomerID == "" {
		return 0, false
	}
	hash := sha256.Sum256([]byte(r.Account.CustomerID))
	key := [16]byte(hash[:16])
	line, again = c[key]
	if !again {
		c[key] = int32(r.Line)
	}
	return line, again
}
