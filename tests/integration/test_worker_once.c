/* hoist-worker --once: works off what is ready, shows it, and ends.  hoist-worker --top: shows queues and workers. */
#include "tests/integration/worker_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

enum { END_MS = 30000, BIG = 4 * 1024 * 1024 };

static struct worker_rig rig;

static void fini(void)
{
    rig_down(&rig);
}

TestSuite(worker_once, .fini = fini, .timeout = 120);

/* Its output and log are in one file. */
static struct spawn *start(const char *mode)
{
    struct spawn *w = &rig.workers[rig.worker_count++];
    struct tmpdir_file log = tmpdir_file(&rig.dir, "once.log");
    const char *argv[] = {HOIST_WORKER_BIN, "--config", rig.config.path, mode, NULL};

    spawn_start(w, &(struct spawn_options){.argv = argv, .log_path = log.path});
    return w;
}

static struct spawn *start_once(void)
{
    return start("--once");
}

/* The same with a terminal of its own, whose keys come from this descriptor. */
static struct spawn *start_on_terminal(const char *mode, int keys)
{
    struct spawn *w = &rig.workers[rig.worker_count++];
    struct tmpdir_file log = tmpdir_file(&rig.dir, "once.log");
    char command[1024];

    (void)snprintf(command, sizeof command, "'%s' --config '%s' %s", HOIST_WORKER_BIN,
                   rig.config.path, mode);
    const char *argv[] = {"script", "-qec", command, "/dev/null", NULL};
    spawn_start(w, &(struct spawn_options){
                       .argv = argv, .log_path = log.path, .stdin_fd = keys});
    return w;
}

static int end_of(struct spawn *w)
{
    int status = -1;

    if (!spawn_wait(w, END_MS, &status))
        spawn_show_log(w);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(worker_once, all_that_is_ready_is_uploaded_then_it_ends)
{
    rig_up(&rig, NULL);
    for (int i = 0; i < 20; i++)
        (void)rig_put(&rig, &(struct rig_job){.data = "some bytes"});
    struct job_id last = rig_put(&rig, &(struct rig_job){.data = "the last"});

    struct spawn *w = start_once();
    cr_expect(eq(int, end_of(w), 0));
    cr_expect(rig_object_is(&rig, &last, "the last"));
    cr_expect(eq(str, (char *)rig_field(&rig, &last, "state"), "done"));
    cr_expect(eq(int, rig_log_count(w, "done       default."), 21));
    cr_expect(eq(int, rig_log_count(w, "8 B"), 1));
    cr_expect(eq(int, rig_log_count(w, "21 done\n"), 1));
    cr_expect(eq(int, rig_log_count(w, "\033["), 0)); /* this is no terminal */
}

Test(worker_once, with_nothing_to_do_it_ends_at_once)
{
    rig_up(&rig, NULL);
    struct spawn *w = start_once();
    cr_expect(eq(int, end_of(w), 0));
    cr_expect(eq(int, rig_log_count(w, "0 done\n"), 1));
}

Test(worker_once, what_is_due_later_is_left_in_the_queue)
{
    rig_up(&rig, NULL);
    struct job_id later =
        rig_put(&rig, &(struct rig_job){.data = "later", .delay_ms = 3600 * 1000});
    struct spawn *w = start_once();
    cr_expect(eq(int, end_of(w), 0));
    cr_expect(eq(str, (char *)rig_field(&rig, &later, "state"), "scheduled"));
}

Test(worker_once, a_job_that_dies_is_told_and_is_the_status)
{
    rig_up(&rig, NULL);
    struct job_id id = rig_put(
        &rig, &(struct rig_job){.data = "bytes", .to = "nowhere", .max_attempts = 1});
    struct spawn *w = start_once();
    cr_expect(eq(int, end_of(w), 2));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "state"), "dead"));
    cr_expect(eq(int, rig_log_count(w, "dead       default."), 1));
    cr_expect(eq(int, rig_log_count(w, "0 done, 1 dead\n"), 1));
}

