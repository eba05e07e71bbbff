#include "tests/chaos/watch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/queue.h"
#include "tests/chaos/map.h"
#include "tests/chaos/watch_rules.h"

enum { PAGE = 1000, JOBS_MAX = 1 << 22, TIMEOUT_MS = 2000, EVERY_MS = 50 };

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

struct stream_id {
    uint64_t ms, seq;
};

struct queue_watch {
    const char *name;
    struct stream_id last; /* read up to here */
    bool rebase;           /* begin at the end of the stream */
    int64_t enqueued;      /* as of the last look */
};

struct watch {
    char *names[WATCH_QUEUES_MAX];               /* owned */
    struct queue_watch queues[WATCH_QUEUES_MAX]; /* the thread's */
    size_t queue_count;
    int every_ms;
    struct redis *redis; /* the thread's */
    pthread_t thread;
    bool joined;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stopping, forget;
    struct map states; /* "queue.uuid" -> enum job_state + 1 */
    struct watch_counts counts;
};

/* --- I8 --- */

/* With the lock held. */
static void take_event(struct watch *w, const char *queue, const char *uuid,
                       const char *word)
{
    enum job_state is;
    char name[ID_JOB_MAX + 2];

    if (!job_state_parse(word, strlen(word), &is) || !id_is_uuid(uuid, strlen(uuid)))
        return; /* the end of a batch */
    (void)snprintf(name, sizeof name, "%.32s.%.36s", queue, uuid);
    int64_t *state = map_add(&w->states, name, NULL);
    w->counts.events++;
    if (!state)
        return; /* full: the rest of the run is not judged */
    enum job_state was = *state ? (enum job_state)(*state - 1) : JOB_ACCEPTED;
    if (!watch_may_follow(was, is)) {
        if (w->counts.out_of_turn < WATCH_EXAMPLES)
            (void)snprintf(w->counts.turn_examples[w->counts.out_of_turn],
                           WATCH_EXAMPLE_MAX, "%s: %s after %s", name, word,
                           job_state_name(was));
        w->counts.out_of_turn++;
    }
    if (job_state_is_final(is) && !job_state_is_final(was))
        w->counts.ended++;
    if (watch_may_follow(was, is) || !job_state_is_final(was))
        *state = (int64_t)is + 1; /* else it has ended still, whatever came after */
}

/* --- reading --- */

static bool parse_stream_id(const char *text, struct stream_id *ret)
{
    char *end;
    struct stream_id id = {.ms = strtoull(text, &end, 10)};

    if (end == text || *end != '-')
        return false;
    id.seq = strtoull(end + 1, NULL, 10);
    *ret = id;
    return true;
}

static bool is_before(const struct stream_id *a, const struct stream_id *b)
{
    return a->ms < b->ms || (a->ms == b->ms && a->seq < b->seq);
}

/* XRANGE or XREVRANGE of the events, count entries from `from` on. */
static enum err_code read_range(struct watch *w, const struct queue_watch *q,
                                const char *command, const char *const range[2],
                                int count, struct redis_value **ret, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, command);
    queue_add_key(&c, q->name, "events");
    redis_cmd_add_str(&c, range[0]);
    redis_cmd_add_str(&c, range[1]);
    redis_cmd_add_str(&c, "COUNT");
    redis_cmd_add_int(&c, count);
    return redis_call(w->redis, &c, ret, e);
}

static const char *entry_id(const struct redis_value *entries, size_t i)
{
    return redis_value_str(redis_value_at(redis_value_at(entries, i), 0), NULL);
}

/* The id of the first or last entry; 0-0 when there is none. */
static enum err_code find_edge(struct watch *w, const struct queue_watch *q, bool last,
                               struct stream_id *ret, struct err *e)
{
    CLEANUP(reply_cleanup) struct redis_value *v = NULL;
    const char *const forward[2] = {"-", "+"}, *const back[2] = {"+", "-"};

