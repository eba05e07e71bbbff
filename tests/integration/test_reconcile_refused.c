/*
 * reconcile: in which order jobs come back, and what the queue refuses: a full one leaves the job in the spool until there
 * is room, a duplicate is cancelled and its files go.
 */
#include "shared/job_set.h"
#include "shared/queue.h"
#include "shared/reconcile.h"
#include "tests/integration/reconcile_rig.h"

static struct redis_fixture server;
static struct spool_sample spool;
static struct redis *redis;

static const struct reconcile_options now = {.min_age_ms = -3600 * 1000,
                                             .sweep_age_ms = 24 * 3600 * 1000};

static const struct reconcile_rig rig = {&server, &spool, &redis};

static void up(void)
{
    reconcile_rig_up(&rig);
}

static void down(void)
{
    reconcile_rig_down(&rig);
}

TestSuite(reconcile_refused, .init = up, .fini = down, .timeout = 120);

static void commit(const char *unique)
{
    struct job j = spool_sample_job("q");
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;

    if (unique)
        cr_assert(not(job_set_asked(&j, "unique", unique, strlen(unique), &e)));
    cr_assert(not(spool_begin(spool.spool, &u, &e)), "%s", e.text);
    cr_assert(not(spool_write(spool.spool, &u, "abc", 3, &e)), "%s", e.text);
    cr_assert(not(spool_commit(spool.spool, &u, &j, 1, &e)), "%s", e.text);
    job_release(&j);
}

static struct reconcile_stats pass_with(const struct reconcile_options *o)
{
    struct reconcile_stats stats = {0};
    struct err e = ERR_INIT;

    cr_assert(eq(int, reconcile_run(spool.spool, redis, o, &stats, &e), ERR_OK), "%s",
              e.text);
    return stats;
}

static struct reconcile_stats pass(void)
{
    return pass_with(&now);
}

static int64_t ready(void)
{
    return redis_fixture_ask_int(&server, "ZCARD", "hoist:{q}:ready", NULL);
}

Test(reconcile_refused, what_a_full_queue_does_not_take_stays_until_there_is_room)
{
    for (int i = 0; i < 3; i++)
        commit(NULL);
    free(redis_fixture_ask(&server, "HSET", "hoist:{q}:conf", "max_length", "2", NULL));
    struct reconcile_stats stats = pass();
    cr_expect(eq(sz, stats.enqueued, 2));
    cr_expect(eq(sz, stats.damaged + stats.failed + stats.removed, 0));
    stats = pass();
    cr_expect(eq(sz, stats.enqueued, 0));
    cr_expect(eq(i64, ready(), 2));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 6), "nothing is lost");
    free(redis_fixture_ask(&server, "HDEL", "hoist:{q}:conf", "max_length", NULL));
    stats = pass();
    cr_expect(eq(sz, stats.enqueued, 1));
    cr_expect(eq(i64, ready(), 3));
}

Test(reconcile_refused, of_two_with_one_unique_key_one_is_cancelled_and_removed)
{
    commit("order-7");
    commit("order-7");
    struct reconcile_stats stats = pass();
    cr_expect(eq(sz, stats.damaged + stats.failed, 0));
    cr_expect(eq(i64, ready(), 1));
    cr_expect(
        eq(i64,
           redis_fixture_ask_int(&server, "HGET", "hoist:{q}:stats", "cancelled", NULL),
           1));
    stats = pass();
    cr_expect(eq(sz, stats.removed, 1), "the duplicate's files");
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2));
    stats = pass();
    cr_expect(eq(sz, stats.removed + stats.enqueued, 0));
}

enum { JOBS = 3 * QUEUE_BATCH_MAX };

static void expect_the_oldest_first(const struct reconcile_options *o)
{
    static struct job_id ids[JOBS];

    for (size_t i = 0; i < JOBS; i++) {
        struct job j = spool_sample_commit(&spool, "q", "abc", 3);
        ids[i] = j.id;
        job_release(&j);
    }
    struct reconcile_stats stats = pass_with(o);
    cr_assert(eq(sz, stats.enqueued, JOBS));
    cr_expect(eq(sz, stats.scanned, JOBS));
    for (size_t i = 0; i < JOBS; i++) {
        char at[24];
        snprintf(at, sizeof at, "%zu", i);
        char *found =
            redis_fixture_ask(&server, "ZRANGE", "hoist:{q}:ready", at, at, NULL);
        cr_expect(strstr(found, ids[i].uuid.text) != NULL, "%zu: %s", i, found);
        free(found);
    }
}

Test(reconcile_refused, what_comes_back_comes_the_oldest_first)
{
    expect_the_oldest_first(&now);
}

Test(reconcile_refused, also_of_more_than_are_sorted_at_a_time)
{
    static const size_t sizes[] = {1, 7, JOBS - 1};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct reconcile_options o = now;
        o.run_max = sizes[i];
        expect_the_oldest_first(&o);
        free(redis_fixture_ask(&server, "FLUSHALL", NULL));
        spool_sample_close(&spool);
        spool_sample_open(&spool);
    }
}