Test(worker_once, one_that_is_to_be_quiet_ends_with_what_it_runs)
{
    rig_up_s3(
        &rig,
        "concurrency = 1\nlease_ms = 30000\nid = once\n[queue default]\nto = s3\n");
    s3_faulty_close_gate(rig.s3);
    for (int i = 0; i < 3; i++)
        (void)rig_put(&rig, &(struct rig_job){.data = "some bytes", .to = "s3"});
    struct spawn *w = start_once();
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 10000));
    free(
        redis_fixture_ask(&rig.redis, "HSET", "hoist:worker:once", "quiet", "1", NULL));
    cr_assert(WAIT_UNTIL(rig_log_count(w, "quiet: begins no more") == 1, 10000));
    s3_faulty_open_gate(rig.s3);
    cr_expect(eq(int, end_of(w), 0));
    cr_expect(eq(int, rig_log_count(w, "1 done\n"), 1));
    cr_expect(eq(
        i64, redis_fixture_ask_int(&rig.redis, "ZCARD", "hoist:{default}:ready", NULL),
        2));
}

Test(worker_once, on_a_terminal_there_are_bars)
{
    rig_up_s3(&rig, NULL);
    s3_faulty_push(rig.s3,
                   (struct s3_fault){.kind = S3_FAULT_GATE_IN_BODY, .bytes = BIG / 2});
    s3_faulty_close_gate(rig.s3);
    (void)rig_put(&rig, &(struct rig_job){.size = BIG, .to = "s3"});
    struct spawn *w = start_on_terminal("--once", 0);
    bool drawn = WAIT_UNTIL(rig_log_count(w, "of 4.0 MiB") > 1, END_MS);
    s3_faulty_open_gate(rig.s3);
    cr_expect(drawn);
    cr_expect(eq(int, end_of(w), 0));
    cr_expect(gt(int, rig_log_count(w, "uploading   ["), 0));
    cr_expect(gt(int, rig_log_count(w, "\033[1A\033[J"), 0));
    cr_expect(eq(int, rig_log_count(w, "done       default."), 1));
    cr_expect(eq(int, rig_log_count(w, "level=info"), 0));
}

/* --- top --- */

/* A worker that says that it uploads a file, and whose name would clear the screen. */
static void pretend_worker(void)
{
    static const char jobs[] = "default.01901b2c-3d4e-7f00-8a1b-2c3d4e5f6a7b - - "
                               "uploading 100 25 0 0 0 1764453423000 a name\n";

    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:workers", "1764453423123",
                           "else\033[2Jwhere", NULL));
    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:worker:else\033[2Jwhere", "seen",
                           "1764453423123", "slots", "7", "running", "1", "jobs", jobs,
                           NULL));
}

Test(worker_once, top_without_a_terminal_is_one_picture)
{
    rig_up(&rig, NULL);
    (void)rig_put(&rig, &(struct rig_job){.data = "waits"});
    pretend_worker();
    struct spawn *w = start("--top");
    cr_expect(eq(int, end_of(w), 0));
    cr_expect(
        eq(int,
           rig_log_count(w, "1 waiting, 0 running, 0 dead   1 worker, 1 of 7 slots\n"),
           1));
    cr_expect(eq(
        int, rig_log_count(w, "\ndefault               1        0      0      0"), 1));
    cr_expect(eq(int, rig_log_count(w, "\nelse?[2Jwhere "), 1));
    cr_expect(
        eq(int, rig_log_count(w, "a name                    uploading   [######"), 1));
    cr_expect(eq(int, rig_log_count(w, "\033"), 0));
}

Test(worker_once, top_without_redis_says_so)
{
    rig_up(&rig, NULL);
    redis_fixture_kill(&rig.redis);
    struct spawn *w = start("--top");
    cr_expect(eq(int, end_of(w), 1));
    cr_expect(eq(int, rig_log_count(w, "level=error at=main"), 1));
}

Test(worker_once, top_on_a_terminal_is_drawn_anew_until_q_and_leaves_it_as_it_was)
{
    int keys[2];

    rig_up(&rig, NULL);
    cr_assert(eq(int, pipe2(keys, O_CLOEXEC), 0));
    struct spawn *w = start_on_terminal("--top", keys[0]);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "0 waiting") > 0, END_MS));
    (void)rig_put(&rig, &(struct rig_job){.data = "waits"});
    cr_assert(eq(int, (int)write(keys[1], " ", 1), 1), "a key looks at once");
    cr_assert(WAIT_UNTIL(rig_log_count(w, "1 waiting") > 0, END_MS));
    cr_assert(eq(int, (int)write(keys[1], "q", 1), 1));
    cr_expect(eq(int, end_of(w), 0));
    cr_expect(eq(int, rig_log_count(w, "\033[?1049h\033[?25l"), 1));
    cr_expect(eq(int, rig_log_count(w, "\033[?25h\033[?1049l"), 1));
    (void)close(keys[0]);
    (void)close(keys[1]);
}
