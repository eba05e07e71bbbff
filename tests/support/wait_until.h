/*
 * wait_until: poll for something that has no event to wait for, with a deadline.
 *
 *     cr_assert(WAIT_UNTIL(access(path, F_OK) == 0, 2000));
 *
 * True as soon as the condition holds, false when it did not within so many milliseconds (it is looked at once more at
 * the end).  It is looked at every 2 ms.  Deadlines are meant for an idle machine: where WAIT_PATIENCE is defined (in the
 * tests of Criterion, tests/CMakeLists.txt) they are that many times longer, since a wait that is met costs nothing.
 */
#ifndef HOIST_TESTS_SUPPORT_WAIT_UNTIL_H
#define HOIST_TESTS_SUPPORT_WAIT_UNTIL_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#ifndef WAIT_PATIENCE
#define WAIT_PATIENCE 1
#endif

static inline int64_t wait_now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail on Linux */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void wait_a_moment(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 2000000},
                    NULL); /* a signal only shortens it */
}

#define WAIT_UNTIL(condition, deadline_ms)                                             \
    __extension__({                                                                    \
        int64_t wait_end_ = wait_now_ms() + (int64_t)(deadline_ms)*WAIT_PATIENCE;      \
        bool wait_met_ = (condition);                                                  \
        while (!wait_met_ && wait_now_ms() < wait_end_) {                              \
            wait_a_moment();                                                           \
            wait_met_ = (condition);                                                   \
        }                                                                              \
        wait_met_;                                                                     \
    })

/* For what must not happen: the condition holds all the while, so many milliseconds, to which no patience is added. */
#define WAIT_STAYS(condition, for_ms)                                                  \
    __extension__({                                                                    \
        int64_t stay_end_ = wait_now_ms() + (for_ms);                                  \
        bool stays_ = (condition);                                                     \
        while (stays_ && wait_now_ms() < stay_end_) {                                  \
            wait_a_moment();                                                           \
            stays_ = (condition);                                                      \
        }                                                                              \
        stays_;                                                                        \
    })

/* WAIT_UNTIL with a function: until(ctx) is true. */
static inline bool wait_until(bool (*until)(void *ctx), void *ctx, int64_t deadline_ms)
{
    return WAIT_UNTIL(until(ctx), deadline_ms);
}

#endif
