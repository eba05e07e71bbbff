/* The destination s3: and bytes of unknown number. */
#include "tests/integration/dest_s3_stream_rig.h"

TestSuite(dest_s3_stream, .init = up, .fini = down, .timeout = 120);

enum { MIB = 1024 * 1024, PART = 8 * MIB };

static struct rig r;

static void deliver_stream(int64_t size, int64_t burst)
{
    rig_job(&r, NULL);
    rig_begin(&r, size, burst, FAKE_ENDS);
    rig_wait(&r);
    rig_expect_arrived(&r);
}

Test(dest_s3_stream, one_that_ends_within_a_part_is_one_put)
{
    static const int64_t sizes[] = {
        0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 * MIB + 17, PART - 1, PART};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct s3_faulty_object o = {0};

        deliver_stream(sizes[i], 0);
        (void)s3_faulty_object(s3, r.path, &o);
        cr_expect(eq(int, o.parts, 0));
        rig_close(&r);
    }
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), sizeof sizes / sizeof sizes[0]));
    cr_expect(eq(int, s3_faulty_count(s3, NULL), s3_faulty_count(s3, "PUT")));
}

Test(dest_s3_stream, its_own_digests_and_type_go_with_it)
{
    char head[8192], line[128];

    rig_job(&r, NULL);
    rig_begin(&r, 100000, 1000, FAKE_ENDS);
    rig_wait(&r);
    cr_expect(r.result.outcome.done, "%s", r.result.outcome.error);
    s3_faulty_head(s3, "PUT", head, sizeof head);
    (void)snprintf(line, sizeof line, "\r\nx-amz-content-sha256: %s\r\n",
                   stream_fake_sha256(&r.fake));
    cr_expect(strstr(head, line) != NULL, "%s", head);
    cr_expect(strstr(head, "\r\nx-amz-checksum-sha256: ") != NULL, "%s", head);
    cr_expect(strstr(head, "\r\nContent-Type: image/png\r\n") != NULL, "%s", head);
    cr_expect(strstr(head, "\r\nIf-None-Match: *\r\n") != NULL, "%s", head);
    rig_close(&r);
}

Test(dest_s3_stream, one_that_fails_makes_nothing)
{
    rig_job(&r, NULL);
    rig_begin(&r, 3 * MIB, 100000, FAKE_FAILS);
    rig_wait(&r);
    cr_expect(not(r.result.outcome.done));
    cr_expect(eq(str, r.result.outcome.error, "the maker failed"));
    cr_expect(eq(str, (char *)r.result.outcome.error_class, "converter"));
    cr_expect(eq(str, r.result.outcome.detail, "what it said"));
    cr_expect(eq(int, s3_faulty_count(s3, NULL), 0));
    rig_close(&r);
}

Test(dest_s3_stream, one_that_never_ends_is_stopped_by_abort)
{
    rig_job(&r, NULL);
    rig_begin(&r, 3 * MIB, 100000, FAKE_HANGS);
    while (r.fake.at < r.fake.size)
        (void)uv_run(&loop, UV_RUN_ONCE);
    struct destination_progress p = destination_progress(dest, r.run);
    cr_expect(eq(int, p.phase, DESTINATION_READING));
    cr_expect(eq(i64, p.total, -1));
    destination_abort(dest, r.run);
    rig_wait(&r);
    cr_expect(r.result.outcome.aborted);
    cr_expect(r.fake.stops > 0);
    cr_expect(eq(int, s3_faulty_count(s3, NULL), 0));
    rig_close(&r);
}

/* A test of each answer that a PUT may have, and of what is there when it is looked for. */
Test(dest_s3_stream, an_answer_that_is_lost_is_looked_up)
{
    static const enum s3_fault_kind kinds[] = {S3_FAULT_LOST_ANSWER,
                                               S3_FAULT_HALF_ANSWER, S3_FAULT_NO_PROOF,
                                               S3_FAULT_WRONG_CHECKSUM};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        s3_faulty_push(s3, (struct s3_fault){.kind = kinds[i], .op = S3_OP_PUT});
        deliver_stream(70000, 0);
        rig_close(&r);
    }
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), sizeof kinds / sizeof kinds[0]));
}

Test(dest_s3_stream, what_was_not_stored_is_tried_again)
{
    static const enum s3_fault_kind kinds[] = {
        S3_FAULT_LOST_BODY, S3_FAULT_CLOSE_IN_BODY, S3_FAULT_GARBAGE};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        open_afresh(); /* a kept connection that is closed is no failure */
        rig_job(&r, NULL);
        s3_faulty_push(s3, (struct s3_fault){.kind = kinds[i], .op = S3_OP_PUT});
        rig_begin(&r, 70000, 0, FAKE_ENDS);
        rig_wait(&r);
        cr_expect(not(r.result.outcome.done));
        cr_expect(eq(int, r.result.outcome.class, RETRY_TRANSIENT));
        rig_close(&r);
    }
    cr_expect(eq(int, s3_faulty_objects(s3), 0));
}

Test(dest_s3_stream, an_earlier_attempt_of_the_same_job_is_a_success)
{
    rig_job(&r, NULL);
    s3_faulty_put(s3, r.path, "made by another run", 19);
    rig_begin(&r, 70000, 0, FAKE_ENDS);
    rig_wait(&r);
    cr_expect(r.result.outcome.done, "%s", r.result.outcome.error);
    struct s3_faulty_object o = {0};
    (void)s3_faulty_object(s3, r.path, &o);
    cr_expect(eq(i64, r.result.outcome.sent, 19), "what is there");
    cr_expect(eq(str, r.result.outcome.sha256, o.sha256));
    cr_expect(eq(int, o.stored, 1));
    rig_close(&r);
}

