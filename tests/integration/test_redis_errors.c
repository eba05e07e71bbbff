/* The blocking connection: what a real server refuses, and where it can be reached; each error has its class. */
#include "tests/integration/redis_rig.h"

#include "shared/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(redis_errors, .init = redis_up, .fini = redis_down, .timeout = 60);

Test(redis_errors, what_the_server_refuses_is_rejected_and_the_connection_stays)
{
    struct redis *r = connect_to(server.url, 2000);
    struct err e = ERR_INIT;
    char text[64];

    cr_assert(call(r, &e, text, "SET", "s", "x") == ERR_OK);
    int64_t before = redis_fixture_ask_int(&server, "CLIENT", "ID", NULL);
    cr_expect(call(r, &e, text, "LPUSH", "s", "x") == ERR_REJECT);
    cr_expect(strstr(e.text, "WRONGTYPE"), "%s", e.text);
    cr_expect(call(r, &e, text, "EVAL", "return nosuch()", "0") == ERR_REJECT);
    cr_expect(ping(r));
    cr_expect(redis_fixture_ask_int(&server, "CLIENT", "ID", NULL) == before);
    redis_close(r);
}

Test(redis_errors, a_full_or_read_only_server_is_worth_another_try)
{
    struct redis *r = connect_to(server.url, 2000);
    struct err e = ERR_INIT;
    char text[64];

    free(redis_fixture_ask(&server, "CONFIG", "SET", "maxmemory", "1", NULL));
    cr_expect(call(r, &e, text, "SET", "a", "b") == ERR_RETRY);
    cr_expect(strstr(e.text, "OOM"), "%s", e.text);
    free(redis_fixture_ask(&server, "CONFIG", "SET", "maxmemory", "0", NULL));
    free(redis_fixture_ask(&server, "REPLICAOF", "127.0.0.1", "1", NULL));
    cr_expect(call(r, &e, text, "SET", "a", "b") == ERR_RETRY);
    cr_expect(strstr(e.text, "READONLY"), "%s", e.text);
    free(redis_fixture_ask(&server, "REPLICAOF", "NO", "ONE", NULL));
    cr_expect(call(r, &e, text, "SET", "a", "b") == ERR_OK, "%s", e.text);
    redis_close(r);
}

Test(redis_errors, passwords_and_rights_are_the_operators_matter)
{
    struct redis_options o = {.connect_timeout_ms = 2000, .timeout_ms = 2000};
    struct redis *r = connect_to(server.url, 2000), *with = NULL;
    struct err e = ERR_INIT;
    char text[64];

    free(redis_fixture_ask(&server, "ACL", "SETUSER", "app", "on", ">s3cret", "~*",
                           "+@all", "-info", "-flushall", NULL));
    free(redis_fixture_ask(&server, "CONFIG", "SET", "requirepass", "other", NULL));
    cr_expect(call(r, &e, text, "PING", NULL, NULL) == ERR_CONFIG);
    cr_expect(strstr(e.text, "NOAUTH"), "%s", e.text);
    cr_assert(redis_target_parse(server.url, &o.target, &e) == ERR_OK);
    o.target.user = strdup("app");
    o.target.password = strdup("wrong");
    cr_assert(redis_open(&o, &with, &e) == ERR_OK);
    cr_expect(call(with, &e, text, "PING", NULL, NULL) == ERR_CONFIG);
    cr_expect(strstr(e.text, "WRONGPASS") && !strstr(e.text, "wrong"), "%s", e.text);
    redis_close(with);
    free(o.target.password);
    o.target.password = strdup("s3cret");
    cr_assert(redis_open(&o, &with, &e) == ERR_OK);
    cr_expect(ping(with), "without the right to INFO too");
    cr_expect(call(with, &e, text, "FLUSHALL", NULL, NULL) == ERR_CONFIG);
    redis_close(with);
    redis_close(r);
    redis_target_release(&o.target);
}

Test(redis_errors, tcp_works_by_number_and_by_name)
{
    struct err e = ERR_INIT;
    char url[64], text[64];
    int port = 0;

    /* A port the server binds itself: it is asked for a few random ones until one is free. */
    for (int i = 0; i < 50 && port == 0; i++) {
        char number[8];
        (void)snprintf(number, sizeof number, "%d",
                       20000 + (int)(clock_mono_us() % 30000));
        char *reply = redis_fixture_ask(&server, "CONFIG", "SET", "port", number, NULL);
        if (strcmp(reply, "OK") == 0)
            port = (int)strtol(number, NULL, 10);
        free(reply);
    }
    cr_assert(port > 0);
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(url, sizeof url, "redis://%s:%d", hosts[i], port);
        struct redis *r = connect_to(url, 2000);
        cr_expect(call(r, &e, text, "PING", NULL, NULL) == ERR_OK, "%s: %s", url,
                  e.text);
        redis_close(r);
    }
}
