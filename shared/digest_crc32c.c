#include "shared/digest.h"

#include <isa-l/crc.h>

/* What one call takes: its length is an int. */
enum { STEP_BYTES = 1 << 30 };

uint32_t digest_crc32c(uint32_t crc, const void *data, size_t len)
{
    const unsigned char *p = data;
    uint32_t state = ~crc; /* ISA-L leaves both inversions to its caller */

    while (len > 0) {
        size_t n = len < STEP_BYTES ? len : STEP_BYTES;
        /* The parameter lacks a const; the bytes are only read. */
        state = crc32_iscsi((unsigned char *)(uintptr_t)p, (int)n, state);
        p += n;
        len -= n;
    }
    return ~state;
}

/* --- of two strings one after the other --- */

/* Polynomials over GF(2) modulo the Castagnoli polynomial, bit-reflected: bit 31 is x^0. */
static const uint32_t polynomial = UINT32_C(0x82f63b78);

static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (uint32_t bit = UINT32_C(1) << 31; bit != 0; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b & 1 ? (b >> 1) ^ polynomial : b >> 1;
    }
    return product;
}

/* What stands in front is, by as many zero bits as the second string has, multiplied by x^(8 * second_len). */
uint32_t digest_crc32c_combine(uint32_t first, uint32_t second, uint64_t second_len)
{
    uint32_t power = UINT32_C(1) << 23; /* x^8: one byte */

    for (; second_len > 0; second_len >>= 1) {
        if (second_len & 1)
            first = multiply(first, power);
        power = multiply(power, power);
    }
    return first ^ second;
}
