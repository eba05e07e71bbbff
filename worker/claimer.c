#include "worker/claimer.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log_limit.h"
#include "worker/maintenance.h"
#include "worker/waiter.h"

enum claimer_limits {
    LOOK_MIN_MS = 5,     /* no queue is looked at more often for the sake of time */
    LOOK_AGAIN_MS = 500, /* after Redis was there and would not */
    LOOK_IDLE_MS = 5000, /* with one queue */
    LOOK_IDLE_QUEUE_MS = 2500 /* more for each further one, so that the rate stays */
};

struct claim_queue {
    struct claimer *claimer;
    const char *name;
    bool maybe;       /* there may be something to claim */
    bool woken;       /* we hold its wake marker: look even without a free slot */
    bool timed;       /* its time has come: the same, for what is due or expired */
    bool in_flight;   /* a claim is under way */
    size_t asked;     /* jobs it asked for */
    int64_t asked_ms; /* monotonic, when */
    int64_t look_ms;  /* monotonic: look again then at the latest */
};

struct claimer {
    const struct worker_env *env;
    struct transfers *transfers;
    struct waiter *waiter;
    struct claim_queue queues[CONFIG_QUEUES_MAX];
    size_t queue_count;
    size_t reserved; /* slots asked for by commands under way */
    size_t pending;  /* of these commands, how many */
    bool stopped;
    int64_t ok_ms; /* monotonic: when a claim, a finish or a wait last succeeded */
    struct log_limit said;
    uv_timer_t timer;
    int closing; /* handles and connections still to close */
    void (*on_closed)(void *ctx);
    void *ctx;
};

static void arm_timer(struct claimer *c);
static void pump(struct claimer *c);

static size_t free_slots(const struct claimer *c)
{
    size_t free = transfers_free(c->transfers);

    return free > c->reserved ? free - c->reserved : 0;
}

static int64_t idle_ms(const struct claimer *c)
{
    int64_t ms = LOOK_IDLE_MS + LOOK_IDLE_QUEUE_MS * ((int64_t)c->queue_count - 1);
    int64_t lease_ms = c->env->self.lease_ms;

    return ms < lease_ms ? ms : lease_ms;
}

static struct claim_queue *find_queue(struct claimer *c, const char *name)
{
    for (size_t i = 0; i < c->queue_count; i++)
        if (strcmp(c->queues[i].name, name) == 0)
            return &c->queues[i];
    return NULL;
}

/* --- looking by time --- */

static void on_timer(uv_timer_t *timer)
{
    struct claimer *c = timer->data;
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < c->queue_count; i++)
        if (now >= c->queues[i].look_ms) {
            c->queues[i].maybe = true;
            c->queues[i].timed = true;
            c->queues[i].look_ms = now + idle_ms(c);
        }
    arm_timer(c);
    pump(c);
}

static void arm_timer(struct claimer *c)
{
    int64_t first = INT64_MAX, now = clock_mono_ms();

    for (size_t i = 0; i < c->queue_count; i++)
        if (c->queues[i].look_ms < first)
            first = c->queues[i].look_ms;
    uv_update_time(c->env->loop);
    if (!c->stopped)
        (void)uv_timer_start(&c->timer, on_timer,
                             (uint64_t)(first > now ? first - now : 0), 0);
}

static void look_within(struct claim_queue *q, int64_t delay_ms)
{
    int64_t at = clock_mono_ms() + (delay_ms > LOOK_MIN_MS ? delay_ms : LOOK_MIN_MS);

    if (at < q->look_ms)
        q->look_ms = at;
}

void claimer_expect(struct claimer *c, const char *queue, int64_t delay_ms)
{
    struct claim_queue *q = find_queue(c, queue);

    if (!q)
        return;
    look_within(q, delay_ms);
    arm_timer(c);
}

/* --- what a look brings --- */

