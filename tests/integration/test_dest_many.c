/* Several destinations at once: each gets the bytes, what has arrived stays, and what they come to together. */
#include "tests/integration/dest_many_harness.h"

#include "shared/job_arrived.h"

TestSuite(dest_many, .init = up, .fini = down, .timeout = 120);

static void expect_arrived(const struct outcome *o, const char *want)
{
    cr_expect(eq(str, o->arrived ? o->arrived : "(nowhere)", (char *)want));
}

Test(dest_many, each_gets_the_bytes)
{
    struct job j = job_to("b,h,a");
    struct dest_result r = deliver(&j);
    char want[1024];

    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(is_in("a") && is_in("b"));
    struct http_sink_request got;
    cr_assert(http_sink_request(sink, 0, &got));
    cr_expect(got.len == strlen(BODY) && memcmp(got.body, BODY, got.len) == 0);
    (void)snprintf(want, sizeof want, "file://%s/b/k", dir.path);
    cr_expect(eq(str, r.outcome.url, want), "that of the first");
    cr_expect(eq(i64, r.outcome.sent, strlen(BODY)));
    for (const char *s = "abh"; *s; s++) {
        (void)snprintf(want, sizeof want, "%c\n", *s);
        cr_expect(strstr(r.outcome.arrived, want) != NULL);
    }
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_many, what_has_arrived_is_not_sent_there_again)
{
    struct job j = job_to("h,a");
    struct err e = ERR_INIT;

    cr_assert(job_add_arrived(&j, "h", "http://before/k", 15, &e) == ERR_OK);
    struct dest_result r = deliver(&j);
    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(sz, http_sink_count(sink), 0));
    cr_expect(is_in("a"));
    cr_expect(eq(str, r.outcome.url, "http://before/k"));
    outcome_release(&r.outcome);

    cr_assert(job_add_arrived(&j, "a", "", 0, &e) == ERR_OK);
    r = deliver(&j);
    cr_expect(r.outcome.done, "nothing is left to do");
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_many, one_that_fails_does_not_hold_up_the_others)
{
    struct job j = job_to("h,a,b");

    http_sink_push(sink,
                   (struct http_reply){.status = 503, .headers = "Retry-After: 9\r\n"});
    struct dest_result r = deliver(&j);
    cr_expect(not(r.outcome.done));
    cr_expect(eq(str, (char *)r.outcome.error_class, "transient"));
    cr_expect(eq(str, r.outcome.error, "h: PUT: status 503"));
    cr_expect(eq(i64, r.outcome.retry_after_ms, 9000));
    cr_expect(is_in("a") && is_in("b"));
    cr_expect(strstr(r.outcome.arrived, "a\nfile:") != NULL);
    cr_expect(eq(ptr, strstr(r.outcome.arrived, "h\n"), NULL));
    cr_expect(r.outcome.sent <= j.size && r.outcome.sent > 0);
    outcome_release(&r.outcome);
    job_release(&j);
}

/* The first that a retry can mend gives the class; where none can, the job is dead. */
Test(dest_many, a_refusal_for_good_counts_last)
{
    struct job j = job_to("h,p,a");

    http_sink_push(sink, (struct http_reply){.status = 422});
    http_sink_push(sink, (struct http_reply){.status = 422});
    struct dest_result r = deliver(&j);
    cr_expect(eq(str, (char *)r.outcome.error_class, "never"));
    cr_expect(strstr(r.outcome.error, "h: PUT: status 422; p: POST: status 422") !=
                  NULL,
              "%s", r.outcome.error);
    outcome_release(&r.outcome);
    job_release(&j);

    j = job_to("p,b");
    http_sink_push(sink, (struct http_reply){.status = 422});
    char path[512];
    (void)snprintf(path, sizeof path, "%s/b", dir.path);
    cr_assert(eq(int, rmdir(path), 0));
    r = deliver(&j);
    cr_expect(eq(str, (char *)r.outcome.error_class, "config"), "%s", r.outcome.error);
    cr_expect(r.outcome.class == RETRY_CONFIG);
    expect_arrived(&r.outcome, "(nowhere)");
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_many, a_list_with_a_name_that_is_not_configured_leads_nowhere)
{
    struct job j = job_to("a,nope");

    cr_expect(eq(ptr, destinations_route(destinations, &j), NULL));
    job_release(&j);
}

static struct dest_result look_at(const struct job *j)
{
    struct dest_result r = {0};
    struct destination_work w = {
        .job = j, .fd = -1, .only_look = true, .done = dest_on_done, .ctx = &r};

    cr_assert(destination_begin(find(j), &w) && r.calls == 0);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    return r;
}

Test(dest_many,
     a_look_is_done_when_it_is_everywhere_and_absent_when_it_is_missing_at_one)
{
    struct job both = job_to("a,b"), one = job_to("a,b"), mixed = job_to("a,p");
    struct job only = job_to("p");
    struct err e = ERR_INIT;

    memcpy(&one.id, &both.id, sizeof one.id);
    struct dest_result r = look_at(&both);
    cr_expect(r.outcome.absent && !r.outcome.done);
    outcome_release(&r.outcome);

    cr_assert(job_add_arrived(&one, "b", "", 0, &e) == ERR_OK);
    r = deliver(&one); /* at a alone */
    outcome_release(&r.outcome);
    r = look_at(&one);
    cr_expect(r.outcome.absent, "what the record says does not count here");
    outcome_release(&r.outcome);
    r = look_at(&mixed);
    cr_expect(r.outcome.done, "nobody can look at p: %s", r.outcome.error);
    outcome_release(&r.outcome);

    r = deliver(&both);
    cr_expect(r.outcome.done);
    outcome_release(&r.outcome);
    r = look_at(&both);
    cr_expect(r.outcome.done && !r.outcome.absent);
    expect_arrived(&r.outcome, "(nowhere)");
    outcome_release(&r.outcome);
    r = look_at(&only);
    cr_expect(r.outcome.blind);
    outcome_release(&r.outcome);
    job_release(&both);
    job_release(&one);
    job_release(&mixed);
    job_release(&only);
}

static void abort_when_it_is_there(uv_timer_t *timer)
{
    if (http_sink_count(sink) > 0 && is_in("a")) {
        struct destination_run **run = timer->data;
        struct job j = job_to("h,a");
        destination_abort(find(&j), *run);
        job_release(&j);
        (void)uv_timer_stop(timer);
    }
}

Test(dest_many, what_had_arrived_before_an_abort_is_told)
{
    struct job j = job_to("h,a");
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .done = dest_on_done,
                                 .ctx = &r};
    static uv_timer_t timer; /* closed with the loop */

    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_HELD});
    struct destination_run *run = destination_begin(find(&j), &w);
    (void)uv_timer_init(&loop, &timer);
    timer.data = &run;
    (void)uv_timer_start(&timer, abort_when_it_is_there, 5, 5);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    cr_expect(r.outcome.aborted && !r.outcome.done);
    cr_expect(r.outcome.arrived && strncmp(r.outcome.arrived, "a\nfile:", 7) == 0);
    outcome_release(&r.outcome);
    job_release(&j);
}
