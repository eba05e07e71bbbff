#include "worker/queue/reconcile_once.h"

#include <stdlib.h>
#include <string.h>

#include "shared/redis_check.h"
#include "worker/s3/abandoned.h"
#include "worker/queue/looks.h"
#include "worker/queue/removal.h"
#include "worker/queue/reconciler.h"

enum { LOOKS_A_ROUND = 4096 };

struct once {
    struct worker_env env;
    struct removals removals;
    uv_loop_t loop;
    struct destinations *destinations;
    struct redis *redis; /* of the passes; env.redis is that of the looks */
    uv_timer_t deadline; /* for env.redis to be ready */
    bool ready, late, dry_run, silent;
    struct reconcile_stats stats;
    size_t there, again, left;
    struct reconcile_look looks[LOOKS_A_ROUND];
};

/* --- lines --- */

/* What is not printable, in a file's name or a store's words, stands as '?'. */
static void print_safely(const char *s)
{
    for (; *s; s++)
        (void)putchar((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s);
}

static void print_line(const char *verb, const char *what, const char *said,
                       const char *why)
{
    (void)printf("%s ", verb);
    print_safely(what);
    if (said)
        (void)printf(": %s", said);
    if (why) {
        (void)fputs(": ", stdout);
        print_safely(why);
    }
    (void)putchar('\n');
}

static void on_act(enum reconcile_act act, const char *what, const struct err *why,
                   void *ctx)
{
    static const char *const verbs[] = {[RECONCILE_ENQUEUE] = "enqueue",
                                        [RECONCILE_REMOVE] = "remove",
                                        [RECONCILE_SWEEP] = "sweep",
                                        [RECONCILE_DAMAGED] = "damaged",
                                        [RECONCILE_FAILED] = "failed"};

    (void)ctx;
    print_line(verbs[act], what, NULL, why ? why->text : NULL);
}

static void on_look(const struct job_id *id, enum look_result result, const char *why,
                    void *ctx)
{
    struct once *o = ctx;
    char name[ID_JOB_MAX + 1];

    id_format_job(id, name);
    switch (result) {
    case LOOK_THERE:
        o->there++;
        print_line("look", name, "there", NULL);
        print_line("remove", name, NULL, NULL);
        break;
    case LOOK_AGAIN:
        o->again++;
        print_line("again", name, NULL, NULL);
        break;
    case LOOK_LEFT:
        o->left++;
        print_line("look", name, "cannot tell", why);
        break;
    case LOOK_MOOT:
        break;
    }
}

static void on_abandoned(const char *name, enum abandoned_result result,
                         const char *why, void *ctx)
{
    struct once *o = ctx;

    o->left += result == ABANDONED_LEFT;
    if (result == ABANDONED_CLEARED)
        print_line("abort", name, NULL, NULL);
    else
        print_line("abort", name, "cannot tell", why);
}

/* ERR_RETRY: not all that was told has been written, so that the list looks whole and is not. */
static enum err_code print_sums(const struct once *o, struct err *e)
{
    const struct reconcile_stats *s = &o->stats;

    (void)printf("%s: scanned %zu, enqueued %zu, removed %zu, again %zu, swept %zu, "
                 "damaged %zu, left %zu\n",
                 o->dry_run ? "dry run, nothing was changed" : "reconciled", s->scanned,
                 s->enqueued, s->removed + o->there, o->again, s->swept, s->damaged,
                 s->failed + o->left);
    if (fflush(stdout) != 0 || ferror(stdout))
        return err_errno(e, ERR_RETRY, "write to standard output");
    return ERR_OK;
}

/* --- the passes --- */

/* One pass; what it hands out is in looks. */
static enum err_code run_pass(struct once *o, const struct uuid *after,
                              struct reconcile_stats *ret, struct err *e)
{
    struct reconcile_options ro = RECONCILE_OPTIONS_INIT;

    ro.settle_ms = reconciler_settle_ms(&o->env);
    ro.looks = o->looks;
    ro.looks_max = LOOKS_A_ROUND;
    ro.looks_after = *after;
    ro.dry_run = o->dry_run;
    ro.on_act = o->silent ? NULL : on_act;
    ro.ctx = o;
    return reconcile_run(o->env.spool, o->redis, &ro, ret, e);
}

static void on_looks_done(void *ctx)
{
    uv_stop(((struct once *)ctx)->env.loop);
}

static enum err_code look(struct once *o, size_t count, struct err *e)
{
    struct looks_options lo = {.env = &o->env,
                               .destinations = o->destinations,
                               .dry_run = o->dry_run,
                               .on_result = on_look,
                               .on_done = on_looks_done,
                               .ctx = o};

    if (!looks_begin(&lo, o->looks, count))
        return err_set(e, ERR_NOMEM, "no memory to look at objects");
    (void)uv_run(&o->loop, UV_RUN_DEFAULT);
    return ERR_OK;
}

/* Uploads in parts that nobody goes on with. */
static enum err_code abort_abandoned(struct once *o, struct err *e)
{
    struct abandoned_options ao = {.env = &o->env,
                                   .destinations = o->destinations,
                                   .dry_run = o->dry_run,
                                   .on_result = on_abandoned,
                                   .on_done = on_looks_done,
                                   .ctx = o};

    if (!abandoned_begin(&ao))
        return err_set(e, ERR_NOMEM, "no memory to look at uploads in parts");
    (void)uv_run(&o->loop, UV_RUN_DEFAULT);
    return ERR_OK;
}

static enum err_code run_rounds(struct once *o, struct err *e)
{
    struct uuid after = {""};
    struct reconcile_stats stats;

    if (run_pass(o, &after, &o->stats, e))
        return e->code;
    stats = o->stats;
    while (stats.looks > 0) {
        size_t count = stats.looks;
        if (look(o, count, e))
            return e->code;
        if (count < LOOKS_A_ROUND)
            break;
        after = o->looks[count - 1].id.uuid;
        o->silent = true; /* all but the looks was told */
        if (run_pass(o, &after, &stats, e))
            return e->code;
    }
    return ERR_OK;
}

/* --- what it stands on --- */

static void on_ready(void *ctx)
{
    struct once *o = ctx;

    o->ready = true;
    uv_stop(&o->loop);
}

static void on_lost(const struct err *why, void *ctx)
{
    (void)why; /* the passes tell; a look that cannot ask is left */
    (void)ctx;
}

static void on_late(uv_timer_t *timer)
{
    struct once *o = timer->data;

    o->late = true;
    uv_stop(&o->loop);
}

static enum err_code wait_for_redis(struct once *o, struct err *e)
{
    const struct config_redis *c = &o->env.config->redis;

    (void)uv_timer_start(&o->deadline, on_late,
                         (uint64_t)(c->connect_timeout_ms + c->timeout_ms), 0);
    while (!o->ready && !o->late)
        (void)uv_run(&o->loop, UV_RUN_DEFAULT);
    (void)uv_timer_stop(&o->deadline);
    return o->ready ? ERR_OK : err_set(e, ERR_RETRY, "redis: not ready in time");
}

static enum err_code open_parts(struct once *o, struct err *e)
{
    const struct config_redis *c = &o->env.config->redis;
    struct redis_target target = REDIS_TARGET_INIT;
    enum err_code code = env_redis_target(c, &target, e);
    struct redis_options ro = {.target = target,
                               .connect_timeout_ms = (int)c->connect_timeout_ms,
                               .timeout_ms = (int)c->timeout_ms};
    struct redis_async_options ao = {.target = target,
                                     .connect_timeout_ms = (int)c->connect_timeout_ms,
                                     .timeout_ms = (int)c->timeout_ms,
                                     .scripts = queue_scripts,
                                     .on_ready = on_ready,
                                     .on_lost = on_lost,
                                     .ctx = o};

    if (code == ERR_OK)
        code = redis_check_start(&ro, e);
    if (code == ERR_OK)
        code = redis_open(&ro, &o->redis, e);
    if (code == ERR_OK)
        code = redis_async_open(&o->loop, &ao, &o->env.redis, e);
    if (code == ERR_OK)
        code = destinations_open(&o->env, &o->destinations, e);
    redis_target_release(&target);
    return code;
}

static void on_closed(void *ctx)
{
    (void)ctx; /* the loop ends by itself when all is closed */
}

static void close_parts(struct once *o)
{
    uv_close((uv_handle_t *)&o->deadline, NULL);
    destinations_close(o->destinations);
    redis_close(o->redis);
    if (o->env.redis)
        redis_async_close(o->env.redis, on_closed, o);
    (void)uv_run(&o->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&o->loop); /* nothing is open any more */
}

enum err_code reconcile_once(const struct config *config, struct spool *spool,
                             bool dry_run, size_t *ret_left, struct err *e)
{
    struct once *o = calloc(1, sizeof *o);

    if (!o || uv_loop_init(&o->loop) != 0) {
        free(o);
        return err_set(e, ERR_NOMEM, "no memory to reconcile");
    }
    o->dry_run = dry_run;
    o->env = (struct worker_env){
        .loop = &o->loop,
        .config = config,
        .spool = spool,
        .removals = &o->removals,
        .self = {.id = "reconcile", .lease_ms = config->worker.lease_ms},
        .only_looks = true};
    removals_init(&o->removals, &o->loop);
    (void)uv_timer_init(&o->loop, &o->deadline); /* cannot fail */
    o->deadline.data = o;
    enum err_code code = open_parts(o, e);
    if (code == ERR_OK)
        code = wait_for_redis(o, e);
    if (code == ERR_OK)
        code = run_rounds(o, e);
    if (code == ERR_OK)
        code = abort_abandoned(o, e);
    if (code == ERR_OK)
        code = print_sums(o, e);
    *ret_left = o->stats.damaged + o->stats.failed + o->left;
    close_parts(o);
    free(o);
    return code;
}
