/*
 * marks: whether uploads are welcome at all, known before their bodies are read.
 *
 *     spool_check, spool_measure --every second--.
 *     INFO memory of Redis       --every second--+--> water.h --> verdict, read by any thread without a lock
 *
 *   | verdict          | answer                                              | /readyz          |
 *   | ---------------- | --------------------------------------------------- | ---------------- |
 *   | welcome          | -                                                   | "spool":"ok"     |
 *   | spool full       | 507, Retry-After from the rate at which it drains   | "full", 503      |
 *   | spool unusable   | 503; an operator must act: the log says how         | "failing", 503   |
 *   | Redis full       | 503, Retry-After as above; only with [redis] high_water | "ok", "redis":"full", 503 |
 *
 * The spool is full from [spool] high_water percent of its bytes, inodes, max_bytes or max_files on, until all are below
 * low_water again.  An announced length that would not fit below high_water is refused, too.
 *
 * What max_bytes and max_files are compared with is counted by walking jobs/: every MARKS_COUNT_MS, near a mark up to
 * once a second, never for more than a tenth of the time.  In between, what this process has accepted is added.  So with
 * several responders on one spool these two marks are kept to what the others accept in that time; and to the uploads that
 * are under way: they count once they are accepted.
 *
 * Redis is asked with a deadline of MARKS_REDIS_MS, on a connection of its own.  One that does not answer for
 * MARKS_FORGET_MS is not called full any more: uploads wait in the spool.  While the breaker (breaker.h) is open the same
 * thread tries whether Redis answers, so that no request has to.
 */
#ifndef HOIST_FCGI_MARKS_H
#define HOIST_FCGI_MARKS_H

#include "fcgi-app/publish/breaker.h"
#include "fcgi-app/http/problem.h"
#include "fcgi-app/publish/water.h"
#include "shared/config.h"
#include "shared/redis.h"
#include "shared/spool.h"

enum {
    MARKS_LOOK_MS = 1000,
    MARKS_COUNT_MS = 10000,
    MARKS_PROBE_MS = 200, /* while the breaker is open */
    MARKS_REDIS_MS = 100,
    MARKS_FORGET_MS = 3000
};

struct marks;

struct marks_options { /* all of it must outlive the marks */
    const struct config *config;
    struct spool *spool;
    const struct redis_options *redis;
    struct breaker *breaker;
};

/* Look at the spool once (but for counting), then start the thread.  A spool that cannot be used is no error here. */
MUST_CHECK enum err_code marks_start(const struct marks_options *o,
                                     struct marks **ret_marks, struct err *e);
void marks_stop(struct marks *m); /* takes NULL */

/* --- Any thread --- */

/* An upload of so many bytes in all (-1: not known).  No lock, no I/O.  Not PROBLEM_NONE: *ret_retry_after is in seconds.
 * PROBLEM_FULL          507: the spool is full, or would be
 * PROBLEM_UNAVAILABLE   503: the spool cannot be used, or Redis is nearly full */
enum problem marks_check(struct marks *m, int64_t bytes, int *ret_retry_after,
                         struct err *e);
/* So much has been accepted. */
void marks_note_upload(struct marks *m, int64_t files, int64_t bytes);
/* For an upload that found no space although it was welcome. */
int marks_retry_after(const struct marks *m);

/* For /metrics.  Takes a lock. */
struct marks_figures {
    enum water_what what;
    int64_t accepted_files, accepted_bytes; /* ever */
    bool has_usage;                         /* the spool could be measured */
    struct spool_usage usage;
};
struct marks_figures marks_figures(struct marks *m);

/* For people: what the verdict is about, and why in words.  Takes a lock. */
enum water_what marks_reason(struct marks *m, struct err *ret_why);

#endif
