/*
 * quota: requests a second, bytes a day and jobs in flight, through the whole responder.
 */
#include "tests/integration/access_rig.h"
#include "tests/integration/responder_worker.h"

#include "shared/clock.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_quota, .fini = responder_down, .timeout = 120);

#define JOBS "hoist:quota:{tester}:jobs"
#define DAY "hoist:quota:{tester}:day"

static int64_t in_flight(void)
{
    return redis_fixture_ask_int(&rig.redis, "ZCARD", JOBS, NULL);
}

static bool day_has(const char *bytes)
{
    char *said = redis_fixture_ask(&rig.redis, "HGET", DAY, "bytes", NULL);
    bool yes = said && strcmp(said, bytes) == 0;

    if (!yes)
        fprintf(stderr, "wanted %s bytes, there are %s\n", bytes, said ? said : "none");
    free(said);
    return yes;
}

static int put(const char *body)
{
    return access_put("tester", "/v1/uploads/a", body, NULL);
}

Test(responder_quota, more_requests_a_second_than_allowed_are_429_and_hurt_no_one_else)
{
    int allowed = 0, refused = 0;

    access_up_with("requests_per_second = 1\nrequests_burst = 3\n");
    int64_t began_ms = clock_mono_ms();
    for (int i = 0; i < 30; i++) {
        struct fcgi_response r = access_ask("tester", "GET", "/v1/jobs", NULL);
        allowed += r.status == 200;
        if (r.status == 429) {
            refused++;
            cr_expect(ne(ptr, strstr(r.text, "\r\nRetry-After: "), NULL), "%s", r.text);
            cr_expect(ne(ptr, strstr(r.text, "urn:hoist:problem:quota"), NULL));
        }
        fcgi_response_release(&r);
        cr_expect(eq(int, access_status("alice", "GET", "/v1/jobs"), 200));
    }
    int64_t gained = (clock_mono_ms() - began_ms) / 1000 + 1;
    cr_expect(eq(int, allowed + refused, 30));
    cr_expect(ge(int, allowed, 3));
    cr_expect(le(int, allowed, 3 + (int)gained));
}

/* The heads of so many uploads at once, then their bodies: how many are accepted. */
static int race(size_t count)
{
    enum { MOST = 32 };
    struct fcgi_client clients[MOST];
    char authorization[160];
    int accepted = 0;

    cr_assert(le(sz, count, (size_t)MOST));
    (void)snprintf(authorization, sizeof authorization, "Bearer %s",
                   access_token("tester"));
    for (size_t i = 0; i < count; i++) {
        struct fcgi_request r = {.method = "PUT",
                                 .uri = "/v1/uploads/a",
                                 .content_length = "5",
                                 .authorization = authorization};
        fcgi_client_open(&clients[i], rig.socket.path);
        fcgi_client_head(&clients[i], &r);
    }
    for (size_t i = 0; i < count; i++) {
        fcgi_client_body(&clients[i], "hello", 5);
        fcgi_client_record(&clients[i], FCGI_STDIN, NULL, 0);
    }
    for (size_t i = 0; i < count; i++) {
        struct fcgi_response r = fcgi_client_response(&clients[i], 20000);
        cr_expect(r.status == 202 || r.status == 429, "%s", r.text);
        accepted += r.status == 202;
        fcgi_response_release(&r);
        fcgi_client_close(&clients[i]);
    }
    return accepted;
}

Test(responder_quota,
     never_more_jobs_in_flight_than_allowed_whoever_asks_at_the_same_time)
{
    const char *id = "";

    access_up_with("jobs_in_flight = 5\n");
    cr_expect(eq(int, access_put("tester", "/v1/uploads/a", "hello", &id), 202));
    char *first = strdup(id);
    cr_expect(eq(int, race(24), 4));
    cr_expect(eq(sz, responder_count("jobs"), 10), "five jobs, two files each");
    cr_expect(eq(int, access_put("alice", "/v1/uploads/a", "x", NULL), 202));
    cr_assert(spawn_stop(&rig.process, 10000));
    responder_start();
    cr_expect(eq(int, put("x"), 429), "another process counts the same");

    cr_assert(WAIT_UNTIL(responder_field_is(first, "state", "waiting"), 10000));
    cr_expect(
        eq(int, access_status("tester", "DELETE", responder_job_uri(first, "")), 200));
    cr_expect(eq(int, put("x"), 202), "one has ended");
    cr_expect(eq(int, put("x"), 429));
    cr_expect(eq(i64, in_flight(), 5));
    free(first);
}

