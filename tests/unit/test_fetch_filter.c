/*
 * fetch_filter: who may be connected to.
 */
#include "shared/fetch_filter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(fetch_filter, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct fetch_rules rules_of(const char *allow, const char *deny, bool only)
{
    struct fetch_rules r = {.only_allowed = only};
    struct err e = ERR_INIT;

    cr_assert(fetch_list_parse(allow, &r.allow, &e) == ERR_OK, "%s", e.text);
    cr_assert(fetch_list_parse(deny, &r.deny, &e) == ERR_OK, "%s", e.text);
    return r;
}

static struct url parse(const char *text)
{
    struct err e = ERR_INIT;
    struct url u;

    cr_assert(url_parse(text, strlen(text), &u, &e) == ERR_OK, "%s: %s", text, e.text);
    return u;
}

/* Whether a URL that has been resolved to this address may connect to it. */
static bool may_connect(const struct fetch_rules *r, const char *url,
                        const char *address, struct err *e)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct url u = parse(url);

    *e = (struct err)ERR_INIT;
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return fetch_check_address(r, &u, (struct sockaddr *)&v4, sizeof v4, e) ==
               ERR_OK;
    cr_assert(inet_pton(AF_INET6, address, &v6.sin6_addr) == 1, "%s", address);
    return fetch_check_address(r, &u, (struct sockaddr *)&v6, sizeof v6, e) == ERR_OK;
}

/* The first and last address of each range, and their neighbours. */
static const struct {
    const char *address;
    bool allowed;
} addresses[] = {
    {"0.0.0.0", false},
    {"0.255.255.255", false},
    {"1.0.0.0", true},
    {"9.255.255.255", true},
    {"10.0.0.0", false},
    {"10.255.255.255", false},
    {"11.0.0.0", true},
    {"100.63.255.255", true},
    {"100.64.0.0", false},
    {"100.127.255.255", false},
    {"100.128.0.0", true},
    {"126.255.255.255", true},
    {"127.0.0.0", false},
    {"127.255.255.255", false},
    {"128.0.0.0", true},
    {"169.253.255.255", true},
    {"169.254.0.0", false},
    {"169.254.169.254", false},
    {"169.254.255.255", false},
    {"169.255.0.0", true},
    {"172.15.255.255", true},
    {"172.16.0.0", false},
    {"172.31.255.255", false},
    {"172.32.0.0", true},
    {"191.255.255.255", true},
    {"192.0.0.0", false},
    {"192.0.0.192", false},
    {"192.0.1.0", true},
    {"192.0.2.1", false},
    {"192.88.99.1", false},
    {"192.167.255.255", true},
    {"192.168.0.0", false},
    {"192.168.255.255", false},
    {"192.169.0.0", true},
    {"198.17.255.255", true},
    {"198.18.0.0", false},
    {"198.19.255.255", false},
    {"198.20.0.0", true},
    {"198.51.100.7", false},
    {"203.0.113.7", false},
    {"223.255.255.255", true},
    {"224.0.0.1", false},
    {"239.255.255.255", false},
    {"240.0.0.1", false},
    {"255.255.255.255", false},
    {"168.63.129.16", false},
    {"168.63.129.17", true},
    {"100.100.100.200", false},
    {"::", false},
    {"::1", false},
    {"::127.0.0.1", false},
    {"::8.8.8.8", false},
    {"::ffff:127.0.0.1", false},
    {"::ffff:10.0.0.1", false},
    {"::ffff:169.254.169.254", false},
    {"::ffff:8.8.8.8", false},
    {"64:ff9b::7f00:1", false},
    {"64:ff9b::808:808", false},
    {"64:ff9b:1::1", false},
    {"100::1", false},
    {"1fff:ffff::1", false},
    {"2000::1", true},
    {"2001::1", false},
    {"2001:0:4136:e378::1", false},
    {"2001:1ff:ffff::1", false},
    {"2001:200::1", true},
    {"2001:4860:4860::8888", true},
    {"2001:db8::1", false},
    {"2001:db9::1", true},
    {"2002:7f00:1::", false},
    {"2002:808:808::", false},
    {"2003::1", true},
    {"2606:4700::1", true},
    {"3ffe:ffff::1", true},
    {"3fff::1", false},
    {"3fff:fff::1", false},
    {"3fff:1000::1", true},
    {"4000::1", false},
    {"fc00::1", false},
    {"fd00:ec2::254", false},
    {"fdff::1", false},
    {"fe80::1", false},
    {"fec0::1", false},
    {"ff02::1", false},
};

Test(fetch_filter, only_addresses_of_the_public_internet_are_connected_to)
{
    struct fetch_rules r = {.only_allowed = false};
    struct err e;

    for (size_t i = 0; i < COUNT(addresses); i++)
        cr_expect(may_connect(&r, "http://a/", addresses[i].address, &e) ==
                      addresses[i].allowed,
                  "%s: %s", addresses[i].address, e.text);
}

