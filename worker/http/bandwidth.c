#include "worker/http/bandwidth.h"

enum { SECOND_US = 1000 * 1000, PIECES_A_SECOND = 200, MOSTS_A_SECOND = 20 };

static int64_t clamp(int64_t n, int64_t least, int64_t most)
{
    return n < least ? least : n > most ? most : n;
}

void bandwidth_init(struct bandwidth *b, int64_t bytes_per_s, int64_t now_us)
{
    int64_t piece =
        clamp(bytes_per_s / PIECES_A_SECOND, BANDWIDTH_PIECE_MIN, BANDWIDTH_PIECE_MAX);

    *b = (struct bandwidth){
        .rate = bytes_per_s,
        .piece = piece,
        .most = clamp(bytes_per_s / MOSTS_A_SECOND, piece, BANDWIDTH_MAX),
        .at_us = now_us};
}

static void refill(struct bandwidth *b, int64_t now_us)
{
    int64_t elapsed_us = now_us - b->at_us;

    if (elapsed_us <= 0)
        return;
    b->at_us = now_us;
    if (elapsed_us > b->most * SECOND_US / b->rate) { /* and no product overflows */
        b->tokens = b->most;
        b->carry = 0;
        return;
    }
    b->carry += elapsed_us * b->rate;
    b->tokens += b->carry / SECOND_US;
    b->carry %= SECOND_US;
    if (b->tokens >= b->most) {
        b->tokens = b->most;
        b->carry = 0;
    }
}

bool bandwidth_take(struct bandwidth *b, int64_t n, int64_t now_us)
{
    if (b->rate == 0)
        return true;
    refill(b, now_us);
    if (b->tokens < n)
        return false;
    b->tokens -= n;
    return true;
}

void bandwidth_give(struct bandwidth *b, int64_t n)
{
    b->tokens = clamp(b->tokens + n, 0, b->most);
}

int64_t bandwidth_wait_us(struct bandwidth *b, int64_t n, int64_t now_us)
{
    if (b->rate == 0)
        return 0;
    refill(b, now_us);
    if (b->tokens >= n)
        return 0;
    int64_t missing = (n - b->tokens) * SECOND_US - b->carry;
    return (missing + b->rate - 1) / b->rate;
}
