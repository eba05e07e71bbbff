/*
 * sigv4: the rules of its header, and what S3 clients have got wrong.  Amazon's vectors are in
 * test_sigv4_vectors.c, what is refused in test_sigv4_refused.c.
 */
#include "tests/support/sigv4_sample.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(sigv4, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

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
