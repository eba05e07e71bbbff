/* Attempts are told to a collector of traces, and the trace goes on to the destination. */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/http_sink.h"
#include "tests/support/wait_until.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

enum { END_MS = 10000 };

static struct worker_rig rig;
static struct http_sink *collector, *store;

static void down(void)
{
    rig_down(&rig);
    http_sink_stop(collector);
    http_sink_stop(store);
    collector = store = NULL;
}

TestSuite(worker_trace, .fini = down, .timeout = 120);

static void up(const char *path)
{
    char settings[512];

    collector = http_sink_start();
    store = http_sink_start();
    (void)snprintf(settings, sizeof settings,
                   "otlp_url = %s%s\notlp_header = X-Team: uploads\n"
                   "[destination web]\nurl = %s/in\nconditional = no\n",
                   http_sink_url(collector), path, http_sink_url(store));
    rig_up(&rig, settings);
}

static struct job_id put(const char *traceparent)
{
    return rig_put(
        &rig, &(struct rig_job){.data = "x", .to = "web", .traceparent = traceparent});
}

/* Of the header of the index-th request to the store: "00-" and the trace, then the span's id, then the flags. */
static void span_id_at_store(size_t index, char ret[17])
{
    struct http_sink_request r;
    char value[128];

    ret[0] = '\0';
    cr_assert(http_sink_request(store, index, &r));
    if (http_sink_header(&r, "traceparent", value, sizeof value) && strlen(value) == 55)
        (void)snprintf(ret, 17, "%.16s", value + 36);
}

/* What the index-th request to the collector says, once it has come. */
static const char *told(size_t index)
{
    static struct http_sink_request r;

    cr_assert(WAIT_UNTIL(http_sink_count(collector) > index, END_MS));
    cr_assert(http_sink_request(collector, index, &r));
    return r.body;
}

Test(worker_trace, an_attempt_stands_between_the_upload_and_what_the_store_does)
{
    char id[17], want[64], value[64];
    struct http_sink_request r;

    up("/v1/traces");
    http_sink_push(store, (struct http_reply){.status = 500});
    struct job_id job = put("00-" TRACE "-" PARENT "-01");
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &job, "done", END_MS));
    cr_assert(spawn_stop(w, END_MS), "what was gathered is told at the end");
    const char *body = told(0);
    cr_expect(http_sink_count(collector) == 1);
    for (size_t i = 0; i < 2; i++) {
        span_id_at_store(i, id);
        (void)snprintf(want, sizeof want, "\"spanId\":\"%s\"", id);
        cr_expect(id[0] && strcmp(id, PARENT) != 0 && strstr(body, want), "%s in %s",
                  id, body);
    }
    cr_expect(strstr(body, "\"parentSpanId\":\"" PARENT
                           "\",\"name\":\"wait default\"") != NULL);
    cr_expect(strstr(body, "\"hoist.attempt\",\"value\":{\"intValue\":\"1\"}") != NULL);
    cr_expect(strstr(body, "\"hoist.attempt\",\"value\":{\"intValue\":\"2\"}") != NULL);
    cr_expect(strstr(body, "\"status\":{\"code\":2,\"message\":\"") != NULL);
    cr_assert(http_sink_request(collector, 0, &r));
    cr_expect(eq(str, r.path, "/v1/traces"));
    cr_expect(http_sink_header(&r, "content-type", value, sizeof value));
    cr_expect(eq(str, value, "application/json"));
    cr_expect(http_sink_header(&r, "x-team", value, sizeof value));
    cr_expect(eq(str, value, "uploads"));
}

Test(worker_trace, what_is_not_sampled_goes_on_and_is_not_told)
{
    struct http_sink_request r;
    char value[128];

    up("/");
    struct job_id job = put("00-" TRACE "-" PARENT "-00");
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &job, "done", END_MS));
    cr_assert(spawn_stop(w, END_MS));
    cr_expect(eq(int, (int)http_sink_count(collector), 0));
    cr_assert(http_sink_request(store, 0, &r));
    cr_expect(http_sink_header(&r, "traceparent", value, sizeof value));
    cr_expect(strncmp(value, "00-" TRACE "-", 36) == 0 &&
                  strcmp(value + 52, "-00") == 0,
              "%s", value);
}

Test(worker_trace, a_collector_that_is_busy_is_asked_again_and_holds_nothing_up)
{
    up("/");
    http_sink_push(collector, (struct http_reply){.status = 503});
    struct job_id job = put(NULL);
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &job, "done", END_MS));
    char *first = strdup(told(0));
    cr_expect(eq(str, (char *)told(1), first), "the same again");
    free(first);
    cr_expect(eq(int, rig_log_count(w, "at=trace"), 0));

    http_sink_push(collector, (struct http_reply){.status = 400});
    job = put(NULL);
    cr_assert(rig_wait_state(&rig, &job, "done", END_MS));
    cr_assert(WAIT_UNTIL(
        rig_log_count(w, "traces are not taken\" why=\"status 400\" lost=1") == 1,
        END_MS));
    cr_assert(spawn_stop(w, END_MS));
    cr_expect(eq(int, (int)http_sink_count(collector), 3), "and not again");
}

Test(worker_trace, a_collector_that_hangs_holds_up_the_end_for_half_a_second_only)
{
    up("/");
    http_sink_push(collector, (struct http_reply){.kind = HTTP_REPLY_HELD});
    struct job_id job = put(NULL);
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &job, "done", END_MS));
    int64_t began = wait_now_ms();
    cr_assert(spawn_stop(w, END_MS));
    cr_expect(ge(i64, wait_now_ms() - began, 400), "it was waited for");
    cr_expect(eq(int, rig_log_count(w, "stopped before all was closed"), 0));
    http_sink_let_go(collector);
}
