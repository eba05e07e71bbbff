/*
 * sigv4: what it refuses to sign, and the largest that it signs.
 */
#include "tests/support/sigv4_sample.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(sigv4_refused, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* What cannot be signed.  One field differs from a good request. */
static const struct {
    const char *name;
    struct sigv4_request r;
} bad_requests[] = {
    {"no method", {.method = NULL}},
    {"empty method", {.method = ""}},
    {"lower-case method", {.method = "get"}},
    {"method with a line break", {.method = "GET\n"}},
    {"no host", {.host = NULL}},
    {"empty host", {.host = ""}},
    {"host with a blank", {.host = "a b"}},
    {"host with a line break", {.host = "a\r\nX: y"}},
    {"host with a path", {.host = "a/b"}},
    {"no path", {.path = NULL}},
    {"empty path", {.path = ""}},
    {"relative path", {.path = "key"}},
    {"no payload hash", {.payload_hash = NULL}},
    {"upper-case payload hash",
     {.payload_hash =
          "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"}},
    {"short payload hash", {.payload_hash = "e3b0c442"}},
    {"long payload hash", {.payload_hash = EMPTY_SHA256 "0"}},
    {"before 1970", {.time_s = -1}},
    {"after 9999", {.time_s = 253402300800}},
    {"far away", {.time_s = INT64_MAX}},
    {"header with a line break", {.headers = &(struct sigv4_pair){"a", "1\r\nb: 2"}}},
    {"header with a bare line feed", {.headers = &(struct sigv4_pair){"a", "1\n2"}}},
    {"header with a delete", {.headers = &(struct sigv4_pair){"a", "\x7f"}}},
    {"header without a value", {.headers = &(struct sigv4_pair){"a", NULL}}},
    {"header without a name", {.headers = &(struct sigv4_pair){NULL, "1"}}},
    {"header with an empty name", {.headers = &(struct sigv4_pair){"", "1"}}},
    {"header name with a colon", {.headers = &(struct sigv4_pair){"a:b", "1"}}},
    {"header name with a blank", {.headers = &(struct sigv4_pair){"a b", "1"}}},
    {"host twice", {.headers = &(struct sigv4_pair){"HOST", "h"}}},
    {"date twice", {.headers = &(struct sigv4_pair){"X-Amz-Date", "d"}}},
    {"hash twice", {.headers = &(struct sigv4_pair){"x-amz-content-sha256", "d"}}},
    {"token twice", {.headers = &(struct sigv4_pair){"x-amz-security-token", "d"}}},
    {"authorization twice", {.headers = &(struct sigv4_pair){"Authorization", "d"}}},
    {"parameter without a name", {.query = &(struct sigv4_pair){"", "1"}}},
    {"parameter with no name at all", {.query = &(struct sigv4_pair){NULL, "1"}}},
    {"parameter without a value", {.query = &(struct sigv4_pair){"a", NULL}}},
    {"signature twice", {.query = &(struct sigv4_pair){"X-Amz-Signature", "1"}}},
    {"algorithm twice", {.query = &(struct sigv4_pair){"x-amz-algorithm", "1"}}},
};

/* The good request with what the row sets; a field that should be missing is missing. */
static struct sigv4_request bad_request(size_t i)
{
    const struct sigv4_request *bad = &bad_requests[i].r;
    struct sigv4_request r = doc_request();
    const char *name = bad_requests[i].name;

    if (bad->method || strcmp(name, "no method") == 0)
        r.method = bad->method;
    if (bad->host || strcmp(name, "no host") == 0)
        r.host = bad->host;
    if (bad->path || strcmp(name, "no path") == 0)
        r.path = bad->path;
    if (bad->payload_hash || strcmp(name, "no payload hash") == 0)
        r.payload_hash = bad->payload_hash;
    if (bad->time_s)
        r.time_s = bad->time_s;
    r.headers = bad->headers;
    r.header_count = bad->headers ? 1 : 0;
    r.query = bad->query;
    r.query_count = bad->query ? 1 : 0;
    return r;
}

Test(sigv4_refused, refuses_what_would_sign_something_else_than_is_sent)
{
    struct sigv4_signed s = SIGV4_SIGNED_INIT;

    for (size_t i = 0; i < COUNT(bad_requests); i++) {
        struct sigv4_key k = doc_key();
        struct sigv4_request r = bad_request(i);
        struct err e = ERR_INIT;
        cr_expect(eq(int, sigv4_sign(&s, &k, &r, &e), ERR_REJECT), "%s",
                  bad_requests[i].name);
        cr_expect(e.code == ERR_REJECT && strncmp(e.text, "sigv4: ", 7) == 0);
    }
    sigv4_signed_release(&s);
}

