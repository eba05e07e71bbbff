/* An object that goes to S3 in parts. */
#include "tests/integration/dest_s3_parts_harness.h"

TestSuite(dest_s3_parts, .init = parts_up, .fini = parts_down, .timeout = 120);

Test(dest_s3_parts, object_is_made_of_parts_of_one_size_but_the_last)
{
    struct s3_faulty_object o;
    struct dest_result r = deliver_parts();

    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_assert(s3_faulty_object(s3, PATH, &o));
    cr_expect(eq(int, o.parts, PARTS));
    cr_expect(eq(i64, o.size, SIZE));
    cr_expect(eq(str, o.sha256, parts_job.sha256));
    cr_expect(eq(i64, r.outcome.sent, SIZE));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_CREATE), 1));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_PART), PARTS));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_COMPLETE), 1));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_HEAD), 0), "the answer is proof");
    cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
    cr_expect(eq(int, journals(), 0));
    cr_expect(ne(ptr, strstr(r.outcome.etag, "-6\""), NULL));
    outcome_release(&r.outcome);
}

Test(dest_s3_parts, object_of_the_threshold_goes_as_a_whole)
{
    config.multipart_threshold = SIZE;
    struct dest_result r = deliver_parts();

    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_PUT), 1));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_CREATE), 0));
    outcome_release(&r.outcome);
}

/* --- what is under way when it ends --- */

struct parts_run {
    struct dest_result result;
    struct destination_run *run;
    _Atomic int64_t until_ms;
};

static void begin_parts(struct parts_run *r)
{
    struct destination_work w = {.job = &parts_job,
                                 .fd = dest_data(parts_bytes, SIZE),
                                 .until_ms = &r->until_ms,
                                 .done = dest_on_done,
                                 .ctx = &r->result};

    atomic_store(&r->until_ms, INT64_MAX);
    r->run = destination_begin(dest, &w);
    cr_assert(r->run != NULL);
}

static void finish_parts(const struct parts_run *r)
{
    while (r->result.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
}

/* Until it knows that so many parts are there. */
static void run_until_done(const struct parts_run *r, int parts)
{
    while (destination_progress(dest, r->run).parts_done < parts)
        (void)uv_run(&loop, UV_RUN_ONCE);
}

/* The upload is left with all parts but one: what a worker that was killed leaves. */
static void leave_behind(int missing)
{
    struct parts_run r = {.result = {.calls = 0}};

    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_STALL_IN_BODY,
                                         .bytes = 10,
                                         .op = S3_OP_PART,
                                         .part = missing});
    begin_parts(&r);
    run_until_done(&r, PARTS - 1);
    destination_abort(dest, r.run);
    finish_parts(&r);
    cr_assert(r.result.outcome.aborted);
    outcome_release(&r.result.outcome);
}

Test(dest_s3_parts,
     an_upload_that_was_stopped_stays_for_the_next_owner_who_sends_what_is_missing)
{
    struct s3_faulty_object o;

    leave_behind(3);
    cr_expect(eq(int, s3_faulty_unfinished(s3), 1));
    cr_expect(eq(int, journals(), 1));
    int before = s3_faulty_count_of(s3, S3_OP_PART);
    open_afresh();
    struct dest_result r = deliver_parts();
    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_PART) - before, 1));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_CREATE), 1));
    cr_assert(s3_faulty_object(s3, PATH, &o));
    cr_expect(eq(str, o.sha256, parts_job.sha256));
    cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
    cr_expect(eq(int, journals(), 0));
    outcome_release(&r.outcome);
}

Test(dest_s3_parts, parts_of_another_size_are_aborted_and_begun_anew)
{
    leave_behind(2);
    config.part_size = PART + 1;
    open_afresh();
    struct dest_result r = deliver_parts();
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_CREATE), 2));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_ABORT), 1));
    cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
    cr_expect(eq(int, journals(), 0));
    outcome_release(&r.outcome);
}

Test(dest_s3_parts, an_upload_that_the_store_has_forgotten_is_begun_anew)
{
    leave_behind(2);
    s3_faulty_forget_parts(s3);
    open_afresh();
    struct dest_result r = deliver_parts();
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_CREATE), 2));
    cr_expect(eq(int, journals(), 0));
    outcome_release(&r.outcome);
}

Test(dest_s3_parts, an_intent_without_an_id_is_resolved_by_the_list_of_the_keys_uploads)
{
    s3_faulty_push(s3,
                   (struct s3_fault){.kind = S3_FAULT_HALF_ANSWER, .op = S3_OP_CREATE});
    struct dest_result r = deliver_parts();
    cr_expect(not(r.outcome.done));
    cr_expect(eq(int, s3_faulty_unfinished(s3), 1), "and nobody knows its id");
    outcome_release(&r.outcome);
    s3_faulty_begin_parts(s3, "/bucket/pre/a%20key.not"); /* somebody else's */
    open_afresh();
    r = deliver_parts();
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_LIST_UPLOADS), 2),
              "until a list has none");
    cr_expect(eq(int, s3_faulty_unfinished(s3), 1), "that of another key stays");
    cr_expect(eq(int, journals(), 0));
    outcome_release(&r.outcome);
}

Test(dest_s3_parts, the_journal_stays_until_the_store_has_confirmed)
{
    s3_faulty_push(s3,
                   (struct s3_fault){.kind = S3_FAULT_HALF_ANSWER, .op = S3_OP_CREATE});
    struct dest_result r = deliver_parts();
    outcome_release(&r.outcome);
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                         .status = 503,
                                         .code = "SlowDown",
                                         .op = S3_OP_LIST_UPLOADS});
    r = deliver_parts();
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(int, journals(), 1), "reconcile lists again");
    outcome_release(&r.outcome);
}

