/*
 * batch: the files of one request on their way into the spool.  All become jobs, or none does.
 *
 *     batch_begin_file -> batch_write ... -> batch_end_file -> (next file) ... -> batch_commit     the promise
 *                                                                              \-> batch_abort     nothing is left
 *
 * Or a request is for one job whose bytes are not in it: batch_add_job, then commit or abort.
 *
 * What the jobs' batch is, in records and in the answer:
 *
 *     one file                        none in the record (Redis' memory); the answer says the uuid of the job
 *     several files                   the uuid of the first job, in all of them
 *     the client named one (batch=)   that one, in all of them: a request cannot be of two
 *
 * So the name of a batch that was not opened is always the uuid of a job, which finds it where Redis does not know it.
 *
 * One struct batch belongs to one handler thread and is used for request after request: its arrays grow to the largest
 * form seen, at most [http] max_parts entries.
 */
#ifndef HOIST_FCGI_BATCH_H
#define HOIST_FCGI_BATCH_H

#include "fcgi-app/upload/ingest.h"
#include "fcgi-app/upload/options.h"
#include "fcgi-app/http/problem.h"
#include "shared/job.h"
#include "shared/spool.h"

#include <stdbool.h>
#include <stddef.h>

/* Asked before the bytes of a job of this queue are taken; anything but PROBLEM_NONE refuses the request. */
typedef enum problem batch_admit_fn(void *ctx, const struct config_queue *queue,
                                    const struct job *j, struct err *e);

/* Of the request, for all of its jobs; each may be NULL; borrowed until the commit. */
struct batch_origin {
    const char *idempotency, *request_id, *traceparent, *tracestate;
};

struct batch {
    struct batch_origin origin;
    const struct spool_ready *ready; /* for the commit (spool.h); may be NULL */
    bool
        is_rehearsal; /* files are digested, and stored nowhere: commit only tells what they are */
    struct spool *spool;
    batch_admit_fn *admit; /* NULL: all are welcome */
    void *admit_ctx;
    const char *owner; /* of its jobs; NULL: nobody; borrowed, and kept over an abort */
    const struct policy *policy; /* what its files must be; as owner */
    struct spool_upload *uploads;
    struct uuid id;      /* what the answer calls the batch; once committed */
    bool is_named;       /* by the client; once committed */
    struct job *jobs;    /* jobs[i] belongs to uploads[i] */
    int64_t limit_bytes; /* of one file, besides its queue's; 0: none */
    size_t count, capacity;
    struct sniffer *sniffer; /* NULL: nothing is configured that has a list of types */
    struct ingest ingest;    /* of the file being written */
    bool is_bare;            /* one job, without a file */
    int64_t max_bytes;       /* of the file being written */
};

struct batch_file {
    /* As the client said; type "" when it did not; name NULL: that of the options. */
    const char *name, *type;
    size_t name_len;
    const struct spool_foreign
        *foreign; /* its bytes stand in this file already; NULL: they do not */
    const struct http_digest *digest; /* of its bytes; NULL: none was given */
};

/* Where the bytes of a job without a file are: strings as in struct job. */
struct batch_source {
    const char *source, *url; /* url: NULL where the source is another */
    struct batch_file file;   /* name NULL: that of the options */
};

/* What an error of the spool is to the client: PROBLEM_FULL, PROBLEM_UNAVAILABLE where it may pass, PROBLEM_INTERNAL. */
enum problem batch_spool_problem(const struct err *e);

void batch_init(struct batch *b, struct spool *spool);
void batch_release(struct batch *b); /* aborts what was not committed */

enum problem batch_begin_file(struct batch *b, const struct options *o,
                              const struct batch_file *file, struct err *e);
/* The one job of this request.  b is empty. */
enum problem batch_add_job(struct batch *b, const struct options *o,
                           const struct batch_source *source, struct err *e);
/* It will be so long, all in all: room is taken for it.  Before its first byte. */
enum problem batch_expect(struct batch *b, int64_t bytes, struct err *e);
/* The next bytes of the file begun last; with foreign, those that stand there. */
enum problem batch_write(struct batch *b, const void *data, size_t len, struct err *e);
/* That was the file begun last: it is what was announced, and of a type that is allowed.  Before the next one, and before
 * commit. */
enum problem batch_end_file(struct batch *b, struct err *e);
/* On success jobs[0 .. count) are complete, until batch_abort, which then only forgets them.  Of a rehearsal: their size and
 * sha256, and nothing has been promised. */
enum problem batch_commit(struct batch *b, struct err *e);
void batch_abort(struct batch *b);
/* Of its files. */
int64_t batch_bytes(const struct batch *b);

#endif
