#include "tests/integration/queue_model_run.h"

#include "tests/integration/queue_harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Names --- */

struct job_id model_job_id(int job)
{
    struct job_id id = {.queue = "q"};

    (void)snprintf(id.uuid.text, sizeof id.uuid.text, "01930000-0000-7000-8000-%012x",
                   (unsigned)job);
    return id;
}

static struct uuid batch_id(int batch)
{
    struct uuid id;

    (void)snprintf(id.text, sizeof id.text, "0193ba7c-0000-7000-8000-%012x",
                   (unsigned)batch);
    return id;
}

int model_job_of(const char *uuid)
{
    return (int)strtol(uuid + ID_UUID_LEN - 12, NULL, 16);
}

struct model_name model_worker_name(const struct model_run *run, int worker)
{
    struct model_name n;

    (void)snprintf(n.text, sizeof n.text, "w%d-%d", worker,
                   run->model.workers[worker].life);
    return n;
}

/* --- The command of an operation --- */

static void build_entry(struct queue_entry *entry, const struct model_spec *s,
                        int64_t now)
{
    struct job j = new_job(s->priority, s->delay_ms > 0 ? now + s->delay_ms : 0);

    j.id = model_job_id(s->job);
    j.max_attempts = MODEL_ATTEMPTS;
    j.size = s->bytes;
    j.unique_ms = s->key >= 0 ? s->unique_ms : 0;
    if (s->group >= 0)
        j.group = strdup(model_groups[s->group]);
    if (s->parent >= 0)
        j.after = strdup(model_job_id(s->parent).uuid.text);
    if (s->parent >= 0 && s->run_anyway)
        j.after_failure = strdup("run");
    if (s->key >= 0)
        j.unique = strdup(model_keys[s->key]);
    if (s->key >= 0 && s->until_start)
        j.unique_until = strdup("start");
    if (s->batch >= 0)
        j.batch = strdup(batch_id(s->batch).text);
    queue_entry_init(entry, &j);
    job_release(&j);
}

static void build_enqueue(struct redis_cmd *c, const struct model_run *run,
                          const struct model_op *op)
{
    struct queue_entry entries[MODEL_ITEMS];

    for (int i = 0; i < op->count; i++)
        build_entry(&entries[i], &op->specs[i], run->model.now);
    queue_enqueue_cmd(c, entries, (size_t)op->count);
    for (int i = 0; i < op->count; i++)
        queue_entry_release(&entries[i]);
}

struct queue_lease model_lease(const struct model_run *run, int worker, int job)
{
    int64_t token = run->tokens[worker][job];

    return (struct queue_lease){.id = model_job_id(job),
                                .token = token ? token : INT64_C(999999999999)};
}

static void build_finish(struct redis_cmd *c, const struct model_run *run,
                         const struct model_op *op, const struct queue_worker *w,
                         uint64_t turn)
{
    struct queue_end ends[MODEL_ITEMS];

    for (int i = 0; i < op->count; i++) {
        const struct model_job *j = &run->model.jobs[op->jobs[i]];
        bool cancelled = op->number >> i & 1;
        ends[i] = (struct queue_end){
            .lease = model_lease(run, op->worker, op->jobs[i]),
            .state = cancelled ? JOB_CANCELLED : JOB_DONE,
            .url = op->jobs[i] % 2 && !cancelled ? "file:///o/x" : NULL,
            .sent = j->spec.bytes,
            .size = j->spec.bytes,
            .attempts = j->attempts + 1,
            .had_error = j->attempts > 0 || j->cancel,
        };
    }
    queue_finish_cmd(c,
                     &(struct queue_finish){.ends = ends,
                                            .count = (size_t)op->count,
                                            .keep_ms = MODEL_KEEP_MS,
                                            .keep_count = MODEL_KEEP_COUNT,
                                            .turn = turn,
                                            .want = (size_t)op->want},
                     w);
}

