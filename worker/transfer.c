#include "worker/transfer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "worker/queue/claimer.h"
#include "worker/job_log.h"
#include "worker/metrics/tally.h"

/*
 * A lease is relied upon for four fifths of its length, counted from before the command that renewed it left: at least
 * one more look (beats.c looks each twelfth) falls into the rest.
 */
int64_t transfer_lease_span_ms(const struct worker_env *env)
{
    return env->self.lease_ms - env->self.lease_ms / 5;
}

void transfer_renewed(struct transfer *t, int64_t sent_ms)
{
    atomic_store(&t->lease_end_ms, sent_ms + transfer_lease_span_ms(t->set->env));
}

bool transfer_is_late(struct transfer *t)
{
    if (clock_boot_ms() < atomic_load(&t->lease_end_ms))
        return false;
    log_warn("transfer", "lease could not be renewed, upload stopped",
             LOG_STR("id", t->name), LOG_JOB(&t->job));
    tally_late(t->set->env->tally);
    return true;
}

struct destination_progress transfer_progress(const struct transfer *t)
{
    if (t->run)
        return destination_progress(t->destination, t->run);
    return (struct destination_progress){
        .sent = t->outcome.sent, .total = -1, .arrived = t->outcome.arrived};
}

bool transfer_holds_lease(const struct transfer *t)
{
    return t->state != TRANSFER_REPORTING && t->state != TRANSFER_REMOVING;
}

void transfer_report_aborted(struct transfer *t)
{
    switch (t->abort) {
    case ABORT_LOST:
        transfer_drop_lost(t);
        return;
    case ABORT_CANCEL:
        transfer_report(t, REPORT_CANCELLED);
        return;
    case ABORT_DRAIN:
    case ABORT_DEADLINE:
    case ABORT_NONE:
        transfer_report(t, REPORT_RELEASE);
        return;
    }
}

/* How long a failed job is to wait; -1: no retry can mend it. */
static int64_t retry_wait_ms(const struct transfer *t)
{
    const struct config_queue *q = env_queue(t->set->env, t->lease.id.queue);
    struct retry_policy policy = {.base_ms = q->retry_base_ms,
                                  .cap_ms = q->retry_cap_ms};
    uint64_t random = 0;

    if (t->outcome.class == RETRY_NEVER)
        return -1;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint64_t)clock_mono_us(); /* jitter need not be secret */
    return retry_delay_ms(&policy, t->outcome.class, (uint32_t)t->job.attempts,
                          t->outcome.retry_after_ms, random);
}

static void report_failure(struct transfer *t, struct outcome *o)
{
    t->outcome = *o;
    memset(o, 0, sizeof *o); /* its strings are ours now */
    t->retry_ms = retry_wait_ms(t);
    transfer_report(t, REPORT_FAIL);
}

void transfer_fail_early(struct transfer *t, enum retry_class class, const char *text)
{
    struct outcome o = {0};

    outcome_fail(&o, class, "%s", text);
    report_failure(t, &o);
}

/* Its bytes are not in the spool as they should be, and the object could not be found either. */
static void report_missing(struct transfer *t, struct outcome *o)
{
    struct spool *spool = t->set->env->spool;
    struct err e = ERR_INIT, check = ERR_INIT;
    int fd = -1;
    enum err_code code = spool_open_data(spool, &t->job.id, t->job.size, &fd, &e);

    fd_close(&fd);
    if (code != ERR_REJECT)
        transfer_fail_early(t, RETRY_TRANSIENT, "its bytes were missing for a moment");
    else if (spool_check(spool, &check) != ERR_OK) /* it is not the spool any more */
        transfer_fail_early(
            t, check.code == ERR_CONFIG ? RETRY_CONFIG : RETRY_TRANSIENT, check.text);
    else if (o->absent)
        transfer_fail_early(t, RETRY_NEVER, e.text);
    else {
        char why[sizeof o->error];
        memcpy(why, o->error, sizeof why);
        outcome_fail(o, o->class, "%s; the look at its object: %s", e.text, why);
        report_failure(t, o);
    }
}

/* The destination cannot take anything now, which is no fault of this job: back to the queue, no attempt counted.  What is
 * wrong with it is told once for all (flow.c, credentials). */
