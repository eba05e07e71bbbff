/*
 * responder: GET /v1/workers: who works, and of their jobs those that the client may see.
 */
#include "tests/integration/access_rig.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_workers, .fini = responder_down, .timeout = 120);

static bool has(const struct fcgi_response *r, const char *part)
{
    return strstr(r->text, part) != NULL;
}

#define UUID_(n) "0193c0de-7a1b-7c3d-9e4f-00000000000" n

static void edit(const char *field, const char *value)
{
    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:worker:w1", field, value, NULL));
}

static bool sees(const char *name, const char *part)
{
    struct fcgi_response r = access_ask(name, "GET", "/v1/workers", NULL);
    bool seen = has(&r, part);

    cr_expect(eq(int, r.status, 200), "%s", r.text);
    fcgi_response_release(&r);
    return seen;
}

Test(responder_workers, workers_are_shown_with_the_jobs_that_the_client_may_see)
{
    access_up();
    edit("host", "h\"7");
    edit("seen", "1764451470000");
    edit("queues", "default,media,gone");
    edit("running", "3");
    edit("jobs",
         "default." UUID_("1") " alice - uploading 9 5 3 0 0 1764451470000 alices.txt\n"
                               "media." UUID_(
                                   "2") " bob - reading 9 5 3 7 2 0 bobs.txt\n"
                                        "media." UUID_(
                                            "3") " - - - 9 5 3 0 0 0 <script>x\n");
    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:workers", "2", "w1", "1", "w2",
                           NULL));
    cr_expect(eq(int, access_status(NULL, "GET", "/v1/workers"), 401));
    cr_expect(sees(
        "alice", "{\"id\":\"w1\",\"host\":\"h\\\"7\","
                 "\"seen\":\"2025-11-29T21:24:30.000Z\","
                 "\"queues\":[\"default\",\"media\",\"gone\"],\"busy\":3,"
                 "\"jobs\":[{\"id\":\"default." UUID_(
                     "1") "\","
                          "\"name\":\"alices.txt\",\"phase\":\"uploading\",\"size\":9,"
                          "\"sent\":5,\"rate\":3,"
                          "\"started\":\"2025-11-29T21:24:30.000Z\"}]}],"
                          "\"more\":false}"));
    cr_expect_not(sees("alice", "bobs.txt") || sees("alice", UUID_("2")));
    cr_expect(sees("bob",
                   "\"queues\":[\"media\"],\"busy\":3,\"jobs\":[{\"id\":\"media." UUID_(
                       "2") "\",\"name\":\"bobs.txt\",\"phase\":\"reading\","
                            "\"size\":9,\"sent\":5,\"rate\":3,\"parts\":7,"
                            "\"parts_done\":2}]"));
    cr_expect_not(sees("bob", "alices.txt") || sees("bob", "script"));
    cr_expect(sees("reader", "\"jobs\":[]"), "names of others are not told");
    cr_expect(sees("boss", "alices.txt") && sees("boss", "\\u003cscript\\u003ex"));
    cr_expect_not(sees("boss", "w2"), "its hash has expired");
}

static bool says(const char *name, const char *uri, int status, const char *part)
{
    struct fcgi_response r = access_ask(name, "POST", uri, NULL);
    bool right = r.status == status && has(&r, part);

    cr_expect(right, "%s: %s", uri, r.text);
    fcgi_response_release(&r);
    return right;
}

static int64_t ttl_of_w1(void)
{
    return redis_fixture_ask_int(&rig.redis, "PTTL", "hoist:worker:w1", NULL);
}

Test(responder_workers, one_is_made_quiet_and_resumed_by_whoever_may_use_all_its_queues)
{
    access_up_with("scopes = admin\nqueues = media\n");
    edit("seen", "1764451470000");
    edit("queues", "default,media");
    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:workers", "2", "w1", NULL));
    cr_expect(says(NULL, "/v1/workers/w1/quiet", 401, "unauthorized"));
    cr_expect(says("alice", "/v1/workers/w1/quiet", 403, "the scope admin is needed"));
    cr_expect(says("tester", "/v1/workers/w1/quiet", 403, "not this token's"));
    cr_expect_not(sees("boss", "quiet"));
    cr_expect(says("boss", "/v1/workers/w1/quiet", 200, "{\"id\":\"w1\","));
    cr_expect(ttl_of_w1() > 0, "one that has gone is not remembered");
    cr_expect(sees("boss", "\"quiet\":true,\"queues\""), "it has not heard of it");
    edit("quiet_since", "1764451470000");
    cr_expect(says("boss", "/v1/workers/w1/quiet", 200,
                   "\"quiet\":true,\"quiet_since\":\"2025-11-29T21:24:30.000Z\""));
    cr_expect(says("boss", "/v1/workers/w1/resume", 200, "\"quiet\":false"));
    edit("queues", "media");
    cr_expect(says("tester", "/v1/workers/w1/quiet", 200, "\"quiet\":true"));
    cr_expect(says("boss", "/v1/workers/w2/quiet", 404, "no-such-worker"));
    cr_expect(says("boss", "/v1/workers/w%201/resume", 404, "no-such-worker"));
    cr_expect(eq(
        int, (int)redis_fixture_ask_int(&rig.redis, "EXISTS", "hoist:worker:w2", NULL),
        0));
    redis_fixture_kill(&rig.redis);
    cr_expect(says("boss", "/v1/workers/w1/quiet", 503, "unavailable"));
}
