#include "worker/metrics/metrics_request.h"

#include "shared/listen_at.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(metrics_request, .timeout = 60);
TestSuite(listen_at, .timeout = 60);

#define GET "GET /metrics HTTP/1.1\r\n"

static const struct {
    const char *text;
    enum metrics_request want;
} rows[] = {
    {"", METRICS_REQUEST_MORE},
    {"GET /metrics", METRICS_REQUEST_MORE},
    {GET, METRICS_REQUEST_MORE},
    {GET "Host: 127.0.0.1:9112\r\n", METRICS_REQUEST_MORE},
    {GET "\r\n", METRICS_REQUEST_GET},
    {"GET /metrics HTTP/1.0\n\n", METRICS_REQUEST_GET},
    {"GET /metrics?a=b HTTP/1.1\r\n\r\n", METRICS_REQUEST_GET},
    {"HEAD /metrics HTTP/1.1\r\n\r\n", METRICS_REQUEST_HEAD},
    {GET "Accept: a\r\nHost: 127.0.0.1:9112\r\n\r\n", METRICS_REQUEST_GET},
    {GET "hOST:localhost\r\n\r\n", METRICS_REQUEST_GET},
    {GET "Host: \tLocalHost:1 \r\n\r\n", METRICS_REQUEST_GET},
    {GET "Host: [::1]:9112\r\n\r\n", METRICS_REQUEST_GET},
    {GET "Host: [::1]\r\n\r\n", METRICS_REQUEST_GET},
    {GET "Host: 127.9.9.9\r\n\r\n", METRICS_REQUEST_GET},
    {GET "Host: evil.example\r\n\r\n", METRICS_REQUEST_FORBIDDEN},
    {GET "Host: 127.evil.example\r\n\r\n", METRICS_REQUEST_FORBIDDEN},
    {GET "Host: localhost.evil.example\r\n\r\n", METRICS_REQUEST_FORBIDDEN},
    {GET "Host: localhost\r\nHost: evil\r\n\r\n", METRICS_REQUEST_FORBIDDEN},
    {GET "Host: evil\r\nHost: localhost\r\n\r\n", METRICS_REQUEST_FORBIDDEN},
    {GET "Host:\r\n\r\n", METRICS_REQUEST_FORBIDDEN},
    {GET "X-Host: evil\r\n\r\n", METRICS_REQUEST_GET},
    {"POST /metrics HTTP/1.1\r\n\r\n", METRICS_REQUEST_METHOD},
    {"get /metrics HTTP/1.1\r\n\r\n", METRICS_REQUEST_METHOD},
    {"GET / HTTP/1.1\r\n\r\n", METRICS_REQUEST_NOT_FOUND},
    {"GET /metricsx HTTP/1.1\r\n\r\n", METRICS_REQUEST_NOT_FOUND},
    {"GET ?x HTTP/1.1\r\n\r\n", METRICS_REQUEST_NOT_FOUND},
    {"POST /other HTTP/1.1\r\n\r\n", METRICS_REQUEST_NOT_FOUND},
    {"GET /metrics HTTP/2.0\r\n\r\n", METRICS_REQUEST_BAD},
    {"GET /metrics\r\n", METRICS_REQUEST_BAD},
    {"GET  HTTP/1.1\r\n", METRICS_REQUEST_BAD},
    {" /metrics HTTP/1.1\r\n", METRICS_REQUEST_BAD},
    {"\r\n", METRICS_REQUEST_BAD},
    {"\n", METRICS_REQUEST_BAD},
    {"\x16\x03\x01 tls\n", METRICS_REQUEST_BAD},
};

Test(metrics_request, a_head_is_what_it_says)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect(eq(int,
                     metrics_request_parse(rows[i].text, strlen(rows[i].text), false),
                     rows[i].want),
                  "%s", rows[i].text);
}

