/* What run_corpus must not let pass: an input of a few bytes that takes a second, or a quarter of a gigabyte. */
#include "tests/fuzz/fuzz.h"

#include <time.h>

enum { SECONDS = 1, BYTES = 256 * 1024 * 1024 };

static void take_time(void)
{
    struct timespec t = {0};

    while (t.tv_sec < SECONDS)
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
}

static void take_memory(void)
{
    volatile char *bytes = malloc(BYTES);

    must(bytes != NULL);
    for (size_t i = 0; i < BYTES; i += 4096)
        bytes[i] = 1;
    free((void *)bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 4 && memcmp(data, "time", 4) == 0)
        take_time();
    if (size >= 6 && memcmp(data, "memory", 6) == 0)
        take_memory();
    return 0;
}
