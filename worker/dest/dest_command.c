#include "worker/dest/dest_command.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/job_arrived.h"
#include "shared/words.h"
#include "worker/convert/child.h"
#include "worker/convert/convert_env.h"
#include "worker/source/source_command_errors.h"
#include "worker/source/spool_hash.h"

enum {
    WATCH_MS = 100, /* how often time and size of one that runs are looked at */
    LIMIT_KILL_MS = 5000,
    ABORT_KILL_MS = 500,
    MORE_ENV = 5
};

struct dest_command {
    struct destination base;
    const struct worker_env *env;
};

struct destination_run {
    struct dest_command *dest;
    struct destination_work work;
    const struct config_command *command;
    struct {
        uv_work_t request;
        struct spool_hash hash;
        atomic_bool stop;
        bool fine;
    } reading;         /* the pool's thread until it ends, then the loop's */
    int in_fd, out_fd; /* what it reads and writes */
    struct child *child;
    int64_t limit_ms; /* monotonic: it must have ended then */
    bool timed_out, aborting;
    uv_timer_t timer; /* watches it; or delivers on a later turn */
    struct outcome outcome;
};

/* --- the end of a run --- */

static void on_run_closed(uv_handle_t *handle)
{
    struct destination_run *run = handle->data;

    fd_close(&run->in_fd);
    fd_close(&run->out_fd);
    spool_hash_release(&run->reading.hash);
    outcome_release(&run->outcome);
    free(run);
}

static void deliver(struct destination_run *run)
{
    run->outcome.aborted = !run->outcome.done && run->aborting;
    fd_close(&run->work.fd);
    run->work.done(&run->outcome, run->work.ctx);
    uv_close((uv_handle_t *)&run->timer, on_run_closed);
}

static void on_later(uv_timer_t *timer)
{
    deliver(timer->data);
}

static void fail(struct destination_run *run, enum retry_class class, const char *text)
{
    outcome_fail(&run->outcome, class, "%s", text);
    deliver(run);
}

/* --- the program has ended --- */

/* The first line of its output, where that can be an address. */
static char *read_address(const struct destination_run *run)
{
    char line[JOB_ARRIVED_URL_MAX + 1];
    ssize_t n = pread(run->out_fd, line, sizeof line, 0);
    const char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
    size_t len = end ? (size_t)(end - line) : n > 0 ? (size_t)n : 0;

    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    return len > 0 && job_is_address(line, len) ? strndup(line, len)
                                                : strdup(run->dest->base.config->url);
}

static bool is_too_large(const struct destination_run *run)
{
    struct stat st;

    return fstat(run->out_fd, &st) < 0 || st.st_size > run->command->max_bytes;
}

/* What is wrong with how it ended; false: nothing. */
static bool is_failure(const struct destination_run *run, const struct child_end *end,
                       char *text, size_t size)
{
    if (run->timed_out)
        (void)snprintf(text, size, "ran longer than its time_limit of %" PRId64 " ms",
                       run->command->time_limit_ms);
    else if (is_too_large(run) || end->signal == SIGXFSZ)
        (void)snprintf(text, size, "wrote more than its max_bytes, %" PRId64,
                       run->command->max_bytes);
    else if (end->signal != 0)
        (void)snprintf(text, size, "was ended by signal %d (%s)", end->signal,
                       strsignal(end->signal));
    else if (end->status != 0)
        (void)snprintf(text, size, "ended with status %d", end->status);
    else
        return false;
    return true;
}

static enum retry_class class_of(const struct destination_run *run,
                                 const struct child_end *end)
{
    if (run->timed_out || end->signal != 0)
        return RETRY_TRANSIENT;
    return end->status == EX_DATAERR  ? RETRY_NEVER
           : end->status == EX_CONFIG ? RETRY_CONFIG
                                      : RETRY_TRANSIENT;
}

