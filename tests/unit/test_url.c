/*
 * url: what is an address, what is refused, what a Location means.
 */
#include "shared/url.h"

#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(url, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *text, *host, *target;
    int port;
    enum url_family family;
} good[] = {
    {"http://a", "a", "", 80, URL_NAME},
    {"https://a/", "a", "/", 443, URL_NAME},
    {"HTTPS://Files.Example.COM/x?y=1#z", "files.example.com", "/x?y=1#z", 443,
     URL_NAME},
    {"http://a.b.:8080?q", "a.b", "?q", 8080, URL_NAME},
    {"http://a_b-c#f", "a_b-c", "#f", 80, URL_NAME},
    {"http://10.1.2.3:1/", "10.1.2.3", "/", 1, URL_IPV4},
    {"http://1.2.3.4./", "1.2.3.4", "/", 80, URL_IPV4},
    {"http://[::1]:65535/a@b", "::1", "/a@b", 65535, URL_IPV6},
    {"http://[::FFFF:127.0.0.1]", "::ffff:127.0.0.1", "", 80, URL_IPV6},
    {"http://xn--bcher-kva.example/%C3%BC", "xn--bcher-kva.example", "/%C3%BC", 80,
     URL_NAME},
    {"http://1.2.3.4.example", "1.2.3.4.example", "", 80, URL_NAME},
    {"http://" X63 ".a/", X63 ".a", "/", 80, URL_NAME},
};

static const struct {
    const char *text, *has;
} bad[] = {
    {"", "http://HOST"},
    {"a", "http://HOST"},
    {"http:/a", "http://HOST"},
    {"ftp://a/", "http://HOST"},
    {"file:///etc/passwd", "http://HOST"},
    {"gopher://a:6379/_", "http://HOST"},
    {"//a/b", "http://HOST"},
    {"http://", "no host"},
    {"http:///x", "no host"},
    {"http://./", "no host"},
    {"http://:80/", "no host"},
    {"http://user@a/", "user or password"},
    {"http://user:pw@a/", "user or password"},
    {"http://a@127.0.0.1/", "user or password"},
    {"http://a/ b", "%XX"},
    {"http://a/\r\nHost: b", "%XX"},
    {"http://a/\x7f", "%XX"},
    {"http://a/\xc3\xbc", "%XX"},
    {"http://a\\@b/", "\\ is written as %5C"},
    {"http://a/<b", "< is written as %3C"},
    {"http://a/{b", "{ is written as %7B"},
    {"http://a%00/", "a host is"},
    {"http://a,b/", "a host is"},
    {"http://a..b/", "empty label"},
    {"http://.a/", "empty label"},
    {"http://a../", "IPv4"},
    {"http://" X63 "x.a/", "longer than 63"},
    {"http://" X63 "." X63 "." X63 "." X63 ".a/", "longer than 253"},
    {"http://127.1/", "IPv4"},
    {"http://2130706433/", "IPv4"},
    {"http://0x7f000001/", "IPv4"},
    {"http://0X7F.0.0.1/", "IPv4"},
    {"http://0x7f.1/", "IPv4"},
    {"http://a.0x1/", "IPv4"},
    {"http://0177.0.0.1/", "IPv4"},
    {"http://017700000001/", "IPv4"},
    {"http://127.0.0.256/", "IPv4"},
    {"http://1.2.3.4.5/", "IPv4"},
    {"http://a.1/", "IPv4"},
    {"http://[::1/", "IPv6"},
    {"http://[]/", "IPv6"},
    {"http://[127.0.0.1]/", "IPv6"},
    {"http://[fe80::1%25eth0]/", "IPv6"},
    {"http://[1:2]/", "IPv6"},
    {"http://[::1]x/", "a port"},
    {"http://a:0/", "a port"},
    {"http://a:65536/", "a port"},
    {"http://a:/", "a port"},
    {"http://a:8a/", "a port"},
    {"http://a:99999999999999999999/", "a port"},
};

