#include "worker/s3_headers.h"

#include <stdio.h>
#include <string.h>

#include "shared/cleanup.h"

enum { NAME_FIELD = 64 + sizeof "x-amz-meta-" };

void s3_texts_add(struct s3_texts *t, const char *name, const char *value)
{
    struct buf *b = &t->request->values;

    if (t->count == S3_HEADERS_MAX - SIGV4_ADDED_MAX) {
        b->failed = true;
        return;
    }
    t->at[t->count].name = b->len;
    buf_add(b, name, strlen(name) + 1);
    t->at[t->count++].value = b->len;
    buf_add(b, value, strlen(value) + 1);
}

/* Printable ASCII stays, single blanks inside too; all else, and '%', becomes %XX. */
static void add_meta_value(struct buf *b, const char *s)
{
    for (const char *p = s; *p; p++) {
        bool inner = p > s && p[-1] != ' ' && p[1] && p[1] != ' ';
        if ((*p > ' ' && *p <= '~' && *p != '%') || (*p == ' ' && inner))
            buf_putc(b, *p);
        else
            buf_printf(b, "%%%02X", (unsigned char)*p);
    }
}

static void add_meta(struct s3_texts *t, const char *name, const struct buf *value)
{
    char field[NAME_FIELD + 1];
    size_t bytes = strlen(name) + value->len;

    if (value->failed || t->meta_bytes + bytes > JOB_META_BYTES)
        return;
    t->meta_bytes += bytes;
    (void)snprintf(field, sizeof field, "x-amz-meta-%s", name);
    s3_texts_add(t, field, value->data);
}

static void add_metadata(struct s3_texts *t, const struct job *j)
{
    CLEANUP(buf_release) struct buf value = BUF_INIT(JOB_META_BYTES);
    bool has_filename = false;

    for (size_t i = 0; i < j->meta_count; i++) {
        buf_clear(&value);
        add_meta_value(&value, j->meta[i].value);
        add_meta(t, j->meta[i].name, &value);
        has_filename |= strcmp(j->meta[i].name, "filename") == 0;
    }
    if (!j->name || has_filename)
        return;
    buf_clear(&value);
    buf_add_percent(&value, j->name, strlen(j->name));
    add_meta(t, "filename", &value);
}

void s3_texts_add_object(struct s3_texts *t, const struct s3_ask *ask)
{
    const struct job *j = ask->job;
    const char *type = j->type && *j->type ? j->type : ask->config->content_type;

    if (type && *type)
        s3_texts_add(t, "Content-Type", type);
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
    encode(j->sha256, DIGEST_SHA256_BYTES, ret->sha256, sizeof ret->sha256);
    encode(j->crc32c, DIGEST_CRC32C_BYTES, ret->crc32c, sizeof ret->crc32c);
}

void s3_texts_add_checksum(struct s3_texts *t, enum config_checksum which,
                           const struct s3_checksums *sums)
{
    if (which == CONFIG_CRC32C && sums->crc32c[0])
        s3_texts_add(t, "x-amz-checksum-crc32c", sums->crc32c);
    else if (which != CONFIG_NO_CHECKSUM)
        s3_texts_add(t, "x-amz-checksum-sha256", sums->sha256);
}
