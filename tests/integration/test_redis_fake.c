/* The blocking connection to servers that are none: nothing they say is believed, and each call ends. */
#include "tests/integration/redis_rig.h"

#include "tests/support/fake_server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(redis_fake, .timeout = 60);

Test(redis_fake, an_unknown_host_is_worth_another_try)
{
    struct redis *r = connect_to("redis://no-such-host.invalid", 500);
    struct err e = ERR_INIT;
    char text[64];

    cr_expect(call(r, &e, text, "PING", NULL, NULL) == ERR_RETRY);
    redis_close(r);
}

#define INFO "$19\r\nredis_version:7.0.1\r\n"
/* clang-format off */
#define REPLY(text) {.bytes = (text), .len = sizeof(text) - 1}
/* clang-format on */

static enum err_code ask_fake(const struct fake_reply *replies, bool close_at_end,
                              int timeout_ms, struct err *e)
{
    struct tmpdir dir;
    struct fake_server s = {.replies = replies, .close_at_end = close_at_end};
    char url[160], text[64];

    tmpdir_make(&dir);
    s.socket = tmpdir_file(&dir, "s");
    fake_server_start(&s);
    (void)snprintf(url, sizeof url, "unix://%s", s.socket.path);
    struct redis *r = connect_to(url, timeout_ms);
    enum err_code rc = call(r, e, text, "GET", "a", NULL);
    if (rc == ERR_OK)
        (void)snprintf(e->text, sizeof e->text, "%s", text);
    redis_close(r);
    fake_server_stop(&s);
    tmpdir_remove(&dir);
    return rc;
}

Test(redis_fake, replies_that_are_none_end_the_call_with_retry)
{
    static const struct fake_reply replies[][4] = {
        {REPLY("HTTP/1.1 400 Bad Request\r\n\r\n"), {0}},
        {REPLY("\0\0\0\0\0\0\0\0\r\n"), {0}},
        {REPLY(INFO), REPLY("?\r\n"), {0}},
        {REPLY(INFO), REPLY("$-5\r\n"), {0}},
        {REPLY(INFO), REPLY(":99999999999999999999999\r\n"), {0}},
        {REPLY(INFO), REPLY("*1000000000\r\n"), {0}},
        {REPLY(INFO), REPLY("*2147483647\r\n"), {0}},
        {REPLY(INFO), REPLY("*-7\r\n"), {0}},
        {REPLY(INFO),
         REPLY("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
         {0}},
        {REPLY(INFO), REPLY("$5\r\nab"), {0}},
        {REPLY(INFO), {0}},
    };

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct err e = ERR_INIT;
        cr_expect(ask_fake(replies[i], i % 2 == 0, 200, &e) == ERR_RETRY, "row %zu: %s",
                  i, e.text);
    }
}

Test(redis_fake, a_reply_larger_than_the_limit_is_given_up)
{
    static char chunk[1 << 20];
    const struct fake_reply one_string[] = {
        REPLY(INFO),
        {.bytes = "$33554432\r\n", .len = 11, .more = true},
        {.bytes = chunk, .len = sizeof chunk, .repeat = 32},
        {0}};
    const struct fake_reply endless_line[] = {
        REPLY(INFO), {.bytes = chunk, .len = sizeof chunk, .repeat = 32}, {0}};
    const struct fake_reply nils[] = {REPLY(INFO), REPLY("*16000000\r\n"), {0}};
    struct err e = ERR_INIT;

    memset(chunk, 'x', sizeof chunk);
    chunk[0] = '+';
    cr_expect(ask_fake(endless_line, false, 10000, &e) == ERR_RETRY);
    cr_expect(strstr(e.text, "more than"), "%s", e.text);
    cr_expect(ask_fake(one_string, false, 10000, &e) == ERR_RETRY);
    cr_expect(strstr(e.text, "more than"), "%s", e.text);
    cr_expect(ask_fake(nils, false, 10000, &e) == ERR_RETRY);
    cr_expect(strstr(e.text, "impossible"), "%s", e.text);
}

Test(redis_fake, an_answer_nobody_asked_for_is_never_taken_for_another)
{
    /* Two replies to one question: the second must not answer the next one. */
    static const struct fake_reply replies[] = {REPLY(INFO),
                                                REPLY("$3\r\none\r\n$3\r\ntwo\r\n"),
                                                REPLY("$5\r\nthree\r\n"),
                                                {0}};
    struct fake_server s = {.replies = replies};
    struct err e = ERR_INIT;
    struct tmpdir dir;
    char url[160], text[64];

    tmpdir_make(&dir);
    s.socket = tmpdir_file(&dir, "s");
    fake_server_start(&s);
    (void)snprintf(url, sizeof url, "unix://%s", s.socket.path);
    struct redis *r = connect_to(url, 1000);
    cr_expect(call(r, &e, text, "GET", "a", NULL) == ERR_OK, "%s", e.text);
    cr_expect_str_eq(text, "one");
    cr_expect(call(r, &e, text, "GET", "b", NULL) == ERR_OK, "%s", e.text);
    cr_expect_str_eq(text, "one",
                     "a fresh connection, on which the replies begin anew");
    redis_close(r);
    fake_server_stop(&s);
    tmpdir_remove(&dir);
}
