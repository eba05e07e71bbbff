/*
 * responder: a job is moved to another queue, or left where it is.
 */
#include "shared/spool.h"
#include "tests/integration/responder_rig.h"
#include "tests/integration/responder_worker.h"

#include "tests/support/wait_until.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_move, .init = responder_up, .fini = responder_down, .timeout = 120);

#define TO_MEDIA "{\"queue\":\"media\"}"

static char race_uri[256];

static const char *move_uri(const char *id)
{
    static char uri[256];

    snprintf(uri, sizeof uri, "/v1/jobs/%s/move", id);
    return uri;
}

/* Move it to media; its new id, in responder_id's buffer. */
static const char *move(const char *id)
{
    char location[256];
    struct fcgi_response r = responder_json("POST", move_uri(id), TO_MEDIA);

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    const char *moved = responder_id(&r);
    snprintf(location, sizeof location, "\r\nLocation: /v1/jobs/%s\r\n", moved);
    cr_expect(strstr(r.text, location) != NULL, "%s", r.text);
    fcgi_response_release(&r);
    return moved;
}

/* A file in spool/jobs. */
static bool is_there(const char *id, const char *suffix)
{
    char path[512];

    snprintf(path, sizeof path, "%s/spool/jobs/%s%s", rig.dir.path, id, suffix);
    return access(path, R_OK) == 0;
}

Test(responder_move, a_waiting_job_goes_with_all_it_has)
{
    char old[80], key[256], said[256];

    snprintf(old, sizeof old, "%s",
             responder_upload("/v1/uploads/a.txt?group=g&meta.author=me&priority=3"));
    snprintf(key, sizeof key, "\"key\":\"%s.txt\"", strchr(old, '.') + 1);
    const char *new = move(old);
    cr_expect(strncmp(new, "media.", 6) == 0, "%s", new);
    cr_expect(responder_says("GET", responder_job_uri(new, ""), NULL, 200, key),
              "the same object");
    cr_expect(responder_says("GET", responder_job_uri(new, ""), NULL, 200,
                             "\"state\":\"waiting\",\"priority\":3"));
    cr_expect(responder_field_is(new, "group", "g"));
    cr_expect(responder_field_is(new, "meta.author", "me"));
    snprintf(said, sizeof said,
             "\"error\":{\"class\":\"moved\",\"text\":\"moved to %s\"}", new);
    cr_expect(responder_says("GET", responder_job_uri(old, ""), NULL, 200, said));
    cr_expect(responder_field_is(old, "state", "cancelled"));
    cr_expect(is_there(new, ".data") && is_there(new, ".json"));
    cr_expect(eq(sz, responder_count("jobs"), 2), "the old files are gone");
    struct queue_lease l = worker_take("media");
    cr_expect(strcmp(l.id.uuid.text, strchr(new, '.') + 1) == 0);
}

Test(responder_move, a_dead_one_a_scheduled_one_and_one_that_redis_lost_go_too)
{
    char old[80];

    snprintf(old, sizeof old, "%s", responder_upload("/v1/uploads/a"));
    struct queue_lease l = worker_take("default");
    worker_bury(&l);
    cr_expect(responder_field_is(move(old), "state", "waiting"));
    snprintf(old, sizeof old, "%s", responder_upload("/v1/uploads/a?delay=3600"));
    cr_expect(responder_field_is(move(old), "state", "scheduled"));
    snprintf(old, sizeof old, "%s", responder_upload("/v1/uploads/a?delay=3600"));
    cr_expect(
        responder_says("POST", responder_job_uri(old, "/promote"), NULL, 200, ""));
    cr_expect(responder_field_is(move(old), "state", "waiting"), "it was to run now");
    snprintf(old, sizeof old, "%s", responder_upload("/v1/uploads/a"));
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    cr_expect(responder_field_is(move(old), "state", "waiting"));
    cr_expect(responder_field_is(old, "state", "cancelled"));
}

Test(responder_move, back_again_is_another_job)
{
    char old[80], there[80];

    snprintf(old, sizeof old, "%s", responder_upload("/v1/uploads/a"));
    snprintf(there, sizeof there, "%s", move(old));
    struct fcgi_response r =
        responder_json("POST", move_uri(there), "{\"queue\":\"default\"}");
    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(strcmp(responder_id(&r), old) != 0);
    cr_expect(responder_field_is(responder_id(&r), "state", "waiting"));
    fcgi_response_release(&r);
}

Test(responder_move, one_that_runs_or_has_ended_stays)
{
    char old[80];

    snprintf(old, sizeof old, "%s", responder_upload("/v1/uploads/a"));
    struct queue_lease l = worker_take("default");
    cr_expect(responder_says("POST", move_uri(old), TO_MEDIA, 409, "running"));
    worker_done(&l);
    cr_expect(responder_says("POST", move_uri(old), TO_MEDIA, 409, "done"));
    cr_expect(eq(sz, responder_count("jobs"), 2), "nothing was copied");
}

Test(responder_move, parents_and_children_stay_with_each_other)
{
    char parent[80], child[80], uri[256];

    snprintf(parent, sizeof parent, "%s", responder_upload("/v1/uploads/a"));
    snprintf(uri, sizeof uri, "/v1/uploads/b?after=%s", parent);
    snprintf(child, sizeof child, "%s", responder_upload(uri));
    cr_expect(responder_says("POST", move_uri(parent), TO_MEDIA, 409, "wait for it"));
    cr_expect(responder_says("POST", move_uri(child), TO_MEDIA, 409, "it waits for"));
    struct queue_lease l = worker_take("default");
    worker_done(&l);
    worker_promote("default");
    cr_expect(responder_field_is(move(child), "after", ""), "its parent has ended");
}

