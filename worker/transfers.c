#include "worker/transfer.h"

#include <stdint.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/job_log.h"
#include "worker/queue/beats.h"
#include "worker/queue/claimer.h"

enum transfer_limits {
    /* Those that run, those claimed ahead, as many whose ends are unanswered, and one full claim on top. */
    ROOM_FACTOR = 3,
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
    size_t concurrency = (size_t)s->env->config->worker.concurrency;
    size_t limit = concurrency + ahead_count(&s->ahead, concurrency);
    size_t room = s->capacity - s->count;
    size_t free = s->occupied < limit ? limit - s->occupied : 0;

    return free < room ? free : room;
}

/* Whether a transfer in this state counts against the concurrency. */
static bool occupies(enum transfer_state state)
{
    return state != TRANSFER_REPORTING;
}

/* One more, or with SIZE_MAX one less, is in this state. */
static void count(struct transfers *s, enum transfer_state state, size_t one)
{
    if (occupies(state))
        s->occupied += one;
    if (state == TRANSFER_RUNNING)
        s->running += one;
    if (state == TRANSFER_READY)
        s->ready += one;
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
    count(s, t->state, 1);
    return t;
}

void transfers_add(struct transfers *s, const struct queue_lease *leases, size_t count,
                   int64_t sent_ms)
{
    struct transfer *new[QUEUE_BATCH_MAX];
    size_t added = 0;

    for (size_t i = 0; i < count; i++) {
        new[added] = add_one(s, &leases[i], sent_ms);
        if (new[added] && (s->draining || s->quiet))
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

void transfer_set_state(struct transfer *t, enum transfer_state state)
{
    int64_t now = 0;

    if (t->state == TRANSFER_RUNNING || state == TRANSFER_RUNNING)
        now = clock_mono_us();
    if (t->state == TRANSFER_RUNNING && state != TRANSFER_RUNNING)
        ahead_note(&t->set->ahead, now - t->run_us);
    if (state == TRANSFER_RUNNING)
        t->run_us = now;
    count(t->set, t->state, SIZE_MAX);
    count(t->set, state, 1);
    t->state = state;
}

void transfer_free(struct transfer *t)
{
    struct transfers *s = t->set;

    count(s, t->state, SIZE_MAX);
    flow_job_end(&t->flow);
    s->slots[t->index] = NULL;
    s->count--;
    job_release(&t->job);
    outcome_release(&t->outcome);
    free(t);
    claimer_slot_free(s->claimer);
    transfers_check_empty(s);
}

/* The one that was claimed first; NULL: none is. */
static struct transfer *first_ready(const struct transfers *s)
{
    struct transfer *first = NULL;

    for (size_t i = 0; i < s->capacity; i++) {
        struct transfer *t = s->slots[i];
        if (t && t->state == TRANSFER_READY && (!first || t->serial < first->serial))
            first = t;
    }
    return first;
}

void transfers_run_ready(struct transfers *s)
{
    size_t concurrency = (size_t)s->env->config->worker.concurrency;

    while (s->ready > 0 && s->running < concurrency) {
        struct transfer *t = first_ready(s);
        transfer_set_state(t, TRANSFER_STARTING);
        transfer_go(t);
    }
}

/* Somebody else may have a slot for it. */
static void give_back_late(struct transfers *s)
{
    int64_t now = clock_mono_us();

    for (size_t i = 0; i < s->capacity && s->ready > 0; i++) {
        struct transfer *t = s->slots[i];
        if (!t || t->state != TRANSFER_READY ||
            now - t->ready_us < (int64_t)AHEAD_WAIT_MS * 1000)
            continue;
        ahead_forget(&s->ahead);
        transfer_report(t, REPORT_RELEASE);
    }
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
    give_back_late(s);
}

static void give_back_ready(struct transfers *s)
{
    for (size_t i = 0; i < s->capacity && s->ready > 0; i++)
        if (s->slots[i] && s->slots[i]->state == TRANSFER_READY)
            transfer_abort(s->slots[i], ABORT_DRAIN);
}

void transfers_drain(struct transfers *s)
{
    if (s->draining)
        return;
    s->draining = true;
    give_back_ready(s);
    transfers_check_empty(s);
}

void transfers_quiet(struct transfers *s, bool quiet)
{
    s->quiet = quiet;
    if (quiet)
        give_back_ready(s);
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

size_t transfers_log_left(const struct transfers *s)
{
    size_t left = 0;

    for (size_t i = 0; i < s->capacity; i++) {
        const struct transfer *t = s->slots[i];
        if (!t || t->state == TRANSFER_REMOVING)
            continue; /* finished; reconcile removes what stays */
        left++;
        log_warn("worker", "not given back in time, its lease will run out",
                 LOG_STR("id", t->name), LOG_JOB(&t->job));
    }
    return left;
}
