#include "fcgi-app/publish/marks.h"

#include "fcgi-app/auth/policy_marks.h"
#include "fcgi-app/thread.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct marks {
    struct marks_options options;
    struct redis *redis; /* the thread's, as all up to the next comment */
    struct waters waters;
    int64_t counted_files, counted_bytes; /* of the latest count; -1: none yet */
    int64_t noted_files, noted_bytes;     /* accepted, as of that count */
    int64_t count_ms, count_cost_ms;      /* when it ended, how long it took */
    int64_t redis_ms;                     /* when Redis last answered */
    struct policy_sweep sweep;
    pthread_t thread;

    /* Read by any thread; together they may be of two looks, which is as good as a look between them. */
    _Atomic int what, retry_after; /* what: enum water_what */
    _Atomic int64_t room_bytes, room_files, bytes_rate;
    _Atomic int64_t accepted_files, accepted_bytes; /* ever */

    pthread_mutex_t lock; /* for everything below */
    pthread_cond_t changed;
    struct err why; /* of WATER_UNUSABLE */
    bool has_usage;
    struct spool_usage usage;
    bool stopping;
};

/* --- Looking --- */

static bool must_count(const struct config_spool *c)
{
    return c->max_bytes > 0 || c->max_files > 0;
}

static bool is_near(const struct water *w)
{
    return w->high > 0 && (w->is_over || w->level >= w->low);
}

/* Whether jobs/ is to be walked now: the sooner the nearer the marks, the later the longer it takes. */
static bool is_count_due(const struct marks *m, int64_t now_ms)
{
    bool near = is_near(&m->waters.of[WATER_MAX_BYTES]) ||
                is_near(&m->waters.of[WATER_MAX_FILES]);
    int64_t wait_ms = near ? MARKS_LOOK_MS : MARKS_COUNT_MS;
    if (wait_ms < 10 * m->count_cost_ms)
        wait_ms = 10 * m->count_cost_ms;
    return m->counted_files < 0 || now_ms - m->count_ms >= wait_ms;
}

static void note_count(struct marks *m, struct spool_usage *u, bool counted)
{
    if (counted) {
        m->counted_files = u->files;
        m->counted_bytes = u->data_bytes;
    }
    if (m->counted_files < 0) {
        u->files = u->data_bytes = -1;
        return;
    }
    u->files = m->counted_files + atomic_load(&m->accepted_files) - m->noted_files;
    u->data_bytes = m->counted_bytes + atomic_load(&m->accepted_bytes) - m->noted_bytes;
}

/* NULL: it cannot be measured. */
static void keep_usage(struct marks *m, const struct spool_usage *usage)
{
    (void)pthread_mutex_lock(&m->lock);
    m->has_usage = usage != NULL;
    if (usage)
        m->usage = *usage;
    (void)pthread_mutex_unlock(&m->lock);
}

static enum err_code look_at_spool(struct marks *m, bool may_count, struct err *e)
{
    int64_t start_ms = clock_mono_ms();
    bool count =
        may_count && must_count(&m->options.config->spool) && is_count_due(m, start_ms);
    int64_t files = atomic_load(&m->accepted_files);
    int64_t bytes = atomic_load(&m->accepted_bytes);
    struct spool_usage usage;
    if (spool_check(m->options.spool, e) ||
        spool_measure(m->options.spool, count, &usage, e)) {
        keep_usage(m, NULL);
        waters_note_spool(&m->waters, NULL, start_ms);
        return e->code;
    }
    if (count) { /* what is accepted while it counts counts twice, until the next time */
        m->noted_files = files;
        m->noted_bytes = bytes;
    }
    note_count(m, &usage, count);
    keep_usage(m, &usage);
    int64_t now_ms = clock_mono_ms();
    waters_note_spool(&m->waters, &usage, now_ms);
    if (count) {
        m->count_ms = now_ms;
        m->count_cost_ms = now_ms - start_ms;
    }
    return ERR_OK;
}

