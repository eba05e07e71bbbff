#include "worker/queue/removal.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log.h"

enum { BATCHES_MAX = 4, FULL = 32 /* waiting ones that are worth another thread */ };

struct removal {
    uv_work_t request; /* of the first one of a batch */
    struct removal *next;
    struct removals *set;
    struct spool *spool;
    struct job_id id;
    int64_t until_ms; /* boot time */
    enum err_code code;
    struct err err;
    void (*done)(void *ctx);
    void *ctx;
};

/* --- on the pool's thread --- */

static void remove_one(struct removal *r)
{
    if (clock_boot_ms() < r->until_ms)
        r->code = spool_remove(r->spool, &r->id, &r->err);
    else
        r->code =
            err_set(&r->err, ERR_RETRY, "it took longer than a lease to get here");
}

static void on_pool(uv_work_t *request)
{
    for (struct removal *r = request->data; r; r = r->next)
        remove_one(r);
}

/* --- on the loop --- */

static void tell(struct removal *r)
{
    char text[ID_JOB_MAX + 1];
    const char *name = text;

    id_format_job(&r->id, text);
    if (r->code != ERR_OK)
        log_warn("transfer", "spool files stay until reconcile", LOG_STR("id", name),
                 LOG_ERR(&r->err));
    if (r->done)
        r->done(r->ctx);
}

static void begin_batch(struct removals *set);

static void after(uv_work_t *request, int status)
{
    struct removal *r = request->data;
    struct removals *set = r->set;

    (void)status; /* never cancelled */
    set->batches--;
    if (set->first)
        begin_batch(set);
    while (r) {
        struct removal *next = r->next;
        tell(r);
        free(r);
        r = next;
    }
}

/* All that wait go, one after the other, on one thread. */
static void begin_batch(struct removals *set)
{
    struct removal *first = set->first;

    set->first = set->last = NULL;
    set->waiting = 0;
    set->batches++;
    first->request.data = first;
    (void)uv_queue_work(set->loop, &first->request, on_pool, after); /* cannot fail */
}

static bool is_worth_a_thread(const struct removals *set)
{
    return set->waiting > 0 && !set->gathering &&
           (set->batches == 0 || (set->waiting >= FULL && set->batches < BATCHES_MAX));
}

bool removal_begin(const struct worker_env *env, const struct removal_order *o)
{
    struct removals *set = env->removals;
    struct removal *r = calloc(1, sizeof *r);

    if (!r)
        return false;
    r->set = set;
    r->spool = env->spool;
    r->id = *o->id;
    r->until_ms = o->asked_ms + env->self.lease_ms;
    r->done = o->done;
    r->ctx = o->ctx;
    *(set->last ? &set->last->next : &set->first) = r;
    set->last = r;
    set->waiting++;
    if (is_worth_a_thread(set))
        begin_batch(set);
    return true;
}

void removals_gather(struct removals *set)
{
    set->gathering = true;
}

void removals_begin(struct removals *set)
{
    set->gathering = false;
    if (is_worth_a_thread(set))
        begin_batch(set);
}

void removals_init(struct removals *set, uv_loop_t *loop)
{
    *set = (struct removals){.loop = loop};
}
