#include "worker/hooks/outbox_internal.h"

#include <string.h>

#include "worker/queue/claimer.h"

/* --- taken out of the outbox --- */

static void on_deleted(enum err_code code, const struct redis_value *reply,
                       const struct err *e, void *ctx)
{
    struct drain *d = ctx;

    (void)reply;
    if (code != ERR_OK) {
        outbox_give_up(d, "what was told stays for a while", e);
        return;
    }
    outbox_clear_page(d);
    if (d->set->closing || !(d->is_full || d->again))
        outbox_end(d);
    else
        outbox_read_page(d);
}

static void take_out(struct drain *d)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "XDEL");
    queue_add_key(&cmd, d->queue, "outbox");
    for (size_t i = 0; i < d->count; i++)
        redis_cmd_add_str(&cmd, d->entries[i].id);
    redis_async_send(d->set->env->redis, &cmd, 0, on_deleted, d);
    redis_cmd_release(&cmd);
}

/* --- into the queues of webhooks --- */

/* The answer to one job: it is there, or can never be. */
static bool is_settled(struct drain *d, enum queue_answer answer)
{
    if (answer == QUEUE_FULL) {
        err_set(&d->err, ERR_RETRY, "the queue of webhooks is full");
        return false;
    }
    if (answer == QUEUE_BAD)
        log_error("outbox", "left out: something that is no job has its key",
                  LOG_STR("queue", d->queue));
    return true;
}

static void on_enqueued(enum err_code code, const struct redis_value *reply,
                        const struct err *e, void *ctx)
{
    struct drain *d = ctx;
    enum queue_answer answer = QUEUE_BAD;
    struct err parse = ERR_INIT;

    if (code == ERR_OK) {
        code = queue_parse_answer(redis_value_at(reply, 0), &answer, NULL, &parse);
        e = &parse;
    }
    if (code != ERR_OK) {
        d->failed = true;
        d->err = *e;
    } else if (!is_settled(d, answer)) {
        d->failed = true;
    }
    if (--d->asks > 0)
        return;
    for (size_t i = 0; i < d->job_count && !d->failed && !d->set->closing; i++)
        claimer_expect(d->set->claimer, d->jobs[i].id.queue, 0);
    if (d->failed)
        outbox_give_up(d, "webhooks are not enqueued yet", &d->err);
    else
        take_out(d);
}

static void on_registered(enum err_code code, const struct redis_value *reply,
                          const struct err *e, void *ctx)
{
    (void)code; /* whoever works on that queue registers it, too */
    (void)reply;
    (void)e;
    (void)ctx;
}

static void enqueue_all(struct drain *d)
{
    struct redis_async *redis = d->set->env->redis;
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    d->asks = d->job_count;
    for (size_t i = 0; i < d->job_count; i++) {
        const char *queue = d->jobs[i].id.queue;
        if (i == 0 || strcmp(queue, d->jobs[i - 1].id.queue) != 0) {
            redis_cmd_clear(&cmd);
            queue_register_queue_cmd(&cmd, queue);
            redis_async_send(redis, &cmd, 0, on_registered, NULL);
        }
        redis_cmd_clear(&cmd);
        queue_enqueue_one_cmd(&cmd, &d->jobs[i]);
        redis_async_send(redis, &cmd, 0, on_enqueued, d);
    }
    redis_cmd_release(&cmd);
}

/* --- manifests, on the thread pool --- */

static void on_pool(uv_work_t *work)
{
    struct drain *d = work->data;

    d->code = ERR_OK;
    for (size_t i = 0; i < d->job_count && d->code == ERR_OK; i++)
        d->code = spool_promise_shared(d->set->env->spool, &d->jobs[i], &d->err);
}

static void on_promised(uv_work_t *work, int status)
{
    struct drain *d = work->data;

    (void)status; /* never cancelled */
    if (d->set->closing)
        outbox_end(d);
    else if (d->code != ERR_OK)
        outbox_give_up(d, "webhooks cannot be written to the spool yet", &d->err);
    else
        enqueue_all(d);
}

/* --- what there is to tell --- */

static void add_jobs(struct drain *d, const struct entry *en)
{
    const struct config *c = d->set->env->config;
    const struct config_webhook *w;
    size_t at = 0;

    while (d->job_count < JOBS_MAX && (w = hook_event_wanted(&en->event, c, &at))) {
        struct err e = ERR_INIT;
        d->jobs[d->job_count] = (struct job)JOB_INIT;
        if (hook_event_make_job(&en->event, c, w, &d->jobs[d->job_count], &e) == ERR_OK)
            d->job_count++;
        else if (e.code == ERR_NOMEM)
            d->failed = true;
        else
            outbox_leave_out(en, &e);
    }
}

void outbox_tell_page(struct drain *d)
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < d->count; i++)
        if (d->entries[i].is_told)
            add_jobs(d, &d->entries[i]);
    if (d->failed) {
        err_set(&e, ERR_NOMEM, "no memory for webhooks");
        outbox_give_up(d, "webhooks are not made yet", &e);
    } else if (d->job_count == 0) {
        take_out(d);
    } else {
        d->work.data = d;
        (void)uv_queue_work(d->set->env->loop, &d->work, on_pool,
                            on_promised); /* cannot fail */
    }
}
