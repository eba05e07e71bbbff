/* looks: what follows a look at the object of a done job, as Redis stands at that moment. */
#include "worker/queue/looks.h"
#include "worker/queue/removal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/redis_fixture.h"
#include "tests/support/spool_sample.h"
#include "tests/support/tmpdir.h"

enum { ENDED = 1700000000 };

static struct redis_fixture server;
static struct spool_sample spool;
static struct tmpdir dir;
static struct config config;
static uv_loop_t loop;
static struct worker_env env;
static struct removals removals;
static struct destinations *destinations;

static void on_ready(void *ctx)
{
    uv_stop(ctx);
}

static void on_lost(const struct err *why, void *ctx)
{
    (void)ctx;
    cr_fatal("%s", why->text);
}

static void open_redis(void)
{
    struct redis_async_options o = {.connect_timeout_ms = 5000,
                                    .timeout_ms = 5000,
                                    .scripts = queue_scripts,
                                    .on_ready = on_ready,
                                    .on_lost = on_lost,
                                    .ctx = &loop};
    struct err e = ERR_INIT;

    cr_assert(not(redis_target_parse(server.url, &o.target, &e)), "%s", e.text);
    cr_assert(not(redis_async_open(&loop, &o, &env.redis, &e)), "%s", e.text);
    redis_target_release(&o.target);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert(redis_async_is_ready(env.redis));
}

static void up(void)
{
    char *none[] = {NULL};
    struct err e = ERR_INIT;
    char text[512];

    redis_fixture_start(&server);
    spool_sample_open(&spool);
    tmpdir_make(&dir);
    (void)snprintf(text, sizeof text, "[destination default]\nurl = file://%s/o\n",
                   dir.path);
    struct tmpdir_file file = tmpdir_write(&dir, "hoist.ini", text, strlen(text));
    config_init(&config);
    cr_assert(not(config_load(&config, file.path, none, &e)), "%s", e.text);
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    removals_init(&removals, &loop);
    env = (struct worker_env){.loop = &loop,
                              .removals = &removals,
                              .config = &config,
                              .spool = spool.spool,
                              .self = {.id = "test", .lease_ms = 10000}};
    open_redis();
    cr_assert(not(destinations_open(&env, &destinations, &e)), "%s", e.text);
}

static void on_closed(void *ctx)
{
    (void)ctx;
}

static void down(void)
{
    destinations_close(destinations);
    redis_async_close(env.redis, on_closed, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    config_release(&config);
    tmpdir_remove(&dir);
    spool_sample_close(&spool);
    redis_fixture_stop(&server);
}

TestSuite(looks, .init = up, .fini = down, .timeout = 60);

/* A job that is done by Redis, with its files; with its object where wanted. */
static struct reconcile_look done_job(bool with_object)
{
    struct job j = spool_sample_commit(&spool, "q", "abc", 3);
    struct reconcile_look item = {.id = j.id, .ended = ENDED};
    char key[128], path[512];

    (void)snprintf(key, sizeof key, "hoist:{q}:job:%s", j.id.uuid.text);
    free(redis_fixture_ask(&server, "HSET", key, "state", "done", "ended", "1700000000",
                           "max_attempts", "3", "seq", "1", "bytes", "3", NULL));
    (void)snprintf(path, sizeof path, "%s/o/a", dir.path);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof path, "%s/o/%s", dir.path, j.key);
    if (with_object) {
        FILE *f = fopen(path, "we");
        cr_assert(f && fputs("abc", f) >= 0 && fclose(f) == 0, "%s", path);
    }
    job_release(&j);
    return item;
}

struct told {
    int count[LOOK_LEFT + 1], ends;
    char why[256];
};

static void on_result(const struct job_id *id, enum look_result result, const char *why,
                      void *ctx)
{
    struct told *t = ctx;

    (void)id;
    t->count[result]++;
    (void)snprintf(t->why, sizeof t->why, "%s", why);
}

static void on_done(void *ctx)
{
    ((struct told *)ctx)->ends++;
    uv_stop(&loop);
}

