/*
 * s3_address: where an object is.
 */
#include "shared/s3_address.h"

#include "shared/cleanup.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(s3_address, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct {
    char *endpoint;
    enum config_style style;
    char *bucket, *prefix;
    const char *key, *host, *path;
} rows[] = {
    {"", CONFIG_VIRTUAL_STYLE, "b", "", "k", "b.s3.r1.amazonaws.com", "/k"},
    {"http://h:80", CONFIG_PATH_STYLE, "b", "", "k", "h", "/b/k"},
    {"https://h:443/", CONFIG_PATH_STYLE, "b", "p/q", "a b", "h", "/b/p/q/a b"},
    {"https://h:80", CONFIG_VIRTUAL_STYLE, "b", "p", "k", "b.h:80", "/p/k"},
    {"http://[::1]:9", CONFIG_PATH_STYLE, "b", "", NULL, "[::1]:9", "/b"},
    {"http://h", CONFIG_VIRTUAL_STYLE, "my.dotted.bucket", "", NULL,
     "my.dotted.bucket.h", "/"},
};

Test(s3_address, host_and_path_follow_the_style)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(buf_release) struct buf host = BUF_INIT(512), path = BUF_INIT(512);
        struct config_destination c = {.endpoint = rows[i].endpoint,
                                       .region = "r1",
                                       .style = rows[i].style,
                                       .bucket = rows[i].bucket,
                                       .prefix = rows[i].prefix};
        struct s3_endpoint at;
        struct err e = ERR_INIT;

        cr_assert(not(s3_endpoint_parse(&c, &at, &e)), "%s", e.text);
        cr_assert(s3_address_locate(&c, &at, rows[i].key, &host, &path));
        cr_expect(eq(str, host.data, (char *)rows[i].host));
        cr_expect(eq(str, path.data, (char *)rows[i].path));
    }
}

Test(s3_address, amazons_endpoint_moves_to_another_region_and_no_other_does)
{
    struct s3_endpoint amazon = {.authority = "s3.us-east-1.amazonaws.com"};
    struct s3_endpoint other = {.authority = "s3.us-east-1.example.com"};

    s3_endpoint_move(&amazon, "us-east-1", "eu-west-3");
    s3_endpoint_move(&other, "us-east-1", "eu-west-3");
    cr_expect(eq(str, amazon.authority, "s3.eu-west-3.amazonaws.com"));
    cr_expect(eq(str, other.authority, "s3.us-east-1.example.com"));
}
