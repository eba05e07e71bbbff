/*
 * fetch: what a server may say, and what becomes of it: either all of the bytes, or a failure that says why.
 */
#include "tests/integration/fetch_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { MANY = 3 * 1000 * 1000 };

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

#define BIG "9999999999999"

static const struct url_page pages[] = {
    {.path = "/a?b=c", .size = 100, .fields = "Content-Type: image/png\r\n"},
    {.path = "/empty", .size = 0},
    {.path = "/many", .size = MANY},
    {.path = "/chunked", .size = 5000, .chunked = true},
    {.path = "/chunked_many", .size = MANY, .chunked = true},
    {.path = "/both", .size = 5000, .chunked = true, .fields = "Content-Length: 7\r\n"},
    {.path = "/kept_open", .size = 100, .without_end = true},
    {.path = "/interim",
     .status = "103 Early Hints\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK",
     .size = 100},
    /* Lies. */
    {.path = "/short", .size = 100, .length = "101"},
    {.path = "/long", .size = 101, .length = "100"},
    {.path = "/much_longer", .size = MANY, .length = "100"},
    {.path = "/none_but_some", .size = 10, .length = "0"},
    {.path = "/no_length", .size = 100, .length = ""},
    {.path = "/negative", .size = 100, .length = "-1"},
    {.path = "/not_a_number", .size = 100, .length = "100x"},
    {.path = "/twice", .size = 100, .fields = "Content-Length: 101\r\n"},
    {.path = "/chunks_without_end",
     .size = 5000,
     .chunked = true,
     .cut = 4500,
     .cuts = 9},
    {.path = "/gzip", .size = 100, .fields = "Content-Encoding: gzip\r\n"},
    {.path = "/coding", .size = 100, .fields = "Transfer-Encoding: gzip\r\n"},
    {.path = "/huge", .size = 100, .length = BIG},
    {.path = "/endless_head", .endless_head = true},
    {.path = "/nothing", .status = "204 No Content"},
    {.path = "/part", .status = "206 Partial Content", .size = 10},
    /* Breaks. */
    {.path = "/breaks", .size = MANY, .ranges = true, .cut = 1500000, .cuts = 1},
    {.path = "/breaks_twice", .size = 100, .ranges = true, .cut = 60, .cuts = 2},
    {.path = "/breaks_always", .size = 100, .ranges = true, .cut = 60, .cuts = 99},
    {.path = "/breaks_unnamed", .size = 100, .cut = 60, .cuts = 99},
    {.path = "/breaks_weak",
     .size = 100,
     .fields = "ETag: W/\"v1\"\r\n",
     .cut = 60,
     .cuts = 1},
    {.path = "/starts_again",
     .size = 100,
     .fields = "ETag: \"v1\"\r\n",
     .cut = 60,
     .cuts = 1},
    {.path = "/other_part",
     .size = 100,
     .ranges = true,
     .cut = 60,
     .cuts = 1,
     .range_fields = "Content-Range: bytes 0-39/100\r\n"},
    {.path = "/other_total",
     .size = 100,
     .ranges = true,
     .cut = 60,
     .cuts = 1,
     .range_fields = "Content-Range: bytes 60-99/200\r\n"},
    {.path = "/no_range",
     .size = 100,
     .ranges = true,
     .cut = 60,
     .cuts = 1,
     .range_fields = "Content-Type: multipart/byteranges; boundary=x\r\n"},
    {.path = "/other_tag",
     .size = 100,
     .ranges = true,
     .cut = 60,
     .cuts = 1,
     .range_fields = "Content-Range: bytes 60-99/100\r\nETag: \"v2\"\r\n"},
    /* Elsewhere. */
    {.path = "/to_a", .status = "302 Found", .location = "/a?b=c"},
    {.path = "/to_to_a",
     .status = "301 Moved",
     .location = "http://127.0.0.1:PORT/to_a",
     .size = 100},
    {.path = "/x/to_relative", .status = "307 Temporary", .location = "../to_relative"},
    {.path = "/x/../to_relative", .status = "308 Permanent", .location = "?b=c"},
    {.path = "/x/../to_relative?b=c", .size = 100},
    {.path = "/loop", .status = "302 Found", .location = "/loop"},
    {.path = "/to_metadata",
     .status = "302 Found",
     .location = "http://169.254.169.254/latest/meta-data/"},
    {.path = "/to_private", .status = "302 Found", .location = "http://10.0.0.1/"},
    {.path = "/to_file", .status = "302 Found", .location = "file:///etc/passwd"},
    {.path = "/to_user", .status = "302 Found", .location = "http://u:p@127.0.0.1/"},
    {.path = "/to_name",
     .status = "302 Found",
     .location = "http://localhost:PORT/a?b=c"},
    {.path = "/to_nowhere", .status = "302 Found"},
    {.path = "/unchanged", .status = "304 Not Modified"},
    /* Refusals. */
    {.path = "/401", .status = "401 Unauthorized"},
    {.path = "/403", .status = "403 Forbidden"},
    {.path = "/410", .status = "410 Gone", .size = 100},
    {.path = "/418", .status = "418 Teapot"},
    {.path = "/429", .status = "429 Slow", .fields = "Retry-After: 7\r\n"},
    {.path = "/500", .status = "500 Oops"},
    {.path = "/503", .status = "503 Later", .fields = "Retry-After: 9\r\n"},
    {.path = "/drip", .size = 1000, .drip_ms = 50},
    {.path = NULL},
};

