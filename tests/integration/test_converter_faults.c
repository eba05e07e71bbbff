/* Converters that misbehave, in hoist-worker as it ships: each is a failure with its reason, and nothing is left of it. */
#include "tests/integration/converter_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

static struct worker_rig rig;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(converter_faults, .fini = down, .timeout = 120);

/* --- how they end --- */

Test(converter_faults, a_status_other_than_0_is_a_failure_whatever_it_wrote)
{
    rig_up(&rig, "[converter bad]\nrun = sh -c 'cat; echo \"no image\" >&2; exit 3'\n"
                 "[converter cat]\nrun = cat\n"
                 "[converter late]\nrun = sh -c 'cat; echo half; exit 1'\n");
    rig_start(&rig, "a");
    struct job_id bad = converter_put(&rig, "x", "bad"),
                  first = converter_put(&rig, "x", "bad,cat,cat"),
                  last = converter_put(&rig, "x", "cat,cat,late");

    converter_expect_dead(&rig, &bad, "converter", "bad ended with status 3: no image");
    converter_expect_dead(&rig, &first, "converter",
                          "bad ended with status 3: no image");
    converter_expect_dead(&rig, &last, "converter", "late ended with status 1");
}

Test(converter_faults, a_failure_is_tried_again_as_the_queue_says)
{
    rig_up(&rig, "[converter bad]\nrun = false\n");
    rig_start(&rig, "a");
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "x", .convert = "bad"});

    converter_expect_dead(&rig, &id, "converter", "bad ended with status 1");
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 3));
}

Test(converter_faults, one_that_ends_with_0_and_wrote_nothing_is_a_failure)
{
    rig_up(&rig, "[converter none]\nrun = true\n[converter cat]\nrun = cat\n");
    rig_start(&rig, "a");
    struct job_id id = converter_put(&rig, "x", "none"),
                  two = converter_put(&rig, "x", "cat,none,cat");

    converter_expect_dead(&rig, &id, "converter",
                          "none ended with status 0 and wrote nothing");
    converter_expect_dead(&rig, &two, "converter",
                          "cat ended with status 0 and wrote nothing");
}

Test(converter_faults, a_signal_is_a_failure_but_for_the_pipe_of_one_that_has_enough)
{
    rig_up(&rig, "[converter dies]\nrun = sh -c 'echo half; kill -9 $$'\n"
                 "[converter pipe]\nrun = sh -c 'echo half; kill -PIPE $$'\n"
                 "[converter cat]\nrun = cat\n");
    rig_start(&rig, "a");
    struct job_id dies = converter_put(&rig, "x", "dies"),
                  early = converter_put(&rig, "x", "dies,cat"),
                  last = converter_put(&rig, "x", "cat,pipe"),
                  first = converter_put(&rig, "x", "pipe,cat");

    converter_expect_dead(&rig, &dies, "converter",
                          "dies was ended by signal 9 (Killed)");
    converter_expect_dead(&rig, &early, "converter",
                          "dies was ended by signal 9 (Killed)");
    converter_expect_dead(&rig, &last, "converter",
                          "pipe was ended by signal 13 (Broken pipe)");
    converter_expect(&rig, &first, "half\n"); /* it cannot be told who sent it */
}

Test(converter_faults, binary_on_standard_error_is_kept_as_harmless_text)
{
    char key[128];

    rig_up(
        &rig,
        "[converter loud]\nrun = sh -c 'echo first >&2; head -c 300000 /dev/urandom "
        ">&2; printf \"\\\\033[31m \\\\000\\\\377 two\\\\nlast\\\\n\" >&2; exit 1'\n");
    rig_start(&rig, "a");
    struct job_id id = converter_put(&rig, "x", "loud");

    converter_expect_dead(&rig, &id, "converter", "loud ended with status 1: ");
    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", id.uuid.text);
    char *error = redis_fixture_ask(&rig.redis, "HGET", key, "error", NULL);
    size_t len = strlen(error);
    cr_expect(len > 200 && len <= JOB_ERROR_MAX, "%zu", len);
    cr_expect(eq(ptr, strstr(error, "first"), NULL), "4 KiB are the most");
    cr_assert(len > 40);
    cr_expect(eq(str, error + len - 14, "[31m two; last"), "%s", error + len - 40);
    free(error);
}

Test(converter_faults, one_that_cannot_be_started_is_an_operators_business)
{
    rig_up(&rig, "[converter gone]\nrun = /nonexistent/program x\n"
                 "[converter cat]\nrun = cat\n"
                 "[converter dir]\nrun = /tmp\n");
    rig_start(&rig, "a");
    struct job_id gone = converter_put(&rig, "x", "gone"),
                  dir = converter_put(&rig, "x", "cat,dir,cat"),
                  none = converter_put(&rig, "x", "cat,none");

    converter_expect_dead(&rig, &gone, "config",
                          "gone: cannot run '/nonexistent/program': No such file");
    converter_expect_dead(&rig, &dir, "config", "dir: cannot run '/tmp': Permission");
    converter_expect_dead(&rig, &none, "config", "there is no [converter none]");
}

/* --- limits --- */

