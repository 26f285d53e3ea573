package powercut

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Library compiles the recorder for builds with C into the folder. Its name belongs
// into LD_PRELOAD of the process that is recorded. It needs gcc.
func Library(folder string) (string, error) {
	source, library := filepath.Join(folder, "record.c"), filepath.Join(folder, "record.so")
	if err := os.WriteFile(source, []byte(recorder), 0o600); err != nil {
		return "", err
	}
	if text, err := exec.Command("gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl", "-lpthread").CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc: %w\n%s", err, text)
	}
	return library, nil
}

// recorder stands before the C library. A write and its line in the record are one
// step; a sync runs beside writes, and covers those before it began.
const recorder = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { other, recorded, folder };
static unsigned char kind[65536];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *root;
static size_t root_length;
static int log_fd = -1;

#define REAL(type, name, ...) \
	static type (*real)(__VA_ARGS__); \
	if (!real) real = dlsym(RTLD_NEXT, name)

static int kind_of(int fd) { return fd >= 0 && fd < (int)sizeof kind ? kind[fd] : other; }

static void begin(void) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	void first(void) {
		root = getenv("` + FolderVariable + `");
		const char *log = getenv("` + LogVariable + `");
		if (!root || !log) return;
		root_length = strlen(root);
		int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
		log_fd = real(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		if (log_fd < 0) abort();
	}
	pthread_once(&once, first);
}

static void add(char op, uint64_t file, uint64_t at, const void *data, uint64_t length) {
	uint64_t header[4] = { (unsigned char)op, file, at, length };
	struct iovec parts[2] = { { header, sizeof header }, { (void *)data, length } };
	if (writev(log_fd, parts, 2) != (ssize_t)(sizeof header + length)) abort();
}

static uint64_t inode(int fd) {
	struct stat s;
	if (fstat(fd, &s)) abort();
	return s.st_ino;
}

// name_of is the name of a file in the folder, or null.
static const char *name_of(const char *path) {
	begin();
	if (log_fd < 0 || strncmp(path, root, root_length) || path[root_length] != '/') return 0;
	const char *name = path + root_length + 1;
	size_t n = strlen(name);
	return n > 4 && !strcmp(name + n - 4, "-shm") ? 0 : name;
}

static int opened(const char *path, int fd) {
	if (fd < 0 || fd >= (int)sizeof kind) return fd;
	const char *name = name_of(path);
	kind[fd] = other;
	if (log_fd >= 0 && !strcmp(path, root)) kind[fd] = folder;
	if (!name) return fd;
	kind[fd] = recorded;
	pthread_mutex_lock(&mutex);
	add('o', inode(fd), 0, name, strlen(name));
	pthread_mutex_unlock(&mutex);
	return fd;
}

#define OPEN(function) \
	int function(const char *path, int flags, ...) { \
		REAL(int, #function, const char *, int, ...); \
		va_list rest; \
		va_start(rest, flags); \
		int mode = flags & O_CREAT ? va_arg(rest, int) : 0; \
		va_end(rest); \
		return opened(path, real(path, flags, mode)); \
	}
OPEN(open)
OPEN(open64)

int close(int fd) {
	REAL(int, "close", int);
	if (kind_of(fd)) kind[fd] = other;
	return real(fd);
}

#define PWRITE(function, offset) \
	ssize_t function(int fd, const void *data, size_t length, offset at) { \
		REAL(ssize_t, #function, int, const void *, size_t, offset); \
		if (kind_of(fd) != recorded) return real(fd, data, length, at); \
		pthread_mutex_lock(&mutex); \
		ssize_t n = real(fd, data, length, at); \
		if (n > 0) add('w', inode(fd), at, data, n); \
		pthread_mutex_unlock(&mutex); \
		return n; \
	}
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *data, size_t length) {
	REAL(ssize_t, "write", int, const void *, size_t);
	if (kind_of(fd) == recorded) abort(); // SQLite writes at places
	return real(fd, data, length);
}

#define TRUNCATE(function, offset) \
	int function(int fd, offset size) { \
		REAL(int, #function, int, offset); \
		if (kind_of(fd) != recorded) return real(fd, size); \
		pthread_mutex_lock(&mutex); \
		int rc = real(fd, size); \
		if (!rc) add('t', inode(fd), size, 0, 0); \
		pthread_mutex_unlock(&mutex); \
		return rc; \
	}
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

static int synced(int fd, int (*real)(int)) {
	int k = kind_of(fd);
	if (k == other) return real(fd);
	uint64_t file = inode(fd);
	static uint64_t syncs;
	pthread_mutex_lock(&mutex);
	uint64_t number = ++syncs;
	add(k == folder ? 'd' : 'f', file, number, 0, 0);
	pthread_mutex_unlock(&mutex);
	if (real(fd)) abort();
	pthread_mutex_lock(&mutex);
	add(k == folder ? 'D' : 'F', file, number, 0, 0);
	pthread_mutex_unlock(&mutex);
	return 0;
}

int fsync(int fd) { REAL(int, "fsync", int); return synced(fd, real); }
int fdatasync(int fd) { REAL(int, "fdatasync", int); return synced(fd, real); }

int unlink(const char *path) {
	REAL(int, "unlink", const char *);
	const char *name = name_of(path);
	if (!name) return real(path);
	pthread_mutex_lock(&mutex);
	int rc = real(path);
	if (!rc) add('u', 0, 0, name, strlen(name));
	pthread_mutex_unlock(&mutex);
	return rc;
}

int rename(const char *from, const char *to) {
	REAL(int, "rename", const char *, const char *);
	const char *old = name_of(from), *new = name_of(to);
	if (!old && !new) return real(from, to);
	if (!old || !new) abort();
	char names[2 * PATH_MAX];
	int n = snprintf(names, sizeof names, "%s%c%s", old, 0, new);
	pthread_mutex_lock(&mutex);
	int rc = real(from, to);
	if (!rc) add('r', 0, 0, names, n);
	pthread_mutex_unlock(&mutex);
	return rc;
}
`