Test(dest_s3_parts, completes_nothing_once_the_lease_has_run_out)
{
    struct parts_run r = {.result = {.calls = 0}};

    s3_faulty_close_gate(s3); /* all parts wait for their answer */
    begin_parts(&r);
    while (s3_faulty_waiting(s3) < 4)
        (void)uv_run(&loop, UV_RUN_ONCE);
    atomic_store(&r.until_ms, 0);
    s3_faulty_open_gate(s3);
    finish_parts(&r);
    cr_expect(r.result.outcome.aborted);
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_COMPLETE), 0));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_ABORT), 0), "it is another's now");
    cr_expect(eq(int, journals(), 1));
    outcome_release(&r.result.outcome);
}

/* --- what is wrong with the bytes --- */

Test(dest_s3_parts, a_file_that_is_not_what_its_manifest_says_never_becomes_an_object)
{
    for (int at = 0; at < SIZE; at += SIZE / 2 - 1) {
        parts_bytes[at] ^= 1;
        struct dest_result r = deliver_parts();
        parts_bytes[at] ^= 1;
        cr_expect(eq(int, r.outcome.class, RETRY_NEVER), "%s", r.outcome.error);
        cr_expect(ne(ptr, strstr(r.outcome.error, "spool corrupt"), NULL), "%s",
                  r.outcome.error);
        cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_COMPLETE), 0));
        cr_expect(eq(int, s3_faulty_unfinished(s3), 0), "aborted at once");
        cr_expect(eq(int, journals(), 0));
        outcome_release(&r.outcome);
    }
}

Test(dest_s3_parts, a_file_that_changes_after_it_was_hashed_is_not_sent)
{
    struct parts_run r = {.result = {.calls = 0}};
    int fd = dest_data(parts_bytes, SIZE);
    struct destination_work w = {
        .job = &parts_job, .fd = fd, .done = dest_on_done, .ctx = &r.result};

    config.part_concurrency = 1;
    open_afresh();
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_GATE_IN_BODY,
                                         .bytes = 10,
                                         .op = S3_OP_PART});
    s3_faulty_close_gate(s3);
    r.run = destination_begin(dest, &w);
    while (s3_faulty_waiting(s3) < 1)
        (void)uv_run(&loop, UV_RUN_ONCE);
    for (int i = 0; i < 50; i++) /* parts 2 and 3 are hashed by now */
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert(eq(int, (int)pwrite(fd, "changed", 7, PART + 5), 7));
    s3_faulty_open_gate(s3);
    finish_parts(&r);
    cr_expect(eq(int, r.result.outcome.class, RETRY_NEVER), "%s",
              r.result.outcome.error);
    cr_expect(ne(ptr, strstr(r.result.outcome.error, "spool corrupt"), NULL), "%s",
              r.result.outcome.error);
    cr_expect(eq(int, s3_faulty_objects(s3), 0));
    cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
    outcome_release(&r.result.outcome);
}

/* --- two owners, and slow parts --- */

Test(dest_s3_parts, two_owners_at_once_make_one_object)
{
    struct parts_run r[2] = {{.result = {.calls = 0}}, {.result = {.calls = 0}}};
    struct s3_faulty_object o;

    begin_parts(&r[0]);
    begin_parts(&r[1]);
    finish_parts(&r[0]);
    finish_parts(&r[1]);
    cr_expect(r[0].result.outcome.done || r[1].result.outcome.done, "%s; %s",
              r[0].result.outcome.error, r[1].result.outcome.error);
    cr_assert(s3_faulty_object(s3, PATH, &o));
    cr_expect(eq(str, o.sha256, parts_job.sha256));
    for (int i = 0; i < 2; i++) {
        cr_expect(ne(int, r[i].result.outcome.class, RETRY_NEVER), "%s",
                  r[i].result.outcome.error);
        outcome_release(&r[i].result.outcome);
    }
}

Test(dest_s3_parts, a_part_whose_answer_is_late_is_sent_again)
{
    config.answer_timeout_seconds =
        3600; /* which ends the test, if nothing else does */
    config.part_concurrency = 1;
    open_afresh();
    s3_faulty_push(
        s3, (struct s3_fault){.kind = S3_FAULT_HANG, .op = S3_OP_PART, .part = PARTS});
    struct dest_result r = deliver_parts();
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_PART), PARTS + 1));
    outcome_release(&r.outcome);
}

Test(dest_s3_parts, how_far_it_is)
{
    struct parts_run r = {.result = {.calls = 0}};

    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_GATE_IN_BODY,
                                         .bytes = 10,
                                         .op = S3_OP_PART,
                                         .part = PARTS});
    s3_faulty_close_gate(s3);
    begin_parts(&r);
    while (s3_faulty_waiting(s3) < 4)
        (void)uv_run(&loop, UV_RUN_ONCE);
    struct destination_progress p = destination_progress(dest, r.run);
    cr_expect(eq(int, p.parts, PARTS));
    cr_expect(eq(int, p.parts_done, 0));
    cr_expect(eq(i64, p.total, SIZE));
    cr_expect(eq(int, (int)p.phase, (int)DESTINATION_UPLOADING));
    s3_faulty_open_gate(s3);
    finish_parts(&r);
    cr_expect(r.result.outcome.done);
    outcome_release(&r.result.outcome);
}
