#include "shared/reconcile_internal.h"

#include "shared/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES_MAX = REDIS_CMD_BYTES_MAX / 2, PAUSE_MIN_MS = 20, PAUSE_MAX_MS = 100 };

/* --- hoist:queues, which lies outside the slot of any queue, so that the script cannot do it --- */

static void build_registrations(struct pass *p)
{
    for (size_t i = 0; i < p->id_count; i++) {
        if (strcmp(p->ids[i].queue, p->registered) == 0)
            continue;
        memcpy(p->registered, p->ids[i].queue, sizeof p->registered);
        queue_register_queue_cmd(&p->cmds[p->cmd_count++], p->registered);
    }
}

static enum err_code register_queues(struct pass *p, struct err *e)
{
    reconcile_drop_pipeline(p);
    build_registrations(p);
    if (reconcile_send(p, e))
        return e->code;
    for (size_t i = 0; i < p->cmd_count; i++) {
        bool usable; /* hoist:queues may be of another type: no matter of one queue */
        if (reconcile_check(p, p->replies[i], &p->ids[0], &usable, e))
            return e->code;
    }
    return ERR_OK;
}

/* --- manifests --- */

/* False: it has gone a moment ago, or is to be left. */
static bool read_entry(struct pass *p, const struct job_id *id,
                       struct queue_entry *ret_entry)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err why = ERR_INIT;
    bool missing = false;
    enum err_code code = spool_read_manifest(p->spool, id, &j, &missing, &why);

    if (code == ERR_OK)
        queue_entry_init(ret_entry, &j);
    else if (code != ERR_REJECT)
        reconcile_note_bad(p, RECONCILE_FAILED, id, &why);
    else if (!missing)
        reconcile_note_bad(p, RECONCILE_DAMAGED, id, &why);
    return code == ERR_OK;
}

/* Keep in ids those that can be read, their entries beside them. */
static void read_entries(struct pass *p)
{
    size_t readable = 0;

    for (size_t i = 0; i < p->id_count; i++) {
        if (read_entry(p, &p->ids[i], &p->entries[readable]))
            p->ids[readable++] = p->ids[i];
    }
    p->id_count = readable;
}

/* --- many of one queue in one call --- */

static int by_queue(const void *a, const void *b)
{
    const struct job_id *x = a, *y = b;
    int order = strcmp(x->queue, y->queue);

    return order ? order : strcmp(x->uuid.text, y->uuid.text);
}

static void build_enqueues(struct pass *p)
{
    reconcile_drop_pipeline(p);
    for (size_t at = 0; at < p->id_count;) {
        struct reconcile_group *g = &p->groups[p->cmd_count];
        size_t bytes = queue_entry_bytes(&p->entries[at]);
        *g = (struct reconcile_group){.first = at, .count = 1};
        while (++at < p->id_count &&
               strcmp(p->ids[at].queue, p->ids[g->first].queue) == 0) {
            bytes += queue_entry_bytes(&p->entries[at]);
            if (bytes > BYTES_MAX)
                break;
            g->count++;
        }
        queue_enqueue_cmd(&p->cmds[p->cmd_count++], &p->entries[g->first], g->count);
    }
}

static void count_enqueued(struct pass *p, const struct job_id *id)
{
    p->stats.enqueued++;
    reconcile_note(p, RECONCILE_ENQUEUE, id, NULL);
}

/* The answer for one job. */
static enum err_code take_answer(struct pass *p, const struct redis_value *reply,
                                 const struct job_id *id, size_t *known, struct err *e)
{
    enum queue_answer answer = QUEUE_BAD;
    struct err why = ERR_INIT;

    if (queue_parse_answer(reply, &answer, NULL, e))
        return e->code;
    *known += answer == QUEUE_EXISTS;
    if (answer == QUEUE_OK)
        count_enqueued(p, id);
    if (answer == QUEUE_BAD) {
        (void)err_set(&why, ERR_REJECT, "Redis holds no record of a job there");
        reconcile_note_bad(p, RECONCILE_DAMAGED, id, &why);
    }
    return ERR_OK;
}

/* *ret_known: of how many another had been faster. */
static enum err_code take_answers(struct pass *p, size_t *ret_known, struct err *e)
{
    *ret_known = 0;
    for (size_t c = 0; c < p->cmd_count; c++) {
        const struct reconcile_group *g = &p->groups[c];
        for (size_t i = 0; i < g->count; i++) {
            const struct job_id *id = &p->ids[g->first + i];
            bool usable;
            if (reconcile_check(p, p->replies[c], id, &usable, e))
                return e->code;
            if (usable &&
                take_answer(p, redis_value_at(p->replies[c], i), id, ret_known, e))
                return e->code;
        }
    }
    return ERR_OK;
}

/* Another process brings the same jobs back.  Let it go ahead for a while of chance: then its jobs are known, which costs
 * next to nothing to see, instead of each being read and sent twice. */
static void let_another_go_ahead(struct pass *p)
{
    p->random = p->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    long ms =
        PAUSE_MIN_MS + (long)((p->random >> 33) % (PAUSE_MAX_MS - PAUSE_MIN_MS + 1));
    struct timespec t = {.tv_nsec = ms * 1000000};

    (void)nanosleep(&t, NULL); /* a signal may end it early */
}

static enum err_code send_entries(struct pass *p, struct err *e)
{
    size_t known = 0;

    build_enqueues(p);
    if (reconcile_send(p, e) || take_answers(p, &known, e))
        return e->code;
    if (known > p->id_count / 2)
        let_another_go_ahead(p);
    return ERR_OK;
}

enum err_code reconcile_enqueue(struct pass *p, struct err *e)
{
    enum err_code code = ERR_OK;

    qsort(p->ids, p->id_count, sizeof p->ids[0], by_queue);
    if (!p->options->dry_run && register_queues(p, e))
        return e->code;
    read_entries(p);
    if (p->options->dry_run) {
        for (size_t i = 0; i < p->id_count; i++)
            count_enqueued(p, &p->ids[i]);
    } else if (p->id_count > 0) {
        code = send_entries(p, e);
    }
    for (size_t i = 0; i < p->id_count; i++)
        queue_entry_release(&p->entries[i]);
    return code;
}
