/* The destination http(s)://: looks, aborts, a lease that has run out, bytes that each attempt makes anew. */
#include "tests/integration/dest_http_harness.h"

TestSuite(dest_http_ends, .init = up, .fini = down, .timeout = 120);

static struct dest_result look_at(const char *key)
{
    struct job j = dest_job(key, BODY, strlen(BODY));
    struct dest_result r = {0};
    struct destination_work w = {
        .job = &j, .fd = -1, .only_look = true, .done = dest_on_done, .ctx = &r};

    cr_assert(destination_begin(dest, &w) && r.calls == 0);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    job_release(&j);
    return r;
}

Test(dest_http_ends, a_look_is_a_head_and_of_a_post_nobody_can_tell)
{
    http_sink_push(sink, (struct http_reply){.status = 404});
    struct dest_result r = look_at("k");
    cr_expect(r.outcome.absent && !r.outcome.done && !r.outcome.blind);
    outcome_release(&r.outcome);
    cr_expect(eq(str, request(0).method, "HEAD"));

    http_sink_push(sink, (struct http_reply){.status = 503});
    r = look_at("k");
    cr_expect(not(r.outcome.blind));
    expect_failure(r, "transient", "503");

    http_sink_push(sink, (struct http_reply){.status = 501});
    r = look_at("k");
    cr_expect(r.outcome.blind);
    expect_failure(r, "never", "no HEAD");

    config.method = CONFIG_POST;
    r = look_at("k");
    cr_expect(r.outcome.blind);
    expect_failure(r, "never", "cannot be told");
    cr_expect(eq(sz, http_sink_count(sink), 3), "nothing was sent for it");
}

static void abort_when_it_is_there(uv_timer_t *timer)
{
    if (http_sink_count(sink) > 0) {
        destination_abort(dest, timer->data);
        (void)uv_timer_stop(timer);
    }
}

Test(dest_http_ends, an_abort_ends_the_run_although_the_server_keeps_silent)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .done = dest_on_done,
                                 .ctx = &r};
    static uv_timer_t timer; /* closed with the loop */

    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_HELD});
    (void)uv_timer_init(&loop, &timer);
    timer.data = destination_begin(dest, &w);
    (void)uv_timer_start(&timer, abort_when_it_is_there, 5, 5);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.aborted && !r.outcome.done);
    uv_close((uv_handle_t *)&timer, NULL);
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_http_ends, nothing_is_sent_when_the_lease_has_run_out)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    _Atomic int64_t until_ms = clock_boot_ms();
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .until_ms = &until_ms,
                                 .done = dest_on_done,
                                 .ctx = &r};

    cr_assert(destination_begin(dest, &w) != NULL);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.aborted);
    cr_expect(eq(sz, http_sink_count(sink), 0));
    outcome_release(&r.outcome);
    job_release(&j);
}

/* A program need not write the same twice: what an earlier attempt left under the job's own key is its object. */
Test(dest_http_ends, what_was_made_anew_is_done_where_an_earlier_attempt_was)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    struct err e = ERR_INIT;

    cr_assert(job_set_key(&j, j.id.uuid.text, ID_UUID_LEN, &e) == ERR_OK);
    for (int remade = 1; remade >= 0; remade--) {
        struct dest_result r = {0};
        struct destination_work w = {.job = &j,
                                     .fd = dest_data(BODY, strlen(BODY)),
                                     .remade = remade,
                                     .done = dest_on_done,
                                     .ctx = &r};
        http_sink_push(sink, (struct http_reply){.status = 412});
        http_sink_push(sink, (struct http_reply){.length = 7});
        cr_assert(destination_begin(dest, &w) != NULL);
        while (r.calls == 0)
            (void)uv_run(&loop, UV_RUN_ONCE);
        cr_expect(eq(int, r.outcome.done, remade), "%s", r.outcome.error);
        cr_expect(eq(int, r.outcome.earlier, remade), "these are not its bytes");
        if (remade)
            cr_expect(eq(i64, r.outcome.sent, 7));
        outcome_release(&r.outcome);
    }
    job_release(&j);
}
