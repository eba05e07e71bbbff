/*
 * job_parts: what the stores have of a job that goes up in parts, as its journals say (shared/spool_parts.h).
 *
 *     GET /v1/jobs/{id}   {"id":…, … ,"multipart":[
 *         {"to":"s3","size":41943040,"part_size":8388608,"total":5,"done":3,"done_bytes":25165824,"parts":[
 *              {"number":1,"size":8388608,"state":"done","etag":"\"9b2c…\""}, …
 *              {"number":4,"size":8388608,"state":"missing"}, … ]}]}
 *
 * A journal is there from the first part on, through retries, drains and dead workers, until the object is complete or the
 * upload is ended at the store: whoever has the job next sends what is missing.  An upload that was ended is not shown.
 *
 * - One element for each destination that has one.  JOB_PARTS_SHOWN parts in all at most, the others are in the totals: those
 *   around the first that is missing.
 * - Where the size is not known beforehand, total, the sizes and done_bytes are not there, and missing is only what has another
 *   behind it.
 * - The upload's id is not shown, nor the bucket or digests: with it whoever has the store's keys, or a store that wants none,
 *   could end the upload or add to it, and nobody who looks at a job has to.
 * - A job without a journal costs a look for it.  A file is read up to PARTS_JOURNAL_MAX; one that cannot be read is left out.
 *   Journals of workers that have another spool are not seen.
 *
 * Blocks on the disk; for the handlers' threads.
 */
#ifndef HOIST_FCGI_JOB_PARTS_H
#define HOIST_FCGI_JOB_PARTS_H

#include "shared/buf.h"
#include "shared/job.h"
#include "shared/parts_journal.h"
#include "shared/spool.h"

enum { JOB_PARTS_SHOWN = 100 };

/* Add the member to the object that b ends with, "}\n" behind it.  Nothing happens when there is no such upload. */
void job_parts_add(struct buf *b, struct spool *s, const struct job *j);

/* One element, of a journal with an upload that goes on: most parts of it at most.  Pure. */
void job_parts_format(struct buf *b, const struct parts_journal *p, size_t most);

#endif
