#include "tests/chaos/body.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(body, .timeout = 60);

static const struct body_plan plan = {.seed = 7, .max_bytes = 1 << 20};

Test(body, the_same_number_is_the_same_upload_in_each_run_of_a_seed)
{
    struct body a = body_of(&plan, 12), b = body_of(&plan, 12);

    cr_expect(eq(u64, a.seed, b.seed));
    cr_expect(eq(i64, a.size, b.size));
    struct body other = body_of(&(struct body_plan){.seed = 8}, 12);
    cr_expect(ne(u64, a.seed, other.seed));
}

Test(body, any_chunk_is_what_the_whole_has_there)
{
    struct body b = {.n = 3, .seed = 99, .size = 5000};
    char whole[5000], chunk[5000];

    body_fill(&b, 0, whole, sizeof whole);
    for (size_t from = 0; from < 300; from += 7)
        for (size_t len = 1; len < 300; len += 13) {
            memset(chunk, 0, len);
            body_fill(&b, (int64_t)from, chunk, len);
            cr_assert(memcmp(chunk, whole + from, len) == 0, "%zu %zu", from, len);
        }
    body_fill(&b, 4093, chunk, 907);
    cr_expect(memcmp(chunk, whole + 4093, 907) == 0);
}

Test(body, its_bytes_do_not_repeat)
{
    struct body b = {.n = 3, .seed = 99, .size = 1 << 16};
    char *whole = malloc(1 << 16);

    cr_assert(ne(ptr, whole, NULL));
    body_fill(&b, 0, whole, 1 << 16);
    for (size_t at = 128; at + 16 <= 1 << 16; at += 8)
        cr_assert(memcmp(whole + 64, whole + at, 16) != 0, "%zu", at);
    free(whole);
}

Test(body, its_first_bytes_say_which_it_is)
{
    static const struct body samples[] = {
        {0, 0, BODY_MIN},
        {1, 1, 65},
        {BODY_NUMBER_MAX, UINT64_MAX, BODY_NUMBER_MAX},
    };

    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char first[BODY_MIN];
        struct body got = {0};
        body_fill(&samples[i], 0, first, sizeof first);
        cr_assert(body_recognise(first, sizeof first, &got), "%zu", i);
        cr_expect(eq(i64, got.n, samples[i].n));
        cr_expect(eq(u64, got.seed, samples[i].seed));
        cr_expect(eq(i64, got.size, samples[i].size));
    }
}

Test(body, what_begins_otherwise_is_nobodys)
{
    static const char *const lines[] = {
        "",
        "hoist-chaos",
        "hoist-chaos \n",
        "hoist-chaos 1 0000000000000007 64",
        "hoist-chaos 1 0000000000000007 63\n",
        "hoist-chaos 1 000000000000000g 64\n",
        "hoist-chaos 1 00000000000000070 64\n",
        "hoist-chaos 1  0000000000000007 64\n",
        "hoist-chaos 01 0000000000000007 64\n",
        "hoist-chaos -1 0000000000000007 64\n",
        "hoist-chaos 1111111111111 0000000000000007 64\n",
        "hoist-chaos 1 0000000000000007 64 \n",
        "Hoist-chaos 1 0000000000000007 64\n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct body got = {.n = -5};
        cr_expect(not(body_recognise(lines[i], strlen(lines[i]), &got)), "%s",
                  lines[i]);
        cr_expect(eq(i64, got.n, -5));
    }
}

Test(body, sizes_are_mixed_and_bounded)
{
    int tiny = 0, usual = 0, large = 0, largest = 0;

    for (int64_t n = 0; n < 20000; n++) {
        int64_t size = body_of(&plan, n).size;
        cr_assert(size >= BODY_MIN && size <= plan.max_bytes, "%lld", (long long)size);
        tiny += size < 1024;
        usual += size >= 1024 && size <= 32 * 1024;
        large += size > 32 * 1024 && size < plan.max_bytes;
        largest += size == plan.max_bytes;
    }
    cr_expect(tiny > 800 && tiny < 1200, "%d", tiny);
    cr_expect(usual > 18000 && usual < 19400, "%d", usual);
    cr_expect(large > 120 && large < 280, "%d", large);
    cr_expect(largest > 5 && largest < 50, "%d", largest);
}

Test(body, a_maximum_holds_for_all)
{
    struct body_plan small = {.seed = 7, .max_bytes = 2048};

    for (int64_t n = 0; n < 5000; n++)
        cr_assert(body_of(&small, n).size <= 2048);
}

Test(body, its_digest_is_that_of_its_bytes)
{
    struct body b = {.n = 5, .seed = 1, .size = 100001};
    char *whole = malloc((size_t)b.size);
    char want[DIGEST_SHA256_HEX + 1], got[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;

    cr_assert(ne(ptr, whole, NULL));
    body_fill(&b, 0, whole, (size_t)b.size);
    cr_assert(not(digest_sha256_hex(whole, (size_t)b.size, want, &e)));
    cr_assert(not(body_sha256(&b, got, &e)));
    cr_expect(eq(str, got, want));
    free(whole);
}
