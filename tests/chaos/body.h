/*
 * body: the bytes of upload number n of a run: made from a seed, recognised wherever they turn up.  Pure.
 *
 *     hoist-chaos <n> <seed> <size>\n          n and size in decimal, seed in 16 hex digits; at most BODY_MIN bytes
 *     ... bytes of a generator, a function of seed and place alone ...
 *
 * No upload is shorter than BODY_MIN bytes, so that the first line is always whole: there is no upload that could not be
 * recognised.  Two uploads never share seed or first line, and any chunk of one can be made without what is before it.
 *
 *     struct body_plan plan = {.seed = 42, .max_bytes = 8 << 20};
 *     struct body b = body_of(&plan, n);
 *     body_fill(&b, offset, chunk, len);
 *
 * Thread-safe: nothing is kept.
 */
#ifndef HOIST_TESTS_CHAOS_BODY_H
#define HOIST_TESTS_CHAOS_BODY_H

#include "shared/digest.h"
#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BODY_NUMBER_MAX INT64_C(999999999999) /* of n and of size: 12 digits */

enum { BODY_MIN = 64 };

/* What all uploads of a run have in common. */
struct body_plan {
    uint64_t seed;     /* of the run */
    int64_t max_bytes; /* of one upload, BODY_MIN .. BODY_NUMBER_MAX; 0: 8 MiB */
};

struct body {
    int64_t n; /* 0 .. BODY_NUMBER_MAX */
    uint64_t seed;
    int64_t size; /* bytes, with the first line */
};

/*
 * Upload n.  Of 1,000 sizes about 50 are 64 .. 1,023 bytes, 939 are 1 .. 32 KiB, 10 up to 1 MiB, one is max_bytes itself; a size
 * above max_bytes is max_bytes.
 */
struct body body_of(const struct body_plan *p, int64_t n);

/* The bytes offset .. offset + len, which must lie within it. */
void body_fill(const struct body *b, int64_t offset, void *ret, size_t len);

/* Whether these are the first bytes of an upload (BODY_MIN of them are always enough); *ret_body is untouched if not. */
bool body_recognise(const void *first, size_t len, struct body *ret_body);

/* A bijection of 64 bits; of numbers in sequence it makes such as look random. */
uint64_t body_mix(uint64_t x);

/* SHA-256 of all of it, as hex.  Errors as of digest.h. */
MUST_CHECK enum err_code
body_sha256(const struct body *b, char ret_hex[DIGEST_SHA256_HEX + 1], struct err *e);

#endif