static struct told look(const struct reconcile_look *items, size_t count, bool stop)
{
    struct told t = {.ends = 0};
    struct looks_options o = {.env = &env,
                              .destinations = destinations,
                              .on_result = on_result,
                              .on_done = on_done,
                              .ctx = &t};
    struct looks *l = looks_begin(&o, items, count);

    cr_assert(l != NULL);
    (void)uv_run(&loop, UV_RUN_NOWAIT); /* those of the first turn are under way */
    if (stop)
        looks_stop(l);
    while (t.ends == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(eq(int, t.ends, 1));
    return t;
}

static int files(void)
{
    return spool_sample_count(&spool, "jobs");
}

Test(looks, files_go_when_the_object_is_there_and_the_job_still_done)
{
    struct reconcile_look items[6];

    for (size_t i = 0; i < 6; i++)
        items[i] = done_job(i == 0); /* all have one key */
    struct told t = look(items, 6, false);
    cr_expect(eq(int, t.count[LOOK_THERE], 6), "%s", t.why);
    cr_expect(eq(int, files(), 0));
}

/* Redis was set back, or the job has run again, since it was handed out. */
Test(looks, files_stay_when_redis_has_changed_its_mind)
{
    struct reconcile_look anew = done_job(true), back = done_job(false);
    char key[128];

    anew.ended++;
    (void)snprintf(key, sizeof key, "hoist:{q}:job:%s", back.id.uuid.text);
    free(redis_fixture_ask(&server, "HSET", key, "state", "waiting", NULL));
    struct told t = look((struct reconcile_look[]){anew, back}, 2, false);
    cr_expect(eq(int, t.count[LOOK_MOOT], 2), "%s", t.why);
    cr_expect(eq(int, files(), 4));
}

Test(looks, a_job_without_its_object_runs_again_only_if_it_is_the_one_that_was_met)
{
    struct reconcile_look gone = done_job(false), other = gone;

    other.ended++;
    cr_expect(eq(int, look(&other, 1, false).count[LOOK_LEFT], 1));
    cr_expect(
        eq(i64, redis_fixture_ask_int(&server, "ZCARD", "hoist:{q}:ready", NULL), 0));
    cr_expect(eq(int, look(&gone, 1, false).count[LOOK_AGAIN], 1));
    cr_expect(
        eq(i64, redis_fixture_ask_int(&server, "ZCARD", "hoist:{q}:ready", NULL), 1));
    cr_expect(eq(int, look(&gone, 1, false).count[LOOK_MOOT], 1), "it waits already");
    cr_expect(eq(int, files(), 2));
}

Test(looks, what_has_no_manifest_any_more_is_moot)
{
    struct reconcile_look item = done_job(true);
    struct err e = ERR_INIT;

    cr_assert(not(spool_remove(spool.spool, &item.id, &e)));
    cr_expect(eq(int, look(&item, 1, false).count[LOOK_MOOT], 1));
}

Test(looks, stopped_they_end_soon_and_touch_nothing_more)
{
    struct reconcile_look items[40];

    for (size_t i = 0; i < 40; i++)
        items[i] = done_job(i == 0);
    struct told t = look(items, 40, true);
    int told = t.count[LOOK_THERE] + t.count[LOOK_LEFT];
    cr_expect(told <= 8, "%d", told);
    cr_expect(eq(int, files(), 80 - 2 * t.count[LOOK_THERE]));
}

/* Where nobody can look, what Redis says is all there is: the files of a job that is done do not stay for ever. */
Test(looks, files_go_when_nobody_can_look_and_redis_says_done)
{
    struct err e = ERR_INIT;

    destinations_close(destinations);
    config_release(&config);
    cr_assert(not(config_parse(&config, "t.ini",
                               "[destination default]\nurl = http://127.0.0.1:9/\n"
                               "method = POST\n",
                               NULL, &e)),
              "%s", e.text);
    cr_assert(not(destinations_open(&env, &destinations, &e)), "%s", e.text);
    struct reconcile_look items[2] = {done_job(false), done_job(false)};
    items[1].ended++; /* it was done anew meanwhile */
    struct told t = look(items, 2, false);
    cr_expect(eq(int, t.count[LOOK_THERE], 1), "%s", t.why);
    cr_expect(eq(int, t.count[LOOK_MOOT], 1));
    cr_expect(eq(int, files(), 2));
}
