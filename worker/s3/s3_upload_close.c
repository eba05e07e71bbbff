#include "worker/s3/s3_upload_internal.h"

#include <stdlib.h>

#include "shared/log.h"

bool s3_upload_begin_clear(struct s3_upload *u,
                           void (*done)(const struct s3_answer *a, void *ctx))
{
    const struct parts_journal *j = &u->journal.found;
    struct parts_journal_upload own = {.id = u->id};
    struct s3_clear_order o = {.bucket = j->bucket ? j->bucket : u->head.bucket,
                               .key = j->key ? j->key : u->head.key,
                               .uploads = j->uploads,
                               .upload_count = j->upload_count,
                               .list = parts_journal_is_unsure(j) || u->journal.damaged,
                               .done = done,
                               .ctx = u};

    if (u->only_own) {
        o.uploads = &own;
        o.upload_count = 1;
        o.list = false;
    }
    u->clear = s3_clear_begin(u->dest, &o);
    return u->clear != NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct s3_upload *u = handle->data;
    void (*closed)(void *) = u->closed;
    void *ctx = u->o.ctx;

    if (--u->open_handles > 0)
        return;
    s3_upload_release_parts(u);
    s3_journal_release(&u->journal);
    buf_release(&u->key);
    buf_release(&u->body);
    free(u);
    closed(ctx);
}

static void finish(struct s3_upload *u)
{
    uv_close((uv_handle_t *)&u->tick, on_closed);
    uv_close((uv_handle_t *)&u->later, on_closed);
}

static void on_removed(enum err_code code, const struct err *e, void *ctx)
{
    if (code != ERR_OK)
        log_warn("s3_upload", "a journal stays until reconcile", LOG_ERR(e));
    finish(ctx);
}

static void on_cleared(const struct s3_answer *a, void *ctx)
{
    struct s3_upload *u = ctx;

    u->clear = NULL;
    if (a->verdict != S3_DONE)
        log_info("s3_upload", "an upload in parts is left to reconcile",
                 LOG_STR("key", u->head.key), LOG_STR("error", a->error));
    if (a->verdict == S3_DONE && !u->only_own)
        s3_journal_remove(&u->journal, on_removed, u);
    else
        finish(u);
}

static bool has_something(const struct s3_upload *u)
{
    const struct parts_journal *j = &u->journal.found;

    for (size_t i = 0; i < j->upload_count; i++)
        if (!j->uploads[i].gone)
            return true;
    return parts_journal_is_unsure(j) || u->journal.damaged;
}

void s3_upload_close_step(struct s3_upload *u)
{
    /* Once the lease has run out the journal may be another owner's. */
    bool clears =
        u->only_own || (u->end == S3_UPLOAD_CLEAR && !destination_is_late(u->o.work));

    if (s3_upload_has_calls(u) || u->call || u->clear || u->journal.busy ||
        uv_is_closing((uv_handle_t *)&u->tick))
        return;
    if (!clears || u->cleared || !u->journal_read || u->hurried) {
        finish(u);
        return;
    }
    u->cleared = true;
    if (!has_something(u) && !u->only_own)
        s3_journal_remove(&u->journal, on_removed, u);
    else if (!s3_upload_begin_clear(u, on_cleared))
        finish(u);
}

void s3_upload_close(struct s3_upload *u, enum s3_upload_end end,
                     void (*closed)(void *ctx))
{
    u->closing = true;
    u->end = end;
    u->closed = closed;
    (void)uv_timer_stop(&u->tick);
    s3_upload_stop_parts(u);
    /* A request to create is waited for: what it made could not be found yet, were it cancelled. */
    if (u->call && (u->state != S3_UPLOAD_OPENING || end == S3_UPLOAD_KEEP))
        s3_call_cancel(u->call);
    if (u->clear)
        s3_clear_cancel(u->clear);
    s3_upload_close_step(u);
}

void s3_upload_hurry(struct s3_upload *u)
{
    u->hurried = true;
    if (u->call)
        s3_call_cancel(u->call);
    if (u->clear)
        s3_clear_cancel(u->clear);
}
