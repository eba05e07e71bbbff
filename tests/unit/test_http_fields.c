/*
 * The values of Idempotency-Key, Prefer, traceparent, tracestate, X-Request-Id and If-None-Match.
 */
#include "fcgi-app/http/etag.h"
#include "fcgi-app/upload/idempotency_key.h"
#include "fcgi-app/http/prefer.h"
#include "fcgi-app/http/trace.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(http_fields, .timeout = 60);

Test(http_fields, a_key_is_bare_or_a_string)
{
    char key[IDEMPOTENCY_KEY_MAX + 1];
    struct err e = ERR_INIT;

    cr_assert(not(idempotency_key_parse("a-1", key, &e)));
    cr_expect(eq(str, key, "a-1"));
    cr_assert(not(idempotency_key_parse("\"a \\\"b\\\\\"", key, &e)));
    cr_expect(eq(str, key, "a \"b\\"));
    cr_expect(idempotency_key_parse("\"a\" ", key, &e) == ERR_REJECT);
    cr_expect(idempotency_key_parse("a\x7f", key, &e) == ERR_REJECT);
}

Test(http_fields, the_first_of_a_preference_counts_and_what_is_broken_says_nothing)
{
    static const struct {
        const char *value;
        int64_t wait;
        bool minimal;
    } rows[] = {
        {"wait=10", 10, false},
        {"respond-async, WAIT = \"7\";x=1, wait=3, return=minimal", 7, true},
        {"return=representation, return=minimal", -1, false},
        {"wait=1x, wait=5", 5, false},
        {"wait=-1", -1, false},
        {"wait=9999999999", -1, false},
        {"wait=\"5", -1, false},
        {"=, wait=5", -1, false},
        {",, wait=5", 5, false},
        {"", -1, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct prefer p = PREFER_INIT;
        prefer_parse(rows[i].value, &p);
        cr_expect(p.wait_seconds == rows[i].wait && p.is_minimal == rows[i].minimal,
                  "%s: %lld", rows[i].value, (long long)p.wait_seconds);
    }
}

#define PARENT "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"

Test(http_fields, a_traceparent_is_checked_to_the_letter)
{
    static const char *const bad[] = {
        "ff-" PARENT "-01",
        "00-" PARENT "-01-x",
        "00-" PARENT "-0",
        "00-" PARENT "-0G",
        "0x-" PARENT "-01",
        "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "01-" PARENT "-01x",
        "01-" PARENT "-01- ",
        "",
    };

    cr_expect(trace_parent_is_valid("00-" PARENT "-01"));
    cr_expect(trace_parent_is_valid("01-" PARENT "-01-more"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(not(trace_parent_is_valid(bad[i])), "%s", bad[i]);
}

Test(http_fields, a_tracestate_is_a_list_of_different_keys)
{
    cr_expect(trace_state_is_valid("congo=t61rcWkgMzE, rojo=00f067aa0ba902b7"));
    cr_expect(trace_state_is_valid("1a@sys=x y,,b=2"));
    cr_expect(not(trace_state_is_valid("a=1,a=2")));
    cr_expect(not(trace_state_is_valid("A=1")));
    cr_expect(not(trace_state_is_valid("a=1=2")));
    cr_expect(not(trace_state_is_valid("a@=1")));
    cr_expect(not(trace_state_is_valid("a=")));
    cr_expect(not(trace_state_is_valid(" , ")));
}

Test(http_fields, a_request_id_is_of_harmless_characters)
{
    char longest[130];

    memset(longest, 'x', sizeof longest);
    longest[128] = '\0';
    cr_expect(trace_request_id_is_sane(longest));
    longest[128] = 'x';
    longest[129] = '\0';
    cr_expect(not(trace_request_id_is_sane(longest)));
    cr_expect(trace_request_id_is_sane("Root=1-67891233-abcdef012345678912345678"));
    cr_expect(not(trace_request_id_is_sane("")));
    cr_expect(not(trace_request_id_is_sane("a b")));
    cr_expect(not(trace_request_id_is_sane("a\"b")));
}

Test(http_fields, a_tag_is_found_in_its_list)
{
    char etag[ETAG_SIZE], other[ETAG_SIZE], list[128];
    struct err e = ERR_INIT;

    cr_assert(eq(int, etag_make("a", 1, etag, &e), ERR_OK));
    cr_assert(eq(int, etag_make("b", 1, other, &e), ERR_OK));
    cr_expect(ne(str, etag, other));
    cr_expect(etag_is_in(etag, "*") && etag_is_in(etag, etag));
    (void)snprintf(list, sizeof list, "\"x\" , W/%s", etag);
    cr_expect(etag_is_in(etag, list));
    cr_expect(not(etag_is_in(other, list)));
    cr_expect(not(etag_is_in(etag, "x")));
    char weak[ETAG_SIZE + 2] = "W/";
    memcpy(weak + 2, etag, ETAG_SIZE);
    cr_expect(etag_is_in(weak, list) && etag_is_in(weak, etag));
    cr_expect(not(etag_is_in(etag, "\"x\" \"y\"")));
    cr_expect(not(etag_is_in(etag, "")));
}
