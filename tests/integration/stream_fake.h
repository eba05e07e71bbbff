/*
 * stream_fake: a stream that a test makes: so many bytes, in bursts, and how it ends.
 *
 * Byte number n is a function of n, so that a test knows what must have arrived.  It keeps what stream.h promises: on_ready
 * comes on a later turn of the loop.
 */
#ifndef HOIST_TESTS_INTEGRATION_STREAM_FAKE_H
#define HOIST_TESTS_INTEGRATION_STREAM_FAKE_H

#include "worker/source/stream.h"

#include <criterion/criterion.h>
#include <string.h>

#include "shared/digest.h"

enum fake_end { FAKE_ENDS, FAKE_FAILS, FAKE_HANGS };

struct stream_fake {
    struct stream base;
    uv_timer_t ready;
    int64_t size;  /* bytes in all */
    int64_t burst; /* so many at a time, then STREAM_WAIT; 0: all at once */
    enum fake_end end;
    int64_t at, left_of_burst;
    int stops;
    bool over; /* END or FAILED was said: nothing may be read after it */
    struct digest_sha256 sha256;
    char hex[DIGEST_SHA256_HEX + 1];
    bool closed;
};

static inline char stream_fake_byte(int64_t n)
{
    return (char)(n * 31 + (n >> 8) * 7 + (n >> 16));
}

static inline void stream_fake_on_timer(uv_timer_t *timer)
{
    struct stream_fake *f = timer->data;

    f->left_of_burst = f->burst;
    if (f->base.on_ready)
        f->base.on_ready(f->base.ctx);
}

static inline enum stream_state stream_fake_read(struct stream *s, void *data,
                                                 size_t room, size_t *ret_len)
{
    struct stream_fake *f = (struct stream_fake *)s;
    int64_t n = f->size - f->at;

    cr_assert(room > 0 && !f->over);
    if (n == 0 && f->end == FAKE_HANGS)
        return STREAM_WAIT;
    if (n == 0) {
        f->over = true;
        return f->end == FAKE_ENDS ? STREAM_END : STREAM_FAILED;
    }
    if (f->burst > 0 && f->left_of_burst == 0) {
        (void)uv_timer_start(&f->ready, stream_fake_on_timer, 0, 0);
        return STREAM_WAIT;
    }
    if (n > (int64_t)room)
        n = (int64_t)room;
    if (f->burst > 0 && n > f->left_of_burst)
        n = f->left_of_burst;
    f->left_of_burst -= n;
    for (int64_t i = 0; i < n; i++)
        ((char *)data)[i] = stream_fake_byte(f->at + i);
    digest_sha256_update(&f->sha256, data, (size_t)n);
    f->at += n;
    *ret_len = (size_t)n;
    return STREAM_SOME;
}

static inline void stream_fake_failure(struct stream *s, struct outcome *ret)
{
    (void)s;
    outcome_fail(ret, RETRY_NEVER, "the maker failed");
    ret->error_class = "converter";
    ret->detail = strdup("what it said");
}

static inline void stream_fake_stop(struct stream *s)
{
    struct stream_fake *f = (struct stream_fake *)s;

    f->stops++;
    (void)uv_timer_stop(&f->ready);
}

static inline void stream_fake_open(struct stream_fake *f, uv_loop_t *on, int64_t size,
                                    int64_t burst, enum fake_end end)
{
    static const struct stream_ops ops = {stream_fake_read, stream_fake_failure,
                                          stream_fake_stop};
    struct err e = ERR_INIT;

    *f = (struct stream_fake){
        .base.ops = &ops, .size = size, .burst = burst, .end = end};
    f->left_of_burst = burst;
    (void)uv_timer_init(on, &f->ready);
    f->ready.data = f;
    cr_assert(digest_sha256_init(&f->sha256, &e) == ERR_OK);
}

/* The SHA-256 of what was read, all of which it was. */
static inline char *stream_fake_sha256(struct stream_fake *f)
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    struct err e = ERR_INIT;

    if (!f->hex[0]) {
        cr_assert(digest_sha256_final(&f->sha256, sum, &e) == ERR_OK);
        digest_hex_encode(sum, sizeof sum, f->hex);
    }
    return f->hex;
}

static inline void stream_fake_on_closed(uv_handle_t *handle)
{
    ((struct stream_fake *)handle->data)->closed = true;
}

static inline void stream_fake_close(struct stream_fake *f)
{
    digest_sha256_release(&f->sha256);
    uv_close((uv_handle_t *)&f->ready, stream_fake_on_closed);
    while (!f->closed)
        (void)uv_run(f->ready.loop, UV_RUN_NOWAIT);
}

#endif
