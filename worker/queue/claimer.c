#include "worker/queue/claimer_internal.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/hooks/outbox.h"

enum claimer_limits {
    LOOK_MIN_MS = 5,     /* no queue is looked at more often for the sake of time */
    LOOK_IDLE_MS = 5000, /* with one queue */
    LOOK_IDLE_QUEUE_MS = 2500, /* more for each further one, so that the rate stays */
    DISCOVER_MS = 5000
};

int64_t claimer_idle_ms(const struct claimer *c)
{
    int64_t ms = LOOK_IDLE_MS + LOOK_IDLE_QUEUE_MS * ((int64_t)c->shares.count - 1);
    int64_t lease_ms = c->env->self.lease_ms;

    return ms < lease_ms ? ms : lease_ms;
}

struct claim_queue *claimer_find(struct claimer *c, const char *name)
{
    for (size_t i = 0; i < c->shares.count; i++)
        if (strcmp(c->queues[i].name, name) == 0)
            return &c->queues[i];
    return NULL;
}

/* --- by time --- */

static void discover(struct claimer *c, int64_t now)
{
    c->discover_ms = now + DISCOVER_MS;
    if (c->discovering || !redis_async_is_ready(c->env->redis))
        return;
    c->discovering = true;
    discovery_ask(c->env, &c->discovery);
}

static void on_timer(uv_timer_t *timer)
{
    struct claimer *c = timer->data;
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < c->shares.count && !c->stopped; i++)
        if (now >= c->queues[i].look_ms) {
            c->queues[i].maybe = true;
            c->queues[i].timed = true;
            c->queues[i].look_ms = now + claimer_idle_ms(c);
        }
    if (c->discovers && !c->stopped && now >= c->discover_ms)
        discover(c, now);
    claimer_decide_soon(c); /* and what was unheard is repeated */
    claimer_arm_timer(c);
}

/* When there is next something to do; after the stop only what was unheard. */
static int64_t first_time(const struct claimer *c, int64_t now)
{
    int64_t first = c->discovers && !c->stopped ? c->discover_ms : INT64_MAX;

    for (size_t i = 0; i < c->shares.count; i++) {
        const struct claim_queue *q = &c->queues[i];
        if (!c->stopped && q->look_ms < first)
            first = q->look_ms;
        int64_t again = q->again_ms > now ? q->again_ms : now + CLAIMER_AGAIN_MS;
        if (q->turns.state == TURNS_UNHEARD && again < first)
            first = again;
    }
    return first;
}

void claimer_arm_timer(struct claimer *c)
{
    int64_t now = clock_mono_ms(), first = first_time(c, now);

    if (c->on_closed)
        return;
    uv_update_time(c->env->loop);
    (void)uv_timer_stop(&c->timer); /* cannot fail, nor can the start */
    if (first < INT64_MAX)
        (void)uv_timer_start(&c->timer, on_timer,
                             (uint64_t)(first > now ? first - now : 0), 0);
}

void claimer_look_within(struct claim_queue *q, int64_t delay_ms)
{
    int64_t at = clock_mono_ms() + (delay_ms > LOOK_MIN_MS ? delay_ms : LOOK_MIN_MS);

    if (at < q->look_ms)
        q->look_ms = at;
}

void claimer_expect(struct claimer *c, const char *queue, int64_t delay_ms)
{
    struct claim_queue *q = claimer_find(c, queue);

    if (!q)
        return;
    claimer_look_within(q, delay_ms);
    claimer_arm_timer(c);
}

void claimer_free_if_closed(struct claimer *c)
{
    if (!c->on_closed || c->closing > 0 || claimer_pending(c) > 0)
        return;
    void (*on_closed)(void *) = c->on_closed;
    void *ctx = c->ctx;
    for (size_t i = 0; i < c->shares.count; i++)
        turns_release(&c->queues[i].turns);
    free(c);
    on_closed(ctx);
}

/* --- by others --- */

/* A wait has ended: with the marker of a queue, or for nothing. */
static void on_wake(size_t index, void *ctx)
{
    struct claimer *c = ctx;

    if (index != WAITER_LOST)
        c->ok_ms = clock_mono_ms();
    if (index < c->shares.count) {
        c->queues[index].maybe = true;
        c->queues[index].woken =
            true; /* also after the stop: it goes back for others */
    }
    claimer_decide_soon(c);
}

int64_t claimer_last_ok_ms(const struct claimer *c)
{
    return c->ok_ms;
}

void claimer_probe(struct claimer *c)
{
    c->queues[0].timed = true;
    claimer_decide_soon(c);
}

void claimer_slot_free(struct claimer *c)
{
    claimer_decide_soon(c);
}

bool claimer_is_idle(const struct claimer *c)
{
    if (c->ok_ms == 0 || c->rounds > 0 || !redis_async_is_ready(c->env->redis) ||
        !outboxes_are_idle(c->env->outboxes))
        return false;
    for (size_t i = 0; i < c->shares.count; i++) {
        const struct claim_queue *q = &c->queues[i];
        if ((q->maybe && !c->is_quiet) || q->turns.state != TURNS_FREE ||
            q->turns.gathered > 0)
            return false;
    }
    return true;
}

