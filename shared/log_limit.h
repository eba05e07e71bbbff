/*
 * log_limit: the same warning once a minute, not every time.
 *
 *     if (log_limit_passes(&l, e.text, clock_mono_ms(), &held))
 *         log_warn("publisher", "redis is away", LOG_ERR(&e), log_limit_held(held));
 *
 * A text that has not been printed for LOG_LIMIT_MS passes, with how many were held back meanwhile; another text passes at
 * once.  LOG_LIMIT_KINDS texts are known at the same time, which also is the most that passes in a minute: further ones
 * are held back, uncounted, until one of the known is that old.  So a server that goes up and down in a loop costs a few lines a minute,
 * and none of its errors is lost sight of.  Pure; time is an argument; belongs to whoever owns the struct.
 */
#ifndef HOIST_SHARED_LOG_LIMIT_H
#define HOIST_SHARED_LOG_LIMIT_H

#include "shared/log.h"

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_MS = 60 * 1000, LOG_LIMIT_KINDS = 6 };

/* All zero: nothing was printed yet. */
struct log_limit {
    struct log_limit_kind {
        uint64_t hash; /* of the text; 0: none */
        int64_t said_ms;
        int64_t held; /* since then */
    } kinds[LOG_LIMIT_KINDS];
};

/* Whether a line with this text is to be printed now; then *ret_held is how many like it were not. */
bool log_limit_passes(struct log_limit *l, const char *text, int64_t now_ms,
                      int64_t *ret_held);

/* The field that tells it, as the last one of a line: "repeated=N", or nothing for 0. */
static inline struct log_field log_limit_held(int64_t held)
{
    return held > 0 ? LOG_INT("repeated", held) : LOG_END;
}

#endif
