package reconcile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tolem/reportfile"
)

const (
	// Margin is how far beyond the interval both sides are looked at before
	// something is called missing: days of other zones, and times that the platform
	// takes later than the books.
	Margin = 24 * time.Hour
	// maxGroup bounds the lines and entries of one operation, or of one payment.
	maxGroup = 10_000
	// findBatch is how many lines the books are asked for at a time.
	findBatch = 250
)

// Span is an interval; From is part of it, To is not.
type Span struct{ From, To time.Time }

func (s Span) has(at time.Time) bool { return !at.Before(s.From) && at.Before(s.To) }

// Hull is the smallest interval that has both; one that is empty adds nothing.
func (s Span) Hull(other Span) Span {
	switch {
	case s.From.Equal(s.To):
		return other
	case other.From.Equal(other.To):
		return s
	}
	if other.From.Before(s.From) {
		s.From = other.From
	}
	if other.To.After(s.To) {
		s.To = other.To
	}
	return s
}

// Books is what lines are compared with.
type Books interface {
	// Entries passes all entries of the interval, in any order.
	Entries(ctx context.Context, in Span, yield func(Entry) error) error
	// Find returns entries by their operations, and payments by the platform's names
	// of them, whenever they were. Each list has at most 500 members.
	Find(ctx context.Context, operations, payments []string) (map[string]Entry, map[string]Payment, error)
}

// Options are those of a comparison.
type Options struct {
	Provider string
	// ByPayment leaves operations out: the provider's payments have one each, and
	// the report's own ids of them are not in the books.
	ByPayment bool
	// LaterWins takes, of an operation that several files have, what the last of them
	// says: the platform's own record of it, which was changed meanwhile.
	LaterWins bool
	// Folder is where temporary files are made, empty for the system's.
	Folder string
}

// Run compares. Add all lines first, then call Compare once, then Each; Close it.
type Run struct {
	o         Options
	first     *spool // by operation
	second    *spool // by payment
	found     *spool // differences, by file and line
	reversals bool

	counts    Counts
	conflicts []Conflict
	moreOf    int // conflicts beside them
	scale     scale
	asked     Span // by the user
	covered   Span // by the report
	edge      int
	waiting   []Line
}

// scale counts how the sums of both sides compare.
type scale struct{ pairs, hundredfold, hundredth int }

// Conflict is an operation that the report has twice, with other content.
type Conflict struct{ First, Second Line }

// ErrScale is returned by Compare for a report whose sums are all a hundred times
// those of the books, or a hundredth.
var ErrScale = errors.New("amounts")

// ConflictError is returned by Compare for operations that are in the report more
// than once with other content.
type ConflictError struct {
	Conflicts []Conflict // the first
	More      int        // beside them
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%d operations are in the report more than once with other content", len(e.Conflicts)+e.More)
}

// New returns a comparison.
func New(o Options) *Run {
	return &Run{o: o, first: newSpool(o.Folder), second: newSpool(o.Folder), found: newSpool(o.Folder), counts: Counts{}}
}

// Close removes the temporary files.
func (r *Run) Close() error {
	return errors.Join(r.first.close(), r.second.close(), r.found.close())
}

// Add takes a line: a payment, a refund, its reversal or a chargeback.
func (r *Run) Add(l Line) error {
	if r.o.ByPayment && l.Payment != "" {
		l.Operation = ""
	}
	l.Amount = abs(l.Amount)
	r.reversals = r.reversals || l.Type == reportfile.RefundReversal
	return r.put(r.first, item{isLine: true, line: l})
}

// put gives an item to a spool; what has no operation goes to the second at once.
func (r *Run) put(to *spool, it item) error {
	key := it.line.Operation
	if !it.isLine {
		key = it.entry.Operation
	}
	if to == r.first && key == "" {
		to = r.second
	}
	if to == r.second {
		switch {
		case !it.isLine:
			key = it.entry.Payment
		case it.line.Payment != "":
			key = it.line.Payment
		default: // no id begins with a blank
			key = " " + it.line.Operation
		}
	}
	return to.add(key, it.encode)
}

