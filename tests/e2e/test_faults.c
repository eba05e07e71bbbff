/* What dies, and what must not be lost by it. */
#include "tests/e2e/steps.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct system s;

static void up(void)
{
    system_up(&s, &(struct system_options){.conf = "[spool]\nreconcile_seconds = 1\n"
                                                   "[worker]\nlease_ms = 2000\n",
                                           .workers = 2});
}

static void down(void)
{
    system_down(&s);
}

TestSuite(faults, .init = up, .fini = down, .timeout = 120);

/* With Redis dead nothing can have been pushed: what is left of the upload is its spool files. */
Test(faults, a_responder_killed_between_commit_and_push_loses_nothing)
{
    char path[256], id[JOB_ID_SIZE];

    system_make_file(&s, "f.bin", 100000, 1, path);
    system_kill(&s, "redis");
    upload_form(&s, path, "f.bin", id); /* asserts 202 */
    system_kill(&s, "fcgi");
    system_again(&s);
    system_wait_state(&s, id, "done", 20000);
    assert_object_is(&s, id, path);
    assert_spool_empty(&s);
}

Test(faults, uploads_are_taken_while_redis_is_hung)
{
    char path[256], id[JOB_ID_SIZE];
    pid_t redis = system_pid(&s, "redis");

    system_make_file(&s, "f.bin", 100000, 2, path);
    cr_assert_eq(kill(redis, SIGSTOP), 0);
    upload_form(&s, path, "f.bin", id); /* asserts 202 */
    cr_assert_eq(kill(redis, SIGCONT), 0);
    system_wait_state(&s, id, "done", 20000);
    assert_object_is(&s, id, path);
    assert_spool_empty(&s);
}

Test(faults, uploads_are_taken_while_redis_is_dead_and_arrive_when_it_is_back)
{
    enum { COUNT = 20 };
    static char path[COUNT][256], id[COUNT][JOB_ID_SIZE];

    system_kill(&s, "redis");
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "f%d", i);
        system_make_file(&s, name, 1000 + (size_t)i, (unsigned)i, path[i]);
        upload_form(&s, path[i], name, id[i]);
    }
    system_again(&s);
    for (int i = 0; i < COUNT; i++) {
        system_wait_state(&s, id[i], "done", 20000);
        assert_object_is(&s, id[i], path[i]);
    }
    assert_spool_empty(&s);
}

/* What a file system may leave of a write that it had begun. */
static void spoil_append_only_file(void)
{
    char command[600], out[64];

    (void)snprintf(
        command, sizeof command,
        "head -c 2290 /dev/zero >>\"$(ls %s/redis/appendonlydir/*.incr.aof)\" "
        "&& echo spoilt",
        s.state);
    FILE *shell = popen(command, "r");
    cr_assert(shell && fgets(out, sizeof out, shell) && strcmp(out, "spoilt\n") == 0);
    cr_assert_eq(pclose(shell), 0);
}

Test(faults, an_append_only_file_that_ends_in_zeros_is_mended)
{
    char path[2][256], id[2][JOB_ID_SIZE];

    system_make_file(&s, "f0", 1000, 1, path[0]);
    upload_form(&s, path[0], "f0", id[0]);
    system_wait_state(&s, id[0], "done", 20000);
    system_kill(&s, "redis");
    spoil_append_only_file();
    system_make_file(&s, "f1", 1000, 2, path[1]);
    upload_form(&s, path[1], "f1", id[1]);
    system_again(&s);
    system_wait_state(&s, id[0], "done", 1000);
    system_wait_state(&s, id[1], "done", 20000);
    assert_object_is(&s, id[1], path[1]);
}

Test(faults, flushall_loses_no_upload)
{
    enum { COUNT = 20 };
    static char path[COUNT][256], id[COUNT][JOB_ID_SIZE];
    char out[256];

    for (int i = 0; i < COUNT; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "f%d", i);
        system_make_file(&s, name, 200000, (unsigned)i, path[i]);
        upload_raw(&s, "PUT", "/v1/uploads/x?delay=2", path[i], false, id[i]);
    }
    cr_assert(
        WAIT_UNTIL((system_redis(&s, out, sizeof out, "ZCARD 'hoist:{default}:later'"),
                    strcmp(out, "20") == 0),
                   5000),
        "%s", out);
    system_redis(&s, out, sizeof out, "FLUSHALL");
    for (int i = 0; i < COUNT; i++) {
        system_wait_state(&s, id[i], "done", 30000);
        assert_object_is(&s, id[i], path[i]);
    }
    assert_spool_empty(&s);
}

Test(faults, up_again_starts_what_died_and_leaves_the_rest_alone)
{
    static const char *const names[] = {"redis", "web", "fcgi", "worker-1", "worker-2"};
    char path[256], id[JOB_ID_SIZE];

    for (size_t dead = 0; dead < 5; dead++) {
        pid_t before[5];
        for (size_t i = 0; i < 5; i++)
            before[i] = system_pid(&s, names[i]);
        system_kill(&s, names[dead]);
        system_again(&s);
        for (size_t i = 0; i < 5; i++)
            cr_expect_eq(system_pid(&s, names[i]) == before[i], i != dead,
                         "%s after %s died", names[i], names[dead]);
        system_make_file(&s, "f.bin", 5000, (unsigned)dead, path);
        upload_form(&s, path, "f.bin", id);
        system_wait_state(&s, id, "done", 20000);
    }
}
