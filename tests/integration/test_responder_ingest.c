/*
 * responder, what the bytes must be: digests that were announced, types that are allowed; what is refused leaves nothing.
 */
#include "tests/integration/responder_rig.h"

#include "shared/digest.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static void up(void)
{
    responder_up_with("allow_types = image/png, text/plain, text/html, image/gif\n"
                      "[queue pics]\nto = pics\nallow_types = image/*, text/plain\n"
                      "[destination pics]\nurl = file:///tmp/pics\n");
}

TestSuite(responder_ingest, .init = up, .fini = responder_down, .timeout = 120);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Of "hello": openssl dgst -binary | base64 */
#define MD5 "XUFAKrxLKna5cZ2REBfFkg=="
#define SHA256 "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"
#define SHA256_HEX "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define SHA512                                                                         \
    "sha-512=:m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/"                                     \
    "3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw==:"
#define OTHER "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
#define OTHER_512                                                                      \
    "sha-512=:z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/"                                      \
    "SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==:"
#define NO_HEX "0000000000000000000000000000000000000000000000000000000000000000"

#define WITH(field)                                                                    \
    {                                                                                  \
        .method = "PUT", .uri = "/v1/uploads/a", .body = "hello", .body_len = 5,       \
        .param = (field)                                                               \
    }
#define PART(headers, data)                                                            \
    "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n" headers    \
    "\r\n" data "\r\n"
#define FORM_WITH(field, text)                                                         \
    {                                                                                  \
        .method = "POST", .uri = "/v1/uploads", .type = FORM_TYPE, .body = (text),     \
        .body_len = sizeof(text) - 1, .param = (field)                                 \
    }

static const struct {
    struct fcgi_request request;
    int status;
    const char *type; /* of the problem; NULL: 202 */
} rows[] = {
    {WITH("HTTP_CONTENT_MD5=" MD5), 202, NULL},
    {WITH("HTTP_REPR_DIGEST=" SHA256), 202, NULL},
    {WITH("HTTP_CONTENT_DIGEST=" SHA512), 202, NULL},
    {WITH("HTTP_CONTENT_DIGEST=" SHA512 ", md5=:AAAA:;x, " SHA256), 202, NULL},
    {WITH("HTTP_REPR_DIGEST=unixsum=30637"), 202, NULL},
    {WITH("HTTP_CONTENT_MD5=AAAAAAAAAAAAAAAAAAAAAA=="), 400, "digest-mismatch"},
    {WITH("HTTP_REPR_DIGEST=" OTHER), 400, "digest-mismatch"},
    {WITH("HTTP_CONTENT_DIGEST=" OTHER), 400, "digest-mismatch"},
    {WITH("HTTP_CONTENT_DIGEST=" OTHER_512), 400, "digest-mismatch"},
    {WITH("HTTP_CONTENT_DIGEST=" SHA512 ", " OTHER), 400, "digest-mismatch"},
    {WITH("HTTP_CONTENT_MD5=" MD5 "x"), 400, "bad-request"},
    {WITH("HTTP_REPR_DIGEST=sha-256=:AAAA:"), 400, "bad-request"},
    {WITH("HTTP_CONTENT_DIGEST=" SHA256 ","), 400, "bad-request"},
    {PUT("/v1/uploads/a?sha256=" SHA256_HEX, "hello"), 202, NULL},
    {PUT("/v1/uploads/a?sha256=" NO_HEX, "hello"), 400, "digest-mismatch"},
    {PUT("/v1/uploads/a?sha256=abc", "hello"), 400, "bad-option"},
    {{.method = "PUT",
      .uri = "/v1/uploads/a?sha256=" NO_HEX,
      .body = "hello",
      .body_len = 5,
      .param = "HTTP_REPR_DIGEST=" SHA256},
     400,
     "digest-mismatch"},
    /* Of a form's parts. */
    {FORM(PART("Content-MD5: " MD5 "\r\nRepr-Digest: " SHA256
               "\r\nContent-Digest: " SHA512 "\r\n",
               "hello") FORM_END),
     202, NULL},
    {FORM(PART("Content-MD5: " MD5 "\r\n", "hallo") FORM_END), 400, "digest-mismatch"},
    {FORM(PART("", "ok") PART("repr-digest: " SHA256 "\r\n", "hallo") FORM_END), 400,
     "digest-mismatch"},
    {FORM(PART("Content-Digest: " OTHER "\r\n", "hello") FORM_END), 400,
     "digest-mismatch"},
    {FORM(PART("Content-MD5: x\r\n", "hello") FORM_END), 400, "bad-form"},
    {FORM(PART("Repr-Digest: sha-256=x\r\n", "hello") FORM_END), 400, "bad-form"},
    {FORM(FORM_FIELD("sha256", SHA256_HEX) PART("", "hello") PART("", "other")
              FORM_END),
     202, NULL},
    {FORM(FORM_FIELD("sha256", NO_HEX) PART("", "hello") FORM_END), 400,
     "digest-mismatch"},
    {FORM(PART("", "hello") FORM_FIELD("sha256", SHA256_HEX) FORM_END), 400,
     "bad-option"},
    {FORM_WITH("HTTP_CONTENT_DIGEST=" SHA256, PART("", "hello") FORM_END), 400,
     "digest-mismatch"},
    {FORM_WITH("HTTP_REPR_DIGEST=sha-256=:Zm9v:", PART("", "hello") FORM_END), 400,
     "bad-request"},
    /* Types. */
    {PUT("/v1/uploads/a?queue=pics",
         "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6"),
     202, NULL},
    {PUT("/v1/uploads/a?queue=pics", "%PDF-1.4\n"), 415, "type-not-allowed"},
    {PUT("/v1/uploads/a", "%PDF-1.4\n"), 415, "type-not-allowed"},
    {FORM(PART("", "hello") PART("", "%PDF-1.4\n") FORM_END), 415, "type-not-allowed"},
    {FORM(PART("Content-Type: a/b\r\n", "hello") FORM_END), 415, "type-not-allowed"},
    {PUT("/v1/uploads/a?queue=pics", "\x7f"
                                     "ELF\2\1\1"),
     415, "type-not-allowed"},
    {PUT("/v1/uploads/a?queue=pics", "<!DOCTYPE html><html><script>1</script>"), 415,
     "type-not-allowed"},
};

