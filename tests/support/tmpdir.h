/*
 * tmpdir: a directory of one test, below $TMPDIR or /tmp.
 *
 * Its path is short (at most TMPDIR_PATH_MAX bytes, whatever $TMPDIR says), because unix socket paths hold 107 bytes.
 * It is removed by tmpdir_remove; a test that crashes or runs into its time-out leaves it behind.
 * What fails here aborts the test with a message: no test goes on without its directory.
 */
#ifndef HOIST_TESTS_SUPPORT_TMPDIR_H
#define HOIST_TESTS_SUPPORT_TMPDIR_H

#include <stddef.h>

enum { TMPDIR_PATH_MAX = 63, TMPDIR_FILE_MAX = 107 };

struct tmpdir {
    char path[TMPDIR_PATH_MAX + 1]; /* absolute, mode 0700; "" after tmpdir_remove */
};

struct tmpdir_file {
    char path[TMPDIR_FILE_MAX + 1];
};

void tmpdir_make(struct tmpdir *d);
/* Remove it and all that is in it; symbolic links are not followed.  Twice is once. */
void tmpdir_remove(struct tmpdir *d);

/* path/name.  Aborts when that is longer than a socket path may be. */
struct tmpdir_file tmpdir_file(const struct tmpdir *d, const char *name);
/* Write a file of that name (0600) and return its path. */
struct tmpdir_file tmpdir_write(const struct tmpdir *d, const char *name,
                                const void *data, size_t len);

/* How many entries of a directory end in suffix ("": all), those that begin with a dot left out. */
size_t tmpdir_count(const char *path, const char *suffix);

#endif
