//go:build cgo

package sqlite

/*
// The driver brings SQLite along and does not offer this function: it is
// resolved when the program is linked, and is null where it cannot be.
extern int sqlite3_config(int, ...) __attribute__((weak));

enum { configMemStatus = 9, configLookaside = 13 }; // SQLITE_CONFIG_… of sqlite3.h

// The small memory of a connection, in slots of 1200 bytes: SQLite's own 40 are
// used up by the statements that stay prepared, and every other allocation of
// every statement would be a malloc.
enum { slot = 1200, slots = 160 };

static int without_memory_statistics(void) {
	if (!sqlite3_config) return -1;
	sqlite3_config(configLookaside, slot, slots);
	return sqlite3_config(configMemStatus, 0);
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
// first connection of the process. It also gives every connection enough small
// memory of its own, which is another twelfth of a write. Where it comes too late or
// cannot be done, everything works as before, only slower.
var DisableMemoryStatistics = sync.OnceFunc(func() { memoryStatisticsOff.Store(C.without_memory_statistics() == 0) })

// memoryStatisticsOff tells that it was done in time.
var memoryStatisticsOff atomic.Bool
