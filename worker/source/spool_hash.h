/*
 * spool_hash: the SHA-256 and CRC-32C of a body while it passes, piece by piece, and the MD5 where it is wanted.
 *
 * Pieces come in order; offset 0 starts again (a body that is sent a second time).  The verdict falls with the
 * last piece, before it leaves: each digest that the job has must be that of the body.  The MD5 costs more than the others
 * together, and only a store that tells no checksum is told by it.  Belongs to one thread.
 */
#ifndef HOIST_WORKER_SPOOL_HASH_H
#define HOIST_WORKER_SPOOL_HASH_H

#include "shared/digest.h"
#include "shared/job.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct spool_hash {
    const struct job
        *job;      /* its size, SHA-256 and, where it has one, CRC-32C; the caller's */
    bool with_md5; /* compute it, too; to be set before the body starts */
    /* Whoever gets the body was told its SHA-256 and refuses another one: CRC-32C alone is compared here, where the job has
     * one.  A SHA-256 costs several times what sending does.  To be set before the body starts. */
    bool sha256_is_checked;
    const char *corrupt; /* the name of a digest that is another; NULL: none is */
    char md5
        [DIGEST_MD5_HEX +
         1]; /* once all has passed; "" before, unwanted, or where there is no MD5 (FIPS) */
    bool with_sha256; /* it is computed this time */
    uint32_t crc32c;
    struct digest_sha256 sha256_state;
    struct digest_md5 md5_state;
};

void spool_hash_init(struct spool_hash *h, const struct job *job);
void spool_hash_release(struct spool_hash *h);
/* False: with this piece the body is complete and not what it must be. */
bool spool_hash_pass(struct spool_hash *h, const void *data, size_t len,
                     int64_t offset);
/* Pass all of fd (blocking; for the thread pool).  False: read error, too short, stopped, or not what it must be. */
bool spool_hash_file(struct spool_hash *h, int fd, const atomic_bool *stop);

#endif
