/*
 * The queue against a model: thousands of operations in a random order (seeded), each one's answer foretold by a table
 * in memory.  After every operation the job it was about, and every so often each job, stands in exactly one of
 * ready, later, leased, dead and done, with a record that agrees.
 */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include "shared/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { JOBS = 24, STEPS = 12000, ATTEMPTS = 3, CRASHES = 3 };

enum place { READY, LATER, CLAIMED, RUNNING, DEAD, DONE, CANCELLED };

struct model_job {
    struct job_id id;
    struct queue_lease lease;
    enum place place;
    int64_t priority, seq;
    int attempts, crashes;
    bool cancel, expired;
};

static struct {
    struct model_job jobs[JOBS];
    size_t count;
    int64_t seq;
    uint64_t random;
    int step;
} m;

/* xorshift64: the same numbers from the same seed everywhere. */
static uint64_t random_below(uint64_t n)
{
    m.random ^= m.random << 13;
    m.random ^= m.random >> 7;
    m.random ^= m.random << 17;
    return m.random % n;
}

static bool is_leased(const struct model_job *j)
{
    return j->place == CLAIMED || j->place == RUNNING;
}

static bool agrees(const struct model_job *j)
{
    static const char *const sets[] = {"ready", "later", "leased", "leased",
                                       "dead",  "done",  "done"};
    static const char *const states[] = {"waiting", "scheduled", "waiting",  "running",
                                         "dead",    "done",      "cancelled"};
    char attempts[16], crashes[16];

    (void)snprintf(attempts, sizeof attempts, "%d", j->attempts);
    (void)snprintf(crashes, sizeof crashes, "%d", j->crashes);
    return stands(&j->id, sets[j->place], states[j->place]) &&
           field_is(&j->id, "attempts", attempts) &&
           field_is(&j->id, "crashes", crashes);
}

static void back_to_ready(struct model_job *j)
{
    j->place = READY;
    j->expired = false;
}

/* --- Operations: do it, compare the answer with the model, change the model --- */

static void do_enqueue(void)
{
    if (m.count == JOBS)
        return;
    struct model_job *j = &m.jobs[m.count++];
    bool delayed = random_below(4) == 0;
    *j = (struct model_job){.priority = (int64_t)random_below(3), .seq = ++m.seq};
    j->place = delayed ? LATER : READY;
    j->id = add(j->priority, delayed ? clock_wall_ms() + 3600000 : 0);
}

static struct model_job *first_ready(void)
{
    struct model_job *first = NULL;

    for (size_t i = 0; i < m.count; i++) {
        struct model_job *j = &m.jobs[i];
        if (j->place != READY)
            continue;
        if (!first || j->priority < first->priority ||
            (j->priority == first->priority && j->seq < first->seq))
            first = j;
    }
    return first;
}

static void take_claimed(const struct queue_claimed *c, size_t want)
{
    for (size_t i = 0; i < want; i++) {
        struct model_job *j = first_ready();
        if (!j) {
            cr_assert(c->count == i, "step %d: claimed too many", m.step);
            return;
        }
        cr_assert(c->count > i && same(&c->leases[i].id, &j->id), "step %d: order",
                  m.step);
        j->lease = c->leases[i];
        j->place = CLAIMED;
        j->expired = false;
    }
    cr_assert(c->count == want && c->more == (first_ready() != NULL), "step %d",
              m.step);
}

static void do_claim(void)
{
    size_t want = (size_t)random_below(4);
    struct queue_claimed c = claim(want);

    take_claimed(&c, want);
}

static void do_start(struct model_job *j)
{
    enum queue_answer got = start(&j->lease);

    if (!is_leased(j)) {
        cr_assert(got == QUEUE_LOST, "step %d", m.step);
        return;
    }
    j->expired = false;
    if (j->cancel) {
        cr_assert(got == QUEUE_CANCELLED, "step %d", m.step);
        return;
    }
    if (j->place == CLAIMED && j->attempts >= ATTEMPTS) {
        cr_assert(got == QUEUE_BAD, "step %d", m.step);
        j->expired = is_in("leased", &j->id) && j->expired;
        return;
    }
    cr_assert(got == QUEUE_OK, "step %d", m.step);
    j->attempts += j->place == CLAIMED;
    j->place = RUNNING;
}

static void do_beat(struct model_job *j)
{
    enum queue_answer want = !is_leased(j) ? QUEUE_LOST
                             : j->cancel   ? QUEUE_CANCELLED
                                           : QUEUE_OK;

    cr_assert(beat(&j->lease, 5) == want, "step %d", m.step);
    if (is_leased(j))
        j->expired = false;
}

static void do_finish(struct model_job *j)
{
    size_t want = (size_t)random_below(3);
    bool held = is_leased(j);
    struct queue_claimed c =
        finish(&j->lease, j->cancel ? JOB_CANCELLED : JOB_DONE, want);

    cr_assert(c.answers[0] == (held ? QUEUE_OK : QUEUE_LOST), "step %d", m.step);
    if (!held) {
        cr_assert(c.count == 0, "step %d", m.step);
        return;
    }
    j->place = j->cancel ? CANCELLED : DONE;
    take_claimed(&c, want);
}

