#include "worker/queue/maintenance.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/metrics/tally.h"
#include "worker/queue/removal.h"

struct round {
    const struct worker_env *env;
    char queue[ID_QUEUE_MAX + 1];
    size_t outstanding;
    bool changed;
    void (*done)(const char *queue, bool changed, void *ctx);
    void *ctx;
};

/* One command of a round; the round is freed with the last of them. */
struct step {
    struct round *round;
    struct job_id id;
    int64_t sent_ms; /* boot time */
    bool reap;
};

static void log_reaped(const struct job_id *id, enum queue_answer answer,
                       const char *state)
{
    char text[ID_JOB_MAX + 1];
    const char *name = text;

    id_format_job(id, text);
    if (answer == QUEUE_CONFLICT && strcmp(state, "dead") == 0)
        log_error("reaper", "dead: its workers kept dying", LOG_STR("id", name));
    else
        log_warn("reaper", "lease ran out, taken back", LOG_STR("id", name),
                 LOG_STR("state", answer == QUEUE_OK ? "waiting" : state));
}

static void moved(const struct step *step, enum queue_answer answer, const char *state)
{
    step->round->changed = true;
    if (step->reap) {
        tally_reaped(step->round->env->tally);
        log_reaped(&step->id, answer, state);
    }
    if (answer == QUEUE_CONFLICT && strcmp(state, "cancelled") == 0)
        (void)removal_begin(
            step->round->env, /* or reconcile */
            &(struct removal_order){.id = &step->id, .asked_ms = step->sent_ms});
}

static void on_step(enum err_code code, const struct redis_value *reply,
                    const struct err *e, void *ctx)
{
    struct step step = *(struct step *)ctx;
    struct round *round = step.round;
    enum queue_answer answer = QUEUE_MISSING;
    struct err parse = ERR_INIT;
    char state[QUEUE_STATE_SIZE] = "";

    free(ctx);
    if (code == ERR_OK) {
        code = queue_parse_answer(reply, &answer, state, &parse);
        e = &parse;
    }
    if (code == ERR_OK && answer != QUEUE_MISSING) {
        moved(&step, answer, state);
    } else if (code != ERR_OK && code != ERR_RETRY) {
        log_error("reaper", step.reap ? "reap was refused" : "promote was refused",
                  LOG_STR("queue", round->queue), LOG_STR("uuid", step.id.uuid.text),
                  LOG_ERR(e));
    }
    if (--round->outstanding > 0)
        return;
    round->done(round->queue, round->changed, round->ctx);
    free(round);
}

static void send_step(struct round *round, const struct uuid *uuid, bool reap)
{
    struct step *step = calloc(1, sizeof *step);
    struct redis_cmd cmd;

    if (!step)
        return; /* the next look finds it again */
    step->round = round;
    step->reap = reap;
    step->sent_ms = clock_boot_ms();
    step->id.uuid = *uuid;
    memcpy(step->id.queue, round->queue, sizeof step->id.queue);
    redis_cmd_init(&cmd);
    if (reap)
        queue_reap_cmd(&cmd, &step->id,
                       env_queue(round->env, round->queue)->max_crashes);
    else
        queue_promote_cmd(&cmd, &step->id);
    round->outstanding++;
    redis_async_send(round->env->redis, &cmd, 0, on_step, step);
    redis_cmd_release(&cmd);
}

bool maintenance_run(const struct worker_env *env, const char *queue,
                     const struct queue_claimed *claimed,
                     void (*done)(const char *queue, bool changed, void *ctx),
                     void *ctx)
{
    if (claimed->due_count + claimed->expired_count == 0)
        return false;
    struct round *round = calloc(1, sizeof *round);
    if (!round)
        return false; /* the next look finds it all again */
    round->env = env;
    round->done = done;
    round->ctx = ctx;
    (void)memccpy(round->queue, queue, '\0', sizeof round->queue - 1);
    for (size_t i = 0; i < claimed->due_count; i++)
        send_step(round, &claimed->due[i], false);
    for (size_t i = 0; i < claimed->expired_count; i++)
        send_step(round, &claimed->expired[i], true);
    if (round->outstanding > 0)
        return true;
    free(round);
    return false;
}
