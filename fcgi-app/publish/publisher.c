#include "fcgi-app/publish/publisher_internal.h"

#include "shared/clock.h"
#include "shared/redis_check.h"

#include <stdlib.h>
#include <string.h>

enum {
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 500,
    /* Between two pipelines: under load each carries many jobs, and what a call costs Redis is shared by them. */
    GATHER_US = 5000,
    GATHER_AWAITED_US = 2000 /* the same while a client waits for what comes of it */
};

/* For those who wait for the jobs that have just been sent.  The lock is dropped meanwhile. */
static enum err_code ask_for_replicas(struct publisher *p, struct err *e)
{
    struct waits_answer a = {.replicas = 0};
    int64_t sent = p->sent, connection = redis_connections(p->redis);
    if (!publish_tickets_wait(&p->tickets, sent))
        return ERR_OK;
    (void)pthread_mutex_unlock(&p->lock);
    enum err_code code = waits_ask(p->waits, p->redis, connection, &a, e);
    (void)pthread_mutex_lock(&p->lock);
    publish_tickets_replicas(&p->tickets, sent, &a);
    (void)pthread_cond_broadcast(&p->answered);
    return code;
}

/* At most one line like it in a minute: Redis being away is not news for every job. */
static void complain(struct publisher *p, const char *what, const struct err *e)
{
    enum log_level level = e->code == ERR_CONFIG ? LOG_ERROR : LOG_WARN;
    int64_t held;
    if (log_limit_passes(&p->said, e->text, clock_mono_ms(), &held))
        log_line(level, "publisher", what, LOG_ERR(e),
                 LOG_INT("waiting", p->ring.count), LOG_INT("dropped", p->dropped),
                 log_limit_held(held), LOG_END);
}

/* Redis cannot be used now: gone, or the operator's matter. */
static void suffer(struct publisher *p, const struct err *e)
{
    p->is_away = true;
    p->trouble = *e;
    publish_tickets_dismiss(&p->tickets);
    (void)pthread_cond_broadcast(&p->answered);
    complain(p,
             e->code == ERR_CONFIG
                 ? "redis cannot be used; uploads are accepted all the same"
                 : "redis is away; uploads are accepted all the same",
             e);
}

/* It took what there was. */
static void recover(struct publisher *p)
{
    int64_t held;
    p->trouble = (struct err)ERR_INIT;
    if (!p->is_away || p->ring.count > 0)
        return;
    p->is_away = false;
    if (log_limit_passes(&p->said, "back", clock_mono_ms(), &held))
        log_info("publisher", "redis is back", LOG_INT("published", p->published),
                 LOG_INT("dropped", p->dropped), log_limit_held(held));
}

/* Of a server that has just been connected to. */
static void tell_of_server(struct publisher *p)
{
    const struct redis_facts *f = redis_facts(p->redis);
    int64_t held;
    if (redis_check_warns(f) &&
        log_limit_passes(&p->said, f->policy, clock_mono_ms(), &held))
        log_warn("publisher", "redis may forget ended jobs early when memory is short",
                 LOG_STR("maxmemory_policy", f->policy),
                 LOG_INT("maxmemory", f->maxmemory), log_limit_held(held));
}

static enum err_code register_queues(struct publisher *p, struct err *e)
{
    struct redis_cmd c;
    enum err_code code = ERR_OK;
    redis_cmd_init(&c);
    for (size_t i = 0; !code && i < p->config->queue_count; i++) {
        struct redis_value *reply = NULL;
        redis_cmd_clear(&c);
        queue_register_queue_cmd(&c, p->config->queues[i].name);
        code = redis_call(p->redis, &c, &reply, e);
        if (!code)
            redis_reply_free(reply);
    }
    redis_cmd_release(&c);
    return code;
}