static void up(void)
{
    fetch_rig_up(pages);
}

TestSuite(fetch, .init = up, .fini = fetch_rig_down, .timeout = 120);

static void expect_whole(const struct taker *t, size_t len)
{
    cr_expect(t->ended && fetch_is_pattern(t, len), "%zu bytes, %s", t->len,
              t->failure.error);
}

Test(fetch, all_that_was_told_of_comes_with_its_type)
{
    struct taker *t = fetch_path("/a?b=c");

    expect_whole(t, 100);
    cr_expect(eq(i64, t->told_length, 100));
    cr_expect(eq(str, t->type, "image/png"));
    cr_expect(strstr(fetch_rig.server.latest, "\r\nAccept-Encoding: identity\r\n") !=
              NULL);
    cr_expect(strstr(fetch_rig.server.latest, "\r\nRange:") == NULL, "%s",
              fetch_rig.server.latest);
    expect_whole(fetch_path("/empty"), 0);
    expect_whole(fetch_path("/interim"), 100);
    expect_whole(fetch_path("/kept_open"), 100);
}

Test(fetch, chunks_need_no_length)
{
    struct taker *t = fetch_path("/chunked");

    expect_whole(t, 5000);
    cr_expect(eq(i64, t->told_length, -1));
    expect_whole(fetch_path("/chunked_many"), MANY);
    expect_whole(fetch_path("/both"), 5000);
}

Test(fetch, who_reads_slowly_holds_up_the_server)
{
    char url[64];

    expect_whole(fetch_path("/many"), MANY);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/many", fetch_rig.server.port);
    expect_whole(fetch_from(url, (struct taker){.slow = 1, .piece = 30 * 1000}), MANY);
    expect_whole(fetch_from(url, (struct taker){.piece = 777}), MANY);
}

Test(fetch, it_can_be_stopped_while_bytes_come)
{
    char url[64];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/many", fetch_rig.server.port);
    struct taker *t = fetch_from(url, (struct taker){.stop_at = 200 * 1000});
    cr_expect(t->failed && t->failure.aborted && t->len < MANY);
}

