/* The destination s3: and streams that are longer than a part: what is in the store at the end, whatever goes wrong. */
#include "tests/integration/dest_s3_stream_rig.h"

#include "shared/clock.h"
#include "tests/support/spool_sample.h"
#include "worker/flow/membudget.h"

enum { MIB = 1024 * 1024, PART = MIB / 2, AT_ONCE = 2 };

static struct rig r;
static struct membudget budget;
static struct spool_sample files;

static void open_with_budget(int64_t bytes)
{
    struct err e = ERR_INIT;

    destination_release(dest);
    config.part_size = PART;
    config.part_concurrency = AT_ONCE;
    config.stall_timeout_seconds = config.answer_timeout_seconds = 5;
    membudget_init(&budget, bytes);
    cr_assert(dest_s3_open(&(struct dest_s3_options){.loop = &loop,
                                                     .http = http,
                                                     .config = &config,
                                                     .budget = &budget,
                                                     .spool = files.spool},
                           &dest, &e) == ERR_OK,
              "%s", e.text);
}

static void up_parts(void)
{
    up();
    spool_sample_open(&files);
    open_with_budget(8 * MIB);
}

static void down_parts(void)
{
    cr_expect(eq(i64, budget.held, 0), "no memory stays taken");
    cr_expect(budget.first == NULL);
    down();
    spool_sample_close(&files);
}

TestSuite(dest_s3_stream_parts, .init = up_parts, .fini = down_parts, .timeout = 120);

static void run(int64_t size, int64_t burst, enum fake_end end)
{
    rig_job(&r, NULL);
    rig_begin(&r, size, burst, end);
    rig_wait(&r);
}

static void push(enum s3_op op, enum s3_fault_kind kind, int status, const char *code)
{
    s3_faulty_push(
        s3, (struct s3_fault){.kind = kind, .op = op, .status = status, .code = code});
}

Test(dest_s3_stream_parts, one_that_is_longer_than_a_part_arrives_whole)
{
    static const struct {
        int64_t size, burst;
        int parts;
    } rows[] = {{PART, 0, 0},
                {PART + 1, 0, 2},
                {2 * PART, 65536, 2},
                {3 * PART + 256 * 1024, 100003, 4},
                {4 * PART - 1, 0, 4}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        run(rows[i].size, rows[i].burst, FAKE_ENDS);
        rig_expect_arrived(&r);
        cr_expect(eq(int, rig_object(&r).parts, rows[i].parts));
        cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
        rig_close(&r);
    }
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_HEAD), 0));
}

Test(dest_s3_stream_parts, what_the_object_is_made_with_goes_with_its_beginning)
{
    char head[8192];

    run(PART + 1, 0, FAKE_ENDS);
    rig_expect_arrived(&r);
    s3_faulty_head_of(s3, S3_OP_CREATE, head, sizeof head);
    cr_expect(strstr(head, "\r\nContent-Type: image/png\r\n") != NULL, "%s", head);
    s3_faulty_head_of(s3, S3_OP_PART, head, sizeof head);
    cr_expect(strstr(head, "\r\nx-amz-checksum-sha256: ") != NULL, "%s", head);
    s3_faulty_head_of(s3, S3_OP_COMPLETE, head, sizeof head);
    cr_expect(strstr(head, "\r\nIf-None-Match: *\r\n") != NULL, "%s", head);
    rig_close(&r);
}

Test(dest_s3_stream_parts, one_that_fails_at_the_end_leaves_nothing)
{
    for (int parts = 1; parts < 6; parts += 2) {
        run(parts * PART + 100, 0, FAKE_FAILS);
        cr_expect(eq(str, r.result.outcome.error, "the maker failed"));
        cr_expect(eq(str, r.result.outcome.detail, "what it said"));
        rig_expect_nothing(&r);
        rig_close(&r);
    }
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_COMPLETE), 0));
}

/* Its upload in parts is left where it is: a worker that stops has no time.  Who comes next clears it. */
Test(dest_s3_stream_parts, one_that_is_aborted_is_cleared_by_the_next_attempt)
{
    rig_job(&r, NULL);
    rig_begin(&r, 2 * PART + 100, 100000, FAKE_HANGS);
    while (s3_faulty_parts(s3) < 2)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    struct destination_progress p = destination_progress(dest, r.run);
    cr_expect(eq(int, p.phase, DESTINATION_UPLOADING));
    cr_expect(eq(i64, p.total, -1));
    cr_expect(p.sent >= PART);
    destination_abort(dest, r.run);
    rig_wait(&r);
    cr_expect(r.result.outcome.aborted);
    cr_expect(r.fake.stops > 0);
    cr_expect(eq(int, s3_faulty_unfinished(s3), 1));
    stream_fake_close(&r.fake);
    outcome_release(&r.result.outcome);
    r.result = (struct dest_result){0};
    rig_begin(&r, 2 * PART + 100, 0, FAKE_ENDS);
    rig_wait(&r);
    rig_expect_arrived(&r);
    cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
    rig_close(&r);
}

