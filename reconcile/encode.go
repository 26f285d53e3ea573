package reconcile

import "encoding/binary"

// encode appends a difference.
func (d *Difference) encode(b []byte) []byte {
	b = appendTexts(b, string(d.Kind), d.Next)
	var has uint64
	if d.Line != nil {
		has |= 1
	}
	if d.Entry != nil {
		has |= 2
	}
	if d.Payment != nil {
		has |= 4
	}
	b = binary.AppendUvarint(b, has)
	if d.Line != nil {
		b = appendPart(b, item{isLine: true, line: *d.Line})
	}
	if d.Entry != nil {
		b = appendPart(b, item{entry: *d.Entry})
	}
	if p := d.Payment; p != nil {
		b = appendTexts(b, p.PaymentID, p.Status, p.Currency, p.Credit.Currency, p.CreditOperation)
		b = binary.AppendVarint(b, p.Amount)
		b = binary.AppendVarint(b, p.Credit.Amount)
		var flags uint64
		if p.InSuspense {
			flags |= 1
		}
		if p.Taken {
			flags |= 2
		}
		b = binary.AppendUvarint(b, flags)
	}
	return b
}

func appendPart(b []byte, it item) []byte { return appendTexts(b, string(it.encode(nil))) }

func decodeDifference(b []byte) (d Difference, err error) {
	r := decoder{b: b}
	d.Kind, d.Next = Kind(r.text()), r.text()
	has := r.uvarint()
	if has&1 != 0 {
		it, err := decodeItem([]byte(r.text()))
		if err != nil {
			return d, err
		}
		d.Line = &it.line
	}
	if has&2 != 0 {
		it, err := decodeItem([]byte(r.text()))
		if err != nil {
			return d, err
		}
		d.Entry = &it.entry
	}
	if has&4 != 0 {
		p := &Payment{PaymentID: r.text(), Status: r.text(), Currency: r.text()}
		p.Credit.Currency, p.CreditOperation = r.text(), r.text()
		p.Amount, p.Credit.Amount = r.varint(), r.varint()
		flags := r.uvarint()
		p.InSuspense, p.Taken = flags&1 != 0, flags&2 != 0
		d.Payment = p
	}
	return d, r.err
}