static void report_held(struct transfer *t, int64_t hold_ms, const char *why)
{
    log_debug("transfer", "held back", LOG_STR("id", t->name), LOG_STR("why", why),
              LOG_INT("hold_ms", hold_ms), LOG_JOB(&t->job));
    t->hold_ms = hold_ms;
    transfer_report(t, REPORT_RELEASE_LATER);
}

static void on_outcome(struct outcome *o, void *ctx)
{
    struct transfer *t = ctx;
    int64_t hold_ms =
        o->hold_ms > 0 ? o->hold_ms : flow_job_excused_ms(&t->flow, o->class);

    t->run = NULL;
    flow_job_end(&t->flow);
    if (o->done && !t->looking)
        tally_upload(t->set->env->tally, t->job.to,
                     (clock_mono_us() - t->run_us) / 1000, o->sent);
    if (o->done && t->looking)
        log_warn("transfer", "its bytes had gone, its object is there",
                 LOG_STR("id", t->name), LOG_STR("url", o->url), LOG_JOB(&t->job));
    if (o->done && t->abort != ABORT_LOST) {
        t->outcome = *o;
        memset(o, 0, sizeof *o); /* its strings are ours now */
        transfer_report(t, REPORT_DONE);
    } else if (o->done || o->aborted || t->abort != ABORT_NONE) {
        if (t->abort == ABORT_NONE && transfer_is_late(t))
            t->abort = ABORT_DEADLINE; /* the destination saw it first */
        t->outcome.sent = o->sent;
        t->outcome.arrived = TAKE(o->arrived);
        transfer_report_aborted(t);
    } else if (hold_ms > 0) {
        t->outcome.arrived = TAKE(o->arrived);
        report_held(t, hold_ms, o->error);
    } else if (t->looking) {
        report_missing(t, o);
    } else {
        report_failure(t, o);
    }
}

void transfer_run(struct transfer *t)
{
    const struct worker_env *env = t->set->env;
    struct err e = ERR_INIT;
    int fd = -1;

    t->destination = destinations_route(t->set->destinations, &t->job);
    if (!t->destination) {
        transfer_fail_early(t, RETRY_CONFIG, "destination is not configured");
        return;
    }
    struct flow *flow = job_is_hook(&t->job)
                            ? NULL
                            : destinations_flow(t->set->destinations, t->job.to);
    int64_t rest_ms = flow_job_begin(flow, &t->flow);
    claimer_judge(t->set->claimer, t, rest_ms > 0);
    if (rest_ms > 0) {
        report_held(t, rest_ms, "the destination rests");
        return;
    }
    if (job_is_spooled(&t->job) &&
        spool_open_data(env->spool, &t->job.id, t->job.size, &fd, &e) != ERR_OK) {
        if (e.code != ERR_REJECT) {
            transfer_fail_early(t, RETRY_TRANSIENT, e.text);
            return;
        }
        t->looking = true; /* Redis may have forgotten that it was done */
    }
    tracer_begin(t->set->tracer, &t->job, &t->trace);
    struct destination_work work = {.job = &t->job,
                                    .fd = fd,
                                    .only_look = t->looking,
                                    .until_ms = &t->lease_end_ms,
                                    .done = on_outcome,
                                    .ctx = t};
    t->run = destination_begin(t->destination, &work);
    if (!t->run) {
        fd_close(&fd);
        transfer_fail_early(t, RETRY_TRANSIENT, "no memory to begin the upload");
        return;
    }
    transfer_set_state(t, TRANSFER_RUNNING);
    log_debug("transfer", "started", LOG_STR("id", t->name),
              LOG_INT("attempt", t->job.attempts), LOG_STR("to", t->job.to),
              LOG_JOB(&t->job));
}

void transfer_abort(struct transfer *t, enum transfer_abort why)
{
    if (t->abort == ABORT_NONE || why == ABORT_LOST)
        t->abort = why;
    if (t->state == TRANSFER_RUNNING) {
        destination_abort(t->destination, t->run);
    } else if (t->state == TRANSFER_READY) {
        transfer_report_aborted(t);
    } else if (t->state == TRANSFER_PARKED && why == ABORT_LOST) {
        transfer_drop_lost(t);
    }
}
