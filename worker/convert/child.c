#include "worker/convert/child.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/convert/child_spawn.h"

enum { READ_SIZE = 64 * 1024, READS_MAX = 64 /* at the end: what a pipe holds */ };

struct child {
    struct child_spawned is; /* pid 0: it has ended */
    uv_poll_t end_poll, errors_poll;
    uv_timer_t kill_timer;
    uint64_t kill_at; /* the loop's time; UINT64_MAX: not asked for */
    int closing;      /* handles still to close */
    char errors[CHILD_ERRORS_MAX];
    size_t errors_len;
    void (*on_end)(const struct child_end *end, void *ctx);
    void *ctx;
};

static void on_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;

    if (--c->closing > 0)
        return;
    (void)close(c->is.pidfd);
    (void)close(c->is.errors_fd);
    free(c);
}

/* Keep the last bytes. */
static void keep_errors(struct child *c, const char *data, size_t len)
{
    if (len > sizeof c->errors) {
        data += len - sizeof c->errors;
        len = sizeof c->errors;
    }
    size_t room = sizeof c->errors - c->errors_len;
    if (len > room) {
        size_t drop = len - room;
        memmove(c->errors, c->errors + drop, c->errors_len - drop);
        c->errors_len -= drop;
    }
    memcpy(c->errors + c->errors_len, data, len);
    c->errors_len += len;
}

/* False: there is nothing more for now, or ever; *ret_over tells. */
static bool read_errors(struct child *c, bool *ret_over)
{
    char chunk[READ_SIZE];
    ssize_t n = read(c->is.errors_fd, chunk, sizeof chunk);

    *ret_over = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (n > 0)
        keep_errors(c, chunk, (size_t)n);
    return n > 0;
}

static void on_errors(uv_poll_t *poll, int status, int events)
{
    struct child *c = poll->data;
    bool over = true;

    (void)events;
    if (status < 0 || (!read_errors(c, &over) && over))
        (void)uv_poll_stop(poll);
}

static void on_end(uv_poll_t *poll, int poll_status, int events)
{
    struct child *c = poll->data;
    int status = 0;
    bool over;

    (void)poll_status; /* whatever it says: wait tells */
    (void)events;
    (void)uv_poll_stop(poll);
    /* Not yet reaped, so that its group is still its own. */
    (void)kill(-c->is.pid, SIGKILL);
    while (waitpid(c->is.pid, &status, 0) < 0 && errno == EINTR)
        ;
    c->is.pid = 0;
    for (int i = 0; i < READS_MAX && read_errors(c, &over); i++)
        ;
    struct child_end end = {.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                            .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                            .errors = c->errors,
                            .errors_len = c->errors_len};
    c->on_end(&end, c->ctx);
    c->closing = 3;
    uv_close((uv_handle_t *)&c->end_poll, on_closed);
    uv_close((uv_handle_t *)&c->errors_poll, on_closed);
    uv_close((uv_handle_t *)&c->kill_timer, on_closed);
}

static void on_kill_timer(uv_timer_t *timer)
{
    struct child *c = timer->data;

    if (c->is.pid > 0)
        (void)kill(-c->is.pid, SIGKILL);
}

void child_stop(struct child *c, int64_t kill_ms)
{
    uint64_t delay = (uint64_t)kill_ms;
    uint64_t at = uv_now(c->kill_timer.loop) + delay;

    if (c->is.pid == 0 || at >= c->kill_at)
        return;
    c->kill_at = at;
    (void)kill(-c->is.pid, SIGTERM);
    (void)uv_timer_start(&c->kill_timer, on_kill_timer, delay, 0);
}

unsigned child_parts(const struct child *c)
{
    return c->is.parts;
}

/* It was started and cannot be watched. */
static enum err_code abandon(struct child *c, struct err *e)
{
    (void)kill(-c->is.pid, SIGKILL);
    while (waitpid(c->is.pid, NULL, 0) < 0 && errno == EINTR)
        ;
    (void)close(c->is.pidfd);
    (void)close(c->is.errors_fd);
    free(c);
    return err_set(e, ERR_NOMEM, "cannot watch a process");
}

enum err_code child_start(uv_loop_t *loop, const struct child_options *o,
                          struct child **ret_child, struct err *e)
{
    struct child *c = calloc(1, sizeof *c);

    if (!c)
        return err_set(e, ERR_NOMEM, "no memory for a process");
    c->on_end = o->on_end;
    c->ctx = o->ctx;
    c->kill_at = UINT64_MAX;
    if (child_spawn(o, &c->is, e) != ERR_OK) {
        free(c);
        return e->code;
    }
    c->end_poll.data = c->errors_poll.data = c->kill_timer.data = c;
    /* Only what epoll refuses fails here, before a handle is active: a pipe and a pidfd it takes. */
    if (uv_poll_init(loop, &c->end_poll, c->is.pidfd) != 0)
        return abandon(c, e);
    if (uv_poll_init(loop, &c->errors_poll, c->is.errors_fd) != 0)
        abort();
    (void)uv_timer_init(loop, &c->kill_timer); /* cannot fail */
    if (uv_poll_start(&c->end_poll, UV_READABLE, on_end) != 0 ||
        uv_poll_start(&c->errors_poll, UV_READABLE, on_errors) != 0)
        abort(); /* neither fails for a handle that was made and is not closing */
    *ret_child = c;
    return ERR_OK;
}
