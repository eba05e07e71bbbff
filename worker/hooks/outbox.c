#include "worker/hooks/outbox_internal.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"

/* --- the end of a drain --- */

void outbox_clear_page(struct drain *d)
{
    for (size_t i = 0; i < d->count; i++)
        hook_event_release(&d->entries[i].event);
    for (size_t i = 0; i < d->job_count; i++)
        job_release(&d->jobs[i]);
    d->count = d->job_count = 0;
    d->failed = false;
}

static void free_if_closed(struct outboxes *o)
{
    if (o->closing && !o->first)
        free(o);
}

void outbox_end(struct drain *d)
{
    struct outboxes *o = d->set;
    struct drain **at = &o->first;

    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    outbox_clear_page(d);
    free(d);
    free_if_closed(o);
}

/* It stays in the outbox; the queue says so again. */
void outbox_give_up(struct drain *d, const char *text, const struct err *e)
{
    struct outboxes *o = d->set;
    int64_t held;

    if (!o->closing && redis_async_is_ready(o->env->redis) &&
        log_limit_passes(&o->said, e->text, clock_mono_ms(), &held))
        log_warn("outbox", text, LOG_STR("queue", d->queue), LOG_ERR(e),
                 log_limit_held(held));
    outbox_end(d);
}

void outbox_leave_out(const struct entry *en, const struct err *e)
{
    log_error("outbox", "cannot be told to a webhook, left out",
              LOG_STR("queue", en->drain->queue), LOG_STR("entry", en->id), LOG_ERR(e));
}

/* --- batches --- */

/* Its own callback, which the queue that told of its end need not know. */
static bool take_callback(struct hook_event *v, const char *callback)
{
    char *copy = callback ? strdup(callback) : NULL;

    if (!copy)
        return !callback;
    free(v->job.callback);
    v->job.callback = copy;
    return true;
}

static void on_part(enum err_code code, const struct redis_value *reply,
                    const struct err *e, void *ctx)
{
    struct entry *en = ctx;
    struct drain *d = en->drain;
    struct hook_event *v = &en->event;
    struct queue_batch b;
    struct err parse = ERR_INIT;

    if (code != ERR_OK) {
        d->failed = true;
        d->err = *e;
    } else if (queue_parse_batch(reply, &b, &parse) == ERR_OK) {
        v->total += b.total;
        v->done += b.done;
        v->dead += b.dead;
        v->cancelled += b.cancelled;
        if (b.open || b.done + b.dead + b.cancelled < b.total)
            en->is_told = false; /* the part that ends last tells it */
        if (!take_callback(v, b.callback)) {
            d->failed = true;
            err_set(&d->err, ERR_NOMEM, "no memory for a callback");
        }
    }
    if (--d->asks > 0)
        return;
    if (d->failed)
        outbox_give_up(d, "the end of a batch is not told yet", &d->err);
    else
        outbox_tell_page(d);
}

static void ask_part(struct entry *en, const char *queue)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    queue_show_batch_cmd(&cmd, queue, &en->event.uuid);
    redis_async_send(en->drain->set->env->redis, &cmd, 0, on_part, en);
    redis_cmd_release(&cmd);
}

static size_t count_batches(const struct drain *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->count; i++)
        n += d->entries[i].is_told && d->entries[i].event.kind == CONFIG_EVENT_BATCH;
    return n;
}

static void ask_batches(struct drain *d)
{
    const struct config *c = d->set->env->config;
    bool known = config_find_queue(c, d->queue, strlen(d->queue)) != NULL;

    d->asks = count_batches(d) * (c->queue_count + !known);
    if (d->asks == 0) {
        outbox_tell_page(d);
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        struct entry *en = &d->entries[i];
        if (!en->is_told || en->event.kind != CONFIG_EVENT_BATCH)
            continue;
        for (size_t q = 0; q < c->queue_count; q++)
            ask_part(en, c->queues[q].name);
        if (!known)
            ask_part(en, d->queue);
    }
}

/* --- a page --- */

static void take_entry(struct drain *d, const struct redis_value *value)
{
    struct entry *en = &d->entries[d->count++];
    struct err e = ERR_INIT;

    *en = (struct entry){.drain = d, .event = {.job = JOB_INIT}};
    (void)memccpy(en->id, redis_value_str(redis_value_at(value, 0), NULL), '\0',
                  sizeof en->id - 1);
    if (hook_event_parse(value, d->queue, &en->event, &e) == ERR_OK)
        en->is_told = true;
    else if (e.code == ERR_NOMEM)
        d->failed = true;
    else
        outbox_leave_out(en, &e);
}

static void on_page(enum err_code code, const struct redis_value *reply,
                    const struct err *e, void *ctx)
{
    struct drain *d = ctx;
    size_t count = redis_value_len(reply);
    struct err memory = ERR_INIT;

    if (code != ERR_OK) {
        outbox_give_up(d, "the outbox of a queue cannot be read", e);
        return;
    }
    d->is_full = count >= OUTBOX_PAGE;
    for (size_t i = 0; i < count && i < OUTBOX_PAGE; i++)
        take_entry(d, redis_value_at(reply, i));
    if (d->failed) {
        err_set(&memory, ERR_NOMEM, "no memory for webhooks");
        outbox_give_up(d, "webhooks are not made yet", &memory);
    } else if (d->count == 0) {
        outbox_end(d);
    } else {
        ask_batches(d);
    }
}

void outbox_read_page(struct drain *d)
{
    struct redis_cmd cmd;

    d->again = false;
    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "XRANGE");
    queue_add_key(&cmd, d->queue, "outbox");
    redis_cmd_add_str(&cmd, "-");
    redis_cmd_add_str(&cmd, "+");
    redis_cmd_add_str(&cmd, "COUNT");
    redis_cmd_add_int(&cmd, OUTBOX_PAGE);
    redis_async_send(d->set->env->redis, &cmd, 0, on_page, d);
    redis_cmd_release(&cmd);
}

/* --- the interface --- */

void outboxes_empty(struct outboxes *o, const char *queue)
{
    if (!o || o->closing)
        return;
    for (struct drain *d = o->first; d; d = d->next)
        if (strcmp(d->queue, queue) == 0) {
            d->again = true;
            return;
        }
    struct drain *d = calloc(1, sizeof *d);
    if (!d)
        return; /* the queue says so again */
    d->set = o;
    (void)memccpy(d->queue, queue, '\0', sizeof d->queue - 1);
    d->next = o->first;
    o->first = d;
    outbox_read_page(d);
}

bool outboxes_are_idle(const struct outboxes *o)
{
    return !o || !o->first;
}

enum err_code outboxes_open(const struct worker_env *env, struct claimer *claimer,
                            struct outboxes **ret, struct err *e)
{
    struct outboxes *o = calloc(1, sizeof *o);

    if (!o)
        return err_set(e, ERR_NOMEM, "no memory for outboxes");
    o->env = env;
    o->claimer = claimer;
    *ret = o;
    return ERR_OK;
}

void outboxes_close(struct outboxes *o)
{
    if (!o)
        return;
    o->closing = true;
    free_if_closed(o);
}
