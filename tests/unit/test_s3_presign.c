/*
 * s3_presign: URLs of objects, against Amazon's worked example.
 */
#include "shared/s3_presign.h"

#include "shared/cleanup.h"
#include "shared/sigv4.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(s3_presign, .timeout = 60);

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define NOW_S INT64_C(1369353600) /* 2013-05-24T00:00:00Z */

static const struct config_destination example = {.endpoint =
                                                      "https://s3.amazonaws.com",
                                                  .region = "us-east-1",
                                                  .style = CONFIG_VIRTUAL_STYLE,
                                                  .bucket = "examplebucket",
                                                  .prefix = "",
                                                  .access_key = "AKIAIOSFODNN7EXAMPLE",
                                                  .secret_key = SECRET,
                                                  .session_token = ""};

/* "Authenticating Requests: Using Query Parameters", Amazon S3 API Reference. */
Test(s3_presign, is_that_of_amazons_example)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(S3_PRESIGN_MAX);
    struct err e = ERR_INIT;

    cr_assert(not(s3_presign_get(&example, "test.txt", NOW_S, 86400, &url, &e)), "%s",
              e.text);
    cr_expect(
        eq(str, url.data,
           "https://examplebucket.s3.amazonaws.com/test.txt?"
           "X-Amz-Algorithm=AWS4-HMAC-SHA256&"
           "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
           "aws4_request&"
           "X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&"
           "X-Amz-Signature="
           "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"));
}

Test(s3_presign, follows_style_prefix_and_token)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(S3_PRESIGN_MAX);
    struct config_destination d = example;
    struct err e = ERR_INIT;

    d.endpoint = "http://127.0.0.1:9000";
    d.style = CONFIG_PATH_STYLE;
    d.prefix = "a/b";
    d.session_token = "to/ken";
    cr_assert(not(s3_presign_get(&d, "c d+e.txt", NOW_S, 60, &url, &e)), "%s", e.text);
    cr_expect(eq(int,
                 strncmp(url.data,
                         "http://127.0.0.1:9000/examplebucket/a/b/c%20d%2Be.txt?", 54),
                 0),
              "%s", url.data);
    cr_expect(ne(ptr, strstr(url.data, "X-Amz-Security-Token=to%2Fken"), NULL));
    cr_expect(eq(ptr, strstr(url.data, "wJalr"), NULL), "no secret");
}

Test(s3_presign, lives_a_second_to_a_week)
{
    static const int64_t bad[] = {-1, 0, SIGV4_EXPIRES_MAX_S + 1};
    struct err e = ERR_INIT;

    for (size_t i = 0; i < 3; i++) {
        CLEANUP(buf_release) struct buf url = BUF_INIT(S3_PRESIGN_MAX);
        cr_expect(eq(int, s3_presign_get(&example, "k", NOW_S, bad[i], &url, &e),
                     ERR_REJECT));
        cr_expect(eq(sz, url.len, 0));
    }
    CLEANUP(buf_release) struct buf url = BUF_INIT(S3_PRESIGN_MAX);
    cr_expect(not(s3_presign_get(&example, "k", NOW_S, SIGV4_EXPIRES_MAX_S, &url, &e)));
}
