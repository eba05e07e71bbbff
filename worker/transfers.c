#include "worker/transfer.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/queue/beats.h"
#include "worker/queue/claimer.h"

enum transfer_limits {
    /* Leases that arrive while as many ends are unanswered, and one full claim on top. */
    ROOM_FACTOR = 2,
    ROOM_EXTRA = QUEUE_BATCH_MAX
};

enum err_code transfers_init(struct transfers *s, const struct worker_env *env,
                             struct destinations *destinations, struct err *e)
{
    *s = (struct transfers){.env = env, .destinations = destinations, .next_serial = 1};
    s->capacity = ROOM_FACTOR * (size_t)env->config->worker.concurrency + ROOM_EXTRA;
    s->slots = calloc(s->capacity, sizeof *s->slots);
    if (!s->slots)
        return err_set(e, ERR_NOMEM, "no memory for %zu transfers", s->capacity);
    return ERR_OK;
}

void transfers_release(struct transfers *s)
{
    free(s->slots);
    s->slots = NULL;
}

struct transfer *transfers_find(const struct transfers *s, size_t index,
                                uint64_t serial)
{
    struct transfer *t = index < s->capacity ? s->slots[index] : NULL;

    return t && t->serial == serial ? t : NULL;
}

size_t transfers_free(const struct transfers *s)
{
    size_t limit = (size_t)s->env->config->worker.concurrency;
    size_t room = s->capacity - s->count;
    size_t free = s->occupied < limit ? limit - s->occupied : 0;

    return free < room ? free : room;
}

/* There is one: not all are taken.  Begins behind the latest, so that it is soon found. */
static size_t find_room(struct transfers *s)
{
    do
        s->latest = (s->latest + 1) % s->capacity;
    while (s->slots[s->latest]);
    return s->latest;
}

/* NULL: no room, or no memory. */
static struct transfer *add_one(struct transfers *s, const struct queue_lease *lease,
                                int64_t sent_ms)
{
    struct transfer *t = s->count < s->capacity ? calloc(1, sizeof *t) : NULL;

    if (!t) {
        /* Nothing is lost: the lease runs out, and no attempt was counted. */
        log_error("transfer", "no room for a claimed job, its lease will run out",
                  LOG_STR("uuid", lease->id.uuid.text));
        return NULL;
    }
    t->set = s;
    t->index = find_room(s);
    t->serial = s->next_serial++;
    t->lease = *lease;
    t->job = (struct job)JOB_INIT;
    t->began_ms = clock_mono_ms();
    id_format_job(&lease->id, t->name);
    transfer_renewed(t, sent_ms);
    s->slots[t->index] = t;
    s->count++;
    s->occupied++;
    return t;
}

void transfers_add(struct transfers *s, const struct queue_lease *leases, size_t count,
                   int64_t sent_ms)
{
    struct transfer *new[QUEUE_BATCH_MAX];
    size_t added = 0;

    for (size_t i = 0; i < count; i++) {
        new[added] = add_one(s, &leases[i], sent_ms);
        if (new[added] && s->draining)
            transfer_report(new[added], REPORT_RELEASE);
        else if (new[added])
            added++;
    }
    if (added == 0)
        return;
    if (clock_boot_ms() - sent_ms > s->env->self.lease_ms / 3)
        beats_now(s->beats); /* first: they may be late before they have begun */
    transfer_begin(new, added);
}

/* Whether a transfer in this state counts against the concurrency. */
static bool occupies(enum transfer_state state)
{
    return state != TRANSFER_REPORTING;
}

void transfer_set_state(struct transfer *t, enum transfer_state state)
{
    if (occupies(t->state) && !occupies(state))
        t->set->occupied--;
    if (!occupies(t->state) && occupies(state))
        t->set->occupied++;
    t->state = state;
}

void transfer_free(struct transfer *t)
{
    struct transfers *s = t->set;

    if (occupies(t->state))
        s->occupied--;
    flow_job_end(&t->flow);
    s->slots[t->index] = NULL;
    s->count--;
    job_release(&t->job);
    outcome_release(&t->outcome);
    free(t);
    claimer_slot_free(s->claimer);
    transfers_check_empty(s);
}

void transfers_resume(struct transfers *s)
{
    for (size_t i = 0; i < s->capacity; i++) {
        struct transfer *t = s->slots[i];
        if (t && t->state == TRANSFER_PARKED)
            transfer_report(t, t->report);
    }
}

void transfers_check_leases(struct transfers *s)
{
    for (size_t i = 0; i < s->capacity; i++) {
        struct transfer *t = s->slots[i];
        if (t && t->state == TRANSFER_RUNNING && t->abort == ABORT_NONE &&
            transfer_is_late(t))
            transfer_abort(t, ABORT_DEADLINE);
    }
}

void transfers_drain(struct transfers *s)
{
    if (s->draining)
        return;
    s->draining = true;
    transfers_check_empty(s);
}

void transfers_check_empty(struct transfers *s)
{
    if (s->draining && s->count == 0)
        s->on_empty(s->ctx);
}

void transfers_abort_all(struct transfers *s)
{
    for (size_t i = 0; i < s->capacity; i++)
        if (s->slots[i])
            transfer_abort(s->slots[i], ABORT_DRAIN);
}
