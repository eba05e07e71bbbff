#include "worker/s3/s3_journal.h"

#include "shared/cleanup.h"
#include "shared/log.h"

void s3_journal_init(struct s3_journal *j, uv_loop_t *loop, struct spool *spool,
                     const struct spool_parts_id *id)
{
    *j = (struct s3_journal){.loop = loop,
                             .spool = spool,
                             .id = *id,
                             .found = PARTS_JOURNAL_INIT,
                             .fd = -1,
                             .head = BUF_INIT(PARTS_JOURNAL_LINE_MAX),
                             .lines = BUF_INIT(PARTS_JOURNAL_LINE_MAX),
                             .err = ERR_INIT};
}

void s3_journal_release(struct s3_journal *j)
{
    parts_journal_release(&j->found);
    buf_release(&j->head);
    buf_release(&j->lines);
    fd_close(&j->fd);
}

/* --- on the pool --- */

static enum err_code read_file(struct s3_journal *j, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(PARTS_JOURNAL_MAX);
    bool cut = false;
    enum err_code code =
        spool_parts_read(j->spool, &j->id, &text, &j->missing, &cut, &j->fd, e);

    if (code == ERR_REJECT) {
        j->damaged = !j->missing;
        return ERR_OK;
    }
    if (code != ERR_OK)
        return code;
    j->damaged = cut;
    return parts_journal_parse(text.data, text.len, &j->found, e);
}

static enum err_code append(struct s3_journal *j, struct err *e)
{
    if (j->lines.failed || j->head.failed)
        return err_set(e, ERR_REJECT, "a line of a journal of parts is too long");
    if (j->fd >= 0)
        return spool_parts_append(j->spool, j->fd, &j->lines, true, e);
    return spool_parts_begin(j->spool, &j->id, &j->head, &j->lines, &j->fd, e);
}

static void on_pool(uv_work_t *work)
{
    struct s3_journal *j = work->data;

    j->code = ERR_OK;
    if (!j->spool)
        return;
    switch (j->doing) {
    case S3_JOURNAL_READ:
        j->code = read_file(j, &j->err);
        return;
    case S3_JOURNAL_APPEND:
        j->code = append(j, &j->err);
        return;
    case S3_JOURNAL_REMOVE:
        j->code = spool_parts_remove(j->spool, &j->id, &j->err);
        return;
    }
}

static void after(uv_work_t *work, int status)
{
    struct s3_journal *j = work->data;

    (void)status; /* never cancelled */
    j->busy = false;
    j->done(j->code, &j->err, j->ctx);
}

static void start(struct s3_journal *j, enum s3_journal_doing doing,
                  s3_journal_done_fn *done, void *ctx)
{
    j->busy = true;
    j->doing = doing;
    j->done = done;
    j->ctx = ctx;
    j->work.data = j;
    (void)uv_queue_work(j->loop, &j->work, on_pool, after); /* cannot fail */
}

/* --- the loop's side --- */

void s3_journal_read(struct s3_journal *j, s3_journal_done_fn *done, void *ctx)
{
    j->missing = !j->spool;
    start(j, S3_JOURNAL_READ, done, ctx);
}

void s3_journal_begin(struct s3_journal *j, const struct parts_journal_head *head,
                      s3_journal_done_fn *done, void *ctx)
{
    buf_clear(&j->head);
    buf_clear(&j->lines);
    parts_journal_add_head(&j->head, head);
    parts_journal_add_create(&j->lines);
    j->found.creates++;
    start(j, S3_JOURNAL_APPEND, done, ctx);
}

void s3_journal_upload(struct s3_journal *j, const char *id, s3_journal_done_fn *done,
                       void *ctx)
{
    buf_clear(&j->lines);
    parts_journal_add_upload(&j->lines, id);
    if (!parts_journal_note_upload(&j->found, id))
        j->found.bad++; /* then the list tells of it */
    start(j, S3_JOURNAL_APPEND, done, ctx);
}

/* What cannot be written now is no harm: the next owner sends a part again, or asks the store once more. */
static void append_now(struct s3_journal *j)
{
    struct err e = ERR_INIT;

    if (j->spool && j->fd >= 0 &&
        spool_parts_append(j->spool, j->fd, &j->lines, false, &e) != ERR_OK)
        log_debug("s3_journal", "a line is lost", LOG_ERR(&e));
    buf_clear(&j->lines);
}

void s3_journal_part(struct s3_journal *j, const char *id, int number,
                     const struct parts_journal_part *part)
{
    if (j->busy)
        return;
    buf_clear(&j->lines);
    parts_journal_add_part(&j->lines, id, number, part);
    append_now(j);
}

void s3_journal_gone(struct s3_journal *j, const char *id)
{
    parts_journal_note_gone(&j->found, id);
    if (j->busy)
        return;
    buf_clear(&j->lines);
    parts_journal_add_gone(&j->lines, id);
    append_now(j);
}

void s3_journal_refused(struct s3_journal *j)
{
    j->found.creates -= j->found.creates > 0;
    if (j->busy)
        return;
    buf_clear(&j->lines);
    parts_journal_add_refused(&j->lines);
    append_now(j);
}

void s3_journal_remove(struct s3_journal *j, s3_journal_done_fn *done, void *ctx)
{
    start(j, S3_JOURNAL_REMOVE, done, ctx);
}
