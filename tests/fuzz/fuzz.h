/*
 * fuzz: what a fuzz target defines.  libFuzzer or run_corpus.c calls it with one input after the other; the input
 * belongs to the caller.  A broken promise aborts; the result is always 0.
 */
#ifndef HOIST_TESTS_FUZZ_H
#define HOIST_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool promise)
{
    if (!promise)
        abort();
}

/* A copy of the line at *at, the caller's to free; *at moves behind it, to end at most. */
static inline char *take_line(const char **at, const char *end)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t len = (size_t)((stop ? stop : end) - *at);
    char *line = strndup(*at, len);

    must(line != NULL);
    *at += len + (stop != NULL);
    return line;
}

#endif
