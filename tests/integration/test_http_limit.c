/* Limited bandwidth: uploads that leave no faster than they may, in turns, and whose waiting is no fault of the store's. */
#include "tests/integration/dest_s3_harness.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "worker/http/bandwidth.h"

TestSuite(http_limit, .init = up, .fini = down, .timeout = 120);

enum { UPLOADS = 4, MAX = 256 * 1024 };

static char body[MAX];
static struct job jobs[UPLOADS];
static struct dest_result results[UPLOADS];
static struct destination_run *runs[UPLOADS];

static void begin(int i, size_t size)
{
    char key[32];

    (void)snprintf(key, sizeof key, "key %d", i);
    memset(body, 'a' + i, size);
    jobs[i] = dest_job(key, body, size);
    runs[i] =
        destination_begin(dest, &(struct destination_work){.job = &jobs[i],
                                                           .fd = dest_data(body, size),
                                                           .done = dest_on_done,
                                                           .ctx = &results[i]});
    cr_assert(runs[i] != NULL);
}

static void finish(int count)
{
    for (int i = 0; i < count; i++) {
        while (results[i].calls == 0)
            (void)uv_run(&loop, UV_RUN_ONCE);
        job_release(&jobs[i]);
        outcome_release(&results[i].outcome);
    }
}

Test(http_limit, an_upload_takes_at_least_the_time_its_bytes_need)
{
    int64_t begun_us = clock_mono_us();

    http_limit(http, 256 * 1024);
    begin(0, MAX);
    while (results[0].calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(results[0].outcome.done, "%s", results[0].outcome.error);
    cr_expect(clock_mono_us() - begun_us >= 1000 * 1000);
    finish(1);
}

Test(http_limit, uploads_at_the_same_time_share_it)
{
    enum { SIZE = 64 * 1024 };
    int64_t begun_us = clock_mono_us();

    http_limit(http, 256 * 1024);
    for (int i = 0; i < UPLOADS; i++)
        begin(i, SIZE);
    int ended = 0;
    while (ended == 0) {
        (void)uv_run(&loop, UV_RUN_ONCE);
        for (int i = 0; i < UPLOADS; i++)
            ended += results[i].calls;
    }
    for (int i = 0; i < UPLOADS; i++)
        cr_expect(results[i].calls == 1 ||
                      destination_sent(dest, runs[i]) >= SIZE - SIZE / 4,
                  "the first has ended, and the others are close behind it");
    for (int i = 0; i < UPLOADS; i++)
        while (results[i].calls == 0)
            (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(clock_mono_us() - begun_us >= 1000 * 1000);
    for (int i = 0; i < UPLOADS; i++)
        cr_expect(results[i].outcome.done, "%s", results[i].outcome.error);
    finish(UPLOADS);
}

/* Time-outs are a second here, a piece takes half as long again, the second one comes after three. */
Test(http_limit, who_waits_for_a_turn_has_not_stalled)
{
    http_limit(http, 700);
    for (int i = 0; i < 2; i++)
        begin(i, BANDWIDTH_PIECE_MIN);
    for (int i = 0; i < 2; i++)
        while (results[i].calls == 0)
            (void)uv_run(&loop, UV_RUN_ONCE);
    for (int i = 0; i < 2; i++)
        cr_expect(results[i].outcome.done, "%s", results[i].outcome.error);
    finish(2);
}

Test(http_limit, a_store_that_does_not_answer_is_late_all_the_same)
{
    http_limit(http, 1024 * 1024);
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_HANG});
    begin(0, 1024);
    while (results[0].calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 1), "it was looked for in the end");
    finish(1);
}

Test(http_limit, an_answer_does_not_wait_for_the_body_to_have_its_turn)
{
    http_limit(http, 10);
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_EARLY_STATUS,
                                         .status = 403,
                                         .code = "AccessDenied"});
    begin(0, MAX); /* of hours */
    while (results[0].calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(eq(int, results[0].outcome.class, RETRY_CONFIG), "%s",
              results[0].outcome.error);
    finish(1);
}

Test(http_limit, one_that_is_aborted_leaves_its_turn_to_the_others)
{
    http_limit(http, 3000);
    for (int i = 0; i < 3; i++)
        begin(i, BANDWIDTH_PIECE_MIN);
    while (s3_faulty_count(s3, "PUT") < 3)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    destination_abort(dest, runs[1]);
    for (int i = 0; i < 3; i++)
        while (results[i].calls == 0)
            (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(results[0].outcome.done && results[2].outcome.done);
    cr_expect(results[1].outcome.aborted);
    finish(3);
}
