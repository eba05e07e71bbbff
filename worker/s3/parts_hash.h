/*
 * parts_hash: the digests of a file's parts, and of all of it, in one pass on the thread pool.
 *
 *     parts_hash_next --> | part k: read once -> SHA-256 of all, and of the part where it is wanted; CRC-32C; MD5 | --> done
 *
 * One part at a time, in their order.  The CRC-32C of all comes of those of the parts.  With the last part the verdict falls:
 * what the file holds is what the job's record says, or `corrupt` names the digest that differs.  A part is read from the disk
 * here, and is in the page cache when it is sent.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_PARTS_HASH_H
#define HOIST_WORKER_PARTS_HASH_H

#include "shared/digest.h"
#include "shared/job.h"
#include "worker/s3/s3_plan.h"
#include "worker/s3/s3_sums.h"

#include <stdatomic.h>
#include <uv.h>

enum parts_hash_state {
    PARTS_HASH_FINE,
    PARTS_HASH_SHORT,   /* the file ends too early */
    PARTS_HASH_UNREAD,  /* it cannot be read, or no memory */
    PARTS_HASH_CORRUPT, /* it is not what the record says */
    PARTS_HASH_STOPPED
};

struct parts_hash {
    uv_loop_t *loop;
    const struct job *job;
    int fd;
    struct s3_plan plan;
    int done_count; /* parts whose sums are known */
    bool busy;
    enum parts_hash_state state;
    const char *corrupt;        /* the digest that differs */
    struct s3_part_sums latest; /* of part done_count */
    /* Of the part under way. */
    bool with_sha256, with_md5;
    atomic_bool stop;
    void (*done)(void *ctx);
    void *ctx;
    uint32_t crc32c; /* of all before it */
    struct digest_sha256 whole, part;
    struct digest_md5 md5;
    uv_work_t work;
};

void parts_hash_init(struct parts_hash *h, uv_loop_t *loop, const struct job *job,
                     int fd, const struct s3_plan *plan);
/* Not while it is busy. */
void parts_hash_release(struct parts_hash *h);
/* Begin with the next part; done comes on the loop. */
void parts_hash_next(struct parts_hash *h, void (*done)(void *ctx), void *ctx);
void parts_hash_stop(struct parts_hash *h);

#endif
