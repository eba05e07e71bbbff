/*
 * reconcile: the spool is the truth.  Whatever Redis has forgotten comes back, once; what has ended leaves the disk; what
 * is alive or dead stays.
 */
#include "shared/queue.h"
#include "shared/reconcile.h"
#include "tests/support/redis_fixture.h"
#include "tests/support/spool_sample.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

static struct redis_fixture server;
static struct spool_sample spool;
static struct redis *redis;

/* Everything is old enough, nothing is debris. */
static const struct reconcile_options now = {.min_age_ms = -3600 * 1000,
                                             .sweep_age_ms = 24 * 3600 * 1000};

static struct redis *connect_redis(void)
{
    struct redis_options o = {.connect_timeout_ms = 5000, .timeout_ms = 10000};
    struct redis *r = NULL;
    struct err e = ERR_INIT;

    cr_assert(not(redis_target_parse(server.url, &o.target, &e)), "%s", e.text);
    cr_assert(not(redis_open(&o, &r, &e)), "%s", e.text);
    redis_target_release(&o.target);
    return r;
}

static void up(void)
{
    struct err e = ERR_INIT;

    redis_fixture_start(&server);
    spool_sample_open(&spool);
    spool_close(spool.spool);
    struct spool_options o = {.dir = spool.path, .durable = false}; /* for speed */
    cr_assert(not(spool_open(&o, &spool.spool, &e)), "%s", e.text);
    redis = connect_redis();
}

static void down(void)
{
    redis_close(redis);
    spool_sample_close(&spool);
    redis_fixture_stop(&server);
}

TestSuite(reconcile, .init = up, .fini = down, .timeout = 120);

static struct job_id commit(const char *queue)
{
    struct job j = spool_sample_commit(&spool, queue, "abc", 3);
    struct job_id id = j.id;

    job_release(&j);
    return id;
}

static struct reconcile_stats pass(void)
{
    struct reconcile_stats stats = {0};
    struct err e = ERR_INIT;

    cr_assert(eq(int, reconcile_run(spool.spool, redis, &now, &stats, &e), ERR_OK),
              "%s", e.text);
    return stats;
}

static const char *job_key(const struct job_id *id)
{
    static char key[128];

    snprintf(key, sizeof key, "hoist:{%.32s}:job:%.36s", id->queue, id->uuid.text);
    return key;
}

static void set_state(const struct job_id *id, const char *state)
{
    free(redis_fixture_ask(&server, "HSET", job_key(id), "state", state, NULL));
}

static void expect_state(const struct job_id *id, const char *want)
{
    char *state = redis_fixture_ask(&server, "HGET", job_key(id), "state", NULL);

    cr_expect(eq(str, state, (char *)want));
    free(state);
}

static bool files_exist(const struct job_id *id)
{
    bool json = access(spool_sample_job_path(&spool, id, ".json"), F_OK) == 0;
    bool data = access(spool_sample_job_path(&spool, id, ".data"), F_OK) == 0;

    cr_expect(eq(int, json, data), "both or none");
    return json;
}

Test(reconcile, a_job_redis_does_not_know_is_enqueued_once)
{
    struct job_id id = commit("media");
    struct job got = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing = true;

    struct reconcile_stats stats = pass();
    cr_expect(eq(sz, stats.scanned, 1));
    cr_expect(eq(sz, stats.enqueued, 1));
    cr_expect(eq(
        i64, redis_fixture_ask_int(&server, "ZCARD", "hoist:{media}:ready", NULL), 1));
    cr_expect(eq(
        i64, redis_fixture_ask_int(&server, "SISMEMBER", "hoist:queues", "media", NULL),
        1));
    cr_assert(not(queue_show(redis, &id, &got, &missing, &e)), "%s", e.text);
    cr_expect(eq(int, got.state, JOB_WAITING));
    cr_expect(eq(i64, got.size, 3));
    cr_expect(eq(str, got.key, "a/key"));
    job_release(&got);
    stats = pass();
    cr_expect(eq(sz, stats.scanned, 1));
    cr_expect(eq(sz, stats.enqueued, 0));
    cr_expect(files_exist(&id));
}

Test(reconcile, ended_jobs_leave_the_disk_and_others_stay)
{
    static const struct {
        const char *state;
        bool stays;
    } rows[] = {{"waiting", true},    {"scheduled", true}, {"running", true},
                {"dead", true},       {"done", true},      {"cancelled", false},
                {"what's this", true}};
    struct job_id ids[sizeof rows / sizeof rows[0]];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ids[i] = commit("q");
        free(redis_fixture_ask(&server, "HSET", job_key(&ids[i]), "state",
                               rows[i].state, NULL));
    }
    struct reconcile_stats stats = pass();
    cr_expect(eq(sz, stats.removed, 1));
    cr_expect(eq(sz, stats.enqueued, 0));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect(eq(int, files_exist(&ids[i]), rows[i].stays), "%s", rows[i].state);
        expect_state(&ids[i], rows[i].state);
    }
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2 * 6));
}

