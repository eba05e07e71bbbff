#include "shared/reconcile_internal.h"

#include <string.h>

void reconcile_drop_pipeline(struct pass *p)
{
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++) {
        redis_reply_free(p->replies[i]);
        p->replies[i] = NULL;
        redis_cmd_clear(&p->cmds[i]);
    }
    p->cmd_count = 0;
}

enum err_code reconcile_send(struct pass *p, struct err *e)
{
    if (p->cmd_count == 0)
        return ERR_OK;
    return redis_pipeline(p->redis, p->cmds, p->cmd_count, p->replies, e);
}

bool reconcile_is_stopped(const struct pass *p)
{
    return p->options->stop && atomic_load(p->options->stop);
}

void reconcile_note(struct pass *p, enum reconcile_act act, const struct job_id *id,
                    const struct err *why)
{
    char name[ID_JOB_MAX + 1];

    if (!p->options->on_act)
        return;
    id_format_job(id, name);
    p->options->on_act(act, name, why, p->options->ctx);
}

void reconcile_note_bad(struct pass *p, enum reconcile_act act, const struct job_id *id,
                        const struct err *why)
{
    if (p->stats.damaged + p->stats.failed == 0) {
        p->stats.bad_id = *id;
        p->stats.bad_why = *why;
    }
    p->stats.damaged += act == RECONCILE_DAMAGED;
    p->stats.failed += act == RECONCILE_FAILED;
    reconcile_note(p, act, id, why);
}

enum err_code reconcile_check(struct pass *p, const struct redis_value *reply,
                              const struct job_id *id, bool *ret_usable, struct err *e)
{
    enum err_code code = redis_value_error(reply, e);

    *ret_usable = code == ERR_OK;
    if (code != ERR_REJECT)
        return code;
    reconcile_note_bad(p, RECONCILE_DAMAGED, id, e);
    return ERR_OK;
}

/* --- The steps of a batch --- */

/* Ask for the state of every job of the batch. */
static enum err_code ask_states(struct pass *p, struct err *e)
{
    for (size_t i = 0; i < p->id_count; i++) {
        struct redis_cmd *c = &p->cmds[p->cmd_count++];
        redis_cmd_begin(c, "HGET");
        queue_add_job_key(c, &p->ids[i]);
        redis_cmd_add_str(c, "state");
    }
    return reconcile_send(p, e);
}

static bool is_state(const struct redis_value *reply, enum job_state want)
{
    enum job_state state;
    size_t len;
    const char *word = redis_value_str(reply, &len);

    return job_state_parse(word, len, &state) && state == want;
}

/* Remove the files of a job that was cancelled. */
static void remove_files(struct pass *p, const struct job_id *id)
{
    struct err why = ERR_INIT;

    if (!p->options->dry_run && spool_remove(p->spool, id, &why) != ERR_OK) {
        reconcile_note_bad(p, RECONCILE_FAILED, id, &why);
        return;
    }
    p->stats.removed++;
    reconcile_note(p, RECONCILE_REMOVE, id, NULL);
}

/* Remove the files of cancelled jobs, put those that are done aside; keep in ids those that Redis does not know. */
static enum err_code act_on_states(struct pass *p, struct err *e)
{
    size_t unknown = 0;

    p->done_count = 0;
    for (size_t i = 0; i < p->id_count; i++) {
        bool usable;
        if (reconcile_check(p, p->replies[i], &p->ids[i], &usable, e))
            return e->code;
        if (usable && redis_value_type(p->replies[i]) == REDIS_NIL)
            p->ids[unknown++] = p->ids[i];
        else if (usable && is_state(p->replies[i], JOB_DONE))
            p->done[p->done_count++] = p->ids[i];
        else if (usable && is_state(p->replies[i], JOB_CANCELLED))
            remove_files(p, &p->ids[i]);
    }
    p->id_count = unknown;
    return ERR_OK;
}

/* --- Jobs that are done --- */

enum { FUTURE_MS = 60000 /* clocks of Redis' differ by less */ };

