#include "worker/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/claimer.h"

enum { RELEASE_LATER_MS = 30000 };

/* A report under way. */
struct report {
    struct transfers *set;
    size_t index;
    uint64_t serial;
    char queue[ID_QUEUE_MAX + 1];
    size_t want;     /* jobs the finish was to bring */
    int64_t sent_ms; /* monotonic */
};

static const struct config_queue *queue_of(const struct transfer *t)
{
    const char *name = t->lease.id.queue;

    return config_find_queue(t->set->env->config, name, strlen(name));
}

void transfer_drop_lost(struct transfer *t)
{
    if (t->unanswered)
        log_info("transfer",
                 "finished before, the answer was lost; spool files stay until "
                 "reconcile",
                 LOG_STR("id", t->name));
    else
        log_warn("transfer", "lost lease", LOG_STR("id", t->name),
                 LOG_INT("token", t->lease.token));
    transfer_free(t);
}

/* --- after a finish: the spool files go, on the thread pool --- */

static void remove_on_pool(uv_work_t *request)
{
    struct transfer *t = request->data;

    t->removal.code = spool_remove(t->set->env->spool, &t->lease.id, &t->removal.err);
}

static void after_removal(uv_work_t *request, int status)
{
    struct transfer *t = request->data;

    if (status == 0 && t->removal.code != ERR_OK)
        log_warn("transfer", "spool files stay until reconcile", LOG_STR("id", t->name),
                 LOG_ERR(&t->removal.err));
    transfer_free(t);
}

static void remove_spool(struct transfer *t)
{
    transfer_set_state(t, TRANSFER_REMOVING);
    t->removal.request.data = t;
    if (uv_queue_work(t->set->env->loop, &t->removal.request, remove_on_pool,
                      after_removal) != 0)
        transfer_free(t); /* reconcile removes them */
}

/* --- replies --- */

/* No answer that counts: keep what there is to tell, or give up when Redis refuses it for good. */
static void unanswered(struct transfer *t, enum err_code code, const struct err *e)
{
    if (code == ERR_RETRY || code == ERR_CONFIG) {
        transfer_set_state(t, TRANSFER_PARKED);
        return;
    }
    log_error("transfer", "report was refused, the job's lease will run out",
              LOG_STR("id", t->name), LOG_ERR(e));
    transfer_free(t);
}

static void finished(struct transfer *t, enum queue_answer answer)
{
    bool done = t->report == REPORT_DONE;

    if (answer != QUEUE_OK) {
        transfer_drop_lost(t);
        return;
    }
    log_info("transfer", done ? "done" : "cancelled", LOG_STR("id", t->name),
             LOG_INT("ms", clock_mono_ms() - t->began_ms),
             LOG_INT("bytes", t->outcome.sent), LOG_STR("to", t->job.to));
    remove_spool(t);
}

static void on_finish(enum err_code code, const struct redis_value *reply,
                      const struct err *e, void *ctx)
{
    struct report r = *(struct report *)ctx;
    struct transfer *t = transfers_find(r.set, r.index, r.serial);
    struct queue_claimed claimed;
    struct err parse = ERR_INIT;

    free(ctx);
    if (t && code == ERR_RETRY)
        t->unanswered = true; /* Redis may have carried it out all the same */
    if (code == ERR_OK) {
        code = queue_parse_claimed(reply, r.queue, &claimed, &parse);
        e = &parse;
    }
    if (t && code == ERR_OK)
        finished(t, claimed.answers[0]);
    else if (t)
        unanswered(t, code, e);
    claimer_take(r.set->claimer, r.queue, r.want, r.sent_ms,
                 code == ERR_OK ? &claimed : NULL);
}

static void log_failed(const struct transfer *t, bool dead)
{
    if (dead)
        log_error("transfer", "dead", LOG_STR("id", t->name),
                  LOG_STR("class", t->outcome.error_class),
                  LOG_INT("attempt", t->job.attempts),
                  LOG_STR("error", t->outcome.error));
    else
        log_warn("transfer", "failed", LOG_STR("id", t->name),
                 LOG_STR("class", t->outcome.error_class),
                 LOG_INT("attempt", t->job.attempts), LOG_INT("retry_ms", t->retry_ms),
                 LOG_STR("error", t->outcome.error));
}

