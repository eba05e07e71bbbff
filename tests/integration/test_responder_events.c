/*
 * GET /v1/jobs/{id}/events and GET /v1/events: what a stream tells, when it ends, and who is not let in.
 */
#include "tests/integration/access_rig.h"
#include "tests/integration/events_rig.h"
#include "tests/integration/responder_rig.h"
#include "tests/integration/responder_worker.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void up(void)
{
    access_up_with("scopes = upload\n[http]\nmax_listeners = 3\n");
}

TestSuite(responder_events, .init = up, .fini = responder_down, .timeout = 120);

static struct event_stream s, s2; /* too large for a stack */

static const char *bearer(const char *name)
{
    static char text[256];
    (void)snprintf(text, sizeof text, "Bearer %s", access_token(name));
    return text;
}

static struct fcgi_request listen_as(const char *name, const char *id)
{
    struct fcgi_request r = responder_get(responder_job_uri(id, "/events"));
    r.authorization = bearer(name);
    r.keep = true;
    return r;
}

static char *upload_as(const char *name)
{
    const char *id = NULL;
    cr_assert(eq(int, access_put(name, "/v1/uploads/a", "hello", &id), 202));
    char *copy = strdup(id);
    cr_assert(WAIT_UNTIL(responder_field_is(copy, "state", "waiting"), 5000));
    return copy;
}

Test(responder_events, a_stream_tells_each_state_and_progress_and_ends_with_the_job)
{
    char *id = upload_as("alice");
    struct fcgi_request r = listen_as("alice", id), live = responder_get("/healthz");
    live.keep = true;

    events_open(&s, &r);
    cr_expect(events_says(&s, "Content-Type: text/event-stream\r\n", 5000));
    cr_expect(events_says(&s, "X-Accel-Buffering: no\r\nStatus: 200 OK\r\n\r\n", 5000));
    cr_expect(strstr(s.text, "Content-Length") == NULL, "%s", s.text);
    cr_expect(events_says(&s, "retry: 2000\n\n", 5000));
    cr_expect(events_says(&s, "event: job\nid: ", 5000));
    cr_expect(events_says(&s, "\"state\":\"waiting\"", 5000));
    cr_expect(events_says(&s, "}\n\n", 5000));
    struct queue_lease l = worker_take("default");
    cr_expect(events_says(&s, "\"state\":\"running\"", 5000));
    worker_beat(&l, 3);
    cr_expect(events_says(&s, "\"sent\":3,", 5000));
    cr_expect(not(s.ended));
    worker_done(&l);
    cr_expect(events_says(&s, "\"state\":\"done\"", 5000));
    cr_expect(events_ends(&s, 5000));
    fcgi_client_request(&s.client, &live); /* the connection goes on */
    struct fcgi_response a = fcgi_client_response(&s.client, 5000);
    cr_expect(eq(int, a.status, 200));
    fcgi_response_release(&a);
    events_close(&s);
    free(id);
}

Test(responder_events, who_comes_again_is_told_what_is_new_and_stays_away_after_the_end)
{
    char *id = upload_as("alice"), last[64], header[128];
    struct fcgi_request r = listen_as("alice", id);

    events_open(&s, &r);
    cr_expect(events_says(&s, "\"state\":\"waiting\"", 5000));
    events_last_id(&s, last);
    events_close(&s);
    (void)snprintf(header, sizeof header, "HTTP_LAST_EVENT_ID=%s", last);
    r.param = header;
    events_open(&s, &r);
    cr_expect(events_says(&s, "retry:", 5000));
    cr_expect(events_keeps_from(&s, "event: job", 300));
    struct queue_lease l = worker_take("default");
    worker_done(&l);
    cr_expect(events_says(&s, "\"state\":\"done\"", 5000));
    cr_expect(events_ends(&s, 5000));
    events_last_id(&s, last);
    events_close(&s);
    struct fcgi_response a = responder_ask(&r); /* with what it knew before: the end */
    cr_expect(strstr(a.body, "\"state\":\"done\"") != NULL, "%s", a.text);
    fcgi_response_release(&a);
    (void)snprintf(header, sizeof header, "HTTP_LAST_EVENT_ID=%s", last);
    cr_expect(eq(int, responder_status(&r), 204));
    free(id);
}