static void on_command_end(const struct child_end *end, void *ctx)
{
    struct destination_run *run = ctx;
    char why[128];

    run->child = NULL;
    (void)uv_timer_stop(&run->timer);
    if (run->aborting) { /* status 0 may be how it takes SIGTERM */
        fail(run, RETRY_TRANSIENT, "stopped");
    } else if (is_failure(run, end, why, sizeof why)) {
        char *detail = source_command_detail(why, end->errors, end->errors_len);
        outcome_fail(&run->outcome, class_of(run, end), "%s", detail ? detail : why);
        run->outcome.error_class = "command";
        run->outcome.detail = detail;
        deliver(run);
    } else {
        run->outcome.url = read_address(run);
        run->outcome.sent = run->work.job->size;
        run->outcome.done = true;
        deliver(run);
    }
}

/* --- the program --- */

static void on_watch(uv_timer_t *timer)
{
    struct destination_run *run = timer->data;

    if (is_too_large(run)) {
        child_stop(run->child, ABORT_KILL_MS);
    } else if (clock_mono_ms() >= run->limit_ms) {
        run->timed_out = true;
        child_stop(run->child, LIMIT_KILL_MS);
    }
}

/* The same file with a place of its own to read from: whoever else has it open moves theirs. */
static enum err_code reopen(int fd, int *ret_fd, struct err *e)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* fits */
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(e, ERR_RETRY, "open its input") : ERR_OK;
}

static enum err_code start_with(struct destination_run *run, char *const *argv,
                                char *const *env, struct err *e)
{
    const struct worker_env *worker = run->dest->env;

    if (reopen(run->work.fd, &run->in_fd, e) != ERR_OK ||
        spool_open_unnamed(worker->spool, &run->out_fd, e) != ERR_OK)
        return e->code;
    struct child_options o = {.argv = argv,
                              .env = env,
                              .stdin_fd = run->in_fd,
                              .stdout_fd = run->out_fd,
                              .file_bytes_max = run->command->max_bytes + 1,
                              .on_end = on_command_end,
                              .ctx = run};
    return child_start(worker->loop, &o, &run->child, e);
}

static enum err_code start(struct destination_run *run, struct err *e)
{
    const struct job *j = run->work.job;
    CLEANUP(buf_release) struct buf more = BUF_INIT(JOB_KEY_MAX + 1024);
    CLEANUP(convert_env_release) struct convert_env env = {.text = BUF_INIT(0)};
    char *list[sizeof env.list / sizeof env.list[0] + MORE_ENV];
    size_t starts[MORE_ENV + 1] = {0}, count = 0;
    struct words words = {.count = 0};

    if (convert_env_make(j, &env, e) != ERR_OK)
        return e->code;
    buf_printf(&more, "HOIST_SCHEDULE=%s%c", j->schedule ? j->schedule : "", 0);
    starts[1] = more.len;
    buf_puts(&more, "HOIST_TICK=");
    clock_format_rfc3339(&more, id_uuid_ms(j->id.uuid.text));
    buf_putc(&more, '\0');
    starts[2] = more.len;
    buf_printf(&more, "HOIST_KEY=%s%c", j->key, 0);
    starts[3] = more.len;
    buf_printf(&more, "HOIST_SIZE=%" PRId64 "%c", j->size, 0);
    starts[4] = more.len;
    buf_printf(&more, "HOIST_SHA256=%s", j->sha256);
    if (more.failed)
        return err_set(e, ERR_NOMEM, "no memory for its environment");
    while (env.list[count]) {
        list[count] = env.list[count];
        count++;
    }
    for (size_t i = 0; i < MORE_ENV; i++)
        list[count++] = more.data + starts[i];
    list[count] = NULL;
    if (words_split(run->command->run, &words, e) != ERR_OK)
        return e->code;
    enum err_code code = start_with(run, words.argv, list, e);
    words_release(&words);
    return code;
}

/* --- its input --- */

