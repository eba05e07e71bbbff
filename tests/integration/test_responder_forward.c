/*
 * responder: store and forward.  Whatever is wrong with Redis, every kind of upload is taken without waiting for it, shown
 * as accepted, and comes into the queue in its order once Redis is well.
 */
#include "tests/integration/responder_rig.h"
#include "tests/support/redis_faulty.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

enum {
    TIMEOUT_MS = 2000, /* of one command to Redis, as configured below */
    ROUNDS = 2,
    KINDS = 8,
    IDS_MAX = ROUNDS * (KINDS + 1)
};

static struct redis_faulty faulty;
static struct tmpdir dir;
static char ids[IDS_MAX][128]; /* in the order of their acceptance */
static size_t id_count;

static void up(void)
{
    char url[TMPDIR_FILE_MAX + 16];
    tmpdir_make(&dir);
    struct tmpdir_file socket = tmpdir_file(&dir, "faulty");
    (void)snprintf(url, sizeof url, "unix://%s", socket.path);
    cr_assert(setenv("HOIST_REDIS_URL", url, 1) == 0);
    id_count = 0;
    responder_up_with("[redis]\ntimeout_ms = 2000\nconnect_timeout_ms = 2000\n");
    redis_faulty_start(&faulty, socket, rig.redis.socket.path);
}

static void down(void)
{
    responder_down();
    redis_faulty_stop(&faulty);
    tmpdir_remove(&dir);
}

TestSuite(responder_forward, .init = up, .fini = down, .timeout = 120);

/* --- What is wrong with Redis, and how it is mended --- */

static void config_set(const char *name, const char *value)
{
    char *reply = redis_fixture_ask(&rig.redis, "CONFIG", "SET", name, value, NULL);
    cr_assert(eq(str, reply, "OK"));
    free(reply);
}

static void replica_of(const char *host, const char *port)
{
    char *reply = redis_fixture_ask(&rig.redis, "REPLICAOF", host, port, NULL);
    cr_assert(reply[0] != '-', "%s", reply);
    free(reply);
}

static void kill_it(void)
{
    redis_fixture_kill(&rig.redis);
    redis_faulty_pass(&faulty); /* closes what there was */
}

static void restart_it(void)
{
    redis_fixture_restart(&rig.redis);
}

static void pause_it(void)
{
    redis_fixture_pause(&rig.redis);
}

static void resume_it(void)
{
    redis_fixture_resume(&rig.redis);
}

static void let_it_load(void)
{
    redis_faulty_say(&faulty, "-LOADING Redis is loading the dataset in memory\r\n");
}

static void let_it_pass(void)
{
    redis_faulty_pass(&faulty);
}

static void make_it_replica(void)
{
    replica_of("127.0.0.1", "1");
}

static void make_it_master(void)
{
    replica_of("NO", "ONE");
}

static void fill_it(void)
{
    config_set("maxmemory", "1");
}

static void empty_it(void)
{
    config_set("maxmemory", "0");
}

static const struct {
    const char *label;
    void (*spoil)(void), (*mend)(void);
} cases[] = {
    {"killed", kill_it, restart_it},
    {"hung", pause_it, resume_it},
    {"loading", let_it_load, let_it_pass},
    {"read-only", make_it_replica, make_it_master},
    {"at maxmemory", fill_it, empty_it},
};

/* --- Uploads --- */

/* All ids of an answer. */
static void note_ids(const char *body)
{
    for (const char *at = body; (at = strstr(at, "\"id\":\"")); at++) {
        cr_assert(id_count < IDS_MAX);
        const char *id = at + strlen("\"id\":\"");
        (void)snprintf(ids[id_count++], sizeof ids[0], "%.*s", (int)strcspn(id, "\""),
                       id);
    }
}

/* Takes no longer than a fraction of what one command to Redis may. */
static void upload(const char *label, const struct fcgi_request *request)
{
    int64_t start_ms = wait_now_ms();
    struct fcgi_response r = responder_ask(request);
    int64_t took_ms = wait_now_ms() - start_ms;
    cr_expect(eq(int, r.status, 202), "%s: %s: %s", label, request->uri, r.text);
    cr_expect(took_ms < TIMEOUT_MS / 2, "%s: %s: %d ms", label, request->uri,
              (int)took_ms);
    note_ids(r.body);
    fcgi_response_release(&r);
}

static void put(const char *label, const char *options)
{
    char uri[512];
    (void)snprintf(uri, sizeof uri, "/v1/uploads/a%s", options);
    const struct fcgi_request request = {
        .method = "PUT", .uri = uri, .body = "hello", .body_len = 5};
    upload(label, &request);
}

