#include "tests/torture/scenario.h"

#include "shared/clock.h"
#include "shared/queue.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORK_MS = 700, RECOVERY_MS = 6000, GATE_MS = 400 };

static void die(const struct err *e)
{
    fprintf(stderr, "torture: %s\n", e->text);
    abort();
}

static char *copy(const char *text)
{
    char *made = strdup(text);

    if (!made)
        abort();
    return made;
}

/* Into the spool and the queue, as the responder does. */
static struct upload *put(struct run *run, size_t size, const char *to)
{
    static char body[UPLOAD_SIZE_MAX];
    struct upload *u = ledger_add(run->ledger, run->number, size);
    struct spool_upload s = SPOOL_UPLOAD_INIT;
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    enum queue_answer answer;

    upload_fill(u, body);
    (void)snprintf(j.id.queue, sizeof j.id.queue, "default");
    j.priority = 5;
    j.max_attempts = 10;
    j.source = copy("spool");
    j.to = copy(to);
    j.key = copy(u->name);
    j.name = copy(u->name);
    if (spool_begin(run->rig->spool, &s, &e) != ERR_OK ||
        spool_write(run->rig->spool, &s, body, size, &e) != ERR_OK ||
        spool_commit(run->rig->spool, &s, &j, 1, &e) != ERR_OK ||
        queue_enqueue(run->rig->client, &j, &answer, &e) != ERR_OK)
        die(&e);
    u->id = j.id;
    u->told = TOLD_ACCEPTED;
    u->may_be_dead = true; /* an error may be one that no other attempt would mend */
    u->in_s3 = strcmp(to, "s3") == 0;
    job_release(&j);
    return u;
}

/* A job's field in Redis; the caller frees. */
static char *field(struct rig *rig, const struct job_id *id, const char *name)
{
    char key[128];

    (void)snprintf(key, sizeof key, "hoist:{%s}:job:%s", id->queue, id->uuid.text);
    return redis_fixture_ask(&rig->redis, "HGET", key, name, NULL);
}

static bool is_in_state(struct rig *rig, const struct upload *u, const char *states)
{
    char *state = field(rig, &u->id, "state");
    bool is = state[0] && strstr(states, state);

    free(state);
    return is;
}

static bool has_ended(struct rig *rig, const struct upload *u)
{
    return is_in_state(rig, u, "done dead cancelled");
}

static bool was_tried(struct rig *rig, const struct upload *u)
{
    char *error = field(rig, &u->id, "error");
    bool was = error[0] != '\0';

    free(error);
    return was || has_ended(rig, u);
}

static void cancel(struct rig *rig, struct upload *u)
{
    struct redis_cmd cmd;
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;
    enum queue_answer answer = QUEUE_OK;
    char state[QUEUE_STATE_SIZE];

    redis_cmd_init(&cmd);
    queue_cancel_cmd(&cmd, &u->id, 60000);
    if (redis_call(rig->client, &cmd, &reply, &e) != ERR_OK ||
        queue_parse_answer(reply, &answer, state, &e) != ERR_OK)
        die(&e);
    u->cancel_sent = true;
    /* RUNNING: it may still be done before its worker hears of it. */
    u->cancel = answer == QUEUE_OK ? TOLD_ACCEPTED : TOLD_NOTHING;
    redis_reply_free(reply);
    redis_cmd_release(&cmd);
}

/* Before the worker is there. */
void worker_prepare(struct run *run)
{
    (void)mkdir(run->rig->late.path, 0755); /* it may be there */
    s3_faulty_open_gate(run->rig->s3);
}

static void work_files(struct run *run, struct spawn *s)
{
    struct rig *rig = run->rig;

    if (rmdir(rig->late.path) < 0)
        die(&(struct err){.text = "the directory of destination late holds something"});
    struct upload *plain = put(run, 70000, "default");
    struct upload *failing = put(run, 3000, "late");
    struct upload *stopped = put(run, 5000, "default");
    cancel(rig, stopped);
    (void)WAIT_UNTIL(was_tried(rig, failing) || !spawn_is_running(s), WORK_MS);
    if (mkdir(rig->late.path, 0755) < 0)
        die(&(struct err){.text = "cannot make the directory of destination late"});
    (void)WAIT_UNTIL((has_ended(rig, plain) && has_ended(rig, failing)) ||
                         !spawn_is_running(s),
                     WORK_MS);
}

static void work_s3(struct run *run, struct spawn *s)
{
    struct rig *rig = run->rig;

    s3_faulty_close_gate(rig->s3);
    struct upload *stopped = put(run, 5000, "s3");
    (void)WAIT_UNTIL(s3_faulty_waiting(rig->s3) > 0 || !spawn_is_running(s), GATE_MS);
    cancel(rig, stopped);
    s3_faulty_open_gate(rig->s3);
    s3_faulty_push(rig->s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                              .status = 503,
                                              .code = "ServiceUnavailable"});
    struct upload *failing = put(run, 3000, "s3");
    struct upload *plain = put(run, 70000, "s3");
    (void)WAIT_UNTIL((has_ended(rig, plain) && has_ended(rig, failing)) ||
                         !spawn_is_running(s),
                     WORK_MS);
}

void worker_work(struct run *run, struct verdict *v, struct spawn *s)
{
    (void)v;
    if (run->program == PROGRAM_WORKER)
        work_files(run, s);
    else
        work_s3(run, s);
}

/* It does another job, and all others have ended. */
bool worker_recovers(struct run *run)
{
    struct upload *u = put(run, 100, run->program == PROGRAM_WORKER ? "default" : "s3");

    u->may_be_dead = false;
    if (!WAIT_UNTIL(has_ended(run->rig, u), RECOVERY_MS) ||
        !is_in_state(run->rig, u, "done"))
        return false;
    for (size_t i = 0; i < run->ledger->count; i++)
        if (!WAIT_UNTIL(has_ended(run->rig, &run->ledger->uploads[i]), RECOVERY_MS)) {
            char *state = field(run->rig, &run->ledger->uploads[i].id, "state");
            printf("  %s is still '%s'\n", run->ledger->uploads[i].name, state);
            free(state);
            return false;
        }
    return true;
}

/* Everything that is in the queue has ended: what is left are dead jobs. */
static bool is_quiet(struct rig *rig, int *ret_dead)
{
    int64_t live = 0;
    static const char *const sets[] = {"hoist:{default}:ready", "hoist:{default}:later",
                                       "hoist:{default}:leased",
                                       "hoist:{default}:groups"};

    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        char *type = redis_fixture_ask(&rig->redis, "TYPE", sets[i], NULL);
        const char *count = strcmp(type, "zset") == 0   ? "ZCARD"
                            : strcmp(type, "hash") == 0 ? "HLEN"
                            : strcmp(type, "set") == 0  ? "SCARD"
                                                        : NULL;
        live += count ? redis_fixture_ask_int(&rig->redis, count, sets[i], NULL) : 0;
        free(type);
    }
    int64_t dead =
        redis_fixture_ask_int(&rig->redis, "ZCARD", "hoist:{default}:dead", NULL);
    *ret_dead = (int)dead;
    return live == 0 && rig_count(rig, "spool/jobs") == 2 * (size_t)dead;
}

bool jobs_end(struct rig *rig, int deadline_ms, int *ret_dead)
{
    return WAIT_UNTIL(is_quiet(rig, ret_dead), deadline_ms);
}
