#include "fcgi-app/auth/quota.h"

#include "fcgi-app/auth/bucket.h"
#include "fcgi-app/http/exchange.h"
#include "fcgi-app/auth/quota_internal.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { AWAY_RETRY_S = 5 };

/* What one section has, as far as this process knows. */
struct quota {
    struct bucket bucket;
    pthread_mutex_t lock; /* for the rest */
    int64_t jobs, bytes;  /* as Redis said last */
    int64_t day;          /* of bytes and pending_bytes, since 1970 */
    /* Accepted while it was away. */
    char pending[QUOTA_PENDING_MAX][ID_JOB_MAX + 1];
    size_t pending_count;
    int64_t pending_jobs; /* those without a place among them, too */
    int64_t pending_bytes;
};

struct quotas {
    const struct config *config;
    struct quota of[]; /* one for each section */
};

enum err_code quotas_open(const struct config *config, struct quotas **ret_quotas,
                          struct err *e)
{
    struct quotas *q = calloc(1, sizeof *q + config->auth_count * sizeof(struct quota));
    if (!q)
        return err_set(e, ERR_NOMEM, "quotas: out of memory");
    q->config = config;
    for (size_t i = 0; i < config->auth_count; i++)
        (void)pthread_mutex_init(&q->of[i].lock, NULL);
    *ret_quotas = q;
    return ERR_OK;
}

void quotas_close(struct quotas *q)
{
    for (size_t i = 0; q && i < q->config->auth_count; i++)
        (void)pthread_mutex_destroy(&q->of[i].lock);
    free(q);
}

static struct quota *quota_of(struct exchange *x)
{
    return &x->app->quotas->of[x->access.auth - x->app->config->auths];
}

static bool is_limited(const struct access *a)
{
    return a->auth && (a->auth->bytes_per_day > 0 || a->auth->jobs_in_flight > 0);
}

/* --- Requests a second --- */

enum problem quota_request(struct exchange *x, struct err *e)
{
    const struct config_auth *a = x->access.auth;
    int64_t wait_ns;
    if (!a || a->requests_per_second == 0)
        return PROBLEM_NONE;
    int64_t burst = a->requests_burst > 0 ? a->requests_burst : a->requests_per_second;
    if (bucket_take(&quota_of(x)->bucket, a->requests_per_second, burst,
                    clock_mono_us() * 1000, &wait_ns))
        return PROBLEM_NONE;
    x->retry_after = (int)(wait_ns / 1000000000) + 1;
    return problem_set(e, PROBLEM_QUOTA, "no more than %lld requests a second",
                       (long long)a->requests_per_second);
}

/* --- What is refused --- */

static enum problem refuse_jobs(struct exchange *x, struct err *e)
{
    x->retry_after = AWAY_RETRY_S;
    return problem_set(e, PROBLEM_QUOTA, "no more than %lld jobs in flight",
                       (long long)x->access.auth->jobs_in_flight);
}

static enum problem refuse_bytes(struct exchange *x, int64_t seconds, struct err *e)
{
    x->retry_after = (int)(seconds > 0 ? seconds : 1);
    return problem_set(e, PROBLEM_QUOTA, "no more than %lld bytes a day",
                       (long long)x->access.auth->bytes_per_day);
}

/* --- In memory --- */

static int64_t day_of(int64_t wall_ms)
{
    return wall_ms / 86400000;
}

/* A new day has no bytes yet.  With the lock. */
static void turn_day(struct quota *q)
{
    int64_t today = day_of(clock_wall_ms());
    if (q->day != today)
        q->bytes = q->pending_bytes = 0;
    q->day = today;
}

static void note_known(struct quota *q, const struct quota_said *said)
{
    (void)pthread_mutex_lock(&q->lock);
    turn_day(q);
    if (said->what != QUOTA_SAID_BYTES)
        q->jobs = said->jobs;
    if (said->what != QUOTA_SAID_JOBS)
        q->bytes = said->bytes;
    (void)pthread_mutex_unlock(&q->lock);
}

/* With the lock. */
static void keep_pending(struct quota *q, const struct quota_want *w)
{
    for (size_t i = 0; i < w->id_count; i++)
        if (q->pending_count < QUOTA_PENDING_MAX)
            id_format_job(&w->jobs[i].id, q->pending[q->pending_count++]);
    q->pending_jobs += (int64_t)w->id_count;
    q->pending_bytes += w->id_count > 0 ? w->bytes : 0;
}

