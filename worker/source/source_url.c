#include "worker/source/source_url.h"

#include <stdlib.h>
#include <string.h>

#include "shared/convert.h"
#include "worker/source/fetch.h"
#include "worker/convert/stream_convert.h"

struct source_url {
    struct destination base;
    const struct worker_env *env;
    const struct destinations *destinations;
    struct http *http;
};

struct destination_run {
    struct source_url *source;
    struct destination_work work;
    struct job job; /* with the type of the object */
    struct convert convert;
    struct fetch *fetch;
    struct stream_convert *converters; /* of what is fetched; NULL: there are none */
    struct destination *to;
    struct destination_run *inner; /* of to, while that takes the bytes */
    struct outcome outcome;
    bool aborting;
    bool ending;      /* what there is to tell stands in outcome */
    uv_timer_t later; /* delivers on a turn of its own */
};

/* --- the end of a run --- */

static void on_later_closed(uv_handle_t *handle)
{
    struct destination_run *run = handle->data;

    job_release(&run->job);
    outcome_release(&run->outcome);
    free(run);
}

static void deliver(void *ctx)
{
    struct destination_run *run = ctx;

    run->work.done(&run->outcome, run->work.ctx);
    uv_close((uv_handle_t *)&run->later, on_later_closed);
}

static void on_later(uv_timer_t *timer)
{
    deliver(timer->data);
}

static void on_converters_closed(void *ctx);

/* The outcome is known: tell it, once nothing is converted and fetched any more. */
static void end(struct destination_run *run)
{
    run->ending = true;
    if (run->converters)
        stream_convert_close(run->converters, on_converters_closed, run);
    else if (run->fetch)
        fetch_close(run->fetch, deliver);
    else
        (void)uv_timer_start(&run->later, on_later, 0, 0);
}

static void on_converters_closed(void *ctx)
{
    struct destination_run *run = ctx;

    run->converters = NULL;
    end(run);
}

static void fail(struct destination_run *run, enum retry_class class, const char *text)
{
    outcome_fail(&run->outcome, class, "%s", text);
    run->outcome.error_class = "fetch";
    run->outcome.aborted = run->aborting;
    end(run);
}

/* --- the destination has the stream --- */

static void on_inner_done(struct outcome *o, void *ctx)
{
    struct destination_run *run = ctx;

    run->inner = NULL;
    run->outcome = *o;
    memset(o, 0, sizeof *o); /* its strings are ours now */
    if (run->converters)
        stream_convert_format_sandbox(run->converters, run->outcome.sandbox);
    end(run);
}

/* --- the fetch --- */

/* The media type of the object: what the job or its converters say, else the answer's.  One that is none is as if it had
 * not come. */
static enum err_code set_type(struct destination_run *run, const char *answer,
                              struct err *e)
{
    const char *type = run->job.type ? "" : answer;

    if (run->convert.count > 0 && *run->convert.type)
        type = run->convert.type;
    if (!*type || job_set_type(&run->job, type, strlen(type), e) != ERR_NOMEM)
        return ERR_OK;
    return e->code;
}

/* The bytes of the object. */
static enum err_code open_stream(struct destination_run *run, struct stream **ret,
                                 struct err *e)
{
    struct stream_convert_options o = {.loop = run->source->env->loop,
                                       .from = fetch_stream(run->fetch),
                                       .job = &run->job,
                                       .convert = &run->convert};

    *ret = o.from;
    if (run->convert.count == 0)
        return ERR_OK;
    if (stream_convert_open(&o, &run->converters, e) != ERR_OK)
        return e->code;
    *ret = stream_convert_stream(run->converters);
    return ERR_OK;
}

static void on_head(const struct fetch_head *head, void *ctx)
{
    struct destination_run *run = ctx;
    struct destination_work work = {.job = &run->job,
                                    .fd = -1,
                                    .until_ms = run->work.until_ms,
                                    .done = on_inner_done,
                                    .ctx = run};
    struct err e = ERR_INIT;

    if (run->ending)
        return;
    if (run->aborting) {
        fail(run, RETRY_TRANSIENT, "stopped");
        return;
    }
    if (set_type(run, head->type, &e) != ERR_OK ||
        open_stream(run, &work.stream, &e) != ERR_OK) {
        fail(run, RETRY_TRANSIENT, e.text);
        return;
    }
    run->inner = destination_begin(run->to, &work);
    if (!run->inner)
        fail(run, RETRY_TRANSIENT, "no memory to begin the upload");
}

static void on_failed(void *ctx)
{
    struct destination_run *run = ctx;

    if (run->ending)
        return;
    fetch_failure(run->fetch, &run->outcome);
    run->outcome.aborted = run->aborting;
    end(run);
}

/* --- the beginning --- */

static enum err_code start(struct destination_run *run, struct err *e)
{
    const struct source_url *s = run->source;
    const struct config_fetch *config = &s->env->config->fetch;
    const struct job *job = run->work.job;

    run->to = destinations_find(s->destinations, job->to);
    if (!run->to)
        return err_set(e, ERR_CONFIG, "destination is not configured");
    if (run->work.only_look)
        return err_set(e, ERR_REJECT,
                       "what was at the URL is not known: nothing to look for");
    if (!config->enabled)
        return err_set(e, ERR_CONFIG, "[fetch] is not enabled here");
    if (job_copy(job, &run->job, e) != ERR_OK)
        return e->code;
    if (job->convert && convert_find(s->env->config, job->convert, strlen(job->convert),
                                     &run->convert, e) != ERR_OK) {
        e->code = ERR_CONFIG;
        return ERR_CONFIG;
    }
    run->fetch = fetch_begin(&(struct fetch_options){
        .loop = s->env->loop,
        .http = s->http,
        .config = config,
        .url = job_source_url(job),
        .max_bytes = env_queue(s->env, job->id.queue)->max_bytes,
        .on_head = on_head,
        .on_failed = on_failed,
        .ctx = run});
    return run->fetch ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a fetch");
}

static struct destination_run *url_begin(struct destination *d,
                                         const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);
    struct err e = ERR_INIT;

    if (!run)
        return NULL;
    run->source = (struct source_url *)d;
    run->work = *w;
    run->job = (struct job)JOB_INIT;
    (void)uv_timer_init(run->source->env->loop, &run->later); /* cannot fail */
    run->later.data = run;
    if (start(run, &e) != ERR_OK) {
        outcome_fail_err(&run->outcome, &e);
        run->outcome.error_class = "fetch";
        end(run);
    }
    return run;
}

static void url_abort(struct destination_run *run)
{
    run->aborting = true;
    if (run->inner)
        destination_abort(run->to, run->inner);
    else if (!run->ending)
        fail(run, RETRY_TRANSIENT, "stopped");
}

static void url_progress(const struct destination_run *run,
                         struct destination_progress *ret)
{
    ret->phase = DESTINATION_READING;
    if (run->inner)
        *ret = destination_progress(run->to, run->inner);
}

static void url_release(struct destination *d)
{
    free(d);
}

enum err_code source_url_open(const struct worker_env *env,
                              const struct destinations *destinations,
                              struct http *http, struct destination **ret,
                              struct err *e)
{
    static const struct destination_ops ops = {url_begin, url_abort, url_progress,
                                               url_release};
    struct source_url *s = calloc(1, sizeof *s);

    if (!s)
        return err_set(e, ERR_NOMEM, "no memory for fetching");
    s->base = (struct destination){.ops = &ops};
    s->env = env;
    s->destinations = destinations;
    s->http = http;
    *ret = &s->base;
    return ERR_OK;
}