Test(responder_events, there_are_max_listeners_and_who_leaves_or_aborts_makes_room)
{
    char *id = upload_as("alice");
    struct fcgi_request r = listen_as("alice", id);
    struct event_stream *list[3] = {malloc(sizeof s), malloc(sizeof s),
                                    malloc(sizeof s)};

    for (int i = 0; i < 3; i++) {
        events_open(list[i], &r);
        cr_expect(events_says(list[i], "event: job", 5000));
    }
    struct fcgi_response a = responder_ask(&r);
    cr_expect(eq(int, a.status, 503), "%s", a.text);
    cr_expect(strstr(a.text, "Retry-After: 10\r\n") != NULL, "%s", a.text);
    fcgi_response_release(&a);
    events_close(list[0]);
    cr_expect(WAIT_UNTIL((events_open(&s, &r), events_says(&s, "Status: ", 5000),
                          strstr(s.text, "Status: 200") || (events_close(&s), false)),
                         10000));
    fcgi_client_record(&list[1]->client, FCGI_ABORT, NULL, 0);
    cr_expect(events_ends(list[1], 5000));
    cr_expect(events_closes(list[1], 5000));
    fcgi_client_raw(&list[2]->client, "GET / HTTP/1.1\r\n", 16); /* has no place here */
    cr_expect(events_closes(list[2], 5000));
    cr_expect(not(list[2]->ended));
    for (int i = 1; i < 3; i++)
        events_close(list[i]);
    for (int i = 0; i < 3; i++)
        free(list[i]);
    events_close(&s);
    free(id);
}

/* The status and the problem, without the request's id. */
static char *refusal(const char *name, const char *uri)
{
    struct fcgi_request r = responder_get(uri);
    char *text = NULL;
    r.authorization = bearer(name);
    struct fcgi_response a = responder_ask(&r);
    char *id = strstr(a.text, ",\"request_id\"");
    if (id)
        *id = '\0';
    cr_assert(gt(int, asprintf(&text, "%d %s", a.status, a.body), 0));
    fcgi_response_release(&a);
    return text;
}

Test(responder_events,
     foreign_and_unknown_jobs_are_the_same_404_and_other_methods_stream_not)
{
    char *id = upload_as("alice");
    char *foreign = refusal("bob", responder_job_uri(id, "/events"));
    char *unknown =
        refusal("bob", "/v1/jobs/default.01890a5d-ac96-774b-bcce-b302099a8057/events");
    struct fcgi_request r = listen_as("alice", id);

    cr_expect(eq(str, foreign, unknown));
    cr_expect(eq(int, strncmp(foreign, "404 ", 4), 0), "%s", foreign);
    r.method = "HEAD";
    struct fcgi_response a = responder_ask(&r);
    cr_expect(eq(int, a.status, 200));
    cr_expect(a.ended && *a.body == '\0', "%s", a.text);
    cr_expect(strstr(a.text, "text/event-stream") && !strstr(a.text, "Content-Length"),
              "%s", a.text);
    fcgi_response_release(&a);
    r.method = "OPTIONS";
    cr_expect(eq(int, responder_status(&r), 204));
    r.method = "POST";
    cr_expect(eq(int, responder_status(&r), 405));
    r.method = "GET";
    r.authorization = NULL;
    cr_expect(eq(int, responder_status(&r), 401));
    free(foreign);
    free(unknown);
    free(id);
}

Test(responder_events, listeners_stay_while_redis_is_away_and_learn_what_happened)
{
    char *id = upload_as("alice"), *id2 = upload_as("alice");
    struct fcgi_request r = listen_as("alice", id);

    events_open(&s, &r);
    cr_expect(events_says(&s, "\"state\":\"waiting\"", 5000));
    r = listen_as("alice", id2);
    events_open(&s2, &r);
    cr_expect(events_says(&s2, "\"state\":\"waiting\"", 5000));
    redis_fixture_pause(&rig.redis);
    cr_expect(events_keeps_from(&s, "event: job", 700));
    redis_fixture_resume(&rig.redis);
    struct queue_lease l = worker_take("default"), l2 = worker_take("default");
    cr_expect(events_says(&s, "\"state\":\"running\"", 10000));
    /* The connections are lost, and the events with them. */
    free(redis_fixture_ask(&rig.redis, "CLIENT", "KILL", "TYPE", "normal", NULL));
    worker_done(&l);
    worker_done(&l2);
    free(redis_fixture_ask(&rig.redis, "DEL", "hoist:{default}:events", NULL));
    cr_expect(events_says(&s, "\"state\":\"done\"", 10000));
    cr_expect(events_says(&s2, "\"state\":\"done\"", 10000));
    cr_expect(events_ends(&s, 5000) && events_ends(&s2, 5000));
    events_close(&s);
    events_close(&s2);
    free(id);
    free(id2);
}

Test(responder_events, streams_end_when_the_responder_stops)
{
    char *id = upload_as("alice");
    struct fcgi_request r = listen_as("alice", id);

    events_open(&s, &r);
    cr_expect(events_says(&s, "event: job", 5000));
    int64_t start_ms = wait_now_ms();
    (void)kill(rig.process.pid, SIGTERM);
    cr_expect(events_ends(&s, 5000));
    cr_expect(WAIT_UNTIL(!spawn_is_running(&rig.process), 5000));
    cr_expect(lt(i64, wait_now_ms() - start_ms, 5000));
    events_close(&s);
    free(id);
}

static struct fcgi_request feed_as(const char *name)
{
    struct fcgi_request r = responder_get("/v1/events");
    r.authorization = bearer(name);
    return r;
}

