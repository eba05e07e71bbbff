/*
 * reconcile: jobs that are done, and whose files are still there, are handed out to be looked at; a pass that only tells
 * changes nothing.
 */
#include "shared/queue.h"
#include "shared/reconcile.h"
#include "tests/integration/reconcile_rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOOKS_MAX = 8, LINES_MAX = 32 };

static struct redis_fixture server;
static struct spool_sample spool;
static struct redis *redis;
static struct reconcile_look looks[LOOKS_MAX];
static char lines[LINES_MAX][128];
static size_t line_count;

static const struct reconcile_rig rig = {&server, &spool, &redis};

static void up(void)
{
    reconcile_rig_up(&rig);
}

static void down(void)
{
    reconcile_rig_down(&rig);
}

TestSuite(reconcile_looks, .init = up, .fini = down, .timeout = 120);

static void on_act(enum reconcile_act act, const char *what, const struct err *why,
                   void *ctx)
{
    static const char *const verbs[] = {[RECONCILE_ENQUEUE] = "enqueue",
                                        [RECONCILE_REMOVE] = "remove",
                                        [RECONCILE_SWEEP] = "sweep",
                                        [RECONCILE_DAMAGED] = "damaged",
                                        [RECONCILE_FAILED] = "failed"};

    (void)ctx;
    cr_assert(line_count < LINES_MAX);
    (void)snprintf(lines[line_count++], sizeof lines[0], "%s %s%s", verbs[act], what,
                   why ? " why" : "");
}

static struct reconcile_options options(void)
{
    return (struct reconcile_options){.min_age_ms = -3600 * 1000,
                                      .sweep_age_ms = 24 * 3600 * 1000,
                                      .settle_ms = 15000,
                                      .looks = looks,
                                      .looks_max = LOOKS_MAX,
                                      .on_act = on_act};
}

static struct reconcile_stats pass(const struct reconcile_options *o)
{
    struct reconcile_stats stats = {0};
    struct err e = ERR_INIT;

    line_count = 0;
    cr_assert(eq(int, reconcile_run(spool.spool, redis, o, &stats, &e), ERR_OK), "%s",
              e.text);
    return stats;
}

static struct job_id commit(void)
{
    struct job j = spool_sample_commit(&spool, "q", "abc", 3);
    struct job_id id = j.id;

    job_release(&j);
    return id;
}

/* As if Redis said so, since so many seconds. */
static void set_state(const struct job_id *id, const char *state, int64_t seconds)
{
    char key[128], ended[32];
    char *now = redis_fixture_ask(&server, "TIME", NULL); /* its first line */

    (void)snprintf(key, sizeof key, "hoist:{q}:job:%s", id->uuid.text);
    (void)snprintf(ended, sizeof ended, "%lld",
                   (strtoll(now, NULL, 10) - seconds) * 1000);
    free(redis_fixture_ask(&server, "HSET", key, "state", state, "ended", ended, NULL));
    free(now);
}

Test(reconcile_looks, done_jobs_with_files_are_handed_out_once_they_have_settled)
{
    struct reconcile_options o = options();
    struct job_id old = commit(), young = commit();

    set_state(&old, "done", 3600);
    set_state(&young, "done", 5);
    struct reconcile_stats stats = pass(&o);
    cr_assert(eq(sz, stats.looks, 1));
    cr_expect(eq(str, looks[0].id.uuid.text, old.uuid.text));
    cr_expect(looks[0].ended > 1600000000000);
    cr_expect(eq(sz, stats.removed, 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 4), "nothing was touched");
    o.settle_ms = 1000;
    cr_expect(eq(sz, pass(&o).looks, 2));
}

static void set_end(const struct job_id *id, const char *ended)
{
    char key[128];

    set_state(id, "done", 3600);
    (void)snprintf(key, sizeof key, "hoist:{q}:job:%s", id->uuid.text);
    free(redis_fixture_ask(&server, "HSET", key, "ended", ended, NULL));
}

Test(reconcile_looks,
     one_that_ended_by_a_clock_that_was_ahead_does_not_wait_for_that_time)
{
    struct reconcile_options o = options();
    struct job_id ahead = commit(), young = commit();

    set_state(&ahead, "done", -3600);
    set_state(&young, "done", -5);
    cr_assert(eq(sz, pass(&o).looks, 1));
    cr_expect(eq(str, looks[0].id.uuid.text, ahead.uuid.text));
}

Test(reconcile_looks, an_end_that_is_no_time_is_told_to_people)
{
    static const char *const ends[] = {"",    "banana", "-5",
                                       "007", "1e3",    "9999999999999999999999"};
    struct reconcile_options o = options();
    struct job_id ids[sizeof ends / sizeof ends[0]];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        ids[i] = commit();
        set_end(&ids[i], ends[i]);
    }
    struct job_id fine = commit();
    set_state(&fine, "done", 3600);
    struct reconcile_stats stats = pass(&o);
    cr_expect(eq(sz, stats.damaged, sizeof ends / sizeof ends[0]));
    cr_expect(eq(str, stats.bad_id.uuid.text, ids[0].uuid.text));
    cr_assert(eq(sz, stats.looks, 1), "and keeps no other from its turn");
    cr_expect(eq(str, looks[0].id.uuid.text, fine.uuid.text));
}

