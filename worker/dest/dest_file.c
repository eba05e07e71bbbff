#include "worker/dest/dest_file_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "shared/cleanup.h"

enum { DIRECTORY_MODE = 0755 };

static void run_on_pool(uv_work_t *request)
{
    struct destination_run *run = request->data;
    struct dest_file_copy c;
    struct err e = ERR_INIT;
    bool there = true;

    dest_file_copy_init(&c, run);
    enum err_code code = dest_file_open_root(&c, &e);
    if (code == ERR_OK)
        code = run->work.only_look ? dest_file_look(&c, &there, &e)
                                   : dest_file_copy_spooled(&c, &e);
    dest_file_conclude(&c, there, code == ERR_OK ? NULL : &e);
    dest_file_copy_release(&c);
}

static void after_pool(uv_work_t *request, int status)
{
    struct destination_run *run = request->data;

    if (status != 0) /* UV_ECANCELED: it never ran */
        run->outcome.aborted = true;
    fd_close(&run->work.fd);
    run->work.done(&run->outcome, run->work.ctx);
    outcome_release(&run->outcome);
    free(run);
}

static struct destination_run *file_begin(struct destination *d,
                                          const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->dest = (struct dest_file *)d;
    run->work = *w;
    run->request.data = run;
    if (w->stream) {
        if (dest_file_stream_begin(run))
            return run;
        free(run);
        return NULL;
    }
    if (uv_queue_work(run->dest->loop, &run->request, run_on_pool, after_pool) != 0) {
        free(run);
        return NULL;
    }
    return run;
}

static void file_abort(struct destination_run *run)
{
    atomic_store_explicit(&run->stop, true, memory_order_relaxed);
    if (run->stream) {
        dest_file_stream_abort(run);
        return;
    }
    (void)uv_cancel((uv_req_t *)&run->request); /* fails when it runs: it sees stop */
}

static void file_progress(const struct destination_run *run,
                          struct destination_progress *ret)
{
    ret->phase = DESTINATION_UPLOADING;
    ret->sent = atomic_load_explicit(&run->sent, memory_order_relaxed);
    ret->total = run->stream ? -1 : run->work.job->size;
}

static void file_release(struct destination *d)
{
    free(d);
}

enum err_code dest_file_open(const struct dest_file_options *o,
                             struct destination **ret, struct err *e)
{
    static const struct destination_ops ops = {file_begin, file_abort, file_progress,
                                               file_release};
    struct dest_file *d = calloc(1, sizeof *d);

    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for a destination");
    d->base = (struct destination){.ops = &ops, .config = o->config};
    d->loop = o->loop;
    d->named = o->named;
    *ret = &d->base;
    if (!o->only_looks && mkdir(o->config->dir, DIRECTORY_MODE) < 0 && errno != EEXIST)
        return err_errno(e, ERR_CONFIG, "create %s", o->config->dir);
    return ERR_OK;
}
