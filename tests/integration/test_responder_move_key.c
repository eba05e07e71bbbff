/*
 * responder: a move with an Idempotency-Key happens once, and is told as it was told first, whatever failed in between.
 */
#include "tests/integration/responder_rig.h"
#include "tests/integration/responder_worker.h"

#include "tests/support/wait_until.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_move_key, .init = responder_up, .fini = responder_down,
          .timeout = 120);

#define KEY(text) "HTTP_IDEMPOTENCY_KEY=" text
#define TO_MEDIA "{\"queue\":\"media\"}"

static struct fcgi_response move(const char *id, const char *json, const char *key)
{
    char uri[256];

    snprintf(uri, sizeof uri, "/v1/jobs/%s/move", id);
    return responder_ask(&(struct fcgi_request){.method = "POST",
                                                .uri = uri,
                                                .type = "application/json",
                                                .body = json,
                                                .body_len = strlen(json),
                                                .param = key});
}

static void expect_status(const char *id, const char *json, const char *key, int status,
                          const char *part)
{
    struct fcgi_response r = move(id, json, key);

    cr_expect(r.status == status && strstr(r.text, part), "%s", r.text);
    fcgi_response_release(&r);
}

/* The same again is answered as the first one was. */
static void expect_replay(const char *id, const char *json, const char *key,
                          const struct fcgi_response *first)
{
    char location[256];
    struct fcgi_response again = move(id, json, key);

    responder_expect_replay(first, &again);
    snprintf(location, sizeof location, "\r\nLocation: /v1/jobs/%s\r\n",
             responder_id(first));
    cr_expect(strstr(again.text, location) != NULL, "%s", again.text);
    cr_expect(strstr(first->text, location) != NULL, "%s", first->text);
    fcgi_response_release(&again);
}

enum { ID_SIZE = 128 };

static void upload(const char *uri, char ret_id[ID_SIZE])
{
    snprintf(ret_id, ID_SIZE, "%s", responder_upload(uri));
}

/* A job that has been moved with the key "k". */
static struct fcgi_response upload_and_move(char ret_old[ID_SIZE])
{
    upload("/v1/uploads/a", ret_old);
    struct fcgi_response r = move(ret_old, TO_MEDIA, KEY("k"));
    cr_assert(eq(int, r.status, 202), "%s", r.text);
    return r;
}

/* A job of a file that has two names in the spool, the data and the manifest. */
static void upload_large(char ret_id[ID_SIZE])
{
    static char body[70000];
    struct fcgi_response r =
        responder_ask(&(struct fcgi_request){.method = "PUT",
                                             .uri = "/v1/uploads/large",
                                             .body = body,
                                             .body_len = sizeof body});

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    snprintf(ret_id, ID_SIZE, "%s", responder_id(&r));
    fcgi_response_release(&r);
    cr_assert(WAIT_UNTIL(responder_field_is(ret_id, "state", "waiting"), 10000));
}

Test(responder_move_key, the_same_request_moves_once)
{
    static const char *const states[] = {"scheduled", "waiting"};
    static const char *const keys[] = {KEY("a"), KEY("b")};
    char ids[2][ID_SIZE];

    upload("/v1/uploads/a?delay=3600", ids[0]);
    upload_large(ids[1]);
    for (size_t i = 0; i < 2; i++) { /* in one file, and in two */
        char new[ID_SIZE];
        struct fcgi_response first = move(ids[i], TO_MEDIA, keys[i]);
        cr_assert(eq(int, first.status, 202), "%s", first.text);
        snprintf(new, sizeof new, "%s", responder_id(&first));
        cr_expect(strncmp(new, "media.", 6) == 0, "%s", first.text);
        for (int k = 0; k < 3; k++)
            expect_replay(ids[i], TO_MEDIA, keys[i], &first);
        cr_expect(responder_field_is(new, "state", states[i]));
        cr_expect(not(responder_field_is(new, "idempotency", "")), "for the sweep");
        cr_expect(responder_field_is(ids[i], "state", "cancelled"));
        cr_expect(eq(sz, responder_count("jobs"), 4), "no copy, nothing lost");
        cr_expect(eq(sz, responder_count("tmp"), 0));
        fcgi_response_release(&first);
    }
    expect_status(ids[0], TO_MEDIA, KEY("c"), 409, "cancelled");
    expect_status(ids[0], TO_MEDIA, NULL, 409, "cancelled");
}

