/*
 * ahead: a second thread that reads a large file while what it has read is digested.
 *
 *     file --read--> [ piece | piece | piece | piece ] --ahead_next--> who asked: SHA-256, CRC
 *           thread             AHEAD_PIECES                 his own thread
 *
 * Reading out of the page cache costs a fifth of what SHA-256 does; on another processor it costs no time.  A file of fewer
 * than AHEAD_WORTH_BYTES is not worth a thread, and AHEAD_MAX at a time are enough: who gets none reads himself.  One
 * takes AHEAD_PIECES * AHEAD_PIECE_BYTES, half a MiB.
 *
 * The descriptor stays the caller's and must be open until ahead_stop; it is read from where it stands, by nobody else
 * meanwhile.  All functions are for one thread.
 */
#ifndef HOIST_FCGI_AHEAD_H
#define HOIST_FCGI_AHEAD_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AHEAD_WORTH_BYTES = 4 * 1024 * 1024,
    AHEAD_PIECE_BYTES = 128 * 1024,
    AHEAD_PIECES = 4,
    AHEAD_MAX = 4
};

struct ahead;

/* NULL: there is none to be had now. */
struct ahead *ahead_start(int fd);
/* Takes NULL; waits for the read that is under way. */
void ahead_stop(struct ahead *a);

/* The next AHEAD_PIECE_BYTES, or fewer: those are the last.  They stand there until the next call.
 * ERR_RETRY: the file cannot be read. */
MUST_CHECK enum err_code ahead_next(struct ahead *a, const void **ret_data,
                                    size_t *ret_len, struct err *e);

#endif