Test(converter_faults, one_that_hangs_is_ended_with_all_its_children)
{
    rig_up(&rig, "[converter hangs]\nrun = sh -c 'sleep 1000 & sleep 1000'\n"
                 "time_limit = 300ms\n"
                 "[converter mute]\nrun = sh -c 'echo x; exec >&-; sleep 1000'\n"
                 "time_limit = 300ms\n"
                 "[converter cat]\nrun = cat\n");
    rig_start(&rig, "a");
    struct job_id id = converter_put(&rig, "x", "hangs"),
                  first = converter_put(&rig, "x", "hangs,cat"),
                  mute = converter_put(&rig, "x", "cat,mute");

    converter_expect_dead(&rig, &id, "converter",
                          "hangs ran longer than its time_limit of 300 ms");
    converter_expect_dead(&rig, &first, "converter",
                          "hangs ran longer than its time_limit of 300 ms");
    converter_expect_dead(&rig, &mute, "converter",
                          "mute ran longer than its time_limit of 300 ms");
}

Test(converter_faults, what_it_leaves_behind_in_its_group_dies_with_it)
{
    rig_up(&rig, "[converter forks]\nrun = sh -c 'sleep 1000 & echo done'\n");
    rig_start(&rig, "a");
    struct job_id id = converter_put(&rig, "x", "forks");

    converter_expect(&rig, &id, "done\n");
    cr_expect(WAIT_UNTIL(converter_processes_of(&id) == 0, 2000));
}

Test(converter_faults, one_that_writes_without_end_is_ended)
{
    rig_up(&rig, "[converter endless]\nrun = cat /dev/zero\nmax_bytes = 10M\n"
                 "[converter fits]\nrun = head -c 1000 /dev/zero\nmax_bytes = 1000\n"
                 "[converter over]\nrun = head -c 1001 /dev/zero\nmax_bytes = 1000\n");
    rig_start(&rig, "a");
    struct job_id endless = converter_put(&rig, "x", "endless"),
                  fits = converter_put(&rig, "x", "fits"),
                  over = converter_put(&rig, "x", "over");

    converter_expect_dead(&rig, &endless, "converter",
                          "endless wrote more than its max_bytes, 10485760");
    converter_expect_dead(&rig, &over, "converter",
                          "over wrote more than its max_bytes, 1000");
    cr_assert(rig_wait_state(&rig, &fits, "done", 10000));
}

Test(converter_faults, memory_and_processor_time_have_an_end)
{
    rig_up(&rig,
           "[converter hog]\nmemory_max = 64M\n"
           "run = awk 'BEGIN { s = \"0123456789abcdef\"; while (1) s = s s }'\n"
           "[converter busy]\ncpu_limit = 1\nrun = sh -c 'while :; do :; done'\n");
    rig_start(&rig, "a");
    struct job_id hog = converter_put(&rig, "x", "hog"),
                  busy = converter_put(&rig, "x", "busy");

    converter_expect_dead(&rig, &busy, "converter",
                          "busy used more than its cpu_limit of 1 s");
    converter_expect_dead(&rig, &hog, "converter", "hog ");
}

/* --- the spool --- */

/* Change a byte of the job's file, and set its time back. */
static void damage(const struct job_id *id)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/jobs/%s.%s.data", rig.spool_dir.path,
                   id->queue, id->uuid.text);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert(fd >= 0, "%s", path);
    cr_assert(pwrite(fd, "X", 1, 1) == 1);
    (void)close(fd);
}

Test(converter_faults, a_spool_file_that_is_not_what_it_was_becomes_no_object)
{
    rig_up(&rig, "[converter cat]\nrun = cat\n[converter bad]\nrun = false\n");
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "hello", .convert = "cat"});
    struct job_id both =
        rig_put(&rig, &(struct rig_job){.data = "hello", .convert = "bad"});
    damage(&id);
    damage(&both);
    rig_start(&rig, "a");

    converter_expect_dead(&rig, &id, "never", "spool corrupt: its ");
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 1), "no retry mends it");
    converter_expect_dead(&rig, &both, "never", "spool corrupt: its ");
}

Test(converter_faults, a_spool_file_that_changes_while_it_is_read_becomes_no_object)
{
    rig_up(
        &rig,
        "[converter slow]\nrun = sh -c 'cat; while [ ! -e /tmp/hoist-$HOIST_META_GO ]; "
        "do sleep 0.05; done'\n");
    char go[64], path[96];
    (void)snprintf(go, sizeof go, "go-%d", (int)getpid());
    (void)snprintf(path, sizeof path, "/tmp/hoist-%s", go);
    rig_start(&rig, "a");
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "hello",
                                                       .convert = "slow",
                                                       .meta = {"go", go},
                                                       .max_attempts = 1});

    cr_assert(WAIT_UNTIL(converter_processes_of(&id) > 0, 5000));
    damage(&id);
    FILE *f = fopen(path, "w");
    cr_assert(f && fclose(f) == 0);
    cr_expect(rig_wait_state(&rig, &id, "dead", 10000));
    (void)unlink(path);
    cr_expect(not(converter_has_object(&rig, &id)));
    cr_expect(ne(ptr, strstr(rig_field(&rig, &id, "error"), "spool"), NULL), "%s",
              rig_field(&rig, &id, "error"));
}