Test(dest_s3_stream, an_earlier_attempt_that_the_store_tells_no_digest_of_has_none)
{
    rig_job(&r, NULL);
    s3_faulty_put(s3, r.path, "made by another run", 19);
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_NO_PROOF, .op = S3_OP_HEAD});
    rig_begin(&r, 19, 0, FAKE_ENDS);
    rig_wait(&r);
    cr_expect(r.result.outcome.done, "%s", r.result.outcome.error);
    cr_expect(eq(str, r.result.outcome.sha256, ""));
    rig_close(&r);
}

/* The same of a file that was made anew, whatever the store tells of the object. */
Test(dest_s3_stream, a_file_that_was_made_anew_is_done_where_an_earlier_attempt_was)
{
    for (int silent = 0; silent < 2; silent++) {
        struct dest_result result = {0};
        struct job j = dest_job("k", BODY, strlen(BODY));
        struct err e = ERR_INIT;
        char path[256], other[sizeof BODY] = "another output, as long";
        cr_assert(job_set_key(&j, j.id.uuid.text, ID_UUID_LEN, &e) == ERR_OK);
        (void)snprintf(path, sizeof path, "/bucket/pre/%s", j.key);
        s3_faulty_set_traits(s3, (struct s3_faulty_traits){.silent_checksums = silent});
        s3_faulty_put(s3, path, other, (int64_t)strlen(BODY));
        struct destination_work w = {.job = &j,
                                     .fd = dest_data(BODY, strlen(BODY)),
                                     .remade = true,
                                     .done = dest_on_done,
                                     .ctx = &result};
        cr_assert(destination_begin(dest, &w) != NULL);
        while (result.calls == 0)
            (void)uv_run(&loop, UV_RUN_ONCE);
        cr_expect(result.outcome.done, "%d: %s", silent, result.outcome.error);
        cr_expect(result.outcome.earlier, "these are not its bytes");
        cr_expect(ne(str, result.outcome.sha256, j.sha256));
        outcome_release(&result.outcome);
        job_release(&j);
    }
}

Test(dest_s3_stream, under_a_chosen_key_other_bytes_are_somebody_elses)
{
    rig_job(&r, "reports/today.csv");
    s3_faulty_put(s3, r.path, "another report", 14);
    rig_begin(&r, 70000, 0, FAKE_ENDS);
    rig_wait(&r);
    cr_expect(not(r.result.outcome.done));
    cr_expect(eq(int, r.result.outcome.class, RETRY_NEVER));
    cr_expect(eq(str, r.result.outcome.error, "key exists with other content"));
    rig_close(&r);
}

Test(dest_s3_stream, under_a_chosen_key_the_same_bytes_are_a_success)
{
    static char same[PART];

    for (int i = 0; i < 2; i++) { /* the second store tells nothing but an MD5 */
        int64_t size = i ? 2 * MIB : 70000;
        rig_job(&r, i ? "b" : "a");
        for (int64_t n = 0; n < size; n++)
            same[n] = stream_fake_byte(n);
        s3_faulty_put(s3, r.path, same, size);
        s3_faulty_set_traits(s3, (struct s3_faulty_traits){.silent_checksums = i});
        rig_begin(&r, size, 0, FAKE_ENDS);
        rig_wait(&r);
        rig_expect_arrived(&r);
        rig_close(&r);
    }
}

/* What the store has taken and holds otherwise is no earlier attempt's. */
Test(dest_s3_stream, an_object_that_the_store_has_damaged_is_no_success)
{
    rig_job(&r, NULL);
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_CORRUPT, .op = S3_OP_PUT});
    rig_begin(&r, 70000, 0, FAKE_ENDS);
    rig_wait(&r);
    cr_expect(not(r.result.outcome.done));
    cr_expect(eq(int, r.result.outcome.class, RETRY_TRANSIENT));
    rig_close(&r);
}

/* Under a chosen key, too: what they made of the upload is not known, so that no bytes could be other ones. */
Test(dest_s3_stream, a_look_for_what_converters_made_finds_it_by_its_key)
{
    static const char *const keys[] = {NULL, "reports/today.png"};

    for (size_t i = 0; i < 2; i++) {
        rig_job(&r, keys[i]);
        if (keys[i])
            r.job.convert = strdup("thumb");
        struct destination_work look = {.job = &r.job,
                                        .fd = -1,
                                        .only_look = true,
                                        .done = dest_on_done,
                                        .ctx = &r.result};
        stream_fake_open(&r.fake, &loop, 0, 0, FAKE_ENDS);
        cr_assert(destination_begin(dest, &look) != NULL);
        rig_wait(&r);
        cr_expect(r.result.outcome.absent);
        outcome_release(&r.result.outcome);
        r.result = (struct dest_result){0};
        s3_faulty_put(s3, r.path, "made by another run", 19);
        cr_assert(destination_begin(dest, &look) != NULL);
        rig_wait(&r);
        cr_expect(r.result.outcome.done, "%zu: %s", i, r.result.outcome.error);
        rig_close(&r);
    }
}

Test(dest_s3_stream, it_looks_at_its_lease_before_it_puts)
{
    static const _Atomic int64_t until_ms = 1;

    rig_job(&r, NULL);
    r.work.until_ms = &until_ms;
    rig_begin(&r, 70000, 0, FAKE_ENDS);
    rig_wait(&r);
    cr_expect(r.result.outcome.aborted);
    cr_expect(eq(int, s3_faulty_objects(s3), 0));
    rig_close(&r);
}
