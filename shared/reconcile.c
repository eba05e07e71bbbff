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

/* --- The oldest first, whatever the order of the directory: parents before their children, and a group in its order --- */

static int by_age(const void *a, const void *b)
{
    const struct job_id *x = a, *y = b;
    int order = strcmp(x->uuid.text, y->uuid.text);

    return order ? order : strcmp(x->queue, y->queue);
}

/* Old enough not to be the publisher's any more.  What will only be made comes from a clock that was ahead, or ours is behind:
 * it does not wait for that time. */
static bool is_old_enough(const struct job_id *id, int64_t now_ms, int64_t min_age_ms)
{
    int64_t made_ms = id_uuid_ms(id->uuid.text);

    return made_ms <= now_ms - min_age_ms || made_ms > now_ms + FUTURE_MS;
}

/* Keep the oldest.  The others are for a later run. */
static void cut_run(struct pass *p)
{
    if (p->run_count > 0)
        qsort(p->run, p->run_count, sizeof *p->run, by_age);
    if (p->run_count <= p->run_max)
        return;
    p->run_count = p->run_max;
    p->run_is_cut = true;
}

/* Twice as many as a run may have are gathered before it is cut.  False: there is no memory for any. */
static bool make_room(struct pass *p)
{
    size_t most = 2 * p->run_max, capacity = 2 * p->run_capacity;
    struct job_id *run = NULL;

    if (p->run_count < p->run_capacity)
        return true;
    if (capacity == 0)
        capacity = QUEUE_BATCH_MAX;
    if (capacity > most)
        capacity = most;
    if (capacity > p->run_capacity)
        run = reallocarray(p->run, capacity, sizeof *run);
    if (run) {
        p->run = run;
        p->run_capacity = capacity;
        return true;
    }
    if (p->run_capacity < 2)
        return false;
    p->run_max = p->run_capacity / 2; /* without memory for more it is a shorter run */
    cut_run(p);
    return true;
}

/* Behind the run before, and not behind where this one was cut. */
static bool is_of_this_run(const struct pass *p, const struct job_id *id)
{
    return (!p->has_run || by_age(id, &p->run_last) > 0) &&
           (!p->run_is_cut || by_age(id, &p->run[p->run_max - 1]) < 0);
}

/* Collect manifests that are old enough, and sort them. */
static enum err_code next_run(struct pass *p, struct err *e)
{
    CLEANUP(scan_close) struct spool_scan *scan = NULL;
    int64_t now_ms = clock_wall_ms();
    struct job_id id;

    p->run_count = p->run_next = 0;
    p->run_is_cut = false;
    if (spool_scan_open(p->spool, &scan, e))
        return e->code;
    while (spool_scan_next(scan, &id)) {
        p->stats.scanned += !p->has_run; /* later runs meet them again */
        if (!is_old_enough(&id, now_ms, p->options->min_age_ms) ||
            !is_of_this_run(p, &id))
            continue;
        if (!make_room(p))
            return err_set(e, ERR_NOMEM, "no memory for the ids of jobs");
        p->run[p->run_count++] = id;
    }
    cut_run(p);
    p->has_run = p->run_count > 0;
    if (p->has_run)
        p->run_last = p->run[p->run_count - 1];
    return spool_scan_error(scan, e);
}

static void next_batch(struct pass *p)
{
    size_t left = p->run_count - p->run_next;

    p->id_count = left < QUEUE_BATCH_MAX ? left : QUEUE_BATCH_MAX;
    if (p->id_count > 0)
        memcpy(p->ids, p->run + p->run_next, p->id_count * sizeof p->ids[0]);
    p->run_next += p->id_count;
}

static enum err_code run_batches(struct pass *p, struct err *e)
{
    struct err listing = ERR_INIT;
    enum err_code code;

    do {
        code = next_run(p, &listing);
        for (next_batch(p); p->id_count > 0 && !reconcile_is_stopped(p); next_batch(p))
            if (reconcile_batch(p, e))
                return e->code;
    } while (code == ERR_OK && p->run_is_cut && !reconcile_is_stopped(p));
    if (code != ERR_OK)
        *e = listing;
    return code;
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
    p->run_max = o->run_max > 0 ? o->run_max : RUN_MAX;
    p->stats = *ret_stats;
    p->random = (uint64_t)clock_mono_us() ^ (uint64_t)getpid() << 32;
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        redis_cmd_init(&p->cmds[i]);
    enum err_code code = run_batches(p, e);
    if (code == ERR_OK && !reconcile_is_stopped(p))
        sweep(p);
    if (code == ERR_OK)
        code = reconcile_keys(p, e);
    *ret_stats = p->stats;
    reconcile_drop_pipeline(p);
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        redis_cmd_release(&p->cmds[i]);
    free(p->run);
    free(p);
    return code == ERR_OK ? ERR_OK : err_prefix(e, "reconcile");
}