Test(fetch_filter, an_address_in_the_url_is_refused_before_anything_is_done)
{
    struct fetch_rules r = {.only_allowed = false};
    char text[128];

    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct err e = ERR_INIT;
        bool v6 = strchr(addresses[i].address, ':') != NULL;
        (void)snprintf(text, sizeof text, v6 ? "http://[%s]/" : "http://%s/",
                       addresses[i].address);
        struct url u = parse(text);
        bool may = fetch_check_url(&r, &u, &e) == ERR_OK;
        cr_expect(may == addresses[i].allowed, "%s: %s", text, e.text);
    }
}

Test(fetch_filter, what_is_no_internet_address_is_not_connected_to)
{
    struct fetch_rules r = rules_of("a, 0.0.0.0/0, ::/0", "", false);
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in cut = {.sin_family = AF_INET};
    struct url u = parse("http://a/");
    struct err e = ERR_INIT;

    cr_expect(fetch_check_address(&r, &u, (struct sockaddr *)&local, sizeof local,
                                  &e) == ERR_REJECT);
    cr_expect(fetch_check_address(&r, &u, (struct sockaddr *)&cut, 4, &e) ==
              ERR_REJECT);
}

static const struct {
    const char *allow, *deny;
    bool only;
    const char *url, *address;
    const char *refused; /* NULL: it may be connected to */
} cases[] = {
    /* Allowed by address. */
    {"127.0.0.1", "", false, "http://a/", "127.0.0.1", NULL},
    {"127.0.0.1", "", false, "http://a/", "127.0.0.2", "public Internet"},
    {"127.0.0.1", "", false, "http://localhost:8080/", "::1", "public Internet"},
    {"127.0.0.1", "", false, "http://a/", "::ffff:127.0.0.1", NULL},
    {"127.0.0.1:8080", "", false, "http://a:8080/", "127.0.0.1", NULL},
    {"127.0.0.1:8080", "", false, "http://a:8081/", "127.0.0.1", "public Internet"},
    {"127.0.0.1:25", "", false, "http://a:25/", "127.0.0.1", NULL},
    {"127.0.0.1", "", false, "http://a:25/", "127.0.0.1", "its port"},
    {"10.1.0.0/16", "", false, "http://a/", "10.1.255.255", NULL},
    {"10.1.0.0/16", "", false, "http://a/", "10.2.0.0", "public Internet"},
    {"10.1.0.0/16:90", "", false, "http://a:90/", "10.1.2.3", NULL},
    {"10.0.0.0/9", "", false, "http://a/", "10.127.0.0", NULL},
    {"10.0.0.0/9", "", false, "http://a/", "10.128.0.0", "public Internet"},
    {"0.0.0.0/0", "", false, "http://a/", "192.168.1.1", NULL},
    {"fd00::/8", "", false, "http://a/", "fd12::1", NULL},
    {"[fd00::1]:81", "", false, "http://a:81/", "fd00::1", NULL},
    {"[fd00::1]:81", "", false, "http://a:82/", "fd00::1", "its port"},
    {"fd00::1", "", false, "http://a/", "fd00::2", "public Internet"},
    /* Allowed by name: then wherever it points to. */
    {"files.internal", "", false, "http://files.internal/", "10.0.0.1", NULL},
    {"Files.Internal", "", false, "http://FILES.internal./", "10.0.0.1", NULL},
    {"files.internal", "", false, "http://x.files.internal/", "10.0.0.1",
     "public Internet"},
    {"*.internal", "", false, "http://x.files.internal/", "10.0.0.1", NULL},
    {"*.internal", "", false, "http://internal/", "10.0.0.1", "public Internet"},
    {"*.internal", "", false, "http://xinternal/", "10.0.0.1", "public Internet"},
    {"files.internal:9000", "", false, "http://files.internal:9001/", "10.0.0.1",
     "public Internet"},
    {"files.internal:22", "", false, "http://files.internal:22/", "10.0.0.1", NULL},
    /* Metadata services: never. */
    {"0.0.0.0/0, ::/0, a", "", false, "http://a/", "169.254.169.254", "metadata"},
    {"0.0.0.0/0, ::/0, a", "", false, "http://a/", "::ffff:169.254.169.254",
     "metadata"},
    {"0.0.0.0/0, ::/0, a", "", false, "http://a/", "fd00:ec2::254", "metadata"},
    {"168.63.129.16", "", false, "http://a/", "168.63.129.16", "metadata"},
    /* Denied. */
    {"", "8.8.8.0/24", false, "http://a/", "8.8.8.8", "deny"},
    {"", "8.8.8.0/24", false, "http://a/", "::ffff:8.8.8.8", "deny"},
    {"", "8.8.8.0/24", false, "http://a/", "8.8.9.8", NULL},
    {"", "*.example.com", false, "http://a.example.com/", "8.8.8.8", "deny"},
    {"a", "a", false, "http://a/", "8.8.8.8", "deny"},
    {"a", "10.0.0.0/8", false, "http://a/", "10.0.0.1", "deny"},
    {"", "a", false, "http://a:25/", "8.8.8.8", "deny"},
    {"", "a:443", false, "https://a/", "8.8.8.8", "deny"},
    {"", "a:443", false, "http://a/", "8.8.8.8", NULL},
    /* Nothing but what is allowed. */
    {"a", "", true, "http://a/", "8.8.8.8", NULL},
    {"a", "", true, "http://b/", "8.8.8.8", "allow list"},
    {"8.8.8.8", "", true, "http://b/", "8.8.8.8", NULL},
    {"8.8.8.8", "", true, "http://b/", "8.8.4.4", "allow list"},
    {"", "", true, "http://b/", "8.8.4.4", "allow list"},
    /* Ports. */
    {"", "", false, "http://a:25/", "8.8.8.8", "its port"},
    {"", "", false, "http://a:1023/", "8.8.8.8", "its port"},
    {"", "", false, "http://a:1024/", "8.8.8.8", NULL},
    {"", "", false, "http://a:443/", "8.8.8.8", NULL},
    /* A name that an attacker points inside, or the address that was looked at and another that is connected to. */
    {"8.8.8.8", "", false, "http://rebound.example/", "127.0.0.1", "public Internet"},
    {"", "", false, "http://8.8.8.8/", "127.0.0.1", "public Internet"},
};

