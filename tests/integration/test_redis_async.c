/* The connection on a libuv loop: readiness, order, time-outs, reconnection, closing with commands under way. */
#include "shared/redis_async.h"

#include "shared/clock.h"
#include "tests/support/redis_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS_MAX = 4096 };

struct answer {
    long id;
    enum err_code code;
    char text[256];
};

static struct {
    struct redis_fixture server;
    uv_loop_t loop;
    uv_timer_t limit;
    bool limit_passed;
    struct redis_async *redis;
    struct redis_async_options options;
    int ready, lost, closed;
    struct err why;
    struct answer answers[ANSWERS_MAX];
    size_t count;
    bool inside; /* of redis_async_send */
    int nested;  /* commands that callbacks shall still send */
} t;

static void on_ready(void *ctx)
{
    (void)ctx;
    t.ready++;
}

static void on_lost(const struct err *why, void *ctx)
{
    (void)ctx;
    t.lost++;
    t.why = *why;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    t.closed++;
    t.redis = NULL;
}

static void on_limit(uv_timer_t *h)
{
    (void)h;
    t.limit_passed = true;
}

/* Run the loop until the condition holds; false after 5 s. */
#define RUN_UNTIL(condition)                                                           \
    __extension__({                                                                    \
        t.limit_passed = false;                                                        \
        uv_timer_start(&t.limit, on_limit, 5000, 0);                                   \
        while (!(condition) && !t.limit_passed)                                        \
            uv_run(&t.loop, UV_RUN_ONCE);                                              \
        uv_timer_stop(&t.limit);                                                       \
        (condition);                                                                   \
    })

static void open_redis(int timeout_ms)
{
    struct err e = ERR_INIT;

    cr_assert(redis_target_parse(t.server.url, &t.options.target, &e) == ERR_OK);
    t.options.connect_timeout_ms = 2000;
    t.options.timeout_ms = timeout_ms;
    t.options.on_ready = on_ready;
    t.options.on_lost = on_lost;
    cr_assert(redis_async_open(&t.loop, &t.options, &t.redis, &e) == ERR_OK, "%s",
              e.text);
    redis_target_release(&t.options.target);
}

static void up(void)
{
    redis_fixture_start(&t.server);
    cr_assert(uv_loop_init(&t.loop) == 0);
    cr_assert(uv_timer_init(&t.loop, &t.limit) == 0);
}

static void down(void)
{
    if (t.redis)
        redis_async_close(t.redis, on_closed, NULL);
    RUN_UNTIL(!t.redis);
    uv_close((uv_handle_t *)&t.limit, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&t.loop) != 0)
        abort(); /* a handle was left behind: a failed assertion would not count here */
    redis_fixture_stop(&t.server);
}

TestSuite(redis_async, .init = up, .fini = down, .timeout = 60);

static void send_words(long id, const char *a, const char *b, const char *c,
                       int wait_ms);

static void on_answer(enum err_code code, const struct redis_value *v,
                      const struct err *e, void *ctx)
{
    struct answer *a = &t.answers[t.count++];

    cr_assert_not(t.inside, "called from inside send");
    cr_assert(t.count < ANSWERS_MAX);
    cr_assert((code == ERR_OK) == (v != NULL) &&
              (code == ERR_OK) == (e->text[0] == '\0'));
    a->id = (long)(intptr_t)ctx;
    a->code = code;
    (void)snprintf(a->text, sizeof a->text, "%s",
                   v ? redis_value_str(v, NULL) : e->text);
    if (t.nested > 0) {
        t.nested--;
        send_words(a->id + 1, "ECHO", "nested", NULL, 0);
    }
}

static void send_cmd(long id, const struct redis_cmd *c, int wait_ms)
{
    t.inside = true;
    redis_async_send(t.redis, c, wait_ms, on_answer, (void *)(intptr_t)id);
    t.inside = false;
}

static void send_words(long id, const char *a, const char *b, const char *c,
                       int wait_ms)
{
    const char *words[] = {a, b, c};
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    for (size_t i = 0; i < 3 && words[i]; i++)
        redis_cmd_add_str(&cmd, words[i]);
    send_cmd(id, &cmd, wait_ms);
    redis_cmd_release(&cmd);
}

static void expect_all_failed_in_order(size_t count)
{
    cr_assert(t.count == count, "%zu of %zu", t.count, count);
    for (size_t i = 0; i < count; i++)
        cr_expect(t.answers[i].id == (long)i && t.answers[i].code == ERR_RETRY,
                  "%zu: %s", i, t.answers[i].text);
}