Test(responder_move_key, a_worker_gets_the_bytes_of_what_was_moved)
{
    char old[ID_SIZE];
    char data[16] = "";
    struct fcgi_response r = upload_and_move(old);

    FILE *f = fopen(responder_job_file(responder_id(&r), ".data"), "re");
    cr_assert(ne(ptr, (void *)f, NULL), "%s", r.text);
    cr_expect(eq(sz, fread(data, 1, sizeof data, f), 5));
    (void)fclose(f);
    cr_expect(eq(str, data, "hello"));
    struct queue_lease l = worker_take("media");
    cr_expect(strcmp(l.id.uuid.text, strchr(responder_id(&r), '.') + 1) == 0);
    fcgi_response_release(&r);
}

Test(responder_move_key, another_request_with_the_key_is_refused)
{
    char a[ID_SIZE], b[ID_SIZE];
    struct fcgi_request put = PUT("/v1/uploads/a", "hello");

    upload("/v1/uploads/a", a);
    upload("/v1/uploads/b", b);
    struct fcgi_response first = move(a, TO_MEDIA, KEY("k"));
    cr_assert(eq(int, first.status, 202), "%s", first.text);
    expect_status(b, TO_MEDIA, KEY("k"), 422, "key-reused");
    expect_status(a, "{\"queue\":\"default\"}", KEY("k"), 422, "key-reused");
    put.param = KEY("k");
    cr_expect(eq(int, responder_status(&put), 422));
    cr_expect(responder_field_is(b, "state", "waiting"));
    expect_replay(a, TO_MEDIA, KEY("k"), &first);
    expect_status(a, TO_MEDIA, KEY("a b"), 400, "Idempotency-Key");
    fcgi_response_release(&first);
}

Test(responder_move_key, one_that_was_refused_leaves_its_key_free)
{
    char old[ID_SIZE];

    upload("/v1/uploads/a", old);
    expect_status(old, "{}", KEY("k"), 422, "the name of one");
    expect_status(old, "{\"queue\":\"nope\"}", KEY("k"), 422, "unknown-queue");
    expect_status(old, "{\"queue\":\"default\"}", KEY("k"), 422, "already");
    expect_status("media.x", TO_MEDIA, KEY("k"), 404, "no-such-job");
    struct queue_lease l = worker_take("default");
    expect_status(old, TO_MEDIA, KEY("k"), 409, "running");
    worker_bury(&l);
    struct fcgi_response r = move(old, TO_MEDIA, KEY("k"));
    cr_expect(eq(int, r.status, 202), "%s", r.text);
    cr_expect(strstr(r.text, "Idempotent-Replayed") == NULL, "%s", r.text);
    fcgi_response_release(&r);
}

Test(responder_move_key, it_holds_when_redis_is_wiped_and_the_responder_killed)
{
    char old[ID_SIZE];

    struct fcgi_response first = upload_and_move(old);
    spawn_kill(&rig.process);
    responder_start();
    expect_replay(old, TO_MEDIA, KEY("k"), &first);
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    expect_replay(old, TO_MEDIA, KEY("k"), &first);
    cr_expect(eq(sz, responder_count("jobs"), 2));
    fcgi_response_release(&first);
}

/* Redis answers what is asked, and runs no script, until it is let go on. */
static void hold_scripts(void)
{
    free(redis_fixture_ask(&rig.redis, "CLIENT", "PAUSE", "60000", "WRITE", NULL));
}

static void release_scripts(void)
{
    free(redis_fixture_ask(&rig.redis, "CLIENT", "UNPAUSE", NULL));
}

