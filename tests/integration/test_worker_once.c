/* hoist-worker --once: works off what is ready, shows it, and ends. */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

enum { END_MS = 30000, BIG = 4 * 1024 * 1024 };

static struct worker_rig rig;

static void fini(void)
{
    rig_down(&rig);
}

TestSuite(worker_once, .fini = fini, .timeout = 60);

/* Its output and log are in one file. */
static struct spawn *start_once(void)
{
    struct spawn *w = &rig.workers[rig.worker_count++];
    struct tmpdir_file log = tmpdir_file(&rig.dir, "once.log");
    const char *argv[] = {HOIST_WORKER_BIN, "--config", rig.config.path, "--once",
                          NULL};

    spawn_start(w, &(struct spawn_options){.argv = argv, .log_path = log.path});
    return w;
}

/* The same with a terminal of its own. */
static struct spawn *start_on_terminal(void)
{
    struct spawn *w = &rig.workers[rig.worker_count++];
    struct tmpdir_file log = tmpdir_file(&rig.dir, "once.log");
    char command[1024];

    (void)snprintf(command, sizeof command, "'%s' --config '%s' --once",
                   HOIST_WORKER_BIN, rig.config.path);
    const char *argv[] = {"script", "-qec", command, "/dev/null", NULL};
    spawn_start(w, &(struct spawn_options){.argv = argv, .log_path = log.path});
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

Test(worker_once, on_a_terminal_there_are_bars)
{
    rig_up_s3(&rig, NULL);
    s3_faulty_push(rig.s3,
                   (struct s3_fault){.kind = S3_FAULT_GATE_IN_BODY, .bytes = BIG / 2});
    s3_faulty_close_gate(rig.s3);
    (void)rig_put(&rig, &(struct rig_job){.size = BIG, .to = "s3"});
    struct spawn *w = start_on_terminal();
    bool drawn = WAIT_UNTIL(rig_log_count(w, "of 4.0 MiB") > 1, END_MS);
    s3_faulty_open_gate(rig.s3);
    cr_expect(drawn);
    cr_expect(eq(int, end_of(w), 0));
    cr_expect(gt(int, rig_log_count(w, "uploading   ["), 0));
    cr_expect(gt(int, rig_log_count(w, "\033[1A\033[J"), 0));
    cr_expect(eq(int, rig_log_count(w, "done       default."), 1));
    cr_expect(eq(int, rig_log_count(w, "level=info"), 0));
}