static void read_on_pool(uv_work_t *request)
{
    struct destination_run *run = request->data;

    run->reading.fine =
        spool_hash_file(&run->reading.hash, run->work.fd, &run->reading.stop);
}

static void deliver_bad_input(struct destination_run *run)
{
    struct stat st;

    if (run->reading.hash.corrupt) {
        outcome_fail(&run->outcome, RETRY_NEVER,
                     "spool corrupt: its %s is not the manifest's",
                     run->reading.hash.corrupt);
        deliver(run);
    } else if (fstat(run->work.fd, &st) == 0 && st.st_size < run->work.job->size) {
        fail(run, RETRY_NEVER, "spool short");
    } else {
        fail(run, RETRY_TRANSIENT, "cannot read the spool file");
    }
}

static void after_reading(uv_work_t *request, int status)
{
    struct destination_run *run = request->data;
    struct err e = ERR_INIT;

    run->aborting |= status != 0 || destination_is_late(&run->work);
    if (run->aborting) {
        fail(run, RETRY_TRANSIENT, "stopped");
    } else if (!run->reading.fine) {
        deliver_bad_input(run);
    } else if (start(run, &e) == ERR_OK) {
        run->limit_ms = clock_mono_ms() + run->command->time_limit_ms;
        (void)uv_timer_start(&run->timer, on_watch, WATCH_MS, WATCH_MS);
    } else {
        outcome_fail_err(&run->outcome, &e);
        run->outcome.error_class = "command";
        deliver(run);
    }
}

/* --- the interface --- */

/* What there is to say without having begun; NULL: begin. */
static const char *say_at_once(struct destination_run *run)
{
    const char *name = run->dest->base.config->command;

    run->outcome.blind = run->work.only_look;
    if (run->work.only_look)
        return "what a program has done cannot be looked at";
    run->command = config_find_command(run->dest->env->config, name, strlen(name));
    return run->command ? NULL : "its command is not configured here";
}

static struct destination_run *dest_command_begin(struct destination *d,
                                                  const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->dest = (struct dest_command *)d;
    run->work = *w;
    run->in_fd = run->out_fd = -1;
    spool_hash_init(&run->reading.hash, w->job);
    run->timer.data = run->reading.request.data = run;
    (void)uv_timer_init(run->dest->env->loop, &run->timer); /* cannot fail */
    const char *said = say_at_once(run);
    if (said) {
        outcome_fail(&run->outcome, w->only_look ? RETRY_NEVER : RETRY_CONFIG, "%s",
                     said);
        (void)uv_timer_start(&run->timer, on_later, 0, 0);
    } else if (uv_queue_work(run->dest->env->loop, &run->reading.request, read_on_pool,
                             after_reading) != 0) {
        abort(); /* it fails for a NULL callback alone */
    }
    return run;
}

static void dest_command_abort(struct destination_run *run)
{
    run->aborting = true;
    atomic_store(&run->reading.stop, true);
    if (run->child)
        child_stop(run->child, ABORT_KILL_MS);
}

static void dest_command_progress(const struct destination_run *run,
                                  struct destination_progress *ret)
{
    /* It shares our place in the file. */
    off_t at = run->child ? lseek(run->in_fd, 0, SEEK_CUR) : 0;

    ret->phase = run->child ? DESTINATION_UPLOADING : DESTINATION_READING;
    ret->total = run->work.job->size;
    ret->sent = at < 0 ? 0 : at > ret->total ? ret->total : at;
}

static void dest_command_release(struct destination *d)
{
    free(d);
}

enum err_code dest_command_open(const struct worker_env *env,
                                const struct config_destination *config,
                                struct destination **ret, struct err *e)
{
    static const struct destination_ops ops = {dest_command_begin, dest_command_abort,
                                               dest_command_progress,
                                               dest_command_release};
    struct dest_command *d = calloc(1, sizeof *d);

    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for a destination");
    d->base = (struct destination){.ops = &ops, .config = config};
    d->env = env;
    *ret = &d->base;
    return ERR_OK;
}
