#include "worker/s3/s3_headers.h"

#include <stdio.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/s3_meta.h"
#include "worker/s3/s3_object.h"

enum { NAME_FIELD = 64 + sizeof S3_META_PREFIX, HEADER_MAX = 4096 };

void s3_texts_add(struct s3_texts *t, const char *name, const char *value)
{
    struct buf *b = &t->request->values;

    if (t->count == SIGV4_PAIRS_MAX - SIGV4_ADDED_MAX) {
        b->failed = true;
        return;
    }
    t->at[t->count].name = b->len;
    buf_add(b, name, strlen(name) + 1);
    t->at[t->count++].value = b->len;
    buf_add(b, value, strlen(value) + 1);
}

static void add_meta(struct s3_texts *t, const char *name, const struct buf *value)
{
    char field[NAME_FIELD + 1];

    (void)snprintf(field, sizeof field, S3_META_PREFIX "%s", name);
    s3_texts_add(t, field, value->data);
}

/* The client's own, which was checked when the job was taken; and the file name, where there is room left for it. */
static void add_metadata(struct s3_texts *t, const struct job *j)
{
    CLEANUP(buf_release) struct buf value = BUF_INIT(3 * JOB_META_BYTES);
    bool has_filename = false;
    size_t bytes = 0;

    for (size_t i = 0; i < j->meta_count; i++) {
        buf_clear(&value);
        s3_meta_add_value(&value, j->meta[i].value);
        add_meta(t, j->meta[i].name, &value);
        bytes += s3_meta_bytes(j->meta[i].name, j->meta[i].value);
        has_filename |= strcmp(j->meta[i].name, "filename") == 0;
    }
    if (!j->name || has_filename)
        return;
    buf_clear(&value);
    buf_add_percent(&value, j->name, strlen(j->name));
    if (bytes + s3_meta_bytes("filename", "") + value.len <= S3_META_BYTES)
        add_meta(t, "filename", &value);
}

static void add_given(struct s3_texts *t, const char *name, const char *value)
{
    if (value && *value)
        s3_texts_add(t, name, value);
}

static void add_disposition(struct s3_texts *t, const char *template, const char *name)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(HEADER_MAX);

    if (!template || !*template)
        return;
    s3_object_add_disposition(&b, template, name ? name : "file");
    s3_texts_add(t, "Content-Disposition", b.data);
    t->request->values.failed |= b.failed;
}

static void add_tags(struct s3_texts *t, const char *tags)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(HEADER_MAX);

    if (!tags || !*tags)
        return;
    s3_object_add_tags(&b, tags);
    s3_texts_add(t, "x-amz-tagging", b.data);
    t->request->values.failed |= b.failed;
}

static void add_encryption(struct s3_texts *t, const struct config_destination *c)
{
    if (c->sse == CONFIG_NO_SSE)
        return;
    s3_texts_add(t, "x-amz-server-side-encryption",
                 c->sse == CONFIG_SSE_KMS ? "aws:kms" : "AES256");
    add_given(t, "x-amz-server-side-encryption-aws-kms-key-id", c->sse_kms_key_id);
    if (c->sse_bucket_key)
        s3_texts_add(t, "x-amz-server-side-encryption-bucket-key-enabled", "true");
}

void s3_texts_add_object(struct s3_texts *t, const struct s3_ask *ask)
{
    const struct config_destination *c = ask->config;
    const struct job *j = ask->job;

    add_given(t, "Content-Type", j->type && *j->type ? j->type : c->content_type);
    add_disposition(t, c->content_disposition, j->name);
    add_given(t, "Cache-Control", c->cache_control);
    add_given(t, "x-amz-storage-class", c->storage_class);
    add_given(t, "x-amz-acl", c->acl);
    add_encryption(t, c);
    add_tags(t, c->tags);
    add_metadata(t, j);
}

/* hex, of sum_size bytes, as base64; "" when it is something else. */
static void encode(const char *hex, size_t sum_size, char *ret, size_t ret_size)
{
    uint8_t sum[DIGEST_SHA256_BYTES];

    *ret = '\0';
    if (hex && digest_hex_decode(hex, strlen(hex), sum, sum_size))
        (void)digest_base64_encode(sum, sum_size, ret, ret_size); /* fits */
}

void s3_checksums_of(const struct job *j, struct s3_checksums *ret)
{
    *ret = (struct s3_checksums){.md5 = ""};
    encode(j->sha256, DIGEST_SHA256_BYTES, ret->sha256, sizeof ret->sha256);
    encode(j->crc32c, DIGEST_CRC32C_BYTES, ret->crc32c, sizeof ret->crc32c);
}

void s3_checksums_set_md5(struct s3_checksums *sums, const char *md5_hex)
{
    encode(md5_hex, DIGEST_MD5_BYTES, sums->md5, sizeof sums->md5);
}

void s3_texts_add_checksum(struct s3_texts *t, enum config_checksum which,
                           const struct s3_checksums *sums)
{
    if (which == CONFIG_MD5)
        add_given(t, "Content-MD5", sums->md5);
    else if (which == CONFIG_CRC32C && sums->crc32c[0])
        s3_texts_add(t, "x-amz-checksum-crc32c", sums->crc32c);
    else if (which != CONFIG_NO_CHECKSUM)
        s3_texts_add(t, "x-amz-checksum-sha256", sums->sha256);
}
