/*
 * responder: GET /v1/jobs: every job of a queue once, a page at a time, whatever index it stands in.
 */
#include "tests/integration/responder_rig.h"
#include "tests/integration/responder_worker.h"

#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_list, .init = responder_up, .fini = responder_down, .timeout = 120);

static size_t count_in(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

/* Walk through all pages of query: how many jobs, each of them once; how many requests that took. */
struct walked {
    size_t jobs, pages;
    char text[64 * 1024]; /* all bodies, one after the other */
};

static const struct walked *walk(const char *query)
{
    static struct walked w;
    char uri[512], cursor[256] = "";

    w = (struct walked){.jobs = 0};
    do {
        snprintf(uri, sizeof uri, "/v1/jobs?%s%s%s", query, *cursor ? "&after=" : "",
                 cursor);
        struct fcgi_response r = responder_json("GET", uri, NULL);
        cr_assert(eq(int, r.status, 200), "%s: %s", uri, r.text);
        w.jobs += count_in(r.body, "{\"id\":");
        w.pages++;
        size_t len = strlen(w.text);
        snprintf(w.text + len, sizeof w.text - len, "%s", r.body);
        const char *next = strstr(r.body, "\"cursor\":\"");
        snprintf(cursor, sizeof cursor, "%.*s",
                 next ? (int)strcspn(next + 10, "\"") : 0, next ? next + 10 : "");
        fcgi_response_release(&r);
        cr_assert(w.pages < 100, "it does not end");
    } while (*cursor);
    return &w;
}

static bool holds_all(const struct walked *w, char ids[][80], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char part[128];
        snprintf(part, sizeof part, "{\"id\":\"%.79s\"", ids[i]);
        if (count_in(w->text, part) != 1)
            return false;
    }
    return w->jobs == count;
}

/* One job in each of the places a waiting one may stand in: ready, behind its group, behind its parent. */
static void upload_waiting(char ids[6][80])
{
    char uri[256];

    snprintf(ids[0], 80, "%s", responder_upload("/v1/uploads/a?priority=1"));
    snprintf(ids[1], 80, "%s", responder_upload("/v1/uploads/b?group=g"));
    snprintf(ids[2], 80, "%s", responder_upload("/v1/uploads/c?group=g"));
    snprintf(ids[3], 80, "%s", responder_upload("/v1/uploads/d?group=g"));
    snprintf(uri, sizeof uri, "/v1/uploads/e?after=%.79s", ids[0]);
    snprintf(ids[4], 80, "%s", responder_upload(uri));
    snprintf(ids[5], 80, "%s", responder_upload(uri));
}

Test(responder_list, waiting_jobs_are_found_in_all_their_lines)
{
    char ids[6][80];

    upload_waiting(ids);
    cr_expect(holds_all(walk("state=waiting"), ids, 6));
    cr_expect(holds_all(walk("state=waiting&limit=1"), ids, 6));
    cr_expect(holds_all(walk("state=waiting&limit=4"), ids, 6));
    cr_expect(holds_all(walk("state=waiting&order=newest&limit=1"), ids, 6));
    cr_expect(
        responder_says("GET", "/v1/jobs?state=waiting", NULL, 200, "\"group\":\"g\""));
    cr_expect(eq(sz, walk("state=dead")->jobs, 0));
    cr_expect(eq(sz, walk("queue=media")->jobs, 0));
}

Test(responder_list, every_state_has_its_own_and_without_one_all_are_shown)
{
    static const char *const states[] = {"waiting", "scheduled", "running",
                                         "dead",    "done",      "cancelled"};
    char ids[6][80];
    struct queue_lease l;

    for (int i = 2; i < 6; i++)
        snprintf(ids[i], 80, "%s", responder_upload("/v1/uploads/a"));
    l = worker_take("default"); /* running */
    l = worker_take("default");
    worker_bury(&l);
    l = worker_take("default");
    worker_done(&l);
    cr_expect(eq(int,
                 responder_status(&(struct fcgi_request){
                     .method = "DELETE", .uri = responder_job_uri(ids[5], "")}),
                 200));
    snprintf(ids[0], 80, "%s", responder_upload("/v1/uploads/a"));
    snprintf(ids[1], 80, "%s", responder_upload("/v1/uploads/a?delay=3600"));
    for (size_t i = 0; i < 6; i++) {
        char query[64];
        snprintf(query, sizeof query, "queue=default&state=%s", states[i]);
        cr_expect(holds_all(walk(query), &ids[i], 1), "%s: %s", states[i],
                  walk(query)->text);
    }
    cr_expect(holds_all(walk(""), ids, 6));
    cr_expect(holds_all(walk("limit=2"), ids, 6));
    cr_expect(holds_all(walk("order=newest&limit=2"), ids, 6));
}

Test(responder_list, the_newest_come_first_where_that_is_asked_for)
{
    char ids[3][80];

    for (int i = 0; i < 3; i++) {
        struct queue_lease l;
        snprintf(ids[i], 80, "%s", responder_upload("/v1/uploads/a"));
        l = worker_take("default");
        worker_done(&l);
    }
    const struct walked *w = walk("state=done&order=newest&limit=2");
    cr_expect(holds_all(w, ids, 3));
    const char *at[3];
    for (int i = 0; i < 3; i++)
        at[i] = strstr(w->text, ids[i]);
    cr_expect(at[2] && at[1] > at[2] && at[0] > at[1], "%s", w->text);
    w = walk("state=done&order=oldest&limit=2");
    cr_expect(strstr(w->text, ids[0]) < strstr(w->text, ids[2]));
}

