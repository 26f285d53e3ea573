//go:build cgo

package sqlite

/*
#include <stddef.h>
#include <string.h>

// The driver brings SQLite along and does not offer these functions: they are
// resolved when the program is linked, and are null where they cannot be.
#define WEAK __attribute__((weak))
extern int sqlite3_bind_int64(void *, int, long long) WEAK;
extern int sqlite3_bind_null(void *, int) WEAK;
extern int sqlite3_bind_text(void *, int, const char *, int, void (*)(void *)) WEAK;
extern int sqlite3_bind_blob(void *, int, const void *, int, void (*)(void *)) WEAK;
extern int sqlite3_step(void *) WEAK;
extern int sqlite3_reset(void *) WEAK;
extern int sqlite3_clear_bindings(void *) WEAK;
extern int sqlite3_column_count(void *) WEAK;
extern int sqlite3_column_type(void *, int) WEAK;
extern long long sqlite3_column_int64(void *, int) WEAK;
extern const void *sqlite3_column_blob(void *, int) WEAK;
extern int sqlite3_column_bytes(void *, int) WEAK;
extern void *sqlite3_db_handle(void *) WEAK;
extern int sqlite3_changes(void *) WEAK;
extern int sqlite3_extended_errcode(void *) WEAK;
extern const char *sqlite3_errmsg(void *) WEAK;

enum { kindInteger = 1, kindFloat = 2, kindText = 3, kindBlob = 4, kindNull = 5, row = 100, done = 101, notInteger = -1 };

static int direct_linked(void) {
	return sqlite3_bind_int64 && sqlite3_bind_null && sqlite3_bind_text && sqlite3_bind_blob && sqlite3_step &&
		sqlite3_reset && sqlite3_clear_bindings && sqlite3_column_count && sqlite3_column_type && sqlite3_column_int64 &&
		sqlite3_column_blob && sqlite3_column_bytes && sqlite3_db_handle && sqlite3_changes && sqlite3_extended_errcode && sqlite3_errmsg;
}

// A value is two words, its kind and a number: an integer, or how many bytes
// follow, padded to whole words.
static const char *next(const char *at, long long kind, long long number) {
	return at + 16 + (kind == kindText || kind == kindBlob ? (number + 7 & ~7LL) : 0);
}

static int bind(void *stmt, const char *in, int n) {
	for (int i = 1; i <= n; i++) {
		const long long *value = (const long long *)in;
		int rc;
		switch (value[0]) {
		case kindInteger: rc = sqlite3_bind_int64(stmt, i, value[1]); break;
		case kindText: rc = sqlite3_bind_text(stmt, i, in + 16, (int)value[1], 0); break;
		case kindBlob: rc = sqlite3_bind_blob(stmt, i, in + 16, (int)value[1], 0); break;
		default: rc = sqlite3_bind_null(stmt, i);
		}
		if (rc) return rc;
		in = next(in, value[0], value[1]);
	}
	return 0;
}

static void finish(void *stmt) {
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt); // they point into memory that the caller uses again
}

// direct_row writes the row on which the statement stands to out, and is done
// with the statement. If there is no room, it only returns, negative, how much
// is needed.
static long long direct_row(void *stmt, char *out, long long room) {
	int columns = sqlite3_column_count(stmt);
	long long need = 0;
	for (int i = 0; i < columns; i++) {
		long long kind = sqlite3_column_type(stmt, i), number = 0;
		const void *bytes = 0;
		if (kind == kindInteger) number = sqlite3_column_int64(stmt, i);
		if (kind == kindText || kind == kindBlob) {
			bytes = sqlite3_column_blob(stmt, i);
			number = sqlite3_column_bytes(stmt, i);
		}
		const char *to = out + need;
		need = next(to, kind, number) - out;
		if (need > room) continue;
		((long long *)to)[0] = kind;
		((long long *)to)[1] = number;
		if (bytes) memcpy((char *)to + 16, bytes, number);
	}
	if (need > room) return -need;
	finish(stmt);
	return row;
}

// direct_step binds n values, steps once, and returns row, done, or what
// direct_row returns; anything else is an error, whose text it writes to out.
// *changes is how many rows the last write has changed.
static long long direct_step(void *stmt, const char *in, int n, char *out, long long room, long long *changes) {
	int rc = bind(stmt, in, n);
	if (!rc) rc = sqlite3_step(stmt);
	void *db = sqlite3_db_handle(stmt);
	*changes = sqlite3_changes(db);
	if (rc == row) return direct_row(stmt, out, room);
	if (rc != done) {
		rc = sqlite3_extended_errcode(db);
		if (!rc || rc == row || rc == done) rc = 1;
		strncpy(out, sqlite3_errmsg(db), room - 1);
		out[room - 1] = 0;
	}
	finish(stmt);
	return rc;
}

// direct_integers steps over at most so many rows, and writes their integers to out;
// the values were bound by direct_bind. It returns how many rows there were. *state is
// row when there may be more; otherwise it is done with the statement, and *state is
// done, or an error, whose text it writes to out.
static long long direct_integers(void *stmt, long long *out, long long most, int columns, long long *state) {
	int rc = 0;
	for (long long n = 0; n < most; n++) {
		if ((rc = sqlite3_step(stmt)) != row) {
			*state = rc;
			if (rc != done) {
				rc = sqlite3_extended_errcode(sqlite3_db_handle(stmt));
				*state = !rc || rc == row || rc == done ? 1 : rc;
				strncpy((char *)out, sqlite3_errmsg(sqlite3_db_handle(stmt)), 8 * most * columns - 1);
				((char *)out)[8 * most * columns - 1] = 0;
			}
			finish(stmt);
			return n;
		}
		for (int i = 0; i < columns; i++) {
			if (sqlite3_column_type(stmt, i) != kindInteger) {
				*state = notInteger;
				finish(stmt);
				return n;
			}
			out[n * columns + i] = sqlite3_column_int64(stmt, i);
		}
	}
	*state = row;
	return most;
}

static int direct_bind(void *stmt, const char *in, int n) { return bind(stmt, in, n); }
static void direct_finish(void *stmt) { finish(stmt); }

#cgo noescape direct_step
#cgo noescape direct_row
#cgo noescape direct_integers
*/
import "C"

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// direct calls a statement of the C driver without the driver in between: one
// call into C binds all values, steps, reads the row and resets, where the
// driver needs two, and an allocation for every value, every text and the rows.
// That is a quarter of all instructions of a write. What it cannot do, such as
// another driver's statements, goes through the driver.
//
// Values cross as bytes in buffers of ours, in which there are no pointers, and
// SQLite forgets them before the call returns.
type direct struct {
	stmt    unsafe.Pointer // sqlite3_stmt, owned by the driver's statement
	in, out []byte
	changes C.longlong
}

