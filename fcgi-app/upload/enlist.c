#include "fcgi-app/upload/enlist.h"

#include "fcgi-app/jobs/batches.h"
#include "fcgi-app/jobs/job_store.h"
#include "shared/cleanup.h"
#include "shared/log.h"
#include "shared/queue.h"

#include <stdlib.h>
#include <string.h>

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

/* --- Before the commit --- */

/* A parent stands in the same queue. */
static struct job_id parent_of(const struct job *j)
{
    struct job_id parent = j->id;
    memcpy(parent.uuid.text, j->after, sizeof parent.uuid.text);
    return parent;
}

/* Whether Redis or the spool knows this job; true when Redis cannot be asked.  One that only the spool knows is brought into
 * the queue, behind its own parent: a child would not wait for it otherwise. */
static bool is_known(struct exchange *x, const struct job_id *id, int generations)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
    CLEANUP(job_release) struct job manifest = JOB_INIT;
    struct err e = ERR_INIT;
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "EXISTS");
    queue_add_job_key(&c, id);
    if (exchange_ask(x, &c, 1, &reply, &e) || redis_value_error(reply, &e) ||
        redis_value_int(reply) > 0)
        return true;
    enum problem p = job_store_read_manifest(x, id, &manifest, &e);
    if (p)
        return p != PROBLEM_NO_JOB;
    if (manifest.after && generations > 1) {
        const struct job_id parent = parent_of(&manifest);
        (void)is_known(x, &parent, generations - 1); /* it was, when it was accepted */
    }
    if (job_store_enqueue(x, id, &e))
        log_debug("uploads", "a parent is not in the queue yet", LOG_ERR(&e));
    return true;
}

static enum problem check_parent(struct exchange *x, const struct job *j, struct err *e)
{
    const struct job_id parent = parent_of(j);
    enum problem p = job_store_check_owner(x, &parent, e);
    if (p != PROBLEM_NO_JOB && is_known(x, &parent, ENLIST_GENERATIONS))
        return PROBLEM_NONE;
    return problem_set(e, PROBLEM_BAD_VALUE, "after: no job has the id %s.%s",
                       parent.queue, parent.uuid.text);
}

/* All jobs of the request: whose their batch is could not be found out, and the queue is to. */
static void leave_unchecked(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        b->jobs[i].batch_unchecked = 1;
}

/* All jobs of the request: who is told of the end of their batch. */
static enum problem take_callback(struct batch *b, const char *callback, struct err *e)
{
    for (size_t i = 0; i < b->count && *callback; i++) {
        free(b->jobs[i].batch_callback);
        if (!(b->jobs[i].batch_callback = strdup(callback)))
            return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    }
    return PROBLEM_NONE;
}

static enum problem check_batch(struct exchange *x, const char *batch, struct err *e)
{
    struct batches_sum sum;
    struct uuid id;
    memcpy(id.text, batch, sizeof id.text);
    enum problem p = batches_check_owner(x, &id, e);
    if (p == PROBLEM_NO_BATCH)
        return problem_set(e, PROBLEM_BAD_VALUE, "batch: no batch has the id %s",
                           batch);
    if (p)
        leave_unchecked(&x->batch);
    if (batches_sum(x, &id, &sum, e)) /* Redis cannot be asked */
        return PROBLEM_NONE;
    if (!sum.is_known)
        return problem_set(e, PROBLEM_BAD_VALUE, "batch: no batch has the id %s",
                           batch);
    return sum.open ? take_callback(&x->batch, sum.callback, e)
                    : problem_set(e, PROBLEM_BAD_VALUE, "batch: %s is closed", batch);
}

enum problem enlist_check(struct exchange *x, struct err *e)
{
    const struct batch *b = &x->batch;
    const char *asked = "";
    enum problem p = PROBLEM_NONE;
    if (b->jobs[0].batch) /* the same in all */
        p = check_batch(x, b->jobs[0].batch, e);
    for (size_t i = 0; !p && i < b->count; i++) {
        const char *after = b->jobs[i].after;
        if (!after || strcmp(after, asked) == 0)
            continue;
        p = check_parent(x, &b->jobs[i], e);
        asked = after;
    }
    return p;
}

/* --- After the commit --- */

static void take_back(struct exchange *x, const struct job_id *id)
{
    struct err e = ERR_INIT;
    idempotency_drop(x);
    if (spool_remove(x->app->spool, id, &e))
        log_warn("uploads", "refused; its bytes stay until reconcile", LOG_ERR(&e));
}

/* Redis' word on the one job with a unique key. */
static enum problem judge_unique(struct exchange *x, const struct publish_answer *a,
                                 struct job_id *ret_holder, struct err *e)
{
    const struct job *j = &x->batch.jobs[0];
    if (a->is_known && a->answer == QUEUE_DUPLICATE) {
        take_back(x, &j->id);
        *ret_holder = j->id;
        if (id_is_uuid(a->other, strlen(a->other)))
            memcpy(ret_holder->uuid.text, a->other, sizeof ret_holder->uuid.text);
        if (job_store_check_owner(x, ret_holder, e)) {
            *ret_holder = (struct job_id){.queue = ""}; /* another's */
            return problem_set(e, PROBLEM_DUPLICATE, "another job has this unique key");
        }
        return problem_set(e, PROBLEM_DUPLICATE, "the job %s.%s has this unique key",
                           ret_holder->queue, ret_holder->uuid.text);
    }
    if (a->is_known && a->answer == QUEUE_FULL) {
        take_back(x, &j->id);
        x->retry_after = rooms_retry_after(x->app->rooms, j->id.queue);
        return problem_set(e, PROBLEM_QUEUE_FULL, "the queue %s is full", j->id.queue);
    }
    return PROBLEM_NONE;
}

enum problem enlist_jobs(struct exchange *x, struct job_id *ret_holder, struct err *e)
{
    const struct batch *b = &x->batch;
    const struct uuid *own_batch = b->is_named || b->jobs[0].unique ? NULL : &b->id;
    bool waits = b->jobs[0].unique || waits_is_wanted(&x->app->waits);
    struct publish_answer a;
    if (!waits) {
        publisher_push(x->app->publisher, b->jobs, b->count, own_batch);
        return PROBLEM_NONE;
    }
    exchange_hold(x);
    publisher_push_wait(x->app->publisher, b->jobs, b->count, own_batch, &a);
    x->waited = a.waited;
    return b->jobs[0].unique ? judge_unique(x, &a, ret_holder, e) : PROBLEM_NONE;
}