Test(responder_list, many_with_one_due_time_are_given_once)
{
    enum { MANY = 130 };
    static char ids[MANY][80];

    for (int i = 0; i < MANY; i++)
        snprintf(ids[i], 80, "%s",
                 responder_put("/v1/uploads/a?at=2027-11-22T00:00:00Z"));
    cr_assert(WAIT_UNTIL(redis_fixture_ask_int(&rig.redis, "ZCARD",
                                               "hoist:{default}:later", NULL) == MANY,
                         10000));
    cr_expect(holds_all(walk("state=scheduled&limit=7"), ids, MANY));
    cr_expect(eq(sz, walk("state=scheduled")->pages, 2));
    cr_expect(holds_all(walk("state=scheduled&order=newest&limit=7"), ids, MANY));
}

Test(responder_list, a_page_goes_on_where_the_last_one_ended_though_its_job_is_gone)
{
    char uri[512];
    char ids[3][80];

    for (int i = 0; i < 3; i++)
        snprintf(ids[i], 80, "%s", responder_upload("/v1/uploads/a"));
    struct fcgi_response r =
        responder_json("GET", "/v1/jobs?state=waiting&limit=1", NULL);
    const char *cursor = strstr(r.body, "\"cursor\":\"") + 10;
    snprintf(uri, sizeof uri, "/v1/jobs?state=waiting&limit=1&after=%.*s",
             (int)strcspn(cursor, "\""), cursor);
    fcgi_response_release(&r);
    (void)worker_take("default");
    cr_expect(responder_says("GET", uri, NULL, 200, ids[1]));
}

static const struct {
    const char *uri, *part;
    int status;
} refused[] = {
    {"/v1/jobs?queue=nope", "unknown-queue", 422},
    {"/v1/jobs?state=accepted", "state: waiting", 422},
    {"/v1/jobs?state=", "state: waiting", 422},
    {"/v1/jobs?limit=0", "limit: 1 to 100", 422},
    {"/v1/jobs?limit=101", "limit", 422},
    {"/v1/jobs?limit=x", "limit", 422},
    {"/v1/jobs?order=first", "order: oldest or newest", 422},
    {"/v1/jobs?after=", "after: a cursor", 422},
    {"/v1/jobs?after=x", "after: a cursor", 422},
    {"/v1/jobs?after=r.1", "after: a cursor", 422},
    {"/v1/jobs?after=r..a", "after: a cursor", 422},
    {"/v1/jobs?after=r.9999999999999999.a", "after: a cursor", 422},
    {"/v1/jobs?after=z.1.a", "after: a cursor", 422},
    {"/v1/jobs?after=r.1.%22", "after: a cursor", 422},
    {"/v1/jobs?state=dead&after=r.1.a", "another state", 422},
};

Test(responder_list, a_wrong_question_is_refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        cr_expect(responder_says("GET", refused[i].uri, NULL, refused[i].status,
                                 refused[i].part));
    redis_fixture_kill(&rig.redis);
    cr_expect(responder_says("GET", "/v1/jobs", NULL, 503, "unavailable"));
}

Test(responder_list, what_was_put_there_by_hand_is_left_out)
{
    char ids[1][80];

    snprintf(ids[0], 80, "%s", responder_upload("/v1/uploads/a"));
    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:{default}:dead", "1", "junk", "2",
                           "\"}", "3", "01a203d3-6eb4-7917-a21f-6d22207c6968", NULL));
    cr_expect(holds_all(walk("limit=1"), ids, 1), "%s", walk("limit=1")->text);
}

/* --- Searching --- */

static size_t found(const char *query)
{
    return walk(query)->jobs;
}

Test(responder_list, jobs_are_found_by_id_and_by_name)
{
    char *id = strdup(responder_upload("/v1/uploads/holiday%20Photo.jpg"));
    char query[200];

    for (int i = 0; i < 12; i++)
        (void)responder_upload("/v1/uploads/other.txt");
    cr_assert(WAIT_UNTIL(found("limit=100") == 13, 10000));
    cr_expect(eq(sz, found("search=photo&limit=1"), 1));
    cr_expect(eq(sz, found("search=DAY%20P"), 1));
    cr_expect(eq(sz, found("search=.txt&limit=5"), 12), "all of them, page by page");
    cr_expect(eq(sz, found("search=photo&state=dead"), 0));
    cr_expect(eq(sz, found("search=nothing"), 0));
    (void)snprintf(query, sizeof query, "search=%s", id);
    cr_expect(eq(sz, found(query), 1), "a whole id");
    (void)snprintf(query, sizeof query, "search=%s&queue=media", strchr(id, '.') + 1);
    cr_expect(eq(sz, found(query), 0), "it is in another queue");
    (void)snprintf(query, sizeof query, "search=%.*s", (int)strlen(id) - 1, id);
    cr_expect(eq(sz, found(query), 1), "its beginning");
    (void)snprintf(query, sizeof query, "search=%.30s", strchr(id, '.') + 1);
    cr_expect(found(query) >= 1, "the same without its queue");
    cr_expect(eq(sz, found("search=default.0193c0de-7a1b-7c3d-9e4f-000000000002"), 0));
    free(id);
}