Test(url, addresses_are_taken_apart)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct err e = ERR_INIT;
        struct url u;
        cr_assert(not(url_parse(good[i].text, strlen(good[i].text), &u, &e)), "%s: %s",
                  good[i].text, e.text);
        cr_expect(strcmp(u.host, good[i].host) == 0, "%s: %s", good[i].text, u.host);
        cr_expect(u.target_len == strlen(good[i].target) &&
                      memcmp(u.target, good[i].target, u.target_len) == 0,
                  "%s", good[i].text);
        cr_expect(u.port == good[i].port && u.family == good[i].family, "%s: %d",
                  good[i].text, u.port);
        cr_expect(u.is_https == (good[i].text[4] == 's' || good[i].text[4] == 'S'));
    }
}

Test(url, what_programs_read_differently_is_refused)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = ERR_INIT;
        struct url u;
        cr_expect(url_parse(bad[i].text, strlen(bad[i].text), &u, &e) == ERR_REJECT,
                  "%s", bad[i].text);
        cr_expect(strstr(e.text, bad[i].has) != NULL, "%s: %s", bad[i].text, e.text);
        cr_expect(not(url_is_valid(bad[i].text, strlen(bad[i].text))));
    }
    cr_expect(not(url_is_valid("http://a\0b", 10)), "a NUL is no end");
}

Test(url, it_has_a_greatest_length)
{
    char text[URL_MAX + 2];

    memset(text, 'x', sizeof text);
    memcpy(text, "http://a/", 9);
    cr_expect(url_is_valid(text, URL_MAX));
    cr_expect(not(url_is_valid(text, URL_MAX + 1)));
}

static const struct {
    const char *base, *location, *want; /* NULL: refused */
} leads[] = {
    {"http://a/b/c?d", "https://x/y", "https://x/y"},
    {"http://a/b/c?d", "HTTP://x", "HTTP://x"},
    {"https://a/b/c", "//x:1/y", "https://x:1/y"},
    {"https://a:8/b/c?d/e", "/y?z#f", "https://a:8/y?z"},
    {"https://a/b/c?d/e", "y", "https://a/b/y"},
    {"https://a/b/c#d/e", "y/z", "https://a/b/y/z"},
    {"https://a/b/", "../y", "https://a/b/../y"},
    {"https://a", "y", "https://a/y"},
    {"https://a?q/r", "y", "https://a/y"},
    {"https://a/b/c?d", "?z", "https://a/b/c?z"},
    {"https://a/b:c", "y?u=http://z", "https://a/y?u=http://z"},
    {"https://a/b", "file:///etc/passwd", NULL},
    {"https://a/b", "javascript:x", NULL},
    {"https://a/b", "http:x", NULL},
    {"https://a/b", "//u@x/", NULL},
    {"https://a/b", "/ x", NULL},
    {"https://a/b", "///x", NULL},
};

Test(url, a_location_is_read_from_where_it_came)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(URL_MAX);

    for (size_t i = 0; i < COUNT(leads); i++) {
        struct err e = ERR_INIT;
        enum err_code code = url_resolve(leads[i].base, leads[i].location, &b, &e);
        if (!leads[i].want)
            cr_expect(code == ERR_REJECT, "%s -> %s", leads[i].location, b.data);
        else
            cr_expect(code == ERR_OK && strcmp(b.data, leads[i].want) == 0,
                      "%s -> %s %s", leads[i].location, b.data, e.text);
    }
}

Test(url, a_location_that_makes_it_too_long_is_refused)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(URL_MAX);
    struct err e = ERR_INIT;
    char text[URL_MAX];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    cr_expect(eq(int, url_resolve("http://a/", text, &b, &e), ERR_REJECT));
}

Test(url, its_query_is_not_shown_and_its_last_segment_is_the_file_name)
{
    static const struct {
        const char *url, *shown, *name;
    } rows[] = {
        {"https://a/b/c.pdf?sig=1#x", "https://a/b/c.pdf", "c.pdf"},
        {"https://a/b/?c=/d", "https://a/b/", ""},
        {"https://a", "https://a", ""},
        {"https://a?x", "https://a", ""},
        {"https://a/b%20c%2Fd%zz%", "https://a/b%20c%2Fd%zz%", "b c/d%zz%"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len;
        char name[64];
        const char *at = url_file_name(rows[i].url, &len);
        name[url_unescape(at, len, name)] = '\0';
        cr_expect(strcmp(name, rows[i].name) == 0, "%s: %s", rows[i].url, name);
        cr_expect(url_shown_len(rows[i].url) == strlen(rows[i].shown), "%s",
                  rows[i].url);
    }
}