Test(dest_s3_stream_parts, parts_that_fail_are_sent_again_from_memory)
{
    push(S3_OP_PART, S3_FAULT_STATUS, 503, "SlowDown");
    push(S3_OP_PART, S3_FAULT_LOST_ANSWER, 0, NULL);
    push(S3_OP_PART, S3_FAULT_STATUS, 500, "InternalError");
    run(3 * PART + 7, 0, FAKE_ENDS);
    rig_expect_arrived(&r);
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_PART), 7));
    rig_close(&r);
}

Test(dest_s3_stream_parts, a_failure_of_ours_stops_the_maker_and_leaves_nothing)
{
    static const struct {
        enum s3_op op;
        int status;
        const char *code;
        enum retry_class class;
    } rows[] = {{S3_OP_CREATE, 403, "AccessDenied", RETRY_CONFIG},
                {S3_OP_PART, 403, "AccessDenied", RETRY_CONFIG},
                {S3_OP_PART, 404, "NoSuchUpload", RETRY_TRANSIENT},
                {S3_OP_COMPLETE, 403, "AccessDenied", RETRY_CONFIG},
                {S3_OP_COMPLETE, 400, "EntityTooSmall", RETRY_NEVER}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool last = rows[i].op == S3_OP_COMPLETE;
        push(rows[i].op, S3_FAULT_STATUS, rows[i].status, rows[i].code);
        run(2 * PART + 100, 0, last ? FAKE_ENDS : FAKE_HANGS);
        cr_expect(eq(int, r.result.outcome.class, rows[i].class), "%zu: %s", i,
                  r.result.outcome.error);
        cr_expect(eq(int, r.fake.stops > 0, !last), "%zu", i);
        rig_expect_nothing(&r);
        rig_close(&r);
    }
}

/* No keys that the store takes, which is no fault of the job: it costs no attempt. */
Test(dest_s3_stream_parts, one_whose_keys_are_refused_is_given_back)
{
    static const enum s3_op ops[] = {S3_OP_CREATE, S3_OP_PART, S3_OP_COMPLETE};

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        open_with_budget(8 * MIB);
        push(ops[i], S3_FAULT_STATUS, 403, "InvalidAccessKeyId");
        run(2 * PART + 100, 0, FAKE_ENDS);
        cr_expect(not(r.result.outcome.done));
        cr_expect(r.result.outcome.hold_ms > 0, "%zu: %s", i, r.result.outcome.error);
        rig_close(&r);
    }
}

/* Completed, and nobody heard of it. */
Test(dest_s3_stream_parts, an_answer_to_completing_that_is_lost_is_looked_up)
{
    static const enum s3_fault_kind kinds[] = {S3_FAULT_LOST_ANSWER,
                                               S3_FAULT_HALF_ANSWER, S3_FAULT_BODY};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        open_with_budget(8 * MIB);
        push(S3_OP_COMPLETE, kinds[i], 0, "<html>");
        run(2 * PART + 100, 0, FAKE_ENDS);
        rig_expect_arrived(&r);
        cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
        rig_close(&r);
    }
    cr_expect(s3_faulty_count_of(s3, S3_OP_HEAD) >= 3);
}

Test(dest_s3_stream_parts, an_error_in_a_200_is_no_success)
{
    for (int i = 0; i < 4; i++)
        push(S3_OP_COMPLETE, S3_FAULT_ERROR_IN_200, 200, "InternalError");
    run(2 * PART + 100, 0, FAKE_ENDS);
    cr_expect(eq(int, r.result.outcome.class, RETRY_TRANSIENT));
    rig_expect_nothing(&r);
    rig_close(&r);
}

Test(dest_s3_stream_parts, an_earlier_attempt_of_the_same_job_is_a_success)
{
    rig_job(&r, NULL);
    s3_faulty_put(s3, r.path, "made by another run", 19);
    rig_begin(&r, 2 * PART + 100, 0, FAKE_ENDS);
    rig_wait(&r);
    cr_expect(r.result.outcome.done, "%s", r.result.outcome.error);
    cr_expect(eq(i64, r.result.outcome.sent, 19));
    cr_expect(eq(str, r.result.outcome.sha256, rig_object(&r).sha256));
    cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
    rig_close(&r);
}

Test(dest_s3_stream_parts, under_a_chosen_key_other_bytes_are_somebody_elses)
{
    rig_job(&r, "reports/today.csv");
    s3_faulty_put(s3, r.path, "another report", 14);
    rig_begin(&r, 2 * PART + 100, 0, FAKE_ENDS);
    rig_wait(&r);
    cr_expect(not(r.result.outcome.done));
    cr_expect(eq(int, r.result.outcome.class, RETRY_NEVER));
    cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
    cr_expect(eq(i64, rig_object(&r).size, 14));
    rig_close(&r);
}