static enum problem take_in_memory(struct exchange *x, const struct quota_want *w,
                                   struct err *e)
{
    const struct config_auth *a = x->access.auth;
    struct quota *q = quota_of(x);
    int64_t count = (int64_t)(w->id_count > 0 ? w->id_count : 1);
    (void)pthread_mutex_lock(&q->lock);
    turn_day(q);
    int64_t bytes = q->bytes + q->pending_bytes;
    bool jobs_fit = a->jobs_in_flight == 0 ||
                    q->jobs + q->pending_jobs + count <= a->jobs_in_flight;
    bool bytes_fit = a->bytes_per_day == 0 ||
                     (bytes < a->bytes_per_day && bytes + w->bytes <= a->bytes_per_day);
    if (jobs_fit && bytes_fit)
        keep_pending(q, w);
    (void)pthread_mutex_unlock(&q->lock);
    if (!jobs_fit)
        return refuse_jobs(x, e);
    return bytes_fit ? PROBLEM_NONE
                     : refuse_bytes(x, 86400 - clock_wall_ms() / 1000 % 86400, e);
}

/* What came while Redis was away, to be told to it now; taken out of q. */
static void take_pending(struct quota *q, struct quota_pending *ret)
{
    ret->count = 0;
    ret->jobs = ret->bytes = 0;
    (void)pthread_mutex_lock(&q->lock);
    turn_day(q);
    if (q->pending_jobs > 0 || q->pending_bytes > 0) {
        memcpy(ret->ids, q->pending, q->pending_count * sizeof q->pending[0]);
        ret->count = q->pending_count;
        ret->jobs = q->pending_jobs;
        ret->bytes = q->pending_bytes;
        q->pending_count = 0;
        q->pending_jobs = q->pending_bytes = 0;
    }
    (void)pthread_mutex_unlock(&q->lock);
}

static void put_back(struct quota *q, const struct quota_pending *p)
{
    (void)pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < p->count && q->pending_count < QUOTA_PENDING_MAX; i++)
        memcpy(q->pending[q->pending_count++], p->ids[i], sizeof p->ids[i]);
    q->pending_jobs += p->jobs;
    q->pending_bytes += p->bytes;
    (void)pthread_mutex_unlock(&q->lock);
}

/* --- Both --- */

static enum problem take(struct exchange *x, const struct quota_want *w, struct err *e)
{
    struct quota *q = quota_of(x);
    struct quota_pending pending;
    struct quota_said said = {.what = QUOTA_SAID_OK};
    struct err why = ERR_INIT;
    take_pending(q, &pending);
    if (quota_ask(x, w, &pending, &said, &why)) {
        log_debug("quota", "counted in memory", LOG_ERR(&why));
        put_back(q, &pending);
        x->quota.in_memory = true;
        return take_in_memory(x, w, e);
    }
    note_known(q, &said);
    if (said.what == QUOTA_SAID_BYTES)
        return refuse_bytes(x, said.seconds, e);
    return said.what == QUOTA_SAID_JOBS ? refuse_jobs(x, e) : PROBLEM_NONE;
}

enum problem quota_check(struct exchange *x, int64_t bytes, struct err *e)
{
    if (!is_limited(&x->access))
        return PROBLEM_NONE;
    return take(x, &(struct quota_want){.bytes = bytes > 0 ? bytes : 0}, e);
}

enum problem quota_take(struct exchange *x, struct err *e)
{
    const struct batch *b = &x->batch;
    struct quota_want w = {.jobs = b->jobs, .id_count = b->count};
    if (!is_limited(&x->access))
        return PROBLEM_NONE;
    for (size_t i = 0; i < b->count && !b->is_bare; i++)
        w.bytes += b->uploads[i].size;
    x->quota = (struct quota_taken){.jobs = 0};
    enum problem p = take(x, &w, e);
    if (!p) {
        x->quota.jobs = (int64_t)w.id_count;
        x->quota.bytes = w.bytes;
    }
    return p;
}

static int64_t less(int64_t n, int64_t by)
{
    return n > by ? n - by : 0;
}

/* Its ids stay among the pending ones, and are found to be nobody's later. */
static void give_back_in_memory(struct exchange *x)
{
    struct quota *q = quota_of(x);
    (void)pthread_mutex_lock(&q->lock);
    turn_day(q);
    /* Redis may have been told of them meanwhile, and the day may have turned. */
    q->pending_jobs = less(q->pending_jobs, x->quota.jobs);
    q->pending_bytes = less(q->pending_bytes, x->quota.bytes);
    (void)pthread_mutex_unlock(&q->lock);
}

void quota_give_back(struct exchange *x)
{
    struct err e = ERR_INIT;
    if (x->quota.jobs == 0)
        return;
    if (x->quota.in_memory)
        give_back_in_memory(x);
    else if (quota_return(x, &e))
        log_debug("quota", "not given back", LOG_ERR(&e));
    x->quota.jobs = 0;
}

void quota_add_again(struct exchange *x, const struct job *j)
{
    const struct config *config = x->app->config;
    struct err e = ERR_INIT;
    for (size_t i = 0; j->owner && i < config->auth_count; i++)
        if (strcmp(config->auths[i].name, j->owner) == 0 &&
            config->auths[i].jobs_in_flight > 0 &&
            quota_add(x, &config->auths[i], &j->id, &e))
            log_debug("quota", "a job that runs again is not counted", LOG_ERR(&e));
}
