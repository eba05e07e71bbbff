#include "worker/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/s3/abandoned.h"
#include "worker/queue/claimer.h"
#include "worker/job_log.h"
#include "worker/metrics/tally.h"
#include "worker/queue/removal.h"

enum { RELEASE_LATER_MS = 30000 };

/* A fail or release under way. */
struct report {
    struct transfers *set;
    size_t index;
    uint64_t serial;
    int64_t sent_ms; /* boot time */
};

void transfer_drop_lost(struct transfer *t)
{
    log_warn("transfer", "lost lease", LOG_STR("id", t->name),
             LOG_INT("token", t->lease.token), LOG_JOB(&t->job));
    tally_lost(t->set->env->tally);
    transfer_free(t);
}

/* --- after a finish: the spool files go, on the thread pool --- */

static void on_abandoned(void *ctx)
{
    transfer_free(ctx);
}

/* The files have gone.  Of a job that was cancelled an upload in parts may be left, at the store. */
static void on_removed(void *ctx)
{
    struct transfer *t = ctx;
    struct abandoned_options o = {.env = t->set->env,
                                  .destinations = t->set->destinations,
                                  .only = &t->lease.id,
                                  .on_done = on_abandoned,
                                  .ctx = t};

    if (t->report == REPORT_DONE || !abandoned_begin(&o))
        transfer_free(t); /* reconcile ends what is left */
}

/* asked_ms: when Redis was asked (boot time). */
static void remove_spool(struct transfer *t, int64_t asked_ms)
{
    struct removal_order o = {
        .id = &t->lease.id, .asked_ms = asked_ms, .done = on_removed, .ctx = t};

    transfer_set_state(t, TRANSFER_REMOVING);
    if (!removal_begin(t->set->env, &o))
        transfer_free(t); /* reconcile removes them */
}

/* --- replies --- */

void transfer_end_refused(struct transfer *t, const struct err *e)
{
    int64_t held;

    if (log_limit_passes(&t->set->said, e->text, clock_mono_ms(), &held))
        log_error("transfer", "report was refused, the job's lease will run out",
                  LOG_STR("id", t->name), LOG_ERR(e), LOG_JOB(&t->job),
                  log_limit_held(held));
    transfer_free(t);
}

static void tell_end(const struct transfer *t, enum transfer_end end)
{
    static const enum tally_result results[] = {
        [TRANSFER_END_DONE] = TALLY_DONE,
        [TRANSFER_END_CANCELLED] = TALLY_CANCELLED,
        [TRANSFER_END_FAILED] = TALLY_FAILED,
        [TRANSFER_END_DEAD] = TALLY_DEAD,
    };

    tally_end(t->set->env->tally, t->job.to, results[end]);
    if (t->set->on_end)
        t->set->on_end(t, end, t->set->on_end_ctx);
}

void transfer_ended(struct transfer *t, enum queue_answer answer, int64_t sent_ms)
{
    bool done = t->report == REPORT_DONE;

    if (answer != QUEUE_OK) {
        transfer_drop_lost(t);
        return;
    }
    log_info("transfer", done ? "done" : "cancelled", LOG_STR("id", t->name),
             LOG_INT("ms", clock_mono_ms() - t->began_ms),
             LOG_INT("bytes", t->outcome.sent), LOG_STR("to", t->job.to),
             LOG_JOB(&t->job));
    tell_end(t, done ? TRANSFER_END_DONE : TRANSFER_END_CANCELLED);
    remove_spool(t, sent_ms);
}

/* No answer that counts: keep what there is to tell, or give up when Redis refuses it for good. */
static void unanswered(struct transfer *t, enum err_code code, const struct err *e)
{
    if (code == ERR_RETRY || code == ERR_CONFIG)
        transfer_set_state(t, TRANSFER_PARKED);
    else
        transfer_end_refused(t, e);
}

static void log_failed(const struct transfer *t, bool dead)
{
    if (dead)
        log_error("transfer", "dead", LOG_STR("id", t->name),
                  LOG_STR("class", t->outcome.error_class),
                  LOG_INT("attempt", t->job.attempts),
                  LOG_STR("error", t->outcome.error), LOG_JOB(&t->job));
    else
        log_warn("transfer", "failed", LOG_STR("id", t->name),
                 LOG_STR("class", t->outcome.error_class),
                 LOG_INT("attempt", t->job.attempts), LOG_INT("retry_ms", t->retry_ms),
                 LOG_STR("error", t->outcome.error), LOG_JOB(&t->job));
}

static void log_told(const struct transfer *t, enum queue_answer answer)
{
    if (answer == QUEUE_MISSING)
        log_warn("transfer", "gone: its record was deleted", LOG_STR("id", t->name),
                 LOG_STR("error", t->outcome.error), LOG_JOB(&t->job));
    else if (t->report == REPORT_FAIL)
        log_failed(t, answer == QUEUE_CONFLICT);
    else
        log_info("transfer", "released", LOG_STR("id", t->name), LOG_JOB(&t->job));
}

