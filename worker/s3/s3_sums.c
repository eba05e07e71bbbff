#include "worker/s3/s3_sums.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void s3_part_release(struct s3_part *p)
{
    free(p->etag);
    *p = (struct s3_part){.etag = NULL};
}

static void crc_bytes(uint32_t crc, uint8_t ret[DIGEST_CRC32C_BYTES])
{
    for (int i = 0; i < DIGEST_CRC32C_BYTES; i++)
        ret[i] = (uint8_t)(crc >> (24 - 8 * i));
}

void s3_sums_text(const struct s3_part_sums *sums, struct s3_checksums *ret)
{
    uint8_t crc[DIGEST_CRC32C_BYTES];

    ret->sha256[0] = ret->md5[0] = '\0';
    if (sums->has_md5)
        (void)digest_base64_encode(sums->md5, sizeof sums->md5, ret->md5,
                                   sizeof ret->md5); /* fits */
    if (sums->has_sha256)
        (void)digest_base64_encode(sums->sha256, sizeof sums->sha256, ret->sha256,
                                   sizeof ret->sha256); /* fits */
    crc_bytes(sums->crc32c, crc);
    (void)digest_base64_encode(crc, sizeof crc, ret->crc32c,
                               sizeof ret->crc32c); /* fits */
}

const char *s3_etag_md5(const char *etag)
{
    etag += *etag == '"';
    if (strspn(etag, "0123456789abcdefABCDEF") != DIGEST_MD5_HEX ||
        (etag[DIGEST_MD5_HEX] && strcmp(etag + DIGEST_MD5_HEX, "\"") != 0))
        return NULL;
    return etag;
}

/* --- composites --- */

static void conclude_etag(struct digest_md5 *d, int count, char *ret)
{
    uint8_t sum[DIGEST_MD5_BYTES];
    char hex[DIGEST_MD5_HEX + 1];
    struct err e = ERR_INIT;

    if (digest_md5_final(d, sum, &e) != ERR_OK)
        return; /* no MD5 on this machine */
    digest_hex_encode(sum, sizeof sum, hex);
    (void)snprintf(ret, S3_COMPOSITE_SIZE, "%s-%d", hex, count);
}

static void make_etag(const struct s3_part *parts, int count, char *ret)
{
    struct digest_md5 d = DIGEST_MD5_INIT;
    uint8_t sum[DIGEST_MD5_BYTES];
    struct err e = ERR_INIT;
    bool fine = digest_md5_init(&d, &e) == ERR_OK;

    for (int i = 0; fine && i < count; i++) {
        const char *md5 = parts[i].etag ? s3_etag_md5(parts[i].etag) : NULL;
        fine = md5 && digest_hex_decode(md5, DIGEST_MD5_HEX, sum, sizeof sum);
        if (fine)
            digest_md5_update(&d, sum, sizeof sum);
    }
    if (fine)
        conclude_etag(&d, count, ret);
    digest_md5_release(&d);
}

static void make_sha256(const struct s3_part *parts, int count, char *ret)
{
    struct digest_sha256 d = DIGEST_SHA256_INIT;
    uint8_t sum[DIGEST_SHA256_BYTES];
    char text[DIGEST_BASE64_SIZE(DIGEST_SHA256_BYTES)];
    struct err e = ERR_INIT;
    bool fine = digest_sha256_init(&d, &e) == ERR_OK;

    for (int i = 0; fine && i < count; i++) {
        fine = parts[i].sums.has_sha256;
        digest_sha256_update(&d, parts[i].sums.sha256, DIGEST_SHA256_BYTES);
    }
    if (fine && digest_sha256_final(&d, sum, &e) == ERR_OK &&
        digest_base64_encode(sum, sizeof sum, text, sizeof text))
        (void)snprintf(ret, S3_COMPOSITE_SIZE, "%s-%d", text, count);
    digest_sha256_release(&d);
}

static void make_crc32c(const struct s3_part *parts, int count, char *ret)
{
    uint8_t sum[DIGEST_CRC32C_BYTES];
    char text[DIGEST_BASE64_SIZE(DIGEST_CRC32C_BYTES)];
    uint32_t crc = 0;

    for (int i = 0; i < count; i++) {
        crc_bytes(parts[i].sums.crc32c, sum);
        crc = digest_crc32c(crc, sum, sizeof sum);
    }
    crc_bytes(crc, sum);
    if (digest_base64_encode(sum, sizeof sum, text, sizeof text))
        (void)snprintf(ret, S3_COMPOSITE_SIZE, "%s-%d", text, count);
}

void s3_composite_make(const struct s3_part *parts, int count, struct s3_composite *ret)
{
    *ret = (struct s3_composite){.etag = ""};
    make_etag(parts, count, ret->etag);
    make_sha256(parts, count, ret->sha256);
    make_crc32c(parts, count, ret->crc32c);
}

/* --- the list of parts --- */

static void add_escaped(struct buf *b, const char *s)
{
    static const char specials[] = "&<>\"'";
    static const char *const references[] = {"&amp;", "&lt;", "&gt;", "&quot;",
                                             "&apos;"};

    for (; *s; s++) {
        const char *special = strchr(specials, *s);
        if (special)
            buf_puts(b, references[special - specials]);
        else
            buf_putc(b, *s);
    }
}

bool s3_complete_body(struct buf *b, const struct s3_part *parts, int count,
                      enum config_checksum checksum)
{
    struct s3_checksums sums;

    buf_puts(b, "<CompleteMultipartUpload "
                "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (int i = 0; i < count; i++) {
        buf_printf(b, "<Part><PartNumber>%d</PartNumber><ETag>", i + 1);
        add_escaped(b, parts[i].etag ? parts[i].etag : "");
        buf_puts(b, "</ETag>");
        s3_sums_text(&parts[i].sums, &sums);
        if (checksum == CONFIG_SHA256 && sums.sha256[0])
            buf_printf(b, "<ChecksumSHA256>%s</ChecksumSHA256>", sums.sha256);
        if (checksum == CONFIG_CRC32C)
            buf_printf(b, "<ChecksumCRC32C>%s</ChecksumCRC32C>", sums.crc32c);
        buf_puts(b, "</Part>");
    }
    return buf_puts(b, "</CompleteMultipartUpload>");
}