    if (read_range(w, q, last ? "XREVRANGE" : "XRANGE", last ? back : forward, 1, &v,
                   e) != ERR_OK)
        return e->code;
    struct stream_id id = {0, 0};
    if (redis_value_len(v) > 0 && !parse_stream_id(entry_id(v, 0), &id))
        return err_set(e, ERR_REJECT, "watch: an entry without an id");
    *ret = id;
    return ERR_OK;
}

static void take_entries(struct watch *w, struct queue_watch *q,
                         const struct redis_value *entries)
{
    size_t count = redis_value_len(entries);

    (void)pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < count && !w->forget; i++) {
        const struct redis_value *pairs = redis_value_at(redis_value_at(entries, i), 1);
        for (size_t k = 0; k + 1 < redis_value_len(pairs); k += 2)
            take_event(w, q->name, redis_value_str(redis_value_at(pairs, k), NULL),
                       redis_value_str(redis_value_at(pairs, k + 1), NULL));
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (count > 0)
        (void)parse_stream_id(entry_id(entries, count - 1), &q->last); /* as before */
}

/* With the lock held. */
static void forget_all(struct watch *w)
{
    map_release(&w->states);
    for (size_t i = 0; i < w->queue_count; i++) {
        w->queues[i].rebase = true;
        w->queues[i].enqueued = 0;
    }
    w->counts.ended = 0;
    w->counts.forgets++;
    w->forget = false;
}

static void forget_now(struct watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    forget_all(w);
    (void)pthread_mutex_unlock(&w->lock);
}

/* Whether entries were cut off before they were read: then nothing that is known holds. */
static enum err_code find_gap(struct watch *w, struct queue_watch *q, struct err *e)
{
    struct stream_id first;

    if (find_edge(w, q, false, &first, e) != ERR_OK)
        return e->code;
    bool any = q->last.ms || q->last.seq;
    if (any && is_before(&q->last, &first)) {
        (void)pthread_mutex_lock(&w->lock);
        w->counts.missed++;
        forget_all(w);
        (void)pthread_mutex_unlock(&w->lock);
    }
    return ERR_OK;
}

static enum err_code read_events(struct watch *w, struct queue_watch *q, struct err *e)
{
    if (!q->rebase && find_gap(w, q, e) != ERR_OK)
        return e->code;
    if (q->rebase) {
        if (find_edge(w, q, true, &q->last, e) != ERR_OK)
            return e->code;
        q->rebase = false;
        return ERR_OK;
    }
    for (size_t count = PAGE; count == PAGE;) {
        CLEANUP(reply_cleanup) struct redis_value *v = NULL;
        char after[64];
        (void)snprintf(after, sizeof after, "(%llu-%llu",
                       (unsigned long long)q->last.ms, (unsigned long long)q->last.seq);
        const char *const range[2] = {after, "+"};
        if (read_range(w, q, "XRANGE", range, PAGE, &v, e) != ERR_OK)
            return e->code;
        count = redis_value_len(v);
        take_entries(w, q, v);
    }
    return ERR_OK;
}

/* --- I10 --- */

static void judge_balance(struct watch *w, const struct queue_watch *q,
                          const struct queue_status *s)
{
    int64_t live = s->ready + s->scheduled + s->running + s->grouped + s->behind;
    int64_t sum = live + s->dead + s->done_total + s->cancelled_total;

    (void)pthread_mutex_lock(&w->lock);
    w->counts.looks++;
    if (sum != s->enqueued_total) {
        if (w->counts.unbalanced < WATCH_EXAMPLES)
            (void)snprintf(
                w->counts.balance_examples[w->counts.unbalanced], WATCH_EXAMPLE_MAX,
                "%s: %lld enqueued, %lld live, %lld dead, %lld done, %lld cancelled",
                q->name, (long long)s->enqueued_total, (long long)live,
                (long long)s->dead, (long long)s->done_total,
                (long long)s->cancelled_total);
        w->counts.unbalanced++;
    }
    (void)pthread_mutex_unlock(&w->lock);
}

