/*
 * credentials_url: a token that is worth keys goes over TLS, or stays on the host.
 */
#include "worker/keys/credentials_url.h"

#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(credentials_url, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static enum err_code container(const char *relative, const char *full, struct buf *b)
{
    struct err e = ERR_INIT;

    return credentials_url_container(relative, full, b, &e);
}

Test(credentials_url, a_path_is_asked_for_where_ecs_answers)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(1000);

    cr_assert(
        eq(int, container("/v2/credentials/x?id=1", "http://evil.test/", &b), ERR_OK));
    cr_expect(eq(str, b.data, "http://169.254.170.2/v2/credentials/x?id=1"));
    cr_expect(eq(int, container("v2", NULL, &b), ERR_CONFIG));
    cr_expect(eq(int, container("@evil.test/", NULL, &b), ERR_CONFIG));
    cr_expect(eq(int, container("/a b", NULL, &b), ERR_CONFIG));
    cr_expect(eq(int, container("/a\r\nX: y", NULL, &b), ERR_CONFIG));
}

Test(credentials_url, a_url_is_https_or_near)
{
    static const char *const good[] = {"https://keys.test/x",
                                       "https://keys.test",
                                       "https://keys.test:8443/a?b",
                                       "https://10.0.0.1/",
                                       "http://127.0.0.1/",
                                       "http://127.9.9.9:51679/x",
                                       "http://localhost:1338/x",
                                       "http://[::1]:80/x",
                                       "http://169.254.170.2/v2",
                                       "http://169.254.170.23/v1/credentials",
                                       "http://[fd00:ec2::23]/v1/credentials"};
    static const char *const bad[] = {
        "",
        "ftp://127.0.0.1/",
        "http://",
        "https://",
        "https:///x",
        "http://keys.test/x",
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://169.254.170.20/",
        "http://169.254.170.2.evil.test/",
        "http://127.0.0.1.evil.test/",
        "http://127.0.0.1@evil.test/",
        "http://127.0.0.1:80@evil.test/",
        "https://user@keys.test/",
        "http://127.0.0.1:/",
        "http://127.0.0.1:999999/",
        "http://127.0.0.1:80x/",
        "http://127.0.0/",
        "http://127.0.0./",
        "http://127..0.1/",
        "http://localhost.evil.test/",
        "http://localhost\\@evil.test/",
        "http://[::1/",
        "http://[::1]evil.test/",
        "http://[::2]/",
        "https://keys.test/a b",
        "https://keys.test/\r\nX: y",
        "HTTP://127.0.0.1/",
    };

    for (size_t i = 0; i < COUNT(good); i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(1000);
        cr_expect(eq(int, container(NULL, good[i], &b), ERR_OK), "%s", good[i]);
        cr_expect(eq(str, b.data, (char *)good[i]));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(1000);
        cr_expect(eq(int, container(NULL, bad[i], &b), ERR_CONFIG), "%s", bad[i]);
    }
    CLEANUP(buf_release) struct buf b = BUF_INIT(1000);
    cr_expect(eq(int, container(NULL, NULL, &b), ERR_CONFIG));
}

Test(credentials_url, a_role_is_a_name)
{
    static const char *const good[] = {"hoist", "hoist\nsecond", "a+=,.@_-Z9\r\n"};
    static const char *const bad[] = {"",     "\n",    "a/b",   "a b",
                                      "../x", "a?b=c", "a\x01", "\xc3\xa4"};

    for (size_t i = 0; i < COUNT(good); i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(1000);
        struct err e = ERR_INIT;
        cr_expect(
            eq(int, credentials_url_add_role(good[i], strlen(good[i]), &b, &e), ERR_OK),
            "%s", good[i]);
        cr_expect(eq(sz, b.len, strcspn(good[i], "\r\n")));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(1000);
        struct err e = ERR_INIT;
        cr_expect(eq(int, credentials_url_add_role(bad[i], strlen(bad[i]), &b, &e),
                     ERR_REJECT),
                  "%s", bad[i]);
    }
}