// Compare compares the lines with the books. asked is the interval that the user
// has named, or else that of the report; covered are the days of which the report
// has, or should have, all lines.
func (r *Run) Compare(ctx context.Context, books Books, asked, covered Span) error {
	r.asked, r.covered = asked, covered
	window := asked.Hull(covered)
	window = Span{window.From.Add(-Margin), window.To.Add(Margin)}
	err := books.Entries(ctx, window, func(e Entry) error {
		if r.o.ByPayment {
			e.Operation = ""
		}
		return r.put(r.first, item{entry: e})
	})
	if err != nil {
		return err
	}
	if err := r.groups(ctx, r.first, r.judgeOperation); err != nil {
		return err
	}
	if err := r.first.close(); err != nil {
		return err
	}
	if len(r.conflicts) > 0 {
		return &ConflictError{r.conflicts, r.moreOf}
	}
	err = r.groups(ctx, r.second, func(g group) error {
		if err := r.judgePayment(g); err != nil {
			return err
		}
		return r.ask(ctx, books, findBatch)
	})
	if err != nil {
		return err
	}
	if err := r.ask(ctx, books, 1); err != nil {
		return err
	}
	if s := r.scale; s.pairs > 0 && (s.hundredfold == s.pairs || s.hundredth == s.pairs) {
		direction := "a hundred times"
		if s.hundredth == s.pairs {
			direction = "a hundredth of"
		}
		return fmt.Errorf("every sum in the report is %s that in the books: correct %w in the map (major or minor)", direction, ErrScale)
	}
	return nil
}

// Counts are how many there are of each kind, after Compare.
func (r *Run) Counts() Counts { return r.counts }

// Settle takes differences of a kind for matched, which have been resolved since.
func (r *Run) Settle(kind Kind, n int) {
	r.counts[kind] -= n
	r.counts[Matched] += n
}

// Edge is how many entries are in the interval but on days, in the report's zone,
// that the report does not cover: whether it has them cannot be said.
func (r *Run) Edge() int { return r.edge }

// Each passes the differences, those of lines in the order of the report, then
// those of the books by time.
func (r *Run) Each(yield func(Difference) error) error {
	return r.found.each(func(_, value []byte) error {
		d, err := decodeDifference(value)
		if err != nil {
			return err
		}
		return yield(d)
	})
}

// group are the lines and entries of one key.
type group struct {
	lines   []Line
	entries []Entry
	paired  []Entry // refunds that are on both sides
}

