/* The verdict on all but objects: I4 to I14. */
#include "tests/chaos/check_world.h"

#include <fcntl.h>
#include <time.h>

#include "shared/clock.h"

TestSuite(check_rest, .init = world_up, .fini = world_down, .timeout = 60);

Test(check_rest, an_unanswered_upload_that_is_partial_violates_4_and_2)
{
    plant_body(object(key_of(4)), 4, body_of(&plan, 4).size / 2);
    expect_violated(CHECK_OFF(2) | CHECK_OFF(4), "upload 4");
}

Test(check_rest, an_unanswered_upload_that_is_there_twice_violates_4_and_3)
{
    plant_body(object(key_of(51)), 4, -1);
    expect_violated(CHECK_OFF(3) | CHECK_OFF(4), "upload 4 once more");
}

Test(check_rest, a_file_left_in_tmp_violates_5)
{
    plant(spooled("tmp/old.data"), "x", 1);
    expect_violated(CHECK_OFF(5), "tmp/old.data");
}

Test(check_rest, a_young_file_in_tmp_may_have_a_writer)
{
    plant(spooled("tmp/new.data"), "x", 1);
    o.tmp_age_ms = 60000;
    expect_violated(0, "");
}

Test(check_rest, a_file_of_no_dead_job_violates_5)
{
    char id[ID_JOB_MAX + 1], name[ID_JOB_MAX + 16];

    fake_hoist_id(0, id, sizeof id);
    (void)snprintf(name, sizeof name, "jobs/%s.json", id);
    plant(spooled(name), "{}", 2);
    expect_violated(CHECK_OFF(5), "of no dead job");
}

Test(check_rest, a_dead_job_without_its_manifest_violates_5)
{
    char id[ID_JOB_MAX + 1], name[ID_JOB_MAX + 16];

    make_dead(2, -1);
    o.may_die = true;
    fake_hoist_id(2, id, sizeof id);
    (void)snprintf(name, sizeof name, "jobs/%s.json", id);
    cr_assert(not(unlink(spooled(name))));
    expect_violated(CHECK_OFF(5), "has its data alone");
}

Test(check_rest, an_unfinished_file_at_the_store_violates_5)
{
    plant(object(".0193.tmp"), "x", 1);
    expect_violated(CHECK_OFF(5), ".0193.tmp");
}

Test(check_rest, a_job_that_still_waits_violates_6)
{
    char text[200];

    cr_expect(check_is_quiet(redis.url, queues, text, sizeof text));
    free(redis_fixture_ask(&redis, "ZADD", "hoist:{default}:ready", "1",
                           "0193c0de-7a1b-7c3d-9e4f-0123456789ab", NULL));
    free(redis_fixture_ask(&redis, "HINCRBY", "hoist:{default}:stats", "enqueued", "1",
                           NULL));
    cr_expect(not(check_is_quiet(redis.url, queues, text, sizeof text)));
    cr_expect(ne(ptr, strstr(text, "1 ready"), NULL), "%s", text);
    expect_violated(CHECK_OFF(6), "1 ready");
}

Test(check_rest, an_object_that_came_late_violates_6)
{
    struct timespec times[2] = {{.tv_sec = clock_wall_ms() / 1000 + 100},
                                {.tv_sec = clock_wall_ms() / 1000 + 100}};

    cr_assert(not(utimensat(AT_FDCWD, object(key_of(3)), times, 0)));
    o.settle_ms = 60000;
    expect_violated(CHECK_OFF(6), "ms after its 202");
    cr_expect(r.slowest_ms > 98000 && r.slowest_ms <= 100000);
}

Test(check_rest, an_open_upload_in_parts_violates_7)
{
    struct err e = ERR_INIT;
    char path[256];
    static const char *const made[] = {"s3", "s3/b", "s3/b/._S3rver_uploads",
                                       "s3/b/._S3rver_uploads/1"};

    for (size_t i = 0; i < 4; i++)
        make_dir(made[i], path);
    plant(tmpdir_file(&dir, "s3/b/._S3rver_uploads/1/key").path, "k", 1);
    plant(tmpdir_file(&dir, "s3/b/._S3rver_uploads/1/1").path, "k", 1);
    for (int64_t n = 0; n < 4; n++) {
        (void)snprintf(path, sizeof path, "%s/s3/b/%s._S3rver_object", dir.path,
                       key_of(n));
        plant_body(path, n, -1);
        (void)snprintf(path, sizeof path, "%s/s3/b/%s._S3rver_metadata.json", dir.path,
                       key_of(n));
        plant(path, "{}", 2);
    }
    cr_assert(
        not(store_init(&store, STORE_S3RVER, tmpdir_file(&dir, "s3").path, "b", &e)));
    expect_violated(CHECK_OFF(7), "1 uploads in parts");
    cr_expect(eq(i64, r.objects, 4));
}