/* However it comes: what is cut short is never anything but MORE or the same refusal. */
Test(metrics_request, what_has_come_in_part_waits_for_the_rest)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t len = 0; len < strlen(rows[i].text); len++) {
            enum metrics_request got = metrics_request_parse(rows[i].text, len, false);
            cr_expect(got == METRICS_REQUEST_MORE || got == rows[i].want, "%.*s",
                      (int)len, rows[i].text);
        }
}

Test(metrics_request, on_a_unix_socket_every_name_will_do)
{
    static const char text[] = GET "Host: evil.example\r\n\r\n";
    cr_expect(metrics_request_parse(text, sizeof text - 1, true) ==
              METRICS_REQUEST_GET);
}

Test(metrics_request, a_head_has_an_end)
{
    char text[METRICS_REQUEST_MAX];
    memset(text, 'a', sizeof text);
    memcpy(text, GET, sizeof GET - 1);
    cr_expect(metrics_request_parse(text, sizeof text - 1, false) ==
              METRICS_REQUEST_MORE);
    cr_expect(metrics_request_parse(text, sizeof text, false) ==
              METRICS_REQUEST_TOO_LONG);
}

/* --- where it listens --- */

static const struct {
    const char *text;
    sa_family_t family; /* AF_UNSPEC: refused */
    int port;
} places[] = {
    {"unix:/run/hoist/w.sock", AF_UNIX, 0},
    {"127.0.0.1:9112", AF_INET, 9112},
    {"127.1.2.3:65535", AF_INET, 65535},
    {"127.0.0.1:0", AF_INET, 0},
    {"[::1]:80", AF_INET6, 80},
    {"", AF_UNSPEC, 0},
    {"9112", AF_UNSPEC, 0},
    {":9112", AF_UNSPEC, 0},
    {"0.0.0.0:9112", AF_UNSPEC, 0},
    {"192.0.2.1:9112", AF_UNSPEC, 0},
    {"localhost:9112", AF_UNSPEC, 0},
    {"127.0.0.1", AF_UNSPEC, 0},
    {"127.0.0.1:", AF_UNSPEC, 0},
    {"127.0.0.1:65536", AF_UNSPEC, 0},
    {"127.0.0.1:-1", AF_UNSPEC, 0},
    {"127.0.0.1:1x", AF_UNSPEC, 0},
    {"127.0.0.1:000001", AF_UNSPEC, 0},
    {"::1:80", AF_UNSPEC, 0},
    {"[::]:80", AF_UNSPEC, 0},
    {"unix:", AF_UNSPEC, 0},
    {"unix:relative", AF_UNSPEC, 0},
    {"unix:/dir/", AF_UNSPEC, 0},
    {"/run/hoist/w.sock", AF_UNSPEC, 0},
};

Test(listen_at, it_is_this_machine_alone)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct listen_at at = {.family = AF_UNSPEC};
        struct err e = ERR_INIT;
        enum err_code code = listen_at_parse(places[i].text, &at, &e);
        int port = at.family == AF_INET    ? ntohs(at.address.v4.sin_port)
                   : at.family == AF_INET6 ? ntohs(at.address.v6.sin6_port)
                                           : 0;
        cr_expect(eq(int, at.family, places[i].family), "%s", places[i].text);
        cr_expect(eq(int, port, places[i].port), "%s", places[i].text);
        cr_expect(eq(int, code,
                     places[i].family == AF_UNSPEC ? (int)ERR_CONFIG : (int)ERR_OK),
                  "%s", places[i].text);
    }
}

Test(listen_at, a_path_fits_a_socket_or_is_refused)
{
    struct listen_at at;
    struct err e = ERR_INIT;
    char text[160] = "unix:/";
    memset(text + 6, 'a', 106);
    cr_expect(listen_at_parse(text, &at, &e) == ERR_OK);
    cr_expect(eq(sz, strlen(at.address.local.sun_path), 107));
    text[112] = 'a';
    cr_expect(listen_at_parse(text, &at, &e) == ERR_CONFIG);
}