static void do_fail(struct model_job *j)
{
    int64_t retry_ms = random_below(4) == 0 ? -1 : 3600000;
    enum queue_answer got = fail(&j->lease, retry_ms);

    if (!is_leased(j)) {
        cr_assert(got == QUEUE_LOST, "step %d", m.step);
    } else if (j->cancel) {
        cr_assert(got == QUEUE_CANCELLED, "step %d", m.step);
        j->place = CANCELLED;
    } else if (retry_ms < 0 || j->attempts >= ATTEMPTS) {
        cr_assert(got == QUEUE_CONFLICT, "step %d", m.step);
        j->place = DEAD;
    } else {
        cr_assert(got == QUEUE_OK, "step %d", m.step);
        j->place = LATER;
    }
}

static void do_release(struct model_job *j)
{
    enum queue_answer got = release(&j->lease);

    cr_assert(got == (is_leased(j) ? QUEUE_OK : QUEUE_LOST), "step %d", m.step);
    if (!is_leased(j))
        return;
    j->attempts -= j->place == RUNNING && j->attempts > 0;
    back_to_ready(j);
}

static void do_promote(struct model_job *j)
{
    if (j->place == LATER && random_below(2))
        make_due(&j->id);
    else if (j->place == LATER) {
        cr_assert(promote(&j->id) == QUEUE_MISSING, "step %d: not due", m.step);
        return;
    }
    enum queue_answer want = j->place == LATER ? QUEUE_OK : QUEUE_MISSING;
    cr_assert(promote(&j->id) == want, "step %d", m.step);
    if (j->place == LATER)
        back_to_ready(j);
}

static void do_reap(struct model_job *j)
{
    if (is_leased(j) && random_below(2)) {
        expire(&j->id);
        j->expired = true;
    }
    enum queue_answer got = reap(&j->id);
    if (!is_leased(j) || !j->expired) {
        cr_assert(got == QUEUE_MISSING, "step %d", m.step);
        return;
    }
    bool ran = j->place == RUNNING;
    j->crashes += ran;
    if (j->cancel)
        j->place = CANCELLED;
    else if (ran && (j->crashes >= CRASHES || j->attempts >= ATTEMPTS))
        j->place = DEAD;
    else
        back_to_ready(j);
    cr_assert(got == (j->place == READY ? QUEUE_OK : QUEUE_CONFLICT), "step %d",
              m.step);
}

static void do_cancel(struct model_job *j)
{
    enum queue_answer got = cancel(&j->id);

    if (is_leased(j)) {
        cr_assert(got == QUEUE_RUNNING, "step %d", m.step);
        j->cancel = true;
    } else if (j->place == DONE || j->place == CANCELLED) {
        cr_assert(got == QUEUE_CONFLICT, "step %d", m.step);
    } else {
        cr_assert(got == QUEUE_OK, "step %d", m.step);
        j->place = CANCELLED;
    }
}

static void do_retry(struct model_job *j)
{
    enum queue_answer got = retry(&j->id);

    cr_assert(got == (j->place == DEAD ? QUEUE_OK : QUEUE_CONFLICT), "step %d", m.step);
    if (j->place != DEAD)
        return;
    j->attempts = j->crashes = 0;
    j->cancel = false;
    back_to_ready(j);
}

/* Forget an ended job, so that the table has room for new ones. */
static void forget(size_t i)
{
    if (m.jobs[i].place >= DONE && m.count > JOBS / 2)
        m.jobs[i] = m.jobs[--m.count];
}

static void step(void)
{
    static void (*const operations[])(struct model_job * j) = {
        do_start,   do_start,   do_beat, do_finish, do_reap,  do_fail,
        do_release, do_promote, do_reap, do_cancel, do_retry,
    };
    enum { COUNT = sizeof operations / sizeof operations[0] };
    uint64_t choice = random_below(COUNT + 6);

    if (choice >= COUNT + 3 || m.count == 0) {
        do_enqueue();
        return;
    }
    if (choice >= COUNT) {
        do_claim();
        return;
    }
    if (operations[choice] == do_cancel && random_below(3))
        return; /* or little else would be seen */
    size_t i = (size_t)random_below(m.count);
    operations[choice](&m.jobs[i]);
    cr_assert(agrees(&m.jobs[i]), "step %d, operation %d", m.step, (int)choice);
    if (random_below(8) == 0)
        forget(i);
}

static void walk(uint64_t seed)
{
    m.random = seed;
    m.count = 0;
    m.seq = 0;
    for (m.step = 0; m.step < STEPS; m.step++) {
        step();
        if (m.step % 250 == 249)
            for (size_t i = 0; i < m.count; i++)
                cr_assert(agrees(&m.jobs[i]), "step %d, job %zu", m.step, i);
    }
    for (size_t i = 0; i < m.count; i++)
        cr_assert(agrees(&m.jobs[i]), "at the end, job %zu", i);
    struct queue_status s = status();
    cr_assert(s.ready + s.scheduled + s.running + s.dead <= (int64_t)m.count);
    cr_assert(s.done_total > 20 && s.dead_total > 20 && s.crashed_total > 20 &&
                  s.cancelled_total > 20 && s.retried_total > 20,
              "the walk did not come everywhere: %ld done, %ld dead, %ld crashed, %ld "
              "cancelled, %ld "
              "retried",
              (long)s.done_total, (long)s.dead_total, (long)s.crashed_total,
              (long)s.cancelled_total, (long)s.retried_total);
}

TestSuite(queue_model, .init = harness_up, .fini = harness_down, .timeout = 100);

Test(queue_model, seed_1)
{
    walk(88172645463325252u);
}

Test(queue_model, seed_2)
{
    walk(20261122u);
}

Test(queue_model, seed_3)
{
    walk(7u);
}
