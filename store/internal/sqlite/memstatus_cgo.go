//go:build cgo

package sqlite

/*
// The driver brings SQLite along and does not offer this function: it is
// resolved when the program is linked, and is null where it cannot be.
extern int sqlite3_config(int, ...) __attribute__((weak));
extern int sqlite3_db_status(void *, int, int *, int *, int) __attribute__((weak));
extern void *sqlite3_db_handle(void *) __attribute__((weak));

enum { configMemStatus = 9, configLookaside = 13, statusLookasideMissFull = 6 }; // SQLITE_CONFIG_… and SQLITE_DBSTATUS_… of sqlite3.h

// The lookaside memory of a connection, in slots of 1200 bytes: SQLite's own 40 are
// used up by the statements that stay prepared, and every other allocation of
// every statement would be a malloc. So would it be with 160 for the writer, whose
// statements and their triggers need about 330.
enum { slot = 1200, slots = 480 };

static int without_memory_statistics(void) {
	if (!sqlite3_config) return -1;
	sqlite3_config(configLookaside, slot, slots);
	return sqlite3_config(configMemStatus, 0);
}

// lookaside_misses is how many allocations have found the lookaside memory full, or
// -1 where that is not known.
static int lookaside_misses(void *stmt) {
	int now, misses;
	if (!sqlite3_db_status || !sqlite3_db_handle) return -1;
	if (sqlite3_db_status(sqlite3_db_handle(stmt), statusLookasideMissFull, &now, &misses, 0)) return -1;
	return misses;
}
*/
import "C"

import (
	"sync"
	"sync/atomic"
)

// DisableMemoryStatistics keeps SQLite from counting its memory, which it does
// under one global mutex, taken at every allocation: a quarter of all the
// instructions of a write. Nobody reads the counts. It must come before the
// first connection of the process. It also gives every connection enough lookaside
// memory, which is another twelfth of a write. Where it comes too late or
// cannot be done, everything works as before, only slower.
var DisableMemoryStatistics = sync.OnceFunc(func() { memoryStatisticsOff.Store(C.without_memory_statistics() == 0) })

// memoryStatisticsOff tells that it was done in time.
var memoryStatisticsOff atomic.Bool

// LookasideMisses is how many allocations on the connection of a statement have
// found its lookaside memory full; known is false where SQLite cannot be asked.
func (s *Statement) LookasideMisses() (times int, known bool) {
	if s.direct == nil {
		return 0, false
	}
	times = int(C.lookaside_misses(s.direct.stmt))
	return times, times >= 0
}