/* Note what Redis said of each job of a call: all are settled, enqueued or refused for good. */
static enum err_code settle(struct publisher *p, const struct redis_value *reply,
                            size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        enum queue_answer answer;
        char other[QUEUE_STATE_SIZE] = "";
        int64_t number = p->sent + (int64_t)i + 1;
        enum err_code code =
            queue_parse_answer(redis_value_at(reply, i), &answer, other, e);
        bool told = !code && publish_tickets_answer(&p->tickets, number, answer, other);
        if (!code && answer == QUEUE_FULL)
            code = err_set(e, ERR_REJECT, "the queue is full");
        if (code) {
            p->refused++;
            publish_tickets_refuse(&p->tickets, number);
        } else {
            p->published++;
        }
        if (code && !told)
            complain(p, "job refused by redis; reconcile will try it again", e);
    }
    (void)pthread_cond_broadcast(&p->answered);
    return ERR_OK;
}

static enum err_code call(struct publisher *p, const struct redis_cmd *c,
                          struct redis_value **ret_reply, struct err *e)
{
    struct redis_value *reply = NULL;
    int64_t began_us = clock_mono_us();
    enum err_code code = c ? redis_call(p->redis, c, &reply, e) : ERR_OK;
    if (c && !code && p->redis_us)
        histogram_note_shared(p->redis_us, &histogram_redis_us,
                              clock_mono_us() - began_us);
    if (ret_reply)
        *ret_reply = reply;
    else
        redis_reply_free(reply);
    return code;
}

static enum err_code send_first(struct publisher *p, size_t count,
                                struct redis_value **ret_reply, struct err *e)
{
    publish_ring_build(&p->ring, count, &p->call);
    enum err_code code = call(p, publish_ring_open(&p->ring), NULL, e);
    if (!code)
        code = call(p, &p->call, ret_reply, e);
    if (!code)
        code = call(p, publish_ring_close(&p->ring, count), NULL, e);
    return code;
}

static bool is_all_new(const struct redis_value *reply, size_t count)
{
    struct err ignored = ERR_INIT;
    for (size_t i = 0; i < count; i++) {
        enum queue_answer answer;
        if (queue_parse_answer(redis_value_at(reply, i), &answer, NULL, &ignored) ||
            answer != QUEUE_OK)
            return false;
    }
    return true;
}

/* Send the first jobs of the ring.  They stay there, unmoved, while the lock is not held; nor is it held for what the usual
 * end takes, since handlers would wait for it. */
static enum err_code send_some(struct publisher *p, struct err *e)
{
    struct redis_value *reply = NULL;
    size_t count = publish_ring_next(&p->ring), bytes = 0;
    bool is_awaited = p->tickets.list; /* those of these jobs are in it */
    (void)pthread_mutex_unlock(&p->lock);
    enum err_code code = send_first(p, count, &reply, e);
    bool is_usual = !code && !is_awaited && is_all_new(reply, count);
    if (is_usual) {
        bytes = publish_ring_clear(&p->ring, count);
        redis_reply_free(reply);
        reply = NULL;
    }
    (void)pthread_mutex_lock(&p->lock);
    if (is_usual) {
        p->published += (int64_t)count;
    } else if (code == ERR_OK) {
        code = settle(p, reply, count, e);
    } else if (code != ERR_RETRY && code != ERR_CONFIG) {
        /* a script error: not to be tried again at once for ever */
        p->refused += (int64_t)count;
        publish_tickets_refuse(&p->tickets, p->sent + (int64_t)count);
        complain(p, "jobs refused by redis; reconcile will try them again", e);
        code = ERR_OK;
    }
    redis_reply_free(reply);
    if (code)
        return code;
    if (!is_usual)
        bytes = publish_ring_clear(&p->ring, count);
    publish_ring_drop(&p->ring, count, bytes);
    p->sent += (int64_t)count;
    (void)pthread_cond_broadcast(&p->answered);
    return ask_for_replicas(p, e);
}

