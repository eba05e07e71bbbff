#include "shared/reconcile_internal.h"

#include "shared/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SWEEP_MAX = 1000,
    RUN_MAX = 65536,   /* ids that are sorted at a time */
    FUTURE_MS = 60000, /* clocks differ by less */
    DAY_MS = 24 * 60 * 60 * 1000
};

DEFINE_CLEANUP(struct spool_scan *, scan_close, spool_scan_close)

static bool has_room(struct pass *p)
{
    if (p->run_count < p->run_capacity)
        return true;
    size_t capacity = p->run_capacity ? 2 * p->run_capacity : QUEUE_BATCH_MAX;
    struct job_id *run = reallocarray(p->run, capacity, sizeof *run);
    if (!run)
        return false;
    p->run = run;
    p->run_capacity = capacity;
    return true;
}

static int by_age(const void *a, const void *b)
{
    const struct job_id *x = a, *y = b;

    return strcmp(x->uuid.text, y->uuid.text);
}

/* Old enough not to be the publisher's any more.  What will only be made comes from a clock that was ahead, or ours is behind:
 * it does not wait for that time. */
static bool is_old_enough(const struct job_id *id, int64_t now_ms, int64_t min_age_ms)
{
    int64_t made_ms = id_uuid_ms(id->uuid.text);

    return made_ms <= now_ms - min_age_ms || made_ms > now_ms + FUTURE_MS;
}

/* Collect manifests that are old enough, and sort them: parents come before their children, and a group in its order. */
static void next_run(struct pass *p, struct spool_scan *scan)
{
    int64_t now_ms = clock_wall_ms();
    struct job_id id;

    p->run_count = p->run_next = 0;
    /* Without memory for more it is a shorter run. */
    while (p->run_count < RUN_MAX && has_room(p) && spool_scan_next(scan, &id)) {
        p->stats.scanned++;
        if (is_old_enough(&id, now_ms, p->options->min_age_ms))
            p->run[p->run_count++] = id;
    }
    if (p->run_count > 0)
        qsort(p->run, p->run_count, sizeof *p->run, by_age);
}

static void next_batch(struct pass *p, struct spool_scan *scan)
{
    if (p->run_next == p->run_count)
        next_run(p, scan);
    size_t left = p->run_count - p->run_next;
    p->id_count = left < QUEUE_BATCH_MAX ? left : QUEUE_BATCH_MAX;
    if (p->id_count > 0)
        memcpy(p->ids, p->run + p->run_next, p->id_count * sizeof p->ids[0]);
    p->run_next += p->id_count;
}

static enum err_code run_batches(struct pass *p, struct err *e)
{
    CLEANUP(scan_close) struct spool_scan *scan = NULL;

    if (spool_scan_open(p->spool, &scan, e))
        return e->code;
    while (!reconcile_is_stopped(p)) {
        next_batch(p, scan);
        if (p->id_count == 0)
            return spool_scan_error(scan, e);
        if (reconcile_batch(p, e))
            return e->code;
    }
    return ERR_OK;
}

static void on_swept(const char *name, void *ctx)
{
    const struct pass *p = ctx;

    if (p->options->on_act)
        p->options->on_act(RECONCILE_SWEEP, name, NULL, p->options->ctx);
}

static void sweep(struct pass *p)
{
    struct spool_sweep_options o = {.tmp_age_ms = p->options->sweep_age_ms,
                                    .jobs_age_ms = p->options->sweep_age_ms > DAY_MS
                                                       ? p->options->sweep_age_ms
                                                       : DAY_MS,
                                    .max = SWEEP_MAX,
                                    .dry_run = p->options->dry_run,
                                    .on_file = on_swept,
                                    .ctx = p};

    p->stats.swept = spool_sweep_files(p->spool, &o);
}

enum err_code reconcile_run(struct spool *s, struct redis *r,
                            const struct reconcile_options *o,
                            struct reconcile_stats *ret_stats, struct err *e)
{
    struct pass *p = calloc(1, sizeof *p);

    *ret_stats = (struct reconcile_stats){.bad_why = ERR_INIT};
    if (!p)
        return err_set(e, ERR_NOMEM, "reconcile: no memory");
    p->spool = s;
    p->redis = r;
    p->options = o;
    p->stats = *ret_stats;
    p->random = (uint64_t)clock_mono_us() ^ (uint64_t)getpid() << 32;
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        redis_cmd_init(&p->cmds[i]);
    enum err_code code = run_batches(p, e);
    if (code == ERR_OK && !reconcile_is_stopped(p))
        sweep(p);
    *ret_stats = p->stats;
    reconcile_drop_pipeline(p);
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        redis_cmd_release(&p->cmds[i]);
    free(p->run);
    free(p);
    return code == ERR_OK ? ERR_OK : err_prefix(e, "reconcile");
}
