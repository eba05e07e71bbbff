/*
 * spool_hash: the SHA-256 and MD5 of a body while it passes, piece by piece.
 *
 * Pieces come in order; offset 0 starts again (a body that is sent a second time).  The verdict falls with the
 * last piece, before it leaves.  Belongs to one thread.
 */
#ifndef HOIST_WORKER_SPOOL_HASH_H
#define HOIST_WORKER_SPOOL_HASH_H

#include "shared/digest.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct spool_hash {
    int64_t size;       /* of the whole body */
    const char *sha256; /* what it must have, 64 hex digits; the caller's */
    bool corrupt;       /* it has another */
    char md5[DIGEST_MD5_HEX +
             1]; /* once all has passed; "" before, or where there is no MD5 (FIPS) */
    struct digest_sha256 sha256_state;
    struct digest_md5 md5_state;
};

void spool_hash_init(struct spool_hash *h, int64_t size, const char *sha256);
void spool_hash_release(struct spool_hash *h);
/* False: with this piece the body is complete and not what it must be. */
bool spool_hash_pass(struct spool_hash *h, const void *data, size_t len,
                     int64_t offset);
/* Pass all of fd (blocking; for the thread pool).  False: read error, too short, stopped, or not what it must be. */
bool spool_hash_file(struct spool_hash *h, int fd, const atomic_bool *stop);

#endif
