/*
 * s3_clear: nothing of an upload in parts is left at a store: AbortMultipartUpload, until it says so.
 *
 *     each id of the journal that is not gone --> abort --> [unsure: list the key's uploads --> abort each --> again]
 *                                                                                       |
 *                                                     done(DONE): the store has confirmed; or FAILED, with why
 *
 * An upload that the store does not know is as good as aborted.  Listing aborts every upload of this very key, whoever began
 * it: the key is one job's.  A store that has no lists (501, 405) has confirmed what it can.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_S3_CLEAR_H
#define HOIST_WORKER_S3_CLEAR_H

#include "shared/parts_journal.h"
#include "worker/s3/s3_answer.h"

struct dest_s3;
struct s3_clear; /* gone when done returns */

/* What the store may know. */
struct s3_clear_order {
    const char *bucket, *key; /* with the prefix; copied */
    const struct parts_journal_upload
        *uploads; /* those that are not gone; they are copied */
    size_t upload_count;
    bool list; /* and all others of this key */
    /* Called once, later, never from inside begin.  a: S3_DONE or S3_FAILED. */
    void (*done)(const struct s3_answer *a, void *ctx);
    void *ctx;
};

/* NULL: no memory, done is not called. */
struct s3_clear *s3_clear_begin(struct dest_s3 *d, const struct s3_clear_order *o);
/* Stop; done comes soon. */
void s3_clear_cancel(struct s3_clear *c);

#endif
