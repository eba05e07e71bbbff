/* The blocking connection: replies, deadlines, reconnection, scripts, pipelines. */
#include "tests/integration/redis_rig.h"

#include "shared/clock.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(redis, .init = redis_up, .fini = redis_down, .timeout = 60);

Test(redis, a_call_connects_by_itself_and_notes_when_it_succeeded)
{
    struct redis *r = connect_to(server.url, 2000);

    cr_expect(redis_last_ok_ms(r) == 0);
    cr_expect(ping(r));
    cr_expect(clock_mono_ms() - redis_last_ok_ms(r) < 2000);
    redis_close(r);
    redis_close(NULL);
}

Test(redis, arguments_and_replies_are_bytes)
{
    struct redis *r = connect_to(server.url, 2000);
    struct redis_value *v = NULL;
    struct redis_cmd c;
    struct err e = ERR_INIT;
    char bytes[256];
    size_t len;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "SET");
    redis_cmd_add(&c, bytes, sizeof bytes);
    redis_cmd_add(&c, bytes, sizeof bytes);
    cr_assert(redis_call(r, &c, &v, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(v);
    redis_cmd_begin(&c, "GET");
    redis_cmd_add(&c, bytes, sizeof bytes);
    cr_assert(redis_call(r, &c, &v, &e) == ERR_OK, "%s", e.text);
    const char *got = redis_value_str(v, &len);
    cr_expect(len == sizeof bytes && memcmp(got, bytes, len) == 0);
    redis_reply_free(v);
    redis_cmd_release(&c);
    redis_close(r);
}

Test(redis, a_database_is_selected)
{
    char url[sizeof server.url + 8];
    struct err e = ERR_INIT;
    char text[64];

    (void)snprintf(url, sizeof url, "%s?db=5", server.url);
    struct redis *r = connect_to(url, 2000);
    cr_assert(call(r, &e, text, "SET", "here", "1") == ERR_OK, "%s", e.text);
    free(redis_fixture_ask(&server, "SELECT", "5", NULL));
    cr_expect(redis_fixture_ask_int(&server, "EXISTS", "here", NULL) == 1);
    redis_close(r);
}

/* Well after the next call has begun; where it is late nothing goes wrong. */
static void *resume_soon(void *arg)
{
    for (int i = 0; i < 25; i++)
        wait_a_moment();
    redis_fixture_resume(&server);
    return arg;
}

Test(redis, a_server_that_stops_answering_costs_one_deadline_and_no_mixed_answers)
{
    struct redis *r = connect_to(server.url, 150);
    struct err e = ERR_INIT;
    char text[64];

    cr_assert(call(r, &e, text, "SET", "a", "old") == ERR_OK, "%s", e.text);
    redis_fixture_pause(&server);
    int64_t begun = clock_mono_ms();
    cr_expect(call(r, &e, text, "GET", "a", NULL) == ERR_RETRY);
    int64_t took = clock_mono_ms() - begun;
    cr_expect(took >= 140 && took < 1500, "%ld ms", (long)took);
    /* The answer to GET comes while ECHO waits for its own: it must meet a connection that nobody reads any more. */
    pthread_t waker;
    cr_assert(pthread_create(&waker, NULL, resume_soon, NULL) == 0);
    cr_expect(call(r, &e, text, "ECHO", "fresh", NULL) == ERR_OK, "%s", e.text);
    cr_expect_str_eq(text, "fresh");
    pthread_join(waker, NULL);
    redis_close(r);
}

Test(redis, connecting_to_a_stopped_server_ends_by_its_deadline)
{
    struct redis_options o = {.connect_timeout_ms = 150, .timeout_ms = 60000};
    struct redis *r = NULL;
    struct err e = ERR_INIT;
    char text[64];

    cr_assert(redis_target_parse(server.url, &o.target, &e) == ERR_OK);
    cr_assert(redis_open(&o, &r, &e) == ERR_OK);
    redis_target_release(&o.target);
    redis_fixture_pause(&server);
    int64_t begun = clock_mono_ms();
    cr_expect(call(r, &e, text, "PING", NULL, NULL) == ERR_RETRY);
    cr_expect(clock_mono_ms() - begun < 1500);
    redis_fixture_resume(&server);
    cr_expect(ping(r));
    redis_close(r);
}

Test(redis, after_a_restart_the_next_call_connects_anew)
{
    struct redis *r = connect_to(server.url, 2000);
    struct err e = ERR_INIT;
    char text[64];

    cr_assert(ping(r));
    redis_fixture_kill(&server);
    cr_expect(call(r, &e, text, "PING", NULL, NULL) == ERR_RETRY);
    redis_fixture_restart(&server);
    cr_expect(ping(r));
    redis_fixture_restart(&server);
    cr_expect(ping(r), "an end that was there to be seen is no failure");
    redis_close(r);
}

Test(redis, a_blocking_command_may_take_longer_than_the_others)
{
    struct redis *r = connect_to(server.url, 200);
    struct redis_value *v = NULL;
    struct redis_cmd c;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "BLPOP");
    redis_cmd_add_str(&c, "nothing");
    redis_cmd_add_str(&c, "0.4");
    cr_expect(redis_call_wait(r, &c, 400, &v, &e) == ERR_OK, "%s", e.text);
    cr_expect(redis_value_type(v) == REDIS_NIL);
    redis_reply_free(v);
    v = NULL;
    cr_expect(redis_call(r, &c, &v, &e) == ERR_RETRY);
    cr_expect_null(v);
    redis_cmd_release(&c);
    redis_close(r);
}

