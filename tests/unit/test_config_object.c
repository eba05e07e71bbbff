/*
 * config: what objects are made with; what a provider's row fills in, and what is refused.
 */
#include "shared/config.h"

#include "shared/cleanup.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(config_object, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define S3 "[destination s]\nurl=s3://bucket/p\naccess_key=A\nsecret_key=B\n"
#define S3_AT S3 "endpoint=https://x\n"

static const struct {
    const char *text;
    enum config_provider provider;
    const char *region;
    enum config_checksum checksum;
    enum config_conditional conditional;
} rows[] = {
    {S3, CONFIG_AWS, "us-east-1", CONFIG_SHA256, CONFIG_CREATE},
    {S3_AT, CONFIG_GENERIC, "us-east-1", CONFIG_SHA256, CONFIG_PROBE},
    {S3_AT "provider=r2", CONFIG_R2, "auto", CONFIG_SHA256, CONFIG_CREATE},
    {S3_AT "provider=r2\nregion=us-east-1\nconditional=no", CONFIG_R2, "us-east-1",
     CONFIG_SHA256, CONFIG_OVERWRITE},
    {S3_AT "provider=b2", CONFIG_B2, "us-east-1", CONFIG_NO_CHECKSUM, CONFIG_PROBE},
    {S3_AT "provider=b2\nchecksum=md5", CONFIG_B2, "us-east-1", CONFIG_MD5,
     CONFIG_PROBE},
    {S3_AT "provider=garage\nconditional=yes", CONFIG_GARAGE, "garage", CONFIG_SHA256,
     CONFIG_CREATE},
    {S3_AT "provider=minio", CONFIG_MINIO, "us-east-1", CONFIG_SHA256, CONFIG_PROBE},
};

Test(config_object, a_provider_fills_in_what_is_not_configured)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(config_release) struct config c;
        struct err e = ERR_INIT;

        config_init(&c);
        cr_assert(not(config_parse(&c, "t.ini", rows[i].text, NULL, &e)), "%s", e.text);
        const struct config_destination *d = &c.destinations[0];
        cr_expect(eq(int, d->provider, rows[i].provider), "row %zu", i);
        cr_expect(eq(str, d->region, (char *)rows[i].region), "row %zu", i);
        cr_expect(eq(int, d->checksum, rows[i].checksum), "row %zu", i);
        cr_expect(eq(int, d->conditional, rows[i].conditional), "row %zu", i);
    }
}

static const char *const good[] = {
    "storage_class=GLACIER_IR",
    "acl=bucket-owner-full-control",
    "sse=AES256",
    "sse=aws:kms\nsse_kms_key_id=arn:aws:kms:eu-west-1:1:key/a-b\nsse_bucket_key=yes",
    "tags=team=a b&kind=x=y&empty=",
    "content_disposition=attachment; {name}",
    "cache_control=max-age=31536000, immutable",
    "key={yyyy}/{mm}/{dd}/{id}{ext}",
    "presign=yes\npresign_max_seconds=7d",
};

static const struct {
    const char *line, *start, *has;
} bad[] = {
    {"storage_class=a b", "storage_class: 'a b' is not", "up to 64"},
    {"acl=everybody", "acl: 'everybody' is not one of", "public-read"},
    {"sse=aes256", "sse: 'aes256' is not one of", "AES256"},
    {"sse_bucket_key=yes", "sse_bucket_key: is for sse = aws:kms alone", NULL},
    {"sse=AES256\nsse_kms_key_id=x", "sse_kms_key_id: is for sse = aws:kms", NULL},
    {"sse=aws:kms\nsse_kms_key_id=a b", "sse_kms_key_id: 'a b' is not", NULL},
    {"tags=a", "tags: is not up to 10", NULL},
    {"tags==b", "tags: is not", NULL},
    {"tags=a=b&", "tags: is not", NULL},
    {"tags=a=b,c", "tags: is not", NULL},
    {"tags=a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1", "tags: is not", NULL},
    {"content_disposition={file}", "content_disposition: is not ASCII", "{name}"},
    {"content_disposition=caf\xc3\xa9", "content_disposition: is not ASCII", NULL},
    {"cache_control=caf\xc3\xa9", "cache_control: is not ASCII", NULL},
    {"provider=azure", "provider: 'azure' is not one of", "minio"},
    {"key={yyyy}/{name}", "key: has no {id}", NULL},
    {"key=../{id}", "key: gives", "not allowed as a key"},
    {"presign_max_seconds=8d", "presign_max_seconds: '8d' is not", "1s to 7d"},
};

static enum err_code parse(const char *line, struct config *c, struct err *e)
{
    char text[1024];

    snprintf(text, sizeof text, S3 "%s\n", line);
    config_init(c);
    return config_parse(c, "t.ini", text, NULL, e);
}

Test(config_object, parts_are_as_large_as_the_provider_wants_them)
{
    static const struct {
        const char *text;
        int64_t part_size;
    } sizes[] = {{S3_AT, 0},
                 {S3_AT "provider=storj", 64 << 20},
                 {S3_AT "provider=storj\npart_size=16M", 64 << 20},
                 {S3_AT "provider=storj\npart_size=128M", 128 << 20}};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        CLEANUP(config_release) struct config c;
        struct err e = ERR_INIT;

        config_init(&c);
        cr_assert(not(config_parse(&c, "t.ini", sizes[i].text, NULL, &e)), "%s",
                  e.text);
        cr_expect(eq(i64, c.destinations[0].part_size, sizes[i].part_size), "row %zu",
                  i);
    }
}

Test(config_object, what_an_object_is_made_with_is_checked_at_the_start)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        CLEANUP(config_release) struct config c;
        struct err e = ERR_INIT;
        cr_expect(not(parse(good[i], &c, &e)), "%s: %s", good[i], e.text);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        CLEANUP(config_release) struct config c;
        struct err e = ERR_INIT;
        cr_expect(eq(int, parse(bad[i].line, &c, &e), ERR_CONFIG), "%s", bad[i].line);
        const char *at = strstr(e.text, bad[i].start);
        cr_expect(ne(ptr, (void *)at, NULL), "%s: %s", bad[i].line, e.text);
        cr_expect(bad[i].has == NULL || strstr(e.text, bad[i].has) != NULL, "%s: %s",
                  bad[i].line, e.text);
    }
}

Test(config_object, a_schedule_has_no_metadata_for_a_key)
{
    static const char text[] = "[destination s]\nurl=file:///x\nkey={meta.a}/{id}\n"
                               "[command c]\nrun=true\n"
                               "[schedule x]\nto=s\ncron=@daily\nsource=command:c\n";
    CLEANUP(config_release) struct config c;
    struct err e = ERR_INIT;

    config_init(&c);
    cr_expect(eq(int, config_parse(&c, "t.ini", text, NULL, &e), ERR_CONFIG));
    cr_expect(ne(ptr, strstr(e.text, "[schedule x] key: is needed"), NULL), "%s",
              e.text);
}

Test(config_object, urls_are_signed_with_keys_of_the_configuration_alone)
{
    static const char text[] = "[destination s]\nurl=s3://bucket\npresign=yes\n";
    CLEANUP(config_release) struct config c;
    struct err e = ERR_INIT;

    config_init(&c);
    cr_expect(eq(int, config_parse(&c, "t.ini", text, NULL, &e), ERR_CONFIG));
    cr_expect(ne(ptr, strstr(e.text, "presign: needs access_key"), NULL), "%s", e.text);
}
