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
