#include "fcgi-app/publisher.h"

#include "fcgi-app/publish_ring.h"
#include "fcgi-app/thread.h"
#include "shared/clock.h"
#include "shared/log_limit.h"
#include "shared/queue.h"
#include "shared/redis_check.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 2000,
    GATHER_US = 2000 /* between two pipelines: under load each carries many jobs */
};

/* A handler that waits, on its stack. */
struct ticket {
    int64_t first, last; /* of its jobs, counted from 1 */
    bool wants_answer, wants_replicas;
    bool is_over; /* it is in no list any more */
    struct publisher_answer answer;
    struct ticket *next;
};

struct publisher {
    const struct config *config;
    struct waits *waits;
    struct redis *redis;   /* the thread's */
    struct redis_cmd call; /* the thread's */
    pthread_t thread;
    struct log_limit said; /* the thread's */
    bool is_away;          /* the thread's: it has complained of Redis */
    int64_t sent_us;       /* the thread's: when it last sent */

    pthread_mutex_t lock; /* for everything below */
    pthread_cond_t changed, answered;
    struct publish_ring ring;
    struct ticket *tickets; /* of those who wait */
    int64_t pushed, sent;   /* jobs, ever */
    int64_t refused_last;   /* the latest job that Redis refused, counted as they are */
    bool idle;              /* the thread waits for work */
    bool stopping;
    int64_t stop_ms; /* then: not longer than this */
    int64_t published, dropped, refused;
    struct err trouble; /* with Redis, now; ERR_OK: none */
};

/* Takes the slots over, or releases them.  With a ticket: false when there is nothing to wait for. */
static bool push(struct publisher *p, struct publish_slot *slots, size_t count,
                 struct ticket *ticket)
{
    (void)pthread_mutex_lock(&p->lock);
    bool fits = publish_ring_add(&p->ring, slots, count);
    bool waits = fits && ticket && !p->trouble.code;
    if (!fits) {
        p->dropped += (int64_t)count;
    } else {
        p->pushed += (int64_t)count;
        if (p->idle)
            (void)pthread_cond_signal(&p->changed);
    }
    if (waits) {
        ticket->first = p->pushed - (int64_t)count + 1;
        ticket->last = p->pushed;
        ticket->next = p->tickets;
        p->tickets = ticket;
    }
    (void)pthread_mutex_unlock(&p->lock);
    if (!fits)
        publish_slots_release(slots, count);
    return waits;
}

static void drop_unsent(struct publisher *p, size_t count)
{
    (void)pthread_mutex_lock(&p->lock);
    p->dropped += (int64_t)count;
    (void)pthread_mutex_unlock(&p->lock);
}

static bool push_jobs(struct publisher *p, const struct job *jobs, size_t count,
                      const struct uuid *own_batch, struct ticket *ticket)
{
    struct publish_slot one, *slots = &one;
    bool waits = false;
    if (count > 1)
        slots = calloc(count, sizeof *slots);
    if (slots && publish_slots_init(slots, jobs, count, own_batch))
        waits = push(p, slots, count, ticket);
    else
        drop_unsent(p, count);
    if (slots != &one)
        free(slots);
    return waits;
}

void publisher_push(struct publisher *p, const struct job *jobs, size_t count,
                    const struct uuid *own_batch)
{
    (void)push_jobs(p, jobs, count, own_batch, NULL); /* nobody waits */
}

/* --- Those who wait --- */

static void remove_ticket(struct publisher *p, struct ticket *ticket)
{
    struct ticket **at = &p->tickets;
    while (*at && *at != ticket)
        at = &(*at)->next;
    if (*at)
        *at = ticket->next;
    ticket->is_over = true;
}

static void await(struct publisher *p, struct ticket *t, int64_t replicas_ms)
{
    int64_t answer_ms = clock_mono_ms() + PUBLISHER_ANSWER_MS;
    bool in_time = true;
    (void)pthread_mutex_lock(&p->lock);
    while (in_time && t->wants_answer && !t->answer.is_known && !t->is_over)
        in_time = thread_wait_until(&p->answered, &p->lock, answer_ms);
    while (in_time && !t->is_over)
        in_time = thread_wait_until(&p->answered, &p->lock, replicas_ms);
    if (!t->is_over)
        remove_ticket(p, t);
    (void)pthread_mutex_unlock(&p->lock);
}

void publisher_push_wait(struct publisher *p, const struct job *jobs, size_t count,
                         const struct uuid *own_batch, struct publisher_answer *ret)
{
    int64_t until_ms = clock_mono_ms() + p->config->redis.wait_ms;
    struct ticket t = {
        .wants_answer = jobs[0].unique != NULL,
        .wants_replicas = waits_is_wanted(p->waits) && waits_begin(p->waits),
    };
    struct ticket *ticket = t.wants_answer || t.wants_replicas ? &t : NULL;
    if (push_jobs(p, jobs, count, own_batch, ticket))
        await(p, &t, until_ms);
    if (t.wants_replicas)
        waits_end(p->waits);
    *ret = t.answer;
}