// groups passes the groups of a spool.
func (r *Run) groups(ctx context.Context, s *spool, judge func(group) error) error {
	var g group
	var key []byte
	n, begun := 0, false
	flush := func() error {
		if !begun {
			return nil
		}
		err := judge(g)
		g.lines, g.entries, g.paired = g.lines[:0], g.entries[:0], g.paired[:0]
		return err
	}
	err := s.each(func(k, value []byte) error {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !begun || string(key) != string(k) {
			if err := flush(); err != nil {
				return err
			}
			key, begun = append(key[:0], k...), true
		}
		it, err := decodeItem(value)
		switch {
		case err != nil:
			return err
		case len(g.lines)+len(g.entries) >= maxGroup:
			return fmt.Errorf("more than %d lines are of one payment or operation (%.40q): is the right column mapped?", maxGroup, strings.TrimSpace(string(k)))
		case it.isLine:
			g.lines = append(g.lines, it.line)
		case it.paired:
			g.paired = append(g.paired, it.entry)
		default:
			g.entries = append(g.entries, it.entry)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// asks reports whether a line is in the interval; one without a time is.
func (r *Run) asks(l *Line) bool { return l.At.IsZero() || r.asked.has(l.At) }

// count counts, unless neither side is in the interval.
func (r *Run) count(kind Kind, l *Line, e *Entry) bool {
	in := l != nil && r.asks(l) || e != nil && r.asked.has(e.At)
	if in {
		r.counts[kind]++
	}
	return in
}

// differ reports a difference.
func (r *Run) differ(d Difference) error {
	if !r.count(d.Kind, d.Line, d.Entry) {
		return nil
	}
	d.Next = d.next(r.o.Provider)
	key := make([]byte, 0, 24)
	if d.Line != nil {
		key = binary.BigEndian.AppendUint32(key, uint32(d.Line.File))
		key = binary.BigEndian.AppendUint64(key, uint64(d.Line.Line))
	} else {
		key = binary.BigEndian.AppendUint32(key, 1<<31)
		key = binary.BigEndian.AppendUint64(key, uint64(d.Entry.At.UnixMicro()))
	}
	return r.found.add(string(key), d.encode)
}

// pair compares a line with its entry.
func (r *Run) pair(l Line, e Entry) error {
	kind := Matched
	switch {
	case l.isRefund() != e.Refund, l.Type == reportfile.RefundReversal:
		kind = StatusDiffers
	case l.Status != reportfile.Paid:
		kind = StatusDiffers
	case l.Currency != e.Currency:
		kind = CurrencyDiffers
	case l.Amount != e.Amount:
		kind = AmountDiffers
	}
	r.weigh(l, e)
	if kind == Matched {
		r.count(Matched, &l, &e)
		return nil
	}
	return r.differ(Difference{Kind: kind, Line: &l, Entry: &e})
}

func (r *Run) weigh(l Line, e Entry) {
	if l.Status != reportfile.Paid || l.isRefund() != e.Refund {
		return
	}
	r.scale.pairs++
	if l.Amount == e.Amount*100 {
		r.scale.hundredfold++
	}
	if l.Amount*100 == e.Amount {
		r.scale.hundredth++
	}
}

// judgeOperation judges what there is of one operation; what is alone is looked
// for by its payment.
func (r *Run) judgeOperation(g group) error {
	lines, err := r.dropDuplicates(g.lines)
	if err != nil {
		return err
	}
	if len(g.entries) == 1 {
		e := g.entries[0]
		own := slices.IndexFunc(lines, func(l Line) bool { return l.Type != reportfile.RefundReversal })
		// A refund whose reversal is the same operation is judged with its payment.
		// So is money that the platform does not call paid: it may have been returned.
		undone := own >= 0 && !e.Refund && !lines[own].isRefund() && lines[own].Status != reportfile.Paid && lines[own].Payment == e.Payment
		if own >= 0 && !undone && !(e.Refund && len(lines) > 1) {
			if err := r.pair(lines[own], e); err != nil {
				return err
			}
			lines, g.entries = slices.Delete(lines, own, own+1), nil
			if r.reversals && e.Refund {
				if err := r.put(r.second, item{entry: e, paired: true}); err != nil {
					return err
				}
			}
		}
	}
	for _, l := range lines {
		if err := r.put(r.second, item{isLine: true, line: l}); err != nil {
			return err
		}
	}
	for _, e := range g.entries {
		if err := r.put(r.second, item{entry: e}); err != nil {
			return err
		}
	}
	return nil
}

// dropDuplicates leaves one line of an operation, and its reversal as an operation
// of its own kind. Of two files the later may have what the earlier had under way.
func (r *Run) dropDuplicates(lines []Line) ([]Line, error) {
	kept := lines[:0:0]
	for _, l := range lines {
		same := -1
		for i := range kept {
			if (kept[i].Type == reportfile.RefundReversal) == (l.Type == reportfile.RefundReversal) {
				same = i
			}
		}
		if same < 0 {
			kept = append(kept, l)
			continue
		}
		k := &kept[same]
		differs := k.Payment != l.Payment || k.Type != l.Type || k.Amount != l.Amount || k.Currency != l.Currency
		switch {
		case r.o.LaterWins && k.File != l.File:
			if l.File > k.File {
				*k = l
			}
		case !differs && k.Status == l.Status && k.File == l.File:
			if err := r.differ(Difference{Kind: DuplicatedThere, Line: &l}); err != nil {
				return nil, err
			}
		case !differs && k.Status == l.Status: // of files that overlap
		case !differs && k.File != l.File && k.Status == reportfile.Pending:
			*k = l
		case !differs && k.File != l.File && l.Status == reportfile.Pending:
		case len(r.conflicts) < reportfile.MaxProblems:
			r.conflicts = append(r.conflicts, Conflict{*k, l})
		default:
			r.moreOf++
		}
	}
	return kept, nil
}

// judgePayment judges what there is of one payment and was not matched by its
// operation.
func (r *Run) judgePayment(g group) error {
	sales, others, refunds := splitLines(g.lines)
	var came, back []Entry
	for _, e := range g.entries {
		if e.Refund {
			back = append(back, e)
		} else {
			came = append(came, e)
		}
	}
	refunds, back, err := r.cancel(g, refunds, back)
	if err != nil {
		return err
	}
	others, came, back = r.dropReturned(sales, others, came, back)
	// First what is equal, so that of several the right ones are paired.
	for _, equal := range []bool{true, false} {
		if sales, came, err = r.match(sales, came, equal); err != nil {
			return err
		}
	}
	if others, came, err = r.match(others, came, false); err != nil {
		return err
	}
	if refunds, back, err = r.match(refunds, back, true); err != nil {
		return err
	}
	r.waiting = append(append(append(r.waiting, sales...), others...), refunds...)
	for _, e := range came {
		if err := r.alone(MissingThere, e); err != nil {
			return err
		}
	}
	for _, e := range back {
		if e.Bypass {
			continue
		}
		if err := r.alone(RefundMissingThere, e); err != nil {
			return err
		}
	}
	return nil
}

// splitLines tells paid payments, others, and refunds; a refund that was not made
// says nothing.
func splitLines(lines []Line) (sales, others, refunds []Line) {
	for _, l := range lines {
		switch {
		case l.Type == reportfile.RefundReversal:
		case l.isRefund() && l.Status == reportfile.Paid:
			refunds = append(refunds, l)
		case l.isRefund():
		case l.Status == reportfile.Paid:
			sales = append(sales, l)
		default:
			others = append(others, l)
		}
	}
	return sales, others, refunds
}

// cancel takes refunds out that the platform has cancelled: one that is in the
// report alone is no refund; one in the books did not take place.
func (r *Run) cancel(g group, refunds []Line, back []Entry) ([]Line, []Entry, error) {
	for _, l := range g.lines {
		if l.Type != reportfile.RefundReversal || l.Status != reportfile.Paid {
			continue
		}
		sameLine := func(x Line) bool { return x.Amount == l.Amount && x.Currency == l.Currency }
		sameEntry := func(x Entry) bool { return x.Amount == l.Amount && x.Currency == l.Currency }
		if i := slices.IndexFunc(g.paired, sameEntry); i >= 0 {
			e := g.paired[i]
			g.paired = slices.Delete(g.paired, i, i+1)
			if r.asked.has(e.At) || r.asks(&l) {
				r.counts[Matched]-- // what was matched is none
			}
			if err := r.differ(Difference{Kind: RefundMissingThere, Line: &l, Entry: &e}); err != nil {
				return nil, nil, err
			}
			continue
		}
		line, entry := slices.IndexFunc(refunds, sameLine), slices.IndexFunc(back, sameEntry)
		if line >= 0 {
			refunds = slices.Delete(refunds, line, line+1)
		}
		if entry >= 0 {
			e := back[entry]
			back = slices.Delete(back, entry, entry+1)
			if err := r.differ(Difference{Kind: RefundMissingThere, Line: &l, Entry: &e}); err != nil {
				return nil, nil, err
			}
		}
	}
	return refunds, back, nil
}

// dropReturned takes money out that the platform does not call paid and that an
// operator has returned to it: nothing is owed on either side.
func (r *Run) dropReturned(sales, others []Line, came, back []Entry) ([]Line, []Entry, []Entry) {
	for i := 0; i < len(came); i++ {
		e := came[i]
		returned := slices.IndexFunc(back, func(b Entry) bool {
			return b.Operation == "" && !b.Bypass && b.Amount == e.Amount && b.Currency == e.Currency
		})
		if returned < 0 || slices.ContainsFunc(sales, func(l Line) bool { return mayMatch(l, e) }) {
			continue
		}
		came, back = slices.Delete(came, i, i+1), slices.Delete(back, returned, returned+1)
		i--
		if line := slices.IndexFunc(others, func(l Line) bool { return mayMatch(l, e) }); line >= 0 {
			r.count(Matched, &others[line], nil)
			others = slices.Delete(others, line, line+1)
		}
	}
	return others, came, back
}

// mayMatch reports whether a line and an entry of one payment can be the same:
// unless both name an operation, and not the same.
func mayMatch(l Line, e Entry) bool {
	return l.Operation == "" || e.Operation == "" || l.Operation == e.Operation
}

// match pairs lines and entries that can be the same: equal ones, or any.
func (r *Run) match(lines []Line, entries []Entry, equal bool) ([]Line, []Entry, error) {
	left := lines[:0:0]
	for _, l := range lines {
		i := slices.IndexFunc(entries, func(e Entry) bool {
			return mayMatch(l, e) && (!equal || l.Amount == e.Amount && l.Currency == e.Currency)
		})
		if i < 0 {
			left = append(left, l)
			continue
		}
		if err := r.pair(l, entries[i]); err != nil {
			return nil, nil, err
		}
		entries = slices.Delete(entries, i, i+1)
	}
	return left, entries, nil
}

// alone reports an entry that the report does not have.
func (r *Run) alone(kind Kind, e Entry) error {
	switch {
	case !r.asked.has(e.At):
		return nil
	case !r.covered.has(e.At):
		r.edge++
		return nil
	}
	return r.differ(Difference{Kind: kind, Entry: &e})
}

// ask asks the books for what the waiting lines name, once there are enough.
func (r *Run) ask(ctx context.Context, books Books, enough int) error {
	for len(r.waiting) > 0 && len(r.waiting) >= enough {
		batch := r.waiting[:min(findBatch, len(r.waiting))]
		var operations, payments []string
		for _, l := range batch {
			if l.Operation != "" {
				operations = append(operations, l.Operation)
			}
			if l.Payment != "" {
				payments = append(payments, l.Payment)
			}
		}
		entries, known, err := books.Find(ctx, operations, payments)
		if err != nil {
			return err
		}
		for _, l := range batch {
			e, hasEntry := entries[l.Operation]
			p, hasPayment := known[l.Payment]
			if hasEntry && l.Operation != "" {
				err = r.pair(l, e)
			} else if hasPayment {
				err = r.judgeKnown(l, p)
			} else {
				err = r.judgeUnknown(l)
			}
			if err != nil {
				return err
			}
		}
		r.waiting = append(r.waiting[:0], r.waiting[len(batch):]...)
	}
	return nil
}

// judgeUnknown judges a line of whose payment the books know nothing.
func (r *Run) judgeUnknown(l Line) error {
	switch {
	case l.isRefund():
		return r.differ(Difference{Kind: RefundMissingHere, Line: &l})
	case l.Status == reportfile.Paid:
		return r.differ(Difference{Kind: MissingHere, Line: &l})
	}
	return nil // nothing came, on either side
}

// judgeKnown judges a line whose operation is not in the books and whose payment
// is.
func (r *Run) judgeKnown(l Line, p Payment) error {
	credited := p.Credit != Money{}
	// Another operation, or none that the line could be.
	another := credited && p.CreditOperation != "" && l.Operation != ""
	switch {
	case l.isRefund():
		return r.differ(Difference{Kind: RefundMissingHere, Line: &l, Payment: &p})
	case l.Status != reportfile.Paid && (!credited || another):
		if l.Status != "" {
			r.count(Matched, &l, nil)
		}
		return nil
	case l.Status != reportfile.Paid:
		return r.differ(Difference{Kind: StatusDiffers, Line: &l, Payment: &p})
	case another:
		return r.differ(Difference{Kind: MissingHere, Line: &l, Payment: &p})
	case credited:
		return r.pair(l, Entry{Payment: l.Payment, PaymentID: p.PaymentID, Operation: p.CreditOperation, Amount: p.Credit.Amount, Currency: p.Credit.Currency})
	case p.Taken && l.Operation != "":
		return r.differ(Difference{Kind: MissingHere, Line: &l, Payment: &p})
	case l.Currency != p.Currency:
		return r.differ(Difference{Kind: CurrencyDiffers, Line: &l, Payment: &p})
	case l.Amount != p.Amount:
		r.weigh(l, Entry{Amount: p.Amount})
		return r.differ(Difference{Kind: AmountDiffers, Line: &l, Payment: &p})
	}
	return r.differ(Difference{Kind: StatusDiffers, Line: &l, Payment: &p})
}
