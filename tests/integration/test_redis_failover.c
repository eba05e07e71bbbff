/* After a fail-over the name leads elsewhere: both kinds of connection look it up again.  getaddrinfo is the test's. */
#include "shared/redis_async.h"
#include "tests/integration/redis_rig.h"

#include "shared/clock.h"
#include "shared/redis_async.h"

#include <criterion/criterion.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct redis_fixture second;
static atomic_int port; /* of the server that the name leads to */
static atomic_int lookups;

struct answer {
    struct addrinfo info;
    struct sockaddr_in to;
};

/* Instead of the C library's: every name is on this host, at the port of the moment. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    struct answer *a = calloc(1, sizeof *a);

    (void)name;
    (void)service;
    (void)hints;
    if (!a)
        return EAI_MEMORY;
    atomic_fetch_add(&lookups, 1);
    a->to = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)atomic_load(&port)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    a->info = (struct addrinfo){.ai_family = AF_INET,
                                .ai_socktype = SOCK_STREAM,
                                .ai_addrlen = sizeof a->to,
                                .ai_addr = (struct sockaddr *)&a->to};
    *ret = &a->info;
    return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
    free(info); /* the first member of what was made above */
}

/* A port that the server binds itself: it is asked for a few random ones until one is free. */
static int listen_on_some_port(struct redis_fixture *f)
{
    int bound = 0;

    for (int i = 0; i < 50 && bound == 0; i++) {
        char number[8];
        (void)snprintf(number, sizeof number, "%d",
                       20000 + (int)(clock_mono_us() % 30000));
        char *reply = redis_fixture_ask(f, "CONFIG", "SET", "port", number, NULL);
        if (strcmp(reply, "OK") == 0)
            bound = (int)strtol(number, NULL, 10);
        free(reply);
    }
    cr_assert(bound > 0);
    return bound;
}

static int ports[2];

static void up(void)
{
    redis_up();
    redis_fixture_start(&second);
    ports[0] = listen_on_some_port(&server);
    ports[1] = listen_on_some_port(&second);
    free(redis_fixture_ask(&second, "SET", "who", "second", NULL));
    free(redis_fixture_ask(&server, "SET", "who", "first", NULL));
    atomic_store(&port, ports[0]);
}

static void down(void)
{
    redis_fixture_stop(&second);
    redis_down();
}

TestSuite(redis_failover, .init = up, .fini = down, .timeout = 60);

/* The first becomes a replica, and the name leads to the second. */
static void fail_over(void)
{
    free(redis_fixture_ask(&server, "REPLICAOF", "127.0.0.1", "1", NULL));
    atomic_store(&port, ports[1]);
}

Test(redis_failover, a_blocking_connection_follows_the_name)
{
    struct redis *r = connect_to("redis://redis.test:7", 2000);
    struct err e = ERR_INIT;
    char text[64];

    cr_assert(call(r, &e, text, "GET", "who", NULL) == ERR_OK, "%s", e.text);
    cr_expect_str_eq(text, "first");
    fail_over();
    cr_expect(call(r, &e, text, "SET", "a", "b") == ERR_RETRY);
    cr_expect(strstr(e.text, "READONLY"), "%s", e.text);
    cr_expect(call(r, &e, text, "SET", "a", "b") == ERR_OK, "%s", e.text);
    cr_expect(call(r, &e, text, "GET", "who", NULL) == ERR_OK, "%s", e.text);
    cr_expect_str_eq(text, "second");
    cr_expect(atomic_load(&lookups) == 2);
    redis_close(r);
}

static struct {
    struct redis_async *redis;
    int ready, answers;
    enum err_code code;
    char text[256];
    bool closed;
} t;

static void on_ready(void *ctx)
{
    (void)ctx;
    t.ready++;
}

static void on_answer(enum err_code code, const struct redis_value *v,
                      const struct err *e, void *ctx)
{
    (void)ctx;
    t.answers++;
    t.code = code;
    (void)snprintf(t.text, sizeof t.text, "%s",
                   v ? redis_value_str(v, NULL) : e->text); /* of at most 255 bytes */
}

static void on_closed(void *ctx)
{
    (void)ctx;
    t.closed = true;
}

static void ask(uv_loop_t *loop, const char *a, const char *b, const char *c)
{
    const char *words[] = {a, b, c};
    int before = t.answers;
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    for (size_t i = 0; i < 3 && words[i]; i++)
        redis_cmd_add_str(&cmd, words[i]);
    redis_async_send(t.redis, &cmd, 0, on_answer, NULL);
    redis_cmd_release(&cmd);
    while (t.answers == before)
        (void)uv_run(loop, UV_RUN_ONCE);
}

Test(redis_failover, a_connection_on_a_loop_follows_the_name)
{
    struct redis_async_options o = {
        .connect_timeout_ms = 2000, .timeout_ms = 2000, .on_ready = on_ready};
    struct err e = ERR_INIT;
    uv_loop_t loop;

    cr_assert(uv_loop_init(&loop) == 0);
    cr_assert(redis_target_parse("redis://redis.test:7", &o.target, &e) == ERR_OK);
    cr_assert(redis_async_open(&loop, &o, &t.redis, &e) == ERR_OK, "%s", e.text);
    redis_target_release(&o.target);
    while (t.ready < 1)
        (void)uv_run(&loop, UV_RUN_ONCE);
    ask(&loop, "GET", "who", NULL);
    cr_expect_str_eq(t.text, "first");
    fail_over();
    ask(&loop, "SET", "a", "b");
    cr_expect(t.code == ERR_RETRY && strstr(t.text, "READONLY"), "%s", t.text);
    while (t.ready < 2)
        (void)uv_run(&loop, UV_RUN_ONCE);
    ask(&loop, "SET", "a", "b");
    cr_expect(t.code == ERR_OK, "%s", t.text);
    ask(&loop, "GET", "who", NULL);
    cr_expect_str_eq(t.text, "second");
    redis_async_close(t.redis, on_closed, NULL);
    while (!t.closed)
        (void)uv_run(&loop, UV_RUN_ONCE);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(uv_loop_close(&loop) == 0);
}