/* The job stands in both queues: its responder died before the old one was taken out. */
static void leave_half_moved(char ret_old[ID_SIZE])
{
    upload("/v1/uploads/a", ret_old);
    hold_scripts();
    expect_status(ret_old, TO_MEDIA, KEY("k"), 503, "unavailable");
    cr_assert(eq(sz, responder_count("jobs"), 4), "it stands in both");
    expect_status(ret_old, TO_MEDIA, KEY("k"), 503, "unavailable");
    cr_expect(eq(sz, responder_count("jobs"), 4), "and in no third");
    spawn_kill(&rig.process); /* and with it whatever it has sent */
    release_scripts();
}

Test(responder_move_key, what_was_promised_and_not_taken_out_is_taken_out_by_the_next)
{
    char old[ID_SIZE], new[ID_SIZE], said[256];

    leave_half_moved(old);
    responder_start();
    cr_assert(responder_field_is(old, "state", "waiting"));
    struct fcgi_response r = move(old, TO_MEDIA, KEY("k"));
    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(strstr(r.text, "\r\nIdempotent-Replayed: true\r\n") != NULL, "%s",
              r.text);
    snprintf(new, sizeof new, "%s", responder_id(&r));
    fcgi_response_release(&r);
    cr_expect(responder_field_is(old, "state", "cancelled"));
    snprintf(said, sizeof said, "\"text\":\"moved to %s\"", new);
    cr_expect(responder_says("GET", responder_job_uri(old, ""), NULL, 200, said));
    cr_expect(eq(sz, responder_count("jobs"), 2), "the old files are gone");
    cr_expect(responder_field_is(new, "state", "waiting"), "it is enqueued");
}

Test(responder_move_key, so_it_is_where_redis_has_forgotten_it)
{
    char old[ID_SIZE];

    leave_half_moved(old);
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    responder_start();
    struct fcgi_response r = move(old, TO_MEDIA, KEY("k"));
    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(responder_field_is(old, "state", "cancelled"));
    cr_expect(responder_field_is(responder_id(&r), "state", "waiting"));
    cr_expect(eq(sz, responder_count("jobs"), 2), "the old files are gone");
    fcgi_response_release(&r);
}

Test(responder_move_key, one_that_is_over_is_told_again_without_redis)
{
    char old[ID_SIZE];

    struct fcgi_response first = upload_and_move(old);
    redis_fixture_pause(&rig.redis);
    expect_replay(old, TO_MEDIA, KEY("k"), &first);
    redis_fixture_resume(&rig.redis);
    fcgi_response_release(&first);
}

/* --- Several, each with a key of its own --- */

struct mover {
    pthread_t thread;
    const char *id;
    char key[64];
    int status;
};

static void *move_too(void *arg)
{
    struct mover *m = arg;
    struct fcgi_response r = move(m->id, TO_MEDIA, m->key);

    m->status = r.status;
    fcgi_response_release(&r);
    return NULL;
}

/* Whoever was too late has made a copy by then, and takes it back with the answer that was kept. */
Test(responder_move_key, of_many_that_move_one_job_at_once_one_is_told_that_it_did)
{
    enum { MOVERS = 8, ROUNDS = 10 };
    struct mover movers[MOVERS];

    for (int round = 1; round <= ROUNDS; round++) {
        char id[ID_SIZE];
        int moved = 0;
        upload("/v1/uploads/a", id);
        for (int i = 0; i < MOVERS; i++) {
            movers[i].id = id;
            snprintf(movers[i].key, sizeof movers[i].key, KEY("%d-%d"), round, i);
            cr_assert(eq(
                int, pthread_create(&movers[i].thread, NULL, move_too, &movers[i]), 0));
        }
        for (int i = 0; i < MOVERS; i++)
            (void)pthread_join(movers[i].thread, NULL);
        for (int i = 0; i < MOVERS; i++) {
            int status = movers[i].status;
            moved += status == 202;
            (void)move_too(&movers[i]);
            cr_expect(eq(int, movers[i].status, status), "the same again");
        }
        cr_expect(eq(int, moved, 1));
        cr_expect(eq(sz, responder_count("jobs"), 2 * (size_t)round), "a job a round");
    }
}
