/* What hoist-worker does while there are no keys for a store, or the store does not take those there are. */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/metadata_fake.h"
#include "tests/support/wait_until.h"

enum { JOBS = 30, DEADLINE_MS = 20000 };

static struct worker_rig rig;
static struct metadata_fake *fake;

/* Besides the rig's destination s3, with keys of the configuration, one with those of a role. */
static void up(void)
{
    fake = metadata_fake_start();
    rig_up_s3(&rig, "concurrency = 8\n[destination role]\nurl = s3://bucket/pre\n"
                    "credentials = imds\n");
    cr_assert(eq(
        int, setenv("HOIST_DESTINATION_ROLE_ENDPOINT", s3_faulty_url(rig.s3), 1), 0));
    cr_assert(eq(
        int, setenv("HOIST_DESTINATION_ROLE_IMDS_ENDPOINT", metadata_fake_url(fake), 1),
        0));
}

static void down(void)
{
    rig_down(&rig);
    metadata_fake_stop(fake);
}

TestSuite(worker_keys, .init = up, .fini = down, .timeout = 120);

/* A job that is dead once an attempt was counted and failed. */
static struct job_id put(const char *to)
{
    return rig_put(
        &rig, &(struct rig_job){.data = "some bytes", .to = to, .max_attempts = 1});
}

static void expect_done(struct job_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cr_expect(rig_wait_state(&rig, &ids[i], "done", DEADLINE_MS), "%zu: %s, %s", i,
                  rig_field(&rig, &ids[i], "state"), rig_field(&rig, &ids[i], "error"));
        cr_expect(eq(i64, rig_number(&rig, &ids[i], "attempts"), 1));
    }
}

static void expect_no_secret_told(struct spawn *w)
{
    cr_expect(eq(int, rig_log_count(w, "secret-"), 0));
    cr_expect(eq(int, rig_log_count(w, "token-"), 0));
    cr_expect(eq(int, rig_log_count(w, "an-imds-token"), 0));
}

Test(worker_keys, jobs_wait_for_keys_and_lose_no_attempt)
{
    struct job_id ids[JOBS];

    metadata_fake_push(fake, (struct metadata_fault){METADATA_STATUS, 500});
    metadata_fake_push(fake, (struct metadata_fault){METADATA_GARBAGE, 0});
    struct spawn *w = rig_start(&rig, "a");
    for (size_t i = 0; i < JOBS; i++)
        ids[i] = put("role");
    expect_done(ids, JOBS);
    cr_expect(eq(int, metadata_fake_count(fake, METADATA_KEYS), 1), "for all of them");
    cr_expect(eq(int, metadata_fake_most(fake), 1));
    cr_expect(eq(int, rig_log_count(w, "no keys: its uploads wait"), 2));
    expect_no_secret_told(w);
}

Test(worker_keys, keys_that_expire_under_way_are_replaced)
{
    struct job_id ids[JOBS];

    metadata_fake_rotate(fake);
    struct spawn *w = rig_start(&rig, "a");
    ids[0] = put("role");
    cr_assert(rig_wait_state(&rig, &ids[0], "done", DEADLINE_MS));
    for (int i = 0; i < 5; i++)
        s3_faulty_push(rig.s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                                 .status = 400,
                                                 .code = "ExpiredToken"});
    for (size_t i = 1; i < JOBS; i++)
        ids[i] = put("role");
    expect_done(ids, JOBS);
    cr_expect(ge(int, metadata_fake_count(fake, METADATA_KEYS), 2));
    cr_expect(eq(int, metadata_fake_most(fake), 1));
    expect_no_secret_told(w);
}

Test(worker_keys, keys_of_the_configuration_that_are_refused_pause_their_destination)
{
    struct spawn *w = rig_start(&rig, "a");

    s3_faulty_push(rig.s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                             .status = 403,
                                             .code = "InvalidAccessKeyId"});
    struct job_id first = put("s3");
    cr_assert(
        WAIT_UNTIL(rig_log_count(w, "the store refuses the keys") == 1, DEADLINE_MS));
    struct job_id second = put("s3"), other = put("default");
    expect_done(&other, 1);
    expect_done(&first, 1);
    expect_done(&second, 1);
    cr_expect(le(int, s3_faulty_count(rig.s3, "PUT"), 4), "one of them a probe");
    cr_expect(eq(int, rig_log_count(w, "the store takes the keys again"), 1));
}

Test(worker_keys, a_worker_that_waits_for_keys_stops_when_told)
{
    metadata_fake_close_gate(fake);
    struct spawn *w = rig_start(&rig, "a");
    struct job_id id = put("role");

    cr_assert(WAIT_UNTIL(metadata_fake_count(fake, METADATA_TOKEN) == 1, DEADLINE_MS));
    cr_expect(spawn_stop(w, DEADLINE_MS));
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 0));
    cr_expect(not(rig_is_leased(&rig, &id)));
    cr_expect(rig_in_spool(&rig, &id));
}
