package reconcile

import (
	"encoding/binary"
	"errors"
	"time"

	"tolem/reportfile"
)

// Line is a line of a report. Amounts are in minor units.
type Line struct {
	File, Line         int // the file's place on the command line, from 0; the line in it, from 1
	Payment, Operation string
	Type               reportfile.Type
	Status             reportfile.Status
	Amount             int64
	Currency           string
	At                 time.Time // zero if the report does not say
}

// LineOf copies what is compared of a row of that file. Strings are kept as they
// are.
func LineOf(file int, r *reportfile.Row) Line {
	return Line{file, r.Line, r.Payment, r.Operation, r.Type, r.Status, r.Amount, r.Currency, r.Time}
}

func (l *Line) isRefund() bool {
	return l.Type == reportfile.Refund || l.Type == reportfile.Chargeback
}

// Entry is money in the books that a report should have too.
type Entry struct {
	Refund        bool   // it went back; otherwise it came
	Payment       string // as the platform names it
	PaymentID     string // ours
	Operation     string // empty if none is known
	TransactionID string
	Amount        int64
	Currency      string
	At            time.Time // when it counts
	// Bypass is of a refund that the merchant's own bank account paid: no report
	// has to have it.
	Bypass bool
}

// Payment is what the books say of a payment that a line names.
type Payment struct {
	PaymentID string
	Status    string
	Amount    int64 // that was asked for
	Currency  string
	// Credit is the payment's one credit, zero if it was not taken or was reversed;
	// Operation is empty if none is bound to it.
	Credit          Money
	CreditOperation string
	InSuspense      bool // money of it waits for an operator
	Taken           bool // its one credit was taken, even if that was reversed
}

// Money is an amount in minor units of a currency.
type Money struct {
	Amount   int64
	Currency string
}

// item is a line or an entry on its way through the temporary files.
type item struct {
	line   Line
	entry  Entry
	isLine bool
	paired bool // a refund that is on both sides
}

// The order of these is that of their numbers in temporary files.
var (
	typeWords   = []reportfile.Type{"", reportfile.Payment, reportfile.Refund, reportfile.RefundReversal, reportfile.Chargeback}
	statusWords = []reportfile.Status{"", reportfile.Paid, reportfile.Declined, reportfile.Pending}
)

func number[T comparable](words []T, word T) uint64 {
	for i, w := range words {
		if w == word {
			return uint64(i)
		}
	}
	return 0
}

// encode appends an item.
func (it *item) encode(b []byte) []byte {
	var flags uint64
	set := func(is bool, bit uint64) {
		if is {
			flags |= bit
		}
	}
	set(it.isLine, 1)
	set(it.paired, 2)
	set(it.entry.Refund, 4)
	set(it.entry.Bypass, 8)
	b = binary.AppendUvarint(b, flags)
	if it.isLine {
		l := &it.line
		b = binary.AppendUvarint(b, uint64(l.File))
		b = binary.AppendUvarint(b, uint64(l.Line))
		b = binary.AppendUvarint(b, number(typeWords, l.Type))
		b = binary.AppendUvarint(b, number(statusWords, l.Status))
		b = appendTexts(b, l.Payment, l.Operation, l.Currency)
		b = binary.AppendVarint(b, l.Amount)
		return appendTime(b, l.At)
	}
	e := &it.entry
	b = appendTexts(b, e.Payment, e.PaymentID, e.Operation, e.TransactionID, e.Currency)
	b = binary.AppendVarint(b, e.Amount)
	return appendTime(b, e.At)
}

func appendTexts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return b
}

func appendTime(b []byte, at time.Time) []byte {
	if at.IsZero() {
		return binary.AppendVarint(b, 0)
	}
	return binary.AppendVarint(b, at.UnixMicro())
}

var errSpool = errors.New("a temporary file is not as it was written")

// decoder reads what encode wrote.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.err = errSpool
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.err = errSpool
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.err = errSpool
		return ""
	}
	text := string(d.b[:n])
	d.b = d.b[n:]
	return text
}

func (d *decoder) time() time.Time {
	if micros := d.varint(); micros != 0 {
		return time.UnixMicro(micros).UTC()
	}
	return time.Time{}
}

func decodeItem(b []byte) (it item, err error) {
	d := decoder{b: b}
	flags := d.uvarint()
	it.isLine, it.paired = flags&1 != 0, flags&2 != 0
	it.entry.Refund, it.entry.Bypass = flags&4 != 0, flags&8 != 0
	if it.isLine {
		l := &it.line
		l.File, l.Line = int(d.uvarint()), int(d.uvarint())
		l.Type, l.Status = typeWords[d.uvarint()%uint64(len(typeWords))], statusWords[d.uvarint()%uint64(len(statusWords))]
		l.Payment, l.Operation, l.Currency = d.text(), d.text(), d.text()
		l.Amount, l.At = d.varint(), d.time()
		return it, d.err
	}
	e := &it.entry
	e.Payment, e.PaymentID, e.Operation, e.TransactionID, e.Currency = d.text(), d.text(), d.text(), d.text(), d.text()
	e.Amount, e.At = d.varint(), d.time()
	return it, d.err
}
