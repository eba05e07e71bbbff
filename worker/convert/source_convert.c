#include "worker/convert/source_convert.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "worker/convert/pipeline.h"
#include "worker/source/spool_hash.h"

struct source_convert {
    struct destination base;
    const struct worker_env *env;
    const struct destinations *destinations;
};

struct destination_run {
    struct source_convert *source;
    struct destination_work work;
    struct job job; /* with the type of what comes out */
    struct convert convert;
    struct pipeline *pipeline;
    bool idle; /* no process is left */
    bool aborting, delivered;
    uv_timer_t timer; /* delivers on a later turn */
    struct {
        uv_work_t request;
        bool busy; /* the loop's */
        atomic_bool stop;
        bool fine; /* it is what the manifest says */
        struct spool_hash sums;
        struct stat before; /* the file, when the converters began to read it */
    } hashing;              /* the pool's thread until it ends, then the loop's */
    struct destination *to;
    struct destination_run *inner; /* of to, while that has the stream */
    struct outcome outcome;
};

/* --- the end of a run --- */

static void on_closed(uv_handle_t *handle)
{
    struct destination_run *run = handle->data;

    fd_close(&run->work.fd);
    spool_hash_release(&run->hashing.sums);
    job_release(&run->job);
    outcome_release(&run->outcome);
    free(run);
}

static void deliver(struct destination_run *run)
{
    if (run->pipeline)
        pipeline_format_sandbox(run->pipeline, run->outcome.sandbox);
    run->work.done(&run->outcome, run->work.ctx);
    pipeline_free(run->pipeline);
    run->pipeline = NULL;
    uv_close((uv_handle_t *)&run->timer, on_closed);
}

static void on_later(uv_timer_t *timer)
{
    deliver(timer->data);
}

/* Deliver once all that was begun is over. */
static void end(struct destination_run *run)
{
    if (run->delivered || run->inner || run->hashing.busy ||
        (run->pipeline && !run->idle))
        return;
    run->delivered = true;
    if (!run->outcome.done && run->aborting)
        run->outcome.aborted = true;
    deliver(run);
}

/* What the destination got is what came out, not the job's bytes. */
static void tell_output(struct outcome *o)
{
    if (!o->done)
        return;
    o->out_bytes = o->sent;
    memcpy(o->out_sha256, o->sha256, sizeof o->out_sha256);
    o->sha256[0] = '\0';
}

static void on_inner_done(struct outcome *o, void *ctx)
{
    struct destination_run *run = ctx;

    run->inner = NULL;
    if (!run->outcome.error_class) {
        run->outcome = *o;
        memset(o, 0, sizeof *o); /* its strings are ours now */
        if (!run->work.only_look)
            tell_output(&run->outcome);
    }
    atomic_store(&run->hashing.stop, true);
    if (run->pipeline)
        pipeline_stop(run->pipeline);
    end(run);
}

/* --- hashing --- */

static void hash_on_pool(uv_work_t *request)
{
    struct destination_run *run = request->data;

    run->hashing.fine =
        spool_hash_file(&run->hashing.sums, run->work.fd, &run->hashing.stop);
}

/* Whether somebody has written to the file since. */
static bool was_changed(const struct destination_run *run)
{
    const struct stat *before = &run->hashing.before;
    struct stat now;

    return fstat(run->work.fd, &now) < 0 || now.st_size != before->st_size ||
           now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != before->st_mtim.tv_nsec;
}

/* The converters have read the file, and so have we: was it right? */
static void conclude(struct destination_run *run)
{
    struct outcome wrong = {0};

    if (!run->idle || run->hashing.busy || atomic_load(&run->hashing.stop))
        return;
    if (run->hashing.sums.corrupt)
        outcome_fail(&wrong, RETRY_NEVER, "spool corrupt: its %s is not the manifest's",
                     run->hashing.sums.corrupt);
    else if (!run->hashing.fine)
        outcome_fail(&wrong, RETRY_TRANSIENT, "cannot read the spool file");
    else if (was_changed(run))
        outcome_fail(&wrong, RETRY_TRANSIENT, "the spool file was written to");
    pipeline_source_ended(run->pipeline, wrong.error_class ? &wrong : NULL);
}

static void on_idle(void *ctx)
{
    struct destination_run *run = ctx;

    run->idle = true;
    conclude(run);
    end(run);
}

static void after_hashing(uv_work_t *request, int status)
{
    struct destination_run *run = request->data;

    run->hashing.busy = false;
    if (status != 0)
        run->hashing.fine = false;
    conclude(run);
    end(run);
}

