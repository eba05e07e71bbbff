#include "worker/source/source_command.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/convert.h"
#include "shared/log.h"
#include "shared/words.h"
#include "worker/convert/child.h"
#include "worker/job_log.h"
#include "worker/source/source_command_errors.h"
#include "worker/source/spool_hash.h"

enum {
    WATCH_MS = 100, /* how often time and size of one that runs are looked at */
    LIMIT_KILL_MS = 5000,
    ABORT_KILL_MS = 500,
    ENV_MAX = 8,
    CHUNK = 128 * 1024
};

struct source_command {
    struct destination base;
    const struct worker_env *env;
    const struct destinations *destinations;
};

struct destination_run {
    struct source_command *source;
    struct destination_work work;
    const struct config_command *command;
    struct job job; /* with size and sha256, once they are known */
    int fd;         /* what the command writes to */
    struct child *child;
    int64_t limit_ms; /* monotonic: it must have ended then */
    bool timed_out, aborting;
    uv_timer_t timer; /* watches the command; or delivers on a later turn */
    struct {
        uv_work_t request;
        atomic_bool stop;
        struct stat before; /* the file as it was hashed */
        char sha256[DIGEST_SHA256_HEX + 1];
        enum err_code code;
        struct err err;
    } hashing; /* the pool's thread until it ends, then the loop's */
    struct destination *to;
    struct destination_run *inner; /* of to, while that has the bytes */
    struct outcome outcome;
};

/* --- the end of a run --- */

static void on_run_closed(uv_handle_t *handle)
{
    struct destination_run *run = handle->data;

    if (run->fd >= 0)
        (void)close(run->fd); /* nobody needs it any more */
    job_release(&run->job);
    outcome_release(&run->outcome);
    free(run);
}

static void deliver(struct destination_run *run)
{
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
    run->outcome.error_class = "command";
    run->outcome.aborted = run->aborting;
    deliver(run);
}

/* --- the destination has the bytes --- */

/* Whether somebody has written to the file since it was hashed. */
static bool was_changed(const struct destination_run *run)
{
    const struct stat *before = &run->hashing.before;
    struct stat now;

    return fstat(run->fd, &now) < 0 || now.st_size != before->st_size ||
           now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != before->st_mtim.tv_nsec;
}

static void on_inner_done(struct outcome *o, void *ctx)
{
    struct destination_run *run = ctx;

    run->inner = NULL;
    run->outcome = *o;
    memset(o, 0, sizeof *o); /* its strings are ours now */
    if (run->work.only_look || run->outcome.earlier) {
        deliver(run); /* it tells of what is there */
        return;
    }
    if (run->outcome.done) {
        memcpy(run->outcome.sha256, run->hashing.sha256, sizeof run->outcome.sha256);
        run->outcome.sent = run->job.size;
    } else if (!run->outcome.aborted && was_changed(run)) {
        outcome_release(&run->outcome);
        fail(run, RETRY_TRANSIENT, "a process that it left behind wrote on");
        return;
    }
    deliver(run);
}

static void upload(struct destination_run *run)
{
    struct destination_work work = {.job = &run->job,
                                    .fd = fcntl(run->fd, F_DUPFD_CLOEXEC, 3),
                                    .remade = convert_owns_key(&run->job),
                                    .until_ms = run->work.until_ms,
                                    .done = on_inner_done,
                                    .ctx = run};

    if (work.fd >= 0)
        run->inner = destination_begin(run->to, &work);
    if (run->inner)
        return;
    fd_close(&work.fd);
    fail(run, RETRY_TRANSIENT, "no memory or descriptor to begin the upload");
}

/* --- hashing --- */

static enum err_code hash_file(struct destination_run *run, struct err *e)
{
    CLEANUP(digest_sha256_release) struct digest_sha256 digest = DIGEST_SHA256_INIT;
    CLEANUP(str_free) char *chunk = malloc(CHUNK);
    uint8_t sum[DIGEST_SHA256_BYTES];
    int64_t at = 0;
    ssize_t n = 1;

