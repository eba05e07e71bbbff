/*
 * quota_internal: what quota.c asks of Redis through quota_redis.c.  For these two alone.
 */
#ifndef HOIST_FCGI_QUOTA_INTERNAL_H
#define HOIST_FCGI_QUOTA_INTERNAL_H

#include "fcgi-app/auth/quota.h"
#include "shared/job.h"

/* One more upload, or with ids these jobs. */
struct quota_want {
    const struct job *jobs; /* id_count of them; none: only asked */
    size_t id_count;
    int64_t bytes;
};

/* What Redis has not been told. */
struct quota_pending {
    char ids[QUOTA_PENDING_MAX][ID_JOB_MAX + 1];
    size_t count;
    int64_t jobs, bytes;
};

struct quota_said {
    enum { QUOTA_SAID_OK, QUOTA_SAID_BYTES, QUOTA_SAID_JOBS } what;
    int64_t jobs, bytes; /* in use */
    int64_t seconds;     /* BYTES: until the next day */
};

/* ERR_RETRY: Redis cannot be asked; what it was not told is to be told again. */
MUST_CHECK enum err_code quota_ask(struct exchange *x, const struct quota_want *w,
                                   const struct quota_pending *p,
                                   struct quota_said *ret, struct err *e);
/* The jobs of x->batch, which were taken. */
MUST_CHECK enum err_code quota_return(struct exchange *x, struct err *e);
MUST_CHECK enum err_code quota_add(struct exchange *x, const struct config_auth *a,
                                   const struct job_id *id, struct err *e);

#endif
