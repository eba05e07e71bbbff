#include "worker/s3/parts_hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024 };

void parts_hash_init(struct parts_hash *h, uv_loop_t *loop, const struct job *job,
                     int fd, const struct s3_plan *plan)
{
    *h = (struct parts_hash){.loop = loop, .job = job, .fd = fd, .plan = *plan};
}

void parts_hash_release(struct parts_hash *h)
{
    digest_sha256_release(&h->whole);
    digest_sha256_release(&h->part);
    digest_md5_release(&h->md5);
}

/* --- on the pool --- */

static bool begin_part(struct parts_hash *h)
{
    struct err e = ERR_INIT;

    if (h->done_count == 0 && digest_sha256_init(&h->whole, &e) != ERR_OK)
        return false;
    if (h->with_sha256 && digest_sha256_init(&h->part, &e) != ERR_OK)
        return false;
    if (h->with_md5 && digest_md5_init(&h->md5, &e) != ERR_OK)
        h->with_md5 = false; /* not on this machine (FIPS) */
    h->latest = (struct s3_part_sums){.crc32c = 0};
    return true;
}

static bool end_part(struct parts_hash *h, int64_t len)
{
    struct err e = ERR_INIT;

    if (h->with_sha256 && digest_sha256_final(&h->part, h->latest.sha256, &e) != ERR_OK)
        return false;
    h->latest.has_sha256 = h->with_sha256;
    h->latest.has_md5 =
        h->with_md5 && digest_md5_final(&h->md5, h->latest.md5, &e) == ERR_OK;
    h->crc32c = digest_crc32c_combine(h->crc32c, h->latest.crc32c, (uint64_t)len);
    return true;
}

static void conclude(struct parts_hash *h)
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;

    (void)snprintf(hex, sizeof hex, "%08" PRIx32, h->crc32c); /* fits */
    if (h->job->crc32c && strcasecmp(hex, h->job->crc32c) != 0)
        h->corrupt = "CRC-32C";
    hex[0] = '\0';
    if (digest_sha256_final(&h->whole, sum, &e) == ERR_OK)
        digest_hex_encode(sum, sizeof sum, hex);
    if (!h->job->sha256 || strcmp(hex, h->job->sha256) != 0)
        h->corrupt = "SHA-256";
    if (h->corrupt)
        h->state = PARTS_HASH_CORRUPT;
}

static void take(struct parts_hash *h, const void *data, size_t len)
{
    digest_sha256_update(&h->whole, data, len);
    if (h->with_sha256)
        digest_sha256_update(&h->part, data, len);
    if (h->with_md5)
        digest_md5_update(&h->md5, data, len);
    h->latest.crc32c = digest_crc32c(h->latest.crc32c, data, len);
}

static enum parts_hash_state read_part(struct parts_hash *h, int64_t at, int64_t len)
{
    char *chunk = malloc(CHUNK);
    enum parts_hash_state state = chunk ? PARTS_HASH_FINE : PARTS_HASH_UNREAD;

    for (int64_t end = at + len; state == PARTS_HASH_FINE && at < end;) {
        size_t want = (size_t)(end - at < CHUNK ? end - at : CHUNK);
        ssize_t n = pread(h->fd, chunk, want, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (atomic_load(&h->stop))
            state = PARTS_HASH_STOPPED;
        else if (n <= 0)
            state = n == 0 ? PARTS_HASH_SHORT : PARTS_HASH_UNREAD;
        else
            take(h, chunk, (size_t)n);
        at += n;
    }
    free(chunk);
    return state;
}

static void on_pool(uv_work_t *work)
{
    struct parts_hash *h = work->data;
    int number = h->done_count + 1;
    int64_t len = s3_plan_len(&h->plan, number);

    if (!begin_part(h)) {
        h->state = PARTS_HASH_UNREAD;
        return;
    }
    h->state = read_part(h, s3_plan_offset(&h->plan, number), len);
    if (h->state == PARTS_HASH_FINE && !end_part(h, len))
        h->state = PARTS_HASH_UNREAD;
    if (h->state == PARTS_HASH_FINE && number == h->plan.count)
        conclude(h);
}

/* --- the loop's side --- */

static void after(uv_work_t *work, int status)
{
    struct parts_hash *h = work->data;

    (void)status; /* never cancelled */
    h->busy = false;
    if (h->state == PARTS_HASH_FINE)
        h->done_count++;
    h->done(h->ctx);
}

void parts_hash_next(struct parts_hash *h, void (*done)(void *ctx), void *ctx)
{
    h->busy = true;
    h->done = done;
    h->ctx = ctx;
    h->work.data = h;
    (void)uv_queue_work(h->loop, &h->work, on_pool, after); /* cannot fail */
}

void parts_hash_stop(struct parts_hash *h)
{
    atomic_store(&h->stop, true);
}
