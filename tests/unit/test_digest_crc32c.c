/*
 * digest: CRC-32C.  Published sums (the check value of the polynomial, RFC 3720 appendix B.4), and the laws: it is what
 * the definition, bit by bit, gives for every length and alignment, splitting never matters, no byte beside the data is
 * looked at.
 */
#include "shared/digest.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(digest_crc32c, .timeout = 60);

/* A SCSI Read(10) command PDU. */
static const uint8_t pdu[48] = {[0] = 0x01,  [1] = 0xc0,  [16] = 0x14, [22] = 0x04,
                                [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};

Test(digest_crc32c, the_published_sums)
{
    uint8_t block[32];

    cr_expect(eq(u32, digest_crc32c(0, NULL, 0), 0));
    cr_expect(eq(u32, digest_crc32c(0, "", 0), 0));
    cr_expect(eq(u32, digest_crc32c(0, "a", 1), 0xc1d04330));
    cr_expect(eq(u32, digest_crc32c(0, "123456789", 9), 0xe3069283));
    memset(block, 0, sizeof block);
    cr_expect(eq(u32, digest_crc32c(0, block, sizeof block), 0x8a9136aa));
    memset(block, 0xff, sizeof block);
    cr_expect(eq(u32, digest_crc32c(0, block, sizeof block), 0x62a8ab43));
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)i;
    cr_expect(eq(u32, digest_crc32c(0, block, sizeof block), 0x46dd794e));
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)(sizeof block - 1 - i);
    cr_expect(eq(u32, digest_crc32c(0, block, sizeof block), 0x113fdb5c));
    cr_expect(eq(u32, digest_crc32c(0, pdu, sizeof pdu), 0xd9963a56));
}

/* The definition: the reflected polynomial, a bit at a time. */
static uint32_t by_definition(const uint8_t *data, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0x82f63b78) : crc >> 1;
    }
    return ~crc;
}

/* Bytes of every value, the same in every run. */
static void fill(uint8_t *data, size_t len)
{
    uint32_t x = 12345;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        data[i] = (uint8_t)(x >> 24);
    }
}

Test(digest_crc32c, every_length_and_alignment_is_as_the_definition_says)
{
    static uint8_t data[4096 + 64];

    fill(data, sizeof data);
    for (size_t start = 0; start < 64; start += 3)
        for (size_t len = 0; len < 600; len++)
            cr_assert(eq(u32, digest_crc32c(0, data + start, len),
                         by_definition(data + start, len)),
                      "%zu bytes at %zu", len, start);
    for (size_t len = 600; len <= 4096; len += 61)
        cr_assert(
            eq(u32, digest_crc32c(0, data + 1, len), by_definition(data + 1, len)),
            "%zu bytes", len);
}

Test(digest_crc32c, splitting_the_input_never_changes_the_sum)
{
    enum { LEN = 3000 };
    static uint8_t data[LEN];

    fill(data, LEN);
    uint32_t whole = by_definition(data, LEN);
    for (size_t a = 0; a <= LEN; a += 7) {
        for (size_t b = a; b <= LEN; b += 31) {
            uint32_t crc = digest_crc32c(0, data, a);
            crc = digest_crc32c(crc, data + a, b - a);
            crc = digest_crc32c(crc, data + b, LEN - b);
            cr_assert(eq(u32, crc, whole), "split at %zu, %zu", a, b);
        }
    }
}

Test(digest_crc32c, no_byte_beside_the_data_is_read)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert(ne(ptr, map, MAP_FAILED));
    uint8_t *middle = map + page;
    cr_assert(eq(int, mprotect(middle, page, PROT_READ | PROT_WRITE), 0));
    fill(middle, page);
    for (size_t len = 0; len <= page; len += len < 300 ? 1 : 37) {
        const uint8_t *last = middle + page - len;
        cr_assert(eq(u32, digest_crc32c(0, middle, len), by_definition(middle, len)));
        cr_assert(eq(u32, digest_crc32c(0, last, len), by_definition(last, len)));
    }
    cr_expect(eq(int, munmap(map, 3 * page), 0));
}