Test(responder_move, a_wrong_question_is_refused_and_nothing_is_copied)
{
    char old[80];
    static char large[100001];

    snprintf(old, sizeof old, "%s", responder_upload("/v1/uploads/a"));
    cr_expect(responder_says("POST", move_uri(old), NULL, 422, "queue: the name"));
    cr_expect(responder_says("POST", move_uri(old), "{\"queue\":\"nope\"}", 422,
                             "unknown-queue"));
    cr_expect(responder_says("POST", move_uri(old), "{\"queue\":\"default\"}", 422,
                             "already"));
    cr_expect(responder_says("POST", move_uri("x"), TO_MEDIA, 404, "no-such-job"));
    struct fcgi_request put = {.method = "PUT",
                               .uri = "/v1/uploads/a",
                               .body = large,
                               .body_len = sizeof large};
    struct fcgi_response r = responder_ask(&put);
    char big[80];
    snprintf(big, sizeof big, "%s", responder_id(&r));
    fcgi_response_release(&r);
    cr_assert(WAIT_UNTIL(responder_field_is(big, "bytes", "100001"), 5000));
    cr_expect(responder_says("POST", move_uri(big), TO_MEDIA, 422, "up to 100000"));
    redis_fixture_kill(&rig.redis);
    cr_expect(responder_says("POST", move_uri(old), TO_MEDIA, 503, "unavailable"));
    cr_expect(eq(sz, responder_count("jobs"), 4));
}

Test(responder_move, into_a_full_queue_it_does_not_go)
{
    char old[80];

    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:{media}:conf", "max_length", "1",
                           NULL));
    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:{media}:ready", "1", "x", NULL));
    snprintf(old, sizeof old, "%s", responder_upload("/v1/uploads/a"));
    cr_expect(responder_says("POST", move_uri(old), TO_MEDIA, 503, "queue-full"));
    cr_expect(eq(sz, responder_count("jobs"), 2), "no copy is left");
    cr_expect(responder_field_is(old, "state", "waiting"));
}

Test(responder_move, when_the_queue_has_just_become_full_it_waits_in_the_spool)
{
    char old[80];

    (void)responder_upload("/v1/uploads/b?queue=media"); /* and its room is looked at */
    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:{media}:conf", "max_length", "1",
                           NULL));
    snprintf(old, sizeof old, "%s", responder_upload("/v1/uploads/a"));
    struct fcgi_response r = responder_json("POST", move_uri(old), TO_MEDIA);
    cr_expect(eq(int, r.status, 202), "%s", r.text);
    cr_expect(responder_says("GET", responder_job_uri(responder_id(&r), ""), NULL, 200,
                             "\"state\":\"accepted\""));
    fcgi_response_release(&r);
    cr_expect(responder_field_is(old, "state", "cancelled"));
    cr_expect(eq(sz, responder_count("jobs"), 4), "two jobs, two files each");
}

static void *move_too(void *arg)
{
    int *status = arg;
    struct fcgi_response r = responder_json("POST", race_uri, TO_MEDIA);

    *status = r.status;
    fcgi_response_release(&r);
    return NULL;
}

Test(responder_move, of_many_that_move_one_job_at_once_one_does)
{
    enum { MOVERS = 8, ROUNDS = 5 };
    pthread_t threads[MOVERS];

    for (int round = 1; round <= ROUNDS; round++) {
        int status[MOVERS], moved = 0;
        snprintf(race_uri, sizeof race_uri, "%s",
                 move_uri(responder_upload("/v1/uploads/a")));
        for (int i = 0; i < MOVERS; i++)
            cr_assert(
                eq(int, pthread_create(&threads[i], NULL, move_too, &status[i]), 0));
        for (int i = 0; i < MOVERS; i++)
            (void)pthread_join(threads[i], NULL);
        for (int i = 0; i < MOVERS; i++) {
            moved += status[i] == 202;
            cr_expect(status[i] == 202 || status[i] == 409, "%d", status[i]);
        }
        cr_expect(eq(int, moved, 1));
        cr_expect(eq(sz, responder_count("jobs"), 2 * (size_t)round), "a job a round");
    }
}

Test(responder_move, without_its_bytes_it_stays)
{
    static char body[SPOOL_SMALL_MAX + 1];
    const struct fcgi_request puts[] = {PUT("/v1/uploads/a", "hello"),
                                        {.method = "PUT",
                                         .uri = "/v1/uploads/a",
                                         .body = body,
                                         .body_len = sizeof body}};

    for (size_t i = 0; i < 2; i++) { /* in one file, and in two */
        struct fcgi_response r = responder_ask(&puts[i]);
        char old[80];
        snprintf(old, sizeof old, "%s", responder_id(&r));
        fcgi_response_release(&r);
        cr_assert(WAIT_UNTIL(responder_field_is(old, "state", "waiting"), 5000));
        cr_assert(eq(int, unlink(responder_job_file(old, ".data")), 0));
        cr_expect(
            responder_says("POST", move_uri(old), TO_MEDIA, 409, "bytes are gone"));
        cr_assert(eq(int, unlink(responder_job_file(old, ".json")), i == 0 ? -1 : 0));
        cr_expect(
            responder_says("POST", move_uri(old), TO_MEDIA, 409, "bytes are gone"));
        cr_expect(eq(sz, responder_count("jobs"), 0));
    }
}