static void wait_for_work(struct publisher *p)
{
    p->idle = true;
    while (p->ring.count == 0 && !p->stopping)
        (void)pthread_cond_wait(&p->changed, &p->lock);
    p->idle = false;
}

/* A job that comes alone is sent at once; those that come close upon each other share a pipeline, which spares both
 * sides most of their system calls.  With the lock held, dropped meanwhile. */
static void gather(struct publisher *p)
{
    int64_t most_us = p->tickets.list ? GATHER_AWAITED_US : GATHER_US;
    int64_t wait_us = p->sent_us + most_us - clock_mono_us();
    if (p->ring.count >= QUEUE_BATCH_MAX || p->stopping || wait_us <= 0 ||
        publish_tickets_hurry(&p->tickets))
        return;
    (void)pthread_mutex_unlock(&p->lock);
    thread_sleep_us(wait_us < most_us ? wait_us : most_us);
    (void)pthread_mutex_lock(&p->lock);
}

/* Wait ms, or until it is told to stop; pushes do not cut it short. */
static void back_off(struct publisher *p, int64_t ms)
{
    int64_t until_ms = clock_mono_ms() + ms;
    while (!p->stopping && thread_wait_until(&p->changed, &p->lock, until_ms))
        continue;
    if (p->stopping) { /* still once in a while, but not as fast as it can */
        (void)pthread_mutex_unlock(&p->lock);
        thread_sleep_ms(BACKOFF_FIRST_MS);
        (void)pthread_mutex_lock(&p->lock);
    }
}

static bool is_over(const struct publisher *p)
{
    return p->stopping && (p->ring.count == 0 || clock_mono_ms() >= p->stop_ms);
}

static void *run(void *arg)
{
    struct publisher *p = arg;
    int64_t backoff_ms = BACKOFF_FIRST_MS;
    bool registered = false;
    (void)pthread_mutex_lock(&p->lock);
    while (!is_over(p)) {
        struct err e = ERR_INIT;
        enum err_code code = ERR_OK;
        if (!registered) {
            (void)pthread_mutex_unlock(&p->lock);
            code = register_queues(p, &e);
            (void)pthread_mutex_lock(&p->lock);
            registered = code == ERR_OK;
            if (registered)
                tell_of_server(p);
        }
        if (!code && p->ring.count > 0) {
            gather(p);
            code = send_some(p, &e);
            p->sent_us = clock_mono_us();
        }
        if (code) {
            registered = false;
            suffer(p, &e);
            back_off(p, backoff_ms);
            backoff_ms =
                backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
            continue;
        }
        recover(p);
        backoff_ms = BACKOFF_FIRST_MS;
        wait_for_work(p);
    }
    if (p->ring.count > 0)
        log_warn("publisher", "stopped with jobs unpublished; reconcile will do it",
                 LOG_INT("waiting", p->ring.count));
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void release(struct publisher *p)
{
    publish_ring_release(&p->ring);
    redis_close(p->redis);
    redis_cmd_release(&p->call);
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_cond_destroy(&p->answered);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

enum err_code publisher_start(const struct publisher_options *o,
                              struct publisher **ret_publisher, struct err *e)
{
    struct publisher *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(e, ERR_NOMEM, "publisher: out of memory");
    p->config = o->config;
    p->waits = o->waits;
    redis_cmd_init(&p->call);
    thread_init_lock(&p->lock, &p->changed);
    thread_init_cond(&p->answered);
    enum err_code code = publish_ring_init(&p->ring, e);
    if (!code)
        code = redis_open(o->redis, &p->redis, e);
    if (!code)
        code = thread_start(&p->thread, "publisher", run, p, e);
    if (code) {
        release(p);
        return code;
    }
    *ret_publisher = p;
    return ERR_OK;
}

void publisher_stop(struct publisher *p, int64_t flush_ms)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = true;
    p->stop_ms = clock_mono_ms() + flush_ms;
    (void)pthread_cond_signal(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    release(p);
}
