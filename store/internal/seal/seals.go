package seal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/internal/ledger"
	"tolem/topup"
)

const (
	// blockOf is how many transactions lie between two seals at most, so that a check
	// says where something was changed.
	blockOf = 1000
	// blocksAWrite is how many seals are written together.
	blocksAWrite = 64
	// sealTries is how often the journal is sealed anew after another process has
	// sealed it meanwhile.
	sealTries = 5
)

// Seal is the head of the hash chain over the journal.
type Seal struct {
	Seq    int64     // the last transaction that it covers, 0 for none
	SHA256 string    // 64 hexadecimal digits
	At     time.Time // when the journal was sealed
}

// head is the seal's hash. The error is of KindInvalid.
func (s Seal) head() (head digest, err error) {
	read, err := hex.DecodeString(s.SHA256)
	if err != nil || len(read) != len(head) {
		return head, topup.Invalid("sha256", "must be 64 hexadecimal digits")
	}
	if s.Seq < 0 {
		return head, topup.Invalid("seq", "must not be negative")
	}
	return digest(read), nil
}

// Valid reports whether the seal can be one. The error is of KindInvalid.
func (s Seal) Valid() error {
	_, err := s.head()
	return err
}

// Seals are the seals of a database.
type Seals struct {
	reader *engine.Reader
	writer *engine.Writer
	ledger *ledger.Ledger
	now    func() time.Time
}

// New returns the seals of a database.
func New(r *engine.Reader, w *engine.Writer, l *ledger.Ledger, now func() time.Time) *Seals {
	return &Seals{r, w, l, now}
}

// LastSeal returns the newest seal, the zero Seal when there is none.
func (s *Seals) LastSeal(ctx context.Context) (last Seal, err error) {
	err = eachBlock(s.reader.ORM.WithContext(ctx), `ORDER BY seq DESC LIMIT 1`, func(b block) error {
		last = Seal{b.seq, b.sha256, b.at}
		return nil
	})
	if err != nil {
		return Seal{}, fmt.Errorf("read the last seal: %w", err)
	}
	return last, nil
}

// SealJournal seals what was posted since the last seal, and returns the newest
// seal; that of an empty journal has no time. What was sealed before is not read
// again. On PostgreSQL transactions whose place in the feed is not final are left for
// the next time.
func (s *Seals) SealJournal(ctx context.Context) (Seal, error) {
	for range sealTries {
		err := s.seal(ctx)
		if errors.Is(err, errOvertaken) {
			continue
		}
		if err != nil {
			return Seal{}, fmt.Errorf("seal the journal: %w", err)
		}
		last, err := s.LastSeal(ctx)
		if err == nil && last.SHA256 == "" {
			last.SHA256 = hex.EncodeToString(origin[:])
		}
		return last, err
	}
	return Seal{}, fmt.Errorf("seal the journal: %w", database.Unavailable(errOvertaken))
}

// errOvertaken says that another process has sealed the same transactions.
var errOvertaken = errors.New("another process is sealing the journal: try again")

func (s *Seals) seal(ctx context.Context) error {
	last, err := s.LastSeal(ctx)
	if err != nil {
		return err
	}
	head := origin
	if last.SHA256 != "" {
		if head, err = last.head(); err != nil {
			return fmt.Errorf("the seal of seq %d cannot be read: run ledger check: %w", last.Seq, err)
		}
	}
	// Before the snapshot: what is final now, the snapshot has.
	through, err := s.ledger.LastFinal(ctx)
	if err != nil || through <= last.Seq {
		return err
	}
	return database.Snapshot(ctx, s.reader.Dialect, s.reader.ORM, func(db *gorm.DB) (err error) {
		journal, err := openJournal(s.reader.Dialect, db, last.Seq, through)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, journal.close()) }()
		blocks, follows, sealed := []block(nil), last.Seq, int64(0)
		c := newChain(head)
		for journal.place() != end {
			seq := journal.place()
			if err := journal.link(c); err != nil {
				return err
			}
			if journal.Transactions-sealed < blockOf && journal.place() != end {
				continue
			}
			blocks = append(blocks, block{seq: seq, follows: follows, format: Format, sha256: hex.EncodeToString(c.head[:]), at: s.now()})
			follows, sealed = seq, journal.Transactions
			if len(blocks) < blocksAWrite && journal.place() != end {
				continue
			}
			if err := s.write(ctx, blocks); err != nil {
				return err
			}
			blocks = blocks[:0]
		}
		return nil
	})
}

// block is a row of seals: the transactions behind the seal before it.
type block struct {
	seq, follows, format int64
	sha256               string
	at                   time.Time
}

// write stores seals, if nobody else has sealed the same meanwhile.
func (s *Seals) write(ctx context.Context, blocks []block) error {
	return s.writer.Do(ctx, func(tx *engine.Tx) error {
		db := tx.Gorm()
		var last int64
		if err := db.Raw(`SELECT coalesce(max(seq), 0) FROM seals`).Row().Scan(&last); err != nil {
			return err
		}
		if last != blocks[0].follows {
			return errOvertaken
		}
		for _, b := range blocks {
			put := db.Exec(`INSERT INTO seals (seq, follows, format, sha256, sealed_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
				b.seq, b.follows, b.format, b.sha256, database.Micros(b.at))
			if put.Error != nil {
				return put.Error
			}
			if put.RowsAffected == 0 {
				return errOvertaken
			}
		}
		return nil
	})
}

// eachBlock passes seals to yield.
func eachBlock(db *gorm.DB, where string, yield func(block) error) (err error) {
	rows, err := db.Raw(`SELECT seq, follows, format, sha256, sealed_at FROM seals ` + where).Rows()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b block
		var at int64
		if err := rows.Scan(&b.seq, &b.follows, &b.format, &b.sha256, &at); err != nil {
			return err
		}
		b.at = database.FromMicros(at)
		if err := yield(b); err != nil {
			return err
		}
	}
	return rows.Err()
}
