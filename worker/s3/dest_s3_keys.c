#include "worker/s3/dest_s3_internal.h"

#include <string.h>

enum { HOLD_MIN_MS = 100 };

/* Nothing can be signed now, which is no fault of the job. */
static void hold(struct destination_run *run)
{
    struct credentials *c = run->dest->credentials;
    int64_t hold_ms = credentials_hold_ms(c);

    outcome_fail(&run->outcome, RETRY_REFRESH, "%s", credentials_error(c));
    run->outcome.hold_ms = hold_ms > HOLD_MIN_MS ? hold_ms : HOLD_MIN_MS;
    flow_pause(run->dest->base.flow, run->outcome.hold_ms, credentials_error(c));
    dest_s3_deliver_later(run);
}

bool dest_s3_can_sign(const struct destination_run *run)
{
    return credentials_hold_ms(run->dest->credentials) == 0;
}

/* The newest keys are refused, too. */
static void give_up(struct destination_run *run)
{
    if (credentials_pause(run->dest->credentials, run->generation, run->refusal)) {
        hold(run);
        return;
    }
    outcome_fail(&run->outcome, RETRY_CONFIG, "%s", run->refusal);
    dest_s3_deliver_later(run);
}

static void on_keys(void *ctx)
{
    struct destination_run *run = ctx;

    if (run->refreshed &&
        run->generation == credentials_generation(run->dest->credentials))
        give_up(run); /* no others came */
    else if (dest_s3_can_sign(run))
        run->then(run);
    else
        hold(run);
}

static void await(struct destination_run *run,
                  void (*then)(struct destination_run *run))
{
    run->then = then;
    run->wait.done = on_keys;
    run->wait.ctx = run;
    credentials_await(run->dest->credentials, &run->wait);
}

void dest_s3_with_keys(struct destination_run *run,
                       void (*then)(struct destination_run *run))
{
    if (dest_s3_can_sign(run))
        then(run);
    else
        await(run, then);
}

bool dest_s3_refused(struct destination_run *run, const struct s3_answer *a,
                     void (*again)(struct destination_run *run))
{
    if (a->class != RETRY_REFRESH)
        return false;
    memcpy(run->refusal, a->error, sizeof run->refusal);
    if (run->refreshed ||
        !credentials_refuse(run->dest->credentials, run->generation)) {
        give_up(run);
        return true;
    }
    run->refreshed = true;
    await(run, again);
    return true;
}

bool dest_s3_stop_waiting(struct destination_run *run)
{
    if (!run->wait.link)
        return false;
    credentials_forget(&run->wait);
    dest_s3_deliver_later(run);
    return true;
}
