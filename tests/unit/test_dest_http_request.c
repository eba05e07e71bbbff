/*
 * dest_http_request: what is sent, and its signature as openssl makes it.
 */
#include "worker/dest/dest_http_request.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(dest_http_request, .timeout = 60);

/* printf abc | sha256sum */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct job job_of(const char *key)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    static const char id[] = "media.01890a5d-ac96-774b-bcce-b302099a8057";

    cr_assert(id_parse_job(id, strlen(id), &j.id));
    j.sha256 = strdup(ABC);
    cr_assert(job_set_key(&j, key, strlen(key), &e) == ERR_OK);
    return j;
}

static const char *value_of(const struct dest_http_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (strcmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return "(none)";
}

static void expect_signature(enum config_method method, bool is_head, const char *url,
                             const char *want)
{
    struct config_destination c = {.url = (char *)url,
                                   .base = (char *)url,
                                   .method = method,
                                   .hmac_secret = "a secret",
                                   .content_type = "a/b"};
    struct job j = job_of("a dir/k'1");
    struct dest_http_request r = DEST_HTTP_REQUEST_INIT;
    struct dest_http_ask ask = {
        .config = &c, .job = &j, .is_head = is_head, .time_s = 1764425474};
    struct err e = ERR_INIT;

    cr_assert(dest_http_request_make(&r, &ask, &e) == ERR_OK, "%s", e.text);
    cr_expect(eq(str, (char *)value_of(&r, "Hoist-Signature"), (char *)want), "%s",
              r.url.data);
    cr_expect(eq(int, strcmp(value_of(&r, "Content-Type"), "a/b") == 0, !is_head));
    dest_http_request_release(&r);
    job_release(&j);
}

/* printf '1764425474.PUT./in/a%%20dir/k%%271.SHA256' | openssl dgst -sha256 -hmac 'a secret' */
Test(dest_http_request, signatures_are_those_of_openssl)
{
    expect_signature(
        CONFIG_PUT, false, "https://h:8443/in",
        "t=1764425474,v1="
        "4b477aaf862484dbbe3ec667ceca010b2c95019659a0e1151ffe26c73c486b68");
    expect_signature(
        CONFIG_POST, false, "http://h",
        "t=1764425474,v1="
        "b723eb29d7c62443d4880111993cd64d79b7aaa5d3c907eea56f6d4497a450bf");
    expect_signature(
        CONFIG_PUT, true, "https://h:8443/in",
        "t=1764425474,v1="
        "ac66271aa50098914fa8f6d6e364eaf6ba3b7ed8b853f89f90dc3fe888454d94");
}

Test(dest_http_request, a_body_of_unknown_digest_is_sent_without_one_and_not_signed)
{
    struct config_destination c = {
        .url = "http://h/", .base = "http://h", .content_type = "a/b"};
    struct job j = job_of("k");
    struct dest_http_request r = DEST_HTTP_REQUEST_INIT;
    struct dest_http_ask ask = {.config = &c, .job = &j};
    struct err e = ERR_INIT;

    free(j.sha256);
    j.sha256 = NULL;
    cr_assert(dest_http_request_make(&r, &ask, &e) == ERR_OK, "%s", e.text);
    cr_expect(eq(str, r.url.data, "http://h/k"));
    cr_expect(eq(str, (char *)value_of(&r, "Repr-Digest"), "(none)"));
    dest_http_request_release(&r);
    c.hmac_secret = "a";
    cr_expect(eq(int, dest_http_request_make(&r, &ask, &e), ERR_REJECT));
    dest_http_request_release(&r);
    job_release(&j);
}

/* The longest of all that a record may hold. */
Test(dest_http_request, the_largest_job_fits)
{
    static char key[JOB_KEY_MAX + 1], type[256], value[101], token[8193];
    struct config_destination c = {.base = "http://h",
                                   .url = "http://h",
                                   .bearer_token = token,
                                   .hmac_secret = "x"};
    struct dest_http_request r = DEST_HTTP_REQUEST_INIT;
    struct err e = ERR_INIT;

    memset(key, ' ', JOB_KEY_MAX);
    for (size_t i = 200; i < JOB_KEY_MAX; i += 200)
        key[i] = '/';
    memset(type, 't', 255);
    type[1] = '/';
    memset(token, 't', 8192);
    struct job j = job_of(key);
    cr_assert(job_set_type(&j, type, 255, &e) == ERR_OK);
    for (size_t i = 0; i < JOB_META_MAX; i++) {
        char name[8] = {'n', (char)('a' + (int)i)};
        memset(value, ' ', 100);
        cr_assert(job_add_meta(&j, name, strlen(name), value, 100, &e) == ERR_OK, "%s",
                  e.text);
    }
    cr_assert(job_set_name(&j, value, 100, &e) == ERR_OK);
    for (int post = 0; post < 2; post++) {
        c.method = post ? CONFIG_POST : CONFIG_PUT;
        struct dest_http_ask ask = {.config = &c, .job = &j};
        cr_expect(dest_http_request_make(&r, &ask, &e) == ERR_OK, "%s", e.text);
        dest_http_request_release(&r);
    }
    job_release(&j);
}