    if (!chunk)
        return err_set(e, ERR_NOMEM, "no memory to read what it wrote");
    if (fstat(run->fd, &run->hashing.before) < 0)
        return err_errno(e, ERR_RETRY, "stat what it wrote");
    if (digest_sha256_init(&digest, e) != ERR_OK)
        return e->code;
    for (; n > 0 && !atomic_load(&run->hashing.stop); at += n) {
        n = pread(run->fd, chunk, CHUNK, at);
        if (n < 0)
            return err_errno(e, ERR_RETRY, "read what it wrote");
        digest_sha256_update(&digest, chunk, (size_t)n);
    }
    if (digest_sha256_final(&digest, sum, e) != ERR_OK)
        return e->code;
    if (at != run->hashing.before.st_size || was_changed(run))
        return err_set(e, ERR_RETRY, "a process that it left behind wrote on");
    digest_hex_encode(sum, sizeof sum, run->hashing.sha256);
    return ERR_OK;
}

static void hash_on_pool(uv_work_t *request)
{
    struct destination_run *run = request->data;

    run->hashing.code = hash_file(run, &run->hashing.err);
}

static void after_hashing(uv_work_t *request, int status)
{
    struct destination_run *run = request->data;

    if (run->aborting || status != 0)
        run->hashing.code = err_set(&run->hashing.err, ERR_RETRY, "stopped");
    if (run->hashing.code != ERR_OK) {
        fail(run, RETRY_TRANSIENT, run->hashing.err.text);
        return;
    }
    run->job.size = run->hashing.before.st_size;
    free(run->job.sha256);
    run->job.sha256 = strdup(run->hashing.sha256);
    if (run->job.sha256)
        upload(run);
    else
        fail(run, RETRY_TRANSIENT, "no memory to begin the upload");
}

/* --- the command has ended --- */

static bool is_too_large(const struct destination_run *run)
{
    struct stat st;

    return fstat(run->fd, &st) < 0 || st.st_size > run->command->max_bytes;
}

/* What is wrong with how it ended; false: nothing. */
static bool is_failure(const struct destination_run *run, const struct child_end *end,
                       char *text, size_t size)
{
    int64_t max = run->command->max_bytes;

    if (run->timed_out)
        (void)snprintf(text, size, "ran longer than its time_limit of %" PRId64 " ms",
                       run->command->time_limit_ms);
    else if (is_too_large(run) || end->signal == SIGXFSZ)
        (void)snprintf(text, size, "wrote more than its max_bytes, %" PRId64, max);
    else if (end->signal != 0)
        (void)snprintf(text, size, "was ended by signal %d (%s)", end->signal,
                       strsignal(end->signal));
    else if (end->status != 0)
        (void)snprintf(text, size, "ended with status %d", end->status);
    else
        return false;
    return true;
}

static void on_command_end(const struct child_end *end, void *ctx)
{
    struct destination_run *run = ctx;
    char why[128];

    run->child = NULL;
    (void)uv_timer_stop(&run->timer);
    if (run->aborting) {
        fail(run, RETRY_TRANSIENT, "stopped");
        return;
    }
    if (is_failure(run, end, why, sizeof why)) {
        run->outcome.detail = source_command_detail(why, end->errors, end->errors_len);
        fail(run, RETRY_TRANSIENT, run->outcome.detail ? run->outcome.detail : why);
        return;
    }
    log_debug("command", "ended", LOG_STR("command", run->command->name),
              LOG_STR("id", run->job.id.uuid.text), LOG_JOB(&run->job));
    run->hashing.request.data = run;
    if (uv_queue_work(run->source->env->loop, &run->hashing.request, hash_on_pool,
                      after_hashing) != 0)
        fail(run, RETRY_TRANSIENT, "no memory to read what it wrote");
}

/* --- the beginning --- */

/* Only a look is wanted: the destination's. */
static enum err_code look(struct destination_run *run, struct err *e)
{
    struct destination_work work = {.job = &run->job,
                                    .fd = -1,
                                    .only_look = true,
                                    .done = on_inner_done,
                                    .ctx = run};

    if (!run->job.sha256)
        return err_set(e, ERR_REJECT,
                       "what the command wrote is not known: nothing to look for");
    run->inner = destination_begin(run->to, &work);
    return run->inner ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a look");
}

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

