/*
 * attacks, HTTP: requests as no client of good will sends them, byte for byte, to a whole hoist behind nginx.  Each has the
 * number that it has in README.md.  Whatever is answered, the next request is served, and nothing stays in the spool.
 */
#include "tests/e2e/attacks/raw_http.h"
#include "tests/e2e/steps.h"

#include "shared/cleanup.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct system s;

static void up(void)
{
    system_up(&s, &(struct system_options){.conf = "[queue small]\nmax_bytes = 1K\n"});
}

static void down(void)
{
    system_down(&s);
}

TestSuite(attacks_http, .init = up, .fini = down, .timeout = 150);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define HOST "Host: localhost\r\nConnection: close\r\n"
#define PUT_A "PUT /v1/uploads/a HTTP/1.1\r\n" HOST
#define BYTES(text) text, sizeof(text) - 1

static const struct attack {
    int number;
    const char *what, *bytes;
    size_t len;
    const char *fill; /* so often behind bytes, and then tail */
    size_t fills;
    const char *tail;
    int first, second; /* what may be answered; 0: nothing at all */
} attacks[] = {
    {1, "chunks that add up to more than the queue takes",
     BYTES("PUT /v1/uploads/a?queue=small HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\n\r\n"),
     "100\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n",
     5, "0\r\n\r\n", 413, 413},
    {1, "a chunk of a broken size",
     BYTES(PUT_A "Transfer-Encoding: chunked\r\n\r\n-1\r\n"), NULL, 0, "", 400, 400},
    {2, "a negative length", BYTES(PUT_A "Content-Length: -5\r\n\r\nhello"), NULL, 0,
     "", 400, 400},
    {2, "a length with a sign", BYTES(PUT_A "Content-Length: +5\r\n\r\nhello"), NULL, 0,
     "", 400, 400},
    {2, "two lengths in one", BYTES(PUT_A "Content-Length: 5,5\r\n\r\nhello"), NULL, 0,
     "", 400, 400},
    {2, "a length in hex", BYTES(PUT_A "Content-Length: 0x5\r\n\r\nhello"), NULL, 0, "",
     400, 400},
    {2, "a length of 20 digits",
     BYTES(PUT_A "Content-Length: 99999999999999999999\r\n\r\n"), NULL, 0, "", 400,
     413},
    {2, "a length of 2^63", BYTES(PUT_A "Content-Length: 9223372036854775808\r\n\r\n"),
     NULL, 0, "", 400, 413},
    {2, "a length of 2^64 + 5",
     BYTES(PUT_A "Content-Length: 18446744073709551621\r\n\r\nhello"), NULL, 0, "", 400,
     413},
    {2, "two lengths",
     BYTES(PUT_A "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), NULL, 0, "",
     400, 400},
    {3, "a length and chunks",
     BYTES(PUT_A "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     NULL, 0, "", 400, 400},
    {3, "a coding that is none",
     BYTES(PUT_A "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"), NULL, 0, "",
     400, 501},
    {4, "a body that is shorter than its length",
     BYTES(PUT_A "Content-Length: 10\r\n\r\n123456789"), NULL, 0, "", 0, 400},
    {5, "an empty body", BYTES(PUT_A "Content-Length: 0\r\n\r\n"), NULL, 0, "", 400,
     400},
    {7, "a header of a megabyte", BYTES("GET /healthz HTTP/1.1\r\n" HOST "X: "), "x",
     1 << 20, "\r\n\r\n", 400, 431},
    {7, "ten thousand headers", BYTES("GET /healthz HTTP/1.1\r\n" HOST),
     "X-Y: 0123\r\n", 10000, "\r\n", 400, 431},
    {10, "TRACE", BYTES("TRACE /v1/uploads HTTP/1.1\r\n" HOST "\r\n"), NULL, 0, "", 405,
     405},
    {10, "a method with a NUL", BYTES("G\0T /v1/uploads HTTP/1.1\r\n" HOST "\r\n"),
     NULL, 0, "", 400, 400},
    {10, "PUT where there is a job",
     BYTES("PUT /v1/jobs/x HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx"), NULL, 0,
     "", 405, 405},
    {10, "DELETE of all uploads", BYTES("DELETE /v1/uploads HTTP/1.1\r\n" HOST "\r\n"),
     NULL, 0, "", 405, 405},
    {11, "a path upwards, encoded",
     BYTES("GET /v1/jobs/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\r\n" HOST "\r\n"), NULL,
     0, "", 400, 404},
    {11, "a path upwards",
     BYTES("GET /v1/jobs/../../../etc/passwd HTTP/1.1\r\n" HOST "\r\n"), NULL, 0, "",
     400, 404},
    {11, "a NUL in the path", BYTES("GET /v1/jobs/a%00b HTTP/1.1\r\n" HOST "\r\n"),
     NULL, 0, "", 400, 404},
    {11, "empty segments", BYTES("GET //v1//jobs//x HTTP/1.1\r\n" HOST "\r\n"), NULL, 0,
     "", 404, 404},
    {11, "a path of eight KiB", BYTES("GET /v1/jobs/"), "a", 8192,
     " HTTP/1.1\r\n" HOST "\r\n", 404, 414},
    {11, "a path that is no UTF-8",
     BYTES("GET /v1/jobs/%ff%fe HTTP/1.1\r\n" HOST "\r\n"), NULL, 0, "", 404, 404},
    {13, "a body that is packed",
     BYTES(PUT_A "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"), NULL, 0,
     "", 415, 415},
    {17, "two keys",
     BYTES(PUT_A "Idempotency-Key: \"a\"\r\nIdempotency-Key: \"b\"\r\n"
                 "Content-Length: 5\r\n\r\nhello"),
     NULL, 0, "", 400, 400},
    {17, "a key of a KiB", BYTES(PUT_A "Idempotency-Key: "), "0123456789abcdef", 64,
     "\r\nContent-Length: 5\r\n\r\nhello", 400, 400},
    {14, "a part of a file",
     BYTES(PUT_A "Content-Range: bytes 0-4/10\r\nContent-Length: 5\r\n\r\nhello"), NULL,
     0, "", 400, 400},
    {18, "a line break in an option",
     BYTES("PUT /v1/uploads/a?key=a%0d%0aX-Evil:%201 HTTP/1.1\r\n" HOST
           "Content-Length: 1\r\n\r\nx"),
     NULL, 0, "", 400, 400},
    {18, "a line break in the queue's name",
     BYTES("PUT /v1/uploads/a?queue=a%0d%0aX-Evil:%201 HTTP/1.1\r\n" HOST
           "Content-Length: 1\r\n\r\nx"),
     NULL, 0, "", 422, 422},
};

static void expect_served(const struct attack *a)
{
    struct raw_answer r;

    raw_http(s.listen, BYTES("GET /healthz HTTP/1.1\r\n" HOST "\r\n"), false, &r);
    cr_expect_eq(r.status, 200, "after %d, %s: %s", a->number, a->what, r.text);
}

Test(attacks_http, are_refused_and_the_next_request_is_served)
{
    CLEANUP(buf_release) struct buf bytes = BUF_INIT(4 << 20);
    struct raw_answer r;

    for (size_t i = 0; i < COUNT(attacks); i++) {
        const struct attack *a = &attacks[i];
        buf_clear(&bytes);
        buf_add(&bytes, a->bytes, a->len);
        for (size_t k = 0; k < a->fills; k++)
            buf_puts(&bytes, a->fill);
        buf_puts(&bytes, a->tail);
        cr_assert(!bytes.failed);
        raw_http(s.listen, bytes.data, bytes.len, a->first == 0, &r);
        cr_expect(r.status == a->first || r.status == a->second, "%d, %s: %s",
                  a->number, a->what, r.text);
        cr_expect(!strstr(r.text, "\r\nX-Evil"), "%d, %s: %s", a->number, a->what,
                  r.text);
        expect_served(a);
    }
    assert_spool_empty(&s);
}

/* What is accepted all the same, and what becomes of it. */

static void upload(const char *bytes, size_t len, struct raw_answer *r, char *ret_id,
                   size_t size)
{
    raw_http(s.listen, bytes, len, false, r);
    cr_assert_eq(r->status, 202, "%s", r->text);
    cr_assert(http_json_get(strchr(r->text, '{'), "id", ret_id, size));
    system_wait_state(&s, ret_id, "done", 20000);
}

Test(attacks_http, a_header_with_underscores_is_not_one_of_ours)
{
    struct raw_answer r;
    char id[JOB_ID_SIZE];

    upload(BYTES(PUT_A "X_Hoist_Queue: small\r\nProxy: http://127.0.0.1:1\r\n"
                       "Content-Length: 5\r\n\r\nhello"),
           &r, id, sizeof id);
    cr_expect(strncmp(id, "default.", 8) == 0, "%s", id);
}

Test(attacks_http, who_expects_100_continue_is_told_to)
{
    struct raw_answer r;
    char id[JOB_ID_SIZE];

    upload(BYTES(PUT_A "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"), &r,
           id, sizeof id);
    raw_http(s.listen,
             BYTES(PUT_A "Expect: the-impossible\r\nContent-Length: 5\r\n\r\nhello"),
             false, &r);
    cr_expect(r.status == 202 || r.status == 417, "%s", r.text);
}

/* The log is one line an event, whatever a client sends; the answer to a page of another origin names no origin. */
Test(attacks_http, escapes_of_terminals_and_other_origins_get_nowhere)
{
    struct raw_answer r;
    char path[256], line[4096], id[JOB_ID_SIZE];

    raw_http(s.listen,
             BYTES("PUT /v1/uploads/a%1b%5b2Jb%0ac?queue=%1b%5b31mred HTTP/1.1\r\n" HOST
                   "User-Agent: \x1b[2J\r\nAccept: \x1b]0;x\x07\r\n"
                   "Content-Length: 1\r\n\r\nx"),
             false, &r);
    cr_expect(r.status == 422 || r.status == 400, "%s", r.text);
    cr_expect(!strchr(r.text, '\x1b'), "%s", r.text);
    raw_http(s.listen,
             BYTES("GET /v1/queues HTTP/1.1\r\n" HOST "Origin: https://evil.example\r\n"
                   "Cookie: a=b\r\n\r\n"),
             false, &r);
    cr_expect(!strstr(r.text, "Access-Control-Allow-Origin"), "%s", r.text);
    upload(BYTES("PUT /v1/uploads/a HTTP/1.1\r\nHost: localhost:8080\r\n"
                 "Origin: http://localhost:8080\r\nConnection: close\r\n"
                 "Content-Length: 5\r\n\r\nhello"),
           &r, id, sizeof id); /* the service's own */
    (void)snprintf(path, sizeof path, "%s/log/fcgi.log", s.state);
    FILE *log = fopen(path, "re");
    cr_assert(log != NULL, "%s", path);
    while (fgets(line, sizeof line, log))
        for (const char *c = line; *c; c++)
            cr_expect((unsigned char)*c >= ' ' || *c == '\n', "%s", line);
    (void)fclose(log);
}
