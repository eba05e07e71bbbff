/*
 * spool_keys: an idempotency key is held by one, counts when its promise was made, and goes when nobody knows its jobs.
 */
#include "shared/spool_keys.h"

#include "shared/clock.h"
#include "shared/reconcile.h"
#include "tests/integration/reconcile_rig.h"

#include <sys/stat.h>

#define NAME "ab5df625bc76dbd4e163bed2dd888df828f90159bb93556525c31821b6541d46"
#define PRINT "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static struct redis_fixture server;
static struct spool_sample spool;
static struct redis *redis;
static struct buf text = BUF_INIT(KEY_RECORD_MAX);

static const struct reconcile_rig parts = {&server, &spool, &redis};

static void up(void)
{
    reconcile_rig_up(&parts);
}

static void down(void)
{
    buf_release(&text);
    reconcile_rig_down(&parts);
}

TestSuite(spool_keys, .init = up, .fini = down, .timeout = 120);

static struct spool_key claim(void)
{
    struct spool_key k = SPOOL_KEY_INIT;
    struct err e = ERR_INIT;
    bool busy = true;

    cr_assert(not(spool_key_claim(spool.spool, NAME, &k, &busy, &e)), "%s", e.text);
    cr_assert(not(busy));
    return k;
}

/* A record of a request that made this job, so many seconds ago. */
static void store(struct spool_key *k, const struct job_id *id, int64_t age)
{
    struct key_record r = {.created = clock_wall_ms() - age * 1000,
                           .print = PRINT,
                           .id_count = 1,
                           .body = "{}",
                           .body_len = 2};
    struct err e = ERR_INIT;

    cr_assert(not(key_record_format(&r, id, &text, &e)));
    cr_assert(not(spool_key_store(spool.spool, k, text.data, text.len, &e)), "%s",
              e.text);
}

/* Whether there is a record. */
static bool has_record(void)
{
    struct spool_key k = claim();
    struct key_record r;
    struct err e = ERR_INIT;

    cr_assert(not(spool_key_read(spool.spool, &k, &text, &r, &e)), "%s", e.text);
    spool_key_release(spool.spool, &k);
    return r.created != 0;
}

static bool is_there(void)
{
    struct stat st;
    return stat(spool_sample_path(&spool, "keys/ab/" NAME), &st) == 0;
}

/* Passes over all directories. */
static size_t pass(int64_t age_ms)
{
    size_t dropped = 0;

    for (unsigned dir = 0; dir < SPOOL_KEYS_DIRS; dir += RECONCILE_KEY_DIRS) {
        struct reconcile_options o = RECONCILE_OPTIONS_INIT;
        struct reconcile_stats stats;
        struct err e = ERR_INIT;
        o.min_age_ms = 3600 * 1000;
        o.sweep_age_ms = -3600 * 1000;
        o.key_age_ms = age_ms;
        o.key_dir = dir + 5;
        cr_assert(not(reconcile_run(spool.spool, redis, &o, &stats, &e)), "%s", e.text);
        dropped += stats.keys;
    }
    return dropped;
}

Test(spool_keys, a_key_has_one_holder_and_an_empty_one_leaves_nothing)
{
    struct spool_key k = claim(), other = SPOOL_KEY_INIT;
    struct err e = ERR_INIT;
    bool busy = false;

    cr_assert(not(spool_key_claim(spool.spool, NAME, &other, &busy, &e)));
    cr_expect(busy && other.fd == -1);
    cr_expect(is_there());
    spool_key_release(spool.spool, &k);
    cr_expect(not(is_there()));
    cr_expect(not(has_record()));
}

Test(spool_keys, a_torn_record_is_none)
{
    struct job_id id = {.queue = "media", .uuid = id_new()};
    struct spool_key k = claim();

    store(&k, &id, 0);
    cr_assert(eq(int, ftruncate(k.fd, (off_t)text.len - 1), 0));
    spool_key_release(spool.spool, &k);
    cr_expect(not(has_record()));
    k = claim();
    store(&k, &id, 0);
    spool_key_release(spool.spool, &k);
    cr_expect(has_record());
}