Test(check_rest, an_end_out_of_turn_violates_8)
{
    struct watch_counts watched = {
        .events = 9, .out_of_turn = 7, .turn_examples = {"a: done after waiting"}};

    o.watched = &watched;
    expect_violated(CHECK_OFF(8), "done after waiting");
    cr_expect(eq(i64, r.invariants[8].violations, 7));
}

Test(check_rest, a_status_that_was_not_true_violates_9)
{
    struct poller_counts polled = {
        .done = 3, .untrue = 1, .examples = {"b: no object"}};

    o.polled = &polled;
    expect_violated(CHECK_OFF(9), "b: no object");
}

Test(check_rest, a_queue_that_does_not_add_up_violates_10)
{
    free(redis_fixture_ask(&redis, "HINCRBY", "hoist:{default}:stats", "enqueued", "3",
                           NULL));
    expect_violated(CHECK_OFF(10), "3 enqueued");
}

Test(check_rest, a_look_that_did_not_add_up_violates_10)
{
    struct watch_counts watched = {
        .looks = 9, .unbalanced = 1, .balance_examples = {"default: 3 enqueued"}};

    o.watched = &watched;
    expect_violated(CHECK_OFF(10), "default: 3 enqueued");
}

Test(check_rest, what_is_off_is_not_looked_at)
{
    free(redis_fixture_ask(&redis, "HINCRBY", "hoist:{default}:stats", "enqueued", "3",
                           NULL));
    cr_assert(not(unlink(object(key_of(2)))));
    o.off = CHECK_OFF(10) | CHECK_OFF(1);
    expect_violated(0, "");
    cr_expect(not(r.invariants[10].checked));
}

Test(check_rest, a_secret_in_a_log_violates_12)
{
    (void)tmpdir_write(&dir, "log2", "x open sesame\n", 14);
    free((void *)(size_t)logs[0]);
    logs[0] = strdup(tmpdir_file(&dir, "log2").path);
    expect_violated(CHECK_OFF(12), "log2: byte 2");
}

Test(check_rest, a_secret_in_redis_violates_12)
{
    /* Long and repeated: compressed it would not be found. */
    free(redis_fixture_ask(
        &redis, "SET", "k",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "open open open sesame sesame open sesame open sesame",
        NULL));
    expect_violated(CHECK_OFF(12), "dump.rdb");
}

Test(check_rest, a_process_that_holds_more_violates_13)
{
    struct procs_sample before = {.name = "worker-1", .descriptors = 9, .threads = 2};
    struct procs_sample after = before;

    after.descriptors = 30;
    o.before = &before;
    o.after = &after;
    o.process_count = 1;
    o.slack.descriptors = 4;
    expect_violated(CHECK_OFF(13), "worker-1: 30 descriptors, 9 after the warm-up");
}

Test(check_rest, a_report_of_a_sanitizer_violates_14)
{
    (void)tmpdir_write(&dir, "log2", "==1==ERROR: AddressSanitizer: heap\n", 35);
    free((void *)(size_t)logs[0]);
    logs[0] = strdup(tmpdir_file(&dir, "log2").path);
    expect_violated(CHECK_OFF(14), "AddressSanitizer");
}

Test(check_rest, a_core_violates_14)
{
    (void)tmpdir_write(&dir, "core.123", "x", 1);
    expect_violated(CHECK_OFF(14), "core.123");
}

Test(check_rest, a_crash_violates_14)
{
    o.crashes = 1;
    o.crash = "worker-1: signal 11";
    expect_violated(CHECK_OFF(14), "worker-1: signal 11");
}

Test(check_rest, a_run_without_a_promise_proves_nothing)
{
    ledger_close(ledger);
    (void)tmpdir_write(&dir, "ledger", "", 0);
    struct err e = ERR_INIT;
    cr_assert(not(ledger_open(tmpdir_file(&dir, "ledger").path, &ledger, &e)));
    for (int64_t n = 0; n <= 4; n++)
        cr_assert(not(unlink(object(key_of(n)))));
    judge();
    cr_expect(not(check_passed(&r)));
}

Test(check_rest, the_table_says_what_was_found)
{
    char *text = NULL;
    size_t size = 0;

    cr_assert(not(unlink(object(key_of(2)))));
    o.kills = 30;
    judge();
    FILE *to = open_memstream(&text, &size);
    cr_assert(ne(ptr, to, NULL));
    check_print(to, &r);
    cr_assert(not(fclose(to)));
    static const char *const want[] = {"accepted", "VIOLATED 1 times", "upload 2",
                                       "not looked at", "FAILED"};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        cr_expect(ne(ptr, strstr(text, want[i]), NULL), "%s", want[i]);
    cr_expect(eq(ptr, strstr(text, "fewer than"), NULL));
    free(text);
}
