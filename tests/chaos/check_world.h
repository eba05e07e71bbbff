/*
 * check_world: a small world in which all is right, of which each test of check breaks one thing:
 *
 *     upload 0 .. 3  accepted, there          4  no answer, there      5  no answer, not there
 *     upload 6       refused, not there       7  broken off, not there
 *
 *     TestSuite(check, .init = world_up, .fini = world_down, .timeout = 20);
 *     ... break something, set something in o ...
 *     expect_violated(CHECK_OFF(1), "upload 2");          I1 and no other, its first offender told so
 */
#ifndef HOIST_TESTS_CHAOS_CHECK_WORLD_H
#define HOIST_TESTS_CHAOS_CHECK_WORLD_H

#include "tests/chaos/check.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/chaos/fake_hoist.h"
#include "tests/support/redis_fixture.h"
#include "tests/support/tmpdir.h"

static struct tmpdir dir;
static struct redis_fixture redis;
static struct ledger *ledger;
static struct store store;
static char objects[128], spool[128];
static struct check_options o;
static struct check_result r;

static const struct body_plan plan = {.seed = 3, .max_bytes = 3000};
static const char *const queues[] = {"default", NULL};
static const char *const secrets[] = {"open sesame", NULL};
static const char *logs[] = {NULL, NULL};

static inline void make_dir(const char *name, char *ret)
{
    (void)snprintf(ret, 128, "%.100s/%s", dir.path, name);
    cr_assert(not(mkdir(ret, 0700)));
}

static inline void note(enum ledger_kind kind, int64_t n, int status)
{
    struct body b = body_of(&plan, n);
    struct ledger_line l = {.kind = kind, .n = n, .size = b.size, .status = status};
    struct err e = ERR_INIT;

    cr_assert(not(body_sha256(&b, l.sha256, &e)));
    if (status == 202)
        fake_hoist_id(n, l.id, sizeof l.id);
    cr_assert(eq(int, ledger_write(ledger, &l, 1, &e), ERR_OK), "%s", e.text);
}

/* "<uuid>.bin": the key of the job of upload n. */
static inline const char *key_of(int64_t n)
{
    static char keys[4][ID_JOB_MAX + 8];
    static unsigned next;
    char id[ID_JOB_MAX + 1], *key = keys[next++ % 4];

    fake_hoist_id(n, id, sizeof id);
    (void)snprintf(key, sizeof keys[0], "%s.bin", strchr(id, '.') + 1);
    return key;
}

static inline void plant(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "we");

    cr_assert(ne(ptr, f, NULL), "%s", path);
    cr_assert(fwrite(data, 1, len, f) == len && fclose(f) == 0);
}

/* So many bytes of upload n (-1: all), at this path. */
static inline void plant_body(const char *path, int64_t n, int64_t len)
{
    struct body b = body_of(&plan, n);
    char bytes[3000];

    body_fill(&b, 0, bytes, (size_t)b.size);
    plant(path, bytes, len < 0 ? (size_t)b.size : (size_t)len);
}

static inline const char *object(const char *key)
{
    static char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", objects, key);
    return path;
}

static inline const char *spooled(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", spool, name);
    return path;
}

static inline void world_up(void)
{
    struct err e = ERR_INIT;
    char unused[128];

    redis_fixture_start(&redis);
    tmpdir_make(&dir);
    make_dir("objects", objects);
    make_dir("spool", spool);
    make_dir("spool/tmp", unused);
    make_dir("spool/jobs", unused);
    cr_assert(not(ledger_open(tmpdir_file(&dir, "ledger").path, &ledger, &e)));
    cr_assert(not(store_init(&store, STORE_FILES, objects, NULL, &e)));
    for (int64_t n = 0; n < 8; n++)
        note(n == 7 ? LEDGER_CUT : LEDGER_TRY, n, 0);
    for (int64_t n = 0; n < 4; n++)
        note(LEDGER_GOT, n, 202);
    note(LEDGER_UNK, 4, 0);
    note(LEDGER_GOT, 6, 503);
    note(LEDGER_UNK, 7, 0);
    for (int64_t n = 0; n <= 4; n++)
        plant_body(object(key_of(n)), n, -1);
    (void)tmpdir_write(&dir, "log", "all is well\n", 12);
    logs[0] = strdup(tmpdir_file(&dir, "log").path);
    o = (struct check_options){.store = &store,
                               .spool_dir = spool,
                               .redis_url = redis.url,
                               .queues = queues,
                               .logs = logs,
                               .secrets = secrets,
                               .cores = dir.path};
}

static inline void world_down(void)
{
    free((void *)(size_t)logs[0]);
    redis_fixture_stop(&redis);
    tmpdir_remove(&dir);
}

static inline void judge(void)
{
    struct ledger_record record = LEDGER_RECORD_INIT;
    struct err e = ERR_INIT;

    ledger_close(ledger);
    cr_assert(not(ledger_read(tmpdir_file(&dir, "ledger").path, &record, &e)), "%s",
              e.text);
    o.ledger = &record;
    cr_assert(eq(int, check_run(&o, &r, &e), ERR_OK), "%s", e.text);
    ledger_record_release(&record);
}

/* Violated are those of this mask alone, and the first offender of the lowest is told so. */
static inline void expect_violated(unsigned mask, const char *text)
{
    judge();
    bool first = true;
    for (int i = 1; i <= CHECK_INVARIANTS; i++) {
        bool want = mask & CHECK_OFF(i), is = r.invariants[i].violations > 0;
        cr_expect(is == want, "I%d: %lld, %s", i, (long long)r.invariants[i].violations,
                  r.invariants[i].offenders[0]);
        if (want && first)
            cr_expect(ne(ptr, strstr(r.invariants[i].offenders[0], text), NULL), "%s",
                      r.invariants[i].offenders[0]);
        first = first && !want;
    }
    cr_expect(check_passed(&r) == (mask == 0));
}

/* A dead job with both its files in the spool. */
static inline void make_dead(int64_t n, int64_t bytes)
{
    char id[ID_JOB_MAX + 1], name[ID_JOB_MAX + 16];

    fake_hoist_id(n, id, sizeof id);
    free(redis_fixture_ask(&redis, "ZADD", "hoist:{default}:dead", "1",
                           strchr(id, '.') + 1, NULL));
    free(redis_fixture_ask(&redis, "HINCRBY", "hoist:{default}:stats", "enqueued", "1",
                           NULL));
    (void)snprintf(name, sizeof name, "jobs/%s.data", id);
    plant_body(spooled(name), n, bytes);
    (void)snprintf(name, sizeof name, "jobs/%s.json", id);
    plant(spooled(name), "{}", 2);
    (void)unlink(object(key_of(n)));
}

#endif
