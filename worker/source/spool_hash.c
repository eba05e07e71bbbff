#include "worker/source/spool_hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { CHUNK = 128 * 1024 };

void spool_hash_init(struct spool_hash *h, const struct job *job)
{
    *h = (struct spool_hash){.job = job};
}

void spool_hash_release(struct spool_hash *h)
{
    digest_sha256_release(&h->sha256_state);
    digest_md5_release(&h->md5_state);
}

static bool conclude(struct spool_hash *h)
{
    uint8_t sum[DIGEST_SHA256_BYTES], md5[DIGEST_MD5_BYTES];
    char hex[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;

    if (h->with_md5 && digest_md5_final(&h->md5_state, md5, &e) == ERR_OK)
        digest_hex_encode(md5, sizeof md5, h->md5);
    h->corrupt = NULL;
    (void)snprintf(hex, sizeof hex, "%08" PRIx32, h->crc32c); /* fits */
    if (h->job->crc32c && strcasecmp(hex, h->job->crc32c) != 0)
        h->corrupt = "CRC-32C";
    if (!h->with_sha256)
        return !h->corrupt;
    hex[0] = '\0';
    if (digest_sha256_final(&h->sha256_state, sum, &e) == ERR_OK)
        digest_hex_encode(sum, sizeof sum, hex);
    if (strcmp(hex, h->job->sha256) != 0)
        h->corrupt = "SHA-256";
    return !h->corrupt;
}

bool spool_hash_pass(struct spool_hash *h, const void *data, size_t len, int64_t offset)
{
    struct err e = ERR_INIT;

    if (offset == 0) {
        h->md5[0] = '\0';
        h->with_sha256 = !h->sha256_is_checked || !h->job->crc32c;
        if (h->with_sha256 && digest_sha256_init(&h->sha256_state, &e) != ERR_OK)
            return false;
        if (h->with_md5 && digest_md5_init(&h->md5_state, &e) != ERR_OK)
            h->md5[0] = '\0'; /* not on this machine (FIPS): final tells again */
        h->crc32c = 0;
    }
    if (h->with_sha256)
        digest_sha256_update(&h->sha256_state, data, len);
    if (h->job->crc32c)
        h->crc32c = digest_crc32c(h->crc32c, data, len);
    if (h->with_md5)
        digest_md5_update(&h->md5_state, data, len);
    return offset + (int64_t)len < h->job->size || conclude(h);
}

bool spool_hash_file(struct spool_hash *h, int fd, const atomic_bool *stop)
{
    char *chunk = malloc(CHUNK);
    bool fine = chunk != NULL;

    if (fine && h->job->size == 0)
        fine = spool_hash_pass(h, "", 0, 0);
    for (int64_t at = 0; fine && at < h->job->size && !atomic_load(stop);) {
        int64_t left = h->job->size - at;
        ssize_t n = pread(fd, chunk, (size_t)(left < CHUNK ? left : CHUNK), at);
        if (n < 0 && errno == EINTR)
            continue;
        fine = n > 0 && spool_hash_pass(h, chunk, (size_t)n, at);
        at += n;
    }
    free(chunk);
    return fine && !atomic_load(stop);
}