static void maintained(const char *queue, void *ctx)
{
    struct claimer *c = ctx;
    struct claim_queue *q = find_queue(c, queue);

    q->maybe = true;
    pump(c);
}

static void take(struct claim_queue *q, size_t want, int64_t sent_ms,
                 const struct queue_claimed *claimed)
{
    struct claimer *c = q->claimer;

    c->ok_ms = clock_mono_ms();
    for (size_t i = 0; i < claimed->count; i++)
        transfers_add(c->transfers, &claimed->leases[i], sent_ms);
    /* "More" without a job although we asked would only be asked again for ever. */
    q->maybe = claimed->more && (claimed->count > 0 || want == 0);
    q->look_ms = clock_mono_ms() + idle_ms(c);
    if (claimed->next_ms >= 0)
        look_within(q, claimed->next_ms);
    if (!c->stopped)
        maintenance_run(c->env, q->name, claimed, maintained, c);
    arm_timer(c);
}

/* A connection that was lost is told by its owner; here it stands, and the server said no. */
static void complain(struct claim_queue *q, enum err_code code, const struct err *e)
{
    struct claimer *c = q->claimer;
    int64_t held;

    if (code == ERR_RETRY && !redis_async_is_ready(c->env->redis))
        return;
    if (log_limit_passes(&c->said, e->text, clock_mono_ms(), &held))
        log_line(code == ERR_RETRY ? LOG_WARN : LOG_ERROR, "claimer",
                 "queue cannot be claimed from", LOG_STR("queue", q->name), LOG_ERR(e),
                 log_limit_held(held), LOG_END);
}

static void on_claim(enum err_code code, const struct redis_value *reply,
                     const struct err *e, void *ctx)
{
    struct claim_queue *q = ctx;
    struct claimer *c = q->claimer;
    struct queue_claimed claimed;
    struct err parse = ERR_INIT;

    c->reserved -= q->asked;
    c->pending--;
    q->in_flight = false;
    if (code == ERR_OK) {
        code = queue_parse_claimed(reply, q->name, &claimed, &parse);
        e = &parse;
    }
    if (code == ERR_OK) {
        take(q, q->asked, q->asked_ms, &claimed);
    } else {
        /* Gone: claimer_resume looks when it is back.  Busy, loading, out of memory: later. */
        q->look_ms = clock_mono_ms() + idle_ms(c);
        if (code == ERR_RETRY)
            look_within(q, LOOK_AGAIN_MS);
        complain(q, code, e);
        arm_timer(c);
    }
    pump(c);
    transfers_check_empty(c->transfers);
}

static void send_claim(struct claim_queue *q, size_t want)
{
    struct claimer *c = q->claimer;
    struct redis_cmd cmd;

    q->maybe = false;
    q->woken = false;
    q->timed = false;
    q->in_flight = true;
    q->asked = want < QUEUE_BATCH_MAX ? want : QUEUE_BATCH_MAX;
    q->asked_ms = clock_mono_ms();
    c->reserved += q->asked;
    c->pending++;
    redis_cmd_init(&cmd);
    queue_claim_cmd(&cmd, q->name, &c->env->self, 0, q->asked);
    redis_async_send(c->env->redis, &cmd, 0, on_claim, q);
    redis_cmd_release(&cmd);
}

/* A wait has ended: with the marker of a queue, or for nothing. */
static void on_wake(size_t index, void *ctx)
{
    struct claimer *c = ctx;

    if (index != WAITER_LOST)
        c->ok_ms = clock_mono_ms();
    if (index < c->queue_count) {
        struct claim_queue *q = &c->queues[index];
        q->maybe = true;
        q->woken = true;
        if (c->stopped && !q->in_flight && redis_async_is_ready(c->env->redis))
            send_claim(q, 0); /* the marker goes back for others */
    }
    pump(c);
}