Test(redis_async, it_connects_by_itself_and_answers_in_order)
{
    open_redis(2000);
    cr_expect_not(redis_async_is_ready(t.redis));
    cr_assert(RUN_UNTIL(t.ready == 1));
    cr_expect(redis_async_is_ready(t.redis));
    for (long i = 0; i < 1000; i++) {
        char text[24];
        (void)snprintf(text, sizeof text, "%ld", i);
        send_words(i, i % 2 ? "ECHO" : "NONSENSE", text, NULL, 0);
    }
    cr_expect(redis_async_pending(t.redis) == 1000);
    cr_assert(RUN_UNTIL(t.count == 1000));
    for (long i = 0; i < 1000; i++) {
        cr_expect(t.answers[i].id == i);
        cr_expect(t.answers[i].code == (i % 2 ? ERR_OK : ERR_REJECT));
        if (i % 2)
            cr_expect(strtol(t.answers[i].text, NULL, 10) == i);
    }
    cr_expect(redis_async_pending(t.redis) == 0);
    cr_expect(t.lost == 0);
}

Test(redis_async, a_command_before_it_is_ready_fails_but_not_inside_send)
{
    open_redis(2000);
    send_words(0, "PING", NULL, NULL, 0);
    cr_expect(t.count == 0);
    cr_expect(redis_async_pending(t.redis) == 1);
    cr_assert(RUN_UNTIL(t.count == 1));
    expect_all_failed_in_order(1);
}

Test(redis_async, callbacks_may_send)
{
    open_redis(2000);
    cr_assert(RUN_UNTIL(t.ready == 1));
    t.nested = 50;
    send_words(0, "ECHO", "first", NULL, 0);
    cr_assert(RUN_UNTIL(t.count == 51));
    cr_expect(t.answers[50].id == 50 && t.answers[50].code == ERR_OK);
}

Test(redis_async, a_time_out_fails_everything_in_order_and_reconnects)
{
    open_redis(150);
    cr_assert(RUN_UNTIL(t.ready == 1));
    redis_fixture_pause(&t.server);
    int64_t begun = clock_mono_ms();
    for (long i = 0; i < 20; i++)
        send_words(i, "ECHO", "stale", NULL, 0);
    cr_assert(RUN_UNTIL(t.lost == 1));
    int64_t took = clock_mono_ms() - begun;
    cr_expect(took >= 140 && took < 1500, "%ld", (long)took);
    expect_all_failed_in_order(20);
    cr_expect(strstr(t.why.text, "in time"), "%s", t.why.text);
    cr_expect_not(redis_async_is_ready(t.redis));
    redis_fixture_resume(&t.server);
    cr_assert(RUN_UNTIL(t.ready == 2));
    send_words(20, "ECHO", "fresh", NULL, 0);
    cr_assert(RUN_UNTIL(t.count == 21));
    cr_expect_str_eq(t.answers[20].text, "fresh");
}

Test(redis_async, a_slow_command_delays_the_deadline_of_those_behind_it)
{
    open_redis(200);
    cr_assert(RUN_UNTIL(t.ready == 1));
    send_words(0, "BLPOP", "nothing", "0.4", 500);
    send_words(1, "ECHO", "behind", NULL, 0);
    cr_assert(RUN_UNTIL(t.count == 2));
    cr_expect(t.answers[0].code == ERR_OK, "%s", t.answers[0].text);
    cr_expect(t.answers[1].code == ERR_OK, "%s", t.answers[1].text);
    cr_expect(t.lost == 0);
}

Test(redis_async, it_goes_on_trying_until_the_server_is_back)
{
    open_redis(2000);
    cr_assert(RUN_UNTIL(t.ready == 1));
    send_words(0, "BLPOP", "nothing", "60", 60000);
    redis_fixture_kill(&t.server);
    cr_assert(RUN_UNTIL(t.lost >= 4));
    cr_expect(t.count == 1 && t.answers[0].code == ERR_RETRY);
    redis_fixture_restart(&t.server);
    cr_assert(RUN_UNTIL(t.ready == 2));
    send_words(1, "ECHO", "back", NULL, 0);
    cr_assert(RUN_UNTIL(t.count == 2));
    cr_expect_str_eq(t.answers[1].text, "back");
}

Test(redis_async, closing_fails_what_is_under_way_and_leaves_nothing)
{
    open_redis(60000);
    cr_assert(RUN_UNTIL(t.ready == 1));
    redis_fixture_pause(&t.server);
    for (long i = 0; i < 10; i++)
        send_words(i, "ECHO", "x", NULL, 0);
    redis_async_close(t.redis, on_closed, NULL);
    cr_expect(t.count == 0 && t.closed == 0, "on a later turn");
    cr_assert(RUN_UNTIL(t.closed == 1));
    expect_all_failed_in_order(10);
    cr_expect(t.lost == 0);
    redis_fixture_resume(&t.server);
}

