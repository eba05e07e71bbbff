/*
 * destination: where the bytes of a job go.  One interface, one implementation per scheme (dest_file.c,
 * dest_s3.c, dest_http.c), and some that make the bytes first (source_command.c, source_url.c, source_convert.c).
 *
 *     begin(work) ---------- bytes on their way ----------> done(outcome), exactly once, on the loop
 *          \---- abort ----> stops as soon as it can -----/
 *
 * Guarantees of every implementation
 *   - Delivery is all or nothing: an object with this key has the right bytes, or there is none.
 *   - It may be done any number of times, by any number of workers at once: the bytes and the key of a job never
 *     change, an object that is there already with the same bytes is a success, one with other bytes, or with bytes
 *     that cannot be proven to be the same, a failure that no retry mends.  Nothing existing is ever replaced where the
 *     store can refuse that.
 *   - The bytes are hashed while they pass; when they are not what the manifest promised, the object is not made.
 *   - done is called on the loop, exactly once, after begin has returned, also after abort.  After abort the outcome is
 *     `aborted` unless the object was finished all the same.
 *   - A run looks at its lease (until_ms) before it does what cannot be undone: the last piece of a body, the object's name.
 *   - Memory per run is constant, whatever the size.
 *   - only_look: nothing is delivered, and nothing is needed but the manifest; the outcome says whether the object is there,
 *     with the job's bytes: `done`, `absent`, or a failure (it cannot be told now; other bytes are there).  This is how a
 *     job whose bytes have gone from the spool still ends right, and why files of a job that says `done` may be unlinked.
 *     Where nobody can look the failure is of class never, and `blind`: Redis' word of `done` is all there is then.  The files of
 *     such a job are unlinked on it; and a job whose bytes have gone, and that is not done, is dead.
 *     Of a job that goes through converters the bytes are not known: that an object is there is enough.
 *   - stream: what an earlier attempt left under a key that is the job's alone (convert_owns_key) is its object, whatever its
 *     bytes: converters need not write the same twice.  Under a key that the client chose, other bytes are a failure.
 *
 * Everything here belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_DESTINATION_H
#define HOIST_WORKER_DESTINATION_H

#include "shared/config.h"
#include "shared/digest.h"
#include "shared/err.h"
#include "shared/job.h"
#include "worker/http/expect.h"
#include "worker/flow/retry.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What became of a run. */
struct outcome {
    bool done;    /* the object is there, with the right bytes */
    bool aborted; /* stopped by abort: neither done nor failed */
    bool absent;  /* only_look: there is no such object; not a failure */
    bool blind; /* only_look: a failure, as nobody can look there (a program, a POST) */
    enum retry_class class;  /* of a failure: whether and when to try again */
    const char *error_class; /* of a failure: one word; a constant */
    char error[256];         /* of a failure: for people */
    char *
        detail; /* the same at length, up to JOB_ERROR_MAX; NULL: error is all; owned */
    int64_t retry_after_ms; /* the store asked to wait so long; 0: it did not */
    /* More than 0: a failure that is not the job's (no credentials now, the store is down): give it back, not to be claimed
     * before so long, and count no attempt.  error tells why. */
    int64_t hold_ms;
    int64_t sent; /* bytes that left */
    char *url;    /* of a done job: where the object is; owned */
    char *etag;   /* as the store gave it, NULL when it has none; owned */
    /* Of a done job: the object is an earlier attempt's, whose bytes are not these: sent and sha256 are the object's, where the
     * store tells (else what they are is not known). */
    bool earlier;
    /* Of several destinations those that this run has arrived at, packed (job_arrived.h), of a failure, too; NULL: none; owned */
    char *arrived;
    /* Of a job that went through converters: what came out (done), and what held them (sandbox.h); else 0 and "". */
    int64_t out_bytes;
    char out_sha256[DIGEST_SHA256_HEX + 1];
    char sandbox[32];
    char sha256[DIGEST_SHA256_HEX +
                1]; /* of a done job whose bytes were not known before; else "" */
};