/* What is wrong with it, and how it is told. */
static const struct {
    const char *path;
    enum retry_class class;
    const char *has;
    bool after_head; /* some bytes may have come */
} failures[] = {
    {"/short", RETRY_TRANSIENT, "broke off after 100 bytes", true},
    {"/long", RETRY_TRANSIENT, "more than the 100 bytes", true},
    {"/much_longer", RETRY_TRANSIENT, "more than the 100 bytes", true},
    {"/none_but_some", RETRY_TRANSIENT, "more than the 0 bytes", true},
    {"/no_length", RETRY_NEVER, "neither a length nor chunks", false},
    {"/negative", RETRY_NEVER, "contradicts itself", false},
    {"/not_a_number", RETRY_NEVER, "contradicts itself", false},
    {"/twice", RETRY_NEVER, "contradicts itself", false},
    {"/chunks_without_end", RETRY_TRANSIENT, "broke off after 4500 bytes", true},
    {"/gzip", RETRY_NEVER, "is encoded, 'gzip'", false},
    {"/coding", RETRY_NEVER, "transfer encoding, 'gzip'", false},
    {"/huge", RETRY_NEVER, "it has " BIG " bytes, at most", false},
    {"/endless_head", RETRY_TRANSIENT, "the head of the answer is too long", false},
    {"/nothing", RETRY_NEVER, "answered 204", false},
    {"/part", RETRY_NEVER, "answered 206", false},
    {"/breaks_unnamed", RETRY_TRANSIENT, "broke off after 60 bytes", true},
    {"/breaks_weak", RETRY_TRANSIENT, "broke off after 60 bytes", true},
    {"/starts_again", RETRY_TRANSIENT, "does not go on where it was", true},
    {"/other_part", RETRY_TRANSIENT, "'bytes 0-39/100' came", true},
    {"/other_total", RETRY_TRANSIENT, "'bytes 60-99/200' came", true},
    {"/no_range", RETRY_TRANSIENT, "without a usable Content-Range", true},
    {"/other_tag", RETRY_TRANSIENT, "it changed", true},
    {"/loop", RETRY_NEVER, "too many redirects", false},
    {"/to_metadata", RETRY_NEVER, "not allowed: its address is that of a metadata",
     false},
    {"/to_private", RETRY_NEVER, "not allowed: its address", false},
    {"/to_file", RETRY_NEVER, "http://HOST", false},
    {"/to_user", RETRY_NEVER, "user or password", false},
    {"/to_nowhere", RETRY_NEVER, "answered 302", false},
    {"/unchanged", RETRY_NEVER, "answered 304", false},
    {"/401", RETRY_CONFIG, "answered 401", false},
    {"/403", RETRY_CONFIG, "answered 403", false},
    {"/404", RETRY_NEVER, "answered 404", false},
    {"/410", RETRY_NEVER, "answered 410", false},
    {"/418", RETRY_NEVER, "answered 418", false},
    {"/429", RETRY_THROTTLED, "answered 429", false},
    {"/500", RETRY_TRANSIENT, "answered 500", false},
    {"/503", RETRY_THROTTLED, "answered 503", false},
};

Test(fetch, a_server_that_lies_refuses_or_leads_astray_gives_nothing)
{
    for (size_t i = 0; i < COUNT(failures); i++) {
        struct taker *t = fetch_path(failures[i].path);
        const char *path = failures[i].path;
        cr_expect(t->failed && !t->ended, "%s", path);
        cr_expect(strstr(t->failure.error, failures[i].has) != NULL, "%s: %s", path,
                  t->failure.error);
        cr_expect(t->failure.class == failures[i].class, "%s: class %d", path,
                  (int)t->failure.class);
        cr_expect(failures[i].after_head || !t->had_head, "%s", path);
        fetch_rig.server.cut_count = 0;
    }
}

Test(fetch, retry_after_is_told)
{
    cr_expect(eq(i64, fetch_path("/429")->failure.retry_after_ms, 7000));
    cr_expect(eq(i64, fetch_path("/503")->failure.retry_after_ms, 9000));
}

Test(fetch, what_broke_off_goes_on_where_it_was)
{
    expect_whole(fetch_path("/breaks"), MANY);
    cr_expect(eq(int, atomic_load(&fetch_rig.server.requests), 2));
    cr_expect(strstr(fetch_rig.server.latest, "\r\nRange: bytes=1500000-\r\n") != NULL,
              "%s", fetch_rig.server.latest);
    cr_expect(strstr(fetch_rig.server.latest, "\r\nIf-Range: \"v1\"\r\n") != NULL, "%s",
              fetch_rig.server.latest);
    fetch_rig.server.cut_count = 0;
    expect_whole(fetch_path("/breaks_twice"), 100);
}

