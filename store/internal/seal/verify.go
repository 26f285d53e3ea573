package seal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tolem/store/internal/database"
)

// maxProblems bounds what is reported.
const maxProblems = 50

// Report is what a verification of seals has read and what is wrong.
type Report struct {
	Transactions int64 // that were read
	Seals        int64 // of the database that were verified
	Problems     []string
}

func (r *Report) add(format string, args ...any) {
	switch {
	case len(r.Problems) < maxProblems:
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	case len(r.Problems) == maxProblems:
		r.Problems = append(r.Problems, "… and more like the one before")
	}
}

// VerifySeal verifies that the journal up to the seal is what it was when the seal
// was made, and that of every other seal which the database has, at one moment, while
// others may write. The problems are in the report. A seal that cannot be one is an
// error of KindInvalid.
//
// If recent is set, what the seal covers is not read again: its hash is compared with
// that which the database keeps, and the journal behind it with the seals behind it.
func (s *Seals) VerifySeal(ctx context.Context, given Seal, recent bool) (report Report, err error) {
	if _, err := given.head(); err != nil {
		return Report{}, err
	}
	err = database.Snapshot(ctx, s.reader.Dialect, s.reader.ORM, func(db *gorm.DB) (err error) {
		report, err = verify(s.reader.Dialect, db, &given, recent)
		return err
	})
	if err != nil {
		return Report{}, fmt.Errorf("verify seals: %w", err)
	}
	return report, nil
}

// Verify verifies the seals that the database has, in a transaction that reads one
// moment.
func Verify(d *database.Dialect, db *gorm.DB) (Report, error) { return verify(d, db, nil, false) }

func verify(d *database.Dialect, db *gorm.DB, given *Seal, recent bool) (report Report, err error) {
	v := verification{report: &report, chain: newChain(origin)}
	where := `ORDER BY seq`
	if recent {
		if err := v.startAt(db, *given); err != nil || len(report.Problems) > 0 {
			return report, err
		}
		where = fmt.Sprintf(`WHERE seq > %d ORDER BY seq`, given.Seq)
	}
	// 48 bytes of a thousand transactions.
	if err := eachBlock(db, where, func(b block) error { v.blocks = append(v.blocks, b); return nil }); err != nil {
		return report, err
	}
	through := v.at
	if n := len(v.blocks); n > 0 {
		through = v.blocks[n-1].seq
	}
	if given != nil && !recent {
		v.given, through = given, max(through, given.Seq)
	}
	if through <= v.at {
		v.reach(end)
		return report, nil
	}
	if v.journal, err = openJournal(d, db, v.at, through); err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, v.journal.close()) }()
	for {
		seq := v.journal.place()
		v.reach(seq)
		if seq == end {
			report.Transactions = v.journal.Transactions
			return report, nil
		}
		chains := []*chain{v.chain, v.local}
		if v.local == nil {
			chains = chains[:1]
		}
		if err := v.journal.link(chains...); err != nil {
			return report, err
		}
		v.at = seq
	}
}

// verification is the state of a verification at a place of the journal.
type verification struct {
	report  *Report
	journal *reader
	chain   *chain
	at      int64 // the last place that is in the chain
	// local continues what a seal of the database says, once that is not what the
	// journal says: it shows whether later rows were changed too.
	local *chain

	blocks []block // that are to be verified
	last   int64   // the seq of the one before them
	given  *Seal   // nil when it was verified
}

// startAt sets the chain to the seal that the database has at the same place, which
// must be the given one.
func (v *verification) startAt(db *gorm.DB, given Seal) error {
	head, err := given.head()
	if err != nil {
		return err
	}
	found := given.Seq == 0 && head == origin
	err = eachBlock(db, fmt.Sprintf(`WHERE seq = %d`, given.Seq), func(b block) error {
		found = true
		if b.sha256 != hex.EncodeToString(head[:]) {
			v.report.add("the seal of seq %d in this database is not the given one: the journal up to there, or its seals, were changed%s", given.Seq, since(given.At))
		}
		return nil
	})
	if err != nil {
		return err
	}
	var present bool
	if err := db.Raw(`SELECT EXISTS (SELECT 1 FROM transactions WHERE seq = ?)`, given.Seq).Row().Scan(&present); err != nil {
		return err
	}
	switch {
	case given.Seq != 0 && !present:
		v.missing(given)
	case !found:
		v.report.add("this database has no seal of seq %d: it is a copy from before the seal was made, or the seal was deleted; verify it without --recent", given.Seq)
	}
	v.chain, v.at, v.last = newChain(head), given.Seq, given.Seq
	return nil
}

func (v *verification) missing(given Seal) {
	v.report.add("the journal does not have seq %d, at which the seal was made%s: transactions are missing, or this database was restored from an older backup", given.Seq, on(given.At))
}

// reach verifies every seal that lies before the next place of the journal.
func (v *verification) reach(next int64) {
	for {
		ofBlock := len(v.blocks) > 0 && v.blocks[0].seq < next
		ofGiven := v.given != nil && v.given.Seq < next
		switch {
		case ofGiven && (!ofBlock || v.given.Seq <= v.blocks[0].seq):
			v.verifyGiven()
		case ofBlock:
			v.verifyBlock(v.blocks[0])
			v.blocks = v.blocks[1:]
		default:
			return
		}
	}
}

func (v *verification) verifyGiven() {
	given := *v.given
	v.given = nil
	head, _ := given.head() // it was read before
	switch {
	case v.at != given.Seq:
		v.missing(given)
	case v.chain.head != head:
		v.report.add("the journal up to seq %d is not what was sealed%s: a row was changed, deleted, inserted or moved, or this database was restored from an older backup and has gone on since", given.Seq, on(given.At))
	}
}

func (v *verification) verifyBlock(b block) {
	v.report.Seals++
	head, err := Seal{Seq: b.seq, SHA256: b.sha256}.head()
	found := v.chain.head
	if v.local != nil {
		found = v.local.head
	}
	switch {
	case err != nil:
		v.report.add("the seal of seq %d is not a hash", b.seq)
		return
	case b.follows != v.last:
		v.report.add("the seal of seq %d follows one of seq %d, and the one before it is of seq %d: seals were deleted or inserted", b.seq, b.follows, v.last)
	case b.format != Format:
		v.report.add("the seal of seq %d has format %d, which this program does not know: verify it with a newer one", b.seq, b.format)
	case v.at != b.seq:
		v.report.add("the journal from seq %d to %d, sealed%s: seq %d is missing", b.follows+1, b.seq, on(b.at), b.seq)
	case found != head:
		v.report.add("the journal from seq %d to %d is not what was sealed%s: a row was changed, deleted, inserted or moved", b.follows+1, b.seq, on(b.at))
	}
	if found != head {
		v.local = newChain(head)
	}
	v.last = b.seq
}

func on(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " on " + at.UTC().Format(time.RFC3339)
}

func since(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " since " + at.UTC().Format(time.RFC3339)
}
