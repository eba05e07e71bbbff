#include "worker/removal.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log.h"

struct removal {
    uv_work_t request;
    struct spool *spool;
    struct job_id id;
    int64_t until_ms; /* boot time */
    enum err_code code;
    struct err err;
    void (*done)(void *ctx);
    void *ctx;
};

static void on_pool(uv_work_t *request)
{
    struct removal *r = request->data;

    if (clock_boot_ms() < r->until_ms)
        r->code = spool_remove(r->spool, &r->id, &r->err);
    else
        r->code =
            err_set(&r->err, ERR_RETRY, "it took longer than a lease to get here");
}

static void after(uv_work_t *request, int status)
{
    struct removal *r = request->data;
    char text[ID_JOB_MAX + 1];
    const char *name = text;

    id_format_job(&r->id, text);
    if (status == 0 && r->code != ERR_OK)
        log_warn("transfer", "spool files stay until reconcile", LOG_STR("id", name),
                 LOG_ERR(&r->err));
    if (r->done)
        r->done(r->ctx);
    free(r);
}

bool removal_begin(const struct worker_env *env, const struct removal_order *o)
{
    struct removal *r = calloc(1, sizeof *r);

    if (!r)
        return false;
    r->request.data = r;
    r->spool = env->spool;
    r->id = *o->id;
    r->until_ms = o->asked_ms + env->self.lease_ms;
    r->done = o->done;
    r->ctx = o->ctx;
    if (uv_queue_work(env->loop, &r->request, on_pool, after) == 0)
        return true;
    free(r);
    return false;
}
