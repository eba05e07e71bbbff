#include "worker/queue/looks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "worker/queue/removal.h"

enum { PARALLEL = 4 };

/* One under way. */
struct look {
    struct looks *set;
    struct reconcile_look item;
    struct job job;
    struct destination *destination;
    struct destination_run *run; /* while the destination looks */
    int64_t asked_ms;            /* boot time: when Redis was asked last */
    bool busy;
};

struct looks {
    struct looks_options options;
    struct look under_way[PARALLEL];
    uv_timer_t later; /* begins and ends on turns of its own */
    bool stopped;
    size_t next, count;
    struct reconcile_look items[];
};

static void on_turn(uv_timer_t *timer);

static void tell(const struct looks *l, const struct reconcile_look *item,
                 enum look_result result, const char *why)
{
    l->options.on_result(&item->id, result, why, l->options.ctx);
}

static void finish(struct look *k, enum look_result result, const char *why)
{
    struct looks *l = k->set;

    tell(l, &k->item, result, why);
    job_release(&k->job);
    *k = (struct look){.set = l, .job = JOB_INIT};
    (void)uv_timer_start(&l->later, on_turn, 0, 0);
}

/* --- it is there: its files go, unless Redis has changed its mind --- */

static void on_removed(void *ctx)
{
    finish(ctx, LOOK_THERE, "");
}

static bool is_still_done(const struct redis_value *reply, int64_t ended)
{
    const char *state = redis_value_str(redis_value_at(reply, 0), NULL);
    const char *at = redis_value_str(redis_value_at(reply, 1), NULL);
    char want[24];

    (void)snprintf(want, sizeof want, "%" PRId64, ended);
    return state && strcmp(state, "done") == 0 &&
           (at ? strcmp(at, want) == 0 : ended == 0);
}

static void on_checked(enum err_code code, const struct redis_value *reply,
                       const struct err *e, void *ctx)
{
    struct look *k = ctx;
    struct removal_order o = {
        .id = &k->item.id, .asked_ms = k->asked_ms, .done = on_removed, .ctx = k};

    if (code != ERR_OK)
        finish(k, LOOK_LEFT, e->text);
    else if (!is_still_done(reply, k->item.ended))
        finish(k, LOOK_MOOT, "");
    else if (!removal_begin(k->set->options.env, &o))
        finish(k, LOOK_LEFT, "no memory to remove its files");
}

static void check(struct look *k)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "HMGET");
    queue_add_job_key(&cmd, &k->item.id);
    redis_cmd_add_str(&cmd, "state");
    redis_cmd_add_str(&cmd, "ended");
    k->asked_ms = clock_boot_ms();
    redis_async_send(k->set->options.env->redis, &cmd, 0, on_checked, k);
    redis_cmd_release(&cmd);
}

/* --- it has gone: it runs again --- */

static void on_revived(enum err_code code, const struct redis_value *reply,
                       const struct err *e, void *ctx)
{
    struct look *k = ctx;
    enum queue_answer answer = QUEUE_MISSING;
    char state[QUEUE_STATE_SIZE] = "";
    struct err parse = ERR_INIT;

    if (code == ERR_OK) {
        code = queue_parse_answer(reply, &answer, state, &parse);
        e = &parse;
    }
    if (code != ERR_OK)
        finish(k, LOOK_LEFT, e->text);
    else if (answer == QUEUE_OK)
        finish(k, LOOK_AGAIN, "");
    else if (answer == QUEUE_BAD || strcmp(state, "done") == 0)
        finish(k, LOOK_LEFT,
               "its object has gone, and its record cannot run again now");
    else
        finish(k, LOOK_MOOT, "");
}

static void revive(struct look *k)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    queue_again_cmd(&cmd, &k->item.id, k->item.ended);
    redis_async_send(k->set->options.env->redis, &cmd, 0, on_revived, k);
    redis_cmd_release(&cmd);
}

/* --- the look --- */

static void on_outcome(struct outcome *o, void *ctx)
{
    struct look *k = ctx;
    const struct looks *l = k->set;

    k->run = NULL;
    if (o->aborted || l->stopped)
        finish(k, LOOK_LEFT, "stopped");
    else if (!o->done && !o->absent && !o->blind)
        finish(k, LOOK_LEFT, o->error);
    else if (l->options.dry_run)
        finish(k, o->absent ? LOOK_AGAIN : LOOK_THERE, "");
    else if (!o->absent) /* blind: nobody knows better than Redis, which says done */
        check(k);
    else
        revive(k);
}