void claimer_end(struct claimer *c, struct transfer *ended)
{
    turns_end(&claimer_find(c, ended->lease.id.queue)->turns, ended);
    claimer_decide_soon(c);
}

void claimer_resume(struct claimer *c)
{
    for (size_t i = 0; i < c->shares.count; i++) {
        c->queues[i].maybe = true;
        c->queues[i].again_ms = 0;
    }
    c->discover_ms = 0;
    claimer_arm_timer(c);
    claimer_decide_soon(c);
}

void claimer_quiet(struct claimer *c, bool is_quiet)
{
    c->is_quiet = is_quiet;
    if (!is_quiet)
        claimer_resume(c);
}

/* --- queues --- */

static void add_queue(struct claimer *c, const char *name, unsigned weight)
{
    size_t i = c->shares.count++;
    struct claim_queue *q = &c->queues[i];

    *q = (struct claim_queue){.claimer = c, .maybe = true, .look_ms = INT64_MAX};
    (void)memccpy(q->name, name, '\0', sizeof q->name - 1);
    turns_init(&q->turns, c->env, q->name, claimer_on_reply, q);
    c->shares.of[i] = (struct share){.weight = weight};
}

static void on_found(const char *name, void *ctx)
{
    struct claimer *c = ctx;

    if (c->stopped || claimer_find(c, name))
        return;
    if (c->shares.count < CONFIG_QUEUES_MAX) {
        add_queue(c, name, 0);
        waiter_add(c->waiter, c->queues[c->shares.count - 1].name);
        log_info("claimer", "found a queue", LOG_STR("queue", name));
    } else if (!c->told_full) {
        c->told_full = true;
        log_warn("claimer", "too many queues, this one is left to others",
                 LOG_STR("queue", name), LOG_INT("max", CONFIG_QUEUES_MAX));
    }
}

static void on_all_found(void *ctx)
{
    struct claimer *c = ctx;

    c->discovering = false;
    claimer_decide_soon(c);
    claimer_free_if_closed(c);
}

/* --- life cycle --- */

void claimer_stop(struct claimer *c)
{
    c->stopped = true;
    for (size_t i = 0; i < c->shares.count; i++) {
        struct claim_queue *q = &c->queues[i];
        q->timed = false;
        if (q->turns.state == TURNS_UNHEARD && turns_forget(&q->turns))
            claimer_give_back(q, q->turns.call.want, 0);
    }
    claimer_arm_timer(c);
    claimer_decide_soon(c);
}

size_t claimer_pending(const struct claimer *c)
{
    size_t pending = c->rounds + c->discovering;

    for (size_t i = 0; i < c->shares.count; i++)
        pending += c->queues[i].turns.state != TURNS_FREE;
    return pending;
}

static void closed_one(struct claimer *c)
{
    c->closing--;
    claimer_free_if_closed(c);
}

static void on_handle_closed(uv_handle_t *handle)
{
    closed_one(handle->data);
}

static void on_waiter_closed(void *ctx)
{
    closed_one(ctx);
}

void claimer_close(struct claimer *c, void (*on_closed)(void *ctx), void *ctx)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&c->timer, (uv_handle_t *)&c->check,
                              (uv_handle_t *)&c->idle};

    c->stopped = true;
    c->on_closed = on_closed;
    c->ctx = ctx;
    c->closing = 4;
    for (size_t i = 0; i < 3; i++)
        uv_close(handles[i], on_handle_closed);
    waiter_close(c->waiter, on_waiter_closed, c);
}

static void init_handles(struct claimer *c)
{
    /* None of these can fail. */
    (void)uv_timer_init(c->env->loop, &c->timer);
    (void)uv_check_init(c->env->loop, &c->check);
    (void)uv_idle_init(c->env->loop, &c->idle);
    c->timer.data = c;
    c->check.data = c;
    c->idle.data = c;
}

enum err_code claimer_open(const struct worker_env *env, struct transfers *transfers,
                           const struct redis_target *target, struct claimer **ret,
                           struct err *e)
{
    struct claimer_entry queues[CONFIG_QUEUES_MAX];
    const char *names[CONFIG_QUEUES_MAX];
    size_t count = 0;

    if (claimer_queues(env->config, queues, &count, e) != ERR_OK)
        return e->code;
    struct claimer *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(e, ERR_NOMEM, "no memory for a claimer");
    c->env = env;
    c->transfers = transfers;
    c->discovers = claimer_takes_all(env->config);
    c->discovery =
        (struct discovery){.found = on_found, .over = on_all_found, .ctx = c};
    for (size_t i = 0; i < count; i++) {
        add_queue(c, queues[i].queue->name, queues[i].weight);
        names[i] = c->queues[i].name;
    }
    struct waiter_options o = {
        .names = names, .count = count, .on_wake = on_wake, .ctx = c};
    if (waiter_open(env, target, &o, &c->waiter, e) != ERR_OK) {
        free(c);
        return e->code;
    }
    init_handles(c);
    *ret = c;
    return ERR_OK;
}