Test(sigv4_refused, refuses_credentials_that_cannot_be)
{
    static const struct sigv4_key bad[] = {
        {.secret_key = "s", .region = "r", .service = "s3"},
        {.access_key = "", .secret_key = "s", .region = "r", .service = "s3"},
        {.access_key = "a b", .secret_key = "s", .region = "r", .service = "s3"},
        {.access_key = "a,b", .secret_key = "s", .region = "r", .service = "s3"},
        {.access_key = "a\r\nb", .secret_key = "s", .region = "r", .service = "s3"},
        {.access_key = "a", .region = "r", .service = "s3"},
        {.access_key = "a", .secret_key = "", .region = "r", .service = "s3"},
        {.access_key = "a", .secret_key = "s", .service = "s3"},
        {.access_key = "a", .secret_key = "s", .region = "", .service = "s3"},
        {.access_key = "a", .secret_key = "s", .region = "r/t", .service = "s3"},
        {.access_key = "a", .secret_key = "s", .region = "r\n", .service = "s3"},
        {.access_key = "a", .secret_key = "s", .region = "r"},
        {.access_key = "a", .secret_key = "s", .region = "r", .service = "s3 "},
        {.access_key = "a",
         .secret_key = "s",
         .session_token = "t\nu",
         .region = "r",
         .service = "s3"},
    };
    struct sigv4_signed s = SIGV4_SIGNED_INIT;
    struct sigv4_request r = doc_request();

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct sigv4_key k = bad[i];
        struct err e = ERR_INIT;
        cr_expect(eq(int, sigv4_sign(&s, &k, &r, &e), ERR_CONFIG), "row %zu", i);
        cr_expect(eq(int, sigv4_presign(&s, &k, &r, 60, &e), ERR_CONFIG), "row %zu", i);
    }
    sigv4_signed_release(&s);
}

Test(sigv4_refused, a_presigned_request_lives_a_second_to_a_week)
{
    static const int64_t bad[] = {INT64_MIN, -1, 0, 604801, INT64_MAX};
    struct sigv4_signed s = SIGV4_SIGNED_INIT;
    struct sigv4_key k = doc_key();
    struct sigv4_request r = doc_request();
    struct err e = ERR_INIT;

    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect(eq(int, sigv4_presign(&s, &k, &r, bad[i], &e), ERR_REJECT));
    cr_expect(eq(int, sigv4_presign(&s, &k, &r, 1, &e), ERR_OK));
    cr_expect(eq(int, sigv4_presign(&s, &k, &r, SIGV4_EXPIRES_MAX_S, &e), ERR_OK));
    cr_expect(strstr(s.query.data, "&X-Amz-Expires=604800&") != NULL);
    sigv4_signed_release(&s);
}

/* len bytes of c; the caller frees. */
static char *repeat(char c, size_t len)
{
    char *s = malloc(len + 1);

    cr_assert(s != NULL);
    memset(s, c, len);
    s[len] = '\0';
    return s;
}

Test(sigv4_refused, the_largest_request_allowed_is_signed_and_one_byte_more_is_not)
{
    enum { NAME = 100 };
    struct sigv4_pair headers[SIGV4_PAIRS_MAX + 1], query[SIGV4_PAIRS_MAX + 1];
    char *name = repeat('n', NAME), *short_name = repeat('n', 28);
    char *value = repeat('v', SIGV4_HEADERS_MAX / SIGV4_PAIRS_MAX - NAME);
    char *blank = repeat(' ', SIGV4_QUERY_MAX / SIGV4_PAIRS_MAX - 28);
    char *path = repeat('!', SIGV4_PATH_MAX), *token = repeat('/', SIGV4_TOKEN_MAX);
    char *longer = repeat('!', SIGV4_PATH_MAX + 1), *host = repeat('h', SIGV4_HOST_MAX);
    char *word = repeat('w', SIGV4_NAME_MAX), *wide = repeat('w', SIGV4_NAME_MAX + 1);
    struct sigv4_signed s = SIGV4_SIGNED_INIT;
    struct sigv4_key k = {.access_key = word,
                          .secret_key = word,
                          .session_token = token,
                          .region = word,
                          .service = "s3"};
    struct sigv4_request r = doc_request();
    struct err e = ERR_INIT;

    path[0] = longer[0] = '/';
    for (size_t i = 0; i < COUNT(headers); i++) {
        headers[i] = (struct sigv4_pair){name, value};
        query[i] = (struct sigv4_pair){short_name, blank};
    }
    r.headers = headers;
    r.query = query;
    r.header_count = r.query_count = SIGV4_PAIRS_MAX;
    r.path = path;
    r.host = host;
    cr_expect(eq(int, sigv4_sign(&s, &k, &r, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(int, sigv4_presign(&s, &k, &r, 60, &e), ERR_OK), "%s", e.text);

    struct sigv4_request more[] = {r, r, r, r, r};
    struct sigv4_pair long_value = {"a", longer};
    char *huge = repeat('v', SIGV4_HEADERS_MAX + 1);
    struct sigv4_pair huge_header = {"a", huge};
    more[0].header_count++;
    more[1].query_count++;
    more[2].path = longer;
    more[3].query = &long_value;
    more[3].query_count = 1;
    more[4].headers = &huge_header;
    more[4].header_count = 1;
    for (size_t i = 0; i < COUNT(more); i++)
        cr_expect(eq(int, sigv4_sign(&s, &k, &more[i], &e), ERR_REJECT), "row %zu", i);
    struct sigv4_key wider[] = {k, k, k};
    wider[0].access_key = wide;
    wider[1].secret_key = wide;
    wider[2].region = wide;
    for (size_t i = 0; i < COUNT(wider); i++)
        cr_expect(eq(int, sigv4_sign(&s, &wider[i], &r, &e), ERR_CONFIG), "row %zu", i);

    sigv4_signed_release(&s);
    char *const all[] = {name,   short_name, value, blank, path, token,
                         longer, host,       word,  wide,  huge};
    for (size_t i = 0; i < COUNT(all); i++)
        free(all[i]);
}
