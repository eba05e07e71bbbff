#include "tests/integration/cluster_load.h"

#include "tests/support/wait_until.h"

#include "shared/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEASE_MS = 400, DEADLINE_MS = 10000, ATTEMPTS_MAX = 4 };

/* xorshift64 */
static uint64_t random_below(struct load_thread *t, uint64_t n)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random % n;
}

static void called(struct load *l, const char *queue)
{
    for (size_t i = 0; i < LOAD_QUEUES; i++)
        if (strcmp(l->queues[i], queue) == 0)
            atomic_fetch_add(&l->calls[i], 1);
}

/* One more call has answered that this job is done or cancelled now. */
static void ended(struct load *l, const struct job_id *id)
{
    size_t count = atomic_load(&l->count);

    for (size_t i = 0; i < count; i++) {
        struct load_job *j = &l->jobs[i];
        if (atomic_load(&j->known) && strcmp(j->id.uuid.text, id->uuid.text) == 0)
            atomic_fetch_add(&j->ended, 1);
    }
    atomic_fetch_add(&l->gone, 1);
}

struct job load_new_job(const char *queue)
{
    struct job j = JOB_INIT;

    (void)snprintf(j.id.queue, sizeof j.id.queue, "%s", queue); /* names of the test */
    j.id.uuid = id_new();
    j.created = clock_wall_ms();
    j.max_attempts = ATTEMPTS_MAX;
    j.size = 1000;
    j.source = strdup("spool");
    j.sha256 =
        strdup("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    j.name = strdup("photo.jpg");
    j.to = strdup("default");
    j.key = strdup("photo.jpg");
    return j;
}

/* --- Producers --- */

static void cancel_one(struct load_thread *t, const struct job_id *id)
{
    if (ops_cancel(&t->ops, id) == QUEUE_OK)
        ended(t->load, id);
}

static bool is_full(struct load *l)
{
    size_t count = atomic_load(&l->count);

    return count >= LOAD_JOBS_MAX - LOAD_PRODUCERS ||
           count > atomic_load(&l->gone) + LOAD_OUTSTANDING;
}

/* Some of all that ties jobs to each other, so that every key of a queue is in use. */
static void tie(struct load_thread *t, struct job *j)
{
    size_t count = atomic_load(&t->load->count),
           back = random_below(t, LOAD_OUTSTANDING);
    struct load_job *parent = &t->load->jobs[count > back ? count - 1 - back : 0];

    if (random_below(t, 3) == 0)
        j->group = strdup(random_below(t, 2) ? "ann" : "bob");
    if (random_below(t, 3) == 0)
        j->unique = strdup(j->id.uuid.text); /* nobody else's */
    if (random_below(t, 3) == 0)
        j->batch = strdup(t->batch.text);
    if (random_below(t, 4) == 0 && atomic_load(&parent->known) &&
        strcmp(parent->id.queue, j->id.queue) == 0) {
        j->after = strdup(parent->id.uuid.text);
        j->after_failure = strdup("run");
    }
}

static void produce(struct load_thread *t)
{
    struct load *l = t->load;
    const char *queue = l->queues[random_below(t, LOAD_QUEUES)];
    CLEANUP(job_release) struct job j = load_new_job(queue);
    size_t i = atomic_fetch_add(&l->count, 1);

    tie(t, &j);
    l->jobs[i].id = j.id;
    atomic_store(&l->jobs[i].known, true);
    j.priority = (int64_t)random_below(t, 3);
    if (random_below(t, 5) == 0)
        j.due = clock_wall_ms() + (int64_t)random_below(t, 60);
    enum queue_answer first = ops_enqueue(&t->ops, &j);
    called(l, queue);
    if (first != QUEUE_OK && t->ops.failure.code == ERR_OK)
        (void)err_set(&t->ops.failure, ERR_REJECT, "a new job was answered %d", first);
    if (random_below(t, 10) == 0 && ops_enqueue(&t->ops, &j) != QUEUE_EXISTS &&
        t->ops.failure.code == ERR_OK)
        (void)err_set(&t->ops.failure, ERR_REJECT, "a known job was taken again");
    if (random_below(t, 12) == 0)
        cancel_one(t, &j.id);
}

/* One that was begun long enough ago to be dead by now, perhaps. */
static void retry_one(struct load_thread *t)
{
    size_t count = atomic_load(&t->load->count);
    struct load_job *j = &t->load->jobs[random_below(t, count ? count : 1)];

    if (count > 0 && atomic_load(&j->known))
        (void)ops_retry(&t->ops, &j->id); /* of most it is refused */
}

static void *producer(void *arg)
{
    struct load_thread *t = arg;

    while (!atomic_load(&t->load->producers_stop) && t->ops.failure.code == ERR_OK) {
        if (is_full(t->load))
            wait_a_moment();
        else
            produce(t);
        if (random_below(t, 4) == 0)
            retry_one(t);
    }
    return NULL;
}

/* --- Workers --- */

static void finish_one(struct load_thread *t, const struct ops_run *run,
                       enum job_state state, size_t want,
                       struct queue_claimed *ret_next)
{
    if (ops_finish(&t->ops, run, state, want, ret_next) == QUEUE_OK)
        ended(t->load, &run->lease.id);
}

static void fail_one(struct load_thread *t, const struct queue_lease *lease,
                     int64_t retry_ms)
{
    switch (ops_fail(&t->ops, lease, retry_ms)) {
    case QUEUE_CANCELLED:
        ended(t->load, &lease->id);
        break;
    case QUEUE_CONFLICT: /* dead */
        atomic_fetch_add(&t->load->gone, 1);
        break;
    default:
        break;
    }
}

/* A worker that held a job for too long: whether the lease is still its own decides, not what it believes. */
static void finish_late(struct load_thread *t, const struct ops_run *next)
{
    struct queue_claimed none;

    if (t->late.lease.token > 0)
        finish_one(t, &t->late, JOB_DONE, 0, &none);
    t->late = *next;
}

/* Started: how does it go?  True when ret_next was claimed in the same call. */
static bool work(struct load_thread *t, const struct ops_run *run,
                 struct queue_claimed *ret_next)
{
    const struct queue_lease *lease = &run->lease;
    uint64_t fate = random_below(t, 20);

