//go:build cgo

package sqlite

/*
#include <stdlib.h>
#include <string.h>

// SQLite's interface to files, as sqlite3.h has it: the driver brings SQLite
// along and does not offer these types and functions. The functions are resolved
// when the program is linked, and are null where they cannot be.
typedef struct file file;
typedef struct vfs vfs;

struct methods {
	int version;
	int (*close)(file *);
	int (*read)(file *, void *, int, long long);
	int (*write)(file *, const void *, int, long long);
	int (*truncate)(file *, long long);
	int (*sync)(file *, int);
	int (*size)(file *, long long *);
	int (*lock)(file *, int);
	int (*unlock)(file *, int);
	int (*reserved)(file *, int *);
	int (*control)(file *, int, void *);
	int (*sector)(file *);
	int (*characteristics)(file *);
	// of version 2
	int (*shm_map)(file *, int, int, int, void volatile **);
	int (*shm_lock)(file *, int, int, int);
	void (*shm_barrier)(file *);
	int (*shm_unmap)(file *, int);
	// of version 3
	int (*fetch)(file *, long long, int, void **);
	int (*unfetch)(file *, long long, void *);
};

struct file { const struct methods *methods; };

struct vfs {
	int version;
	int file_size;
	int max_pathname;
	vfs *next;
	const char *name;
	void *app_data;
	int (*open)(vfs *, const char *, file *, int, int *);
	void *others[15]; // of version 3
};

#define WEAK __attribute__((weak))
extern vfs *sqlite3_vfs_find(const char *) WEAK;
extern int sqlite3_vfs_register(vfs *, int) WEAK;
extern file *sqlite3_database_file_object(const char *) WEAK;

enum { ok = 0, failed = 1, no_memory = 7, sync_failed = 10 | 4 << 8 };
enum { open_main = 0x100, open_wal = 0x80000, safe_overwrite = 0x1000, sync_normal = 2 };
enum { shm_unlock = 1, write_lock = 0 };

// room is how many bytes of a WAL are put off at most. SQLite's unix files write
// no more than 128 KiB at once, and nothing at all of exactly that.
enum { room = 120 << 10 };

// burst is how many pages of a database are written between two syncs. Without,
// a checkpoint hands thousands to the disk at once, before a commit's few.
enum { burst = 64 };

static vfs *real;

// A wal is the write-ahead log of a connection, in front of the real file.
typedef struct wal {
	file base;
	char *pending;
	long long at; // where pending belongs
	int length;
	struct wal **owner; // log of the database
} wal;

// A database is what stands behind the real file of one.
typedef struct {
	struct methods methods; // of this file
	const struct methods *real;
	wal *log;
	int unsynced; // pages
} database;

static file *under(file *f) { return (file *)((wal *)f + 1); }
static database *behind(file *f) { return (database *)((char *)f + (real->file_size + 7 & ~7)); }

static int flush(wal *w) {
	int length = w->length;
	w->length = 0; // if it fails, so does the transaction, and the next one writes in its place
	return length ? under(&w->base)->methods->write(under(&w->base), w->pending, length, w->at) : ok;
}

static int wal_write(file *f, const void *bytes, int n, long long at) {
	wal *w = (wal *)f;
	if (w->length && (at != w->at + w->length || n > room - w->length)) {
		int rc = flush(w);
		if (rc) return rc;
	}
	if (n > room) return under(f)->methods->write(under(f), bytes, n, at);
	if (!w->length) w->at = at;
	memcpy(w->pending + w->length, bytes, n);
	w->length += n;
	return ok;
}

// Whatever else is done with the file comes after what was put off.
#define FLUSHED(f, method, ...) \
	int rc = flush((wal *)f); \
	return rc ? rc : under(f)->methods->method(under(f), ##__VA_ARGS__)

static int wal_read(file *f, void *bytes, int n, long long at) { FLUSHED(f, read, bytes, n, at); }
static int wal_truncate(file *f, long long size) { FLUSHED(f, truncate, size); }
static int wal_sync(file *f, int flags) { FLUSHED(f, sync, flags); }
static int wal_size(file *f, long long *size) { FLUSHED(f, size, size); }
static int wal_lock(file *f, int level) { FLUSHED(f, lock, level); }
static int wal_unlock(file *f, int level) { FLUSHED(f, unlock, level); }
static int wal_reserved(file *f, int *held) { FLUSHED(f, reserved, held); }
static int wal_control(file *f, int what, void *with) { FLUSHED(f, control, what, with); }
static int wal_sector(file *f) { return under(f)->methods->sector(under(f)); }
static int wal_characteristics(file *f) { return under(f)->methods->characteristics(under(f)); }

static int wal_close(file *f) {
	wal *w = (wal *)f;
	int rc = flush(w);
	int closed = under(f)->methods->close(under(f));
	*w->owner = 0;
	free(w->pending);
	return rc ? rc : closed;
}

static const struct methods wal_methods = {
	1, wal_close, wal_read, wal_write, wal_truncate, wal_sync, wal_size,
	wal_lock, wal_unlock, wal_reserved, wal_control, wal_sector, wal_characteristics,
};

// Nothing is put off any longer than the right to write lasts: what a
// transaction had written before it was rolled back may lie where the next one,
// perhaps of another process, writes.
static int database_shm_lock(file *f, int first, int n, int flags) {
	database *d = behind(f);
	if (d->log && flags & shm_unlock && first == write_lock) flush(d->log);
	return d->real->shm_lock(f, first, n, flags);
}

// broken is set, for as long as the process lives, once a sync of a database has
// failed. The system forgets what it could not write, and calls the next sync a
// success; then SQLite would let the WAL start afresh, and with it the only copy
// goes. The next process copies the whole WAL again.
static int broken;

static int database_sync(file *f, int flags) {
	database *d = behind(f);
	if (!__atomic_load_n(&broken, __ATOMIC_SEQ_CST) && d->real->sync(f, flags)) __atomic_store_n(&broken, 1, __ATOMIC_SEQ_CST);
	d->unsynced = 0;
	return __atomic_load_n(&broken, __ATOMIC_SEQ_CST) ? sync_failed : ok;
}

static int database_write(file *f, const void *bytes, int n, long long at) {
	database *d = behind(f);
	int rc = d->real->write(f, bytes, n, at);
	if (rc || ++d->unsynced < burst) return rc;
	return database_sync(f, sync_normal);
}

static int open_database(const char *name, file *f, int flags, int *out) {
	int rc = real->open(real, name, f, flags, out);
	if (rc) return rc;
	database *d = behind(f);
	memset(d, 0, sizeof *d);
	d->real = f->methods;
	d->methods = *f->methods;
	d->methods.shm_lock = database_shm_lock;
	d->methods.write = database_write;
	d->methods.sync = database_sync;
	f->methods = &d->methods;
	return ok;
}

static int open_log(const char *name, file *f, int flags, int *out) {
	wal *w = (wal *)f;
	w->base.methods = 0; // of a file that is not open
	w->length = 0;
	int rc = real->open(real, name, under(f), flags, out);
	if (rc) return rc;
	// Without it SQLite writes on after a sync, to fill a sector, and does not sync again.
	int safe = under(f)->methods->characteristics(under(f)) & safe_overwrite;
	w->pending = safe ? malloc(room) : 0;
	if (!w->pending) {
		under(f)->methods->close(under(f));
		return safe ? no_memory : failed;
	}
	w->owner = &behind(sqlite3_database_file_object(name))->log;
	*w->owner = w;
	w->base.methods = &wal_methods;
	return ok;
}

static int open_file(vfs *self, const char *name, file *f, int flags, int *out) {
	(void)self;
	if (flags & open_main) return open_database(name, f, flags, out);
	if (flags & open_wal) return open_log(name, f, flags, out);
	return real->open(real, name, f, flags, out);
}

// register_own_vfs makes the VFS known under a name, and returns 0, or nothing
// where SQLite is not what it was when this was written.
static int register_own_vfs(const char *name) {
	static vfs own;
	if (!sqlite3_vfs_find || !sqlite3_vfs_register || !sqlite3_database_file_object) return failed;
	real = sqlite3_vfs_find(0);
	if (!real || real->version != 3) return failed;
	own = *real;
	own.file_size = (real->file_size + 7 & ~7) + (int)(sizeof(wal) > sizeof(database) ? sizeof(wal) : sizeof(database));
	own.next = 0;
	own.name = name;
	own.open = open_file;
	return sqlite3_vfs_register(&own, 0);
}
*/
import "C"

import "sync"

// batchingVFS is a file system of SQLite's for the connection that writes and the
// one that makes checkpoints.
//
// All that a commit puts into the WAL is written in one piece, when it is synced:
// SQLite writes the header and the content of each page on their own, a hundred
// system calls for a batch of fifteen payments, which is a third of what a commit
// costs. The bytes of the file, and when they are on disk, stay the same.
//
// A checkpoint is synced as it goes, so that commits beside it wait for little.
const batchingVFS = "tolem"

// registerBatchingVFS reports whether that file system can be used.
var registerBatchingVFS = sync.OnceValue(func() bool { return C.register_own_vfs(C.CString(batchingVFS)) == 0 })
