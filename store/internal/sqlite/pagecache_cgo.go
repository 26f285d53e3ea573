//go:build cgo

package sqlite

/*
#include <stdlib.h>

// SQLite's interface to a page cache, as sqlite3.h has it: the driver brings
// SQLite along and does not offer it. The function is resolved when the program
// is linked, and is null where it cannot be.
extern int sqlite3_config(int, ...) __attribute__((weak));

typedef struct page page;

struct cache_methods {
	int version;
	void *argument;
	int (*init)(void *);
	void (*shutdown)(void *);
	void *(*create)(int page_size, int extra, int purgeable);
	void (*set_size)(void *, int);
	int (*count)(void *);
	page *(*fetch)(void *, unsigned number, int create);
	void (*unpin)(void *, page *, int discard);
	void (*rekey)(void *, page *, unsigned from, unsigned to);
	void (*truncate)(void *, unsigned first);
	void (*destroy)(void *);
	void (*shrink)(void *);
};

enum { config_cache = 18, config_get_cache = 19 }; // SQLITE_CONFIG_…PCACHE2 of sqlite3.h

static struct cache_methods own;

// A cache is one of SQLite's own, and what is known of the numbers in it.
typedef struct {
	void *real;
	unsigned parking; // the number under which SQLite puts a page while it sorts others
	int parked;       // pages there
	unsigned highest; // no other page has a higher number
} cache;

static struct cache_methods sqlites;

static void *cache_create(int page_size, int extra, int purgeable) {
	cache *c = calloc(1, sizeof *c);
	if (!c) return 0;
	c->parking = 0x40000000 / page_size + 1; // the page of the lock byte, which never holds anything
	c->real = sqlites.create(page_size, extra, purgeable);
	if (c->real) return c;
	free(c);
	return 0;
}

static void cache_note(cache *c, unsigned number) {
	if (number != c->parking && number > c->highest) c->highest = number;
}

static page *cache_fetch(void *p, unsigned number, int create) {
	cache *c = p;
	if (create) cache_note(c, number);
	return sqlites.fetch(c->real, number, create);
}

static void cache_rekey(void *p, page *one, unsigned from, unsigned to) {
	cache *c = p;
	c->parked += (to == c->parking) - (from == c->parking);
	cache_note(c, to);
	sqlites.rekey(c->real, one, from, to);
}

static void cache_truncate(void *p, unsigned first) {
	cache *c = p;
	if (first > c->highest && !c->parked) return; // there is no such page
	sqlites.truncate(c->real, first);
	c->highest = first - 1;
	c->parked = 0;
}

static void cache_destroy(void *p) {
	sqlites.destroy(((cache *)p)->real);
	free(p);
}

static void cache_set_size(void *p, int size) { sqlites.set_size(((cache *)p)->real, size); }
static int cache_count(void *p) { return sqlites.count(((cache *)p)->real); }
static void cache_unpin(void *p, page *one, int discard) { sqlites.unpin(((cache *)p)->real, one, discard); }
static void cache_shrink(void *p) { sqlites.shrink(((cache *)p)->real); }

static int use_own_cache(void) {
	if (!sqlite3_config || sqlite3_config(config_get_cache, &sqlites) || sqlites.version != 1) return -1;
	own = sqlites;
	own.create = cache_create;
	own.set_size = cache_set_size;
	own.count = cache_count;
	own.fetch = cache_fetch;
	own.unpin = cache_unpin;
	own.rekey = cache_rekey;
	own.truncate = cache_truncate;
	own.destroy = cache_destroy;
	own.shrink = cache_shrink;
	return sqlite3_config(config_cache, &own);
}
*/
import "C"

// ownPageCache tells that a layer of ours is on SQLite's page cache. At the end of
// a transaction SQLite drops the pages behind the end of the database. There are
// hardly ever any, but it looks for them in the whole cache if a page had the
// number of the lock byte's for a moment, as one has when the pages of an index
// are sorted, so in nearly every batch: a fiftieth of all that a callback costs,
// and more the larger the cache. The layer knows the highest number, and does not
// let SQLite look.
//
// It has to come before the first connection of the process. Where it cannot be
// done, everything works as before, only slower.
var ownPageCache = C.use_own_cache() == 0
