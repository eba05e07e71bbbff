/* The files that the responder serves itself: to everybody, packed for whoever wants that, and once to each. */
#include "fcgi-app/web/assets.h"
#include "shared/cleanup.h"
#include "tests/integration/responder_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_assets, .init = responder_up, .fini = responder_down,
          .timeout = 120);

static const char *uri_of(const struct asset *a)
{
    static char uri[128];
    (void)snprintf(uri, sizeof uri, "/%s",
                   strcmp(a->path, "index.html") == 0 ? "" : a->path);
    return uri;
}

static bool has(const struct fcgi_response *r, const char *name, const char *value)
{
    char line[1024];
    const char *end = strstr(r->text, "\r\n\r\n");
    (void)snprintf(line, sizeof line, "%s: %s\r\n", name, value);
    const char *at = strstr(r->text, line);
    return at && end && at < end;
}

static bool body_is(const struct fcgi_response *r, const struct asset_bytes *want)
{
    char length[32];
    (void)snprintf(length, sizeof length, "%zu", want->len);
    return has(r, "Content-Length", length) &&
           r->len - (size_t)(r->body - r->text) == want->len &&
           memcmp(r->body, want->bytes, want->len) == 0;
}

static void expect_form(const struct asset *a, const char *accept,
                        const struct asset_bytes *want)
{
    struct fcgi_request r = responder_get(uri_of(a));
    r.param = accept;
    r.remote_addr = "192.0.2.1";
    struct fcgi_response got = responder_ask(&r);
    cr_expect(eq(int, got.status, 200), "%s: %s", a->path, got.text);
    cr_expect(has(&got, "Content-Type", a->type), "%s: %s", a->path, got.text);
    cr_expect(has(&got, "ETag", want->etag), "%s: %s", a->path, got.text);
    cr_expect(has(&got, "Cache-Control", "no-cache"), "%s: %s", a->path, got.text);
    cr_expect(has(&got, "X-Content-Type-Options", "nosniff"), "%s", a->path);
    cr_expect(eq(int, has(&got, "Vary", "Accept-Encoding"), a->packed.bytes != NULL),
              "%s", a->path);
    cr_expect(eq(int, has(&got, "Content-Encoding", "gzip"), want == &a->packed), "%s",
              a->path);
    cr_expect(body_is(&got, want), "%s, %s", a->path, accept);
    fcgi_response_release(&got);
}

Test(responder_assets, every_file_comes_as_it_is_or_packed_from_anywhere)
{
    for (size_t i = 0; i < assets_count; i++) {
        const struct asset *a = &assets[i];
        expect_form(a, "HTTP_ACCEPT_ENCODING=br", &a->plain);
        expect_form(a, "HTTP_ACCEPT_ENCODING=deflate, gzip",
                    a->packed.bytes ? &a->packed : &a->plain);
    }
}

static int status_with(const char *uri, const char *encoding, const char *etag)
{
    char accept[64], tag[128];
    (void)snprintf(accept, sizeof accept, "HTTP_ACCEPT_ENCODING=%s", encoding);
    (void)snprintf(tag, sizeof tag, "HTTP_IF_NONE_MATCH=%s", etag);
    struct fcgi_request r = responder_get(uri);
    r.param = accept;
    r.param2 = tag;
    return responder_status(&r);
}

Test(responder_assets, who_has_it_is_told_so_and_a_tag_is_of_one_form)
{
    const struct asset *a = asset_find("index.html");

    cr_assert(a && a->packed.bytes);
    cr_expect(eq(int, status_with("/", "gzip", a->packed.etag), 304));
    cr_expect(eq(int, status_with("/", "br", a->plain.etag), 304));
    cr_expect(eq(int, status_with("/?theme=dark", "br", a->plain.etag), 304));
    cr_expect(eq(int, status_with("/", "gzip", a->plain.etag), 200));
    cr_expect(eq(int, status_with("/", "br", a->packed.etag), 200));
    cr_expect(eq(int, status_with("/", "br", "\"x\""), 200));
    struct fcgi_request r = responder_get("/");
    char tag[128];
    (void)snprintf(tag, sizeof tag, "HTTP_IF_NONE_MATCH=%s", a->plain.etag);
    r.param = tag;
    struct fcgi_response got = responder_ask(&r);
    cr_expect(has(&got, "ETag", a->plain.etag) && strlen(got.body) == 0, "%s",
              got.text);
    fcgi_response_release(&got);
}

Test(responder_assets, a_page_loads_and_runs_only_what_is_of_its_origin)
{
    static const char *const parts[] = {
        "default-src 'none'", "script-src 'self'",        "base-uri 'none'",
        "form-action 'none'", "frame-ancestors 'none'",   "connect-src 'self'",
        "style-src 'self'",   "require-trusted-types-for"};
    struct fcgi_request r = responder_get("/");
    struct fcgi_response got = responder_ask(&r);
    const char *policy = strstr(got.text, "Content-Security-Policy: ");

    cr_assert(policy != NULL, "%s", got.text);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *at = strstr(policy, parts[i]);
        cr_expect(at && at < policy + strcspn(policy, "\r"), "%s", parts[i]);
    }
    cr_expect(strstr(policy, "unsafe") == NULL, "%s", policy);
    cr_expect(has(&got, "X-Frame-Options", "DENY"), "%s", got.text);
    cr_expect(has(&got, "Referrer-Policy", "no-referrer"), "%s", got.text);
    fcgi_response_release(&got);
}

Test(responder_assets, what_is_not_among_them_is_not_found)
{
    static const char *const uris[] = {"/ui/none.css", "/ui/..%2findex.html",
                                       "/ui/",         "/index.html",
                                       "/ui",          "/ui/..%2f..%2fassets.c",
                                       "//",           "/ui/%2e%2e",
                                       "/ui//x",       "/ui/a/b",
                                       "/hoist.jsx"};
    static char name[300] = "/ui/";

    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        struct fcgi_request r = responder_get(uris[i]);
        cr_expect(eq(int, responder_status(&r), 404), "%s", uris[i]);
    }
    memset(name + 4, 'a', sizeof name - 5);
    struct fcgi_request r = responder_get(name);
    cr_expect(eq(int, responder_status(&r), 404));
}