/* With the lock held.  What Redis said of the job that is the number-th; true: somebody has learned it. */
static bool tell_answer(struct publisher *p, int64_t number, enum queue_answer answer,
                        const char *other)
{
    for (struct ticket *t = p->tickets; t; t = t->next) {
        if (t->last != number || !t->wants_answer)
            continue;
        t->answer.is_known = true;
        t->answer.answer = answer;
        memcpy(t->answer.other, other, sizeof t->answer.other);
        if (!t->wants_replicas || (answer != QUEUE_OK && answer != QUEUE_EXISTS))
            remove_ticket(p, t);
        (void)pthread_cond_broadcast(&p->answered);
        return true;
    }
    return false;
}

/* With the lock held: whose jobs have all been sent learn this. */
static void tell_replicas(struct publisher *p, const struct waits_answer *a,
                          int64_t sent)
{
    for (struct ticket *t = p->tickets, *next; t; t = next) {
        next = t->next;
        if (t->last > sent)
            continue;
        if (t->first > p->refused_last) /* else one of them is not in Redis */
            t->answer.waited = *a;
        remove_ticket(p, t);
    }
    (void)pthread_cond_broadcast(&p->answered);
}

static void dismiss_all(struct publisher *p)
{
    while (p->tickets)
        remove_ticket(p, p->tickets);
    (void)pthread_cond_broadcast(&p->answered);
}

static bool has_sent_ticket(const struct publisher *p)
{
    for (const struct ticket *t = p->tickets; t; t = t->next)
        if (t->last <= p->sent)
            return true;
    return false;
}

/* For those who wait for the jobs that have just been sent.  The lock is dropped meanwhile. */
static enum err_code ask_for_replicas(struct publisher *p, struct err *e)
{
    struct waits_answer a = {.replicas = 0};
    int64_t sent = p->sent, connection = redis_connections(p->redis);
    if (!has_sent_ticket(p))
        return ERR_OK;
    (void)pthread_mutex_unlock(&p->lock);
    enum err_code code = waits_ask(p->waits, p->redis, connection, &a, e);
    (void)pthread_mutex_lock(&p->lock);
    tell_replicas(p, &a, sent);
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
    dismiss_all(p);
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
        bool told = !code && tell_answer(p, number, answer, other);
        if (!code && answer == QUEUE_FULL)
            code = err_set(e, ERR_REJECT, "the queue is full");
        if (code) {
            p->refused++;
            p->refused_last = number;
        } else {
            p->published++;
        }
        if (code && !told)
            complain(p, "job refused by redis; reconcile will try it again", e);
    }
    return ERR_OK;
}

static enum err_code call(struct publisher *p, const struct redis_cmd *c,
                          struct redis_value **ret_reply, struct err *e)
{
    struct redis_value *reply = NULL;
    enum err_code code = c ? redis_call(p->redis, c, &reply, e) : ERR_OK;
    if (ret_reply)
        *ret_reply = reply;
    else
        redis_reply_free(reply);
    return code;
}

/* Send the first jobs of the ring.  They stay there, unmoved, while the lock is not held. */
static enum err_code send_some(struct publisher *p, struct err *e)
{
    struct redis_value *reply = NULL;
    size_t count = publish_ring_next(&p->ring);
    publish_ring_build(&p->ring, count, &p->call);
    const struct redis_cmd *open = publish_ring_open(&p->ring);
    const struct redis_cmd *close = publish_ring_close(&p->ring, count);
    (void)pthread_mutex_unlock(&p->lock);
    enum err_code code = call(p, open, NULL, e);
    if (!code)
        code = call(p, &p->call, &reply, e);
    if (!code)
        code = call(p, close, NULL, e);
    (void)pthread_mutex_lock(&p->lock);
    if (code == ERR_OK) {
        code = settle(p, reply, count, e);
    } else if (code != ERR_RETRY && code != ERR_CONFIG) {
        /* a script error: not to be tried again at once for ever */
        p->refused += (int64_t)count;
        p->refused_last = p->sent + (int64_t)count;
        complain(p, "jobs refused by redis; reconcile will try them again", e);
        code = ERR_OK;
    }
    redis_reply_free(reply);
    if (code)
        return code;
    publish_ring_drop(&p->ring, count);
    p->sent += (int64_t)count;
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
    int64_t wait_us = p->sent_us + GATHER_US - clock_mono_us();
    for (const struct ticket *t = p->tickets; t; t = t->next)
        if (t->wants_answer) /* a client waits */
            return;
    if (p->ring.count >= QUEUE_BATCH_MAX || p->stopping || wait_us <= 0)
        return;
    (void)pthread_mutex_unlock(&p->lock);
    thread_sleep_us(wait_us < GATHER_US ? wait_us : GATHER_US);
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

enum err_code publisher_trouble(struct publisher *p, struct err *e)
{
    (void)pthread_mutex_lock(&p->lock);
    if (p->trouble.code)
        *e = p->trouble;
    enum err_code code = p->trouble.code;
    (void)pthread_mutex_unlock(&p->lock);
    return code;
}

struct publisher_stats publisher_stats(struct publisher *p)
{
    (void)pthread_mutex_lock(&p->lock);
    struct publisher_stats s = {p->published, p->dropped, p->refused, p->ring.count};
    (void)pthread_mutex_unlock(&p->lock);
    return s;
}