Test(redis_async, closing_before_it_was_ready_or_while_it_looks_up_a_name)
{
    struct err e = ERR_INIT;

    open_redis(2000);
    redis_async_close(t.redis, on_closed, NULL);
    cr_assert(RUN_UNTIL(t.closed == 1));
    cr_assert(redis_target_parse("redis://no-such-host.invalid", &t.options.target,
                                 &e) == ERR_OK);
    cr_assert(redis_async_open(&t.loop, &t.options, &t.redis, &e) == ERR_OK);
    redis_target_release(&t.options.target);
    redis_async_close(t.redis, on_closed, NULL);
    cr_assert(RUN_UNTIL(t.closed == 2));
    cr_expect(t.ready == 0);
}

static void close_from_callback(enum err_code code, const struct redis_value *v,
                                const struct err *e, void *ctx)
{
    on_answer(code, v, e, ctx);
    redis_async_close(t.redis, on_closed, NULL);
}

Test(redis_async, a_callback_may_close)
{
    struct redis_cmd c;

    open_redis(2000);
    cr_assert(RUN_UNTIL(t.ready == 1));
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "PING");
    redis_async_send(t.redis, &c, 0, close_from_callback, (void *)(intptr_t)0);
    redis_cmd_release(&c);
    send_words(1, "BLPOP", "nothing", "60", 60000);
    send_words(2, "PING", NULL, NULL, 0);
    cr_assert(RUN_UNTIL(t.closed == 1));
    cr_assert(t.count == 3);
    cr_expect(t.answers[0].code == ERR_OK);
    cr_expect(t.answers[1].id == 1 && t.answers[1].code == ERR_RETRY);
    cr_expect(t.answers[2].id == 2 && t.answers[2].code == ERR_RETRY);
}

Test(redis_async, a_forgotten_script_is_loaded_again)
{
    char *sha1 = redis_fixture_ask(&t.server, "SCRIPT", "LOAD", "return ARGV[1]", NULL);
    struct redis_script s = {"echo", "return ARGV[1]", sha1, "return ARGV[1]", sha1};
    const struct redis_script *const list[] = {&s, NULL};
    struct redis_cmd c;

    free(redis_fixture_ask(&t.server, "SCRIPT", "FLUSH", NULL));
    t.options.scripts = list;
    open_redis(2000);
    cr_assert(RUN_UNTIL(t.ready == 1));
    cr_expect(redis_fixture_ask_int(&t.server, "SCRIPT", "EXISTS", sha1, NULL) == 1,
              "loaded before it is ready");
    free(redis_fixture_ask(&t.server, "SCRIPT", "FLUSH", NULL));
    redis_cmd_init(&c);
    for (long i = 0; i < 5; i++) {
        redis_cmd_begin_script(&c, &s, 0);
        redis_cmd_add_int(&c, i);
        send_cmd(i, &c, 0);
    }
    redis_cmd_release(&c);
    cr_assert(RUN_UNTIL(t.count == 5));
    for (long i = 0; i < 5; i++) {
        cr_expect(t.answers[i].code == ERR_OK, "%s", t.answers[i].text);
        cr_expect(strtol(t.answers[i].text, NULL, 10) == t.answers[i].id);
    }
    free(sha1);
}

Test(redis_async, a_handshake_that_is_refused_is_told_as_the_operators_matter)
{
    struct err e = ERR_INIT;

    free(redis_fixture_ask(&t.server, "CONFIG", "SET", "requirepass", "x", NULL));
    cr_assert(redis_target_parse(t.server.url, &t.options.target, &e) == ERR_OK);
    t.options.target.password = strdup("wrong");
    t.options.connect_timeout_ms = t.options.timeout_ms = 2000;
    t.options.on_lost = on_lost;
    t.options.on_ready = on_ready;
    cr_assert(redis_async_open(&t.loop, &t.options, &t.redis, &e) == ERR_OK);
    redis_target_release(&t.options.target);
    cr_assert(RUN_UNTIL(t.lost == 2));
    cr_expect(t.why.code == ERR_CONFIG && strstr(t.why.text, "WRONGPASS"), "%s",
              t.why.text);
    cr_expect(t.ready == 0);
}

Test(redis_async, a_command_that_does_not_fit_fails_alone)
{
    struct redis_cmd c;

    open_redis(2000);
    cr_assert(RUN_UNTIL(t.ready == 1));
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "DEL");
    for (int i = 0; i <= REDIS_CMD_ARGS_MAX; i++)
        redis_cmd_add_str(&c, "k");
    send_cmd(0, &c, 0);
    send_words(1, "PING", NULL, NULL, 0);
    cr_assert(RUN_UNTIL(t.count == 2));
    cr_expect(t.answers[0].code == ERR_NOMEM && t.answers[1].code == ERR_OK);
    redis_cmd_release(&c);
}