Test(fetch, what_breaks_off_again_and_again_is_given_up)
{
    struct taker *t = fetch_path("/breaks_always");

    cr_expect(t->failed && strstr(t->failure.error, "broke off after 60 bytes") != NULL,
              "%s", t->failure.error);
    cr_expect(eq(int, atomic_load(&fetch_rig.server.requests), 6));
}

Test(fetch, redirects_are_followed_and_counted)
{
    expect_whole(fetch_path("/to_to_a"), 100);
    expect_whole(fetch_path("/x/to_relative"), 100);
    fetch_rig.config.redirects_max = 1;
    cr_expect(fetch_path("/to_to_a")->failed);
    fetch_rig.config.redirects_max = 0;
    struct taker *t = fetch_path("/to_a");
    cr_expect(t->failed && strstr(t->failure.error, "too many redirects") != NULL);
}

Test(fetch, the_address_that_is_connected_to_decides)
{
    char url[64];
    struct taker *t;

    (void)snprintf(url, sizeof url, "http://localhost:%d/a?b=c", fetch_rig.server.port);
    expect_whole(fetch_from(url, (struct taker){.len = 0}), 100);
    expect_whole(fetch_path("/to_name"), 100);
    int before = atomic_load(&fetch_rig.server.requests);
    fetch_allow("");
    t = fetch_from(url, (struct taker){.len = 0});
    cr_expect(t->failed && t->failure.class == RETRY_NEVER);
    cr_expect(strstr(t->failure.error,
                     "not allowed: its address is not of the public") != NULL,
              "%s", t->failure.error);
    fetch_allow("localhost");
    expect_whole(fetch_from(url, (struct taker){.len = 0}), 100);
    cr_expect(fetch_path("/a?b=c")->failed, "the name is allowed, not the address");
    cr_expect(eq(int, atomic_load(&fetch_rig.server.requests), before + 1));
}

Test(fetch, no_proxy_of_the_environment_is_asked)
{
    char proxy[64];

    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", fetch_rig.server.port);
    cr_assert(setenv("http_proxy", proxy, 1) == 0 &&
              setenv("ALL_PROXY", proxy, 1) == 0);
    cr_expect(
        fetch_from("http://nobody.invalid/a?b=c", (struct taker){.len = 0})->failed);
    cr_expect(eq(int, atomic_load(&fetch_rig.server.requests), 0));
}

Test(fetch, sizes_have_a_limit_whatever_was_told)
{
    fetch_rig.config.max_bytes = 99;
    struct taker *t = fetch_path("/a?b=c");
    cr_expect(t->failed && t->failure.class == RETRY_NEVER && !t->had_head);
    fetch_rig.config.max_bytes = 4999;
    t = fetch_path("/chunked");
    cr_expect(t->failed && t->failure.class == RETRY_NEVER, "%s", t->failure.error);
    cr_expect(strstr(t->failure.error, "more than 4999 bytes") != NULL, "%s",
              t->failure.error);
    fetch_rig.config.max_bytes = 5000;
    expect_whole(fetch_path("/chunked"), 5000);
}

Test(fetch, a_server_that_drips_meets_the_time_limit)
{
    fetch_rig.config.time_limit_ms = 500;
    struct taker *t = fetch_path("/drip");
    cr_expect(t->failed && t->failure.class == RETRY_TRANSIENT);
    cr_expect(strstr(t->failure.error, "time_limit") != NULL, "%s", t->failure.error);
    cr_expect(t->len > 0 && t->len < 1000);
}

Test(fetch, a_host_that_is_not_there_may_be_there_later)
{
    struct taker *t = fetch_from("http://nobody.invalid/", (struct taker){.len = 0});

    cr_expect(t->failed && t->failure.class == RETRY_TRANSIENT, "%s", t->failure.error);
    url_server_stop(&fetch_rig.server);
    t = fetch_path("/a?b=c");
    cr_expect(t->failed && t->failure.class == RETRY_TRANSIENT, "%s", t->failure.error);
    url_server_start(&fetch_rig.server, pages);
}