void outcome_release(struct outcome *o); /* frees the strings, leaves all zero */
/* Make *o a failure of this class. */
void outcome_fail(struct outcome *o, enum retry_class class, const char *fmt, ...)
    PRINTF(3, 4);
/* Nothing could be sent, because the destination rests for so long (flow.h): no fault of the job. */
void outcome_hold(struct outcome *o, int64_t rest_ms);
/* The same for an error of ours: REJECT is never tried again, CONFIG rarely, all else soon. */
void outcome_fail_err(struct outcome *o, const struct err *e);

typedef void destination_done_fn(struct outcome *o,
                                 void *ctx); /* may take o's strings */

/* How far a run is. */
enum destination_phase {
    DESTINATION_QUEUED,     /* waits for its turn: nothing has been sent */
    DESTINATION_READING,    /* hashed, or made by a command, before anything leaves */
    DESTINATION_CONVERTING, /* goes through converters; may be leaving at the same time */
    DESTINATION_UPLOADING,
    DESTINATION_FINISHING /* all has left: completing, resolving */
};

struct destination_progress {
    enum destination_phase phase;
    int64_t sent;          /* bytes that have left */
    int64_t total;         /* of how many; -1: not known */
    int parts, parts_done; /* of a multipart upload; 0: it is none, or not known */
    const char
        *arrived; /* as outcome.arrived, so far; the run's, until it is asked again */
};

struct flow;
struct stream;

struct destination_work {
    const struct job *job; /* must outlive the run */
    int fd; /* the data, -1 where they are to be made; the run's from begin on, which closes it */
    /* Instead of fd (then -1): bytes of unknown number (stream.h), to be taken by the run; not the job's own bytes, so that
     * its size and digests say nothing of them.  outcome.sha256 and outcome.sent tell what they were.  The maker's, who
     * outlives the run.  NULL: fd counts. */
    struct stream *stream;
    /* The bytes are what this attempt has made of something; an earlier one may have made others of it.  What is there under the
     * job's key, which is no other job's, is its object, as for a stream: outcome.earlier. */
    bool remade;
    bool
        only_look; /* fd may be -1; the bytes help where a store tells nothing but an MD5 */
    /* When the lease ends, in boot time: from then on nothing may become an object.  It moves while the run is under way.
     * NULL: never. */
    const _Atomic int64_t *until_ms;
    destination_done_fn *done;
    void *ctx;
};

/* The lease has run out: the run stops as if aborted.  Thread-safe. */
bool destination_is_late(const struct destination_work *w);

struct destination;
struct destination_run; /* one job under way; gone when done returns */

struct destination_ops {
    struct destination_run *(*begin)(struct destination *d,
                                     const struct destination_work *w);
    void (*abort)(struct destination_run *run);
    /* *ret is zeroed but for total, which is -1. */
    void (*progress)(const struct destination_run *run,
                     struct destination_progress *ret);
    void (*release)(struct destination *d);
};

/* The head of each implementation's own struct. */
struct destination {
    const struct destination_ops *ops;
    const struct config_destination *config;
    struct flow
        *flow; /* of those that send requests (flow.h); NULL: nothing holds it up */
    struct expect expect; /* the same; for large bodies */
};

/*
 * Begin to deliver.  NULL when memory is short: nothing was begun, w->fd is still the caller's, done is not called.
 */
struct destination_run *destination_begin(struct destination *d,
                                          const struct destination_work *w);
/* Stop as soon as possible.  The run stays until done was called. */
void destination_abort(struct destination *d, struct destination_run *run);
/* The word for records and answers. */
const char *destination_phase_name(enum destination_phase phase);
/* How far it is. */
struct destination_progress destination_progress(const struct destination *d,
                                                 const struct destination_run *run);
/* Bytes that have left so far: a part of that. */
int64_t destination_sent(const struct destination *d,
                         const struct destination_run *run);
/* No run may be under way.  Takes NULL. */
void destination_release(struct destination *d);

#endif
