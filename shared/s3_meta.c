#include "shared/s3_meta.h"

#include <string.h>

/* Whether the byte at p stays as it is. */
static bool is_plain(const char *s, const char *p)
{
    if (*p == ' ')
        return p > s && p[-1] != ' ' && p[1] && p[1] != ' ';
    return *p > ' ' && *p <= '~' && *p != '%';
}

void s3_meta_add_value(struct buf *b, const char *value)
{
    for (const char *p = value; *p; p++) {
        if (is_plain(value, p))
            buf_putc(b, *p);
        else
            buf_printf(b, "%%%02X", (unsigned char)*p);
    }
}

size_t s3_meta_bytes(const char *name, const char *value)
{
    size_t bytes = sizeof S3_META_PREFIX - 1 + strlen(name);

    for (const char *p = value; *p; p++)
        bytes += is_plain(value, p) ? 1 : 3;
    return bytes;
}

enum err_code s3_meta_check(const struct job *j, struct err *e)
{
    size_t bytes = 0;

    for (size_t i = 0; i < j->meta_count; i++)
        bytes += s3_meta_bytes(j->meta[i].name, j->meta[i].value);
    if (bytes <= S3_META_BYTES)
        return ERR_OK;
    return err_set(e, ERR_REJECT,
                   "meta: %zu bytes as S3 counts them (x-amz-meta-NAME, each byte that "
                   "is not ASCII three times); it takes %d",
                   bytes, S3_META_BYTES);
}