static enum err_code start(struct destination_run *run, struct words *words,
                           struct err *e)
{
    CLEANUP(buf_release) struct buf id = BUF_INIT(128);
    CLEANUP(buf_release) struct buf schedule = BUF_INIT(128);
    CLEANUP(buf_release) struct buf tick = BUF_INIT(128);
    const struct job *j = &run->job;

    buf_printf(&id, "HOIST_JOB_ID=%s.%s", j->id.queue, j->id.uuid.text);
    buf_printf(&schedule, "HOIST_SCHEDULE=%s", j->schedule ? j->schedule : "");
    buf_puts(&tick, "HOIST_TICK=");
    clock_format_rfc3339(&tick, id_uuid_ms(j->id.uuid.text));
    if (id.failed || schedule.failed || tick.failed)
        return err_set(e, ERR_NOMEM, "no memory for its environment");
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char home[] = "HOME=/", lang[] = "LANG=C";
    char *env[ENV_MAX] = {path, home, lang, id.data, schedule.data, tick.data, NULL};
    struct child_options o = {.argv = words->argv,
                              .env = env,
                              .stdin_fd = -1,
                              .stdout_fd = run->fd,
                              .file_bytes_max = run->command->max_bytes + 1,
                              .on_end = on_command_end,
                              .ctx = run};
    return child_start(run->source->env->loop, &o, &run->child, e);
}

static enum err_code prepare(struct destination_run *run, struct err *e)
{
    const struct worker_env *env = run->source->env;
    const char *name = job_source_command(run->work.job);
    struct words words = {.count = 0};

    run->command = config_find_command(env->config, name, strlen(name));
    run->to = destinations_sink(run->source->destinations, run->work.job);
    if (!run->command && !run->work.only_look)
        return err_set(e, ERR_CONFIG, "there is no [command %s] here", name);
    if (!run->to)
        return err_set(e, ERR_CONFIG, "destination is not configured");
    if (job_copy(run->work.job, &run->job, e) != ERR_OK)
        return e->code;
    if (run->work.only_look)
        return look(run, e);
    if (spool_open_unnamed(env->spool, &run->fd, e) != ERR_OK ||
        words_split(run->command->run, &words, e) != ERR_OK)
        return e->code;
    enum err_code code = start(run, &words, e);
    words_release(&words);
    return code;
}

static struct destination_run *command_begin(struct destination *d,
                                             const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);
    struct err e = ERR_INIT;

    if (!run)
        return NULL;
    run->source = (struct source_command *)d;
    run->work = *w;
    run->fd = -1;
    run->job = (struct job)JOB_INIT;
    run->hashing.err = (struct err)ERR_INIT;
    (void)uv_timer_init(run->source->env->loop, &run->timer); /* cannot fail */
    run->timer.data = run;
    if (prepare(run, &e) == ERR_OK && run->work.only_look)
        return run;
    if (e.code == ERR_OK) {
        run->limit_ms = clock_mono_ms() + run->command->time_limit_ms;
        (void)uv_timer_start(&run->timer, on_watch, WATCH_MS, WATCH_MS);
        return run;
    }
    outcome_fail_err(&run->outcome, &e);
    run->outcome.error_class = "command";
    (void)uv_timer_start(&run->timer, on_later, 0, 0);
    return run;
}

static void command_abort(struct destination_run *run)
{
    run->aborting = true;
    atomic_store(&run->hashing.stop, true);
    if (run->child)
        child_stop(run->child, ABORT_KILL_MS);
    if (run->inner)
        destination_abort(run->to, run->inner);
}

static void command_progress(const struct destination_run *run,
                             struct destination_progress *ret)
{
    ret->phase = DESTINATION_READING;
    if (run->inner)
        *ret = destination_progress(run->to, run->inner);
}

static void command_release(struct destination *d)
{
    free(d);
}

enum err_code source_command_open(const struct worker_env *env,
                                  const struct destinations *destinations,
                                  struct destination **ret, struct err *e)
{
    static const struct destination_ops ops = {command_begin, command_abort,
                                               command_progress, command_release};
    struct source_command *s = calloc(1, sizeof *s);

    if (!s)
        return err_set(e, ERR_NOMEM, "no memory for commands");
    s->base = (struct destination){.ops = &ops};
    s->env = env;
    s->destinations = destinations;
    *ret = &s->base;
    return ERR_OK;
}
