#include "shared/redis.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(redis_url, .timeout = 60);

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static const struct {
    const char *url;
    struct redis_target want;
} good[] = {
    {"unix:///run/redis.sock", {.unix_path = "/run/redis.sock"}},
    {"unix:///run/redis.sock?db=3", {.unix_path = "/run/redis.sock", .db = 3}},
    {"redis://localhost", {.host = "localhost", .port = 6379}},
    {"redis://localhost/", {.host = "localhost", .port = 6379}},
    {"redis://10.0.0.1:7000/15", {.host = "10.0.0.1", .port = 7000, .db = 15}},
    {"redis://[::1]:7000/2", {.host = "::1", .port = 7000, .db = 2}},
    {"redis://[fe80::1%eth0]", {.host = "fe80::1%eth0", .port = 6379}},
    {"redis://:secret@h", {.host = "h", .port = 6379, .password = "secret"}},
    {"redis://u:p%40%3a%2F@h:1",
     {.host = "h", .port = 1, .user = "u", .password = "p@:/"}},
    {"redis://u@h", {.host = "h", .port = 6379, .user = "u"}},
    {"redis://u:a@b@h", {.host = "h", .port = 6379, .user = "u", .password = "a@b"}},
    {"redis://h:65535/65535", {.host = "h", .port = 65535, .db = 65535}},
};

Test(redis_url, good_ones_are_taken_apart)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct redis_target t = REDIS_TARGET_INIT;
        struct err e = ERR_INIT;
        const struct redis_target *w = &good[i].want;
        cr_expect(redis_target_parse(good[i].url, &t, &e) == ERR_OK, "%s: %s",
                  good[i].url, e.text);
        cr_expect(same(t.unix_path, w->unix_path) && same(t.host, w->host), "%s",
                  good[i].url);
        cr_expect(same(t.user, w->user) && same(t.password, w->password), "%s",
                  good[i].url);
        cr_expect(t.db == w->db && t.port == w->port, "%s", good[i].url);
        redis_target_release(&t);
        cr_expect(!t.host && !t.password);
    }
}

static const char *const bad[] = {
    "",
    "redis",
    "http://h",
    "rediss://h",
    "redis:/h",
    "redis://",
    "redis://:secret@",
    "redis:///1",
    "redis://h:",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:secret",
    "redis://h:-1",
    "redis://h/x",
    "redis://h/65536",
    "redis://h/1/2",
    "redis://h?db=1",
    "redis://[::1",
    "redis://[::1]x",
    "redis://[]",
    "redis://a b",
    "redis://h\r\nFLUSHALL",
    "redis://u:secret%@h",
    "redis://u:secret%4@h",
    "redis://u:secret%zz@h",
    "redis://u:secret%00@h",
    "redis://u:secret@h:x",
    "redis://u:secret@h/secret",
    "unix://",
    "unix:///",
    "unix://relative",
    "unix:///a?db=",
    "unix:///a?db=-1",
    "unix:///a?db=65536",
    "unix:///a?password=secret",
};

Test(redis_url, bad_ones_are_refused_without_telling_the_password)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct redis_target t = REDIS_TARGET_INIT;
        struct err e = ERR_INIT;
        cr_expect(redis_target_parse(bad[i], &t, &e) == ERR_CONFIG, "%s", bad[i]);
        cr_expect(strncmp(e.text, "redis url: ", 11) == 0, "%s: %s", bad[i], e.text);
        cr_expect_not(strstr(e.text, "secret"), "%s: %s", bad[i], e.text);
        cr_expect(!t.host && !t.unix_path && !t.password, "%s: touched", bad[i]);
    }
}

Test(redis_url, a_socket_path_fits_into_an_address)
{
    char url[256] = "unix:///";
    struct redis_target t = REDIS_TARGET_INIT;
    struct err e = ERR_INIT;

    memset(url + 8, 'a', 106);
    cr_assert(redis_target_parse(url, &t, &e) == ERR_OK, "%s", e.text);
    cr_expect(strlen(t.unix_path) == 107);
    redis_target_release(&t);
    url[8 + 106] = 'a';
    cr_expect(redis_target_parse(url, &t, &e) == ERR_CONFIG);
}

Test(redis_url, endless_ones_are_refused)
{
    static char url[8192] = "redis://u:";
    struct redis_target t = REDIS_TARGET_INIT;
    struct err e = ERR_INIT;

    memset(url + 10, 'a', sizeof url - 13);
    memcpy(url + sizeof url - 3, "@h", 3);
    cr_expect(redis_target_parse(url, &t, &e) == ERR_CONFIG);
    url[4000] = '@';
    url[4001] = 'h';
    url[4002] = '\0';
    cr_expect(redis_target_parse(url, &t, &e) == ERR_CONFIG);
}
