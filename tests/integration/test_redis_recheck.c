/* A server whose settings change under a standing connection is noticed a minute later.  The clock is the test's. */
#include "tests/integration/redis_rig.h"

#include "shared/clock.h"
#include "shared/redis_async.h"
#include "shared/redis_check.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_llong ahead_s; /* of the monotonic clock */

/* Instead of the C library's. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
    long rc = syscall(SYS_clock_gettime, id, ret);

    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
        ret->tv_sec += atomic_load(&ahead_s);
    return (int)rc;
}

TestSuite(redis_recheck, .init = redis_up, .fini = redis_down, .timeout = 60);

static void set_policy(const char *policy)
{
    free(redis_fixture_ask(&server, "CONFIG", "SET", "maxmemory-policy", policy, NULL));
}

static void a_minute_passes(void)
{
    atomic_fetch_add(&ahead_s, REDIS_CHECK_EVERY_MS / 1000 + 1);
}

Test(redis_recheck, a_blocking_connection_refuses_and_comes_back)
{
    struct redis *r = connect_to(server.url, 2000);
    struct err e = ERR_INIT;
    char text[64];

    cr_assert(ping(r));
    cr_expect_str_eq(redis_facts(r)->policy, "noeviction");
    set_policy("allkeys-lru");
    cr_expect(ping(r), "not asked again for each call");
    a_minute_passes();
    cr_expect(call(r, &e, text, "SET", "a", "b") == ERR_CONFIG);
    cr_expect(strstr(e.text, "allkeys-lru"), "%s", e.text);
    cr_expect(call(r, &e, text, "SET", "a", "b") == ERR_CONFIG, "nor by a new one");
    cr_expect(redis_fixture_ask_int(&server, "EXISTS", "a", NULL) == 0);
    set_policy("volatile-lru");
    cr_expect(call(r, &e, text, "SET", "a", "b") == ERR_OK, "%s", e.text);
    cr_expect(redis_check_warns(redis_facts(r)));
    a_minute_passes();
    cr_expect(ping(r), "what has not changed costs nothing");
    redis_close(r);
}

static struct {
    int ready, lost, answers;
    struct err why;
    bool closed;
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

static void on_answer(enum err_code code, const struct redis_value *v,
                      const struct err *e, void *ctx)
{
    (void)code;
    (void)v;
    (void)e;
    (void)ctx;
    t.answers++;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    t.closed = true;
}

static void send_ping(struct redis_async *r)
{
    struct redis_cmd ping_cmd;

    redis_cmd_init(&ping_cmd);
    redis_cmd_begin(&ping_cmd, "PING");
    redis_async_send(r, &ping_cmd, 0, on_answer, NULL);
    redis_cmd_release(&ping_cmd);
}

Test(redis_recheck, a_connection_on_a_loop_is_lost_and_comes_back)
{
    struct redis_async_options o = {.connect_timeout_ms = 2000,
                                    .timeout_ms = 2000,
                                    .on_ready = on_ready,
                                    .on_lost = on_lost};
    struct redis_async *r = NULL;
    struct err e = ERR_INIT;
    uv_loop_t loop;

    cr_assert(uv_loop_init(&loop) == 0);
    cr_assert(redis_target_parse(server.url, &o.target, &e) == ERR_OK);
    cr_assert(redis_async_open(&loop, &o, &r, &e) == ERR_OK, "%s", e.text);
    redis_target_release(&o.target);
    while (t.ready < 1)
        (void)uv_run(&loop, UV_RUN_ONCE);
    a_minute_passes();
    send_ping(r);
    while (t.answers < 1)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(t.lost == 0, "what has not changed costs nothing");
    set_policy("allkeys-lru");
    a_minute_passes();
    send_ping(r);
    while (t.lost < 1)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(t.answers == 2, "the command in front of it was answered");
    cr_expect(t.why.code == ERR_CONFIG && strstr(t.why.text, "allkeys-lru"), "%s",
              t.why.text);
    cr_expect_not(redis_async_is_ready(r));
    set_policy("noeviction");
    while (t.ready < 2)
        (void)uv_run(&loop, UV_RUN_ONCE);
    redis_async_close(r, on_closed, NULL);
    while (!t.closed)
        (void)uv_run(&loop, UV_RUN_ONCE);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(uv_loop_close(&loop) == 0);
}
