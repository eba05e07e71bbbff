/*
 * The queue on a Redis Cluster of three masters: producers and workers on three queues while the slots of these move,
 * a few keys at a time.  Every job ends exactly once, and what stands in the sets agrees with the records.
 */
#include "tests/integration/cluster_load.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/wait_until.h"

#include "shared/clock.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOVED_AT_ONCE = 5, CALLS_BETWEEN = 30, PROGRESS_MS = 5000, DRAIN_MS = 15000 };

/* Their slots lie on nodes 0, 1 and 2: up() looks. */
static const char *const queues[LOAD_QUEUES] = {"mail", "media", "docs"};

static struct cluster_fixture f;

static size_t owner(const char *queue)
{
    return cluster_fixture_owner(&f, cluster_slot(queue));
}

static void up(void)
{
    cluster_fixture_start(&f);
    for (size_t i = 0; i < LOAD_QUEUES; i++)
        cr_assert(eq(sz, owner(queues[i]), i));
}

static void down(void)
{
    cluster_fixture_stop(&f);
}

TestSuite(cluster, .init = up, .fini = down, .timeout = 120);

/* So many calls on this queue have been answered since; false when none came in time. */
static bool goes_on(struct load *l, size_t queue)
{
    size_t from = atomic_load(&l->calls[queue]);

    return WAIT_UNTIL(atomic_load(&l->calls[queue]) >= from + CALLS_BETWEEN,
                      PROGRESS_MS);
}

static size_t calls_of_all(struct load *l)
{
    size_t n = 0;

    for (size_t i = 0; i < LOAD_QUEUES; i++)
        n += atomic_load(&l->calls[i]);
    return n;
}

/* A few keys at a time, with calls of the other queues in between. */
static void move(struct load *l, size_t queue, size_t to)
{
    unsigned slot = cluster_slot(queues[queue]);
    size_t from = owner(queues[queue]);

    cluster_fixture_begin_move(&f, slot, to);
    do {
        size_t before = calls_of_all(l);
        (void)WAIT_STAYS(calls_of_all(l) <= before, 4); /* all may be waiting for us */
    } while (cluster_fixture_move_keys(&f, slot, MOVED_AT_ONCE) > 0);
    cluster_fixture_end_move(&f, slot);
    cr_expect(eq(sz, owner(queues[queue]), to));
    cr_expect(eq(i64, cluster_fixture_keys(&f, from, slot), 0));
    cr_assert(goes_on(l, queue), "nothing went on in %s after its move", queues[queue]);
}

static bool is_drained(struct ops *o)
{
    for (size_t i = 0; i < LOAD_QUEUES; i++) {
        struct queue_status s = ops_status(o, queues[i]);
        if (s.ready + s.scheduled + s.running + s.grouped + s.behind > 0)
            return false;
    }
    return true;
}

static void expect_no_failure(struct load *l)
{
    struct cluster_client_counts sum = {0};

    for (size_t i = 0; i < LOAD_THREADS; i++) {
        struct ops *o = &l->threads[i].ops;
        struct cluster_client_counts n = cluster_client_counts(o->client);
        cr_expect(eq(int, o->failure.code, ERR_OK), "%s: %s", l->threads[i].name,
                  o->failure.text);
        sum.moved += n.moved;
        sum.asked += n.asked;
        sum.try_again += n.try_again;
    }
    fprintf(stderr, "cluster: %zu jobs, %zu calls, %ld MOVED, %ld ASK, %ld TRYAGAIN\n",
            atomic_load(&l->count), calls_of_all(l), (long)sum.moved, (long)sum.asked,
            (long)sum.try_again);
    cr_expect(sum.moved > LOAD_QUEUES && sum.try_again > 0,
              "the moves were not noticed");
}

/* What a queue's owner has, asked without the client. */
static int64_t card(const char *queue, const char *name)
{
    return redis_fixture_ask_int(&f.nodes[owner(queue)].redis, "ZCARD",
                                 ops_key(queue, name).text, NULL);
}

static bool is_in(const char *queue, const char *name, const struct job_id *id)
{
    char *score = redis_fixture_ask(&f.nodes[owner(queue)].redis, "ZSCORE",
                                    ops_key(queue, name).text, id->uuid.text, NULL);
    bool found = score[0] != '\0';

    free(score);
    return found;
}