Test(spool_keys, it_is_dropped_when_it_is_old_and_nobody_knows_its_job)
{
    struct job_id id = {.queue = "media", .uuid = id_new()};
    struct spool_key k = claim();
    char job[128];

    store(&k, &id, 100);
    spool_key_release(spool.spool, &k);
    struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    cr_assert(
        eq(int, utimensat(AT_FDCWD, spool_sample_path(&spool, "keys/ab/" NAME), old, 0),
           0));
    cr_expect(eq(sz, pass(200 * 1000), 0), "too young");
    snprintf(job, sizeof job, "hoist:{media}:job:%s", id.uuid.text);
    free(redis_fixture_ask(&server, "HSET", job, "state", "done", NULL));
    cr_expect(eq(sz, pass(50 * 1000), 0), "Redis knows the job");
    free(redis_fixture_ask(&server, "DEL", job, NULL));
    close(open(spool_sample_job_path(&spool, &id, ".json"), O_CREAT | O_WRONLY, 0600));
    cr_expect(eq(sz, pass(50 * 1000), 0), "the spool does");
    unlink(spool_sample_job_path(&spool, &id, ".json"));
    k = claim();
    cr_expect(eq(sz, pass(50 * 1000), 0), "a request has it");
    fd_close(&k.fd);
    cr_expect(eq(sz, pass(50 * 1000), 1));
    cr_expect(not(is_there()));
}

/* What a commit calls before its first rename: here the process dies. */
static enum err_code die(void *ctx, struct err *e)
{
    struct job *j = ctx;
    struct spool_key k = claim();
    char in_tmp[128];

    store(&k, &j->id, 0);
    fd_close(&k.fd);
    snprintf(in_tmp, sizeof in_tmp, "tmp/%s.json", j->id.uuid.text);
    cr_assert(eq(
        int,
        link(spool_sample_path(&spool, in_tmp), spool_sample_path(&spool, "tmp/keep")),
        0));
    return err_set(e, ERR_RETRY, "died");
}

/* tmp/<uuid>.json and the record of its key, as a process leaves them that dies then. */
static struct job_id leave(void)
{
    struct job j = spool_sample_job("media");
    struct spool_ready ready = {die, NULL, &j};
    struct err e = ERR_INIT;
    char in_tmp[128];

    j.idempotency = strdup(NAME);
    free(j.source);
    j.source = strdup("command:dump");
    j.size = 0;
    cr_expect(eq(int, spool_promise_ready(spool.spool, &j, &ready, &e), ERR_RETRY));
    snprintf(in_tmp, sizeof in_tmp, "tmp/%s.json", j.id.uuid.text);
    (void)rename(spool_sample_path(&spool, "tmp/keep"),
                 spool_sample_path(&spool, in_tmp));
    struct job_id id = j.id;
    job_release(&j);
    return id;
}

Test(spool_keys, a_record_whose_promise_was_not_made_is_none)
{
    leave();
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 1));
    cr_expect(not(has_record()));
}

Test(spool_keys,
     a_sweep_takes_the_record_before_the_manifest_that_shows_it_was_not_made)
{
    struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    struct job_id id = leave();
    char in_tmp[128];

    snprintf(in_tmp, sizeof in_tmp, "tmp/%s.json", id.uuid.text);
    cr_assert(
        eq(int, utimensat(AT_FDCWD, spool_sample_path(&spool, in_tmp), old, 0), 0));
    struct spool_key k = claim();
    cr_expect(eq(sz, spool_sweep(spool.spool, 0, 10), 0), "while somebody has it");
    fd_close(&k.fd);
    cr_expect(eq(sz, spool_sweep(spool.spool, 0, 10), 1));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(not(has_record()));
}

/* The first of two was promised: their process died between two renames. */
Test(spool_keys, a_sweep_finishes_a_promise_and_keeps_its_record)
{
    struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    struct job_id ids[] = {{.queue = "media", .uuid = id_new()}, leave()};
    struct key_record r = {.created = clock_wall_ms(),
                           .print = PRINT,
                           .id_count = 2,
                           .body = "{}",
                           .body_len = 2};
    struct spool_key k = claim();
    struct err e = ERR_INIT;
    struct stat st;
    char in_tmp[128];

    cr_assert(not(key_record_format(&r, ids, &text, &e)));
    cr_assert(not(spool_key_store(spool.spool, &k, text.data, text.len, &e)));
    spool_key_release(spool.spool, &k);
    snprintf(in_tmp, sizeof in_tmp, "tmp/%s.json", ids[1].uuid.text);
    cr_assert(
        eq(int, utimensat(AT_FDCWD, spool_sample_path(&spool, in_tmp), old, 0), 0));
    (void)spool_sweep(spool.spool, 0, 10);
    cr_expect(eq(int, stat(spool_sample_job_path(&spool, &ids[1], ".json"), &st), 0));
    cr_expect(has_record());
}
