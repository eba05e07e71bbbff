/*
 * dest_s3_stream: a run of dest_s3 whose bytes come from a stream (stream.h).
 *
 *     stream --> collector.h --ended within the first part--> PUT from memory, as of a file whose digests are known
 *                           '--longer------------------------> parts from memory (s3_upload.h), completed after STREAM_END
 *                           '--failed------------------------> nothing is made; the stream's own failure
 *
 * Parts are of 8 MiB, or part_size, and double each 1,000 parts; none is larger than a quarter of the worker's memory.  An
 * upload that ends before it is completed is cleared, as nobody can go on with it; what a crash leaves is cleared by the next
 * attempt, or by reconcile.
 *
 * What came is what is sent: the run goes on with a copy of its job that has the size and digests of the stream.
 *
 * An object that is there already under a key that no other job can have (convert_owns_key) was made by an earlier attempt, and
 * is whole: it is a success, whatever its bytes, as what makes them need not make the same ones twice.  outcome.sha256 is
 * then what the store tells, or "".  Under any other key it must be these very bytes.
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_DEST_S3_STREAM_H
#define HOIST_WORKER_DEST_S3_STREAM_H

#include "worker/s3/dest_s3_internal.h"

/* Begin to take run->work.stream. */
void dest_s3_stream_begin(struct destination_run *run);
/* Where all parts are there: complete.  False: it goes as a whole. */
bool dest_s3_stream_complete(struct destination_run *run);
/* Stop: it is delivered soon. */
void dest_s3_stream_abort(struct destination_run *run);
/* The outcome is known: end what is under way, then call dest_s3_deliver again.  False: all has ended, and the stream is not
 * touched any more. */
bool dest_s3_stream_end(struct destination_run *run);
void dest_s3_stream_free(struct destination_run *run);
/* What the parts' checksums come to; NULL: it went as a whole, or they are not known. */
const struct s3_composite *dest_s3_stream_composite(const struct destination_run *run);
void dest_s3_stream_progress(const struct destination_run *run,
                             struct destination_progress *ret);

/* Whether what HEAD found, which is not known to be these bytes, is an earlier attempt's; then the outcome is filled in. */
bool dest_s3_stream_is_earlier(struct destination_run *run);

#endif
