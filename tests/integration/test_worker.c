/* The life of a job in hoist-worker, as it ships: with a real Redis, into file:. */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

static struct worker_rig rig;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(worker, .fini = down, .timeout = 120);

Test(worker, a_job_arrives_and_its_spool_files_go)
{
    rig_up(&rig, NULL);
    rig_start(&rig, "a");
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "hello"});

    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_expect(rig_wait_unspooled(&rig, &id, 2000));
    cr_expect(rig_object_is(&rig, &id, "hello"));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "attempts"), "1"));
}

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* The line of this job with this word; a static buffer. */
static const char *line_of(struct spawn *w, const struct job_id *id, const char *word)
{
    static char line[4096];
    FILE *f = fopen(w->log_path, "re");

    while (f && fgets(line, sizeof line, f))
        if (strstr(line, id->uuid.text) && strstr(line, word)) {
            (void)fclose(f);
            return line;
        }
    if (f)
        (void)fclose(f);
    return "";
}

Test(worker, each_line_about_a_job_says_which_request_made_it)
{
    static const char *const says[] = {"msg=failed", "msg=dead"};
    const char *request = " request=abc-1 traceparent=" PARENT;

    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");
    struct rig_job job = {
        .data = "hello", .request_id = "abc-1", .traceparent = PARENT};
    struct job_id good = rig_put(&rig, &job);
    job.to = "nowhere";
    job.max_attempts = 2;
    struct job_id bad = rig_put(&rig, &job);
    struct job_id plain = rig_put(&rig, &(struct rig_job){.data = "hello"});
    cr_assert(WAIT_UNTIL(*line_of(w, &bad, "msg=dead"), 10000));
    cr_assert(WAIT_UNTIL(*line_of(w, &good, "msg=done"), 10000));
    cr_assert(WAIT_UNTIL(*line_of(w, &plain, "msg=done"), 10000));
    cr_expect(strstr(line_of(w, &good, "msg=started"), request) != NULL);
    cr_expect(strstr(line_of(w, &good, "msg=done"), request) != NULL);
    cr_expect(strstr(line_of(w, &plain, "msg=done"), "request=") == NULL);
    cr_expect(strstr(line_of(w, &plain, "msg=done"), "traceparent=") == NULL);
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
        cr_expect(strstr(line_of(w, &bad, says[i]), request) != NULL, "%s", says[i]);
}

Test(worker, a_job_that_was_there_before_the_worker_is_done)
{
    rig_up(&rig, NULL);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "early"});

    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
}

Test(worker, five_hundred_jobs_are_done_with_64_at_a_time)
{
    enum { COUNT = 500 };
    struct job_id ids[COUNT];
    char text[32];

    rig_up(&rig, "concurrency = 64\n");
    rig_start(&rig, "a");
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof text, "job %d", i);
        ids[i] = rig_put(&rig, &(struct rig_job){.data = text});
    }
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof text, "job %d", i);
        cr_assert(rig_wait_state(&rig, &ids[i], "done", 20000));
        cr_assert(rig_object_is(&rig, &ids[i], text));
        cr_assert(rig_wait_unspooled(&rig, &ids[i], 2000));
    }
    for (int i = 0; i < COUNT; i++)
        cr_expect(not(rig_is_leased(&rig, &ids[i])));
}

Test(worker, a_delayed_job_waits_for_its_time)
{
    rig_up(&rig, NULL);
    rig_start(&rig, "a");
    int64_t begin = wait_now_ms();
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "late", .delay_ms = 700});

    cr_expect(eq(str, (char *)rig_field(&rig, &id, "state"), "scheduled"));
    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    int64_t took = wait_now_ms() - begin;
    cr_expect(took >= 690, "done after %d ms", (int)took);
    cr_expect(took < 1500, "done after %d ms", (int)took);
}

Test(worker, an_object_that_is_there_with_the_same_bytes_is_a_success)
{
    rig_up(&rig, "concurrency = 1\n");
    struct job_id first =
        rig_put(&rig, &(struct rig_job){.data = "same", .key = "k/1"});
    struct job_id second =
        rig_put(&rig, &(struct rig_job){.data = "same", .key = "k/1"});
    struct job_id other =
        rig_put(&rig, &(struct rig_job){.data = "diff", .key = "k/1"});

    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &first, "done", 5000));
    cr_assert(rig_wait_state(&rig, &second, "done", 5000));
    cr_assert(rig_wait_state(&rig, &other, "dead", 5000));
    cr_expect(eq(str, (char *)rig_field(&rig, &other, "error"),
                 "key exists with other content"));
    cr_expect(rig_in_spool(&rig, &other), "the bytes of a dead job are kept");
}

