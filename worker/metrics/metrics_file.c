#include "worker/metrics/metrics_file.h"

#include "shared/clock.h"
#include "shared/cleanup.h"
#include "shared/log_limit.h"
#include "worker/metrics/metrics_text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct metrics_file {
    uv_timer_t timer;
    uv_work_t work;
    void (*write)(struct buf *b, void *ctx);
    void *ctx;
    char *path, *temporary; /* owned */
    struct buf text;        /* the pool's while it writes */
    struct err err;         /* of the latest write */
    bool writes, closing, timer_closed;
    struct log_limit said;
};

static void free_if_idle(struct metrics_file *f)
{
    if (f->writes || !f->timer_closed)
        return;
    (void)unlink(f->temporary); /* neither need be there */
    (void)unlink(f->path);
    buf_release(&f->text);
    free(f->path);
    free(f->temporary);
    free(f);
}

/* --- On the pool --- */

static enum err_code write_all(const struct metrics_file *f, struct err *e)
{
    CLEANUP(fd_close)
    int fd =
        open(f->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    size_t done = 0;

    if (fd < 0 || fchmod(fd, 0644) < 0)
        return err_errno(e, ERR_RETRY, "%s", f->temporary);
    while (done < f->text.len) {
        ssize_t n = write(fd, f->text.data + done, f->text.len - done);
        if (n < 0)
            return err_errno(e, ERR_RETRY, "%s", f->temporary);
        done += (size_t)n;
    }
    if (rename(f->temporary, f->path) < 0)
        return err_errno(e, ERR_RETRY, "%s", f->path);
    return ERR_OK;
}

static void run_on_pool(uv_work_t *work)
{
    struct metrics_file *f = work->data;

    f->err = (struct err)ERR_INIT;
    if (write_all(f, &f->err) != ERR_OK)
        (void)unlink(f->temporary); /* it need not be there */
}

/* --- On the loop --- */

static void after_pool(uv_work_t *work, int status)
{
    struct metrics_file *f = work->data;
    int64_t held;

    (void)status; /* never cancelled */
    f->writes = false;
    if (f->err.code && log_limit_passes(&f->said, f->err.text, clock_mono_ms(), &held))
        log_warn("metrics", "metrics_file cannot be written", LOG_ERR(&f->err),
                 log_limit_held(held));
    free_if_idle(f);
}

static void on_timer(uv_timer_t *timer)
{
    struct metrics_file *f = timer->data;

    if (f->writes)
        return;
    buf_clear(&f->text);
    f->write(&f->text, f->ctx);
    if (f->text.failed)
        return; /* no memory: the next turn tries again */
    f->work.data = f;
    f->writes = uv_queue_work(timer->loop, &f->work, run_on_pool, after_pool) == 0;
}

enum err_code metrics_file_open(uv_loop_t *loop, const char *path,
                                void (*write)(struct buf *b, void *ctx), void *ctx,
                                struct metrics_file **ret, struct err *e)
{
    struct metrics_file *f = calloc(1, sizeof *f);
    struct buf temporary = BUF_INIT(PATH_MAX);

    BUF_PUTS(&temporary, path, ".new");
    if (f) {
        f->path = strdup(path);
        f->temporary = buf_detach(&temporary);
    }
    buf_release(&temporary);
    if (!f || !f->path || !f->temporary) {
        if (f) {
            free(f->path);
            free(f->temporary);
        }
        free(f);
        return err_set(e, ERR_NOMEM, "no memory for metrics_file");
    }
    f->write = write;
    f->ctx = ctx;
    buf_init(&f->text, METRICS_TEXT_MAX);
    f->timer.data = f;
    (void)uv_timer_init(loop, &f->timer); /* cannot fail */
    (void)uv_timer_start(&f->timer, on_timer, 0, METRICS_FILE_MS);
    *ret = f;
    return ERR_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct metrics_file *f = handle->data;

    f->timer_closed = true;
    free_if_idle(f);
}

void metrics_file_close(struct metrics_file *f)
{
    if (!f || f->closing)
        return;
    f->closing = true;
    uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}
