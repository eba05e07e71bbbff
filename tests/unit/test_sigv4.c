/*
 * sigv4: the rules of its header, and what S3 clients have got wrong.  Amazon's vectors are in test_sigv4_vectors.c.
 */
#include "worker/sigv4.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(sigv4, .timeout = 20);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static struct sigv4_key doc_key(void)
{
    return (struct sigv4_key){.access_key = "AKIAIOSFODNN7EXAMPLE",
                              .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                              .region = "us-east-1",
                              .service = "s3"};
}

static struct sigv4_request doc_request(void)
{
    return (struct sigv4_request){.method = "GET",
                                  .host = "examplebucket.s3.amazonaws.com",
                                  .path = "/",
                                  .payload_hash = EMPTY_SHA256,
                                  .time_s = 1369353600}; /* 20130524T000000Z */
}

Test(sigv4, the_path_is_encoded_once_and_never_normalised)
{
    static const struct {
        const char *raw, *encoded;
    } rows[] = {
        {"/", "/"},
        {"/b/k", "/b/k"},
        {"/a b+c=d@e:f,g", "/a%20b%2Bc%3Dd%40e%3Af%2Cg"},
        {"/already%20encoded", "/already%2520encoded"},
        {"/b//a/../k/.", "/b//a/../k/."},
        {"/\xc3\xa4/\xff", "/%C3%A4/%FF"},
        {"/q?x#y", "/q%3Fx%23y"},
        {"/\x01\x7f\n", "/%01%7F%0A"},
        {"/!*'()", "/%21%2A%27%28%29"},
        {"/" UNRESERVED "/", "/" UNRESERVED "/"},
    };
    struct sigv4_signed s = SIGV4_SIGNED_INIT;
    struct sigv4_key k = doc_key();

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sigv4_request r = doc_request();
        struct err e = ERR_INIT;
        r.path = rows[i].raw;
        cr_assert(eq(int, sigv4_sign(&s, &k, &r, &e), ERR_OK), "%s", e.text);
        cr_expect(eq(str, s.path.data, (char *)rows[i].encoded));
    }
    sigv4_signed_release(&s);
}