/* --- the beginning --- */

static enum err_code look(struct destination_run *run, struct err *e)
{
    struct destination_work work = {.job = &run->job,
                                    .fd = -1,
                                    .only_look = true,
                                    .done = on_inner_done,
                                    .ctx = run};

    run->inner = destination_begin(run->to, &work);
    return run->inner ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a look");
}

static enum err_code convert(struct destination_run *run, struct err *e)
{
    struct pipeline_options o = {.loop = run->source->env->loop,
                                 .job = &run->job,
                                 .convert = &run->convert,
                                 .stdin_fd = run->work.fd,
                                 .on_idle = on_idle,
                                 .ctx = run};

    if (lseek(run->work.fd, 0, SEEK_SET) < 0 || /* who wrote it left it at its end */
        fstat(run->work.fd, &run->hashing.before) < 0)
        return err_errno(e, ERR_RETRY, "look at the spool file");
    run->pipeline = pipeline_open(&o);
    if (!run->pipeline)
        return err_set(e, ERR_NOMEM, "no memory for converters");
    struct destination_work work = {.job = &run->job,
                                    .fd = -1,
                                    .stream = pipeline_stream(run->pipeline),
                                    .until_ms = run->work.until_ms,
                                    .done = on_inner_done,
                                    .ctx = run};
    run->inner = destination_begin(run->to, &work);
    if (!run->inner)
        return err_set(e, ERR_NOMEM, "no memory to begin the upload");
    run->hashing.request.data = run;
    if (uv_queue_work(run->source->env->loop, &run->hashing.request, hash_on_pool,
                      after_hashing) != 0) {
        destination_abort(run->to, run->inner);
        return err_set(e, ERR_NOMEM, "no memory to read the spool file");
    }
    run->hashing.busy = true;
    return ERR_OK;
}

static enum err_code prepare(struct destination_run *run, struct err *e)
{
    const struct job *j = run->work.job;

    run->to = destinations_find(run->source->destinations, j->to);
    if (!run->to)
        return err_set(e, ERR_CONFIG, "destination is not configured");
    if (job_copy(j, &run->job, e) != ERR_OK)
        return e->code;
    spool_hash_init(&run->hashing.sums, &run->job);
    if (run->work.only_look)
        return look(run, e);
    if (convert_find(run->source->env->config, j->convert, strlen(j->convert),
                     &run->convert, e) != ERR_OK) {
        e->code = ERR_CONFIG;
        return ERR_CONFIG;
    }
    if (*run->convert.type &&
        job_set_type(&run->job, run->convert.type, strlen(run->convert.type), e))
        return e->code;
    return convert(run, e);
}

static struct destination_run *convert_begin(struct destination *d,
                                             const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);
    struct err e = ERR_INIT;

    if (!run)
        return NULL;
    run->source = (struct source_convert *)d;
    run->work = *w;
    run->job = (struct job)JOB_INIT;
    (void)uv_timer_init(run->source->env->loop, &run->timer); /* cannot fail */
    run->timer.data = run;
    if (prepare(run, &e) == ERR_OK)
        return run;
    if (run->pipeline)
        pipeline_stop(run->pipeline);
    outcome_fail_err(&run->outcome, &e);
    if (!run->pipeline && !run->inner)
        (void)uv_timer_start(&run->timer, on_later, 0, 0);
    return run;
}

static void convert_abort(struct destination_run *run)
{
    run->aborting = true;
    atomic_store(&run->hashing.stop, true);
    if (run->pipeline)
        pipeline_stop(run->pipeline);
    if (run->inner)
        destination_abort(run->to, run->inner);
}

static void convert_progress(const struct destination_run *run,
                             struct destination_progress *ret)
{
    if (run->inner)
        *ret = destination_progress(run->to, run->inner);
    if (!run->inner || (!run->idle && ret->phase <= DESTINATION_UPLOADING))
        ret->phase = DESTINATION_CONVERTING;
}

static void convert_release(struct destination *d)
{
    free(d);
}

enum err_code source_convert_open(const struct worker_env *env,
                                  const struct destinations *destinations,
                                  struct destination **ret, struct err *e)
{
    static const struct destination_ops ops = {convert_begin, convert_abort,
                                               convert_progress, convert_release};
    struct source_convert *s = calloc(1, sizeof *s);

    if (!s)
        return err_set(e, ERR_NOMEM, "no memory for converters");
    s->base = (struct destination){.ops = &ops};
    s->env = env;
    s->destinations = destinations;
    *ret = &s->base;
    return ERR_OK;
}