/* Begin to look, or say why not.  The job's bytes are known, wherever they came from: they have arrived. */
static void look_at_object(struct look *k)
{
    const struct looks_options *o = &k->set->options;
    struct err e = ERR_INIT;
    int fd = -1;

    k->destination = job_is_spooled(&k->job)
                         ? destinations_route(o->destinations, &k->job)
                         : destinations_find(o->destinations, k->job.to);
    if (!k->destination) {
        finish(k, LOOK_LEFT, "destination is not configured");
        return;
    }
    if (spool_open_data(o->env->spool, &k->item.id, k->job.size, &fd, &e) != ERR_OK)
        fd = -1; /* the object alone may be proof enough */
    struct destination_work work = {
        .job = &k->job, .fd = fd, .only_look = true, .done = on_outcome, .ctx = k};
    k->run = destination_begin(k->destination, &work);
    if (k->run)
        return;
    fd_close(&fd);
    finish(k, LOOK_LEFT, "no memory for a look");
}

/* Size and digest of bytes that were fetched stand in its record alone. */
static void on_fetched(enum err_code code, const struct redis_value *reply,
                       const struct err *e, void *ctx)
{
    struct look *k = ctx;
    size_t len = 0;
    const char *sha256 = redis_value_str(redis_value_at(reply, 0), &len);

    if (code != ERR_OK) {
        finish(k, LOOK_LEFT, e->text);
    } else if (k->set->stopped) {
        finish(k, LOOK_LEFT, "stopped");
    } else if (!sha256 || len != DIGEST_SHA256_HEX) {
        finish(k, LOOK_LEFT, "its record does not tell what was fetched");
    } else if (!(k->job.sha256 = strndup(sha256, len))) {
        finish(k, LOOK_LEFT, "no memory for a look");
    } else {
        k->job.size = redis_value_int(redis_value_at(reply, 1));
        look_at_object(k);
    }
}

static void ask_fetched(struct look *k)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "HMGET");
    queue_add_job_key(&cmd, &k->item.id);
    redis_cmd_add_str(&cmd, "sha256");
    redis_cmd_add_str(&cmd, "bytes");
    redis_async_send(k->set->options.env->redis, &cmd, 0, on_fetched, k);
    redis_cmd_release(&cmd);
}

static void begin(struct look *k)
{
    struct spool *spool = k->set->options.env->spool;
    struct err e = ERR_INIT;
    bool missing = false;

    if (spool_read_manifest(spool, &k->item.id, &k->job, &missing, &e))
        finish(k, missing ? LOOK_MOOT : LOOK_LEFT, missing ? "" : e.text);
    else if (job_is_spooled(&k->job))
        look_at_object(k);
    else
        ask_fetched(k);
}

static void on_closed(uv_handle_t *handle)
{
    struct looks *l = handle->data;
    struct looks_options o = l->options;

    free(l);
    o.on_done(o.ctx);
}

/* Fill what is free; end when nothing is under way. */
static void on_turn(uv_timer_t *timer)
{
    struct looks *l = timer->data;
    size_t busy = 0;

    for (size_t i = 0; i < PARALLEL; i++) {
        struct look *k = &l->under_way[i];
        if (!k->busy && !l->stopped && l->next < l->count) {
            k->busy = true;
            k->item = l->items[l->next++];
            busy++;
            begin(k); /* may have ended already: then there is another turn */
        } else {
            busy += k->busy;
        }
    }
    if (busy == 0)
        uv_close((uv_handle_t *)timer, on_closed);
}

struct looks *looks_begin(const struct looks_options *o,
                          const struct reconcile_look *items, size_t count)
{
    struct looks *l = calloc(1, sizeof *l + count * sizeof items[0]);

    if (!l)
        return NULL;
    l->options = *o;
    l->count = count;
    memcpy(l->items, items, count * sizeof items[0]);
    for (size_t i = 0; i < PARALLEL; i++)
        l->under_way[i] = (struct look){.set = l, .job = JOB_INIT};
    l->later.data = l;
    (void)uv_timer_init(o->env->loop, &l->later); /* cannot fail */
    (void)uv_timer_start(&l->later, on_turn, 0, 0);
    return l;
}

void looks_stop(struct looks *l)
{
    l->stopped = true;
    for (size_t i = 0; i < PARALLEL; i++)
        if (l->under_way[i].run)
            destination_abort(l->under_way[i].destination, l->under_way[i].run);
}