/* Ask where there may be something, in order; then wait, if slots are left. */
static void pump(struct claimer *c)
{
    if (c->stopped || !redis_async_is_ready(c->env->redis))
        return;
    for (size_t i = 0; i < c->queue_count; i++) {
        struct claim_queue *q = &c->queues[i];
        size_t free = free_slots(c);
        /* Without a slot, a look for 0 jobs: it puts a marker back for others, and tells what is due or expired. */
        if (!q->in_flight && (q->woken || q->timed || (q->maybe && free > 0)))
            send_claim(q, free);
    }
    if (free_slots(c) > 0)
        waiter_wait(c->waiter);
}

int64_t claimer_last_ok_ms(const struct claimer *c)
{
    return c->ok_ms;
}

void claimer_probe(struct claimer *c)
{
    c->queues[0].timed = true;
    pump(c);
}

void claimer_slot_free(struct claimer *c)
{
    pump(c);
}

void claimer_resume(struct claimer *c)
{
    for (size_t i = 0; i < c->queue_count; i++)
        c->queues[i].maybe = true;
    pump(c);
}

/* --- with finish --- */

size_t claimer_reserve(struct claimer *c, const char *queue)
{
    if (c->stopped || free_slots(c) == 0)
        return 0;
    for (size_t i = 0; i < c->queue_count && strcmp(c->queues[i].name, queue) != 0; i++)
        if (c->queues[i].maybe || c->queues[i].in_flight)
            return 0; /* a queue before it comes first */
    c->reserved++;
    c->pending++;
    return 1;
}

void claimer_take(struct claimer *c, const char *queue, size_t want, int64_t sent_ms,
                  const struct queue_claimed *claimed)
{
    struct claim_queue *q = find_queue(c, queue);

    c->reserved -= want;
    c->pending -= want;
    if (q && claimed)
        take(q, want, sent_ms, claimed);
    pump(c);
    transfers_check_empty(c->transfers);
}

/* --- life cycle --- */

void claimer_stop(struct claimer *c)
{
    c->stopped = true;
    (void)uv_timer_stop(&c->timer);
}

size_t claimer_pending(const struct claimer *c)
{
    return c->pending;
}

static void closed_one(struct claimer *c)
{
    if (--c->closing > 0)
        return;
    void (*on_closed)(void *) = c->on_closed;
    void *ctx = c->ctx;
    free(c);
    on_closed(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    closed_one(handle->data);
}

static void on_waiter_closed(void *ctx)
{
    closed_one(ctx);
}

void claimer_close(struct claimer *c, void (*on_closed)(void *ctx), void *ctx)
{
    c->stopped = true;
    c->on_closed = on_closed;
    c->ctx = ctx;
    c->closing = 2;
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    waiter_close(c->waiter, on_waiter_closed, c);
}

enum err_code claimer_open(const struct worker_env *env, struct transfers *transfers,
                           const struct redis_target *target, struct claimer **ret,
                           struct err *e)
{
    struct claimer_entry queues[CONFIG_QUEUES_MAX];
    size_t count = 0;

    if (claimer_queues(env->config, queues, &count, e) != ERR_OK)
        return e->code;
    struct claimer *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(e, ERR_NOMEM, "no memory for a claimer");
    c->env = env;
    c->transfers = transfers;
    c->queue_count = count;
    const char *names[CONFIG_QUEUES_MAX];
    for (size_t i = 0; i < count; i++) {
        names[i] = queues[i].queue->name;
        c->queues[i] = (struct claim_queue){
            .claimer = c, .name = names[i], .maybe = true, .look_ms = INT64_MAX};
    }
    struct waiter_options o = {
        .names = names, .count = count, .on_wake = on_wake, .ctx = c};
    if (waiter_open(env, target, &o, &c->waiter, e) != ERR_OK) {
        free(c);
        return e->code;
    }
    c->timer.data = c;
    (void)uv_timer_init(env->loop, &c->timer); /* cannot fail */
    *ret = c;
    return ERR_OK;
}