static void look_at_redis(struct marks *m)
{
    CLEANUP(redis_cmd_release) struct redis_cmd info;
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;
    int64_t used = -1, max = -1, now_ms = clock_mono_ms();
    size_t len = 0;
    redis_cmd_init(&info);
    redis_cmd_begin(&info, "INFO");
    redis_cmd_add_str(&info, "memory");
    if (redis_call(m->redis, &info, &reply, &e)) {
        log_debug("marks", "redis does not tell of its memory", LOG_ERR(&e));
        if (now_ms - m->redis_ms >= MARKS_FORGET_MS)
            waters_note_redis(&m->waters, -1, 0, now_ms);
        return;
    }
    const char *text = redis_value_str(reply, &len);
    water_read_memory(text, len, &used, &max);
    redis_reply_free(reply);
    m->redis_ms = now_ms;
    waters_note_redis(&m->waters, used, max, now_ms);
}

/* Whether Redis answers, whatever it says. */
static void probe(struct marks *m)
{
    CLEANUP(redis_cmd_release) struct redis_cmd ping;
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;
    redis_cmd_init(&ping);
    redis_cmd_begin(&ping, "PING");
    if (redis_pipeline(m->redis, &ping, 1, &reply, &e))
        return;
    redis_reply_free(reply);
    breaker_close(m->options.breaker);
}

/* --- Telling --- */

static void tell(enum water_what before, const struct water_verdict *v,
                 const struct err *why)
{
    if (v->what == before)
        return;
    if (v->what == WATER_NOTHING)
        log_info("marks", "uploads are welcome again");
    else if (v->what == WATER_UNUSABLE)
        log_error("marks", "uploads are refused: the spool cannot be used",
                  LOG_ERR(why));
    else
        log_warn("marks", "uploads are refused", LOG_STR("why", water_text(v->what)),
                 LOG_INT("retry_after", v->retry_after));
}

static void publish(struct marks *m, const struct err *why)
{
    struct water_verdict v = waters_judge(&m->waters, clock_mono_ms());
    enum water_what before = (enum water_what)atomic_load(&m->what);
    (void)pthread_mutex_lock(&m->lock);
    m->why = *why;
    (void)pthread_mutex_unlock(&m->lock);
    atomic_store(&m->retry_after, v.retry_after);
    atomic_store(&m->room_bytes, v.room_bytes);
    atomic_store(&m->room_files, v.room_files);
    atomic_store(&m->bytes_rate, (int64_t)v.bytes_rate);
    atomic_store(&m->what, (int)v.what);
    tell(before, &v, why);
}

static void look(struct marks *m, bool is_first)
{
    struct err e = ERR_INIT;
    (void)look_at_spool(m, !is_first, &e); /* *e is what is to be told */
    if (!is_first && m->options.config->redis.high_water > 0)
        look_at_redis(m);
    publish(m, &e);
}

/* --- The thread --- */