static enum err_code look(struct watch *w, struct queue_watch *q, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *v = NULL;
    struct queue_status s;

    redis_cmd_init(&c);
    queue_status_cmd(&c, q->name);
    if (redis_call(w->redis, &c, &v, e) != ERR_OK ||
        queue_parse_status(v, &s, e) != ERR_OK)
        return e->code;
    judge_balance(w, q, &s);
    if (s.enqueued_total < q->enqueued)
        forget_now(w);
    q->enqueued = s.enqueued_total;
    return ERR_OK;
}

/* --- the thread --- */

static void pass(struct watch *w)
{
    struct err e = ERR_INIT;

    (void)pthread_mutex_lock(&w->lock);
    if (w->forget)
        forget_all(w);
    (void)pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->queue_count; i++)
        if (look(w, &w->queues[i], &e) != ERR_OK ||
            read_events(w, &w->queues[i], &e) != ERR_OK) {
            forget_now(w); /* it may be another server by the next pass */
            return;
        }
}

static void *run(void *ctx)
{
    struct watch *w = ctx;
    bool stopping = false;

    while (!stopping) {
        int64_t end = clock_mono_ms() + w->every_ms;
        struct timespec at = {.tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000};
        (void)pthread_mutex_lock(&w->lock);
        while (!w->stopping && clock_mono_ms() < end)
            (void)pthread_cond_timedwait(&w->changed, &w->lock, &at);
        stopping = w->stopping;
        (void)pthread_mutex_unlock(&w->lock);
        pass(w); /* the last one, too, when it stops */
    }
    return NULL;
}

/* --- life cycle --- */

static enum err_code prepare(struct watch *w, const struct watch_options *o,
                             struct err *e)
{
    CLEANUP(redis_target_release) struct redis_target target = REDIS_TARGET_INIT;

    for (; o->queues[w->queue_count]; w->queue_count++) {
        const char *name = o->queues[w->queue_count];
        if (w->queue_count == WATCH_QUEUES_MAX || !id_is_queue(name, strlen(name)))
            return err_set(e, ERR_CONFIG, "watch: no queue: %.40s", name);
        w->names[w->queue_count] = strdup(name);
        if (!w->names[w->queue_count])
            return err_set(e, ERR_NOMEM, "watch: no memory");
        w->queues[w->queue_count].name = w->names[w->queue_count];
    }
    w->every_ms = o->every_ms > 0 ? o->every_ms : EVERY_MS;
    if (redis_target_parse(o->redis_url, &target, e) != ERR_OK)
        return e->code;
    return redis_open(&(struct redis_options){.target = target,
                                              .connect_timeout_ms = TIMEOUT_MS,
                                              .timeout_ms = TIMEOUT_MS},
                      &w->redis, e);
}

static void release(struct watch *w)
{
    for (size_t i = 0; i < WATCH_QUEUES_MAX; i++)
        free(w->names[i]);
    redis_close(w->redis);
    map_release(&w->states);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

enum err_code watch_start(const struct watch_options *o, struct watch **ret_watch,
                          struct err *e)
{
    pthread_condattr_t attr;
    struct watch *w = calloc(1, sizeof *w);

    if (!w)
        return err_set(e, ERR_NOMEM, "watch: no memory");
    w->states = (struct map)MAP_INIT(JOBS_MAX);
    (void)pthread_mutex_init(&w->lock, NULL); /* none of these can fail on Linux */
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    enum err_code code = prepare(w, o, e);
    if (code == ERR_OK && pthread_create(&w->thread, NULL, run, w) != 0)
        code = err_set(e, ERR_RETRY, "watch: no thread");
    if (code != ERR_OK) {
        release(w);
        return code;
    }
    *ret_watch = w;
    return ERR_OK;
}

void watch_stop(struct watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    bool join = !w->joined;
    w->joined = w->stopping = true;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    if (join)
        (void)pthread_join(w->thread, NULL);
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    watch_stop(w);
    release(w);
}

void watch_forget(struct watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->forget = true;
    (void)pthread_mutex_unlock(&w->lock);
}

struct watch_counts watch_counts(struct watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    struct watch_counts counts = w->counts;
    (void)pthread_mutex_unlock(&w->lock);
    return counts;
}