Test(worker, a_spool_file_that_is_missing_makes_the_job_dead)
{
    char path[512];

    rig_up(&rig, NULL);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "gone"});
    (void)snprintf(path, sizeof path, "%s/jobs/default.%s.data", rig.spool_dir.path,
                   id.uuid.text);
    cr_assert(eq(int, remove(path), 0));
    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "dead", 5000));
    cr_expect(strstr(rig_field(&rig, &id, "error"), "spool missing") != NULL);
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "attempts"), "1"), "at once");
}

static void damage(const char *path)
{
    FILE *f = fopen(path, "r+");

    cr_assert(f != NULL);
    cr_assert(fputc('X', f) != EOF);
    cr_assert(eq(int, fclose(f), 0));
}

Test(worker, a_spool_file_that_was_changed_never_becomes_an_object)
{
    char path[512];

    rig_up(&rig, NULL);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "whole"});
    (void)snprintf(path, sizeof path, "%s/jobs/default.%s.data", rig.spool_dir.path,
                   id.uuid.text);
    damage(path);
    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "dead", 5000));
    cr_expect(strstr(rig_field(&rig, &id, "error"), "spool corrupt") != NULL);
    (void)snprintf(path, sizeof path, "%s/%s", rig.objects.path, id.uuid.text);
    cr_expect(ne(int, access(path, F_OK), 0));
}

Test(worker, a_record_edited_by_hand_is_dead_with_the_reason_and_the_worker_goes_on)
{
    static const struct {
        const char *field, *value;
    } edits[] = {{"bytes", "-5"},  {"attempts", "many"}, {"key", "../../etc/passwd"},
                 {"sha256", "zz"}, {"priority", "77"},   {"source", "/etc/passwd"},
                 {"to", "../x"},   {"created", "soon"}};
    enum { COUNT = sizeof edits / sizeof edits[0] };
    struct job_id ids[COUNT];
    char key[128];

    rig_up(&rig, NULL);
    for (size_t i = 0; i < COUNT; i++) {
        ids[i] = rig_put(&rig, &(struct rig_job){.data = "edited"});
        (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", ids[i].uuid.text);
        free(redis_fixture_ask(&rig.redis, "HSET", key, edits[i].field, edits[i].value,
                               NULL));
    }
    rig_start(&rig, "a");
    for (size_t i = 0; i < COUNT; i++) {
        cr_expect(rig_wait_state(&rig, &ids[i], "dead", 5000), "%s", edits[i].field);
        cr_expect(rig_field(&rig, &ids[i], "error")[0] != '\0', "%s", edits[i].field);
        cr_expect(rig_in_spool(&rig, &ids[i]), "%s", edits[i].field);
    }
    struct job_id fine = rig_put(&rig, &(struct rig_job){.data = "fine"});
    cr_expect(rig_wait_state(&rig, &fine, "done", 5000));
}

Test(worker, a_record_of_a_newer_version_is_left_to_newer_workers)
{
    char key[128];

    rig_up(&rig, NULL);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "tomorrow's"});
    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", id.uuid.text);
    free(redis_fixture_ask(&rig.redis, "HSET", key, "v", "99", NULL));
    rig_start(&rig, "a");
    cr_expect(rig_wait_state(&rig, &id, "scheduled", 5000), "released with a delay");
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 0));
    cr_expect(rig_in_spool(&rig, &id));
}

Test(worker, a_job_whose_record_is_gone_leaves_the_queue)
{
    char key[128];

    rig_up(&rig, NULL);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "deleted"});
    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", id.uuid.text);
    free(redis_fixture_ask(&rig.redis, "DEL", key, NULL));
    struct spawn *w = rig_start(&rig, "a");
    cr_expect(WAIT_UNTIL(rig_log_count(w, "its record was deleted") == 1, 5000));
    cr_expect(not(rig_is_leased(&rig, &id)));
}

Test(worker, a_destination_nobody_configured_is_tried_again_and_then_dead)
{
    rig_up(&rig, NULL);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "x", .to = "nowhere"});

    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "dead", 10000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "attempts"), "3"));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "error_class"), "config"));
}