Test(fetch_filter, the_first_rule_that_fits_decides)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fetch_rules r = rules_of(cases[i].allow, cases[i].deny, cases[i].only);
        struct err e;
        bool may = may_connect(&r, cases[i].url, cases[i].address, &e);
        cr_expect(may == !cases[i].refused, "case %zu: %s at %s: %s", i, cases[i].url,
                  cases[i].address, e.text);
        cr_expect(cases[i].refused == NULL || strstr(e.text, cases[i].refused) != NULL,
                  "case %zu: %s", i, e.text);
    }
}

static const struct {
    const char *allow, *deny;
    bool only;
    const char *url;
    const char *refused;
} early[] = {
    {"", "", false, "http://a/", NULL},
    {"", "", false, "http://localhost/", NULL}, /* its address will tell */
    {"", "", false, "http://a:25/", "its port"},
    {"10.0.0.0/8:25", "", false, "http://a:25/", NULL},
    {"10.0.0.0/8:26", "", false, "http://a:25/", "its port"},
    {"", "a", false, "http://a/", "deny"},
    {"b", "", true, "http://a/", "allow list"},
    {"b, 8.8.8.0/24", "", true, "http://a/", NULL},
    {"b, 8.8.8.0/24", "", true, "http://9.9.9.9/", "allow list"},
    {"127.0.0.1", "", false, "http://127.0.0.1:9/", "its port"},
    {"127.0.0.1", "", false, "http://127.0.0.1/", NULL},
    {"", "", false, "http://[::1]/", "public Internet"},
};

Test(fetch_filter, a_url_is_refused_early_where_no_address_could_help)
{
    for (size_t i = 0; i < COUNT(early); i++) {
        struct fetch_rules r = rules_of(early[i].allow, early[i].deny, early[i].only);
        struct err e = ERR_INIT;
        struct url u = parse(early[i].url);
        bool may = fetch_check_url(&r, &u, &e) == ERR_OK;
        cr_expect(may == !early[i].refused, "case %zu: %s: %s", i, early[i].url,
                  e.text);
        cr_expect(early[i].refused == NULL || strstr(e.text, early[i].refused) != NULL,
                  "case %zu: %s", i, e.text);
    }
}

Test(fetch_filter, an_entry_that_is_none_is_named)
{
    static const char *const bad[] = {
        "a b/",       "http://a",   "a/b",     "a/24",    "*",          "*.",
        "*.1.2.3.4",  "a:0",        "a:65536", "a:",      "a:x",        "1.2.3",
        "1.2.3.4/",   "1.2.3.4/33", "[::1",    "::1/129", "[::1]x",     "a@b",
        "1.2.3.4/8x", "0x7f.1",     "::1]",    "a%",      "1.2.3.4/8:", "1.2.3.4:8/8"};

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct fetch_list l;
        struct err e = ERR_INIT;
        cr_expect(fetch_list_parse(bad[i], &l, &e) == ERR_REJECT, "%s", bad[i]);
        cr_expect(strstr(e.text, "is not HOST, *.DOMAIN") != NULL, "%s", e.text);
    }
}

Test(fetch_filter, a_list_has_so_many_entries_and_no_more)
{
    struct fetch_list l;
    struct err e = ERR_INIT;
    char text[2 * (FETCH_ENTRIES_MAX + 1) + 1];

    for (int i = 0; i <= FETCH_ENTRIES_MAX; i++)
        memcpy(text + 2 * i, "a,", 3);
    cr_expect(eq(int, fetch_list_parse(text, &l, &e), ERR_REJECT));
    text[2 * FETCH_ENTRIES_MAX] = '\0';
    cr_assert(fetch_list_parse(text, &l, &e) == ERR_OK, "%s", e.text);
    cr_expect(eq(sz, l.count, FETCH_ENTRIES_MAX));
    cr_assert(fetch_list_parse(" ,\t", &l, &e) == ERR_OK);
    cr_expect(eq(sz, l.count, 0));
}