/* False: it is to end. */
static bool rest(struct marks *m, int64_t until_ms)
{
    (void)pthread_mutex_lock(&m->lock);
    while (!m->stopping && thread_wait_until(&m->changed, &m->lock, until_ms))
        continue;
    bool go_on = !m->stopping;
    (void)pthread_mutex_unlock(&m->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct marks *m = arg;
    int64_t next_ms = 0, now_ms;
    do {
        if (breaker_is_open(m->options.breaker))
            probe(m);
        now_ms = clock_mono_ms();
        if (now_ms >= next_ms) {
            look(m, false);
            policy_marks_sweep(&m->sweep, &m->options.config->spool,
                               clock_wall_ms() / 1000, now_ms);
            next_ms = now_ms + MARKS_LOOK_MS;
        }
    } while (rest(m, now_ms + MARKS_PROBE_MS));
    policy_sweep_release(&m->sweep);
    return NULL;
}

static void release(struct marks *m)
{
    redis_close(m->redis);
    (void)pthread_cond_destroy(&m->changed);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

enum err_code marks_start(const struct marks_options *o, struct marks **ret_marks,
                          struct err *e)
{
    const struct config_spool *spool = &o->config->spool;
    const struct config_redis *redis = &o->config->redis;
    struct redis_options quick = *o->redis;
    struct marks *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(e, ERR_NOMEM, "marks: out of memory");
    m->options = *o;
    m->counted_files = m->counted_bytes = -1;
    waters_init(&m->waters, &(struct water_config){
                                spool->high_water, spool->low_water, spool->max_bytes,
                                spool->max_files, redis->high_water, redis->low_water});
    thread_init_lock(&m->lock, &m->changed);
    quick.timeout_ms = quick.connect_timeout_ms = MARKS_REDIS_MS;
    enum err_code code = redis_open(&quick, &m->redis, e);
    if (!code) {
        look(m, true);
        code = thread_start(&m->thread, "marks", run, m, e);
    }
    if (code) {
        release(m);
        return code;
    }
    *ret_marks = m;
    return ERR_OK;
}

void marks_stop(struct marks *m)
{
    if (!m)
        return;
    (void)pthread_mutex_lock(&m->lock);
    m->stopping = true;
    (void)pthread_cond_signal(&m->changed);
    (void)pthread_mutex_unlock(&m->lock);
    (void)pthread_join(m->thread, NULL);
    release(m);
}

/* --- For any thread --- */

enum problem marks_check(struct marks *m, int64_t bytes, int *ret_retry_after,
                         struct err *e)
{
    enum water_what what = (enum water_what)atomic_load(&m->what);
    *ret_retry_after = atomic_load(&m->retry_after);
    if (what == WATER_UNUSABLE || what == WATER_REDIS)
        return problem_set(e, PROBLEM_UNAVAILABLE, "%s", water_text(what));
    if (what != WATER_NOTHING)
        return problem_set(e, PROBLEM_FULL, "%s", water_text(what));
    int64_t room = atomic_load(&m->room_bytes);
    if (bytes > room) {
        *ret_retry_after =
            drain_seconds((double)atomic_load(&m->bytes_rate), bytes - room);
        return problem_set(e, PROBLEM_FULL, "%lld bytes do not fit into the spool now",
                           (long long)bytes);
    }
    if (room <= 0)
        return problem_set(e, PROBLEM_FULL, "%s", water_text(WATER_MAX_BYTES));
    if (atomic_load(&m->room_files) <= 0)
        return problem_set(e, PROBLEM_FULL, "%s", water_text(WATER_MAX_FILES));
    return PROBLEM_NONE;
}

/* A room without a mark is so large that this does not matter to it. */
void marks_note_upload(struct marks *m, int64_t files, int64_t bytes)
{
    atomic_fetch_add(&m->accepted_files, files);
    atomic_fetch_add(&m->accepted_bytes, bytes);
    atomic_fetch_sub(&m->room_files, files);
    atomic_fetch_sub(&m->room_bytes, bytes);
}

struct marks_figures marks_figures(struct marks *m)
{
    struct marks_figures f = {.what = (enum water_what)atomic_load(&m->what),
                              .accepted_files = atomic_load(&m->accepted_files),
                              .accepted_bytes = atomic_load(&m->accepted_bytes)};
    (void)pthread_mutex_lock(&m->lock);
    f.has_usage = m->has_usage;
    f.usage = m->usage;
    (void)pthread_mutex_unlock(&m->lock);
    return f;
}

int marks_retry_after(const struct marks *m)
{
    return atomic_load(&m->retry_after);
}

enum water_what marks_reason(struct marks *m, struct err *ret_why)
{
    enum water_what what = (enum water_what)atomic_load(&m->what);
    if (what == WATER_UNUSABLE) {
        (void)pthread_mutex_lock(&m->lock);
        *ret_why = m->why;
        (void)pthread_mutex_unlock(&m->lock);
    }
    if (what != WATER_UNUSABLE || !ret_why->code) /* between two looks */
        (void)err_set(ret_why, ERR_RETRY, "%s", water_text(what));
    return what;
}