static void build_beat(struct redis_cmd *c, const struct model_run *run,
                       const struct model_op *op, const struct queue_worker *w)
{
    struct queue_beat beats[MODEL_ITEMS];

    for (int i = 0; i < op->count; i++)
        beats[i] = (struct queue_beat){
            .lease = model_lease(run, op->worker, op->jobs[i]), .sent = 7};
    queue_beat_cmd(c, "q", w, beats, (size_t)op->count);
}

/* What a worker says of one job. */
static void build_mine(struct redis_cmd *c, const struct model_run *run,
                       const struct model_op *op, const struct queue_worker *w)
{
    struct queue_lease l = model_lease(run, op->worker, op->jobs[0]);

    if (op->kind == MODEL_BEGUN_KEY)
        queue_begun_cmd(c, &l, w);
    else if (op->kind == MODEL_RELEASE)
        queue_release_cmd(c, &l, w, op->ms);
    else
        queue_fail_cmd(c,
                       &(struct queue_fail){.lease = l,
                                            .error = "the store said 503",
                                            .error_class = "store",
                                            .retry_ms = op->ms},
                       w);
}

/* What is said of one job by anybody. */
static void build_steering(struct redis_cmd *c, const struct model_run *run,
                           const struct model_op *op)
{
    struct job_id id = model_job_id(op->jobs[0]);

    if (op->kind == MODEL_PROMOTE && op->value == 1)
        queue_promote_now_cmd(c, &id);
    else if (op->kind == MODEL_PROMOTE)
        queue_promote_cmd(c, &id);
    else if (op->kind == MODEL_REAP)
        queue_reap_cmd(c, &id, MODEL_CRASHES);
    else if (op->kind == MODEL_CANCEL)
        queue_cancel_cmd(c, &id, MODEL_KEEP_MS);
    else if (op->kind == MODEL_RETRY)
        queue_retry_cmd(c, &id);
    else if (op->kind == MODEL_AGAIN)
        queue_again_cmd(c, &id, run->model.jobs[op->jobs[0]].at);
    else
        queue_reprioritize_cmd(c, &id, op->number);
}

void model_set_clock(struct redis_cmd *c, int64_t now)
{
    redis_cmd_begin(c, "SET");
    redis_cmd_add_str(c, "test:now");
    redis_cmd_add_int(c, now);
}

static void build_turn(struct redis_cmd *c, const struct model_run *run,
                       const struct model_op *op, const struct queue_worker *w)
{
    const struct model_worker *said = &run->model.workers[op->worker];
    bool again = op->kind == MODEL_REPEAT;
    const struct model_op *what = again ? &said->last : op;
    uint64_t turn = again ? said->turn : said->turn + 1;

    if (what->kind == MODEL_CLAIM)
        queue_claim_cmd(c, "q", w, turn, (size_t)what->want);
    else
        build_finish(c, run, what, w, turn);
}

void model_build(struct redis_cmd *c, const struct model_run *run,
                 const struct model_op *op)
{
    struct model_name name = model_worker_name(run, op->worker);
    const struct queue_worker w = {.id = name.text, .lease_ms = MODEL_LEASE_MS};
    struct uuid batch = batch_id(op->number);
    struct job_id id = model_job_id(op->jobs[0]);

    switch (op->kind) {
    case MODEL_ENQUEUE:
        build_enqueue(c, run, op);
        break;
    case MODEL_CLAIM:
    case MODEL_FINISH:
    case MODEL_REPEAT:
        build_turn(c, run, op, &w);
        break;
    case MODEL_BEAT:
        build_beat(c, run, op, &w);
        break;
    case MODEL_BEGUN_KEY:
    case MODEL_FAIL:
    case MODEL_RELEASE:
        build_mine(c, run, op, &w);
        break;
    case MODEL_BATCH:
        queue_batch_cmd(c, "q", &batch, op->value == 1);
        break;
    case MODEL_STEP:
        model_set_clock(c, run->model.now + op->ms);
        break;
    case MODEL_EXPIRE:
        redis_cmd_begin(c, "DEL");
        queue_add_job_key(c, &id);
        break;
    default:
        build_steering(c, run, op);
        break;
    }
}