Test(responder_events, the_feed_tells_queues_workers_and_jobs_to_who_may_see_them)
{
    struct fcgi_request r = feed_as("boss");
    struct event_stream *bob = malloc(sizeof s);

    events_open(&s, &r);
    cr_expect(events_says(&s, "event: queues\ndata: {\"queues\":[{\"name\":\"", 5000));
    cr_expect(events_says(&s, "\"history\":{", 5000));
    cr_expect(events_says(&s, "event: workers\ndata: {\"workers\":[", 5000));
    r = feed_as("alice");
    events_open(&s2, &r);
    cr_expect(events_says(&s2, "event: workers", 5000));
    r = feed_as("bob");
    events_open(bob, &r);
    cr_expect(events_says(bob, "event: workers", 5000));
    cr_expect(strstr(bob->text, "\"name\":\"media\"") != NULL);
    cr_expect(strstr(bob->text, "\"name\":\"default\"") == NULL, "%s", bob->text);
    char *id = upload_as("alice"), want[200];
    (void)snprintf(want, sizeof want,
                   "event: job\ndata: {\"id\":\"%s\",\"queue\":\"default\","
                   "\"state\":\"running\"}\n\n",
                   id);
    cr_expect(events_says(&s, "{\"name\":\"default\",\"ready\":1,", 5000));
    cr_expect(events_says(&s2, "{\"name\":\"default\",\"ready\":1,", 5000));
    struct queue_lease l = worker_take("default");
    cr_expect(events_says(&s, want, 5000));
    cr_expect(events_says(&s, "\"running\":1,", 5000));
    worker_done(&l);
    cr_expect(events_says(&s, "\"state\":\"done\"}", 5000));
    cr_expect(events_says(&s, "\"done\":1,", 5000));
    cr_expect(events_says(&s2, "\"done\":1,", 5000));
    cr_expect(strstr(s2.text, "event: job") == NULL, "%s", s2.text);
    cr_expect(strstr(bob->text, "\"name\":\"default\"") == NULL, "%s", bob->text);
    cr_expect(eq(int, access_status("tester", "GET", "/v1/events"), 403));
    cr_expect(eq(int, access_status(NULL, "GET", "/v1/events"), 401));
    cr_expect(eq(int, access_status("boss", "HEAD", "/v1/events"), 200));
    events_close(bob);
    events_close(&s);
    events_close(&s2);
    free(bob);
    free(id);
}

static int64_t commands(void)
{
    char *text = redis_fixture_ask(&rig.redis, "INFO", "stats", NULL);
    const char *at = strstr(text, "total_commands_processed:");
    int64_t n = at ? strtoll(at + strlen("total_commands_processed:"), NULL, 10) : -1;
    free(text);
    return n;
}

Test(responder_events, an_idle_feed_asks_redis_little_and_says_when_it_is_away)
{
    struct fcgi_request r = feed_as("boss");

    events_open(&s, &r);
    events_open(&s2, &r);
    cr_expect(events_says(&s, "event: workers", 5000));
    cr_expect(events_says(&s2, "event: workers", 5000));
    cr_expect(events_keeps_from(&s, "event: nothing", 300));
    int64_t before = commands();
    cr_expect(events_keeps_from(&s, "event: nothing", 1500));
    cr_expect(le(i64, commands() - before, 6));
    redis_fixture_kill(&rig.redis);
    cr_expect(events_says(&s, "event: redis\ndata: {\"away\":true}\n\n", 15000));
    redis_fixture_restart(&rig.redis);
    cr_expect(events_says(&s, "event: redis\ndata: {\"away\":false}\n\n", 10000));
    cr_expect(events_says(&s2, "{\"away\":false}", 10000));
    char *id = upload_as("alice");
    cr_expect(events_says(&s, "{\"name\":\"default\",\"ready\":1,", 10000));
    events_close(&s);
    events_close(&s2);
    free(id);
}

/* As a queue's script writes it. */
static void tell(const char *uuid)
{
    free(redis_fixture_ask(&rig.redis, "XADD", "hoist:{default}:events", "*", uuid,
                           "done", NULL));
}

/* The reader rests for a moment after each event; who begins to listen then must not be greeted before it stands anew. */
Test(responder_events, a_feed_that_begins_when_another_one_has_just_left_misses_no_job)
{
    struct fcgi_request r = feed_as("boss");

    for (int i = 0; i < 3; i++) {
        char first[64], second[64];
        (void)snprintf(first, sizeof first, "01901b2c-3d4e-7f00-8a1b-00000000000%d", i);
        (void)snprintf(second, sizeof second, "01901b2c-3d4e-7f00-8a1b-00000000001%d",
                       i);
        events_open(&s, &r);
        cr_expect(events_says(&s, "event: workers", 5000));
        tell(first);
        events_close(&s);
        events_open(&s2, &r);
        cr_expect(events_says(&s2, "event: workers", 5000));
        tell(second);
        cr_expect(events_says(&s2, second, 5000), "%d", i);
        events_close(&s2);
    }
}