Test(responder_quota, it_is_refused_before_the_body_is_read)
{
    char authorization[160];
    struct fcgi_client c;

    access_up_with("jobs_in_flight = 1\n");
    cr_expect(eq(int, put("x"), 202));
    (void)snprintf(authorization, sizeof authorization, "Bearer %s",
                   access_token("tester"));
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &(struct fcgi_request){.method = "PUT",
                                                .uri = "/v1/uploads/a",
                                                .content_length = "1000000",
                                                .authorization = authorization});
    struct fcgi_response r = fcgi_client_response(&c, 10000);
    cr_expect(eq(int, r.status, 429), "%s", r.text);
    cr_expect(ne(ptr, strstr(r.text, "\r\nRetry-After: "), NULL), "%s", r.text);
    fcgi_response_release(&r);
    fcgi_client_close(&c);
    cr_expect(eq(sz, responder_count("tmp"), 0));
}

/* A job that is gone from Redis and spool does not count for ever. */
Test(responder_quota, jobs_that_nobody_knows_any_more_make_room)
{
    access_up_with("jobs_in_flight = 150\n");
    for (int i = 0; i < 150; i++) {
        char id[64];
        (void)snprintf(id, sizeof id, "default.0193c0de-7a1b-7c3d-9e4f-%012d", i);
        free(redis_fixture_ask(&rig.redis, "ZADD", JOBS, "1000", id, NULL));
    }
    cr_expect(eq(i64, in_flight(), 150));
    cr_expect(eq(int, put("x"), 202));
    cr_expect(le(i64, in_flight(), 51));
}

Test(responder_quota, bytes_of_a_day_are_counted_to_the_byte)
{
    access_up_with("bytes_per_day = 20\n");
    cr_expect(eq(int, put("123456789012345"), 202));
    cr_expect(eq(int, put("123456"), 429));
    cr_expect(day_has("15"));
    cr_expect(eq(int, access_put("tester", "/v1/uploads/a?unique=u", "12", NULL), 202));
    cr_expect(eq(int, access_put("tester", "/v1/uploads/a?unique=u", "12", NULL), 409));
    cr_expect(day_has("17"), "what was refused is given back");
    cr_expect(eq(int, put("123"), 202));
    cr_expect(day_has("20"));
    cr_expect(eq(int, put("1"), 429));
    free(redis_fixture_ask(&rig.redis, "HSET", DAY, "day", "1", NULL));
    cr_expect(eq(int, put("1"), 202), "a new day");
    cr_expect(day_has("1"));
}

Test(responder_quota, while_redis_is_away_uploads_are_counted_in_memory_and_told_later)
{
    access_up_with("jobs_in_flight = 4\nbytes_per_day = 100\n");
    cr_expect(eq(int, put("12345"), 202));
    redis_fixture_kill(&rig.redis);
    for (int i = 0; i < 3; i++)
        cr_expect(eq(int, put("12345"), 202), "%d", i);
    cr_expect(eq(int, put("x"), 429));
    redis_fixture_restart(&rig.redis); /* it has forgotten the first one */
    cr_assert(
        WAIT_UNTIL(access_put("tester", "/v1/uploads/a", "x", NULL) == 202, 20000));
    cr_expect(eq(i64, in_flight(), 4));
    cr_expect(day_has("16"));
    cr_expect(eq(int, put("x"), 429));
}

Test(responder_quota, dead_jobs_that_are_run_again_together_count_again)
{
    access_up_with("jobs_in_flight = 3\n");
    for (int i = 0; i < 2; i++)
        cr_expect(eq(int, put("x"), 202));
    cr_expect(eq(int, access_put("alice", "/v1/uploads/a", "x", NULL), 202));
    cr_assert(WAIT_UNTIL(
        redis_fixture_ask_int(&rig.redis, "ZCARD", "hoist:{default}:ready", NULL) == 3,
        10000));
    for (int i = 0; i < 3; i++) {
        struct queue_lease l = worker_take("default");
        worker_bury(&l);
    }
    free(redis_fixture_ask(&rig.redis, "DEL", JOBS, NULL));
    struct fcgi_response r =
        access_ask("boss", "POST", "/v1/queues/default/retry", NULL);
    cr_expect(ne(ptr, strstr(r.body, "\"retried\":3,"), NULL), "%s", r.text);
    fcgi_response_release(&r);
    cr_expect(eq(i64, in_flight(), 2), "alice has no quota");
    cr_expect(eq(int, put("x"), 202));
    cr_expect(eq(int, put("x"), 429));
}
