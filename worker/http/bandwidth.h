/*
 * bandwidth: how many bytes may leave now: a token bucket.  Pure: the time is an argument.
 *
 *     rate bytes a second --> [ tokens, at most `most` ] --bandwidth_take--> bytes that may leave
 *                                        |
 *                                bandwidth_wait_us: when the next piece will be there
 *
 * Guarantees
 *   - In any time t no more than rate * t + most bytes are handed out; most is what 50 ms bring, or one piece.  A
 *     bucket begins empty.
 *   - What is asked for in time is not lost: fractions of a byte are carried on, so that the rate is met in the long run.
 *   - Bytes are handed out in pieces (what 5 ms bring, 1 to 256 KiB), whole or not at all, so that nobody dribbles and
 *     nobody has to wait long for a turn.
 * Belongs to one thread.
 */
#ifndef HOIST_WORKER_BANDWIDTH_H
#define HOIST_WORKER_BANDWIDTH_H

#include <stdbool.h>
#include <stdint.h>

enum bandwidth_limits { BANDWIDTH_PIECE_MIN = 1024, BANDWIDTH_PIECE_MAX = 256 * 1024 };

/* The highest rate: 1 TiB a second. */
#define BANDWIDTH_MAX ((int64_t)1 << 40)

struct bandwidth {
    int64_t rate; /* bytes a second, 1 .. BANDWIDTH_MAX; 0: there is no limit */
    int64_t piece, most;
    int64_t tokens; /* bytes that may leave now */
    int64_t at_us;  /* up to when time was turned into tokens */
    int64_t carry;  /* millionths of a byte that it brought besides */
};

/* bytes_per_s is 0 to BANDWIDTH_MAX. */
void bandwidth_init(struct bandwidth *b, int64_t bytes_per_s, int64_t now_us);
/* Take n bytes, 1 to piece.  False: they are not there yet, nothing was taken. */
bool bandwidth_take(struct bandwidth *b, int64_t n, int64_t now_us);
/* Bytes that were taken and did not leave. */
void bandwidth_give(struct bandwidth *b, int64_t n);
/* How long until n bytes are there; 0: they are. */
int64_t bandwidth_wait_us(struct bandwidth *b, int64_t n, int64_t now_us);

#endif
