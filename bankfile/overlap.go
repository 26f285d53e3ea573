package bankfile

import (
	"crypto/sha256"
	"encoding/binary"

	"tolem/calendar"
)

// Key tells a line of an account from all others, in whatever file it comes:
// account, day, direction, amount, number, bank reference, counterparty's account
// and purpose, and the how-manieth such line of its day it is in its file. The
// document's number alone would not do: it is the payer's.
type Key [sha256.Size]byte

// Keyed is a line with its key.
type Keyed struct {
	Line
	Occurrence int // from 1
	Key        Key
}

// Identify gives the lines of a file their keys. Two equal lines of one file are
// two movements; in another file that has both they are the same two.
func Identify(account Account, statements []Statement) []Keyed {
	var list []Keyed
	seen := map[Key]int{}
	for _, s := range statements {
		for _, l := range s.Lines {
			plain := l.key(account, 0)
			seen[plain]++
			list = append(list, Keyed{l, seen[plain], l.key(account, seen[plain])})
		}
	}
	return list
}

func (l Line) key(account Account, occurrence int) Key {
	h := sha256.New()
	number := func(n int64) { h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) }
	for _, text := range []string{compact(account.Number), account.Currency, l.Day.String(), string(l.Direction), l.Number, l.BankReference, l.CounterpartyAccount, l.Purpose} {
		number(int64(len(text)))
		h.Write([]byte(text))
	}
	number(l.Amount)
	number(int64(occurrence))
	return Key(h.Sum(nil))
}

// Stored is a line that is kept already.
type Stored struct {
	ID  int64
	Key Key
	Line
}

// Change is a line that the bank has changed: its day, direction and amount are
// those of a stored line that the file does not have any more.
type Change struct {
	Stored Stored
	Now    Keyed
}

// Comparison is what a file has to say of the lines that are kept.
type Comparison struct {
	New     []Keyed // to be kept
	Known   int     // kept already
	Changed []Change
	// Vanished are kept, and of a day that the file covers, but not in it.
	Vanished []Stored
}

// Compare compares the lines of a file, whose statements cover some days, with
// the lines that are kept of these and of the lines' own days.
func Compare(stored []Stored, file []Keyed, statements []Statement) Comparison {
	var c Comparison
	kept, there := map[Key]bool{}, map[Key]bool{}
	for _, s := range stored {
		kept[s.Key] = true
	}
	for _, l := range file {
		there[l.Key] = true
	}
	type same struct {
		day       calendar.Day
		direction Direction
		amount    int64
	}
	absent := map[same][]Stored{}
	for _, s := range stored {
		if !there[s.Key] {
			key := same{s.Day, s.Direction, s.Amount}
			absent[key] = append(absent[key], s)
		}
	}
	changed := map[int64]bool{}
	for _, l := range file {
		if kept[l.Key] {
			c.Known++
			continue
		}
		key := same{l.Day, l.Direction, l.Amount}
		if before := absent[key]; len(before) > 0 {
			c.Changed = append(c.Changed, Change{before[0], l})
			changed[before[0].ID] = true
			absent[key] = before[1:]
			continue
		}
		c.New = append(c.New, l)
	}
	for _, s := range stored {
		if !there[s.Key] && !changed[s.ID] && covered(s.Day, statements) {
			c.Vanished = append(c.Vanished, s)
		}
	}
	return c
}

func covered(day calendar.Day, statements []Statement) bool {
	for _, s := range statements {
		if !day.Before(s.From) && !day.After(s.To) {
			return true
		}
	}
	return false
}