/* Three rows more, whose bodies are not literals of their own. */
Test(responder_ingest, a_declared_type_must_be_allowed_too)
{
    static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6"
                              "<html><script>alert(1)</script></html>";
    static const struct {
        const char *type;
        int status;
    } types[] = {{"image/png", 202},
                 {"IMAGE/X-ANY; a=b", 202},
                 {"application/octet-stream", 202},
                 {"application/octet-stream; a=b", 202},
                 {"application/octet-streams", 415},
                 {"text/html", 415},
                 {"application/pdf", 415}};

    for (size_t i = 0; i < COUNT(types); i++) {
        struct fcgi_request r = {.method = "PUT",
                                 .uri = "/v1/uploads/a?queue=pics",
                                 .type = types[i].type,
                                 .body = png,
                                 .body_len = sizeof png - 1};
        cr_expect(eq(int, responder_status(&r), types[i].status), "%s", types[i].type);
    }
}

/* The default queue takes text/html and image/gif, pics any image and text/plain. */
Test(responder_ingest, a_queue_takes_no_other_types_when_a_job_is_moved)
{
    static const struct {
        const char *type, *body;
        int status;
    } rows_moved[] = {{"text/html", "<!DOCTYPE html><html></html>", 415},
                      {"text/html", "hello", 415},
                      {"application/octet-stream", "<!DOCTYPE html><html></html>", 415},
                      {"text/plain; charset=utf-8", "hello", 202},
                      {"image/gif", "GIF89a\1\1", 202}};
    char uri[256];

    for (size_t i = 0; i < COUNT(rows_moved); i++) {
        struct fcgi_request put = {.method = "PUT",
                                   .uri = "/v1/uploads/a",
                                   .type = rows_moved[i].type,
                                   .body = rows_moved[i].body,
                                   .body_len = strlen(rows_moved[i].body)};
        struct fcgi_response r = responder_ask(&put);
        cr_assert(eq(int, r.status, 202), "%s", r.text);
        (void)snprintf(uri, sizeof uri, "/v1/jobs/%s/move", responder_id(&r));
        fcgi_response_release(&r);
        cr_expect(
            responder_says("POST", uri, "{\"queue\":\"pics\"}", rows_moved[i].status,
                           rows_moved[i].status == 415 ? "type-not-allowed" : "pics"),
            "%zu", i);
    }
}

/* Of a body of a megabyte only its first bytes come. */
Test(responder_ingest, a_wrong_type_is_refused_before_the_rest_comes)
{
    struct fcgi_request put = {.method = "PUT",
                               .uri = "/v1/uploads/a?queue=pics",
                               .content_length = "1000000"};
    char body[4096] = "%PDF-1.4\n";
    struct fcgi_client c;

    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &put);
    fcgi_client_body(&c, body, sizeof body - 1);
    cr_assert(WAIT_UNTIL(responder_count("tmp") == 1, 5000), "it is being written");
    fcgi_client_body(&c, body, 1);
    struct fcgi_response r = fcgi_client_response(&c, 10000);
    cr_expect(eq(int, r.status, 415), "%s", r.text);
    fcgi_response_release(&r);
    fcgi_client_close(&c);
    cr_expect(WAIT_UNTIL(responder_count("tmp") == 0, 5000));
}