/* A number as Redis shows it; false for anything else. */
static bool read_number(const struct redis_value *reply, int64_t *ret)
{
    size_t len = 0;
    const char *s = redis_value_str(reply, &len);
    int64_t n = 0;

    if (!s || len == 0 || len > 15 || (s[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        n = n * 10 + (s[i] - '0');
    }
    *ret = n;
    return true;
}

static int64_t number_of(const struct redis_value *reply)
{
    int64_t n = 0;

    (void)read_number(reply, &n); /* what is none is 0 */
    return n;
}

static enum err_code read_clock(struct pass *p, struct err *e)
{
    reconcile_drop_pipeline(p);
    redis_cmd_begin(&p->cmds[p->cmd_count++], "TIME");
    if (reconcile_send(p, e) || redis_value_error(p->replies[0], e))
        return e->code;
    p->redis_ms = number_of(redis_value_at(p->replies[0], 0)) * 1000 +
                  number_of(redis_value_at(p->replies[0], 1)) / 1000;
    return ERR_OK;
}

/* Keep in done those that are handed out, if there is room. */
static void choose_looks(struct pass *p)
{
    const struct reconcile_options *o = p->options;
    size_t chosen = 0, room = o->looks ? o->looks_max - p->stats.looks : 0;

    for (size_t i = 0; i < p->done_count && chosen < room; i++)
        if (strcmp(p->done[i].uuid.text, o->looks_after.text) > 0)
            p->done[chosen++] = p->done[i];
    p->done_count = chosen;
}

static enum err_code ask_ends(struct pass *p, struct err *e)
{
    reconcile_drop_pipeline(p);
    for (size_t i = 0; i < p->done_count; i++) {
        struct redis_cmd *c = &p->cmds[p->cmd_count++];
        redis_cmd_begin(c, "HGET");
        queue_add_job_key(c, &p->done[i]);
        redis_cmd_add_str(c, "ended");
    }
    return reconcile_send(p, e);
}

/* When it ended; 0: its record does not say.  False: what it says is no time, so that nothing could be done on the condition
 * that it still says so. */
static bool read_end(struct pass *p, const struct redis_value *reply,
                     const struct job_id *id, int64_t *ret_ended)
{
    struct err why = ERR_INIT;

    *ret_ended = 0;
    if (redis_value_type(reply) == REDIS_NIL || read_number(reply, ret_ended))
        return true;
    (void)err_set(&why, ERR_REJECT, "its record does not tell when it ended");
    reconcile_note_bad(p, RECONCILE_DAMAGED, id, &why);
    return false;
}

/* One that ended in the future did so by a clock that was ahead: it does not wait for that time. */
static bool is_settled(const struct pass *p, int64_t ended)
{
    return p->redis_ms - ended >= p->options->settle_ms ||
           ended > p->redis_ms + FUTURE_MS;
}

static enum err_code hand_out(struct pass *p, struct err *e)
{
    choose_looks(p);
    if (p->done_count > 0 && p->redis_ms == 0 && read_clock(p, e))
        return e->code;
    if (ask_ends(p, e))
        return e->code;
    for (size_t i = 0; i < p->done_count; i++) {
        bool usable;
        int64_t ended;
        if (reconcile_check(p, p->replies[i], &p->done[i], &usable, e))
            return e->code;
        if (usable && read_end(p, p->replies[i], &p->done[i], &ended) &&
            is_settled(p, ended))
            p->options->looks[p->stats.looks++] =
                (struct reconcile_look){.id = p->done[i], .ended = ended};
    }
    return ERR_OK;
}

enum err_code reconcile_batch(struct pass *p, struct err *e)
{
    reconcile_drop_pipeline(p);
    if (ask_states(p, e) || act_on_states(p, e))
        return e->code;
    if (p->done_count > 0 && hand_out(p, e))
        return e->code;
    if (p->id_count > 0 && !reconcile_is_stopped(p))
        return reconcile_enqueue(p, e);
    return ERR_OK;
}
