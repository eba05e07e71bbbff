/* The life of a job in hoist-worker, as it ships: with a real Redis, into file:. */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

static struct worker_rig rig;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(worker, .fini = down, .timeout = 60);

Test(worker, a_job_arrives_and_its_spool_files_go)
{
    rig_up(&rig, NULL);
    rig_start(&rig, "a");
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "hello"});

    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_expect(rig_wait_unspooled(&rig, &id, 2000));
    cr_expect(rig_object_is(&rig, &id, "hello"));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "attempts"), "1"));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "sent"), "5"));
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
    cr_expect(eq(
        i64, redis_fixture_ask_int(&rig.redis, "HLEN", "hoist:{default}:owner", NULL),
        0));
}