struct tally {
    int64_t jobs, done, cancelled, dead;
};

/* Its record says how it ended, the index of that has it, and one call was told so. */
static void check_job(struct ops *o, struct load_job *j, struct tally *t)
{
    CLEANUP(job_release) struct job record = ops_show(o, &j->id);
    bool is_dead = record.state == JOB_DEAD;

    cr_assert(eq(int, o->failure.code, ERR_OK), "%s", o->failure.text);
    cr_expect(job_state_is_final(record.state), "%s %s is %s", j->id.queue,
              j->id.uuid.text, job_state_name(record.state));
    cr_expect(eq(int, atomic_load(&j->ended), is_dead ? 0 : 1), "%s %s is %s",
              j->id.queue, j->id.uuid.text, job_state_name(record.state));
    cr_expect(record.state != JOB_DONE || record.attempts > 0);
    cr_expect(is_in(j->id.queue, is_dead ? "dead" : "done", &j->id));
    t->jobs++;
    t->done += record.state == JOB_DONE;
    t->cancelled += record.state == JOB_CANCELLED;
    t->dead += is_dead;
}

static void check_queue(struct ops *o, struct load *l, size_t i)
{
    const char *queue = queues[i];
    struct tally t = {0};

    for (size_t k = 0; k < atomic_load(&l->count); k++)
        if (strcmp(l->jobs[k].id.queue, queue) == 0)
            check_job(o, &l->jobs[k], &t);
    struct queue_status s = ops_status(o, queue);
    fprintf(stderr, "%s: %ld jobs, %ld done, %ld cancelled, %ld dead, %ld crashed\n",
            queue, (long)t.jobs, (long)t.done, (long)t.cancelled, (long)t.dead,
            (long)s.crashed_total);
    cr_expect(t.done > 0 && t.cancelled > 0 && t.dead > 0 && s.crashed_total > 0);
    cr_expect(eq(i64, s.enqueued_total, t.jobs));
    cr_expect(eq(i64, s.done_total, t.done));
    cr_expect(eq(i64, s.cancelled_total, t.cancelled));
    cr_expect(eq(i64, card(queue, "done"), t.done + t.cancelled));
    cr_expect(eq(i64, card(queue, "dead"), t.dead));
    for (size_t k = 0; k < 3; k++)
        cr_expect(eq(
            i64, card(queue, (const char *const[]){"ready", "later", "leased"}[k]), 0));
    for (size_t k = 0; k < CLUSTER_NODES; k++)
        if (k != owner(queue))
            cr_expect(eq(i64, cluster_fixture_keys(&f, k, cluster_slot(queue)), 0));
}

/* With this every key of the queues exists most of the time: no script may count on being kept out by luck. */
static void configure(struct ops *o)
{
    for (size_t i = 0; i < LOAD_QUEUES; i++) {
        CLEANUP(redis_cmd_release) struct redis_cmd c;
        redis_cmd_init(&c);
        redis_cmd_begin(&c, "HSET");
        queue_add_key(&c, queues[i], "conf");
        redis_cmd_add_str(&c, "rate"); /* a limit that limits nothing */
        redis_cmd_add_str(&c, "1000000");
        redis_reply_free(ops_run(o, queues[i], &c));
    }
}

Test(cluster, every_job_ends_exactly_once_while_slots_move_there_and_back)
{
    static struct load l;
    struct ops o;
    uint64_t seed = (uint64_t)clock_wall_ms();

    fprintf(stderr, "cluster: seed %lu\n", (unsigned long)seed);
    ops_open(&o, f.nodes[0].port, "main", 1000, 10000);
    configure(&o);
    load_start(&l, queues, f.nodes[1].port, seed);
    for (size_t i = 0; i < LOAD_QUEUES; i++) {
        cr_assert(goes_on(&l, i), "nothing goes on in %s", queues[i]);
        move(&l, i, (i + 1) % CLUSTER_NODES);
        move(&l, i, i);
    }
    move(&l, 0, 2); /* and one that stays there */
    load_stop_producers(&l);
    cr_expect(WAIT_UNTIL(is_drained(&o), DRAIN_MS), "jobs are left");
    load_stop_workers(&l);
    expect_no_failure(&l);
    for (size_t i = 0; i < LOAD_QUEUES; i++)
        check_queue(&o, &l, i);
    ops_close(&o);
    load_release(&l);
}