/* The answer to fail or release. */
static void answered(struct transfer *t, enum queue_answer answer, int64_t sent_ms)
{
    if (answer == QUEUE_LOST) {
        transfer_drop_lost(t);
        return;
    }
    if (answer == QUEUE_CANCELLED) {
        log_info("transfer", "cancelled", LOG_STR("id", t->name), LOG_JOB(&t->job));
        tell_end(t, TRANSFER_END_CANCELLED);
        remove_spool(t, sent_ms);
        return;
    }
    log_told(t, answer);
    if (t->report == REPORT_FAIL && answer != QUEUE_MISSING)
        tell_end(t, answer == QUEUE_CONFLICT ? TRANSFER_END_DEAD : TRANSFER_END_FAILED);
    if (t->report != REPORT_FAIL && answer == QUEUE_OK)
        tally_end(t->set->env->tally, t->job.to, TALLY_RELEASED);
    if (t->report == REPORT_FAIL && answer == QUEUE_OK)
        claimer_expect(t->set->claimer, t->lease.id.queue, t->retry_ms);
    else if (t->hold_ms > 0 && answer == QUEUE_OK)
        claimer_expect(t->set->claimer, t->lease.id.queue, t->hold_ms);
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
        answered(t, answer, r.sent_ms);
    else if (t)
        unanswered(t, code, e);
}

/* --- sending --- */

void transfer_describe_end(const struct transfer *t, struct queue_end *ret_end)
{
    bool done = t->report == REPORT_DONE;
    const struct outcome *o = &t->outcome;

    *ret_end = (struct queue_end){
        .lease = t->lease,
        .state = done ? JOB_DONE : JOB_CANCELLED,
        .url = done ? t->outcome.url : NULL,
        .etag = done ? t->outcome.etag : NULL,
        .sha256 = done && *o->sha256 ? o->sha256 : NULL,
        .out_bytes = done ? o->out_bytes : 0,
        .out_sha256 = done && *o->out_sha256 ? o->out_sha256 : NULL,
        .sandbox = done && *o->sandbox ? o->sandbox : NULL,
        .arrived = t->outcome.arrived,
        .is_told = !job_is_hook(&t->job) && (t->job.callback || t->job.hooks),
        .sent = t->outcome.sent,
        .size = t->job.size,
        .attempts = t->job.attempts,
        .had_error = true /* a wish to cancel may stand there that no beat has told */
    };
}

static void build_fail(const struct transfer *t, struct redis_cmd *cmd)
{
    struct queue_fail f = {.lease = t->lease,
                           .error =
                               t->outcome.detail ? t->outcome.detail : t->outcome.error,
                           .error_class = t->outcome.error_class,
                           .sandbox = *t->outcome.sandbox ? t->outcome.sandbox : NULL,
                           .retry_ms = t->retry_ms,
                           .sent = t->outcome.sent,
                           .arrived = t->outcome.arrived};

    queue_fail_cmd(cmd, &f, &t->set->env->self);
}

/* Fail or release. */
static void send_report(struct transfer *t, struct report *r)
{
    const struct worker_env *env = t->set->env;
    struct redis_cmd cmd;

    *r = (struct report){.set = t->set,
                         .index = t->index,
                         .serial = t->serial,
                         .sent_ms = clock_boot_ms()};
    redis_cmd_init(&cmd);
    if (t->report == REPORT_FAIL)
        build_fail(t, &cmd);
    else
        queue_release_arrived_cmd(&cmd, &t->lease, &env->self,
                                  t->report == REPORT_RELEASE ? 0
                                  : t->hold_ms > 0            ? t->hold_ms
                                                              : RELEASE_LATER_MS,
                                  t->outcome.arrived);
    redis_async_send(env->redis, &cmd, 0, on_answer, r);
    redis_cmd_release(&cmd);
}

/* Only the first report after a run has an attempt to end. */
static void end_trace(struct transfer *t)
{
    bool failed = t->report == REPORT_FAIL;
    struct tracer_end end = {.job = &t->job,
                             .bytes = t->outcome.sent,
                             .error_class = failed ? t->outcome.error_class : NULL,
                             .error = failed ? t->outcome.error : NULL};

    if (t->trace.start_ms > 0)
        tracer_end(t->set->tracer, &t->trace, &end);
}

void transfer_report(struct transfer *t, enum transfer_report report)
{
    struct report *r = NULL;

    flow_job_end(&t->flow);
    t->report = report;
    end_trace(t);
    if (report == REPORT_DONE || report == REPORT_CANCELLED) {
        transfer_set_state(t, TRANSFER_REPORTING);
        claimer_end(t->set->claimer, t);
        return;
    }
    if (redis_async_is_ready(t->set->env->redis))
        r = malloc(sizeof *r);
    transfer_set_state(t, r ? TRANSFER_REPORTING : TRANSFER_PARKED);
    if (!r)
        return;
    send_report(t, r);
    claimer_slot_free(t->set->claimer);
}
