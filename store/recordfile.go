package store

import (
	"errors"
	"io"
	"iter"

	"tolem/topup"
)

// Records reads the file record by record, as an import would, and ends at the
// first that an import would refuse: the error is a [LineError]. Customer ids
// are normalised. The accounts may be kept.
func (f ImportFile) Records(n topup.Normalizer) iter.Seq2[*topup.Account, error] {
	return func(yield func(*topup.Account, error) bool) {
		if err := f.records(n, func(account *topup.Account) bool { return yield(account, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

func (f ImportFile) records(n topup.Normalizer, yield func(*topup.Account) bool) (err error) {
	file, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	reader, err := newRecordReader(f.Format, file)
	if err != nil {
		return err
	}
	for {
		record, err := reader.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		record.verify(n)
		if len(record.problems) > 0 {
			return record.problems[0]
		}
		if !yield(&record.account) {
			return nil
		}
	}
}