const (
	directRoom = 1 << 10  // of out to begin with
	directKeep = 64 << 10 // above it a buffer is not kept for the next call
)

// directLinked reports whether SQLite's functions are linked in.
func directLinked() bool { return C.direct_linked() != 0 }

// newDirect returns nil where the driver's statement is not what it was when
// this was written, or SQLite's functions are not linked in.
func newDirect(stmt driver.Stmt) *direct {
	if !directLinked() {
		return nil
	}
	v := reflect.ValueOf(stmt)
	if v.Kind() != reflect.Pointer || v.Type().String() != "*sqlite3.SQLiteStmt" {
		return nil
	}
	field := v.Elem().FieldByName("s")
	if !field.IsValid() || field.Kind() != reflect.Pointer || field.IsNil() {
		return nil
	}
	return &direct{stmt: field.UnsafePointer(), out: make([]byte, directRoom)}
}

// step runs the statement, and reports whether it stands in d.out as a row.
func (d *direct) step(args []any) (found bool, err error) {
	d.in = d.in[:0]
	for i, arg := range args {
		if d.in, err = appendValue(d.in, arg); err != nil {
			return false, fmt.Errorf("argument %d: %w", i, err)
		}
	}
	rc := C.direct_step(d.stmt, (*C.char)(unsafe.Pointer(unsafe.SliceData(d.in))), C.int(len(args)), d.room(), C.longlong(len(d.out)), &d.changes)
	if rc < 0 {
		d.out = make([]byte, -rc)
		rc = C.direct_row(d.stmt, d.room(), C.longlong(len(d.out)))
	}
	// Only now: a row that was too long for out may point into in.
	if cap(d.in) > directKeep {
		d.in = nil
	}
	switch rc {
	case C.row:
		return true, nil
	case C.done:
		return false, nil
	}
	text, _, _ := bytes.Cut(d.out, []byte{0})
	return false, fmt.Errorf("%s (%d)", text, int(rc))
}

func (d *direct) room() *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(d.out))) }

// one reads at most one row into places.
func (d *direct) one(places, args []any) (found bool, err error) {
	found, err = d.step(args)
	if err != nil || !found {
		return false, err
	}
	at := d.out
	for i, place := range places {
		kind := binary.NativeEndian.Uint64(at)
		number := int64(binary.NativeEndian.Uint64(at[8:]))
		at = at[16:]
		var text []byte
		if kind == C.kindText || kind == C.kindBlob {
			text = at[:number]
			at = at[(number+7)&^7:]
		}
		if err := putInto(place, kind, number, text); err != nil {
			return false, fmt.Errorf("column %d: %w", i, err)
		}
	}
	if len(d.out) > directKeep {
		d.out = make([]byte, directRoom)
	}
	return true, nil
}

