#include "shared/queue.h"

#include "shared/cleanup.h"
#include "shared/utf8.h"
#include "queue_scripts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The keys of a queue in the order of lib.lua; those of jobs follow. */
static const char *const queue_keys[] = {
    "ready", "later", "leased", "owner", "wake", "done",
    "dead",  "stats", "events", "fence", "conf", "seq",
};
enum { QUEUE_KEYS = sizeof queue_keys / sizeof queue_keys[0] };

/* What the scripts reckon with exactly; more than 30,000 years in ms. */
static const int64_t number_max = INT64_C(999999999999999);

void queue_add_key(struct redis_cmd *c, const char *queue, const char *name)
{
    redis_cmd_add_parts(c, (const char *const[]){"hoist:{", queue, "}:", name, NULL});
}

void queue_add_job_key(struct redis_cmd *c, const struct job_id *id)
{
    redis_cmd_add_parts(
        c, (const char *const[]){"hoist:{", id->queue, "}:job:", id->uuid.text, NULL});
}

static void begin(struct redis_cmd *c, const struct redis_script *s, const char *queue,
                  size_t jobs)
{
    redis_cmd_begin_script(c, s, QUEUE_KEYS + jobs);
    for (size_t i = 0; i < QUEUE_KEYS; i++)
        queue_add_key(c, queue, queue_keys[i]);
}

/* A script about one job: its key, and its uuid as the first argument. */
static void begin_job(struct redis_cmd *c, const struct redis_script *s,
                      const struct job_id *id)
{
    begin(c, s, id->queue, 1);
    queue_add_job_key(c, id);
    redis_cmd_add_str(c, id->uuid.text);
}

/* The same for a worker that holds its lease. */
static void begin_leased(struct redis_cmd *c, const struct redis_script *s,
                         const struct queue_lease *l, const struct queue_worker *w)
{
    begin_job(c, s, &l->id);
    redis_cmd_add_format(c, "%s:%" PRId64, w->id, l->token);
}

static void add_number(struct redis_cmd *c, int64_t n)
{
    redis_cmd_add_int(c, n < 0 ? 0 : n > number_max ? number_max : n);
}

/* --- enqueue --- */

static void add_field(const char *name, const char *value, void *ctx)
{
    redis_cmd_add_str(ctx, name);
    redis_cmd_add_str(ctx, value);
}

void queue_enqueue_cmd(struct redis_cmd *c, const struct job *j)
{
    begin_job(c, &queue_script_enqueue, &j->id);
    add_number(c, j->priority);
    add_number(c, j->due);
    job_encode_hash(j, add_field, c);
}

/* --- the worker --- */

void queue_claim_cmd(struct redis_cmd *c, const char *queue,
                     const struct queue_worker *w, size_t want)
{
    begin(c, &queue_script_claim, queue, 0);
    add_number(c, want > QUEUE_BATCH_MAX ? QUEUE_BATCH_MAX : (int64_t)want);
    add_number(c, w->lease_ms);
    redis_cmd_add_str(c, w->id);
}

void queue_wait_cmd(struct redis_cmd *c, const char *const *queues, size_t count,
                    double seconds)
{
    redis_cmd_begin(c, "BZPOPMIN");
    for (size_t i = 0; i < count; i++)
        queue_add_key(c, queues[i], "wake");
    redis_cmd_add_format(c, "%.3f", seconds);
}

void queue_start_cmd(struct redis_cmd *c, const struct queue_lease *l,
                     const struct queue_worker *w)
{
    begin_leased(c, &queue_script_start, l, w);
    redis_cmd_add_str(c, w->id);
    redis_cmd_add_int(c, l->token);
    add_number(c, w->lease_ms);
}

void queue_beat_cmd(struct redis_cmd *c, const char *queue,
                    const struct queue_worker *w, const struct queue_beat *beats,
                    size_t count)
{
    begin(c, &queue_script_beat, queue, count);
    for (size_t i = 0; i < count; i++)
        queue_add_job_key(c, &beats[i].lease.id);
    add_number(c, w->lease_ms);
    redis_cmd_add_str(c, w->id);
    for (size_t i = 0; i < count; i++) {
        redis_cmd_add_str(c, beats[i].lease.id.uuid.text);
        redis_cmd_add_int(c, beats[i].lease.token);
        add_number(c, beats[i].sent);
    }
}

void queue_finish_cmd(struct redis_cmd *c, const struct queue_finish *f,
                      const struct queue_worker *w)
{
    begin_leased(c, &queue_script_finish, &f->lease, w);
    redis_cmd_add_str(c, w->id);
    add_number(c, w->lease_ms);
    redis_cmd_add_str(c, job_state_name(f->state));
    add_number(c, f->sent);
    add_number(c, f->keep_ms);
    add_number(c, f->keep_count);
    add_number(c, f->want > QUEUE_BATCH_MAX ? QUEUE_BATCH_MAX : (int64_t)f->want);
    redis_cmd_add_str(c, f->url ? f->url : "");
    redis_cmd_add_str(c, f->etag ? f->etag : "");
}

