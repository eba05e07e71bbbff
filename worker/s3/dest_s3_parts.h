/*
 * dest_s3_parts: a spool file that goes to S3 in parts, by s3_upload.h.  Private to dest_s3*.c.
 *
 *     thread pool   hash part 1 | hash part 2 | hash part 3 | ... | the whole is what the record says?
 *                        v             v
 *     loop           send part 1   send part 2 ...  part_concurrency at a time        --> Complete --> done
 *
 * A part leaves once it has been hashed; hashing goes ahead by as many parts as are sent at a time and two more, and no object
 * is made before all of the file was found to be what the manifest says.  Parts that an earlier worker sent are hashed as well,
 * and not sent again when the store has the same bytes.
 *
 * What ends how: done, or never to be tried again -> cleared; else kept for the next attempt.  An upload that the store does not
 * know any more, and whose object is not there, is begun anew, once.
 */
#ifndef HOIST_WORKER_DEST_S3_PARTS_H
#define HOIST_WORKER_DEST_S3_PARTS_H

#include "worker/s3/dest_s3_internal.h"
#include "worker/s3/s3_sums.h"

struct dest_s3_parts;

/* Whether this work goes in parts. */
bool dest_s3_parts_is_for(const struct dest_s3 *d, const struct destination_work *w);
/* Begin; sets run->parts.  False: no memory. */
bool dest_s3_parts_begin(struct destination_run *run);
void dest_s3_parts_abort(struct destination_run *run);
void dest_s3_parts_progress(const struct destination_run *run,
                            struct destination_progress *ret);
/* There is no object, and the store does not know the upload: begin anew.  False: that was done already. */
bool dest_s3_parts_anew(struct destination_run *run);
/* The outcome is known: end the upload, then call dest_s3_deliver again.  False: all has ended. */
bool dest_s3_parts_end(struct destination_run *run);
/* What the parts' checksums come to; NULL: not known. */
const struct s3_composite *dest_s3_parts_composite(const struct destination_run *run);
void dest_s3_parts_free(struct destination_run *run);

#endif