// integersAtOnce is how many rows of integers cross in one call.
const integersAtOnce = 1024

// integers passes rows of integers to yield.
func (d *direct) integers(ctx context.Context, columns int, yield func(row []int64) error, args []any) (err error) {
	// The statement keeps what is bound from one call to the next: only integers, which
	// are not pointers into Go's memory.
	d.in = d.in[:0]
	for i, arg := range args {
		if _, is := arg.(int64); !is {
			return fmt.Errorf("argument %d: a %v cannot be bound", i, reflect.TypeOf(arg))
		}
		if d.in, err = appendValue(d.in, arg); err != nil {
			return err
		}
	}
	defer C.direct_finish(d.stmt)
	if rc := C.direct_bind(d.stmt, (*C.char)(unsafe.Pointer(unsafe.SliceData(d.in))), C.int(len(args))); rc != 0 {
		return fmt.Errorf("bind: %d", int(rc))
	}
	out := make([]int64, integersAtOnce*columns)
	for state := C.longlong(C.row); state == C.row; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := int(C.direct_integers(d.stmt, (*C.longlong)(unsafe.Pointer(unsafe.SliceData(out))), integersAtOnce, C.int(columns), &state))
		switch state {
		case C.row, C.done:
		case C.notInteger:
			return errors.New("a column is not an integer")
		default:
			text, _, _ := bytes.Cut(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(out))), 8*len(out)), []byte{0})
			return fmt.Errorf("%s (%d)", text, int(state))
		}
		for row := range slices.Chunk(out[:n*columns], columns) {
			if err := yield(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// run returns the rows affected.
func (d *direct) run(args []any) (int64, error) {
	_, err := d.step(args)
	return int64(d.changes), err
}

// putInto puts a value into its place, by the rules of assign.
func putInto(place any, kind uint64, number int64, text []byte) error {
	switch kind {
	case C.kindText, C.kindBlob:
		switch p := place.(type) {
		case *string:
			*p = string(text)
			return nil
		case *[]byte:
			*p = append((*p)[:0], text...)
			return nil
		case *sql.NullString:
			*p = sql.NullString{String: string(text), Valid: true}
			return nil
		}
	case C.kindInteger:
		if p, ok := place.(*sql.NullInt64); ok {
			*p = sql.NullInt64{Int64: number, Valid: true}
			return nil
		}
		return assignInteger(place, number)
	case C.kindNull:
		switch p := place.(type) {
		case *sql.NullInt64:
			*p = sql.NullInt64{}
			return nil
		case *sql.NullString:
			*p = sql.NullString{}
			return nil
		}
	}
	return fmt.Errorf("a column of kind %d cannot be read into a %v", kind, reflect.TypeOf(place))
}

// appendValue encodes an argument; the types are those of bindable.
func appendValue(b []byte, arg any) ([]byte, error) {
	switch v := arg.(type) {
	case nil:
		return appendWords(b, C.kindNull, 0), nil
	case int64:
		return appendWords(b, C.kindInteger, v), nil
	case int:
		return appendWords(b, C.kindInteger, int64(v)), nil
	case uint32:
		return appendWords(b, C.kindInteger, int64(v)), nil
	case bool:
		if v {
			return appendWords(b, C.kindInteger, 1), nil
		}
		return appendWords(b, C.kindInteger, 0), nil
	case string:
		return appendPadded(appendWords(b, C.kindText, int64(len(v))), v), nil
	case []byte:
		if v == nil {
			return appendWords(b, C.kindNull, 0), nil
		}
		return appendPadded(appendWords(b, C.kindBlob, int64(len(v))), v), nil
	case sql.NullInt64:
		if !v.Valid {
			return appendWords(b, C.kindNull, 0), nil
		}
		return appendWords(b, C.kindInteger, v.Int64), nil
	case sql.NullString:
		if !v.Valid {
			return appendWords(b, C.kindNull, 0), nil
		}
		return appendPadded(appendWords(b, C.kindText, int64(len(v.String))), v.String), nil
	}
	return b, fmt.Errorf("a %v cannot be bound", reflect.TypeOf(arg))
}

func appendWords(b []byte, kind uint64, number int64) []byte {
	return binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(b, kind), uint64(number))
}

// appendPadded appends a text, up to a whole word.
func appendPadded[T string | []byte](b []byte, text T) []byte {
	b = append(b, text...)
	return append(b, "\x00\x00\x00\x00\x00\x00\x00"[:-len(text)&7]...)
}