/* The answer to fail or release. */
static void answered(struct transfer *t, enum queue_answer answer)
{
    if (answer == QUEUE_LOST || answer == QUEUE_MISSING) {
        transfer_drop_lost(t);
        return;
    }
    if (answer == QUEUE_CANCELLED) {
        log_info("transfer", "cancelled", LOG_STR("id", t->name));
        remove_spool(t);
        return;
    } else if (t->report != REPORT_FAIL) {
        log_info("transfer", "released", LOG_STR("id", t->name));
    } else {
        log_failed(t, answer == QUEUE_CONFLICT);
        if (answer == QUEUE_OK)
            claimer_expect(t->set->claimer, t->lease.id.queue, t->retry_ms);
    }
    transfer_free(t);
}

static void on_answer(enum err_code code, const struct redis_value *reply,
                      const struct err *e, void *ctx)
{
    struct report r = *(struct report *)ctx;
    struct transfer *t = transfers_find(r.set, r.index, r.serial);
    enum queue_answer answer = QUEUE_OK;
    struct err parse = ERR_INIT;
    char state[QUEUE_STATE_SIZE];

    free(ctx);
    if (code == ERR_OK) {
        code = queue_parse_answer(reply, &answer, state, &parse);
        e = &parse;
    }
    if (t && code == ERR_OK)
        answered(t, answer);
    else if (t)
        unanswered(t, code, e);
}

/* --- sending --- */

static void build_finish(const struct transfer *t, size_t want, struct redis_cmd *cmd)
{
    const struct config_queue *q = queue_of(t);
    bool done = t->report == REPORT_DONE;
    struct queue_end end = {.lease = t->lease,
                            .state = done ? JOB_DONE : JOB_CANCELLED,
                            .url = done ? t->outcome.url : NULL,
                            .etag = done ? t->outcome.etag : NULL,
                            .sent = t->outcome.sent,
                            .size = t->job.size,
                            .attempts = t->job.attempts,
                            .had_error = true};
    struct queue_finish f = {.ends = &end,
                             .count = 1,
                             .keep_ms = q->keep_done_seconds * 1000,
                             .keep_count = q->keep_done_count,
                             .want = want};

    queue_finish_cmd(cmd, &f, &t->set->env->self);
}

static void build_fail(const struct transfer *t, struct redis_cmd *cmd)
{
    struct queue_fail f = {.lease = t->lease,
                           .error = t->outcome.error,
                           .error_class = t->outcome.error_class,
                           .retry_ms = t->retry_ms,
                           .sent = t->outcome.sent};

    queue_fail_cmd(cmd, &f, &t->set->env->self);
}

void transfer_report(struct transfer *t, enum transfer_report report)
{
    const struct worker_env *env = t->set->env;
    struct report *r = NULL;
    struct redis_cmd cmd;

    t->report = report;
    if (redis_async_is_ready(env->redis))
        r = calloc(1, sizeof *r);
    if (!r) {
        transfer_set_state(t, TRANSFER_PARKED);
        return;
    }
    *r = (struct report){.set = t->set,
                         .index = t->index,
                         .serial = t->serial,
                         .sent_ms = clock_mono_ms()};
    memcpy(r->queue, t->lease.id.queue, sizeof r->queue);
    transfer_set_state(t, TRANSFER_REPORTING);

    bool finish = report == REPORT_DONE || report == REPORT_CANCELLED;
    redis_cmd_init(&cmd);
    if (finish) {
        r->want = claimer_reserve(t->set->claimer, r->queue);
        build_finish(t, r->want, &cmd);
    } else if (report == REPORT_FAIL) {
        build_fail(t, &cmd);
    } else {
        queue_release_cmd(&cmd, &t->lease, &env->self,
                          report == REPORT_RELEASE ? 0 : RELEASE_LATER_MS);
    }
    redis_async_send(env->redis, &cmd, 0, finish ? on_finish : on_answer, r);
    redis_cmd_release(&cmd);
    claimer_slot_free(t->set->claimer);
}
