/*
 * reconcile in hoist-worker: done jobs whose files are still there, by running workers and by hand; three workers after a
 * FLUSHALL under load.
 */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

#define EVERY_SECOND "[spool]\nreconcile_seconds = 1\n"

static struct worker_rig rig;

static void fini(void)
{
    rig_down(&rig);
}

TestSuite(worker_reconcile, .fini = fini, .timeout = 120);

/* --- Files that come back --- */

static const char *const suffixes[] = {".data", ".json"};

static void copy(const char *from, const char *to)
{
    char bytes[65536];
    FILE *in = fopen(from, "re"), *out = fopen(to, "we");

    cr_assert(in && out, "%s -> %s", from, to);
    size_t n = fread(bytes, 1, sizeof bytes, in);
    cr_assert(fwrite(bytes, 1, n, out) == n);
    cr_assert(fclose(in) == 0 && fclose(out) == 0);
}

static void move_aside(const struct job_id *id, bool back)
{
    char here[512], aside[512];

    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(here, sizeof here, "%s/jobs/%s.%s%s", rig.spool_dir.path,
                       id->queue, id->uuid.text, suffixes[i]);
        (void)snprintf(aside, sizeof aside, "%s/%s%s", rig.dir.path, id->uuid.text,
                       suffixes[i]);
        copy(back ? aside : here, back ? here : aside);
    }
}

static int64_t stat_of(const char *name)
{
    return redis_fixture_ask_int(&rig.redis, "HGET", "hoist:{default}:stats", name,
                                 NULL);
}

static void make_older(const struct job_id *id, int64_t seconds)
{
    char key[128], ended[32];

    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", id->uuid.text);
    (void)snprintf(ended, sizeof ended, "%lld",
                   (long long)(rig_number(&rig, id, "ended") - seconds * 1000));
    free(redis_fixture_ask(&rig.redis, "HSET", key, "ended", ended, NULL));
    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:{default}:done", ended,
                           id->uuid.text, NULL));
}

/* A job that is done, by a worker; copies of its files stand aside. */
static struct job_id done_files_aside(const char *data, const char *to)
{
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = data, .to = to});

    move_aside(&id, false);
    struct spawn *w = rig_start(&rig, "first");
    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_assert(rig_wait_unspooled(&rig, &id, 5000));
    cr_assert(spawn_stop(w, 20000));
    return id;
}

/* Its files did not go, an hour ago. */
static void bring_back(const struct job_id *id)
{
    move_aside(id, true);
    make_older(id, 3600);
}

static struct job_id done_with_files(const char *data, const char *to)
{
    struct job_id id = done_files_aside(data, to);

    bring_back(&id);
    return id;
}

static void remove_object(const struct job_id *id)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", rig.objects.path,
                   rig_field(&rig, id, "key"));
    if (!*rig_field(&rig, id, "key"))
        (void)snprintf(path, sizeof path, "%s/%s", rig.objects.path, id->uuid.text);
    cr_assert(eq(int, remove(path), 0), "%s", path);
}

Test(worker_reconcile, files_of_a_done_job_go_when_its_object_is_there)
{
    rig_up(&rig, EVERY_SECOND);
    struct job_id id = done_with_files("kept", NULL);
    struct spawn *w = rig_start(&rig, "a");

    cr_assert(rig_wait_unspooled(&rig, &id, 5000));
    cr_expect(rig_log_count(w, "done, and its object is there") == 1);
    cr_expect(eq(i64, stat_of("done"), 1), "it did not run again");
    cr_expect(rig_object_is(&rig, &id, "kept"));
}

Test(worker_reconcile, a_done_job_whose_object_has_gone_runs_again)
{
    rig_up(&rig, EVERY_SECOND);
    struct job_id id = done_with_files("again", NULL);

    remove_object(&id);
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(rig_wait_unspooled(&rig, &id, 10000));
    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_expect(rig_object_is(&rig, &id, "again"));
    cr_expect(rig_log_count(w, "done, but its object has gone: it runs again") == 1);
    cr_expect(eq(i64, stat_of("done"), 2));
    cr_expect(eq(i64, stat_of("enqueued"), 2), "as many as have ended");
    cr_expect(eq(i64, stat_of("bytes"), 0));
    cr_expect(eq(
        i64, redis_fixture_ask_int(&rig.redis, "ZCARD", "hoist:{default}:done", NULL),
        1));
}

static bool head_was_asked(void *ctx)
{
    return s3_faulty_count(rig.s3, "HEAD") >= *(int *)ctx;
}

