//go:build cgo

package store

/*
// The driver brings SQLite along and does not offer this function: it is
// resolved when the program is linked, and is null where it cannot be.
extern int sqlite3_config(int, ...) __attribute__((weak));

enum { configMemStatus = 9 }; // SQLITE_CONFIG_MEMSTATUS of sqlite3.h

static int without_memory_statistics(void) {
	return sqlite3_config ? sqlite3_config(configMemStatus, 0) : -1;
}
*/
import "C"

import "sync"

// disableMemoryStatistics keeps SQLite from counting its memory, which it does
// under one global mutex, taken at every allocation: a quarter of all the
// instructions of a write. Nobody reads the counts. It must come before the
// first connection of the process; where it comes too late or cannot be done,
// everything works as before, only slower.
var disableMemoryStatistics = sync.OnceFunc(func() { C.without_memory_statistics() })
