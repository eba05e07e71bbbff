/*
 * scan: is there one of these texts in these files?  For secrets in logs and dumps, and for reports of sanitizers.
 *
 * Files are read in chunks, whatever their size and content; directories are walked (SCAN_DEPTH_MAX deep), links not followed.
 */
#ifndef HOIST_TESTS_CHAOS_SCAN_H
#define HOIST_TESTS_CHAOS_SCAN_H

#include "shared/err.h"

#include <stdint.h>

enum { SCAN_DEPTH_MAX = 16, SCAN_NEEDLE_MAX = 256, SCAN_NEEDLES_MAX = 32 };

/* needle is found in the file at path, at this byte.  Told once for each needle and file. */
typedef void scan_found(void *ctx, const char *path, const char *needle, int64_t at);

/* paths, needles: up to NULL; empty needles are left out.  A path that is not there has nothing.  ERR_CONFIG: cannot be read, or a
 * needle is too long; ERR_NOMEM. */
MUST_CHECK enum err_code scan_files(const char *const *paths,
                                    const char *const *needles, scan_found *found,
                                    void *ctx, struct err *e);

#endif