static void upload_each_kind(const char *label, int round)
{
    const struct fcgi_request form =
        FORM(FORM_FILE("a", "hello") FORM_FILE("b", "hello") FORM_END);
    char options[400];
    put(label, "");
    (void)snprintf(options, sizeof options, "?after=%s", ids[id_count - 1]);
    put(label, options);
    upload(label, &form);
    put(label, "?group=g");
    put(label, "?delay=3600");
    (void)snprintf(options, sizeof options, "?unique=alone-%d", round);
    put(label, options);
    (void)snprintf(options, sizeof options, "?group=g&after=%s&unique=all-%d", ids[0],
                   round);
    put(label, options);
    put(label, "?priority=5");
}

static bool is_accepted(const char *id)
{
    const struct fcgi_request show = responder_get(responder_job_uri(id, ""));
    struct fcgi_response r = responder_ask(&show);
    bool is = r.status == 200 && strstr(r.body, "\"state\":\"accepted\"");
    if (!is)
        fprintf(stderr, "%s\n", r.text);
    fcgi_response_release(&r);
    return is;
}

/* --- The queue --- */

static size_t number_of(const char *uuid, size_t len)
{
    for (size_t i = 0; i < id_count; i++)
        if (strncmp(strchr(ids[i], '.') + 1, uuid, len) == 0)
            return i;
    cr_fatal("an unknown job is ready");
}

/* What is ready: all of a round but the child, the delayed one, the child in the group, and the second of its group.  The
 * first of the group has the place of the moment when its group got its turn (queue.h). */
static void expect_in_order(const char *label)
{
    char *ready = redis_fixture_ask(&rig.redis, "ZRANGE", "hoist:{default}:ready", "0",
                                    "-1", NULL);
    size_t count = 0, last = 0;
    for (const char *at = ready; *at;
         at += strcspn(at, "\n") + (strchr(at, '\n') != 0)) {
        size_t number = number_of(at, strcspn(at, "\n"));
        count++;
        if (responder_field_is(ids[number], "group", "g"))
            continue;
        cr_expect(count == 1 || number > last, "%s: %zu after %zu", label, number,
                  last);
        last = number;
    }
    cr_expect(eq(sz, count, ROUNDS * 5 + 1), "%s: %s", label, ready);
    free(ready);
}

ParameterizedTestParameters(responder_forward, every_upload_is_taken_and_comes_in_order)
{
    static size_t i[sizeof cases / sizeof cases[0]];
    for (size_t k = 0; k < sizeof i / sizeof i[0]; k++)
        i[k] = k;
    return cr_make_param_array(size_t, i, sizeof i / sizeof i[0]);
}

ParameterizedTest(size_t *i, responder_forward,
                  every_upload_is_taken_and_comes_in_order)
{
    const char *label = cases[*i].label;
    char before[128]; /* so that the publisher has seen Redis well */
    (void)snprintf(before, sizeof before, "%s", responder_upload("/v1/uploads/before"));
    cr_expect(responder_says("DELETE", responder_job_uri(before, ""), NULL, 200, ""));
    cases[*i].spoil();
    for (int round = 0; round < ROUNDS; round++)
        upload_each_kind(label, round);
    for (size_t k = 0; k < id_count; k++)
        cr_expect(is_accepted(ids[k]), "%s: %zu", label, k);
    cr_expect(eq(sz, responder_count("jobs"), 2 * id_count), "%s", label);
    cr_expect(eq(sz, responder_count("tmp"), 0), "%s", label);
    cases[*i].mend();
    for (size_t k = 0; k < id_count; k++)
        cr_expect(WAIT_UNTIL(responder_field_is(ids[k], "bytes", "5"), 10000),
                  "%s: %zu", label, k);
    expect_in_order(label);
}

/* Once it is known to be away nobody waits for it; and when it is back uploads ask it again. */
Test(responder_forward,
     after_three_failures_nobody_waits_and_none_is_needed_to_close_it)
{
    const struct fcgi_request wrong = PUT("/v1/uploads/a?after=default."
                                          "01919191-0000-7000-8000-000000000000",
                                          "hello");
    cr_assert(WAIT_UNTIL(responder_status(&wrong) == 422, 5000), "it is asked");
    redis_fixture_pause(&rig.redis);
    for (int i = 0; i < 4; i++)
        upload("hung", &wrong);
    int64_t start_ms = wait_now_ms();
    for (int i = 0; i < 10; i++)
        upload("hung", &wrong);
    cr_expect(wait_now_ms() - start_ms < TIMEOUT_MS / 2, "ten at once: %d ms",
              (int)(wait_now_ms() - start_ms));
    redis_fixture_resume(&rig.redis);
    cr_expect(WAIT_UNTIL(responder_status(&wrong) == 422, 5000), "it is asked again");
}
