/*
 * read_ahead: a second thread that reads a large file while what it has read is digested.
 *
 *     file --read--> [ piece | piece | piece | piece ] --read_ahead_next--> who asked: SHA-256, CRC
 *           thread             READ_AHEAD_PIECES                 his own thread
 *
 * Reading out of the page cache costs a fifth of what SHA-256 does; on another processor it costs no time.  A file of fewer
 * than READ_AHEAD_WORTH_BYTES is not worth a thread, and READ_AHEAD_MAX at a time are enough: who gets none reads himself.  One
 * takes READ_AHEAD_PIECES * READ_AHEAD_PIECE_BYTES, half a MiB.
 *
 * The descriptor stays the caller's and must be open until read_ahead_stop; it is read from where it stands, by nobody else
 * meanwhile.  All functions are for one thread.
 */
#ifndef HOIST_FCGI_READ_AHEAD_H
#define HOIST_FCGI_READ_AHEAD_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    READ_AHEAD_WORTH_BYTES = 4 * 1024 * 1024,
    READ_AHEAD_PIECE_BYTES = 128 * 1024,
    READ_AHEAD_PIECES = 4,
    READ_AHEAD_MAX = 4
};

struct read_ahead;

/* NULL: there is none to be had now. */
struct read_ahead *read_ahead_start(int fd);
/* Takes NULL; waits for the read that is under way. */
void read_ahead_stop(struct read_ahead *a);

/* The next READ_AHEAD_PIECE_BYTES, or fewer: those are the last.  They stand there until the next call.
 * ERR_RETRY: the file cannot be read. */
MUST_CHECK enum err_code read_ahead_next(struct read_ahead *a, const void **ret_data,
                                         size_t *ret_len, struct err *e);

#endif