Test(reconcile_looks, so_many_a_pass_and_the_next_pass_goes_on)
{
    struct reconcile_options o = options();
    struct job_id ids[5];

    for (size_t i = 0; i < 5; i++) {
        ids[i] = commit();
        set_state(&ids[i], "done", 3600);
    }
    o.looks_max = 2;
    cr_expect(eq(sz, pass(&o).looks, 2));
    cr_expect(eq(str, looks[0].id.uuid.text, ids[0].uuid.text));
    cr_expect(eq(str, looks[1].id.uuid.text, ids[1].uuid.text));
    o.looks_after = looks[1].id.uuid;
    cr_expect(eq(sz, pass(&o).looks, 2));
    cr_expect(eq(str, looks[0].id.uuid.text, ids[2].uuid.text));
    o.looks_after = looks[1].id.uuid;
    cr_expect(eq(sz, pass(&o).looks, 1));
    cr_expect(eq(str, looks[0].id.uuid.text, ids[4].uuid.text));
    o.looks = NULL;
    cr_expect(eq(sz, pass(&o).looks, 0), "nobody to look");
}

static bool is_line(const char *verb, const struct job_id *id)
{
    char want[128];

    (void)snprintf(want, sizeof want, "%s q.%s", verb, id->uuid.text);
    for (size_t i = 0; i < line_count; i++)
        if (strcmp(lines[i], want) == 0)
            return true;
    return false;
}

/* A digest of all that Redis holds. */
static char *digest(void)
{
    return redis_fixture_ask(
        &server, "EVAL",
        "local keys, all = redis.call('KEYS', '*'), ''\n"
        "table.sort(keys)\n"
        "for _, k in ipairs(keys) do all = all .. k .. redis.call('DUMP', k) end\n"
        "return redis.sha1hex(all)",
        "0", NULL);
}

Test(reconcile_looks, a_dry_run_tells_what_a_pass_does_and_changes_nothing)
{
    struct reconcile_options o = options();
    struct job_id unknown = commit(), cancelled = commit(), done = commit();

    set_state(&cancelled, "cancelled", 3600);
    set_state(&done, "done", 3600);
    spool_sample_plant(spool_sample_path(&spool, "tmp/x.data"), "x");
    o.sweep_age_ms = -3600 * 1000;
    for (int wet = 0; wet < 2; wet++) {
        char *before = digest();
        o.dry_run = wet == 0;
        struct reconcile_stats stats = pass(&o);
        char *after = digest();
        cr_expect(eq(sz, stats.enqueued, 1));
        cr_expect(eq(sz, stats.removed, 1));
        cr_expect(eq(sz, stats.looks, 1));
        cr_expect(eq(sz, stats.swept, 1));
        cr_expect(eq(sz, line_count, 3));
        cr_expect(is_line("enqueue", &unknown) && is_line("remove", &cancelled));
        cr_expect(eq(str, lines[2], "sweep tmp/x.data"));
        cr_expect(eq(sz, strlen(before), 40));
        cr_expect(eq(int, strcmp(before, after) == 0, o.dry_run));
        cr_expect(eq(int, spool_sample_count(&spool, "jobs"), wet ? 4 : 6));
        cr_expect(eq(int, spool_sample_count(&spool, "tmp"), wet ? 0 : 1));
        free(before);
        free(after);
    }
}

/* --- Debris and those who write --- */

Test(reconcile_looks, debris_is_swept_and_nothing_else)
{
    struct reconcile_options o = options();

    (void)commit();
    spool_sample_plant(spool_sample_path(&spool, "tmp/x.data"), "x");
    cr_expect(eq(sz, pass(&o).swept, 0), "young");
    o.sweep_age_ms = -3600 * 1000; /* as if an hour ahead */
    cr_expect(eq(sz, pass(&o).swept, 1));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2));
}

Test(reconcile_looks, an_upload_that_lives_is_never_debris_however_old_it_looks)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct spool_options so = {.dir = spool.path, .durable = false};
    struct spool *other = NULL;
    struct job j = spool_sample_job("q");
    struct err e = ERR_INIT;
    char name[64];

    cr_assert(not(spool_open(&so, &other, &e)), "%s", e.text);
    cr_assert(not(spool_begin(spool.spool, &u, &e)), "%s", e.text);
    (void)snprintf(name, sizeof name, "tmp/%s.json", u.uuid.text);
    spool_sample_plant(spool_sample_path(&spool, name), "its manifest to be");
    cr_expect(eq(sz, spool_sweep(other, -3600 * 1000, 100), 0), "it is being written");
    cr_assert(eq(int, unlink(spool_sample_path(&spool, name)), 0));
    cr_assert(not(spool_commit(spool.spool, &u, &j, 1, &e)), "%s", e.text);
    job_release(&j);
    cr_assert(not(spool_begin(spool.spool, &u, &e)), "%s", e.text);
    (void)close(u.fd); /* as the kernel does for a process that dies */
    u.fd = -1;
    cr_expect(eq(sz, spool_sweep(other, 60 * 1000, 100), 0), "young");
    cr_expect(eq(sz, spool_sweep(other, -3600 * 1000, 100), 1));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2));
    spool_abort(spool.spool, &u);
    spool_close(other);
}
