/*
 * fuzz: what a fuzz target defines.  libFuzzer or run_corpus.c calls it with one input after the other; the input
 * belongs to the caller.  A broken promise aborts; the result is always 0.
 */
#ifndef HOIST_TESTS_FUZZ_H
#define HOIST_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
