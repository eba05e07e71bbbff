/*
 * origin: what is one, which entries of a list it matches, and which names only the machine itself can have.
 */
#include "shared/origin.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(origin, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

Test(origin, is_a_scheme_a_host_and_a_port_and_nothing_else)
{
    static const struct {
        const char *text, *host;
        int port;
    } good[] = {{"https://a.example", "a.example", 443},
                {"http://A.example", "A.example", 80},
                {"HTTPS://a_b-c.example:8443", "a_b-c.example", 8443},
                {"http://127.0.0.1:1", "127.0.0.1", 1},
                {"http://[::1]:65535", "[::1]", 65535},
                {"http://localhost", "localhost", 80}};
    static const char *const bad[] = {
        "",
        "null",
        "*",
        "https://",
        "https://a.example/",
        "https://a.example?",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:65536",
        "https://a.example:000443",
        "https://a.example:44x",
        "https://a.example:+44",
        "https://u@a.example",
        "https://.a.example",
        "https://a..example",
        "https://a.example.",
        "https://a.example https://b.example",
        "https://*.a.example",
        "https://[::1",
        "https://[::1]x",
        "https://[::g]",
        "https://[]",
        "ftp://a.example",
        "//a.example",
        "a.example",
        "http:/a.example",
        "https:a",
    };
    struct origin o;

    for (size_t i = 0; i < COUNT(good); i++) {
        cr_assert(origin_parse(good[i].text, strlen(good[i].text), &o), "%s",
                  good[i].text);
        cr_expect(eq(sz, o.host_len, strlen(good[i].host)));
        cr_expect(memcmp(o.host, good[i].host, o.host_len) == 0, "%s", good[i].text);
        cr_expect(eq(int, o.port, good[i].port));
        cr_expect(eq(int, o.is_https, (good[i].text[4] | 32) == 's'));
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect(origin_parse(bad[i], strlen(bad[i]), &o) == false, "%s", bad[i]);
}

Test(origin, is_listed_by_scheme_host_and_port_alone)
{
    static const char list[] =
        "https://app.example, https://*.b.example,http://[::1]:8080 , "
        "https://*.c.example:8443,http://Upper.example:80";
    static const char *const in[] = {
        "https://app.example",      "https://app.example:443", "https://APP.example",
        "https://x.b.example",      "https://x.y.b.example",   "http://[::1]:8080",
        "https://x.c.example:8443", "http://upper.example",
    };
    static const char *const out[] = {
        "http://app.example",
        "https://app.example:444",
        "https://app.example.",
        "https://xapp.example",
        "https://app.example.evil",
        "https://b.example",
        "https://.b.example",
        "https://xb.example",
        "https://xxb.example",
        "https://b.example.evil",
        "http://x.b.example",
        "https://x.c.example",
        "http://[::1]",
        "https://upper.example",
        "null",
        "",
        "*",
        "https://app.example,https://x.b.example",
        "https://*.b.example",
    };

    for (size_t i = 0; i < COUNT(in); i++)
        cr_expect(origin_is_listed(list, in[i]), "%s", in[i]);
    for (size_t i = 0; i < COUNT(out); i++)
        cr_expect(origin_is_listed(list, out[i]) == false, "%s", out[i]);
    cr_expect(origin_is_listed("", "https://app.example") == false);
}

Test(origin, a_list_with_an_entry_that_is_none_is_refused_by_name)
{
    static const char *const bad[] = {
        "*",          "https://*",           "null",
        "https://a/", "https://*.example",   "https://*.*.example",
        "a.example",  "https://a.*.example", "https://*.[::1]",
    };
    struct err e = ERR_INIT;

    cr_expect(eq(int, origin_check_list("", &e), ERR_OK));
    cr_expect(eq(int, origin_check_list("https://a, ,http://*.b.c:1,", &e), ERR_OK));
    cr_expect(eq(int, origin_check_hosts("a, *.b.c,[::1],127.0.0.1", &e), ERR_OK));
    for (size_t i = 0; i < COUNT(bad); i++) {
        cr_expect(eq(int, origin_check_list(bad[i], &e), ERR_CONFIG), "%s", bad[i]);
        cr_expect(strstr(e.text, bad[i]) != NULL, "%s", e.text);
    }
    cr_expect(eq(int, origin_check_hosts("a:80", &e), ERR_CONFIG));
    cr_expect(eq(int, origin_check_hosts("*.example", &e), ERR_CONFIG));
    cr_expect(eq(int, origin_check_hosts("https://a", &e), ERR_CONFIG));
}

Test(origin, a_page_is_own_that_was_served_under_the_name_of_the_request)
{
    static const struct {
        const char *origin, *host;
        bool https, own;
    } rows[] = {
        {"http://127.0.0.1:8080", "127.0.0.1:8080", false, true},
        {"http://127.0.0.1:8080", "127.0.0.1:8081", false, false},
        {"http://127.0.0.1:8080", "127.0.0.1", false, false},
        {"https://a.example", "A.example", false, true},
        {"https://a.example", "a.example:443", true, true},
        {"http://a.example", "a.example", false, true},
        {"http://a.example", "a.example", true, false}, /* a page that was not signed */
        {"http://a.example", "a.example:443", false, false},
        {"http://[::1]:80", "[::1]", false, true},
        {"http://a.example", "b.example", false, false},
        {"null", "a.example", false, false},
        {"null", "null", false, false},
        {"http://a.example", "", false, false},
        {"http://a.example", "a.example:x", false, false},
        {"http://a.example", "a.example:80:80", false, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect(eq(int, origin_is_own(rows[i].origin, rows[i].host, rows[i].https),
                     rows[i].own),
                  "%s under %s", rows[i].origin, rows[i].host);
}

Test(origin, a_host_is_literal_that_no_name_server_can_be_made_to_say)
{
    static const char *const literal[] = {"127.0.0.1",   "127.0.0.1:8080", "[::1]:80",
                                          "localhost",   "LOCALHOST:1",    "[fe80::1]",
                                          "a.localhost", "10.1.2.3"};
    static const char *const named[] = {
        "a.example",       "localhost.example", "xlocalhost", "127.0.0.1.example",
        "127.0.0.1:80:80", "[::1]evil",         "127.1",      "",
        "localhost:",      "localhost@evil",    ".localhost", "::1"};
    for (size_t i = 0; i < COUNT(literal); i++)
        cr_expect(origin_host_is_literal(literal[i]), "%s", literal[i]);
    for (size_t i = 0; i < COUNT(named); i++)
        cr_expect(origin_host_is_literal(named[i]) == false, "%s", named[i]);
    cr_expect(origin_host_is_listed("up.example, *.c.example", "UP.example:99"));
    cr_expect(origin_host_is_listed("up.example, *.c.example", "a.c.example"));
    cr_expect(origin_host_is_listed("up.example, *.c.example", "c.example") == false);
    cr_expect(origin_host_is_listed("up.example, *.c.example", "xup.example") == false);
    cr_expect(origin_host_is_listed("up.example, *.c.example", "xxc.example") == false);
    cr_expect(origin_host_is_listed("up.example", "up.example:x") == false);
    cr_expect(origin_host_is_listed("", "") == false);
}