Test(worker_reconcile, files_stay_while_the_store_cannot_tell)
{
    int heads = 2;

    rig_up_s3(&rig, EVERY_SECOND);
    struct job_id id = done_with_files("kept", "s3");
    for (int i = 0; i < heads; i++)
        s3_faulty_push(rig.s3,
                       (struct s3_fault){.kind = S3_FAULT_STATUS, .status = 503});
    rig_start(&rig, "a");
    cr_assert(wait_until(head_was_asked, &heads, 10000));
    cr_expect(rig_in_spool(&rig, &id), "not yet");
    cr_assert(rig_wait_unspooled(&rig, &id, 10000), "it could be told in the end");
    cr_expect(eq(int, s3_faulty_count(rig.s3, "PUT"), 1), "nothing was put again");
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "state"), "done"));
}

/* --- By hand --- */

/* Run it to its end; its exit status.  What it wrote is in ret_text. */
static int by_hand(bool dry_run, char ret_text[static 8192])
{
    struct tmpdir_file log = tmpdir_write(&rig.dir, "by-hand", "", 0);
    const char *argv[] = {HOIST_WORKER_BIN,
                          "--config",
                          rig.config.path,
                          "--reconcile",
                          dry_run ? "--dry-run" : NULL,
                          NULL};
    struct spawn s;
    int status = 0;

    spawn_start(&s, &(struct spawn_options){.argv = argv, .log_path = log.path});
    bool ended = spawn_wait(&s, 10000, &status);
    spawn_kill(&s);
    cr_assert(ended);
    FILE *f = fopen(log.path, "re");
    cr_assert(f != NULL);
    ret_text[fread(ret_text, 1, 8191, f)] = '\0';
    fclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_line(const char *text, const char *verb, const struct job_id *id,
                        const char *rest)
{
    char want[256];

    (void)snprintf(want, sizeof want, "%s %s.%s%s\n", verb, id->queue, id->uuid.text,
                   rest);
    cr_expect(strstr(text, want) != NULL, "'%s' in\n%s", want, text);
}

/* A digest of all that Redis holds, and of what stands in the spool. */
static void digest(char ret_text[static 4096])
{
    char *redis = redis_fixture_ask(
        &rig.redis, "EVAL",
        "local keys, all = redis.call('KEYS', '*'), ''\n"
        "table.sort(keys)\n"
        "for _, k in ipairs(keys) do all = all .. k .. redis.call('DUMP', k) end\n"
        "return redis.sha1hex(all)",
        "0", NULL);
    char command[1024];

    (void)snprintf(command, sizeof command,
                   "cd '%s' && ls -lR --time-style=full-iso && cat jobs/* | sha256sum",
                   rig.spool_dir.path);
    size_t n = (size_t)snprintf(ret_text, 4096, "%s\n", redis);
    FILE *f = popen(command, "r");
    cr_assert(f != NULL);
    n += fread(ret_text + n, 1, 4095 - n, f);
    ret_text[n] = '\0';
    cr_assert(eq(int, pclose(f), 0));
    free(redis);
}

struct mess {
    struct job_id there, gone, unknown, damaged; /* one of each */
};

static struct mess make_mess(void)
{
    struct mess m = {.there = done_files_aside("there", NULL)};
    struct rig_job quiet = {.data = "quiet", .not_enqueued = true};
    char path[512];

    m.gone = done_files_aside("gone", NULL);
    bring_back(&m.there);
    bring_back(&m.gone);
    remove_object(&m.gone);
    m.unknown = rig_put(&rig, &quiet);
    m.damaged = rig_put(&rig, &quiet);
    (void)snprintf(path, sizeof path, "%s/jobs/default.%s.json", rig.spool_dir.path,
                   m.damaged.uuid.text);
    cr_assert(eq(int, truncate(path, 10), 0));
    (void)snprintf(path, sizeof path, "%s/tmp/x.data", rig.spool_dir.path);
    FILE *f = fopen(path, "we");
    cr_assert(f && fclose(f) == 0);
    struct timespec old[2] = {{.tv_sec = 1600000000}, {.tv_sec = 1600000000}};
    cr_assert(eq(int, utimensat(AT_FDCWD, path, old, 0), 0));
    return m;
}

static bool is_old_enough(void *ctx)
{
    (void)ctx;
    char text[8192];

    (void)by_hand(true, text);
    return strstr(text, "enqueue ") && strstr(text, "damaged ");
}

Test(worker_reconcile, by_hand_each_step_is_told_and_a_dry_run_changes_nothing)
{
    char before[4096], after[4096], text[8192];

    rig_up(&rig, NULL);
    struct mess m = make_mess();
    cr_assert(wait_until(is_old_enough, NULL, 10000), "manifests older than 2 s");
    for (int wet = 0; wet < 2; wet++) {
        digest(before);
        cr_expect(eq(int, by_hand(wet == 0, text), 2), "one is damaged");
        digest(after);
        expect_line(text, "enqueue", &m.unknown, "");
        expect_line(text, "look", &m.there, ": there");
        expect_line(text, "remove", &m.there, "");
        expect_line(text, "again", &m.gone, "");
        cr_expect(strstr(text, "sweep tmp/x.data\n") != NULL, "%s", text);
        cr_expect(strstr(text, "damaged default.") != NULL, "%s", text);
        cr_expect(strstr(text, "scanned 4, enqueued 1, removed 1, again 1, swept 1, "
                               "damaged 1, left 0\n") != NULL,
                  "%s", text);
        cr_expect(eq(int, strcmp(before, after) == 0, wet == 0), "%s%s", before, after);
    }
    cr_expect(not(rig_in_spool(&rig, &m.there)));
    cr_expect(eq(str, (char *)rig_field(&rig, &m.gone, "state"), "waiting"));
    cr_expect(eq(str, (char *)rig_field(&rig, &m.unknown, "state"), "waiting"));
    cr_expect(eq(int, by_hand(false, text), 2));
    cr_expect(strstr(text, "enqueued 0, removed 0, again 0, swept 0, damaged 1") !=
                  NULL,
              "%s", text);
}

/* By hand it is met, which takes until it is 2 s old: what is said of it. */
static void expect_met(bool dry_run, const struct job_id *id, const char *want)
{
    char text[8192] = "";
    bool met = WAIT_UNTIL((by_hand(dry_run, text), strstr(text, id->uuid.text)), 10000);

    cr_assert(met, "%s", text);
    cr_expect(strstr(text, want) != NULL, "'%s' in\n%s", want, text);
}

/* A disk that is missing says nothing of the objects on it. */
Test(worker_reconcile, by_hand_no_destination_is_made_to_look_into)
{
    char aside[512];

    rig_up(&rig, NULL);
    struct job_id id = done_with_files("hello", "default");
    (void)snprintf(aside, sizeof aside, "%s/aside", rig.dir.path);
    cr_assert(eq(int, rename(rig.objects.path, aside), 0));
    for (int wet = 0; wet < 2; wet++) {
        expect_met(wet == 0, &id, ": cannot tell: ");
        cr_expect(access(rig.objects.path, F_OK) < 0, "it was not made");
        cr_expect(rig_in_spool(&rig, &id));
    }
    cr_assert(eq(int, rename(aside, rig.objects.path), 0));
    expect_met(false, &id, ": there\n");
    cr_expect(not(rig_in_spool(&rig, &id)));
}

Test(worker_reconcile, by_hand_without_redis_it_fails_and_says_so)
{
    char text[8192];

    rig_up(&rig, NULL);
    redis_fixture_stop(&rig.redis);
    cr_expect(eq(int, by_hand(false, text), 1));
    cr_expect(strstr(text, "redis") != NULL, "%s", text);
    redis_fixture_start(&rig.redis);
}

Test(worker_reconcile, by_hand_a_list_that_was_not_written_is_no_success)
{
    const char *argv[] = {HOIST_WORKER_BIN, "--config", NULL, "--reconcile", NULL};
    struct spawn s;
    int status = 0;

    rig_up(&rig, NULL);
    argv[2] = rig.config.path;
    spawn_start(&s, &(struct spawn_options){.argv = argv, .log_path = "/dev/full"});
    cr_assert(spawn_wait(&s, 10000, &status));
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    cr_expect(eq(int, code, 1));
}

/* --- Several workers, no leader --- */

enum { JOBS = 600, WORKERS = 3 };

static int64_t done_jobs(void)
{
    return stat_of("done");
}

static bool are_all_done(void *ctx)
{
    struct job_id *ids = ctx;

    for (int i = 0; i < JOBS; i++)
        if (rig_in_spool(&rig, &ids[i]))
            return false;
    return true;
}

Test(worker_reconcile, three_workers_bring_back_all_jobs_after_flushall_under_load)
{
    static struct job_id ids[JOBS];
    char text[32];

    rig_up(&rig, "concurrency = 8\n" EVERY_SECOND);
    for (int i = 0; i < WORKERS; i++)
        rig_start(&rig, (const char *[]){"a", "b", "c"}[i]);
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(text, sizeof text, "job %d", i);
        ids[i] =
            rig_put(&rig, &(struct rig_job){.data = text, .not_enqueued = i > 400});
        if (i == 300)
            free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    }
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    cr_assert(wait_until(are_all_done, ids, 20000), "%d done", (int)done_jobs());
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(text, sizeof text, "job %d", i);
        cr_expect(rig_object_is(&rig, &ids[i], text), "%d", i);
    }
    cr_expect(eq(i64, stat_of("enqueued"), stat_of("done")),
              "each that came back was done once");
    cr_expect(eq(i64, stat_of("bytes"), 0));
    cr_expect(WAIT_UNTIL(
        redis_fixture_ask_int(&rig.redis, "HLEN", "hoist:{default}:owner", NULL) == 2,
        5000)); /* what it is, and the minute that was noted */
    cr_expect(stat_of("done") <= JOBS);
    cr_expect(stat_of("done") >= JOBS - 401, "those that only the spool knew");
    cr_expect(eq(
        i64, redis_fixture_ask_int(&rig.redis, "ZCARD", "hoist:{default}:dead", NULL),
        0));
}
