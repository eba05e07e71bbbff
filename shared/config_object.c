/* What the objects of a destination are made with: checks of those settings. */
#include "shared/config_load.h"
#include "shared/job_key.h"
#include "shared/s3_provider.h"

#include <stdlib.h>
#include <string.h>

/* What s3_plan.h makes parts of at least. */
#define PART_BYTES INT64_C(8388608)

enum { TAGS_MAX = 10, TAG_NAME_MAX = 128, TAG_VALUE_MAX = 256, WORD_MAX = 64 };

struct check {
    struct config_load *load;
    struct config_where where;
    struct config_destination *d;
};

static enum err_code blame(const struct check *c, const char *key, struct err *e)
{
    return config_blame(c->load, c->where, key, e);
}

static bool is_given(const struct check *c, const char *key)
{
    return config_load_origin(c->load, c->where,
                              config_find_setting(CONFIG_KIND_DESTINATION, key)) !=
           CONFIG_FROM_DEFAULT;
}

/* What the provider's row says where nothing is configured. */
static enum err_code take_row(const struct check *c, struct err *e)
{
    struct config_destination *d = c->d;

    if (*d->endpoint == '\0' && d->provider == CONFIG_GENERIC)
        d->provider = CONFIG_AWS;
    const struct s3_provider *row = s3_provider_row(d->provider);
    if (!is_given(c, "checksum"))
        d->checksum = row->checksum;
    if (d->conditional == CONFIG_PROBE && row->honours_conditions)
        d->conditional = CONFIG_CREATE;
    if (d->part_size < row->min_part_bytes && row->min_part_bytes > PART_BYTES)
        d->part_size = row->min_part_bytes;
    if (is_given(c, "region") || strcmp(d->region, row->region) == 0)
        return ERR_OK;
    char *region = strdup(row->region);
    if (!region)
        return err_set(e, ERR_NOMEM, "out of memory");
    free(d->region);
    d->region = region;
    return ERR_OK;
}

static bool is_made_of(const char *s, const char *more, size_t max)
{
    return !*s || config_is_word(s, more, max);
}

/* Of a header as it stands: printable ASCII. */
static bool is_header(const char *s)
{
    for (; *s; s++)
        if (*s < ' ' || *s > '~')
            return false;
    return true;
}

static enum err_code check_acl(const struct check *c, struct err *e)
{
    static const char *const canned[] = {"private",
                                         "public-read",
                                         "public-read-write",
                                         "aws-exec-read",
                                         "authenticated-read",
                                         "bucket-owner-read",
                                         "",
                                         "bucket-owner-full-control"};

    for (size_t i = 0; i < sizeof canned / sizeof canned[0]; i++)
        if (strcmp(c->d->acl, canned[i]) == 0)
            return ERR_OK;
    err_set(e, ERR_CONFIG,
            "'%.40s' is not one of private, public-read, public-read-write, "
            "aws-exec-read, authenticated-read, bucket-owner-read, "
            "bucket-owner-full-control",
            c->d->acl);
    return blame(c, "acl", e);
}

static enum err_code check_sse(const struct check *c, struct err *e)
{
    const struct config_destination *d = c->d;

    if (!is_made_of(d->sse_kms_key_id, "-_:/.", 8 * TAG_VALUE_MAX)) {
        err_set(e, ERR_CONFIG, "'%.60s' is not made of A-Z a-z 0-9 - _ : / and .",
                d->sse_kms_key_id);
        return blame(c, "sse_kms_key_id", e);
    }
    if (d->sse == CONFIG_SSE_KMS || (!*d->sse_kms_key_id && !d->sse_bucket_key))
        return ERR_OK;
    err_set(e, ERR_CONFIG, "is for sse = aws:kms alone");
    return blame(c, *d->sse_kms_key_id ? "sse_kms_key_id" : "sse_bucket_key", e);
}

/* NAME=VALUE&NAME=VALUE, in what S3 allows in tags. */
static bool are_tags(const char *s)
{
    int count = 0;

    for (bool more = *s != '\0'; more; count++) {
        size_t len = strcspn(s, "&"), name = strcspn(s, "=&");
        if (name == 0 || name == len || name > TAG_NAME_MAX ||
            len - name - 1 > TAG_VALUE_MAX)
            return false;
        more = s[len] == '&';
        s += len + more;
    }
    return count <= TAGS_MAX;
}

static enum err_code check_texts(const struct check *c, struct err *e)
{
    static const char name[] = "{name}";
    const struct config_destination *d = c->d;
    const char *brace = d->content_disposition;

    if (!is_made_of(d->storage_class, "_-", WORD_MAX)) {
        err_set(e, ERR_CONFIG, "'%.60s' is not up to %d of A-Z a-z 0-9 _ and -",
                d->storage_class, WORD_MAX);
        return blame(c, "storage_class", e);
    }
    if (!is_made_of(d->tags, "=& +-._:/@", 4096) || !are_tags(d->tags)) {
        err_set(e, ERR_CONFIG,
                "is not up to %d of NAME=VALUE with & between them, in A-Z a-z 0-9 "
                "blank + - . _ : / @ and =, NAMEs up to %d bytes, VALUEs up to %d",
                TAGS_MAX, TAG_NAME_MAX, TAG_VALUE_MAX);
        return blame(c, "tags", e);
    }
    while (strncmp(brace += strcspn(brace, "{}"), name, sizeof name - 1) == 0)
        brace += sizeof name - 1;
    if (*brace || !is_header(d->content_disposition)) {
        err_set(e, ERR_CONFIG, "is not ASCII with no other braces than {name}");
        return blame(c, "content_disposition", e);
    }
    if (!is_header(d->cache_control)) {
        err_set(e, ERR_CONFIG, "is not ASCII");
        return blame(c, "cache_control", e);
    }
    return ERR_OK;
}

/* Signing with keys that change and come from elsewhere is the worker's. */
static enum err_code check_presign(const struct check *c, struct err *e)
{
    if (!c->d->presign || *c->d->access_key)
        return ERR_OK;
    err_set(e, ERR_CONFIG, "needs access_key, and secret_key or secret_key_file");
    return blame(c, "presign", e);
}

enum err_code config_check_object(struct config_load *l, struct config_where where,
                                  struct err *e)
{
    struct config_destination *d = &l->config.destinations[where.index];
    const struct check c = {l, where, d};
    bool s3 = d->scheme == CONFIG_S3;
    size_t prefix = s3 && *d->prefix ? strlen(d->prefix) + 1 : 0;

    if (*d->key && job_key_check_template(d->key, prefix, e))
        return blame(&c, "key", e);
    if (!s3)
        return ERR_OK;
    if (take_row(&c, e) || check_acl(&c, e) || check_sse(&c, e) || check_texts(&c, e) ||
        check_presign(&c, e))
        return e->code;
    return ERR_OK;
}