/* The digests of a request are of all of its body. */
Test(responder_ingest, a_form_is_summed_as_a_whole)
{
    static const char form[] = PART("", "hello") FORM_END;
    char hex[DIGEST_SHA256_HEX + 1], base64[DIGEST_BASE64_SIZE(DIGEST_SHA256_BYTES)];
    uint8_t sum[DIGEST_SHA256_BYTES];
    char param[256];
    struct err e = ERR_INIT;
    struct fcgi_request post = FORM_WITH(param, PART("", "hello") FORM_END);

    cr_assert(not(digest_sha256_hex(form, sizeof form - 1, hex, &e)));
    cr_assert(digest_hex_decode(hex, sizeof hex - 1, sum, sizeof sum));
    cr_assert(digest_base64_encode(sum, sizeof sum, base64, sizeof base64));
    (void)snprintf(param, sizeof param, "HTTP_CONTENT_DIGEST=sha-256=:%s:", base64);
    cr_expect(eq(int, responder_status(&post), 202));
    (void)snprintf(param, sizeof param, "HTTP_REPR_DIGEST=sha-256=:%s:", base64);
    cr_expect(eq(int, responder_status(&post), 202));
}

/* It is of the answer, as RFC 9530 has it. */
Test(responder_ingest, a_wanted_digest_is_answered)
{
    struct fcgi_request put = WITH("HTTP_WANT_REPR_DIGEST=sha-256=5, unixsum=9");
    struct fcgi_response r = responder_ask(&put);
    char hex[DIGEST_SHA256_HEX + 1], want[128];
    char base64[DIGEST_BASE64_SIZE(DIGEST_SHA256_BYTES)];
    uint8_t sum[DIGEST_SHA256_BYTES];
    struct err e = ERR_INIT;

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_assert(not(digest_sha256_hex(r.body, strlen(r.body), hex, &e)));
    cr_assert(digest_hex_decode(hex, sizeof hex - 1, sum, sizeof sum));
    cr_assert(digest_base64_encode(sum, sizeof sum, base64, sizeof base64));
    (void)snprintf(want, sizeof want, "\r\nRepr-Digest: sha-256=:%s:\r\n", base64);
    cr_expect(strstr(r.text, want) != NULL, "%s", r.text);
    fcgi_response_release(&r);
    put.param = "HTTP_WANT_REPR_DIGEST=sha-512=1";
    r = responder_ask(&put);
    cr_expect(strstr(r.text, "\r\nRepr-Digest: sha-512=:") != NULL, "%s", r.text);
    fcgi_response_release(&r);
    put.param = "HTTP_WANT_REPR_DIGEST=md5=1";
    r = responder_ask(&put);
    cr_expect(strstr(r.text, "Repr-Digest") == NULL, "%s", r.text);
    fcgi_response_release(&r);
}

/* What steers is held to it, too. */
Test(responder_ingest, a_body_of_json_is_what_was_said)
{
    struct fcgi_request post = {.method = "POST",
                                .uri = "/v1/jobs",
                                .type = "application/json",
                                .body = "{}",
                                .body_len = 2,
                                .param = "HTTP_CONTENT_MD5=" MD5};
    struct fcgi_response r = responder_ask(&post);

    cr_expect(eq(int, r.status, 400), "%s", r.text);
    cr_expect(strstr(r.body, "digest-mismatch") != NULL, "%s", r.body);
    fcgi_response_release(&r);
}

Test(responder_ingest, is_what_was_said_or_leaves_nothing)
{
    size_t files = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fcgi_response r = responder_ask(&rows[i].request);
        char type[80] = "\"state\":\"waiting\"";
        if (rows[i].type)
            (void)snprintf(type, sizeof type, "\"type\":\"urn:hoist:problem:%s\"",
                           rows[i].type);
        cr_expect(eq(int, r.status, rows[i].status), "row %zu: %s", i, r.text);
        cr_expect(strstr(r.body, type) != NULL, "row %zu: %s", i, r.body);
        bool is_named =
            rows[i].type == NULL || strcmp(rows[i].type, "bad-request") != 0 ||
            strstr(r.body, "-Digest is broken") || strstr(r.body, "-MD5 is");
        cr_expect(is_named, "row %zu: %s", i, r.body);
        fcgi_response_release(&r);
        size_t now = responder_count("jobs");
        cr_expect(rows[i].type ? now == files : now > files, "row %zu", i);
        files = now;
    }
    cr_expect(WAIT_UNTIL(responder_count("tmp") == 0, 2000));
}
