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
