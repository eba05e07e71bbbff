#include "tests/chaos/body.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/cleanup.h"

static const char mark[] = "hoist-chaos ";

enum { MARK_LEN = sizeof mark - 1, WORD = 8, CHUNK = 32 * 1024 };

#define MAX_BYTES_DEFAULT (INT64_C(8) << 20)

/* The step and the finalizer of splitmix64. */
uint64_t body_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static int64_t draw_size(uint64_t random)
{
    uint64_t kind = random % 1000, within = random / 1000;

    if (kind == 0)
        return INT64_MAX;
    if (kind <= 10)
        return 1024 + (int64_t)(within % (1024 * 1024 - 1023));
    if (kind <= 60)
        return BODY_MIN + (int64_t)(within % (1024 - BODY_MIN));
    return 1024 + (int64_t)(within % (31 * 1024 + 1));
}

struct body body_of(const struct body_plan *p, int64_t n)
{
    /* body_mix is a bijection: numbers of one run never share a seed. */
    struct body b = {.n = n, .seed = body_mix(body_mix(p->seed) + (uint64_t)n)};
    int64_t max = p->max_bytes ? p->max_bytes : MAX_BYTES_DEFAULT;

    b.size = draw_size(body_mix(b.seed));
    if (b.size > max)
        b.size = max;
    return b;
}

/* The first line, NUL-terminated; its length. */
static size_t first_line(const struct body *b, char ret_line[BODY_MIN + 1])
{
    int len =
        snprintf(ret_line, BODY_MIN + 1, "%s%" PRId64 " %016" PRIx64 " %" PRId64 "\n",
                 mark, b->n, b->seed, b->size);

    return (size_t)len; /* 12 + 12 + 1 + 16 + 1 + 12 + 1 at most */
}

static void fill_words(uint64_t seed, uint64_t at, char *to, size_t len)
{
    while (len > 0) {
        uint64_t word =
            body_mix(seed ^ (at / WORD)); /* little-endian, as all we run on */
        size_t skip = (size_t)(at % WORD), take = WORD - skip < len ? WORD - skip : len;
        memcpy(to, (const char *)&word + skip, take);
        to += take;
        at += take;
        len -= take;
    }
}

void body_fill(const struct body *b, int64_t offset, void *ret, size_t len)
{
    char line[BODY_MIN + 1];
    size_t line_len = first_line(b, line), done = 0;

    if ((uint64_t)offset < line_len) {
        done = line_len - (size_t)offset < len ? line_len - (size_t)offset : len;
        memcpy(ret, line + offset, done);
    }
    fill_words(b->seed, (uint64_t)offset + done, (char *)ret + done, len - done);
}

/* A number of 1 to 12 digits without leading zeros, and what ends it. */
static const char *take_number(const char *s, const char *end, char stop,
                               int64_t *ret_n)
{
    const char *start = s;
    int64_t n = 0;

    while (s < end && *s >= '0' && *s <= '9' && s - start < 12)
        n = n * 10 + (*s++ - '0');
    if (s == start || s >= end || *s != stop || (*start == '0' && s - start > 1))
        return NULL;
    *ret_n = n;
    return s + 1;
}

bool body_recognise(const void *first, size_t len, struct body *ret_body)
{
    const char *s = first, *end = s + len;
    uint8_t seed[WORD];
    struct body b = {0};

    if (len < MARK_LEN || memcmp(s, mark, MARK_LEN) != 0)
        return false;
    s = take_number(s + MARK_LEN, end, ' ', &b.n);
    if (!s || end - s < 17 || s[16] != ' ' || !digest_hex_decode(s, 16, seed, WORD))
        return false;
    for (size_t i = 0; i < WORD; i++)
        b.seed = b.seed << 8 | seed[i];
    s = take_number(s + 17, end, '\n', &b.size);
    if (!s || b.size < BODY_MIN)
        return false;
    *ret_body = b;
    return true;
}

enum err_code body_sha256(const struct body *b, char ret_hex[DIGEST_SHA256_HEX + 1],
                          struct err *e)
{
    CLEANUP(digest_sha256_release) struct digest_sha256 d = DIGEST_SHA256_INIT;
    uint8_t sum[DIGEST_SHA256_BYTES];
    char chunk[CHUNK];

    if (digest_sha256_init(&d, e) != ERR_OK)
        return e->code;
    for (int64_t at = 0; at < b->size;) {
        int64_t left = b->size - at;
        size_t len = left < CHUNK ? (size_t)left : CHUNK;
        body_fill(b, at, chunk, len);
        digest_sha256_update(&d, chunk, len);
        at += (int64_t)len;
    }
    if (digest_sha256_final(&d, sum, e) != ERR_OK)
        return e->code;
    digest_hex_encode(sum, sizeof sum, ret_hex);
    return ERR_OK;
}