Test(sigv4, the_query_is_encoded_then_sorted_by_name_then_value)
{
    static const struct sigv4_pair query[] = {
        {"uploads", ""},      {"a-b", "1"},
        {"a", "2"},           {"a", "1"},
        {"a%", "100%"},       {"p", "/x"},
        {"sum", "a+b c=d"},   {"\xc3\xa4", "\xc3\xbc"},
        {"partNumber", "10"},
    };
    struct sigv4_signed s = SIGV4_SIGNED_INIT;
    struct sigv4_key k = doc_key();
    struct sigv4_request r = doc_request();
    struct err e = ERR_INIT;

    r.query = query;
    r.query_count = COUNT(query);
    cr_assert(eq(int, sigv4_sign(&s, &k, &r, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(str, s.query.data,
                 "%C3%A4=%C3%BC&a=1&a=2&a%25=100%25&a-b=1&p=%2Fx&partNumber=10&"
                 "sum=a%2Bb%20c%3Dd&uploads="));
    sigv4_signed_release(&s);
}

Test(sigv4, headers_are_sorted_by_name_and_not_by_line)
{
    static const struct sigv4_pair headers[] = {
        {"x-amz-server-side-encryption-aws-kms-key-id", "k"},
        {"X-Amz-Server-Side-Encryption", "aws:kms"},
        {"x-amz-meta-a-b", "2"},
        {"X-Amz-Meta-A", "\t one \t two\t"},
        {"content-type", ""},
        {"x-amz-meta-a", "three"},
    };
    struct sigv4_signed s = SIGV4_SIGNED_INIT;
    struct sigv4_key k = doc_key();
    struct sigv4_request r = doc_request();
    struct err e = ERR_INIT;

    r.headers = headers;
    r.header_count = COUNT(headers);
    cr_assert(eq(int, sigv4_sign(&s, &k, &r, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(str, s.canonical_request.data,
                 "GET\n/\n\ncontent-type:\nhost:examplebucket.s3.amazonaws.com\n"
                 "x-amz-content-sha256:" EMPTY_SHA256 "\nx-amz-date:20130524T000000Z\n"
                 "x-amz-meta-a:one two,three\nx-amz-meta-a-b:2\n"
                 "x-amz-server-side-encryption:aws:kms\n"
                 "x-amz-server-side-encryption-aws-kms-key-id:k\n\n"
                 "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;"
                 "x-amz-meta-a-b;x-amz-server-side-encryption;"
                 "x-amz-server-side-encryption-aws-kms-key-id\n" EMPTY_SHA256));
    cr_expect(eq(str, s.signed_headers.data,
                 "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;"
                 "x-amz-meta-a-b;x-amz-server-side-encryption;"
                 "x-amz-server-side-encryption-aws-kms-key-id"));
    sigv4_signed_release(&s);
}

Test(sigv4, tells_which_headers_to_send)
{
    static const char *const names[] = {"Host", "x-amz-date", "x-amz-content-sha256",
                                        "x-amz-security-token", "Authorization"};
    struct sigv4_signed s = SIGV4_SIGNED_INIT;
    struct sigv4_key k = doc_key();
    struct sigv4_request r = doc_request();
    struct err e = ERR_INIT;

    k.session_token = "token==";
    r.host = "127.0.0.1:9000";
    r.payload_hash = SIGV4_UNSIGNED_PAYLOAD;
    cr_assert(eq(int, sigv4_sign(&s, &k, &r, &e), ERR_OK), "%s", e.text);
    const char *const values[] = {"127.0.0.1:9000", "20130524T000000Z",
                                  "UNSIGNED-PAYLOAD", "token==", s.authorization.data};
    cr_assert(eq(sz, s.added_count, COUNT(names)));
    for (size_t i = 0; i < COUNT(names); i++) {
        cr_expect(eq(str, (char *)s.added[i].name, (char *)names[i]));
        cr_expect(eq(str, (char *)s.added[i].value, (char *)values[i]));
    }
    k.session_token = "";
    cr_assert(eq(int, sigv4_sign(&s, &k, &r, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(sz, s.added_count, 4));
    sigv4_signed_release(&s);
}

Test(sigv4, the_day_key_follows_the_day)
{
    static const int64_t times[] = {
        1369353600, 1369440000, 1369353600, 1369353599,
        1369439999, 0,          951782400 /* 29 February 2000 */};
    struct sigv4_signed s = SIGV4_SIGNED_INIT, fresh = SIGV4_SIGNED_INIT;
    struct sigv4_key kept = doc_key();
    struct sigv4_request r = doc_request();
    struct err e = ERR_INIT;

    r.path = "/test.txt";
    for (size_t i = 0; i < COUNT(times); i++) {
        struct sigv4_key k = doc_key();
        r.time_s = times[i];
        cr_assert(not(sigv4_sign(&s, &kept, &r, &e)));
        cr_assert(not(sigv4_sign(&fresh, &k, &r, &e)));
        cr_expect(eq(str, s.signature, fresh.signature), "at %lld",
                  (long long)times[i]);
    }
    cr_expect(eq(str, s.date, "20000229T000000Z"));
    cr_expect(eq(str, kept.day.date, "20000229"));
    sigv4_key_wipe(&kept);
    cr_expect(eq(str, kept.day.date, ""));
    static const uint8_t zero[sizeof kept.day.key];
    cr_expect(digest_is_equal(kept.day.key, zero, sizeof zero));
    sigv4_signed_release(&s);
    sigv4_signed_release(&fresh);
}

Test(sigv4, every_part_of_the_request_is_under_the_signature)
{
    static const struct sigv4_pair header = {"x-amz-meta-a", "1"},
                                   other = {"x-amz-meta-a", "2"};
    static const struct sigv4_pair parameter = {"a", "1"};
    struct sigv4_request r[9];
    char seen[COUNT(r)][DIGEST_SHA256_HEX + 1];
    struct sigv4_signed s = SIGV4_SIGNED_INIT;
    struct err e = ERR_INIT;

    for (size_t i = 0; i < COUNT(r); i++)
        r[i] = doc_request();
    r[1].method = "PUT";
    r[2].path = "/a";
    r[3].host = "other.example";
    r[4].time_s++;
    r[5].payload_hash = SIGV4_UNSIGNED_PAYLOAD;
    r[6].headers = &header;
    r[6].header_count = 1;
    r[7].headers = &other;
    r[7].header_count = 1;
    r[8].query = &parameter;
    r[8].query_count = 1;
    for (size_t i = 0; i < COUNT(r); i++) {
        struct sigv4_key k = doc_key();
        cr_assert(not(sigv4_sign(&s, &k, &r[i], &e)));
        memcpy(seen[i], s.signature, sizeof seen[i]);
        for (size_t j = 0; j < i; j++)
            cr_expect(strcmp(seen[i], seen[j]) != 0, "requests %zu and %zu", i, j);
    }
    sigv4_signed_release(&s);
}

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

Test(sigv4, refuses_what_would_sign_something_else_than_is_sent)
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

Test(sigv4, refuses_credentials_that_cannot_be)
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

Test(sigv4, a_presigned_request_lives_a_second_to_a_week)
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

Test(sigv4, the_largest_request_allowed_is_signed_and_one_byte_more_is_not)
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

Test(sigv4, the_secret_is_nowhere_in_what_comes_out)
{
    struct sigv4_signed s = SIGV4_SIGNED_INIT;
    struct sigv4_key k = doc_key();
    struct sigv4_request r = doc_request();
    struct err e = ERR_INIT;

    for (int presign = 0; presign < 2; presign++) {
        cr_assert(not(presign ? sigv4_presign(&s, &k, &r, 60, &e)
                              : sigv4_sign(&s, &k, &r, &e)));
        const struct buf *const all[] = {&s.path,
                                         &s.query,
                                         &s.authorization,
                                         &s.signed_headers,
                                         &s.canonical_request,
                                         &s.string_to_sign};
        for (size_t i = 0; i < COUNT(all); i++)
            cr_expect(strstr(all[i]->data, "wJalrXUtnFEMI") == NULL, "text %zu", i);
    }
    k.secret_key =
        "too long to be a secret key, too long to be a secret key, too long to be one, "
        "too long to be a secret key, too long to be a secret key, too long to be one, "
        "too long to be a secret key, too long to be a secret key, too long to be one, "
        "too long to be a secret key, too long to be a secret key, too long to be one.";
    cr_expect(eq(int, sigv4_sign(&s, &k, &r, &e), ERR_CONFIG));
    cr_expect(strstr(e.text, "to be one") == NULL);
    sigv4_signed_release(&s);
}
