#include "worker/s3/abandoned.h"

#include <stdlib.h>
#include <string.h>

#include "shared/redis.h"
#include "worker/s3/dest_s3.h"
#include "worker/s3/s3_clear.h"
#include "worker/s3/s3_journal.h"

struct abandoned {
    struct abandoned_options o;
    struct job_id only;
    struct spool_parts_id ids[ABANDONED_MAX];
    size_t count, next;
    struct spool_parts_id after; /* those behind it are listed */
    bool has_after, stopped;
    uv_work_t listing;
    uv_timer_t later;
    struct s3_journal journal;
    bool has_journal;
    struct dest_s3 *dest;
    struct s3_clear *clear;
};

static const struct spool_parts_id *current(const struct abandoned *a)
{
    return &a->ids[a->next];
}

static bool is_only(const struct abandoned *a, const struct spool_parts_id *id)
{
    return strcmp(a->only.queue, id->job.queue) == 0 &&
           strcmp(a->only.uuid.text, id->job.uuid.text) == 0;
}

/* --- going on --- */

static void on_later(uv_timer_t *timer);

static void next(struct abandoned *a)
{
    if (a->has_journal)
        s3_journal_release(&a->journal);
    a->has_journal = false;
    a->next++;
    (void)uv_timer_start(&a->later, on_later, 0, 0);
}

static void tell(struct abandoned *a, enum abandoned_result result, const char *why)
{
    char name[SPOOL_PARTS_NAME];

    spool_parts_name(current(a), name);
    if (a->o.on_result)
        a->o.on_result(name, result, why, a->o.ctx);
    next(a);
}

/* --- one that is abandoned --- */

static void on_removed(enum err_code code, const struct err *e, void *ctx)
{
    tell(ctx, code == ERR_OK ? ABANDONED_CLEARED : ABANDONED_LEFT,
         code == ERR_OK ? "" : e->text);
}

static void on_cleared(const struct s3_answer *answer, void *ctx)
{
    struct abandoned *a = ctx;

    a->clear = NULL;
    if (answer->verdict == S3_DONE)
        s3_journal_remove(&a->journal, on_removed, a);
    else
        tell(a, ABANDONED_LEFT, answer->error);
}

static void on_read(enum err_code code, const struct err *e, void *ctx)
{
    struct abandoned *a = ctx;
    const struct parts_journal *j = &a->journal.found;
    struct s3_clear_order o = {.bucket = j->bucket,
                               .key = j->key,
                               .uploads = j->uploads,
                               .upload_count = j->upload_count,
                               .list = parts_journal_is_unsure(j) || a->journal.damaged,
                               .done = on_cleared,
                               .ctx = a};

    if (code != ERR_OK) {
        tell(a, ABANDONED_LEFT, e->text);
    } else if (a->journal.missing || a->stopped) {
        next(a); /* another was faster, or there is no time */
    } else if (!j->key) {
        tell(a, ABANDONED_LEFT, "its journal cannot be read: remove it by hand");
    } else {
        a->clear = s3_clear_begin(a->dest, &o);
        if (!a->clear)
            tell(a, ABANDONED_LEFT, "no memory to clear it");
    }
}

static void clear(struct abandoned *a)
{
    const struct spool_parts_id *id = current(a);

    a->dest = dest_s3_of(destinations_find(a->o.destinations, id->destination));
    if (a->o.dry_run) {
        tell(a, ABANDONED_CLEARED, "");
    } else if (!a->dest) {
        tell(a, ABANDONED_LEFT, "its destination is not configured");
    } else {
        s3_journal_init(&a->journal, a->o.env->loop, a->o.env->spool, id);
        a->has_journal = true;
        s3_journal_read(&a->journal, on_read, a);
    }
}

/* --- whether it is --- */

/* Redis does not know the job.  One that has a manifest is enqueued again. */
static bool is_gone(const struct abandoned *a)
{
    struct job job = JOB_INIT;
    bool missing = false;
    struct err e = ERR_INIT;
    enum err_code code =
        spool_read_manifest(a->o.env->spool, &current(a)->job, &job, &missing, &e);

    job_release(&job);
    return code != ERR_OK && missing;
}

static void on_state(enum err_code code, const struct redis_value *reply,
                     const struct err *e, void *ctx)
{
    struct abandoned *a = ctx;
    enum job_state state;
    size_t len = 0;
    const char *word = code == ERR_OK ? redis_value_str(reply, &len) : "";

    if (code != ERR_OK)
        tell(a, ABANDONED_LEFT, e->text);
    else if (!a->stopped &&
             (len > 0 ? job_state_parse(word, len, &state) && job_state_is_final(state)
                      : is_gone(a)))
        clear(a);
    else
        next(a);
}

static void ask(struct abandoned *a)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "HGET");
    queue_add_job_key(&cmd, &current(a)->job);
    redis_cmd_add_str(&cmd, "state");
    redis_async_send(a->o.env->redis, &cmd, 0, on_state, a);
    redis_cmd_release(&cmd);
}

/* --- all of them --- */

static void on_closed(uv_handle_t *handle)
{
    struct abandoned *a = handle->data;
    struct abandoned_options o = a->o;

    free(a);
    o.on_done(o.ctx);
}

static void list_on_pool(uv_work_t *work)
{
    struct abandoned *a = work->data;
    struct err e = ERR_INIT;

    a->next = 0;
    if (spool_parts_list(a->o.env->spool, a->has_after ? &a->after : NULL, a->ids,
                         ABANDONED_MAX, &a->count, &e) != ERR_OK)
        a->count = 0; /* another time */
}

static void after_list(uv_work_t *work, int status)
{
    struct abandoned *a = work->data;

    (void)status; /* never cancelled */
    (void)uv_timer_start(&a->later, on_later, 0, 0);
}

static void list(struct abandoned *a)
{
    (void)uv_queue_work(a->o.env->loop, &a->listing, list_on_pool,
                        after_list); /* cannot fail */
}

static void on_later(uv_timer_t *timer)
{
    struct abandoned *a = timer->data;

    while (a->o.only && a->next < a->count && !is_only(a, current(a)))
        a->next++;
    if (a->next < a->count && !a->stopped) {
        ask(a);
    } else if (a->count == ABANDONED_MAX && !a->o.only && !a->stopped) {
        a->after = a->ids[a->count - 1];
        a->has_after = true;
        list(a);
    } else {
        uv_close((uv_handle_t *)timer, on_closed);
    }
}

struct abandoned *abandoned_begin(const struct abandoned_options *o)
{
    struct abandoned *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->o = *o;
    if (o->only) {
        /* A destination's name is never empty, so that this is in front of all of the job. */
        a->only = a->after.job = *o->only;
        a->has_after = true;
        a->o.only = &a->only;
    }
    a->later.data = a->listing.data = a;
    (void)uv_timer_init(o->env->loop, &a->later); /* cannot fail */
    list(a);
    return a;
}

void abandoned_stop(struct abandoned *a)
{
    a->stopped = true;
    if (a->clear)
        s3_clear_cancel(a->clear);
}