/* --- Scripts --- */

static const struct redis_script answer = {
    .name = "answer",
    .body = "return ARGV[1]",
    .sha1 = "098e0f0d1448c0a81dafe820f66d460eb09263da",
    .body_7 = "return {KEYS[1], ARGV[1]}",
    .sha1_7 = "",
};

static struct redis_script made;
static char made_sha1[41];

/* The hashes as the server takes them. */
static const struct redis_script *script(void)
{
    char *sha1 = redis_fixture_ask(&server, "SCRIPT", "LOAD", answer.body_7, NULL);

    memcpy(made_sha1, sha1, sizeof made_sha1);
    free(sha1);
    free(redis_fixture_ask(&server, "SCRIPT", "FLUSH", NULL));
    made = answer;
    made.sha1_7 = made_sha1;
    return &made;
}

Test(redis, a_script_the_server_has_forgotten_is_loaded_inside_the_call)
{
    struct redis *r = connect_to(server.url, 2000);
    struct redis_cmd c;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    redis_cmd_begin_script(&c, script(), 1);
    redis_cmd_add_str(&c, "key");
    redis_cmd_add_str(&c, "arg");
    for (int i = 0; i < 3; i++) {
        struct redis_value *v = NULL;
        cr_assert(redis_call(r, &c, &v, &e) == ERR_OK, "%s", e.text);
        cr_expect_str_eq(redis_value_str(redis_value_at(v, 0), NULL), "key");
        cr_expect_str_eq(redis_value_str(redis_value_at(v, 1), NULL), "arg");
        redis_reply_free(v);
        if (i == 1)
            free(redis_fixture_ask(&server, "SCRIPT", "FLUSH", NULL));
    }
    redis_cmd_release(&c);
    redis_close(r);
}

Test(redis, a_pipeline_gives_every_reply_in_its_place)
{
    enum { COUNT = 300 };
    struct redis *r = connect_to(server.url, 5000);
    struct redis_cmd c[COUNT];
    struct redis_value *v[COUNT] = {0};
    struct err e = ERR_INIT;
    const struct redis_script *s = script();

    for (int i = 0; i < COUNT; i++) {
        redis_cmd_init(&c[i]);
        if (i % 3 == 0)
            redis_cmd_begin_script(&c[i], s, 1);
        else
            redis_cmd_begin(&c[i], i % 3 == 1 ? "ECHO" : "NONSENSE");
        if (i % 3 == 0)
            redis_cmd_add_str(&c[i], "key");
        redis_cmd_add_int(&c[i], i);
    }
    cr_assert(redis_pipeline(r, c, COUNT, v, &e) == ERR_OK, "%s", e.text);
    for (int i = 0; i < COUNT; i++) {
        const struct redis_value *number = i % 3 == 0 ? redis_value_at(v[i], 1) : v[i];
        if (i % 3 == 2)
            cr_expect(redis_value_error(v[i], &e) == ERR_REJECT);
        else
            cr_expect(redis_value_int(number) == i, "%d", i);
        redis_reply_free(v[i]);
        redis_cmd_release(&c[i]);
    }
    cr_expect(redis_pipeline(r, NULL, 0, NULL, &e) == ERR_OK);
    redis_close(r);
}

Test(redis, a_pipeline_larger_than_the_sockets_buffers_does_not_lock_up)
{
    enum { COUNT = 24 };
    struct redis *r = connect_to(server.url, 10000);
    struct redis_cmd c[COUNT];
    struct redis_value *v[COUNT] = {0};
    struct err e = ERR_INIT;
    char *big = malloc(1000000);

    cr_assert(big);
    memset(big, 'x', 1000000);
    for (int i = 0; i < COUNT; i++) {
        redis_cmd_init(&c[i]);
        redis_cmd_begin(&c[i], "ECHO");
        redis_cmd_add(&c[i], big, 1000000);
    }
    cr_assert(redis_pipeline(r, c, COUNT, v, &e) == ERR_OK, "%s", e.text);
    for (int i = 0; i < COUNT; i++) {
        size_t len;
        (void)redis_value_str(v[i], &len);
        cr_expect(len == 1000000);
        redis_reply_free(v[i]);
        redis_cmd_release(&c[i]);
    }
    free(big);
    redis_close(r);
}

Test(redis, a_command_that_does_not_fit_is_not_sent)
{
    struct redis *r = connect_to(server.url, 2000);
    struct redis_value *v = NULL;
    struct redis_cmd c;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "DEL");
    for (int i = 0; i <= REDIS_CMD_ARGS_MAX; i++)
        redis_cmd_add_str(&c, "k");
    cr_expect(redis_call(r, &c, &v, &e) == ERR_NOMEM);
    cr_expect(ping(r));
    redis_cmd_release(&c);
    redis_close(r);
}