enum { MANY = 1000 };

Test(reconcile, after_flushall_every_job_comes_back)
{
    for (size_t i = 0; i < MANY; i++)
        (void)commit(i % 3 ? "one" : "two");
    cr_expect(eq(sz, pass().enqueued, MANY));
    free(redis_fixture_ask(&server, "FLUSHALL", NULL));
    free(redis_fixture_ask(&server, "SCRIPT", "FLUSH", NULL));
    struct reconcile_stats stats = pass();
    cr_expect(eq(sz, stats.scanned, MANY));
    cr_expect(eq(sz, stats.enqueued, MANY));
    cr_expect(eq(sz, stats.damaged, 0));
    cr_expect(eq(
        i64, redis_fixture_ask_int(&server, "ZCARD", "hoist:{one}:ready", NULL), 666));
    cr_expect(eq(
        i64, redis_fixture_ask_int(&server, "ZCARD", "hoist:{two}:ready", NULL), 334));
    cr_expect(
        eq(i64, redis_fixture_ask_int(&server, "SCARD", "hoist:queues", NULL), 2));
    cr_expect(eq(sz, pass().enqueued, 0));
}

/* --- Several at once --- */

enum { PASSES = 4, SHARED = 300 };

struct runner {
    struct redis *redis;
    struct reconcile_stats stats;
    struct err e;
    enum err_code code;
};

static void *run_pass(void *arg)
{
    struct runner *r = arg;

    r->code = reconcile_run(spool.spool, r->redis, &now, &r->stats, &r->e);
    return NULL;
}

/* Several passes at once; their results added up. */
static struct reconcile_stats pass_together(void)
{
    struct runner runners[PASSES] = {0};
    struct reconcile_stats sum = {0};
    pthread_t threads[PASSES];

    for (size_t i = 0; i < PASSES; i++) {
        runners[i].redis = connect_redis();
        cr_assert(eq(int, pthread_create(&threads[i], NULL, run_pass, &runners[i]), 0));
    }
    for (size_t i = 0; i < PASSES; i++) {
        cr_assert(eq(int, pthread_join(threads[i], NULL), 0));
        cr_expect(eq(int, runners[i].code, ERR_OK), "%s", runners[i].e.text);
        sum.enqueued += runners[i].stats.enqueued;
        sum.damaged += runners[i].stats.damaged;
        redis_close(runners[i].redis);
    }
    return sum;
}

Test(reconcile, several_at_once_enqueue_each_job_exactly_once)
{
    for (size_t i = 0; i < SHARED; i++)
        (void)commit("q");
    struct reconcile_stats sum = pass_together();
    cr_expect(eq(sz, sum.enqueued, SHARED));
    cr_expect(eq(sz, sum.damaged, 0));
    cr_expect(eq(i64, redis_fixture_ask_int(&server, "ZCARD", "hoist:{q}:ready", NULL),
                 SHARED));
    cr_expect(
        eq(i64,
           redis_fixture_ask_int(&server, "HGET", "hoist:{q}:stats", "enqueued", NULL),
           SHARED));
}

Test(reconcile, several_at_once_remove_what_ended_without_complaint)
{
    for (size_t i = 0; i < SHARED; i++) {
        struct job_id id = commit("q");
        free(redis_fixture_ask(&server, "HSET", job_key(&id), "state", "cancelled",
                               NULL));
    }
    struct reconcile_stats sum = pass_together();
    cr_expect(eq(sz, sum.enqueued, 0));
    cr_expect(eq(sz, sum.damaged, 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0));
}

/* --- What is left alone --- */

Test(reconcile, a_young_manifest_is_left_to_its_publisher)
{
    struct reconcile_options o = RECONCILE_OPTIONS_INIT;
    struct reconcile_stats stats;
    struct err e = ERR_INIT;

    (void)commit("q");
    o.min_age_ms = 60 * 1000;
    cr_assert(not(reconcile_run(spool.spool, redis, &o, &stats, &e)), "%s", e.text);
    cr_expect(eq(sz, stats.scanned, 1));
    cr_expect(eq(sz, stats.enqueued, 0));
}

Test(reconcile, one_damaged_manifest_or_key_does_not_keep_others_from_coming_back)
{
    struct job_id damaged = commit("q"), taken = commit("q"), good = commit("q");
    const char *path = spool_sample_job_path(&spool, &damaged, ".json");
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    cr_assert(fd >= 0 && pwrite(fd, "X", 1, 40) == 1);
    close(fd);
    free(redis_fixture_ask(&server, "SET", job_key(&taken), "no hash", NULL));
    struct reconcile_stats stats = pass();
    cr_expect(eq(sz, stats.damaged, 2));
    cr_expect(strcmp(stats.bad_id.uuid.text, damaged.uuid.text) == 0 ||
              strcmp(stats.bad_id.uuid.text, taken.uuid.text) == 0);
    cr_expect(eq(sz, stats.enqueued, 1));
    expect_state(&good, "waiting");
    expect_state(&damaged, "");
    cr_expect(files_exist(&damaged) && files_exist(&taken), "nothing is thrown away");
}

