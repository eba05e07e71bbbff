/* The beginning of transfers: one start script for all that one reply brought, and the record of each. */
#include "worker/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"

/* A start under way; freed with the last of its replies.  Names its transfers so that one that has gone is not found. */
struct start {
    struct transfers *set;
    size_t count;
    size_t outstanding; /* replies */
    struct start_item {
        struct start *start;
        size_t index;
        uint64_t serial;
    } of[];
};

static struct transfer *find(const struct start_item *item)
{
    struct transfer *t = transfers_find(item->start->set, item->index, item->serial);

    return t && t->state == TRANSFER_STARTING ? t : NULL;
}

static void answered_one(struct start *start)
{
    if (--start->outstanding == 0)
        free(start);
}

/* --- replies --- */

/* Not marked.  It may have been counted or not; giving it back is right in both cases. */
static void not_started(struct transfer *t, enum err_code code, const struct err *e)
{
    if (code == ERR_RETRY || code == ERR_CONFIG) {
        transfer_report(t, REPORT_RELEASE);
        return;
    }
    log_error("transfer", "start was refused", LOG_STR("id", t->name), LOG_ERR(e));
    transfer_free(t);
}

static void on_marks(enum err_code code, const struct redis_value *reply,
                     const struct err *e, void *ctx)
{
    struct start *start = ctx;
    enum queue_answer marks[QUEUE_BATCH_MAX];
    struct err parse = ERR_INIT;

    if (code == ERR_OK) {
        code = queue_parse_marks(reply, start->count, marks, &parse);
        e = &parse;
    }
    for (size_t i = 0; i < start->count; i++) {
        struct transfer *t = find(&start->of[i]);
        if (t && code == ERR_OK)
            t->mark = marks[i];
        else if (t)
            not_started(t, code, e);
    }
    answered_one(start);
}

static void on_freed_key(enum err_code code, const struct redis_value *reply,
                         const struct err *e, void *ctx)
{
    (void)reply; /* LOST, MISSING: the job's end frees the key, too */
    (void)ctx;
    if (code != ERR_OK && code != ERR_RETRY)
        log_warn("transfer", "unique key is held until the job's end", LOG_ERR(e));
}

/* A unique key that was held only while the job waited is free. */
static void free_key(const struct transfer *t)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    queue_begun_cmd(&cmd, &t->lease, &t->set->env->self);
    redis_async_send(t->set->env->redis, &cmd, 0, on_freed_key, NULL);
    redis_cmd_release(&cmd);
}

void transfer_go(struct transfer *t)
{
    if (t->job.unique && t->job.unique_until &&
        strcmp(t->job.unique_until, "start") == 0)
        free_key(t);
    if (t->abort == ABORT_NONE && transfer_is_late(t))
        t->abort = ABORT_DEADLINE;
    if (t->abort != ABORT_NONE)
        transfer_report_aborted(t);
    else
        transfer_run(t);
}

static void begun(struct transfer *t)
{
    struct transfers *s = t->set;

    if (t->abort == ABORT_NONE &&
        (s->ready > 0 || s->running >= (size_t)s->env->config->worker.concurrency)) {
        t->ready_us = clock_mono_us();
        transfer_set_state(t, TRANSFER_READY);
        if (s->quiet)
            transfer_abort(t, ABORT_DRAIN);
        transfers_run_ready(s);
    } else {
        transfer_go(t);
    }
}

/* reply is NULL when the key holds no hash. */
static void take_record(struct transfer *t, const struct redis_value *reply)
{
    enum queue_answer answer = QUEUE_OK;
    struct err why = ERR_INIT, e = ERR_INIT;

    if (queue_parse_start(t->mark, reply, &t->lease, &answer, &t->job, &why, &e)) {
        log_error("transfer", "start was not understood", LOG_STR("id", t->name),
                  LOG_ERR(&e));
        transfer_free(t);
        return;
    }
    switch (answer) {
    case QUEUE_OK:
        begun(t);
        return;
    case QUEUE_CANCELLED:
        transfer_report(t, REPORT_CANCELLED);
        return;
    case QUEUE_NEWER:
        transfer_report(t, REPORT_RELEASE_LATER);
        return;
    case QUEUE_BAD:
        transfer_fail_early(t, RETRY_NEVER, why.text);
        return;
    default:
        transfer_drop_lost(t);
    }
}

static void on_record(enum err_code code, const struct redis_value *reply,
                      const struct err *e, void *ctx)
{
    struct start_item *item = ctx;
    struct transfer *t = find(item);

    if (t && (code == ERR_RETRY || code == ERR_CONFIG))
        not_started(t, code, e);
    else if (t)
        take_record(t, code == ERR_OK ? reply : NULL);
    answered_one(item->start);
}

/* --- sending --- */

static struct start *new_start(struct transfer *const *new, size_t count)
{
    struct start *start = calloc(1, sizeof *start + count * sizeof start->of[0]);

    if (!start)
        return NULL;
    start->set = new[0]->set;
    start->count = count;
    start->outstanding = 1 + count;
    for (size_t i = 0; i < count; i++)
        start->of[i] = (struct start_item){start, new[i]->index, new[i]->serial};
    return start;
}

void transfer_begin(struct transfer *const *new, size_t count)
{
    const struct worker_env *env = new[0]->set->env;
    struct start *start = new_start(new, count);
    struct queue_lease leases[QUEUE_BATCH_MAX];
    struct redis_cmd cmds[1 + QUEUE_BATCH_MAX];

    if (!start) {
        for (size_t i = 0; i < count; i++)
            transfer_report(new[i], REPORT_RELEASE);
        return;
    }
    for (size_t i = 0; i <= count; i++)
        redis_cmd_init(&cmds[i]);
    for (size_t i = 0; i < count; i++) {
        leases[i] = new[i]->lease;
        log_debug("transfer", "claimed", LOG_STR("id", new[i]->name),
                  LOG_INT("token", new[i]->lease.token));
    }
    queue_start_cmds(cmds, leases, count, &env->self);
    redis_async_send(env->redis, &cmds[0], 0, on_marks, start);
    for (size_t i = 0; i < count; i++)
        redis_async_send(env->redis, &cmds[1 + i], 0, on_record, &start->of[i]);
    for (size_t i = 0; i <= count; i++)
        redis_cmd_release(&cmds[i]);
}
