#include "shared/queue_internal.h"

#include "shared/cleanup.h"
#include "shared/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The keys of a queue in the order of lib.lua; those of jobs follow. */
static const char *const queue_keys[] = {
    "ready",  "later",   "leased", "owner", "wake",    "done",    "dead",   "stats",
    "events", "fence",   "conf",   "seq",   "grouped", "groups",  "slots",  "behind",
    "unique", "batches", "timers", "rate",  "claims",  "minutes", "outbox", "none",
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

void queue_begin(struct redis_cmd *c, const struct redis_script *s, const char *queue,
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
    queue_begin(c, s, id->queue, 1);
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

int64_t queue_number(int64_t n)
{
    return n < 0 ? 0 : n > number_max ? number_max : n;
}

void queue_add_number(struct redis_cmd *c, int64_t n)
{
    redis_cmd_add_int(c, queue_number(n));
}

static void add_batch_size(struct redis_cmd *c, size_t n)
{
    redis_cmd_add_int(c, n > QUEUE_BATCH_MAX ? QUEUE_BATCH_MAX : (int64_t)n);
}

/* What every call of a worker for many jobs begins with. */
static void begin_turn(struct redis_cmd *c, const struct queue_worker *w, uint64_t turn,
                       size_t want)
{
    redis_cmd_add_str(c, w->id);
    redis_cmd_add_int(c, (int64_t)turn);
    queue_add_number(c, w->lease_ms);
    add_batch_size(c, want);
}

/* --- the worker --- */

void queue_claim_cmd(struct redis_cmd *c, const char *queue,
                     const struct queue_worker *w, uint64_t turn, size_t want)
{
    queue_begin(c, &queue_script_claim, queue, 0);
    begin_turn(c, w, turn, want);
}

void queue_wait_cmd(struct redis_cmd *c, const char *const *queues, size_t count,
                    double seconds)
{
    redis_cmd_begin(c, "BZPOPMIN");
    for (size_t i = 0; i < count; i++)
        queue_add_key(c, queues[i], "wake");
    redis_cmd_add_format(c, "%.3f", seconds);
}

void queue_start_cmds(struct redis_cmd *cmds, const struct queue_lease *leases,
                      size_t count, const struct queue_worker *w)
{
    queue_begin(&cmds[0], &queue_script_start, leases[0].id.queue, 0);
    redis_cmd_add_str(&cmds[0], w->id);
    for (size_t i = 0; i < count; i++) {
        redis_cmd_add_str(&cmds[0], leases[i].id.uuid.text);
        redis_cmd_add_int(&cmds[0], leases[i].token);
        redis_cmd_begin(&cmds[1 + i], "HGETALL");
        queue_add_job_key(&cmds[1 + i], &leases[i].id);
    }
}

void queue_begun_cmd(struct redis_cmd *c, const struct queue_lease *l,
                     const struct queue_worker *w)
{
    begin_leased(c, &queue_script_begun, l, w);
}

static void add_text(struct redis_cmd *c, const char *text)
{
    redis_cmd_add_str(c, text ? text : "");
}

void queue_beat_cmd(struct redis_cmd *c, const char *queue,
                    const struct queue_worker *w, const struct queue_beat *beats,
                    size_t count)
{
    queue_begin(c, &queue_script_beat, queue, count);
    for (size_t i = 0; i < count; i++)
        queue_add_job_key(c, &beats[i].lease.id);
    redis_cmd_add_str(c, w->id);
    queue_add_number(c, w->lease_ms);
    for (size_t i = 0; i < count; i++) {
        redis_cmd_add_str(c, beats[i].lease.id.uuid.text);
        redis_cmd_add_int(c, beats[i].lease.token);
        queue_add_number(c, beats[i].sent);
        add_text(c, beats[i].arrived);
        add_text(c, beats[i].phase);
        queue_add_number(c, beats[i].rate);
        queue_add_number(c, beats[i].parts);
        queue_add_number(c, beats[i].parts_done);
    }
}

static void add_end(struct redis_cmd *c, const struct queue_end *end)
{
    bool converted = end->out_bytes > 0 || end->out_sha256 || end->sandbox;
    bool whole = end->state == JOB_DONE && (end->sent == end->size || converted);
    bool more = !whole || end->url || end->etag || end->had_error || end->sha256;

    redis_cmd_add_str(c, end->lease.id.uuid.text);
    redis_cmd_add_int(c, end->lease.token);
    redis_cmd_add_str(c, job_state_name(end->state));
    queue_add_number(c, end->attempts);
    queue_add_number(c, end->size);
    bool most = converted || end->arrived || end->is_told;
    redis_cmd_add_str(c, end->is_told ? "3" : most ? "2" : more ? "1" : "");
    if (!more && !most)
        return;
    if (whole && !end->sha256)
        redis_cmd_add_str(c, ""); /* that is what done means */
    else
        queue_add_number(c, end->sent);
    add_text(c, end->url);
    add_text(c, end->etag);
    redis_cmd_add_str(c, end->had_error ? "1" : "");
    add_text(c, end->sha256);
    if (!most)
        return;
    if (converted)
        queue_add_number(c, end->out_bytes);
    else
        redis_cmd_add_str(c, "");
    add_text(c, end->out_sha256);
    add_text(c, end->sandbox);
    add_text(c, end->arrived);
}

void queue_finish_cmd(struct redis_cmd *c, const struct queue_finish *f,
                      const struct queue_worker *w)
{
    queue_begin(c, &queue_script_finish, f->ends[0].lease.id.queue, f->count);
    for (size_t i = 0; i < f->count; i++)
        queue_add_job_key(c, &f->ends[i].lease.id);
    begin_turn(c, w, f->turn, f->want);
    queue_add_number(c, f->keep_ms);
    queue_add_number(c, f->keep_count);
    for (size_t i = 0; i < f->count; i++)
        add_end(c, &f->ends[i]);
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
        queue_add_number(c, f->retry_ms);
    queue_add_number(c, f->sent);
    redis_cmd_add(c, error, error_length(error));
    redis_cmd_add_str(c, f->error_class ? f->error_class : "");
    add_text(c, f->sandbox);
    add_text(c, f->arrived);
}

void queue_release_cmd(struct redis_cmd *c, const struct queue_lease *l,
                       const struct queue_worker *w, int64_t delay_ms)
{
    queue_release_arrived_cmd(c, l, w, delay_ms, NULL);
}

void queue_release_arrived_cmd(struct redis_cmd *c, const struct queue_lease *l,
                               const struct queue_worker *w, int64_t delay_ms,
                               const char *arrived)
{
    begin_leased(c, &queue_script_release, l, w);
    queue_add_number(c, delay_ms);
    add_text(c, arrived);
}

void queue_promote_cmd(struct redis_cmd *c, const struct job_id *id)
{
    begin_job(c, &queue_script_promote, id);
}

void queue_promote_now_cmd(struct redis_cmd *c, const struct job_id *id)
{
    queue_promote_cmd(c, id);
    redis_cmd_add_str(c, "now");
}

void queue_reap_cmd(struct redis_cmd *c, const struct job_id *id, int64_t max_crashes)
{
    begin_job(c, &queue_script_reap, id);
    queue_add_number(c, max_crashes);
}

/* --- steering, looking --- */

void queue_take_out_cmd(struct redis_cmd *c, const struct job_id *id, int64_t keep_ms)
{
    queue_cancel_cmd(c, id, keep_ms);
    redis_cmd_add_str(c, "1");
}

void queue_cancel_cmd(struct redis_cmd *c, const struct job_id *id, int64_t keep_ms)
{
    begin_job(c, &queue_script_cancel, id);
    queue_add_number(c, keep_ms);
}

void queue_retry_cmd(struct redis_cmd *c, const struct job_id *id)
{
    begin_job(c, &queue_script_retry, id);
}

void queue_again_cmd(struct redis_cmd *c, const struct job_id *id, int64_t ended)
{
    queue_retry_cmd(c, id);
    queue_add_number(c, ended);
}

void queue_reprioritize_cmd(struct redis_cmd *c, const struct job_id *id,
                            int64_t priority)
{
    begin_job(c, &queue_script_reprioritize, id);
    queue_add_number(c, priority < JOB_PRIORITY_MAX ? priority : JOB_PRIORITY_MAX);
}

void queue_configure_cmds(struct redis_cmd c[static 2], const char *queue,
                          const char *field, const char *value)
{
    redis_cmd_begin(&c[0], value ? "HSET" : "HDEL");
    queue_add_key(&c[0], queue, "conf");
    redis_cmd_add_str(&c[0], field);
    if (value)
        redis_cmd_add_str(&c[0], value);
    redis_cmd_begin(&c[1], "ZADD");
    queue_add_key(&c[1], queue, "wake");
    redis_cmd_add_str(&c[1], "0");
    redis_cmd_add_str(&c[1], "0");
}

void queue_batch_cmd(struct redis_cmd *c, const char *queue, const struct uuid *batch,
                     bool open)
{
    queue_begin(c, &queue_script_batch, queue, 0);
    redis_cmd_add_str(c, batch->text);
    redis_cmd_add_str(c, open ? "open" : "close");
}

void queue_open_batch_cmd(struct redis_cmd *c, const char *queue,
                          const struct uuid *batch, const char *callback,
                          const char *owner)
{
    queue_batch_cmd(c, queue, batch, true);
    redis_cmd_add_str(c, callback ? callback : "");
    redis_cmd_add_str(c, owner ? owner : "");
}

void queue_show_batch_cmd(struct redis_cmd *c, const char *queue,
                          const struct uuid *batch)
{
    redis_cmd_begin(c, "HMGET");
    queue_add_key(c, queue, "batches");
    redis_cmd_add_str(c, batch->text);
    redis_cmd_add_format(c, "%s:callback", batch->text);
}

void queue_show_cmds(struct redis_cmd c[static 2], const struct job_id *id)
{
    redis_cmd_begin(&c[0], "HGET");
    queue_add_key(&c[0], id->queue, "owner");
    redis_cmd_add_str(&c[0], id->uuid.text);
    redis_cmd_begin(&c[1], "HGETALL");
    queue_add_job_key(&c[1], id);
}

void queue_status_cmd(struct redis_cmd *c, const char *queue)
{
    queue_begin(c, &queue_script_status, queue, 0);
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
    redis_cmd_add_str(&c[1], "host");
    redis_cmd_add_str(&c[1], host);
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

enum err_code queue_show(struct redis *r, const struct job_id *id, struct job *ret_job,
                         bool *ret_missing, struct err *e)
{
    struct redis_cmd cmds[2];
    struct redis_value *replies[2] = {NULL, NULL};

    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    queue_show_cmds(cmds, id);
    enum err_code rc = redis_pipeline(r, cmds, 2, replies, e);
    if (rc == ERR_OK)
        rc = queue_parse_show(replies[0], replies[1], id, ret_job, ret_missing, e);
    for (size_t i = 0; i < 2; i++) {
        redis_reply_free(replies[i]);
        redis_cmd_release(&cmds[i]);
    }
    return rc;
}