/* The manifest can be opened by nobody: EAGAIN, as a lease that is held gives it to O_NONBLOCK. */
static int hold(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    cr_assert(fd >= 0 && signal(SIGIO, SIG_IGN) != SIG_ERR);
    cr_assert(eq(int, fcntl(fd, F_SETLEASE, F_WRLCK), 0), "%s", strerror(errno));
    return fd;
}

Test(reconcile, one_manifest_that_cannot_be_read_does_not_keep_others_from_coming_back)
{
    struct job_id good = commit("q"), held = commit("q"), also = commit("r");
    int fd = hold(spool_sample_job_path(&spool, &held, ".json"));

    struct reconcile_stats stats = pass();
    cr_expect(eq(sz, stats.failed, 1));
    cr_expect(eq(sz, stats.damaged, 0));
    cr_expect(eq(sz, stats.enqueued, 2));
    cr_expect(eq(str, stats.bad_id.uuid.text, held.uuid.text), "for the log");
    cr_expect(eq(str, stats.bad_id.queue, "q"));
    cr_expect(stats.bad_why.text[0] != '\0');
    expect_state(&good, "waiting");
    expect_state(&also, "waiting");
    close(fd);
    stats = pass();
    cr_expect(eq(sz, stats.enqueued, 1), "comes back when it can be read");
    cr_expect(eq(str, stats.bad_id.queue, ""), "nothing to log");
}

Test(reconcile, one_file_that_cannot_be_removed_does_not_keep_others)
{
    struct job_id stuck = commit("q"), ended = commit("q"), unknown = commit("q");
    const char *data = spool_sample_job_path(&spool, &stuck, ".data");

    (void)pass();
    set_state(&stuck, "cancelled");
    set_state(&ended, "cancelled");
    free(redis_fixture_ask(&server, "DEL", job_key(&unknown), NULL));
    cr_assert(eq(int, unlink(data), 0));
    cr_assert(eq(int, mkdir(data, 0700), 0), "what unlink refuses");
    struct reconcile_stats stats = pass();
    cr_expect(eq(sz, stats.failed, 1));
    cr_expect(eq(sz, stats.removed, 1));
    cr_expect(eq(sz, stats.enqueued, 1));
    cr_expect(eq(str, stats.bad_id.uuid.text, stuck.uuid.text));
    cr_expect(not(files_exist(&ended)));
    expect_state(&unknown, "waiting");
}

Test(reconcile, a_pass_that_ends_early_tells_what_it_did)
{
    enum { JOBS = QUEUE_BATCH_MAX + 1 };
    struct reconcile_stats stats = {.scanned = 77};
    struct err e = ERR_INIT;

    for (int i = 0; i < JOBS; i++)
        (void)commit("q");
    free(redis_fixture_ask(&server, "CONFIG", "SET", "maxmemory", "1", NULL));
    cr_expect(ne(int, reconcile_run(spool.spool, redis, &now, &stats, &e), ERR_OK));
    cr_expect(eq(sz, stats.scanned, JOBS));
    cr_expect(eq(sz, stats.enqueued, 0));
}

Test(reconcile, without_redis_nothing_is_touched_and_it_says_retry)
{
    struct reconcile_stats stats = {.scanned = 77};
    struct job_id id = commit("q");
    struct err e = ERR_INIT;

    redis_fixture_kill(&server);
    cr_expect(eq(int, reconcile_run(spool.spool, redis, &now, &stats, &e), ERR_RETRY));
    cr_expect(eq(sz, stats.scanned, 1), "seen");
    cr_expect(eq(sz, stats.enqueued, 0));
    cr_expect(files_exist(&id));
    redis_fixture_restart(&server);
    cr_expect(eq(sz, pass().enqueued, 1), "comes back by itself");
}

Test(reconcile, a_full_redis_says_retry)
{
    struct reconcile_stats stats;
    struct err e = ERR_INIT;

    (void)commit("q");
    free(redis_fixture_ask(&server, "CONFIG", "SET", "maxmemory", "1", NULL));
    cr_expect(eq(int, reconcile_run(spool.spool, redis, &now, &stats, &e), ERR_RETRY),
              "%s", e.text);
    free(redis_fixture_ask(&server, "CONFIG", "SET", "maxmemory", "0", NULL));
    cr_expect(eq(sz, pass().enqueued, 1));
}

Test(reconcile, stop_ends_it_before_the_next_pipeline)
{
    atomic_bool stop = true;
    struct reconcile_options o = now;
    struct reconcile_stats stats;
    struct err e = ERR_INIT;

    (void)commit("q");
    o.stop = &stop;
    cr_assert(not(reconcile_run(spool.spool, redis, &o, &stats, &e)), "%s", e.text);
    cr_expect(eq(sz, stats.enqueued, 0));
    atomic_store(&stop, false);
    cr_assert(not(reconcile_run(spool.spool, redis, &o, &stats, &e)), "%s", e.text);
    cr_expect(eq(sz, stats.enqueued, 1));
}