/* At most JOB_ERROR_MAX bytes, cut between characters of UTF-8. */
static size_t error_length(const char *s)
{
    size_t n = strnlen(s, JOB_ERROR_MAX + 1);

    return n <= JOB_ERROR_MAX ? n : utf8_whole(s, JOB_ERROR_MAX);
}

void queue_fail_cmd(struct redis_cmd *c, const struct queue_fail *f,
                    const struct queue_worker *w)
{
    const char *error = f->error ? f->error : "";

    begin_leased(c, &queue_script_fail, &f->lease, w);
    if (f->retry_ms < 0)
        redis_cmd_add_int(c, -1);
    else
        add_number(c, f->retry_ms);
    add_number(c, f->sent);
    redis_cmd_add(c, error, error_length(error));
    redis_cmd_add_str(c, f->error_class ? f->error_class : "");
}

void queue_release_cmd(struct redis_cmd *c, const struct queue_lease *l,
                       const struct queue_worker *w)
{
    begin_leased(c, &queue_script_release, l, w);
}

void queue_promote_cmd(struct redis_cmd *c, const struct job_id *id)
{
    begin_job(c, &queue_script_promote, id);
}

void queue_reap_cmd(struct redis_cmd *c, const struct job_id *id, int64_t max_crashes)
{
    begin_job(c, &queue_script_reap, id);
    add_number(c, max_crashes);
}

/* --- steering, looking --- */

void queue_cancel_cmd(struct redis_cmd *c, const struct job_id *id, int64_t keep_ms)
{
    begin_job(c, &queue_script_cancel, id);
    add_number(c, keep_ms);
}

void queue_retry_cmd(struct redis_cmd *c, const struct job_id *id)
{
    begin_job(c, &queue_script_retry, id);
}

void queue_show_cmd(struct redis_cmd *c, const struct job_id *id)
{
    redis_cmd_begin(c, "HGETALL");
    queue_add_job_key(c, id);
}

void queue_status_cmd(struct redis_cmd *c, const char *queue)
{
    begin(c, &queue_script_status, queue, 0);
}

/* --- the list of queues and workers --- */

void queue_register_queue_cmd(struct redis_cmd *c, const char *queue)
{
    redis_cmd_begin(c, "SADD");
    redis_cmd_add_str(c, "hoist:queues");
    redis_cmd_add_str(c, queue);
}

static void add_pair(struct redis_cmd *c, const char *name, int64_t n)
{
    redis_cmd_add_str(c, name);
    redis_cmd_add_int(c, n);
}

void queue_register_worker_cmds(struct redis_cmd c[static 3],
                                const struct queue_worker *w, const char *host,
                                int64_t pid, int64_t running, int64_t now_ms,
                                int64_t expire_ms)
{
    redis_cmd_begin(&c[0], "ZADD");
    redis_cmd_add_str(&c[0], "hoist:workers");
    redis_cmd_add_int(&c[0], now_ms);
    redis_cmd_add_str(&c[0], w->id);
    redis_cmd_begin(&c[1], "HSET");
    redis_cmd_add_format(&c[1], "hoist:worker:%s", w->id);
    add_field("host", host, &c[1]);
    add_pair(&c[1], "pid", pid);
    add_pair(&c[1], "running", running);
    add_pair(&c[1], "seen", now_ms);
    redis_cmd_begin(&c[2], "PEXPIRE");
    redis_cmd_add_format(&c[2], "hoist:worker:%s", w->id);
    redis_cmd_add_int(&c[2], expire_ms);
}

void queue_unregister_worker_cmds(struct redis_cmd c[static 2],
                                  const struct queue_worker *w)
{
    redis_cmd_begin(&c[0], "ZREM");
    redis_cmd_add_str(&c[0], "hoist:workers");
    redis_cmd_add_str(&c[0], w->id);
    redis_cmd_begin(&c[1], "DEL");
    redis_cmd_add_format(&c[1], "hoist:worker:%s", w->id);
}

/* --- blocking --- */

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

enum err_code queue_enqueue(struct redis *r, const struct job *j,
                            enum queue_answer *ret_answer, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;

    redis_cmd_init(&c);
    queue_enqueue_cmd(&c, j);
    enum err_code rc = redis_call(r, &c, &reply, e);
    return rc == ERR_OK ? queue_parse_answer(reply, ret_answer, NULL, e) : rc;
}

enum err_code queue_show(struct redis *r, const struct job_id *id, struct job *ret_job,
                         bool *ret_missing, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;

    redis_cmd_init(&c);
    queue_show_cmd(&c, id);
    enum err_code rc = redis_call(r, &c, &reply, e);
    if (rc != ERR_OK) {
        if (rc == ERR_REJECT)
            *ret_missing = false; /* WRONGTYPE: there is something, but no record */
        return rc;
    }
    return queue_parse_show(reply, id, ret_job, ret_missing, e);
}