Test(worker, queues_are_served_in_the_order_given)
{
    struct job_id slow[5], fast[5];

    rig_up(&rig, "concurrency = 1\nqueues = fast, default\n[queue fast]\n");
    for (int i = 0; i < 5; i++)
        slow[i] = rig_put(&rig, &(struct rig_job){.data = "slow"});
    for (int i = 0; i < 5; i++)
        fast[i] = rig_put(&rig, &(struct rig_job){.data = "fast", .queue = "fast"});
    rig_start(&rig, "a");
    for (int i = 0; i < 5; i++)
        cr_assert(rig_wait_state(&rig, &slow[i], "done", 5000));
    long long last_fast = 0, first_slow = 0;
    for (int i = 0; i < 5; i++) {
        long long ended = atoll(rig_field(&rig, &fast[i], "started"));
        last_fast = ended > last_fast ? ended : last_fast;
    }
    first_slow = atoll(rig_field(&rig, &slow[0], "started"));
    cr_expect(last_fast > 0 && last_fast <= first_slow);
}

Test(worker, a_job_that_never_reached_redis_is_found_by_reconcile)
{
    rig_up(&rig, "[spool]\nreconcile_seconds = 1\n");
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "lost push", .not_enqueued = true});

    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "done", 8000));
    cr_expect(rig_object_is(&rig, &id, "lost push"));
}

Test(worker, an_idle_worker_sends_less_than_a_command_a_second)
{
    rig_up(&rig, "lease_ms = 10000\n");
    struct spawn *w = rig_start(&rig, "a");
    /* MONITOR shows what comes over the wire and, marked lua, what scripts call. */
    struct tmpdir_file log = tmpdir_file(&rig.dir, "monitor.log");
    struct spawn monitor;
    const char *argv[] = {"redis-cli", "-s", rig.redis.socket.path, "MONITOR", NULL};
    spawn_start(&monitor, &(struct spawn_options){.argv = argv, .log_path = log.path});
    cr_assert(WAIT_UNTIL(rig_log_count(&monitor, "OK") > 0, 2000));
    enum { SECONDS = 12 };
    cr_assert(WAIT_STAYS(spawn_is_running(w), SECONDS * 1000), "the worker died");
    int all = rig_log_count(&monitor, "\n"), lua = rig_log_count(&monitor, " lua] ");
    fprintf(stderr, "idle: %d commands in %d s\n", all - lua - 1, SECONDS);
    cr_expect(lt(int, all - lua - 1, SECONDS));
    cr_expect(all - lua - 1 > 1, "the counting works");

    spawn_kill(&monitor);
}

Test(worker, a_job_that_arrives_at_an_idle_worker_starts_at_once)
{
    enum { COUNT = 20 };
    long long best = 1000;

    rig_up(&rig, NULL);
    rig_start(&rig, "a");
    for (int i = 0; i < COUNT; i++) {
        struct job_id id = rig_put(&rig, &(struct rig_job){.data = "wake up"});
        cr_assert(rig_wait_state(&rig, &id, "done", 5000));
        /* created is taken before the spool commit, started is Redis' clock. */
        long long created = atoll(rig_field(&rig, &id, "created"));
        long long took = atoll(rig_field(&rig, &id, "started")) - created;
        best = took < best ? took : best;
    }
    fprintf(stderr, "idle: started %lld ms after the upload began, at best of %d\n",
            best, COUNT);
    cr_expect(lt(llong, best, 500), "woken, not found by a look every second");
}

Test(worker, options_and_bad_settings)
{
    static const struct {
        const char *option, *settings;
        int status;
        const char *says;
    } rows[] = {{"--check", NULL, 0, ""},
                {"--show-config", NULL, 0, "concurrency = "},
                {"--version", NULL, 0, "hoist-worker "},
                {"--help", NULL, 0, "usage: "},
                {"--nonsense", NULL, 2, "usage: "},
                {"--check", "queues = nobody\n", 1, "there is no [queue nobody]"},
                {"--check", "speed = 9\n", 1, "speed"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct spawn s;
        int status = 0;
        rig_up(&rig, rows[i].settings);
        struct tmpdir_file log = tmpdir_file(&rig.dir, "out.log");
        const char *argv[] = {HOIST_WORKER_BIN, "--config", rig.config.path,
                              rows[i].option, NULL};
        spawn_start(&s, &(struct spawn_options){.argv = argv, .log_path = log.path});
        cr_assert(spawn_wait(&s, 5000, &status));
        cr_expect(eq(int, WEXITSTATUS(status), rows[i].status), "%s", rows[i].option);
        cr_expect(rows[i].says[0] == '\0' || rig_log_count(&s, rows[i].says) > 0,
                  "%s: '%s'", rows[i].option, rows[i].says);
        if (i + 1 < sizeof rows / sizeof rows[0])
            rig_down(&rig);
    }
}