    if (fate == 0)
        return false; /* the worker dies: its lease will expire */
    if (fate == 1) {
        finish_late(t, run);
    } else if (fate == 2) {
        (void)ops_release(&t->ops, lease); /* LOST as well: then it is another's */
    } else if (fate <= 5) {
        fail_one(t, lease, (int64_t)random_below(t, 20));
    } else if (fate == 6) {
        fail_one(t, lease, -1);
    } else {
        bool cancelled =
            fate % 2 && ops_beat(&t->ops, lease, (int64_t)fate) == QUEUE_CANCELLED;
        finish_one(t, run, cancelled ? JOB_CANCELLED : JOB_DONE,
                   (size_t)random_below(t, 3), ret_next);
        return true;
    }
    return false;
}

static bool take(struct load_thread *t, const struct queue_lease *lease,
                 struct queue_claimed *ret_next)
{
    struct ops_run run;

    switch (ops_start(&t->ops, lease, &run)) {
    case QUEUE_OK:
        return work(t, &run, ret_next);
    case QUEUE_CANCELLED:
        finish_one(t, &run, JOB_CANCELLED, 0, ret_next);
        return true;
    case QUEUE_BAD: /* attempts used up */
        fail_one(t, lease, -1);
        return false;
    default:
        return false;
    }
}

static void see_to_times(struct load_thread *t, const char *queue,
                         const struct queue_claimed *c)
{
    struct job_id id;

    (void)snprintf(id.queue, sizeof id.queue, "%s", queue);
    for (size_t i = 0; i < c->due_count; i++) {
        id.uuid = c->due[i];
        (void)ops_promote(&t->ops, &id); /* another may have been first */
    }
    for (size_t i = 0; i < c->expired_count; i++) {
        id.uuid = c->expired[i];
        if (ops_reap(&t->ops, &id) != QUEUE_CONFLICT)
            continue;
        if (strcmp(t->ops.state, "cancelled") == 0)
            ended(t->load, &id);
        else
            atomic_fetch_add(&t->load->gone, 1);
    }
}

/* What was claimed, and what was claimed while finishing that, for as long as there is more. */
static void see_to(struct load_thread *t, const char *queue, struct queue_claimed *c)
{
    struct queue_claimed next;

    for (size_t i = 0; i < c->count; i++) {
        if (!take(t, &c->leases[i], &next))
            continue;
        see_to_times(t, queue, &next);
        for (size_t k = 0; k < next.count && c->count < QUEUE_BATCH_MAX; k++)
            c->leases[c->count++] = next.leases[k];
    }
    see_to_times(t, queue, c);
}

static void *worker(void *arg)
{
    struct load_thread *t = arg;
    struct load *l = t->load;
    struct queue_claimed c;

    while (!atomic_load(&l->workers_stop) && t->ops.failure.code == ERR_OK) {
        const char *queue = l->queues[random_below(t, LOAD_QUEUES)];
        ops_claim(&t->ops, queue, 1 + (size_t)random_below(t, 4), &c);
        called(l, queue);
        bool idle = c.count == 0;
        see_to(t, queue, &c);
        if (idle)
            ops_wait(&t->ops, queue, 0.02);
    }
    return NULL;
}

/* --- Life cycle --- */

void load_start(struct load *l, const char *const queues[static LOAD_QUEUES], int port,
                uint64_t seed)
{
    memset(l, 0, sizeof *l);
    memcpy(l->queues, queues, sizeof l->queues);
    l->jobs = calloc(LOAD_JOBS_MAX, sizeof *l->jobs);
    if (!l->jobs)
        abort();
    for (size_t i = 0; i < LOAD_THREADS; i++) {
        struct load_thread *t = &l->threads[i];
        t->load = l;
        t->batch = id_new();
        t->random = (seed + i + 1) * 0x9e3779b97f4a7c15u;
        (void)snprintf(t->name, sizeof t->name, "thread-%zu", i);
        ops_open(&t->ops, port, t->name, LEASE_MS, DEADLINE_MS);
        if (pthread_create(&t->thread, NULL, i < LOAD_PRODUCERS ? producer : worker,
                           t) != 0)
            abort();
    }
}

static void join(struct load *l, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        (void)pthread_join(l->threads[i].thread, NULL); /* each ends by its deadlines */
}

void load_stop_producers(struct load *l)
{
    atomic_store(&l->producers_stop, true);
    join(l, 0, LOAD_PRODUCERS);
}

void load_stop_workers(struct load *l)
{
    atomic_store(&l->workers_stop, true);
    join(l, LOAD_PRODUCERS, LOAD_THREADS);
}

void load_release(struct load *l)
{
    for (size_t i = 0; i < LOAD_THREADS; i++)
        ops_close(&l->threads[i].ops);
    free(l->jobs);
    l->jobs = NULL;
}