/* Whatever is refused with a 412 was not made by this attempt; but when all that is lost is the answer, the same parts tell. */
Test(dest_s3_stream_parts, under_a_chosen_key_what_was_made_of_the_same_parts_is_ours)
{
    rig_job(&r, "reports/today.csv");
    push(S3_OP_COMPLETE, S3_FAULT_LOST_ANSWER, 0, NULL);
    rig_begin(&r, 2 * PART + 100, 0, FAKE_ENDS);
    rig_wait(&r);
    rig_expect_arrived(&r);
    rig_close(&r);
}

Test(dest_s3_stream_parts, nothing_is_completed_after_the_lease_has_ended)
{
    static _Atomic int64_t until_ms;

    atomic_store(&until_ms, INT64_MAX);
    rig_job(&r, NULL);
    r.work.until_ms = &until_ms;
    rig_begin(&r, 2 * PART + 100, 100000, FAKE_HANGS);
    while (s3_faulty_parts(s3) < 2)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    atomic_store(&until_ms, clock_boot_ms());
    r.fake.end = FAKE_ENDS;
    r.fake.base.on_ready(r.fake.base.ctx);
    rig_wait(&r);
    cr_expect(r.result.outcome.aborted);
    cr_expect(eq(int, s3_faulty_objects(s3), 0));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_COMPLETE), 0));
    rig_close(&r);
}

/* The store takes nothing: the maker is held up when the parts that may be under way, and the first bytes of the next one, are
 * full. */
Test(dest_s3_stream_parts, a_slow_store_holds_up_the_maker)
{
    int64_t most = AT_ONCE * (int64_t)PART + 256 * 1024, before = -1;

    rig_job(&r, NULL);
    s3_faulty_close_gate(s3);
    rig_begin(&r, 20 * (int64_t)PART, 0, FAKE_ENDS);
    while (s3_faulty_waiting(s3) < AT_ONCE || r.fake.at != before) {
        before = r.fake.at;
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        cr_assert(r.fake.at <= most);
    }
    cr_expect(eq(i64, r.fake.at, most));
    cr_expect(eq(i64, budget.held, AT_ONCE * (int64_t)PART));
    s3_faulty_open_gate(s3);
    rig_wait(&r);
    rig_expect_arrived(&r);
    rig_close(&r);
}

/* Memory for one part, three streams: the others wait in the order in which they came, and all end. */
Test(dest_s3_stream_parts, streams_that_want_more_memory_than_there_is_take_turns)
{
    static struct rig many[3];

    open_with_budget(PART + MIB / 4);
    for (int i = 0; i < 3; i++) {
        rig_job(&many[i], NULL);
        rig_begin(&many[i], 3 * PART + i, 0, FAKE_ENDS);
    }
    while (many[0].result.calls == 0) {
        (void)uv_run(&loop, UV_RUN_ONCE);
        cr_assert(budget.held <= budget.limit);
        if (many[0].fake.at <= PART || many[0].fake.at == many[0].fake.size)
            continue;
        cr_assert(many[2].fake.at <= 256 * 1024);
        cr_expect(
            eq(int, destination_progress(dest, many[1].run).phase, DESTINATION_QUEUED));
    }
    for (int i = 0; i < 3; i++) {
        rig_wait(&many[i]);
        rig_expect_arrived(&many[i]);
        rig_close(&many[i]);
    }
}

Test(dest_s3_stream_parts,
     one_that_is_aborted_while_it_waits_for_memory_leaves_its_turn)
{
    static struct rig many[3];

    open_with_budget(PART + MIB / 4);
    for (int i = 0; i < 3; i++) {
        rig_job(&many[i], NULL);
        rig_begin(&many[i], PART + i, 0, FAKE_ENDS);
    }
    while (many[2].fake.at < 256 * 1024)
        (void)uv_run(&loop, UV_RUN_ONCE);
    destination_abort(dest, many[1].run);
    for (int i = 0; i < 3; i++)
        rig_wait(&many[i]);
    rig_expect_arrived(&many[0]);
    cr_expect(many[1].result.outcome.aborted);
    rig_expect_arrived(&many[2]);
    for (int i = 0; i < 3; i++)
        rig_close(&many[i]);
}

/* Small ones need none of it. */
Test(dest_s3_stream_parts, small_streams_do_not_wait_for_memory)
{
    static struct rig large, small;

    open_with_budget(PART);
    rig_job(&large, NULL);
    rig_begin(&large, PART - 1, 0, FAKE_HANGS);
    while (large.fake.at < large.fake.size)
        (void)uv_run(&loop, UV_RUN_ONCE);
    rig_job(&small, NULL);
    rig_begin(&small, 200 * 1024, 0, FAKE_ENDS);
    rig_wait(&small);
    rig_expect_arrived(&small);
    destination_abort(dest, large.run);
    rig_wait(&large);
    rig_close(&large);
    rig_close(&small);
}

Test(dest_s3_stream_parts, a_store_without_checksums_gets_none)
{
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.no_checksums = true});
    run(2 * PART + 100, 0, FAKE_ENDS);
    rig_expect_arrived(&r);
    rig_close(&r);
}
